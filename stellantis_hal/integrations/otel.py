"""OpenTelemetry: spans of calls and their attempts, metrics of requests, waits and the quota (extra ``otel``)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from stellantis_hal.__version__ import __version__
from stellantis_hal.errors import ConfigurationError
from stellantis_hal.hal.uri import host_of
from stellantis_hal.transport.hooks import (
    BaseCallRecord,
    CallFailureRecord,
    EndRecord,
    Hooks,
    RequestRecord,
    ResponseRecord,
    RetryRecord,
    TokenRecord,
    WaitRecord,
)
from stellantis_hal.validation import require_type

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider
else:
    MeterProvider = TracerProvider = Any  # an extra, not imported to name its classes

__all__ = ["otel_hooks"]

R = TypeVar("R")
_SCOPE: Final = "stellantis_hal"


def otel_hooks(
    hooks: Hooks | None = None,
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
) -> Hooks:
    """Return hooks that send traces and metrics to OpenTelemetry, for one client or several.

    A call is a span, ``GET /user/vehicles/***/status``, in the trace of the task that makes it; each attempt and
    redirect is a child. URLs are masked; accounts are left out. The metrics are:

    - ``stellantis_hal.request.duration`` (s), with method, route, status and priority;
    - ``stellantis_hal.limiter.wait`` (s): waits for the limiter, with the priority;
    - ``stellantis_hal.retries``, ``stellantis_hal.failures``, with the type of the error;
    - ``stellantis_hal.token.renewals``, with the identity server;
    - ``stellantis_hal.quota.remaining``, with the window (``day``, ``burst``), as the server stated last. Clients of
      several subscriptions need hooks of their own: it does not tell them apart.

    Args:
        hooks: further hooks, which are called too.
        tracer_provider: of the spans; None for the global one.
        meter_provider: of the metrics; None for the global one.

    Raises:
        ConfigurationError: the extra ``otel`` is not installed.
        TypeError: these are no hooks, or a provider is none.

    Example::

        client = StellantisClient(application, hooks=otel_hooks())
    """
    try:
        from opentelemetry import metrics, trace  # an extra
    except ImportError as error:
        raise ConfigurationError(
            "opentelemetry is not installed: pip install 'stellantis-hal[otel]' brings its API"
        ) from error
    require_type("hooks", hooks, Hooks, None, instead="Hooks(on_response=…)")
    for name, provider, maker in (
        ("tracer_provider", tracer_provider, "get_tracer"),
        ("meter_provider", meter_provider, "get_meter"),
    ):
        if provider is not None and not hasattr(provider, maker):
            raise TypeError(f"{name} must be a provider with {maker}(), not {type(provider).__name__}")
    given = Hooks() if hooks is None else hooks
    spans = _Spans(trace, trace.get_tracer(_SCOPE, __version__, tracer_provider))
    figures = _Metrics(metrics, metrics.get_meter(_SCOPE, __version__, meter_provider))
    return Hooks(
        on_request=_both(spans.on_request, given.on_request),
        on_response=_both(spans.on_response, figures.on_response, given.on_response),
        on_retry=_both(spans.on_retry, figures.on_retry, given.on_retry),
        on_wait=_both(spans.on_wait, figures.on_wait, given.on_wait),
        on_failure=_both(spans.on_failure, figures.on_failure, given.on_failure),
        on_end=_both(spans.on_end, given.on_end),
        on_token_renewed=_both(figures.on_token_renewed, given.on_token_renewed),
    )


def _both(*hooks: Callable[[R], None] | None) -> Callable[[R], None]:
    present = [hook for hook in hooks if hook is not None]

    def call(record: R) -> None:
        for hook in present:
            hook(record)

    return call


class _Spans:
    """The open spans of the calls under way, by the number of the call."""

    def __init__(self, trace: Any, tracer: Any) -> None:
        self._trace = trace
        self._tracer = tracer
        self._calls: dict[int, Any] = {}
        self._attempts: dict[int, Any] = {}

    def _call(self, record: BaseCallRecord, *, ago: float = 0.0) -> Any:
        """Return the span of a call; it starts with the first record of it."""
        span = self._calls.get(record.request_id)
        if span is None:
            span = self._calls[record.request_id] = self._tracer.start_span(
                f"{record.method} {record.route}",
                kind=self._trace.SpanKind.CLIENT,
                attributes=_attributes(record),
                start_time=time.time_ns() - int(ago * 1e9),
            )
        return span

    def on_request(self, record: RequestRecord) -> None:
        """Start the span of an attempt; one whose slot had become stale before it was sent has ended."""
        self._end_attempt(record, "LimiterSlotExpiredError")
        context = self._trace.set_span_in_context(self._call(record))
        attributes = {**_attributes(record), "http.request.resend_count": record.attempt - 1}
        if record.bytes is not None:
            attributes["http.request.body.size"] = record.bytes
        self._attempts[record.request_id] = self._tracer.start_span(
            f"{record.method} attempt {record.attempt}",
            context=context,
            kind=self._trace.SpanKind.CLIENT,
            attributes=attributes,
        )

    def on_response(self, record: ResponseRecord) -> None:
        """End the span of an attempt."""
        span = self._attempts.pop(record.request_id)
        span.set_attribute("http.response.status_code", record.status)
        span.set_attribute("http.response.body.size", record.bytes)
        if record.status >= 400:
            span.set_status(self._trace.StatusCode.ERROR)
        span.end()
        self._call(record).set_attribute("http.response.status_code", record.status)

    def on_wait(self, record: WaitRecord) -> None:
        """Add the wait for the limiter to the span of its call."""
        self._call(record, ago=record.seconds).add_event("limiter.wait", {"seconds": record.seconds})

    def on_retry(self, record: RetryRecord) -> None:
        """End the span of the failed attempt."""
        self._end_attempt(record, type(record.error).__name__)

    def on_failure(self, record: CallFailureRecord) -> None:
        """Note the error in the span of its call."""
        name = type(record.error).__name__
        self._end_attempt(record, name)
        span = self._call(record, ago=record.seconds)
        span.set_attribute("error.type", name)
        span.set_status(self._trace.StatusCode.ERROR, name)

    def on_end(self, record: EndRecord) -> None:
        """End the span of the call, and that of an attempt that was cancelled."""
        is_cancelled = record.outcome == "cancelled"
        self._end_attempt(record, "cancelled")
        span = self._calls.pop(record.request_id, None)
        if span is not None:
            if is_cancelled:
                span.set_attribute("error.type", "cancelled")
            span.end()

    def _end_attempt(self, record: BaseCallRecord, error: str) -> None:
        span = self._attempts.pop(record.request_id, None)
        if span is not None:
            span.set_attribute("error.type", error)
            span.set_status(self._trace.StatusCode.ERROR, error)
            span.end()


def _attributes(record: BaseCallRecord) -> dict[str, Any]:
    return {
        "http.request.method": record.method,
        "url.full": record.url,
        "url.template": record.route,
        "server.address": host_of(record.url).partition(":")[0],
        "stellantis_hal.priority": record.priority,
    }


class _Metrics:
    """The instruments, and the quota that was stated last."""

    def __init__(self, metrics: Any, meter: Any) -> None:
        self._duration = meter.create_histogram(f"{_SCOPE}.request.duration", unit="s")
        self._waits = meter.create_histogram(f"{_SCOPE}.limiter.wait", unit="s")
        self._retries = meter.create_counter(f"{_SCOPE}.retries")
        self._failures = meter.create_counter(f"{_SCOPE}.failures")
        self._renewals = meter.create_counter(f"{_SCOPE}.token.renewals")
        self._observation = metrics.Observation
        self._remaining: dict[str, int] = {}
        meter.create_observable_gauge(f"{_SCOPE}.quota.remaining", callbacks=[self._observe])

    def on_response(self, record: ResponseRecord) -> None:
        """Measure a request, and keep the quota."""
        self._duration.record(
            record.seconds,
            {
                "http.request.method": record.method,
                "url.template": record.route,
                "http.response.status_code": record.status,
                "stellantis_hal.priority": record.priority,
            },
        )
        if record.quota is not None:
            for window, stated in (("day", record.quota.day), ("burst", record.quota.burst)):
                if stated.remaining is not None:
                    self._remaining[window] = stated.remaining

    def on_wait(self, record: WaitRecord) -> None:
        """Measure a wait for the limiter."""
        self._waits.record(record.seconds, {"stellantis_hal.priority": record.priority})

    def on_retry(self, record: RetryRecord) -> None:
        """Count a retry."""
        self._retries.add(1, {"error.type": type(record.error).__name__})

    def on_failure(self, record: CallFailureRecord) -> None:
        """Count a failure."""
        self._failures.add(1, {"error.type": type(record.error).__name__})

    def on_token_renewed(self, record: TokenRecord) -> None:
        """Count a renewed token."""
        self._renewals.add(1, {"server.address": record.server})

    def _observe(self, _options: Any) -> list[Any]:
        return [self._observation(left, {"window": window}) for window, left in self._remaining.items()]
