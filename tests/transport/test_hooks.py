"""Hooks."""

import logging
import re
from typing import Any

import anyio
import httpx
import pytest

from stellantis_hal.errors import BudgetExhaustedError, NotFoundError, ServerError
from stellantis_hal.navigation.fetch_protocol import Request
from stellantis_hal.navigation.streamed_request_bodies import StreamedRequestBody, to_source
from stellantis_hal.transport.hooks import (
    CallFailureRecord,
    CallReporter,
    EndRecord,
    Hooks,
    RequestRecord,
    ResponseRecord,
    RetryRecord,
    WaitRecord,
)
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota, ReportedWindow
from stellantis_hal.transport.retry import RetryPolicy
from tests.transport.doubles import API, OK, Badge, get, response_with, session, wall

pytestmark = pytest.mark.anyio


async def test_hooks_are_called_on_responses_retries_and_waits() -> None:
    heard: list[Any] = []
    hooks = Hooks(on_response=heard.append, on_retry=heard.append, on_wait=heard.append)
    limiter = TokenBucketLimiter(RateLimits(1, None), clock=wall)
    opened, _ = session(httpx.Response(503), OK, hooks=hooks, limiter=limiter)
    async with opened:
        await get(opened.pipeline(credentials=Badge()), "/user?secret=1")
    kinds = [type(record) for record in heard]
    assert kinds[:2] == [ResponseRecord, RetryRecord]
    assert kinds[-1] is ResponseRecord
    assert {record.request_id for record in heard} == {1}
    assert {record.url for record in heard} == {f"{API}/user?secret=***"}
    assert [record.attempt for record in heard if isinstance(record, ResponseRecord)] == [1, 2]


async def test_a_wait_is_recorded_with_its_duration() -> None:
    waits: list[WaitRecord] = []
    limiter = TokenBucketLimiter(RateLimits(1, None), clock=wall)
    opened, _ = session(OK, hooks=Hooks(on_wait=waits.append), limiter=limiter)
    async with opened:
        pipeline = opened.pipeline(priority="background")
        await get(pipeline)
        await get(pipeline)
    assert waits[-1].seconds == pytest.approx(1.0, abs=0.1)  # on a slow machine, waits of milliseconds come first
    assert (waits[-1].method, waits[-1].priority) == ("GET", "background")


async def test_a_response_is_recorded_with_its_figures() -> None:
    async def late(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(2)
        return response_with(202, X_RateLimit_Limit_1="5", X_RateLimit_Remaining_1="4")

    heard: list[ResponseRecord] = []
    opened, _ = session(late, hooks=Hooks(on_response=heard.append))
    async with opened:
        await get(opened.pipeline(), method="POST")
    assert [(each.method, each.status, each.quota) for each in heard] == [
        ("POST", 202, ReportedQuota(day=ReportedWindow(5, 4)))
    ]
    assert heard[0].seconds == pytest.approx(2.0, abs=0.1)


async def test_a_retry_is_recorded_with_its_figures() -> None:
    heard: list[RetryRecord] = []
    opened, transport = session(httpx.Response(503), OK, hooks=Hooks(on_retry=heard.append))
    async with opened:
        await get(opened.pipeline())
    assert [(each.method, each.attempt, type(each.error)) for each in heard] == [("GET", 1, ServerError)]
    assert heard[0].wait == pytest.approx(transport.times[1] - transport.times[0], abs=0.1)


def every(heard: list[Any]) -> Hooks:
    """Return hooks that all append to one list."""
    return Hooks(**{f"on_{name}": heard.append for name in ("request", "response", "retry", "wait", "failure")})


async def test_a_request_is_recorded_before_each_attempt() -> None:
    heard: list[Any] = []
    opened, _ = session(httpx.Response(503), httpx.Response(200, content=b'{"a":1}'), hooks=every(heard))
    async with opened:
        pipeline = opened.pipeline(priority="background", account="alice@example.test")
        await get(pipeline, "/user/vehicles/0123456789abcdef0123?x=1", method="PUT", content=b"12345")
    assert [(type(each).__name__, each.attempt) for each in heard] == [
        ("RequestRecord", 1),
        ("ResponseRecord", 1),
        ("RetryRecord", 1),
        ("RequestRecord", 2),
        ("ResponseRecord", 2),
    ]
    assert {(each.account, each.priority, each.method) for each in heard} == {
        ("alice@example.test", "background", "PUT")
    }
    assert {each.route for each in heard} == {"/user/vehicles/***"}
    assert [each.bytes for each in heard if hasattr(each, "bytes")] == [5, 0, 5, 7]
    assert "alice" not in repr(heard)


async def test_the_size_of_a_stream_may_be_unknown() -> None:
    async def chunks() -> Any:
        yield b"12345"

    heard: list[RequestRecord] = []
    opened, _ = session(OK, OK, hooks=Hooks(on_request=heard.append))
    async with opened:
        for part in (to_source(chunks(), "content"), b"12345"):
            await get(opened.pipeline(), method="POST", content=StreamedRequestBody([part]))
    assert [each.bytes for each in heard] == [None, 5]


async def test_a_redirect_is_recorded_as_a_request_of_its_own() -> None:
    heard: list[RequestRecord] = []
    there = httpx.Response(302, headers={"Location": f"{API}/there"})
    opened, _ = session(there, OK, hooks=Hooks(on_request=heard.append))
    async with opened:
        await get(opened.pipeline())
    assert [(each.url, each.attempt) for each in heard] == [(f"{API}/user", 1), (f"{API}/there", 1)]


async def test_a_failure_is_recorded_with_what_the_caller_gets(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[CallFailureRecord] = []
    opened, _ = session(*[httpx.Response(503)] * 2, hooks=Hooks(on_failure=heard.append), retry=RetryPolicy(attempts=2))
    async with opened:
        with caplog.at_level(logging.DEBUG, "stellantis_hal"), pytest.raises(ServerError) as failure:
            await get(opened.pipeline(account="alice"))
    (record,) = heard
    assert record.error is failure.value
    assert (record.attempt, record.waited, record.account) == (2, 0.0, "alice")
    assert record.seconds > 0
    assert "failed after 2 attempts" in caplog.text


async def test_a_refusal_of_the_limiter_is_a_failure() -> None:
    heard: list[CallFailureRecord] = []
    limiter = TokenBucketLimiter(RateLimits(1, None), clock=wall)
    opened, _ = session(OK, hooks=Hooks(on_failure=heard.append), limiter=limiter)
    async with opened:
        await get(opened.pipeline())
        with pytest.raises(BudgetExhaustedError):
            await get(opened.pipeline(max_wait=0.1))
    assert [type(each.error) for each in heard] == [BudgetExhaustedError]


async def test_a_download_that_fails_is_recorded() -> None:
    heard: list[CallFailureRecord] = []
    opened, _ = session(httpx.Response(404), hooks=Hooks(on_failure=heard.append))
    async with opened:
        with pytest.raises(NotFoundError):
            async with opened.pipeline().stream(Request(url=f"{API}/user"), limit=10):
                pytest.fail("the response is an error")
    assert [type(each.error) for each in heard] == [NotFoundError]


async def test_the_end_of_a_call_is_recorded_whatever_it_is() -> None:
    async def never(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(60)
        raise AssertionError

    heard: list[EndRecord] = []
    opened, _ = session(OK, httpx.Response(404), never, hooks=Hooks(on_end=heard.append))
    async with opened:
        pipeline = opened.pipeline()
        await get(pipeline)
        with pytest.raises(NotFoundError):
            await get(pipeline)
        with anyio.move_on_after(5):
            await get(pipeline)
    assert [each.outcome for each in heard] == ["response", "error", "cancelled"]
    assert heard[-1].seconds == pytest.approx(5.0, abs=0.1)


@pytest.mark.parametrize("name", ["on_request", "on_response", "on_retry", "on_wait", "on_failure", "on_end"])
async def test_a_hook_that_raises_changes_nothing(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """The first exception of a hook is logged with its traceback, the others are not."""

    def fail(record: object) -> None:
        raise RuntimeError("the metrics server is away")

    limiter = TokenBucketLimiter(RateLimits(1, None), clock=wall)
    opened, _ = session(
        httpx.Response(503),
        OK,
        OK,
        httpx.Response(404),
        httpx.Response(404),
        hooks=Hooks(**{name: fail}),
        limiter=limiter,
    )
    async with opened:
        pipeline = opened.pipeline()
        for _ in range(2):
            assert (await get(pipeline)).status == 200
        for _ in range(2):
            with pytest.raises(NotFoundError):
                await get(pipeline)
    logged = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.getMessage() for record in logged] == [
        f"the hook {name} raised; it is called again, and further exceptions of it are not logged"
    ]
    assert logged[0].exc_info is not None


async def test_log_records_have_the_fields_of_hooks(caplog: pytest.LogCaptureFixture) -> None:
    fields = {"X-RateLimit-Limit-1": "100", "X-RateLimit-Remaining-1": "93"}
    opened, _ = session(httpx.Response(503), httpx.Response(429), httpx.Response(200, headers=fields))
    with caplog.at_level(logging.DEBUG, "stellantis_hal"):
        async with opened:
            await get(opened.pipeline(account="alice@example.test"), "/user/vehicles/0123456789abcdef0123")
    records: list[Any] = [record for record in caplog.records if hasattr(record, "request_id")]
    assert {(each.request_id, each.method, each.route, each.priority) for each in records} == {
        (1, "GET", "/user/vehicles/***", "interactive")
    }
    assert not any("alice" in str(vars(each)) for each in records)
    responses = [each for each in records if hasattr(each, "status")]
    assert [(each.status, each.attempt) for each in responses] == [(503, 1), (429, 2), (200, 2)]
    assert (responses[-1].quota_day, responses[-1].quota_burst, responses[-1].bytes) == (93, None, 0)


ASYNC = r"it is called within the request, and not awaited\. Start a task in it, or hand the record to a queue"


class _AsyncCallable:
    async def __call__(self, record: Any) -> None:
        """Take a record."""


async def _async_hook(record: Any) -> None:
    """Take a record."""


@pytest.mark.parametrize("hook", [_async_hook, _AsyncCallable()])
def test_a_coroutine_function_is_no_hook(hook: Any) -> None:
    with pytest.raises(TypeError, match=f"^on_wait must be a plain function: {ASYNC}$"):
        Hooks(on_wait=hook)


@pytest.mark.parametrize("hook", [5, "print", object()])
def test_other_values_are_no_hooks(hook: Any) -> None:
    with pytest.raises(TypeError, match=f"^on_end must be a function, not {type(hook).__name__}$"):
        Hooks(on_end=hook)
    with pytest.raises(
        TypeError, match=rf"^hooks must be Hooks or None, not {type(hook).__name__}: Hooks\(on_response=…\)$"
    ):
        session(OK, hooks=hook)


async def test_a_returned_coroutine_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    def hook(record: Any) -> Any:
        return _async_hook(record)

    opened, _ = session(OK, hooks=Hooks(on_response=hook))
    async with opened:
        pipeline = opened.pipeline(credentials=Badge())
        await get(pipeline)
        await get(pipeline)
    (logged,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert logged.exc_info is not None
    assert re.fullmatch(f"on_response returned a coroutine: {ASYNC}", str(logged.exc_info[1]))


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
async def test_an_interruption_in_a_hook_holds_no_place(interruption: type[BaseException]) -> None:
    def interrupt(record: Any) -> None:
        if record.request_id == 1:
            raise interruption

    opened, _ = session(OK, hooks=Hooks(on_request=interrupt), connections=1)
    async with opened:
        pipeline = opened.pipeline(credentials=Badge())
        with pytest.raises(interruption):
            await get(pipeline)
        assert (await get(pipeline)).status == 200


def test_a_hook_takes_responses_where_the_log_takes_none(caplog: pytest.LogCaptureFixture) -> None:
    records: list[ResponseRecord] = []
    observer = CallReporter(Hooks(on_response=records.append), 7, "GET", None, "interactive")
    caplog.set_level(logging.WARNING, "stellantis_hal")
    observer.on_response("https://api.test/user", 200, 0.5, attempt=1, size=3, quota=None)
    assert [(record.request_id, record.status) for record in records] == [(7, 200)]
    assert caplog.records == []


CALL: dict[str, Any] = {
    "request_id": 7,
    "method": "PUT",
    "account": "alice@example.test",
    "priority": "background",
    "attempt": 3,
    "url": "https://api.test/user/vehicles/***?x=***",
    "route": "/user/vehicles/***",
}
SERVER_ERROR = ServerError("503", status=503)
QUOTA = ReportedQuota(day=ReportedWindow(100, 93), burst=ReportedWindow(10, 7))
PLACE = "#7 PUT https://api.test/user/vehicles/***?x=***: "


@pytest.mark.parametrize(
    ("event", "options", "kind", "message", "fields"),
    [
        ("request", {"size": 5}, RequestRecord, None, {"bytes": 5}),
        (
            "response",
            {"status": 202, "seconds": 0.25, "size": 9, "quota": QUOTA},
            ResponseRecord,
            PLACE + "202 in 0.250 s, attempt 3, quota left 93 today, 7 this second",
            {"status": 202, "seconds": 0.25, "bytes": 9, "quota_day": 93, "quota_burst": 7},
        ),
        (
            "retry",
            {"error": SERVER_ERROR, "wait": 1.5},
            RetryRecord,
            PLACE + "attempt 3 failed (ServerError), next in 1.50 s",
            {"error": "ServerError", "wait": 1.5},
        ),
        ("pause", {"seconds": 2.5}, None, "#7 429: all requests pause for 2.50 s", {"seconds": 2.5}),
        ("wait", {"seconds": 2.5}, WaitRecord, None, {"seconds": 2.5}),
        (
            "failure",
            {"error": SERVER_ERROR, "seconds": 4.5, "waited": 1.25},
            CallFailureRecord,
            PLACE + "failed after 3 attempts and 4.50 s, 1.25 s of them waiting for the limiter (ServerError)",
            {"error": "ServerError", "seconds": 4.5, "waited": 1.25},
        ),
        ("end", {"outcome": "error", "seconds": 4.5, "waited": 1.25}, EndRecord, None, {}),
    ],
    ids=["request", "response", "retry", "pause", "wait", "failure", "end"],
)
def test_what_is_reported_is_logged_and_given_to_its_hook(
    event: str,
    options: dict[str, Any],
    kind: Any,
    message: str | None,
    fields: dict[str, Any],
    *,
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[Any] = []
    name = f"on_{event}"
    hooks = Hooks() if kind is None else Hooks(**{name: heard.append})
    reporter = CallReporter(hooks, 7, "PUT", CALL["account"], CALL["priority"])
    first = (heard.append,) if event == "request" else ()
    with caplog.at_level(logging.DEBUG, "stellantis_hal"):
        getattr(reporter, name)(
            *first, url="https://api.test/user/vehicles/0123456789abcdef0123?x=1", attempt=3, **options
        )
    renamed = {("bytes" if key == "size" else key): value for key, value in options.items()}
    assert heard == ([] if kind is None else [kind(**CALL, **renamed)])
    assert [record.getMessage() for record in caplog.records] == ([] if message is None else [message])
    logged = {**CALL, "account": "'***'", **fields}
    assert [{key: vars(record)[key] for key in logged} for record in caplog.records] == [logged] * len(caplog.records)


def test_the_first_exception_of_each_hook_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def fail(record: object) -> None:
        raise RuntimeError("the metrics server is away")

    reporter = CallReporter(Hooks(on_wait=fail, on_end=fail), 7, "GET", None, "interactive")
    for _ in range(2):
        reporter.on_wait("https://api.test/", 1.0, attempt=1)
        reporter.on_end("https://api.test/", "response", seconds=1.0, waited=0.0, attempt=1)
    assert [record.getMessage().partition(" raised")[0] for record in caplog.records] == [
        "the hook on_wait",
        "the hook on_end",
    ]
