"""Responses, error statuses, bodies, closing."""

import logging
from datetime import timedelta
from typing import Any

import anyio
import httpx
import pytest

from stellantis_hal.errors import (
    ApiError,
    BodyTooLargeError,
    ClosedClientError,
    ConfigurationError,
    NetworkError,
    NotFoundError,
    RateLimitedError,
    StellantisError,
    TooManyRedirectsError,
)
from stellantis_hal.navigation.fetch_protocol import Request, Response
from stellantis_hal.transport.bounded_backend import Timeouts
from stellantis_hal.transport.retry import RetryPolicy
from tests.transport.doubles import API, OK, WatchedBody, call, get, redirect_to, response_with, session, wall

pytestmark = pytest.mark.anyio


async def test_a_response_is_a_value() -> None:
    response = await call(httpx.Response(200, json={"a": 1}, headers={"ETag": '"7"'}))
    assert (response.status, response.content, response.headers["etag"]) == (200, b'{"a":1}', '"7"')
    assert response.url == f"{API}/user"
    assert abs((wall() - response.received_at).total_seconds()) < 1


async def test_a_request_has_default_headers_unless_overridden() -> None:
    opened, transport = session(OK)
    async with opened:
        await get(opened.pipeline())
        await get(opened.pipeline(), headers={"ACCEPT": "application/vnd.geo+json"})
    first, second = (request.headers for request in transport.requests)
    assert first["accept"].startswith("application/hal+json")
    assert second.get_list("accept") == ["application/vnd.geo+json"]
    assert first["user-agent"].startswith("stellantis_hal/")


async def test_a_body_is_sent_unchanged() -> None:
    opened, transport = session(httpx.Response(202))
    async with opened:
        response = await get(opened.pipeline(), method="POST", content=b'{"a":1}', headers={"Content-Type": "x/y"})
    assert response.status == 202
    assert transport.requests[0].content == b'{"a":1}'
    assert transport.requests[0].headers["content-type"] == "x/y"


@pytest.mark.parametrize(
    ("content_range", "is_refused"),
    [
        ("bytes 0-6/7", False),
        ("bytes 0-6/700", True),
        ("Bytes 7-13/14", True),
        ("items 0-24/319", False),
        (None, False),
    ],
)
async def test_a_part_is_not_taken_for_the_whole(content_range: str | None, *, is_refused: bool) -> None:
    """An object may end where the part does."""
    headers = {} if content_range is None else {"Content-Range": content_range}
    part = httpx.Response(206, json={"a": 1}, headers=headers)
    if is_refused:
        with pytest.raises(NetworkError, match=r"with a part of the body \([Bb]ytes .*although the whole") as caught:
            await call(part)
        assert (caught.value.sent, caught.value.is_transient) == (True, False)
    else:
        assert (await call(part)).content == b'{"a":1}'


async def test_a_part_that_was_asked_for_is_returned() -> None:
    opened, _ = session(httpx.Response(206, content=b"abc", headers={"Content-Range": "bytes 0-2/100"}))
    async with opened:
        assert (await get(opened.pipeline(), headers={"Range": "bytes=0-2"})).content == b"abc"


async def test_an_error_status_raises() -> None:
    with pytest.raises(NotFoundError):
        await call(httpx.Response(404, json={"code": 40400}))


@pytest.mark.parametrize("status", [199, 300])
async def test_a_status_just_beside_2xx_raises(status: int) -> None:
    with pytest.raises(ApiError):
        await call(httpx.Response(status))


async def test_retry_after_dates_are_relative_to_the_sessions_clock() -> None:
    date = (wall() + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    with pytest.raises(ApiError) as failure:
        await call(response_with(404, Retry_After=date))
    assert failure.value.retry_after == pytest.approx(90, abs=2)


async def test_a_304_to_a_conditional_request_is_returned() -> None:
    opened, _ = session(httpx.Response(304))
    async with opened:
        assert (await get(opened.pipeline(), headers={"If-None-Match": '"1"'})).status == 304


async def test_a_body_beyond_the_limit_raises() -> None:
    with pytest.raises(BodyTooLargeError):
        await call(httpx.Response(200, content=b"x" * 11), max_body=10)


async def test_a_body_beyond_the_limit_raises_with_url_and_sent() -> None:
    """The error has the requested URL, and says that the request was sent and is not transient."""
    with pytest.raises(BodyTooLargeError, match="10 bytes") as failure:
        await call(httpx.Response(200, content=b"x" * 11), max_body=10)
    assert (failure.value.url, failure.value.sent, failure.value.is_transient) == (f"{API}/user", True, False)


async def test_an_unrequested_coding_raises() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        stream = httpx.ByteStream(b"?")
        return httpx.Response(200, headers={"Content-Encoding": "br"}, stream=stream)

    with pytest.raises(NetworkError, match="br") as failure:
        await call(respond, retry=RetryPolicy(attempts=1))
    assert (failure.value.url, failure.value.sent, failure.value.is_transient) == (f"{API}/user", True, False)


@pytest.mark.parametrize(("max_body", "detail"), [(1_000, "Rate Limit exceeded"), (5, None)])
async def test_an_error_keeps_its_status_whatever_its_body(max_body: int, detail: str | None) -> None:
    """A gateway states the coding of the response that it replaced; a 429 was an outage by that."""
    content = b'{"httpCode":"429","httpMessage":"Too Many Requests","moreInformation":"Rate Limit exceeded"}'

    def respond(request: httpx.Request) -> httpx.Response:
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json", "Retry-After": "77"}
        return httpx.Response(429, headers=headers, stream=httpx.ByteStream(content))

    with pytest.raises(RateLimitedError) as failure:
        await call(respond, retry=RetryPolicy(attempts=1), max_body=max_body)
    assert failure.value.retry_after == pytest.approx(77)
    assert (detail or "answered 429") in str(failure.value)


async def test_a_pipeline_may_make_its_own_errors() -> None:
    def make_error(request: Request, response: Response) -> StellantisError | None:
        return ConfigurationError("odd") if response.status == 200 else None

    opened, _ = session(OK)
    async with opened:
        with pytest.raises(ConfigurationError, match="odd"):
            await get(opened.pipeline(make_error=make_error))


async def test_a_truncated_response_raises() -> None:
    with pytest.raises(NetworkError, match="broke off"):
        await call(
            lambda request: httpx.Response(200, stream=WatchedBody(httpx.ReadError("cut"))),
            retry=RetryPolicy(attempts=1),
        )


async def test_a_discarded_response_is_closed() -> None:
    body = WatchedBody(httpx.ReadError("cut"))
    opened, _ = session(lambda request: httpx.Response(200, stream=body), OK)
    async with opened:
        await get(opened.pipeline())
    assert body.closed


class Unclosable(WatchedBody):
    async def aclose(self) -> None:
        raise self.closing

    closing: Exception = httpx.CloseError("no")


async def test_an_error_while_closing_does_not_hide_the_first(caplog: pytest.LogCaptureFixture) -> None:
    opened, _ = session(lambda request: httpx.Response(200, stream=Unclosable(httpx.ReadError("cut"))))
    with caplog.at_level(logging.DEBUG, "stellantis_hal"):
        async with opened:
            with pytest.raises(NetworkError, match="cut"):
                await get(opened.pipeline(retry=RetryPolicy(attempts=1)))
    closing = [record.getMessage() for record in caplog.records if "closing" in record.getMessage()]
    assert closing == ["closing a response failed: CloseError"]


class Unending(WatchedBody):
    async def aclose(self) -> None:
        await anyio.sleep(1000)


async def test_closing_a_response_is_bounded() -> None:
    """A response that takes forever to close is abandoned after some seconds."""
    opened, _ = session(lambda request: httpx.Response(200, stream=Unending(httpx.ReadError("cut"))))
    start = anyio.current_time()
    async with opened:
        with pytest.raises(NetworkError, match="cut"):
            await get(opened.pipeline(retry=RetryPolicy(attempts=1)))
    assert anyio.current_time() < start + 100


async def test_a_bug_in_a_transport_is_not_mapped() -> None:
    body = Unclosable(httpx.ReadError("cut"))
    body.closing = TypeError("a bug")
    opened, _ = session(TypeError("another"), lambda request: httpx.Response(200, stream=body))
    async with opened:
        with pytest.raises(TypeError, match="another"):
            await get(opened.pipeline())
        with pytest.raises(TypeError, match="a bug"):
            await get(opened.pipeline())


async def test_a_synchronous_stream_raises_type_error() -> None:
    class Synchronous(httpx.SyncByteStream):
        pass

    with pytest.raises(TypeError, match="asynchronous"):
        await call(lambda request: httpx.Response(200, stream=Synchronous()))


async def hang(request: httpx.Request) -> httpx.Response:
    await anyio.sleep(1_000)
    raise AssertionError


def coded(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, headers={"Content-Encoding": "BR, gzip"}, stream=httpx.ByteStream(b"?"))


@pytest.mark.parametrize(
    ("act", "options", "message", "sent", "is_transient"),
    [
        (hang, {"timeouts": Timeouts(total=2.5)}, "no complete response within 2.5 s", True, True),
        (
            httpx.Response(200, content=b"x" * 11),
            {"max_body": 10},
            "the body is larger than the 10 bytes allowed; raise max_body if that much is expected",
            True,
            False,
        ),
        (coded, {}, "the body has the content coding 'br, gzip', which was not asked for", True, False),
    ],
    ids=["late", "large", "coded"],
)
async def test_what_is_wrong_with_a_response_is_said_whole(
    act: Any, options: dict[str, Any], message: str, *, sent: bool, is_transient: bool
) -> None:
    with pytest.raises(NetworkError) as caught:
        await call(act, path="/user?x=1", retry=RetryPolicy(attempts=1), **options)
    assert str(caught.value) == f"{API}/user?x=***: {message}"
    assert (caught.value.url, caught.value.sent) == (f"{API}/user?x=1", sent)
    assert caught.value.is_transient is is_transient


async def test_a_response_knows_how_long_it_took() -> None:
    async def late(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(2.5)
        return OK

    assert (await call(late)).delay == pytest.approx(2.5, abs=0.1)


async def test_connections_that_are_all_in_use_are_counted() -> None:
    opened, _ = session(hang, hang, hang, connections=2, timeouts=Timeouts(pool=0.5))
    async with opened, anyio.create_task_group() as group:
        pipeline = opened.pipeline(retry=RetryPolicy(attempts=1))
        for _ in range(2):
            group.start_soon(get, pipeline)
        await anyio.sleep(0.1)
        with pytest.raises(NetworkError) as caught:
            await get(pipeline, "/user?x=1")
        error = caught.value
        assert str(error) == f"{API}/user?x=***: no connection became free within 0.5 s; all 2 are in use"
        assert (error.url, error.sent, error.is_transient) == (f"{API}/user?x=1", False, True)
        group.cancel_scope.cancel()


async def test_a_client_that_was_closed_says_so() -> None:
    opened, _ = session(OK)
    await opened.aclose()
    with pytest.raises(ClosedClientError) as caught:
        await get(opened.pipeline())
    assert str(caught.value) == (
        "nothing was sent: this client was closed, as at the end of its `async with`; make a new one"
    )


async def test_the_next_of_too_many_redirects_is_named() -> None:
    with pytest.raises(TooManyRedirectsError) as caught:
        await call(redirect_to("/1"), redirect_to("/2?x=1#part"), redirect_to("/3"), max_redirects=1)
    assert str(caught.value) == (f"GET {API}/user: more than 1 redirects, the next one to {API}/2?x=***")
    assert (caught.value.url, caught.value.sent, caught.value.is_transient) == (f"{API}/2?x=1", True, False)
