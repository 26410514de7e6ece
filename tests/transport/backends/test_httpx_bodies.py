"""Bodies of requests to httpx transports."""

import gc
import sys
from collections.abc import AsyncIterable
from typing import Any

import anyio
import httpx
import pytest

from stellantis_hal.navigation.streamed_request_bodies import RequestBodyReader
from stellantis_hal.transport.backends.base import Outgoing
from stellantis_hal.transport.backends.httpx_backend import HttpxBackend

pytestmark = pytest.mark.anyio


def _as_bytes() -> Outgoing:
    return b"ab"


def _as_chunks() -> Outgoing:
    return RequestBodyReader([b"a", b"b"], 2)


class _Slow(httpx.AsyncBaseTransport):
    """Sends the first bytes of a body."""

    def __init__(self) -> None:
        self.sending = anyio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, AsyncIterable)
        async for _ in request.stream:
            self.sending.set()
            await anyio.sleep_forever()
        raise AssertionError


class _Echo(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, AsyncIterable)
        return httpx.Response(200, content=b"".join([chunk async for chunk in request.stream]))


@pytest.mark.parametrize("body", [_as_bytes, _as_chunks])
async def test_a_request_that_is_cancelled_leaves_no_generator(body: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trio warns of each generator that was not read to its end."""
    warned: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", warned.append)
    transport = _Slow()
    backend = HttpxBackend(transport, {})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(backend.open, "POST", "https://api.test/", {}, body())
        await transport.sending.wait()
        tasks.cancel_scope.cancel()
    gc.collect()
    assert warned == []


@pytest.mark.parametrize("body", [_as_bytes, _as_chunks])
async def test_a_body_is_sent_whole(body: Any) -> None:
    backend = HttpxBackend(_Echo(), {})
    response = await backend.open("POST", "https://api.test/", {"content-length": "2"}, body())
    assert b"".join([chunk async for chunk in response.stream]) == b"ab"
