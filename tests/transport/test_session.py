"""Session: arguments, closing, pool size, quota."""

import re
from contextlib import nullcontext
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest

from stellantis_hal.errors import (
    BudgetExhaustedError,
    ClosedClientError,
    ForbiddenError,
    WrongLoopError,
)
from stellantis_hal.navigation.cache.memory import MemoryCache
from stellantis_hal.navigation.cache.partition import choose_partition
from stellantis_hal.navigation.fetch_protocol import Request
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport.base_client import to_timeouts
from stellantis_hal.transport.bounded_backend import Timeouts
from stellantis_hal.transport.conventions import ApiConventions
from stellantis_hal.transport.hooks import Hooks, RequestRecord
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota, ReportedWindow
from stellantis_hal.transport.retry import RetryPolicy
from stellantis_hal.transport.session import Session
from stellantis_hal.transport.tls import Tls
from tests.support.clocks import jumping
from tests.support.transports import ScriptedTransport
from tests.transport.doubles import API, OK, Badge, call, get, response_with, session, wall

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"transport": httpx.AsyncClient},
            "transport must be AsyncBaseTransport or None, not type: httpx.AsyncHTTPTransport(), or none",
        ),
        ({"retry": 3}, "retry must be RetryPolicy or None, not int: RetryPolicy(attempts=…)"),
        ({"tls": "cert.pem"}, "tls must be Tls or None, not str"),
        (
            {"limiter": RateLimits(10)},
            "limiter must be RateLimiter or None, not RateLimits: TokenBucketLimiter(RateLimits(…))",
        ),
        ({"conventions": "api"}, "conventions must be ApiConventions or None, not str"),
        ({"cache": {}}, "cache must be a CacheStore or None, not dict: MemoryCache(32_000_000)"),
        ({"connections": 1.5}, "connections must be a whole number, not float"),
        ({"max_body": None}, "max_body must be a whole number, not NoneType"),
        ({"max_redirects": True}, "max_redirects must be a whole number, not bool"),
        (
            {"host_session": 5},
            (
                "session must be an aiohttp.ClientSession or an httpx.AsyncClient, not int; a transport of httpx is "
                "passed as transport="
            ),
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_arguments_of_another_type_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        Session(Origins(API), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"connections": 0}, "connections must be at least 1, not 0"),
        ({"max_body": 0}, "max_body must be at least 1, not 0"),
        ({"max_redirects": -1}, "max_redirects must be at least 0, not -1"),
        ({"connections": 1, "max_body": 1, "max_redirects": 0}, None),
    ],
    ids=["connections", "max_body", "max_redirects", "least"],
)
def test_bounds_have_a_least_value(options: dict[str, Any], message: str | None) -> None:
    with nullcontext() if message is None else pytest.raises(ValueError, match=f"^{message}$"):
        Session(Origins(API), **options)


@pytest.mark.parametrize(
    ("option", "advice"),
    [
        (
            {"proxy": "http://proxy.test:3128"},
            {
                "transport": "the proxy to the transport, as in httpx.AsyncHTTPTransport(proxy=…)",
                "session": "the proxy to the session, as in aiohttp.ClientSession(proxy=…) or "
                "httpx.AsyncClient(proxy=…)",
            },
        ),
        (
            {"tls": Tls()},
            {
                "transport": "its context to the transport, as in "
                "httpx.AsyncHTTPTransport(verify=Tls(certificate=…).make_context())",
                "session": "its context to the session, as in "
                "aiohttp.TCPConnector(ssl=Tls(certificate=…).make_context()) or httpx.AsyncClient(verify=…)",
            },
        ),
    ],
    ids=["proxy", "tls"],
)
async def test_options_without_effect_are_refused(option: dict[str, Any], advice: dict[str, str]) -> None:
    (name,) = option
    brought: dict[str, Any]
    async with httpx.AsyncClient() as client:
        for own, brought in (
            ("transport", {"transport": ScriptedTransport(OK)}),
            ("session", {"host_session": client}),
        ):
            with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
                Session(Origins(API), **option, **brought)
            assert str(caught.value) == (
                f"{name}= has no effect on a {own} of your own: leave it out, and give {advice[own]}"
            )
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
            Session(Origins(API), transport=ScriptedTransport(OK), host_session=client)
        assert str(caught.value) == "session= and transport= both say how requests are sent: pass one of them"


def test_credentials_of_another_type_are_refused_and_not_shown() -> None:
    secret: Any = ("user", "secret")
    with pytest.raises(TypeError) as caught:
        Session(Origins(API)).pipeline(credentials=secret)
    assert str(caught.value) == (
        "credentials must be an httpx.Auth, or an object with the methods of Credentials, not tuple: "
        "Bearer(token), or Basic(user, password)"
    )


async def test_a_403_names_the_scopes_of_the_conventions() -> None:
    def scopes(url: str) -> tuple[str, ...]:
        return ("data:trip",)

    with pytest.raises(ForbiddenError) as failure:
        await call(httpx.Response(403), conventions=ApiConventions(scopes=scopes))
    assert failure.value.scopes == ("data:trip",)


async def test_the_quota_of_the_latest_responses_is_known() -> None:
    first = response_with(200, X_RateLimit_Limit_1="1000", X_RateLimit_Remaining_1="900")
    second = response_with(200, X_RateLimit_Limit_2="10", X_RateLimit_Remaining_2="9")
    opened, _ = session(first, second, OK)
    async with opened:
        assert opened.quota == ReportedQuota()
        for _ in range(3):
            await get(opened.pipeline())
        assert opened.quota == ReportedQuota(day=ReportedWindow(1000, 900), burst=ReportedWindow(10, 9))


async def test_an_unlimited_pipelines_quota_is_not_the_sessions() -> None:
    opened, _ = session(response_with(200, X_RateLimit_Limit_1="5", X_RateLimit_Remaining_1="4"))
    async with opened:
        await get(opened.pipeline(limited=False))
        assert opened.quota == ReportedQuota()


async def test_a_borrowed_transport_is_not_closed() -> None:
    opened, transport = session(OK)
    async with opened:
        await get(opened.pipeline())
    assert not transport.closed


async def test_a_closed_session_sends_nothing() -> None:
    opened, transport = session(OK)
    await opened.aclose()
    await opened.aclose()
    with pytest.raises(ClosedClientError, match="make a new one"):
        await get(opened.pipeline(retry=RetryPolicy(attempts=1)))
    assert transport.requests == []


async def test_the_session_does_not_save_the_limiter() -> None:
    """The state is saved when the limiter is left, by its owner."""
    saved: list[bytes] = []

    class Store:
        async def load(self) -> bytes | None:
            return None

        async def save(self, content: bytes) -> None:
            saved.append(content)

    async with TokenBucketLimiter(RateLimits(10, 100), store=Store(), clock=wall) as limiter:
        opened, _ = session(OK, limiter=limiter)
        async with opened:
            await get(opened.pipeline())
        assert saved == []
    assert len(saved) == 1
    assert opened.limiter is limiter


@pytest.mark.parametrize(
    ("limits", "connections"),
    [(None, 500), (RateLimits(None, 5), 100), (RateLimits(2, None), 120), (RateLimits(500, None), 500)],
)
async def test_the_pool_is_sized_with_the_limiter(limits: RateLimits | None, connections: int) -> None:
    opened, _ = session(OK, limiter=TokenBucketLimiter(limits, clock=wall))
    assert opened.connections == connections


async def test_a_closed_session_raises_at_once() -> None:
    opened = Session(Origins(API), clock=wall)
    await opened.aclose()
    start = anyio.current_time()
    with pytest.raises(ClosedClientError):
        await get(opened.pipeline())
    assert anyio.current_time() == pytest.approx(start, abs=0.01)


@pytest.mark.parametrize("anyio_backend", [jumping("asyncio")], ids=["asyncio"])
async def test_a_session_that_is_closed_may_be_closed_from_elsewhere() -> None:
    """One that is not is closed in the event loop that it is used in; trio's does not say whether it has ended."""
    opened, _ = session(OK)
    await get(opened.pipeline())
    with pytest.raises(WrongLoopError) as caught:
        await anyio.to_thread.run_sync(anyio.run, opened.aclose)
    assert str(caught.value) == (
        "nothing was sent: this client was used first in the event loop of another thread: make one in each thread, or "
        "call the functions of this one by anyio.from_thread.run()"
    )
    await opened.aclose()
    await anyio.to_thread.run_sync(anyio.run, opened.aclose)


async def test_a_limiter_of_another_thread_is_refused() -> None:
    limiter = TokenBucketLimiter(RateLimits(10))
    async with limiter.slot():
        pass

    async def use() -> None:
        async with limiter.slot():
            pytest.fail("the slot belongs to another event loop")

    with pytest.raises(WrongLoopError) as caught:
        await anyio.to_thread.run_sync(anyio.run, use)
    assert str(caught.value).startswith("nothing was sent: this limiter was used first in the event loop of another")


@pytest.mark.parametrize(
    ("timeout", "expected"),
    [
        (None, None),
        (5, Timeouts(read=5, connect=5)),
        (0.5, Timeouts(read=0.5, connect=0.5)),
        (10.0, Timeouts(read=10.0)),
        (1_000, Timeouts(read=1_000, total=1_000)),
        (Timeouts(read=3), Timeouts(read=3)),
    ],
)
def test_a_number_bounds_the_silence_of_the_server(timeout: float | Timeouts | None, expected: Timeouts | None) -> None:
    assert to_timeouts(timeout) == expected


@pytest.mark.parametrize("cache", [None, MemoryCache(1_000_000)], ids=["no cache", "cache"])
async def test_a_session_fetches_with_the_options_given(cache: MemoryCache | None) -> None:
    heard: list[RequestRecord] = []
    limiter = TokenBucketLimiter(RateLimits(1, None), clock=wall)
    opened, transport = session(OK, OK, hooks=Hooks(on_request=heard.append), cache=cache, limiter=limiter)
    async with opened:
        fetch = opened.fetch(credentials=Badge(), priority="background", max_wait=0.25, account="alice")
        await fetch(Request(url=f"{API}/user"))
        with pytest.raises(BudgetExhaustedError, match=r"0\.25 s are allowed"):
            await fetch(Request(url=f"{API}/other"))
    assert [(each.account, each.priority) for each in heard] == [("alice", "background")]
    assert transport.requests[0].headers["authorization"] == "Bearer token-1"


async def test_a_partition_without_a_cache_is_refused() -> None:
    opened, _ = session(OK)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        opened.fetch(partition="alice")
    assert str(caught.value) == "partition= names the account whose responses are cached: pass cache= too"


async def test_responses_are_cached_by_account_and_removed_with_it() -> None:
    fresh = httpx.Response(200, json={}, headers={"Cache-Control": "max-age=60"})
    opened, transport = session(fresh, fresh, fresh, cache=MemoryCache(1_000_000))
    async with opened:
        for _ in range(2):
            for partition in ("alice", "bob"):
                await opened.fetch(partition=partition)(Request(url=f"{API}/user"))
        assert len(transport.requests) == 2
        await opened.clear_cache(choose_partition(None, "alice", must_last=False))
        for partition in ("alice", "bob"):
            await opened.fetch(partition=partition)(Request(url=f"{API}/user"))
        assert len(transport.requests) == 3
