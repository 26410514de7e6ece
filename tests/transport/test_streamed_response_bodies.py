"""Bodies that are read piece by piece: bounds, credentials, redirects, failures, closing."""

import gzip
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from stellantis_hal.errors import (
    BodyTooLargeError,
    NetworkError,
    NotFoundError,
    RateLimitedError,
    UnauthorizedError,
    UntrustedOriginError,
)
from stellantis_hal.navigation.fetch_protocol import Request, StreamingFetch
from stellantis_hal.transport.bounded_backend import Timeouts
from stellantis_hal.transport.decoding import BodyDecoder, BodyTooLarge
from stellantis_hal.transport.pipeline import RequestPipeline
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.retry import RetryPolicy
from tests.transport.doubles import API, Badge, redirect_to, response_with, session

pytestmark = pytest.mark.anyio
FOREIGN = "https://pictures.test/3d/front.png"


class Body(httpx.AsyncByteStream):
    """A body in chunks, which may end with an error or hang, and records that it was closed."""

    def __init__(self, *chunks: bytes, error: BaseException | None = None, hangs: bool = False) -> None:
        self.chunks = chunks
        self.error = error
        self.hangs = hangs
        self.read = 0
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            self.read += 1
            yield chunk
        if self.hangs:
            await anyio.sleep(10_000)
        if self.error is not None:
            raise self.error

    async def aclose(self) -> None:
        self.closed = True


def sent(body: Body, status: int = 200, /, **headers: str) -> Callable[[httpx.Request], httpx.Response]:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(status, headers=fields, stream=body)


async def read(pipeline: RequestPipeline, url: str = f"{API}/a", limit: int = 1_000, **options: Any) -> list[bytes]:
    async with pipeline.stream(Request(url=url), limit=limit, **options) as response:
        return [chunk async for chunk in response.chunks]


async def test_a_body_comes_in_chunks() -> None:
    body = Body(b"ab", b"", b"c")
    opened, _ = session(sent(body, x_one="1"))
    async with opened:
        pipeline = opened.pipeline()
        assert isinstance(pipeline, StreamingFetch)
        async with pipeline.stream(Request(url=f"{API}/a"), limit=3) as response:
            assert (response.status, response.url, response.headers["x-one"]) == (200, f"{API}/a", "1")
            assert body.read == 0
            assert await anext(response.chunks) == b"ab"
            assert (body.read, body.closed) == (1, False)
            assert [chunk async for chunk in response.chunks] == [b"c"]
            assert body.closed
            assert [chunk async for chunk in response.chunks] == []


@pytest.mark.parametrize("status", [200, 203, 204])
async def test_an_empty_body_has_no_chunks(status: int) -> None:
    opened, _ = session(sent(Body(), status))
    async with opened:
        assert await read(opened.pipeline()) == []


def deflated(content: bytes) -> bytes:
    return zlib.compress(content)


@pytest.mark.parametrize(("coding", "compress"), [("gzip", gzip.compress), ("deflate", deflated), ("identity", bytes)])
async def test_the_bound_is_on_decompressed_bytes(coding: str, compress: Callable[[bytes], bytes]) -> None:
    content = b"x" * 300_000
    compressed = compress(content)
    for limit in (300_000, 299_999):
        body = Body(compressed[:50], compressed[50:])
        opened, _ = session(sent(body, content_encoding=coding))
        async with opened:
            if limit == len(content):
                pieces = await read(opened.pipeline(), limit=limit)
                assert b"".join(pieces) == content
                assert coding == "identity" or max(map(len, pieces)) <= 64 * 1024
            else:
                with pytest.raises(BodyTooLargeError) as caught:
                    await read(opened.pipeline(), limit=limit)
                assert str(caught.value) == (
                    f"{caught.value.url}: the body is larger than the 299999 bytes allowed; raise limit= if that much "
                    "is expected"
                )
                assert (caught.value.url, caught.value.sent, caught.value.is_transient) == (f"{API}/a", True, False)
                assert body.closed


def test_a_body_that_decompresses_to_nothing_is_bounded() -> None:
    decoder = BodyDecoder("gzip", limit=10)
    nothing = gzip.compress(b"") * 100
    with pytest.raises(BodyTooLarge):
        list(decoder.feed(nothing))


@pytest.mark.parametrize(
    ("body", "headers", "message"),
    [
        (Body(b"a", error=httpx.ReadError("reset")), {}, r": the response broke off \(ReadError: reset\)$"),
        (Body(gzip.compress(b"abc")[:-4]), {"content_encoding": "gzip"}, "truncated"),
        (Body(b"nonsense"), {"content_encoding": "gzip"}, "incorrect header"),
        (Body(b"a"), {"content_encoding": "br"}, "content coding 'br'"),
        (Body(b"a", hangs=True), {}, "a: "),
    ],
)
async def test_a_broken_body_is_a_network_error(body: Body, headers: dict[str, str], message: str) -> None:
    """It is not tried again once its headers have arrived."""
    opened, transport = session(sent(body, **headers), retry=RetryPolicy(attempts=3))
    async with opened:
        with pytest.raises(NetworkError, match=message):
            await read(opened.pipeline())
    assert body.closed
    assert len(transport.requests) == 1


async def test_failures_before_the_headers_are_tried_again() -> None:
    opened, transport = session(httpx.ConnectError("no"), response_with(503), sent(Body(b"a")))
    async with opened:
        assert await read(opened.pipeline()) == [b"a"]
    assert len(transport.requests) == 3


async def test_a_slow_body_is_not_bounded_in_all() -> None:
    """Only silence is: the caller reads at its own pace, within its own deadline."""

    async def drip() -> AsyncIterator[bytes]:
        for _ in range(10):
            await anyio.sleep(50)
            yield b"x"

    class Plain:
        """An asynchronous iterator that cannot be closed."""

        def __init__(self) -> None:
            self._drops = drip()

        def __aiter__(self) -> AsyncIterator[bytes]:
            return self

        async def __anext__(self) -> bytes:
            return await anext(self._drops)

    class Dripping(httpx.AsyncByteStream):
        def __aiter__(self) -> AsyncIterator[bytes]:
            return Plain()

    opened, _ = session(lambda _: httpx.Response(200, stream=Dripping()), timeouts=Timeouts(read=65, total=180))
    async with opened:
        assert len(await read(opened.pipeline())) == 10


async def test_a_body_that_does_not_close_is_left_after_a_while() -> None:
    class Stuck:
        def __aiter__(self) -> AsyncIterator[bytes]:
            return self

        async def __anext__(self) -> bytes:
            await anyio.lowlevel.checkpoint()
            return b"a"

        async def aclose(self) -> None:
            await anyio.sleep(10_000)

    class Stream(httpx.AsyncByteStream):
        def __aiter__(self) -> AsyncIterator[bytes]:
            return Stuck()

    opened, _ = session(lambda _: httpx.Response(200, stream=Stream()))
    async with opened:
        start = anyio.current_time()
        async with opened.pipeline().stream(Request(url=f"{API}/a"), limit=9) as response:
            assert await anext(response.chunks) == b"a"
        assert anyio.current_time() - start == pytest.approx(5.0, abs=1.0)


async def test_a_cancelled_read_waits_until_the_body_is_closed() -> None:
    """Its own clean-up may wait, too."""
    closed: list[bool] = []

    class Slow:
        def __aiter__(self) -> AsyncIterator[bytes]:
            return self

        async def __anext__(self) -> bytes:
            await anyio.sleep(10_000)
            return b"a"

        async def aclose(self) -> None:
            await anyio.sleep(1)
            closed.append(True)

    class Stream(httpx.AsyncByteStream):
        def __aiter__(self) -> AsyncIterator[bytes]:
            return Slow()

    opened, _ = session(lambda _: httpx.Response(200, stream=Stream()))
    async with opened:
        with anyio.move_on_after(3) as scope:
            await read(opened.pipeline())
    assert (closed, scope.cancelled_caught) == ([True], True)


@pytest.mark.parametrize("status", [404, 401])
async def test_an_error_is_read_and_raised(status: int) -> None:
    body = Body(b'{"message":"gone"}')
    opened, _ = session(sent(body, status))
    async with opened:
        with pytest.raises(NotFoundError if status == 404 else UnauthorizedError):
            await read(opened.pipeline())
    assert body.closed


async def test_leaving_early_closes_the_body_and_frees_its_place() -> None:
    bodies = [Body(b"a", b"b") for _ in range(3)]
    opened, _ = session(*map(sent, bodies), connections=1)
    async with opened:
        pipeline = opened.pipeline()
        for body in bodies[:2]:
            async with pipeline.stream(Request(url=f"{API}/a"), limit=9) as response:
                assert await anext(response.chunks) == b"a"
            assert body.closed
        with pytest.raises(RuntimeError, match="of the caller"):
            async with pipeline.stream(Request(url=f"{API}/a"), limit=9):
                raise RuntimeError("of the caller")
        assert bodies[2].closed


@pytest.mark.parametrize("moment", ["headers", "body"])
async def test_cancellation_closes_the_body(moment: str) -> None:
    body = Body(b"a", hangs=True)

    async def slow(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(5 if moment == "headers" else 0)
        return httpx.Response(200, stream=body)

    opened, _ = session(slow, sent(Body(b"next")), connections=1)
    async with opened:
        with anyio.move_on_after(1):
            await read(opened.pipeline())
        assert body.closed == (moment == "body")
        assert await read(opened.pipeline()) == [b"next"]


async def test_a_download_uses_a_slot_and_answers_it_at_the_headers() -> None:
    async with TokenBucketLimiter(RateLimits(10, 100)) as limiter:
        opened, _ = session(sent(Body(b"a")), limiter=limiter)
        async with opened, opened.pipeline().stream(Request(url=f"{API}/a"), limit=9):
            assert (limiter.statistics.granted, limiter.statistics.in_flight) == (1, 0)


# ------------------------------------------------------------------------------------------------- credentials


async def test_credentials_are_sent_to_trusted_origins_only() -> None:
    opened, transport = session(sent(Body(b"a")))
    async with opened:
        pipeline = opened.pipeline(credentials=Badge())
        await read(pipeline)
        assert transport.requests[0].headers["authorization"] == "Bearer token-1"
        assert transport.requests[0].url.query == b"client_id=app"
        with pytest.raises(UntrustedOriginError):
            await read(pipeline, FOREIGN)
    assert len(transport.requests) == 1


@pytest.mark.parametrize("url", [FOREIGN, f"{API}/a"])
@pytest.mark.parametrize("credentials", [Badge(), httpx.BasicAuth("user", "secret")])
async def test_without_credentials_nothing_identifies_the_caller(url: str, credentials: Any) -> None:
    """Not on trusted origins either."""
    opened, transport = session(sent(Body(b"a")))
    async with opened:
        assert await read(opened.pipeline(credentials=credentials), url, credentials=False) == [b"a"]
    (request,) = transport.requests
    assert set(request.headers) <= {"host", "accept", "accept-encoding", "user-agent"}
    assert str(request.url) == url


async def test_a_flow_of_authentication_may_ask_again() -> None:
    """The body of the first response is closed."""

    class Twice(httpx.Auth):
        def auth_flow(self, request: httpx.Request) -> Any:
            yield request
            yield request

    first, second = Body(b"a"), Body(b"b")
    opened, _ = session(sent(first), sent(second))
    async with opened:
        assert await read(opened.pipeline(credentials=Twice())) == [b"b"]
    assert first.closed
    assert second.closed


async def test_a_renewed_token_is_tried() -> None:
    opened, transport = session(response_with(401), sent(Body(b"a")))
    async with opened:
        assert await read(opened.pipeline(credentials=Badge(renewals=1))) == [b"a"]
    assert transport.requests[1].headers["authorization"] == "Bearer token-2"


@pytest.mark.parametrize(
    ("start", "target", "is_followed"),
    [
        (f"{API}/a", FOREIGN, True),
        (FOREIGN, "https://cdn.test/x", True),
        (FOREIGN, "http://cdn.test/x", False),
        (FOREIGN, "https://a@cdn.test/x", False),
        (FOREIGN, "ftp://cdn.test/x", False),
        (FOREIGN, "https://localhost/x", False),
        (FOREIGN, "https://a.localhost./x", False),
        (FOREIGN, "https://127.0.0.1/x", False),
        (FOREIGN, "https://169.254.169.254/latest", False),
        (FOREIGN, "https://[::1]/x", False),
        (FOREIGN, "https://2130706433/x", False),
        (FOREIGN, "https://93.184.216.34/x", True),
        ("http://127.0.0.1:8000/a", "http://127.0.0.1:9000/b", True),
    ],
)
async def test_each_hop_without_credentials_is_judged(start: str, target: str, is_followed: bool) -> None:
    opened, transport = session(redirect_to(target), sent(Body(b"a")))
    async with opened:
        pipeline = opened.pipeline(credentials=Badge())
        if is_followed:
            assert await read(pipeline, start, credentials=False) == [b"a"]
        else:
            with pytest.raises(UntrustedOriginError):
                await read(pipeline, start, credentials=False)
    assert len(transport.requests) == 1 + is_followed
    assert all("authorization" not in request.headers for request in transport.requests)


@pytest.mark.parametrize("url", ["ftp://a.test/", "/relative", "https://user@a.test/", "javascript:x", "https://a b/"])
async def test_other_urls_are_refused_without_credentials_too(url: str) -> None:
    opened, transport = session(sent(Body(b"a")))
    async with opened:
        with pytest.raises(UntrustedOriginError):
            await read(opened.pipeline(), url, credentials=False)
    assert transport.requests == []


async def test_a_redirect_with_credentials_stays_trusted() -> None:
    opened, transport = session(redirect_to(FOREIGN), sent(Body(b"a")))
    async with opened:
        with pytest.raises(UntrustedOriginError):
            await read(opened.pipeline(credentials=Badge()))
    assert len(transport.requests) == 1


async def test_a_foreign_hosts_limits_are_not_the_apis() -> None:
    """Neither its quota headers nor its 429 count."""
    quota = {"X_RateLimit_Remaining_1": "0", "X_RateLimit_Limit_1": "1"}
    async with TokenBucketLimiter(RateLimits(10, 100)) as limiter:
        opened, _ = session(sent(Body(b"a"), **quota), response_with(429, Retry_After="50"), limiter=limiter)
        async with opened:
            pipeline = opened.pipeline()
            await read(pipeline, FOREIGN, credentials=False)
            assert opened.quota.day.remaining is None
            assert limiter.statistics.granted == 1
            with pytest.raises(RateLimitedError):
                await read(pipeline, FOREIGN, credentials=False)
            assert limiter.statistics.pauses == 0


async def test_a_429_of_the_api_is_waited_for() -> None:
    opened, _ = session(response_with(429, Retry_After="5"), sent(Body(b"a"), X_RateLimit_Remaining_1="7"))
    async with opened:
        assert await read(opened.pipeline(), credentials=False) == [b"a"]
        assert opened.quota.day.remaining == 7
