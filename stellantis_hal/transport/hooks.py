"""Hooks and log lines of a call; URLs are masked."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from itertools import count
from typing import Any, Literal, TypeVar

import attrs

from stellantis_hal.errors import StellantisError
from stellantis_hal.hal.redaction import mask_repr, mask_url, redacted_repr
from stellantis_hal.hal.uri import split
from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota
from stellantis_hal.validation import require_function

__all__ = [
    "BaseCallRecord",
    "CallFailureRecord",
    "CallReporter",
    "EndRecord",
    "Hooks",
    "RequestRecord",
    "ResponseRecord",
    "RetryRecord",
    "TokenRecord",
    "WaitRecord",
    "call_hook",
    "takes_responses",
]

R = TypeVar("R")
_logger = logging.getLogger("stellantis_hal")


@attrs.frozen(kw_only=True)
class BaseCallRecord:
    """What all records of one call have.

    Attributes:
        request_id: number of the call among those of all clients with the same hooks; its attempts and redirects share
            it.
        method: of the request.
        url: masked.
        route: the path of the URL with ``***`` in the place of ids, for metrics.
        account: key of the account; None without one. A ``repr`` masks it.
        priority: "interactive" or "background".
        attempt: 1 for the first; 0 before the first.
    """

    __repr__ = redacted_repr

    request_id: int
    method: str
    url: str
    route: str = ""
    account: str | None = None
    priority: str = "interactive"
    attempt: int = 0


@attrs.frozen(kw_only=True, repr=False)
class RequestRecord(BaseCallRecord):
    """A request that is about to be sent.

    Attributes:
        bytes: of its body; None where they are not known before.
    """

    bytes: int | None = 0


@attrs.frozen(kw_only=True, repr=False)
class ResponseRecord(BaseCallRecord):
    """A response of any status.

    Attributes:
        status: of the response.
        seconds: from sending to the end of the body; to its beginning, where it is downloaded piece by piece.
        bytes: of the body, decompressed; 0 where it is downloaded piece by piece.
        quota: as stated by the response's headers; None where they state none.
    """

    status: int
    seconds: float
    bytes: int = 0
    quota: ReportedQuota | None = None


@attrs.frozen(kw_only=True, repr=False)
class WaitRecord(BaseCallRecord):
    """A request that waited for the limiter.

    Attributes:
        seconds: the wait.
    """

    seconds: float


@attrs.frozen(kw_only=True, repr=False)
class RetryRecord(BaseCallRecord):
    """A failed attempt that another one will follow.

    Attributes:
        wait: seconds until the next.
        error: of the failed attempt.
    """

    wait: float
    error: StellantisError


@attrs.frozen(kw_only=True, repr=False)
class CallFailureRecord(BaseCallRecord):
    """A call that failed for good: its error goes to the caller. Refusals of the limiter are among them.

    Attributes:
        seconds: from the call to its error.
        waited: seconds of them spent waiting for the limiter.
        error: what the caller gets.
    """

    seconds: float
    waited: float
    error: StellantisError


@attrs.frozen(kw_only=True, repr=False)
class EndRecord(BaseCallRecord):
    """A call that has ended: by a response, by an error that goes to the caller, or by a cancellation.

    Attributes:
        seconds: from the call to its end.
        waited: seconds of them spent waiting for the limiter.
        outcome: how it ended; what is neither a response nor an error of this library counts as a cancellation.
    """

    seconds: float
    waited: float
    outcome: Literal["response", "error", "cancelled"]


@attrs.frozen(kw_only=True)
class TokenRecord:
    """A token that was renewed and stored.

    Attributes:
        account: key of the account. A ``repr`` masks it.
        server: host of the identity server.
        expires_at: when the new token expires, aware, UTC; None where that is unknown.
    """

    __repr__ = redacted_repr

    account: str
    server: str
    expires_at: datetime | None


_ASYNC = "it is called within the request, and not awaited. Start a task in it, or hand the record to a queue"


@attrs.frozen(kw_only=True)
class Hooks:
    """Functions called in the requesting task. They must be quick.

    An exception from one changes nothing for the call: the first of each hook is logged, with its traceback.

    Attributes:
        on_request: before a request is sent, once for each attempt and redirect.
        on_response: after a response of any status.
        on_retry: after a failed attempt that another one will follow.
        on_wait: after a wait for the limiter.
        on_failure: when a call fails for good, also where the limiter refused it.
        on_end: when a call ends, by a response, an error or a cancellation, after ``on_failure``.
        on_token_renewed: after a token was renewed and stored.

    Raises:
        TypeError: a hook is no function, or a coroutine function.
    """

    on_request: Callable[[RequestRecord], None] | None = None
    on_response: Callable[[ResponseRecord], None] | None = None
    on_retry: Callable[[RetryRecord], None] | None = None
    on_wait: Callable[[WaitRecord], None] | None = None
    on_failure: Callable[[CallFailureRecord], None] | None = None
    on_end: Callable[[EndRecord], None] | None = None
    on_token_renewed: Callable[[TokenRecord], None] | None = None
    _failed: set[str] = attrs.field(factory=set, init=False, eq=False, repr=False)
    _request_ids: Iterator[int] = attrs.field(factory=partial(count, 1), init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        for field in attrs.fields(type(self)):
            if field.init:
                require_function(field.name, getattr(self, field.name), because=_ASYNC)

    def next_request_id(self) -> int:
        """Return the number of a new call; sessions with the same hooks share the numbers."""
        return next(self._request_ids)

    def note_failure(self, name: str) -> bool:
        """Note that a hook raised; return whether it is the first time."""
        is_first = name not in self._failed
        self._failed.add(name)
        return is_first


def call_hook(hooks: Hooks, name: str, hook: Callable[[R], None], record: R) -> None:
    """Call a hook; log its first exception, and go on. A coroutine that it returns is an error, too."""
    function: Callable[[R], object] = hook
    try:
        result = function(record)
        if inspect.iscoroutine(result):
            result.close()
            raise TypeError(f"{name} returned a coroutine: {_ASYNC}")
    except Exception:
        if hooks.note_failure(name):
            _logger.exception(
                "the hook %s raised; it is called again, and further exceptions of it are not logged", name
            )


def takes_responses(hooks: Hooks) -> bool:
    """Return whether a hook or the log takes responses; otherwise the cost of a record is saved."""
    return hooks.on_response is not None or _logger.isEnabledFor(logging.DEBUG)


class CallReporter:
    """Logs one call and calls its hooks.

    Args:
        hooks: to call.
        request_id: number of the call.
        method: of its request.
        account: key of the account; None without one.
        priority: of its requests.
    """

    __slots__ = ("_account", "_hooks", "_method", "_priority", "_request_id")

    def __init__(self, hooks: Hooks, request_id: int, method: str, account: str | None, priority: str) -> None:
        self._hooks = hooks
        self._request_id = request_id
        self._method = method
        self._account = account
        self._priority = priority

    def _call_fields(self, masked: str, attempt: int) -> dict[str, Any]:
        return {
            "request_id": self._request_id,
            "method": self._method,
            "url": masked,
            "route": split(masked).path,
            "account": self._account,
            "priority": self._priority,
            "attempt": attempt,
        }

    def _extra(self, masked: str, attempt: int, **fields: Any) -> dict[str, Any]:
        """Return the fields of a log record: those of the hook's record, with the account masked and errors by name."""
        account = None if self._account is None else mask_repr(self._account)
        return {**self._call_fields(masked, attempt), "account": account, **fields}

    def on_request(self, hook: Callable[[RequestRecord], None], url: str, *, attempt: int, size: int | None) -> None:
        """Call the hook of a request that is about to be sent."""
        record = RequestRecord(**self._call_fields(mask_url(url), attempt), bytes=size)
        call_hook(self._hooks, "on_request", hook, record)

    def on_response(
        self, url: str, status: int, seconds: float, *, attempt: int, size: int, quota: ReportedQuota | None
    ) -> None:
        """Log a response and call its hook."""
        masked = mask_url(url)
        if _logger.isEnabledFor(logging.DEBUG):
            day, burst = (None, None) if quota is None else (quota.day.remaining, quota.burst.remaining)
            _logger.debug(
                "#%d %s %s: %d in %.3f s, attempt %d, quota left %s today, %s this second",
                self._request_id,
                self._method,
                masked,
                status,
                seconds,
                attempt,
                day,
                burst,
                extra=self._extra(
                    masked, attempt, status=status, seconds=seconds, bytes=size, quota_day=day, quota_burst=burst
                ),
            )
        hook = self._hooks.on_response
        if hook is not None:
            fields = self._call_fields(masked, attempt)
            record = ResponseRecord(**fields, status=status, seconds=seconds, bytes=size, quota=quota)
            call_hook(self._hooks, "on_response", hook, record)

    def on_retry(self, url: str, error: StellantisError, *, wait: float, attempt: int) -> None:
        """Log a failed attempt that another one will follow, and call its hook."""
        masked = mask_url(url)
        _logger.info(
            "#%d %s %s: attempt %d failed (%s), next in %.2f s",
            self._request_id,
            self._method,
            masked,
            attempt,
            type(error).__name__,
            wait,
            extra=self._extra(masked, attempt, wait=wait, error=type(error).__name__),
        )
        hook = self._hooks.on_retry
        if hook is not None:
            record = RetryRecord(**self._call_fields(masked, attempt), wait=wait, error=error)
            call_hook(self._hooks, "on_retry", hook, record)

    def on_pause(self, url: str, seconds: float, *, attempt: int) -> None:
        """Log a 429."""
        extra = self._extra(mask_url(url), attempt, seconds=seconds)
        _logger.warning("#%d 429: all requests pause for %.2f s", self._request_id, seconds, extra=extra)

    def on_wait(self, url: str, seconds: float, *, attempt: int) -> None:
        """Call the hook of a wait for the limiter."""
        hook = self._hooks.on_wait
        if hook is not None:
            record = WaitRecord(**self._call_fields(mask_url(url), attempt), seconds=seconds)
            call_hook(self._hooks, "on_wait", hook, record)

    def on_failure(self, url: str, error: StellantisError, *, seconds: float, waited: float, attempt: int) -> None:
        """Log a call that failed for good, and call its hook."""
        masked, name = mask_url(url), type(error).__name__
        if _logger.isEnabledFor(logging.DEBUG):
            _logger.debug(
                "#%d %s %s: failed after %d attempts and %.2f s, %.2f s of them waiting for the limiter (%s)",
                self._request_id,
                self._method,
                masked,
                attempt,
                seconds,
                waited,
                name,
                extra=self._extra(masked, attempt, seconds=seconds, waited=waited, error=name),
            )
        hook = self._hooks.on_failure
        if hook is not None:
            fields = self._call_fields(masked, attempt)
            record = CallFailureRecord(**fields, seconds=seconds, waited=waited, error=error)
            call_hook(self._hooks, "on_failure", hook, record)

    def on_end(
        self,
        url: str,
        outcome: Literal["response", "error", "cancelled"],
        *,
        seconds: float,
        waited: float,
        attempt: int,
    ) -> None:
        """Call the hook of a call that has ended."""
        hook = self._hooks.on_end
        if hook is not None:
            fields = self._call_fields(mask_url(url), attempt)
            record = EndRecord(**fields, seconds=seconds, waited=waited, outcome=outcome)
            call_hook(self._hooks, "on_end", hook, record)
