"""The guarded protocol of aiohttp: one response for each request, in any segments, and no byte more."""

import asyncio
import itertools

import pytest
from aiohttp.http_exceptions import HttpProcessingError
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.transport.backends.stray_bytes_connector import StrayBytesProtocol, body_length

SIZED = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
RESPONSES = {
    "sized": (SIZED, False, b"hello"),
    "lower case": (SIZED.replace(b"Content-Length: ", b"content-length:\t"), False, b"hello"),
    "empty": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", False, b""),
    "to HEAD": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", True, b""),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", False, b""),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", False, b""),
    "hinted": (b"HTTP/1.1 103 Early Hints\r\n\r\n" + SIZED, False, b"hello"),
    "chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", False, b"hello"),
}
STRAYS = [b"", b"", b"", b"x", b"\r\n", b"hello", b"HTTP/1.1 20", SIZED, SIZED[:-1], SIZED + b"H"]


class Wire(asyncio.Transport):
    """A connection without a socket, on which bytes are received by hand."""

    def __init__(self) -> None:
        super().__init__()
        self._is_closing = False

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self._is_closing = True

    abort = close


async def received(content: bytes, cuts: list[int], *, to_head: bool) -> tuple[bytes | None, bool]:
    """Return the body that was read, None after an error, and whether the connection may be used again."""
    protocol = StrayBytesProtocol(asyncio.get_running_loop())
    protocol.connection_made(Wire())
    protocol.set_response_params(skip_payload=to_head, auto_decompress=False)
    places = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    for start, end in itertools.pairwise(places):
        if start < end and protocol.transport is not None and not protocol.transport.is_closing():
            protocol.data_received(content[start:end])
    try:
        message, stream = await protocol.read()
        while message.code < 200:
            message, stream = await protocol.read()
        return await stream.read(), protocol.is_clean()
    except HttpProcessingError:
        return None, protocol.is_clean()


@given(st.sampled_from(sorted(RESPONSES)), st.sampled_from(STRAYS), st.lists(st.integers(1, 120), max_size=3))
def test_a_connection_is_used_again_without_stray_bytes_only(shape: str, stray: bytes, cuts: list[int]) -> None:
    content, to_head, body = RESPONSES[shape]
    found = asyncio.run(received(content + stray, cuts, to_head=to_head))
    assert found == (body, not stray) or (stray and found == (None, False))


@given(st.sampled_from(sorted(RESPONSES)), st.sampled_from([stray for stray in STRAYS if stray]))
def test_a_response_with_stray_bytes_is_not_exact(shape: str, stray: bytes) -> None:
    content, to_head, body = RESPONSES[shape]
    is_bodiless = to_head or shape == "not modified"
    assert body_length(content + stray) is None or (is_bodiless and body_length(content + stray) != len(body))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        SIZED[:-1],
        SIZED.replace(b"OK\r\n", b"OK\n"),
        SIZED.replace(b"text/plain\r\n", b"text\r/plain\r\n"),
        SIZED.replace(b"Content-Length: 5", b"Content-Length: 5, 5"),
        SIZED.replace(b"Content-Length: 5", b"Content-Length: +5"),
        SIZED.replace(b"Content-Length: 5", b"X-Content-Length: 5"),
    ],
)
def test_bytes_that_are_not_surely_one_response_are_not(content: bytes) -> None:
    assert body_length(content) is None
    assert body_length(SIZED) == 5
