"""Bodies that are read while they are sent."""

import io
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from stellantis_hal.errors import ApiError, NetworkError, ServerError
from stellantis_hal.navigation.fetch_protocol import Request
from stellantis_hal.navigation.multipart import encode_multipart
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.navigation.streamed_request_bodies import StreamedRequestBody, to_stream
from stellantis_hal.transport.retry import RetryPolicy
from stellantis_hal.transport.session import Session
from tests.support.sockets import reply, serving
from tests.transport.doubles import API, Badge, session

pytestmark = pytest.mark.anyio
_ONCE = RetryPolicy(attempts=1)


async def _chunks(*chunks: Any) -> AsyncIterator[Any]:
    for chunk in chunks:
        yield chunk


class _Received:
    """A server that records whole requests."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    async def __call__(self, request: bytes, stream: Any) -> None:
        self.requests.append(request)
        await stream.send(reply())


async def _send(content: Any, **fields: str) -> tuple[bytes, bytes]:
    """Send a body over a socket, return the head in lower case, and the body."""
    received = _Received()
    async with serving(received) as server, Session(Origins(server.url)) as opened:
        await opened.pipeline()(Request(url=server.url, method="POST", content=content, headers=fields))
    head, _, body = received.requests[0].partition(b"\r\n\r\n")
    return head.lower(), body


@pytest.mark.wall_clock
async def test_a_file_is_sent_with_its_length(tmp_path: Path) -> None:
    """In the same way by both wires."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"0123456789" * 60_000)
    head, body = await _send(to_stream(path, "content"))
    assert b"content-length: 600000" in head
    assert b"transfer-encoding" not in head
    assert b"content-type" not in head
    assert body == path.read_bytes()


@pytest.mark.wall_clock
async def test_multipart_is_sent_with_its_length(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"file")
    content, content_type = encode_multipart({"a": 1}, {"f": path}, boundary="m")
    head, body = await _send(content, **{"Content-Type": content_type})
    assert f"content-length: {len(body)}".encode() in head
    assert b"content-type: multipart/form-data; boundary=m" in head
    assert body.startswith(b"--m\r\n")
    assert body.endswith(b"file\r\n--m--\r\n")


@pytest.mark.wall_clock
async def test_a_stream_of_unknown_length_is_sent_in_chunks() -> None:
    head, body = await _send(to_stream(_chunks(b"abc", b"defgh"), "content"))
    assert b"transfer-encoding: chunked" in head
    assert b"content-length" not in head
    assert body == b"3\r\nabc\r\n5\r\ndefgh\r\n0\r\n\r\n"


@pytest.mark.wall_clock
async def test_a_body_that_cannot_be_read_fails_once(tmp_path: Path) -> None:
    """Another attempt would fail in the same way."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"12345")
    content = to_stream(path, "content")
    path.write_bytes(b"1")
    async with serving(reply()) as server, Session(Origins(server.url)) as opened:
        with pytest.raises(
            NetworkError, match="the body of the request could not be read to its end: ValueError, it ended"
        ):
            await opened.pipeline()(Request(url=server.url, method="PUT", content=content))
        assert server.connections == 1


@pytest.mark.wall_clock
async def test_a_source_that_fails_is_named() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise RuntimeError("no more")

    async with serving(reply()) as server, Session(Origins(server.url)) as opened:
        with pytest.raises(NetworkError, match="RuntimeError, no more") as failure:
            await opened.pipeline()(Request(url=server.url, method="PUT", content=to_stream(broken(), "content")))
    assert (failure.value.sent, failure.value.is_transient) == (True, False)
    assert isinstance(failure.value.__cause__, RuntimeError)


def _reading(*statuses: int) -> list[Callable[[httpx.Request], Any]]:
    """Return acts that read the request's body and respond with each status in turn."""

    def act(status: int) -> Callable[[httpx.Request], Any]:
        async def read(request: httpx.Request) -> httpx.Response:
            request.extensions["read"] = await request.aread()
            return httpx.Response(status, json={})

        return read

    return [act(status) for status in statuses]


def _body(*, once: bool) -> StreamedRequestBody:
    body = to_stream(_chunks(b"ab") if once else io.BytesIO(b"ab"), "content")
    assert isinstance(body, StreamedRequestBody)
    return body


@pytest.mark.wall_clock
@pytest.mark.parametrize("status", [401, 429, 503])
async def test_a_body_that_can_be_read_again_is_sent_again(status: int) -> None:
    opened, transport = session(*_reading(status, 200), retry=RetryPolicy(initial=0.0))
    async with opened:
        pipeline = opened.pipeline(credentials=Badge(renewals=1))
        await pipeline(Request(url=API, method="PUT", content=_body(once=False)))
    assert [request.extensions["read"] for request in transport.requests] == [b"ab", b"ab"]


@pytest.mark.parametrize("status", [401, 429, 503])
async def test_a_body_that_can_be_read_once_is_sent_once(status: int) -> None:
    """Not after a renewal of the token either; the renewal serves the next request."""
    opened, transport = session(*_reading(status, 200), retry=RetryPolicy(initial=0.0))
    badge = Badge(renewals=1)
    async with opened:
        with pytest.raises(ApiError) as failure:
            await opened.pipeline(credentials=badge)(Request(url=API, method="PUT", content=_body(once=True)))
    assert failure.value.status == status
    assert len(transport.requests) == 1
    assert badge.serial == (2 if status == 401 else 1)


async def test_an_unread_body_is_sent_after_a_failed_connection() -> None:
    opened, transport = session(httpx.ConnectError("no"), *_reading(200), retry=RetryPolicy(initial=0.0))
    async with opened:
        await opened.pipeline()(Request(url=API, method="POST", content=_body(once=True)))
    assert transport.requests[1].extensions["read"] == b"ab"


async def test_a_spent_body_is_not_sent_by_a_third_attempt() -> None:
    opened, transport = session(httpx.ConnectError("no"), *_reading(503), retry=RetryPolicy(initial=0.0))
    async with opened:
        with pytest.raises(ServerError):
            await opened.pipeline()(Request(url=API, method="PUT", content=_body(once=True)))
    assert len(transport.requests) == 2


class _SignedBody(httpx.Auth):
    """A flow that reads the body before it is sent."""

    requires_request_body = True

    def auth_flow(self, request: httpx.Request) -> Any:
        request.headers["x-signature"] = str(len(request.content))
        yield request


class _TwoSteps(httpx.Auth):
    """A flow that sends a request twice."""

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        response = yield request
        if response.status_code == 401:
            request.headers["authorization"] = "again"
            yield request


async def test_a_flow_may_read_the_body() -> None:
    opened, transport = session(*_reading(200))
    async with opened:
        pipeline = opened.pipeline(credentials=_SignedBody())
        await pipeline(Request(url=API, method="POST", content=_body(once=True)))
    (request,) = transport.requests
    assert (request.headers["x-signature"], request.extensions["read"]) == ("2", b"ab")
    assert request.headers["content-length"] == "2"


class _ReadingFlow(httpx.Auth):
    """A flow that reads the body on its own."""

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        request.headers["x-signature"] = str(len(await request.aread()))
        yield request


async def test_a_flow_may_read_the_body_on_its_own() -> None:
    opened, transport = session(*_reading(200))
    async with opened:
        pipeline = opened.pipeline(credentials=_ReadingFlow())
        await pipeline(Request(url=API, method="POST", content=_body(once=True)))
    (request,) = transport.requests
    assert (request.headers["x-signature"], request.extensions["read"]) == ("2", b"ab")


async def test_a_flow_that_cannot_read_the_body_sends_nothing() -> None:
    opened, transport = session(*_reading(200))
    async with opened:
        body = to_stream(_chunks("text"), "content")
        with pytest.raises(NetworkError, match="its source must return bytes, not str") as failure:
            await opened.pipeline(credentials=_SignedBody())(Request(url=API, method="POST", content=body))
    assert (failure.value.sent, failure.value.is_transient, transport.requests) == (False, False, [])


@pytest.mark.wall_clock
async def test_a_flow_may_send_a_body_again() -> None:
    opened, transport = session(*_reading(401, 200))
    async with opened:
        await opened.pipeline(credentials=_TwoSteps())(Request(url=API, method="POST", content=_body(once=False)))
    assert [request.extensions["read"] for request in transport.requests] == [b"ab", b"ab"]


async def test_a_flow_cannot_send_a_spent_body_again() -> None:
    opened, transport = session(*_reading(401, 200))
    async with opened:
        with pytest.raises(ApiError):
            await opened.pipeline(credentials=_TwoSteps())(Request(url=API, method="POST", content=_body(once=True)))
    assert len(transport.requests) == 1


@pytest.mark.unmeasured
@pytest.mark.wall_clock
@pytest.mark.parametrize("target", ["/p?", "/p", "/?", "/p??", "/p?a=1?", "/%2F?"])
async def test_an_empty_query_is_sent_as_it_is(target: str) -> None:
    """By both wires: ``/p?`` is another URL than ``/p``."""
    async with serving(reply()) as server, Session(Origins(server.url)) as opened:
        response = await opened.pipeline()(Request(url=f"{server.url}{target}"))
    assert server.heads[0].split(b" ")[1] == target.encode()
    assert response.url == f"{server.url}{target}"
