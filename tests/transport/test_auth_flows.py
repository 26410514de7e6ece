"""httpx's authentication flows."""

from collections.abc import Generator

import anyio
import httpx
import pytest

from stellantis_hal.errors import (
    AuthError,
    BudgetExhaustedError,
    NetworkError,
    UnauthorizedError,
    UntrustedOriginError,
)
from stellantis_hal.navigation.fetch_protocol import Request
from stellantis_hal.transport.hooks import Hooks, ResponseRecord, WaitRecord
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.retry import RetryPolicy
from tests.transport.doubles import API, OK, get, session, wall

pytestmark = pytest.mark.anyio


class Challenge(httpx.Auth):
    """Sends a password after a 401."""

    requires_response_body = True

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        response = yield request
        if response.status_code == 401 and response.text == "who?":
            request.headers["Authorization"] = "me"
            yield request


async def test_any_auth_flow_is_followed() -> None:
    opened, transport = session(httpx.Response(401, text="who?"), OK)
    async with opened:
        assert (await get(opened.pipeline(credentials=Challenge()))).status == 200
    assert [request.headers.get("authorization") for request in transport.requests] == [None, "me"]


async def test_basic_auth_is_attached() -> None:
    opened, transport = session(OK)
    async with opened:
        await get(opened.pipeline(credentials=httpx.BasicAuth("me", "secret")))
    assert transport.requests[0].headers["authorization"].startswith("Basic ")


async def test_auth_sends_the_requests_headers_and_body() -> None:
    opened, transport = session(OK)
    async with opened:
        await get(
            opened.pipeline(credentials=httpx.BasicAuth("me", "x")), method="PUT", content=b"{}", headers={"A": "b"}
        )
    (sent,) = transport.requests
    assert (sent.content, sent.headers["a"]) == (b"{}", "b")
    assert sent.headers["user-agent"].startswith("stellantis_hal/")


class Attentive(httpx.Auth):
    """Keeps what it is shown."""

    requires_request_body = True

    def __init__(self) -> None:
        self.seen: list[bytes | str] = []

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        response = yield request
        self.seen += [request.content, str(response.request.url)]


async def test_auth_sees_the_body_and_the_response() -> None:
    attentive = Attentive()
    opened, _ = session(OK)
    async with opened:
        await get(opened.pipeline(credentials=attentive), method="PUT", content=b"{}")
    assert attentive.seen == [b"{}", f"{API}/user"]


@pytest.mark.parametrize("credentials", [None, httpx.BasicAuth("me", "secret")], ids=["none", "basic"])
async def test_background_requests_leave_the_interactive_share(credentials: httpx.Auth | None) -> None:
    limiter = TokenBucketLimiter(RateLimits(2, None), interactive_share=0.5, clock=wall)
    opened, transport = session(OK, limiter=limiter)
    async with opened:
        pipeline = opened.pipeline(credentials=credentials, priority="background")
        await get(pipeline)
        await get(pipeline)
    assert transport.times[1] >= transport.times[0] + 1.0


async def test_an_error_under_auth_has_the_requested_url() -> None:
    opened, _ = session(httpx.ReadError("cut"))
    async with opened:
        with pytest.raises(NetworkError) as failure:
            await get(opened.pipeline(credentials=httpx.BasicAuth("me", "secret"), retry=RetryPolicy(attempts=1)))
    assert failure.value.url == f"{API}/user"


async def test_a_response_under_auth_is_recorded_with_its_duration() -> None:
    heard: list[ResponseRecord] = []
    opened, _ = session(OK, hooks=Hooks(on_response=heard.append))
    async with opened:
        await get(opened.pipeline(credentials=httpx.BasicAuth("me", "secret")))
    assert heard[0].seconds == pytest.approx(0.0, abs=0.1)


async def test_a_url_that_cannot_be_parsed_raises_under_any_auth() -> None:
    """With and without an authentication flow the error is a NetworkError with the URL."""
    opened, transport = session(OK)
    async with opened:
        for credentials in (None, httpx.BasicAuth("me", "secret")):
            url = "https://api.test/" + "x" * 70_000
            with pytest.raises(NetworkError, match="InvalidURL") as failure:
                await opened.pipeline(credentials=credentials)(Request(url=url))
            assert failure.value.url == url
    assert transport.requests == []


async def test_auth_that_fails_is_a_401() -> None:
    opened, _ = session(httpx.Response(401, text="who?"))
    async with opened:
        with pytest.raises(UnauthorizedError):
            await get(opened.pipeline(credentials=Challenge()))


@pytest.mark.parametrize(
    ("challenge", "reason"),
    [
        ("Digest nonsense", "ValueError"),
        ('Digest realm="r", nonce="n", algorithm=x', "KeyError"),
        ('Digest realm="r", nonce="n", qop="x"', "ProtocolError"),
    ],
)
async def test_a_challenge_that_auth_cannot_use_raises(challenge: str, reason: str) -> None:
    opened, _ = session(httpx.Response(401, headers={"www-authenticate": challenge}))
    async with opened:
        with pytest.raises(AuthError, match=rf"401 with a challenge that DigestAuth does not understand \({reason}\)"):
            await get(opened.pipeline(credentials=httpx.DigestAuth("me", "secret")))


async def test_auth_sees_headers_that_are_not_ascii() -> None:
    opened, _ = session(httpx.Response(200, headers=[(b"x-name", b"\xc3\xa9\xff")]))
    async with opened:
        response = await get(opened.pipeline(credentials=httpx.BasicAuth("me", "secret")))
    assert response.headers["x-name"] == "\xe9\udcff"  # UTF-8, and what is none kept as bytes, as by aiohttp


class Astray(httpx.Auth):
    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        yield httpx.Request("GET", "https://other.test/token")


async def test_auth_cannot_send_to_an_untrusted_origin() -> None:
    opened, transport = session(OK)
    async with opened:
        with pytest.raises(UntrustedOriginError):
            await get(opened.pipeline(credentials=Astray()))
    assert transport.requests == []


async def test_auth_requests_wait_for_the_limiter() -> None:
    waits: list[WaitRecord] = []
    limiter = TokenBucketLimiter(RateLimits(1, None), clock=wall)
    opened, transport = session(
        httpx.Response(401, text="who?"), OK, limiter=limiter, hooks=Hooks(on_wait=waits.append)
    )
    async with opened:
        pipeline = opened.pipeline(credentials=Challenge())
        await anyio.sleep(5)
        await get(pipeline)
        with pytest.raises(BudgetExhaustedError):
            await get(opened.pipeline(credentials=Challenge(), max_wait=0.1))
    assert transport.times[1] >= transport.times[0] + 1.0
    assert max(wait.seconds for wait in waits) == pytest.approx(1.0, abs=0.1)


class Listing(httpx.Auth):
    """Keeps a field that it is shown, entry by entry."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        response = yield request
        self.seen += response.headers.get_list("x-list")


async def test_only_challenges_are_split_for_auth() -> None:
    listing = Listing()
    opened, _ = session(httpx.Response(200, headers={"X-List": 'a, Digest realm="b"'}))
    async with opened:
        await get(opened.pipeline(credentials=listing))
    assert listing.seen == ['a, Digest realm="b"']


async def test_each_challenge_reaches_auth_separately() -> None:
    digest = b'Digest realm="a, b", nonce="abc", qop="auth", algorithm=MD5'
    refusal = httpx.Response(401, headers=[(b"WWW-Authenticate", b'Basic realm="a"'), (b"WWW-Authenticate", digest)])
    opened, transport = session(refusal, OK)
    async with opened:
        assert (await get(opened.pipeline(credentials=httpx.DigestAuth("me", "secret")))).status == 200
    assert transport.requests[1].headers["authorization"].startswith("Digest ")
