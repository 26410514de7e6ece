"""The guarded protocol of aiohttp: one timer for all pieces and requests of a connection."""

import asyncio
import gc
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from aiohttp import SocketTimeoutError

from stellantis_hal.testing import JumpingEventLoop
from stellantis_hal.transport.backends.stray_bytes_connector import StrayBytesProtocol
from tests.transport.backends.test_guarded_protocol import SIZED, Wire


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=JumpingEventLoop) as runner:
        runner.run(test())


def asked(protocol: StrayBytesProtocol, timeout: float | None) -> None:
    protocol.set_response_params(read_timeout=timeout, auto_decompress=False)
    protocol.start_timeout()


def connected() -> StrayBytesProtocol:
    protocol = StrayBytesProtocol(asyncio.get_running_loop())
    protocol.connection_made(Wire())
    return protocol


async def seconds_until_failure(protocol: StrayBytesProtocol) -> float:
    loop = asyncio.get_running_loop()
    started = loop.time()
    with pytest.raises(SocketTimeoutError):
        await protocol.read()
    return loop.time() - started


def test_silence_ends_a_response_in_time() -> None:
    async def test() -> None:
        protocol = connected()
        asked(protocol, 5.0)
        assert await seconds_until_failure(protocol) == pytest.approx(5.0)

    run(test)


def test_each_piece_gives_the_server_more_time() -> None:
    async def test() -> None:
        protocol = connected()
        asked(protocol, 5.0)
        for piece in (b"HTTP/1.1 ", b"200 OK\r\n"):
            await asyncio.sleep(4.0)
            protocol.data_received(piece)
        assert await seconds_until_failure(protocol) == pytest.approx(5.0)

    run(test)


def test_an_idle_connection_stays_open() -> None:
    async def test() -> None:
        protocol = connected()
        asked(protocol, 5.0)
        protocol.data_received(SIZED)
        _, body = await protocol.read()
        assert await body.read() == b"hello"
        await asyncio.sleep(60.0)
        assert protocol.is_clean()
        assert protocol.exception() is None

    run(test)


@pytest.mark.parametrize(("first", "second"), [(60.0, 5.0), (5.0, 60.0), (None, 5.0)])
def test_each_request_has_its_own_time(first: float | None, second: float) -> None:
    async def test() -> None:
        protocol = connected()
        asked(protocol, first)
        protocol.data_received(SIZED)
        await protocol.read()
        await asyncio.sleep(1.0)
        asked(protocol, second)
        assert await seconds_until_failure(protocol) == pytest.approx(second)

    run(test)


def test_without_a_bound_silence_is_no_failure() -> None:
    async def test() -> None:
        protocol = connected()
        asked(protocol, 5.0)
        protocol.data_received(SIZED)
        await protocol.read()
        asked(protocol, None)
        await asyncio.sleep(600.0)
        assert protocol.exception() is None

    run(test)


def lose(protocol: StrayBytesProtocol) -> None:
    protocol.connection_lost(None)


@pytest.mark.unmeasured
@pytest.mark.parametrize("end", [StrayBytesProtocol.close, lose])
def test_a_closed_connection_leaves_no_timer(end: Callable[[StrayBytesProtocol], None]) -> None:
    async def test() -> None:
        protocol = connected()
        asked(protocol, 5.0)
        protocol.data_received(SIZED)
        await protocol.read()
        end(protocol)
        left = weakref.ref(protocol)
        del protocol
        gc.collect()
        assert left() is None

    run(test)
