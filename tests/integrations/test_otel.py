"""Traces and metrics by the SDK's in-memory exporters."""

import sys
from typing import Any

import anyio
import httpx
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from stellantis_hal import Hooks, otel_hooks
from stellantis_hal.errors import BudgetExhaustedError, ConfigurationError, NotFoundError
from stellantis_hal.navigation.streamed_request_bodies import StreamedRequestBody, to_source
from stellantis_hal.simulator import Simulator
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from tests.support.simulated import account_of, client_of, world
from tests.transport.doubles import API, OK, Badge, get, response_with, session, wall

pytestmark = pytest.mark.anyio
CAR = "/user/vehicles/0123456789abcdef0123"


class Telemetry:
    """Hooks, and what they exported."""

    def __init__(self, hooks: Hooks | None = None) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        meters = MeterProvider([self._reader])
        self.hooks = otel_hooks(hooks, tracer_provider=self.tracers, meter_provider=meters)

    @property
    def spans(self) -> list[Any]:
        return list(self._exporter.get_finished_spans())

    def tree(self) -> dict[str, list[str]]:
        """Return the names of the spans without a parent, with those of their children."""
        roots = {span.context.span_id: span.name for span in self.spans if span.parent is None}
        return {
            name: [span.name for span in self.spans if span.parent is not None and span.parent.span_id == id_]
            for id_, name in roots.items()
        }

    def points(self, name: str) -> list[Any]:
        data = self._reader.get_metrics_data()
        assert data is not None
        metrics = [
            each for resource in data.resource_metrics for scope in resource.scope_metrics for each in scope.metrics
        ]
        return [point for metric in metrics if metric.name == name for point in metric.data.data_points]


async def test_a_call_is_a_span_with_a_child_for_each_attempt() -> None:
    telemetry = Telemetry()
    opened, _ = session(httpx.Response(503), httpx.Response(200, content=b"{}"), hooks=telemetry.hooks)
    async with opened:
        await get(opened.pipeline(account="alice@example.test"), f"{CAR}?x=1")
    assert telemetry.tree() == {"GET /user/vehicles/***": ["GET attempt 1", "GET attempt 2"]}
    first, second, call = telemetry.spans
    assert first.attributes["http.response.status_code"] == 503
    assert not first.status.is_ok
    assert second.attributes["http.request.resend_count"] == 1
    assert second.attributes["http.response.body.size"] == 2
    assert dict(call.attributes) == {
        "http.request.method": "GET",
        "url.full": f"{API}/user/vehicles/***?x=***",
        "url.template": "/user/vehicles/***",
        "server.address": "api.test",
        "stellantis_hal.priority": "interactive",
        "http.response.status_code": 200,
    }
    assert "alice" not in str([span.to_json() for span in telemetry.spans])
    assert (
        call.start_time <= first.start_time <= first.end_time <= second.start_time <= second.end_time <= call.end_time
    )


async def test_a_failure_marks_its_span() -> None:
    telemetry = Telemetry()
    opened, _ = session(httpx.Response(404), hooks=telemetry.hooks)
    async with opened:
        with pytest.raises(NotFoundError):
            await get(opened.pipeline())
    call = telemetry.spans[-1]
    assert (call.attributes["error.type"], call.status.is_ok) == ("NotFoundError", False)
    (point,) = telemetry.points("stellantis_hal.failures")
    assert (point.value, point.attributes["error.type"]) == (1, "NotFoundError")


async def test_an_attempt_without_a_response_ends_with_its_error() -> None:
    telemetry = Telemetry()
    opened, _ = session(httpx.ConnectError("refused"), OK, hooks=telemetry.hooks)
    async with opened:
        await get(opened.pipeline())
    first = telemetry.spans[0]
    assert first.attributes["error.type"] == "NetworkError"
    (point,) = telemetry.points("stellantis_hal.retries")
    assert (point.value, point.attributes["error.type"]) == (1, "NetworkError")


async def test_a_cancelled_call_ends_its_spans() -> None:
    async def never(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(60)
        raise AssertionError

    telemetry = Telemetry()
    opened, _ = session(never, hooks=telemetry.hooks)
    async with opened:
        with anyio.move_on_after(1):
            await get(opened.pipeline())
    assert [span.attributes["error.type"] for span in telemetry.spans] == ["cancelled", "cancelled"]


async def test_a_call_cancelled_before_its_first_attempt_has_no_span() -> None:
    class Slow(Badge):
        async def headers(self) -> Any:
            await anyio.sleep(60)

    telemetry = Telemetry()
    opened, _ = session(OK, hooks=telemetry.hooks)
    async with opened:
        with anyio.move_on_after(1):
            await get(opened.pipeline(credentials=Slow()))
    assert telemetry.spans == []


async def test_a_stream_of_unknown_length_has_no_size() -> None:
    async def chunks() -> Any:
        yield b"12345"

    telemetry = Telemetry()
    opened, _ = session(OK, hooks=telemetry.hooks)
    async with opened:
        await get(opened.pipeline(), method="POST", content=StreamedRequestBody([to_source(chunks(), "content")]))
    assert "http.request.body.size" not in telemetry.spans[0].attributes


async def test_a_window_that_is_not_stated_has_no_gauge() -> None:
    telemetry = Telemetry()
    opened, _ = session(response_with(200, X_RateLimit_Limit_1="5", X_RateLimit_Remaining_1="4"), hooks=telemetry.hooks)
    async with opened:
        await get(opened.pipeline())
    points = telemetry.points("stellantis_hal.quota.remaining")
    assert [(point.value, point.attributes["window"]) for point in points] == [(4, "day")]


async def test_a_wait_is_an_event_and_a_metric() -> None:
    telemetry = Telemetry()
    limiter = TokenBucketLimiter(RateLimits(1, None), clock=wall)
    opened, _ = session(OK, OK, hooks=telemetry.hooks, limiter=limiter)
    async with opened:
        await get(opened.pipeline())
        await get(opened.pipeline(priority="background"))
        with pytest.raises(BudgetExhaustedError):
            await get(opened.pipeline(max_wait=0.1))
    waited = [span for span in telemetry.spans if span.events]
    assert [event.name for event in waited[0].events] == ["limiter.wait"]
    assert waited[0].events[0].attributes["seconds"] == pytest.approx(1.0, abs=0.1)
    points = telemetry.points("stellantis_hal.limiter.wait")
    assert sum(point.sum for point in points) >= waited[0].events[0].attributes["seconds"]
    refused = [span for span in telemetry.spans if span.attributes.get("error.type") == "BudgetExhaustedError"]
    assert len(refused) == 1  # a call without an attempt is a span too


async def test_a_client_under_load_leaves_no_span_open() -> None:
    """A walk in the trace of its task: requests of the API, of the identity server, metrics of all."""
    telemetry = Telemetry()
    tracer = telemetry.tracers.get_tracer("program")
    simulator = Simulator(world(trips=130))
    async with client_of(simulator, hooks=telemetry.hooks) as client:
        with tracer.start_as_current_span("night run") as run:
            vehicle = await account_of(client, simulator).vehicles().first()
            assert vehicle is not None
            assert len(await vehicle.trips().collect()) == 130
    trace_ids = {span.context.trace_id for span in telemetry.spans}
    assert trace_ids == {run.get_span_context().trace_id}
    durations = telemetry.points("stellantis_hal.request.duration")
    assert sum(point.count for point in durations) == len([span for span in telemetry.spans if "attempt" in span.name])
    assert {point.attributes["window"] for point in telemetry.points("stellantis_hal.quota.remaining")} == {
        "day",
        "burst",
    }
    shown = str([span.to_json() for span in telemetry.spans])
    assert not [needle for car in simulator.world.vehicles for needle in (car.id, car.vin) if needle in shown]


async def test_other_hooks_are_called_too() -> None:
    heard: list[Any] = []
    telemetry = Telemetry(Hooks(on_response=heard.append, on_end=heard.append))
    opened, _ = session(OK, hooks=telemetry.hooks)
    async with opened:
        await get(opened.pipeline())
    assert [type(each).__name__ for each in heard] == ["ResponseRecord", "EndRecord"]


async def test_two_clients_with_the_same_hooks_have_spans_of_their_own() -> None:
    async def reply(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(1)
        return httpx.Response(200, content=b"{}")

    telemetry = Telemetry()
    one, _ = session(reply, reply, hooks=telemetry.hooks)
    other, _ = session(reply, reply, hooks=telemetry.hooks)
    async with one, other, anyio.create_task_group() as tasks:
        for opened, path in ((one, "/user"), (other, "/fleets"), (one, "/user/vehicles"), (other, "/other")):
            tasks.start_soon(get, opened.pipeline(), path)
    found = telemetry.tree()
    assert sorted(found) == ["GET /fleets", "GET /other", "GET /user", "GET /user/vehicles"]
    assert set(map(tuple, found.values())) == {("GET attempt 1",)}


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(
        ConfigurationError, match=r"opentelemetry is not installed: pip install 'stellantis-hal\[otel\]'"
    ):
        otel_hooks()


async def test_renewed_tokens_are_counted() -> None:
    from stellantis_hal import Brand, MemoryTokenStore, Token
    from tests.support.simulated import token_of

    telemetry = Telemetry()
    simulator = Simulator(world())
    async with client_of(simulator, hooks=telemetry.hooks) as client:
        store = MemoryTokenStore(Token("", token_of(simulator).refresh_token))
        await client.account(store, brand=Brand.PEUGEOT).user()
    assert [point.value for point in telemetry.points("stellantis_hal.token.renewals")] == [1]


@pytest.mark.parametrize(
    ("hooks", "options", "message"),
    [
        ([Hooks()], {}, r"hooks must be Hooks or None, not list: Hooks\(on_response=…\)"),
        (
            None,
            {"tracer_provider": TracerProvider().get_tracer("mine")},
            r"tracer_provider must be a provider with get_tracer\(\), not Tracer",
        ),
        (
            None,
            {"meter_provider": "x"},
            r"meter_provider must be a provider with get_meter\(\), not str",
        ),
    ],
    ids=["list", "tracer", "text"],
)
def test_what_is_no_hook_or_provider_is_refused(hooks: Any, options: Any, message: str) -> None:
    with pytest.raises(TypeError, match=f"^{message}$"):
        otel_hooks(hooks, **options)
