"""Calls of sessions whose outcomes stand in ``session_outcomes.txt``: what is sent, granted, reported, logged.

``python -m tests.support.outcomes tests.transport.session_cases`` renews that file.
"""
# Parameters of the lambdas are of any type.
# pyright: reportUnknownLambdaType=false

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import anyio
import attrs
import httpx

from stellantis_hal.__version__ import __version__
from stellantis_hal.errors import (
    AuthError,
    BudgetExhaustedError,
    LimiterSlotExpiredError,
    NetworkError,
    ServerError,
    StellantisError,
)
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.navigation.cache.memory import MemoryCache
from stellantis_hal.navigation.fetch_protocol import Request, Response
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.navigation.streamed_request_bodies import StreamedRequestBody, to_source
from stellantis_hal.transport import base_client
from stellantis_hal.transport.bounded_backend import BoundedBackend, Timeouts
from stellantis_hal.transport.conventions import ApiConventions
from stellantis_hal.transport.hooks import Hooks
from stellantis_hal.transport.pipeline import PipelineContext, PipelineOptions
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota
from stellantis_hal.transport.retry import RetryPolicy
from stellantis_hal.transport.session import Session
from stellantis_hal.transport.tls import Tls
from tests.support.clocks import jumping
from tests.support.outcomes import Case, described
from tests.support.transports import ScriptedTransport
from tests.transport.doubles import API, CONVENTIONS, OK, Badge, call_with_retries, redirect_to, wall

__all__ = ["BACKEND", "CASES", "FILE"]

FILE: Final = Path(__file__).with_name("session_outcomes.txt")
BACKEND: Final = jumping("asyncio")
CASES: Final[dict[str, Case]] = {}
PLAIN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message"}
COMMON: Final = frozenset({"request_id", "method", "url", "route", "account", "priority"})
OWN: Final = ("accept", "accept-encoding", "user-agent")
OTHER: Final = "https://other.test"

_value: Any  # names of loops below
_name: Any


def _add(name: str, case: Case) -> None:
    assert name not in CASES, name
    CASES[name] = case


class _Events(logging.Handler):
    """Appends what happens, with the seconds since the start, to a list of a case."""

    def __init__(self, events: list[Any]) -> None:
        super().__init__()
        self._events = events
        self._last: dict[str, Any] = {}
        self.start = anyio.current_time()

    def note(self, what: str, *parts: Any) -> None:
        seconds = round(anyio.current_time() - self.start, 6)
        self._events.append(_Event(f"{seconds:g} {what} {' '.join(described(part) for part in parts)}"))

    def note_new(self, what: str, value: Any) -> None:
        """Note what is not as it was noted last."""
        if value != self._last.get(what):
            self._last[what] = value
            self.note(what, value)

    def emit(self, record: logging.LogRecord) -> None:
        extra = {name: value for name, value in vars(record).items() if name not in PLAIN}
        self._note_fields(f"{record.levelname.lower()} {record.getMessage()!r}", "log fields", extra)

    def hook(self, name: str) -> Callable[[Any], None]:
        return lambda record: self._note_fields(
            f"{name} {type(record).__name__}",
            "hook fields",
            {field.name: getattr(record, field.name) for field in attrs.fields(type(record))},
        )

    def _note_fields(self, what: str, kind: str, fields: Mapping[str, Any]) -> None:
        self.note_new(kind, {name: value for name, value in fields.items() if name in COMMON})
        self.note(what, {name: value for name, value in fields.items() if name not in COMMON})


class _Event(str):
    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


HOOKS: Final = ("on_request", "on_response", "on_retry", "on_wait", "on_failure", "on_end")


class _Limiter:
    """A limiter that grants by a list of waits, and notes what it is asked and told."""

    limits = RateLimits(None, None)
    statistics: Any = None

    def __init__(self, events: _Events, waits: Sequence[float] = (), *, stale: int = 0, pauses: bool = True) -> None:
        self._events = events
        self._waits = [*waits]
        self._stale = stale
        self._pauses = pauses
        self._paused_until = 0.0

    @asynccontextmanager
    async def slot(self, *, priority: str = "missing", max_wait: float = -1.0) -> AsyncGenerator["_Limiter"]:
        self._events.note("slot", priority, round(max_wait, 6))
        wait = self._waits.pop(0) if self._waits else 0.0
        wait = max(wait, self._paused_until - anyio.current_time())
        if wait > max_wait:
            raise BudgetExhaustedError("not in time", retry_after=wait)
        if wait > 0:
            await anyio.sleep(wait)
        try:
            yield self
        finally:
            self._events.note("left")

    def sent(self) -> None:
        if self._stale > 0:
            self._stale -= 1
            raise LimiterSlotExpiredError("stale")
        self._events.note("sent")

    def answered(self, quota: Any = None) -> None:
        self._events.note("answered", quota)

    def pause(self, seconds: float, reason: str = "missing") -> None:
        self._events.note("pause", round(seconds, 6), reason)
        if self._pauses:
            self._paused_until = anyio.current_time() + seconds


class _Transport(ScriptedTransport):
    """Notes requests as they are sent."""

    def __init__(self, events: _Events, acts: Sequence[Any]) -> None:
        super().__init__(*acts)
        self._events = events

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        fields = {name.decode(): value.decode() for name, value in request.headers.raw if name.lower() != b"host"}
        fields["user-agent"] = fields.get("user-agent", "").replace(__version__, "VERSION")
        self._events.note_new("own fields", {name: fields.pop(name, None) for name in OWN})
        self._events.note(f"> {request.method} {request.url.raw_path.decode()} to {request.url.host}", fields)
        self._events.note_new("extensions", request.extensions)
        if request.method not in {"GET", "HEAD"}:
            self._events.note("body", await request.aread())
        return await super().handle_async_request(request)

    async def aclose(self) -> None:
        self._events.note("transport closed")


class _Random:
    """Draws the highest number, and notes what it is asked."""

    def __init__(self, events: _Events) -> None:
        self._events = events

    def uniform(self, low: float, high: float) -> float:
        self._events.note("random", round(low, 6), round(high, 6))
        return high


@contextmanager
def _watched(requests: list[Any]) -> Generator[_Events]:
    """Note all log records, and draw no random numbers."""
    events = _Events(requests)
    logger = logging.getLogger("stellantis_hal")
    level, others, propagates = logger.level, logger.handlers, logger.propagate
    logger.handlers, logger.propagate = [events], False
    logger.setLevel(logging.DEBUG)
    numbers = _Random(events)
    try:
        with (
            patch("stellantis_hal.transport.pipeline._random", numbers),
            patch("tenacity.wait.random", numbers),
        ):
            yield events
    finally:
        logger.handlers, logger.propagate = others, propagates
        logger.setLevel(level)


Ask = Any
"""A function of the calls of a case, which are defined below; mypy infers no lambda with defaults."""


class _Calls:
    """A session over a scripted transport, and the calls of a case."""

    def __init__(self, events: _Events, opened: Session, transport: _Transport) -> None:
        self.events = events
        self.session = opened
        self.transport = transport

    async def told(self, awaitable: Any) -> None:
        """Note the outcome of a call."""
        try:
            self.events.note("=", await awaitable)
        except Exception as error:  # noqa: BLE001 - told, whatever it is
            self.events.note("!", error, list(getattr(error, "__notes__", ())))

    async def get(self, path: str = "/user?x=1", /, *, pipe: Mapping[str, Any] | None = None, **fields: Any) -> None:
        """Send one request by a pipeline with some options."""
        url = path if "://" in path else f"{API}{path}"
        await self.told(self.session.pipeline(**(pipe or {}))(Request(url=url, **fields)))

    async def stream(
        self, path: str = "/user", /, *, pipe: Mapping[str, Any] | None = None, limit: int = 100, **options: Any
    ) -> None:
        """Read a response piece by piece."""
        url = path if "://" in path else f"{API}{path}"

        async def read() -> list[Any]:
            async with self.session.pipeline(**(pipe or {})).stream(Request(url=url), limit=limit, **options) as found:
                parts = [found.url, found.status, dict(found.headers), found.received_at]
                return [*parts, [chunk async for chunk in found.chunks]]

        await self.told(read())


def _story(
    name: str,
    acts: Sequence[Any],
    ask: Ask = None,
    *,
    waits: Sequence[float] | None = (),
    stale: int = 0,
    pauses: bool = True,
    hooks: Sequence[str] = HOOKS,
    trusted: Sequence[str] = (API,),
    **options: Any,
) -> None:
    """Add a case: calls of a session over a script; without ``waits`` the session has its own limiter."""

    async def case(requests: list[Any]) -> None:
        with _watched(requests) as events:
            transport = _Transport(events, acts)
            limiter: Any = None if waits is None else _Limiter(events, waits, stale=stale, pauses=pauses)
            heard = Hooks(**{hook: events.hook(hook) for hook in hooks})
            given: dict[str, Any] = {"conventions": CONVENTIONS, **options}
            opened = Session(Origins(*trusted), transport=transport, clock=wall, hooks=heard, limiter=limiter, **given)
            calls = _Calls(events, opened, transport)
            async with opened:
                await (calls.get() if ask is None else ask(calls))
            if opened.quota != ReportedQuota():
                events.note("quota", opened.quota)

    _add(name, case)


def _reply(status: int = 200, content: bytes = b"{}", /, **fields: str) -> httpx.Response:
    headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
    return httpx.Response(status, content=content, headers=headers)


async def _hang(request: httpx.Request) -> httpx.Response:
    await anyio.sleep(10_000)
    raise AssertionError


def _late(seconds: float, status: int = 200, /, **fields: str) -> Any:
    async def act(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(seconds)
        return _reply(status, **fields)

    return act


QUOTA: Final = {
    "X_RateLimit_Limit_1": "100",
    "X_RateLimit_Remaining_1": "93",
    "X_RateLimit_Limit_2": "10",
    "X_RateLimit_Remaining_2": "7",
}
ONCE: Final = RetryPolicy(attempts=1)

# ------------------------------------------------------------------------------------------- requests and responses

_story("plain GET", [_reply(200, b'{"a":1}', ETag='"7"', **QUOTA)])
_story("plain GET without a log", [OK], hooks=())
_story("GET by a limiter of the session", [OK], waits=None)
for _name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
    _story(
        f"{_name} with all fields",
        [_late(2.5, 202)],
        lambda calls, method=_name: calls.get(
            "/user/vehicles/0123456789abcdef0123?x=1",
            pipe={
                "credentials": Badge(),
                "priority": "background",
                "max_wait": 7.5,
                "account": "alice@example.test",
            },
            method=method,
            headers={"ACCEPT": "a/b", "X-One": "1", "accept-encoding": "br"},
            content=b"12345" if method.startswith("P") else None,
            on_sending=lambda: calls.events.note("on_sending"),
        ),
        waits=[1.5],
    )


class _OfHeaders(Badge):
    """Credentials whose fields are of the library's own kind."""

    async def headers(self) -> Mapping[str, str]:
        return Headers({"Authorization": "Bearer of-headers", "X-Realm": "r"})


class _NoQuery(Badge):
    def __init__(self) -> None:
        super().__init__("")


for _value in (_OfHeaders(), _NoQuery(), Badge("client_id=app&realm=r"), httpx.BasicAuth("me", "secret"), None):
    _story(
        f"GET with credentials {type(_value).__name__}{'' if _value is None else len(getattr(_value, 'query', ''))}",
        [OK],
        lambda calls, credentials=_value: calls.get(
            "/user?x=1&client_id=mine#part", pipe={"credentials": credentials}, headers={"AUTHORIZATION": "own"}
        ),
    )


def _pieces(*, again: bool = False) -> Any:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"c"

    return StreamedRequestBody([to_source(pieces(), "content")]) if not again else StreamedRequestBody([b"abc"])


for _value in (True, False):
    for _name, _acts in (
        ("accepted", [OK]),
        ("failed", [_reply(503), OK]),
        ("redirected", [redirect_to("/b", 307), OK]),
        ("refused", [_reply(429, Retry_After="2"), OK]),
        ("unauthorized", [_reply(401), OK]),
    ):
        _story(
            f"body read {'again' if _value else 'once'}, {_name}",
            _acts,
            lambda calls, again=_value: calls.get(
                pipe={"credentials": Badge(renewals=1)}, method="PUT", content=_pieces(again=again), repeatable=True
            ),
        )


async def _failing() -> AsyncIterator[bytes]:
    yield b"ab"
    raise OSError(5, "Input/output error")


_story(
    "body that cannot be read",
    [OK],
    lambda calls: calls.get(
        method="POST", content=StreamedRequestBody([to_source(_failing(), "content")]), repeatable=True
    ),
)
_story("large body", [_reply(200, b"x" * 11)], max_body=10, retry=ONCE)
_story("body of the bound", [_reply(200, b"x" * 10)], max_body=10)
_story("odd coding", [lambda _: httpx.Response(200, headers={"Content-Encoding": "BR"}, stream=httpx.ByteStream(b"?"))])
_story("late", [_hang], timeouts=Timeouts(total=2.5), retry=ONCE)
_story("bytes of any kind", [httpx.Response(200, headers=[(b"X-Odd", b"\xe9"), (b"A", b"1"), (b"a", b"2")])])
_story("timeouts of a session", [OK], timeouts=Timeouts(connect=1, read=2, write=3, pool=4, total=5))

# ------------------------------------------------------------------------------------------- retries

DOWN: Final = ("503", "ReadError", "ConnectError", "408", "404", "ValueError", "409", "501")


def _failure(name: str) -> Any:
    makers: dict[str, Any] = {
        "ReadError": httpx.ReadError("reset"),
        "ConnectError": httpx.ConnectError("refused"),
        "ValueError": ValueError("a line break"),
    }
    return makers.get(name) or _reply(int(name), b'{"message": "down"}')


for _name in DOWN:
    for _value in ("GET", "POST"):
        for _again in (None, True, False):
            _story(
                f"{_value} after {_name}, repeatable {_again}",
                [_failure(_name), OK],
                lambda calls, method=_value, again=_again: calls.get(method=method, repeatable=again),
                retry=RetryPolicy(attempts=2, initial=1),
            )
_story("many failures", [_failure("503")])
_story("many failures, few attempts", [_failure("503")], retry=RetryPolicy(attempts=3, initial=2, longest=3))
_story("many failures, short time", [_late(3, 503)], retry=RetryPolicy(attempts=9, initial=4, longest=4, total=14))
_story("many failures, time exactly", [_late(3, 503)], retry=RetryPolicy(attempts=9, initial=4, longest=4, total=7))
_story(
    "failures and waits, short time",
    [_late(3, 503)],
    waits=[5, 5, 5],
    retry=RetryPolicy(attempts=9, initial=4, longest=4, total=14),
)
_story("failure that says when", [_reply(503, Retry_After="20"), OK])
_story("failure that says soon", [_reply(503, Retry_After="0.1"), OK], retry=RetryPolicy(initial=2))


async def _within(calls: _Calls, seconds: float) -> None:
    with anyio.move_on_after(seconds) as scope:
        await calls.get()
    calls.events.note("cancelled", scope.cancelled_caught)


_story("failures within a deadline", [_late(1, 503)], lambda calls: _within(calls, 10), retry=RetryPolicy(initial=3))
_story("cancelled", [_hang], lambda calls: _within(calls, 10))
_story("cancelled while it waits", [OK], lambda calls: _within(calls, 10), waits=[20])


def _raise(error: BaseException) -> Any:
    def act(request: httpx.Request) -> httpx.Response:
        raise error

    return act


_story("bug of a transport", [_raise(TypeError("bug")), OK])


async def _retried(requests: list[Any], **options: Any) -> Any:
    sleep = anyio.sleep

    async def noted(seconds: float) -> None:
        events.note("sleep", seconds)
        await sleep(seconds)

    with _watched(requests) as events, patch("anyio.sleep", noted):
        errors = [NetworkError("cut", sent=True), ServerError("down", status=503, is_transient=True), StopIteration()]

        async def attempt() -> str:
            events.note("attempt")
            await sleep(1)
            error = errors.pop(0)
            if isinstance(error, StellantisError):
                raise error
            return "done"

        return await call_with_retries(
            attempt,
            RetryPolicy(initial=2),
            on_retry=lambda error, wait, number: events.note("retry", error, wait, number),
            **options,
        )


_add("call with retries", lambda requests: _retried(requests, repeatable=True))
_add("call with retries, not repeatable", lambda requests: _retried(requests, repeatable=False))
_add("call with retries, now", lambda requests: _retried(requests, repeatable=True, started=1_000.0))
_add("call with retries, spent", lambda requests: _retried(requests, repeatable=True, is_spent=lambda: True))
_add("call with retries, late", lambda requests: _retried(requests, repeatable=True, started=824.0))
_add("call with retries, waited", lambda requests: _retried(requests, repeatable=True, started=824.0, waited=lambda: 9))
_add(
    "call with retries, other clock",
    lambda requests: _retried(requests, repeatable=True, now=lambda: 5_000.0, started=4_824.0),
)

# ------------------------------------------------------------------------------------------- refusals

for _value in (None, "0", "0.05", "0.1", "5", "20", "100", "soon"):
    _story(
        f"429 for {_value}",
        [_reply(429) if _value is None else _reply(429, Retry_After=_value), OK],
        lambda calls: calls.get(pipe={"max_wait": 60.0}),
    )
_story(
    "429 that says no wait again and again",
    [*[_reply(429, Retry_After="0", **QUOTA)] * 9, OK],
    lambda calls: calls.get(pipe={"max_wait": 100.0}),
)
for _value in (5.0, 5.1, 5.2, 5.3, 5.4, 4.9, 0.0):
    _story(
        f"429 within {_value} s of waiting",
        [_reply(429, Retry_After="5"), OK],
        lambda calls, most=_value: calls.get(pipe={"max_wait": most}),
    )
    _story(
        f"429 within a deadline of {_value} s",
        [_reply(429, Retry_After="5"), OK],
        lambda calls, seconds=_value: _within(calls, seconds),
    )
_story(
    "429 for 0.3 within 0.2 s of waiting",
    [_reply(429, Retry_After="0.3")],
    lambda calls: calls.get(pipe={"max_wait": 0.2}),
)
_story("429 and a limiter that does not pause", [_reply(429, Retry_After="5"), OK], pauses=False)
_story("429 twice and a limiter that does not pause", [_reply(429, Retry_After="5")], pauses=False)
_story("429, then an error, then a refusal", [_reply(429), _reply(503), OK], waits=[0, 0.2, 99])
_story("429 twice, then a refusal", [_reply(429, Retry_After="3")], waits=[0, 3.5, 99])
_story("refusal of the limiter", [OK], waits=[99])
_story(
    "429 of an unlimited pipeline",
    [_reply(429, Retry_After="2", **QUOTA), _reply(**QUOTA)],
    lambda calls: calls.get(pipe={"limited": False, "max_wait": 9.0}),
)


class _Vague(_Limiter):
    """Refuses without a time."""

    @asynccontextmanager
    async def slot(self, *, priority: str = "missing", max_wait: float = -1.0) -> AsyncGenerator[_Limiter]:
        if self._paused_until:
            raise BudgetExhaustedError("not now")
        yield self


async def _vaguely(requests: list[Any]) -> None:
    with _watched(requests) as events:
        limiter: Any = _Vague(events)
        acts = [_reply(429, Retry_After="5")]
        opened = Session(Origins(API), transport=_Transport(events, acts), clock=wall, limiter=limiter)
        await _Calls(events, opened, _Transport(events, acts)).get()


_add("429 and a refusal without a time", _vaguely)
for _value in (1, 9, 10, 11):
    _story(f"stale slots {_value}", [OK], stale=_value)
_story("waits", [redirect_to("/b"), _reply(503), OK], waits=[0.0005, 0.001, 2.0], hooks=["on_wait", "on_end"])
_story("waits of all attempts", [_reply(503)], lambda calls: calls.get(pipe={"max_wait": 5.0}), waits=[2, 2, 2, 2])


async def _exactly(calls: _Calls) -> None:
    with patch("stellantis_hal.transport.pipeline._SHORTEST_WAIT", 0.5):
        await calls.get()


for _value in (0.25, 0.5):
    _story(f"wait of {_value} s where 0.5 s count", [OK], _exactly, waits=[_value], hooks=["on_wait"])


async def _with_options(calls: _Calls) -> None:
    pipeline = calls.session.pipeline(max_wait=0.5, priority="interactive", account="a")
    options: Any
    for options in ({}, {"priority": "background"}, {"max_wait": 2.5}, {"priority": "interactive", "max_wait": 0.0}):
        await calls.told(pipeline.with_options(**options)(Request(url=f"{API}/user")))


_story("other options", [OK], _with_options)

# ------------------------------------------------------------------------------------------- credentials


class _Expiring(Badge):
    """Credentials that expire during some waits."""

    def __init__(self, expired: int) -> None:
        super().__init__()
        self.expired = expired

    async def headers(self) -> Mapping[str, str]:
        self.serial += 1
        return await super().headers()

    def current_headers(self) -> Mapping[str, str] | None:
        if self.expired > 0:
            self.expired -= 1
            return None
        return {"Authorization": f"Bearer current-{self.serial}"}


for _value in range(6):
    _story(
        f"credentials that expire {_value} times",
        [OK],
        lambda calls, expired=_value: calls.get(pipe={"credentials": _Expiring(expired)}),
        waits=[1.0],
    )


class _Watched(Badge):
    """Credentials that note what they are told."""

    def __init__(self, calls: _Calls, *, renewals: int = 0, fails: int = 0) -> None:
        super().__init__(renewals=renewals)
        self.calls = calls
        self.fails = fails

    async def refused(self, response: Response, sent: Mapping[str, str], /) -> bool:
        self.calls.events.note("refused", response.status, sent)
        if self.fails > 0:
            self.fails -= 1
            raise NetworkError("the identity server is away", sent=False)
        return await super().refused(response, sent)


for _value in (0, 1, 2):
    for _name in (0, 1):
        _story(
            f"401 with {_value} renewals, of which {_name} fail",
            [_reply(401, b'{"message": "expired"}')] * 2 + [OK],
            lambda calls, renewals=_value, fails=_name: calls.get(
                pipe={"credentials": _Watched(calls, renewals=renewals, fails=fails)}
            ),
        )
_story(
    "401, 503, 401",
    [_reply(401), _reply(503), _reply(401)],
    lambda calls: calls.get(pipe={"credentials": Badge(renewals=9)}),
)
_story(
    "secrets in an error",
    [_reply(400, b'{"message": "token-1 of me is no word-1"}')],
    lambda calls: calls.get(pipe={"credentials": Badge()}, headers={"Cookie": "word-1"}),
)
_story(
    "secrets of a form in an error",
    [_reply(400, b'{"message": "no secret1 here"}')],
    lambda calls: calls.get(
        method="POST",
        content=b"token=secret1",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    ),
)


class _Flow(httpx.Auth):
    """Asks so many times, with a field of its own, each time by another path."""

    def __init__(self, *paths: str, body: bool = False) -> None:
        self.paths = paths
        self.requires_request_body = body

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        response = yield request
        for path in self.paths:
            fields = {**request.headers, "X-Seen": f"{response.status_code} {response.headers.get('x-odd')}"}
            response = yield httpx.Request(request.method, f"{path}", headers=fields, content=request.content)


class _Digest(httpx.DigestAuth):
    def _get_client_nonce(self, nonce_count: int, nonce: bytes) -> bytes:
        return b"nonce"


CHALLENGE: Final = 'Basic realm="b", Digest realm="r", nonce="n", qop="auth", algorithm=MD5'
FLOWS: Final[dict[str, Callable[[], httpx.Auth]]] = {
    "once": _Flow,
    "thrice": lambda: _Flow(f"{API}/b", f"{API}/c?d"),
    "elsewhere": lambda: _Flow(f"{OTHER}/b"),
    "digest": lambda: _Digest("me", "secret"),
    "whole body": lambda: _Flow(body=True),
}
for _name, _value in FLOWS.items():
    for _acts in (
        [OK],
        [_reply(401, WWW_Authenticate=CHALLENGE, X_Odd="é"), OK],
        [_reply(401, WWW_Authenticate="Digest x")],
    ):
        _story(
            f"flow {_name}, {_acts[0].status_code} {len(_acts)} {len(_acts[0].headers)}",
            _acts,
            lambda calls, make=_value: calls.get(
                pipe={"credentials": make()}, method="PUT", content=b"abc", headers={"X-Own": "1"}
            ),
        )
    for _again in (True, False):
        _story(
            f"flow {_name} of a stream, {_again}",
            [_reply(401, WWW_Authenticate=CHALLENGE), OK],
            lambda calls, make=_value, again=_again: calls.get(
                pipe={"credentials": make()}, method="POST", content=_pieces(again=again)
            ),
        )
_story(
    "flow of a body that cannot be read",
    [OK],
    lambda calls: calls.get(
        pipe={"credentials": _Flow(body=True)},
        method="POST",
        content=StreamedRequestBody([to_source(_failing(), "content")]),
    ),
)
_story("flow of an odd URL", [OK], lambda calls: calls.get("/a\x00b", pipe={"credentials": _Flow()}))
_story(
    "flow of redirects",
    [redirect_to("/b"), _reply(503), OK],
    lambda calls: calls.get(pipe={"credentials": httpx.BasicAuth("me", "secret")}),
)

# ------------------------------------------------------------------------------------------- redirects

for _value in (301, 302, 303, 307, 308, 300, 304):
    for _name in ("GET", "HEAD", "POST"):
        _story(
            f"redirect {_value} of {_name}",
            [redirect_to("../v2/b?c=1&client_id=app#part", _value), redirect_to("d", _value), OK],
            lambda calls, method=_name: calls.get(
                "/v1/a", pipe={"credentials": Badge()}, method=method, headers={"X-One": "1"}
            ),
            hooks=["on_request", "on_end"],
        )
for _value in (f"{OTHER}/a?x=1", "http://api.test/a", "//api.test/b", "caf\u00e9", "", "#only", "ftp://api.test/"):
    _story(
        f"redirect to {_value!a}",
        [
            redirect_to(_value) if _value.isascii() else httpx.Response(302, headers=[(b"Location", _value.encode())]),
            OK,
        ],
    )
for _value in (0, 1, 2):
    _story(f"redirects {_value} at most", [redirect_to("/b?x=1"), redirect_to("/c"), OK], max_redirects=_value)
_story("redirect to a status with a location", [redirect_to("/b"), _reply(201, Location="/c"), OK])
_story("redirect to a trusted origin", [redirect_to(f"{OTHER}/a"), _reply(**QUOTA)], trusted=[API, OTHER])

# ------------------------------------------------------------------------------------------- downloads

GZIPPED: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\x01\x03\x00\xfc\xffabc\xc2A$5\x03\x00\x00\x00"
for _value in (True, False):
    for _name in (f"{API}/a", f"{OTHER}/a"):
        for _acts in (
            [_reply(200, b"abc", **QUOTA)],
            [_reply(200, GZIPPED, Content_Encoding="gzip"), OK],
            [redirect_to(f"{OTHER}/b"), _reply(200, b"", **QUOTA)],
            [redirect_to(f"{API}/b"), _reply(**QUOTA)],
            [_reply(404, b'{"message": "gone"}', **QUOTA)],
            [_reply(503), OK],
            [_reply(429, Retry_After="2", **QUOTA), OK],
        ):
            _story(
                f"download of {_name}, {'' if _value else 'no '}credentials, {_acts[0].status_code} {len(_acts)} "
                f"{_acts[0].headers.get('location')}",
                _acts,
                lambda calls, url=_name, credentials=_value: calls.stream(
                    url, pipe={"credentials": Badge(), "priority": "background"}, credentials=credentials
                ),
            )
_story("download that is no success", [_reply(300, b'{"message": "odd"}')], lambda calls: calls.stream())
_story("download that is larger", [_reply(200, b"abc")], lambda calls: calls.stream("/a?b=1", limit=2))
_story("download of the bound", [_reply(200, b"abc")], lambda calls: calls.stream(limit=3))
_story(
    "download by a flow",
    [_reply(200, b"a"), _reply(200, b"b")],
    lambda calls: calls.stream(pipe={"credentials": _Flow(f"{API}/c")}),
)
_story("download that is late", [_hang], lambda calls: calls.stream(), timeouts=Timeouts(total=2.5), retry=ONCE)


class _Silent(httpx.AsyncByteStream):
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"a"
        await anyio.sleep(self.seconds)
        yield b"b"


for _value in (1.5, 2.5, 2.6):
    _story(
        f"download that is silent for {_value} s",
        [lambda _, seconds=_value: httpx.Response(200, stream=_Silent(seconds))],
        lambda calls: calls.stream("/a?b=1"),
        timeouts=Timeouts(read=2.5, total=2),
    )


class _Nested(httpx.AsyncByteStream):
    """A generator over a generator, which notes when it is closed."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self.note = note

    async def inner(self) -> AsyncIterator[bytes]:
        try:
            yield b"a"
            await anyio.sleep(99)
            yield b"b"
        finally:
            self.note("inner closed")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self.inner():
            yield chunk


async def _left(calls: _Calls) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=_Nested(calls.events.note))

    calls.transport.acts[:] = [respond]
    async with calls.session.pipeline().stream(Request(url=f"{API}/a"), limit=9) as response:
        calls.events.note("chunk", await anext(response.chunks))
    calls.events.note("left early")


_story("download that is left", [OK], _left)


async def _held(calls: _Calls) -> None:
    """Ask while a download holds the only connection, and twice at once after it."""
    async with calls.session.pipeline().stream(Request(url=f"{API}/a"), limit=9) as response:
        await calls.get("/b")
        calls.events.note("chunk", await anext(response.chunks))
    async with anyio.create_task_group() as group:
        for path in ("/c", "/d"):
            group.start_soon(calls.get, path)


async def _held_elsewhere(calls: _Calls) -> None:
    """Download from another host by an unlimited pipeline while a download holds the only connection of the others."""
    async with calls.session.pipeline().stream(Request(url=f"{API}/a"), limit=9):
        await calls.stream(f"{OTHER}/b", pipe={"limited": False}, credentials=False)


_story(
    "download beside one that holds its connection",
    [_reply(200, b"a"), _reply(200, b"b")],
    _held_elsewhere,
    connections=1,
    retry=ONCE,
    timeouts=Timeouts(pool=0.5),
)
_story(
    "download that holds its connection",
    [_reply(200, b"a"), _late(2)],
    _held,
    connections=1,
    retry=ONCE,
    timeouts=Timeouts(pool=0.5),
)

# ------------------------------------------------------------------------------------------- the queue of connections


async def _crowd(calls: _Calls, **pipe: Any) -> None:
    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(partial(calls.get, f"/{number}?x=1", pipe=pipe))
            await anyio.sleep(0.1)
        group.start_soon(partial(calls.get, "/of-its-own", pipe={"limited": False}))


_story("crowd", [_late(3)], _crowd, connections=1, retry=ONCE, timeouts=Timeouts(pool=10))
_story("crowd that is late", [_late(3)], _crowd, connections=2, retry=ONCE, timeouts=Timeouts(pool=0.5))
_story("crowd of an unlimited pipeline", [_late(3)], lambda calls: _crowd(calls, limited=False), connections=1)


async def _after_the_end(calls: _Calls) -> None:
    await calls.session.aclose()
    await calls.get()
    await calls.told(calls.session.__aenter__())
    await calls.stream()


_story("closed", [OK], _after_the_end)

# ------------------------------------------------------------------------------------------- options of a session


def _kept(value: Any) -> str:
    """Return what an option is, without addresses."""
    name = getattr(value, "__qualname__", None)
    if name is not None:
        return str(name)
    if isinstance(value, str | int | float | bool | None | dict | tuple | list) or attrs.has(type(value)):
        return described(value)
    return type(value).__name__


class _Made:
    """Notes the options of what a session makes."""

    def __init__(self, events: list[Any], kind: str, connections: Any = None) -> None:
        self._events = events
        self._kind = kind

    def __call__(self, *args: Any, **options: Any) -> Any:
        shown = {name: _kept(value) for name, value in options.items()}
        text = f"{self._kind} {[_kept(value) for value in args]} {shown}"
        self._events.append(_Event(text.replace(__version__, "VERSION")))
        return self.real(*args, **options)

    real: Any = staticmethod(lambda *args, **options: None)


def _note_pipeline(requests: list[Any], opened: Session, pipeline: Any) -> None:
    """Note whose limiter and connections a pipeline uses, and whom it trusts."""
    parts = [
        pipeline.limiter is opened.limiter,
        pipeline._context.queue is None,
        pipeline._context.record_quota.__name__,
    ]
    trusted = [pipeline._options.origins.trusts(url) for url in (API, OTHER, "https://id.test/b")]
    requests.append(_Event(f"pipeline {parts} {trusted} {pipeline.limiter.limits}"))


def _options(requests: list[Any], *, fetch: Mapping[str, Any] | None = None, **options: Any) -> None:
    made = _Made(requests, "backend")
    made.real = BoundedBackend
    context = _Made(requests, "context")
    context.real = PipelineContext
    chosen = _Made(requests, "options")
    chosen.real = PipelineOptions
    with (
        patch("stellantis_hal.transport.session.BoundedBackend", made),
        patch("stellantis_hal.transport.session.PipelineContext", context),
        patch("stellantis_hal.transport.session.PipelineOptions", chosen),
        patch.dict("os.environ", {"HTTPS_PROXY": "http://p.test:1"}, clear=True),
    ):
        opened = Session(Origins(API), **options)
        fields: Any
        for fields in (
            {},
            {
                "credentials": Badge(),
                "priority": "background",
                "max_wait": 7.5,
                "origins": Origins(OTHER),
                "retry": RetryPolicy(attempts=7),
                "make_error": lambda request, response: None,
                "account": "alice",
            },
            {"limited": False, "credentials": httpx.BasicAuth("me", "secret")},
        ):
            _note_pipeline(requests, opened, opened.pipeline(**fields))
        opened.fetch(**(fetch or {}))
        _note_pipeline(requests, opened, base_client.identity_fetch(opened, ("https://id.test/a",), 12.5))
        requests.append(_Event(f"connections {opened.connections} limiter {type(opened.limiter).__name__}"))


class _Client(ScriptedTransport):
    pass


for _name, _value in {
    "default": {},
    "all": {
        "timeouts": Timeouts(read=3),
        "tls": Tls(authorities="ca.pem"),
        "proxy": "http://q.test:2",
        "connections": 7,
        "max_body": 99,
        "max_redirects": 3,
        "retry": RetryPolicy(attempts=2),
        "conventions": CONVENTIONS,
        "hooks": Hooks(on_end=print),
        "clock": wall,
        "fetch": {"credentials": Badge(), "priority": "background", "max_wait": 1.5, "account": "bob"},
    },
    "transport": {"transport": _Client(OK)},
    "no proxy": {"proxy": False},
    "cache": {"cache": MemoryCache(100_000), "fetch": {"partition": "alice", "account": "bob"}},
}.items():
    _add(f"options {_name}", partial(_options, **_value))


async def _with_stack(requests: list[Any]) -> None:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient())
        _options(requests, host_session=client)


_add("options session", _with_stack)


class _Renewed(AuthError):
    pass


_story(
    "credentials that are away",
    [OK],
    lambda calls: calls.get(pipe={"credentials": _Away()}),
)


class _Away(Badge):
    async def headers(self) -> Mapping[str, str]:
        raise _Renewed("no token")


_story(
    "own errors",
    [_reply(418), OK],
    lambda calls: calls.get(
        pipe={
            "make_error": lambda request, response: (
                ServerError(f"{request.method} {response.status}", status=599, is_transient=True)
                if response.status == 418
                else None
            )
        }
    ),
)
_story(
    "scopes of a 403",
    [_reply(403)],
    conventions=ApiConventions(scopes=lambda url: ("data:trip",) if url.endswith("?x=1") else ()),
)
