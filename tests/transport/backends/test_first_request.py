"""The first request: what takes long is done in a thread."""

import ssl
import threading
from typing import Literal

import anyio
import pytest

from stellantis_hal.errors import ClosedClientError
from stellantis_hal.navigation.fetch_protocol import Request
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport.backends.default import backend_loader
from stellantis_hal.transport.proxies import ProxySettings
from stellantis_hal.transport.session import Session
from stellantis_hal.transport.tls import Tls
from tests.support.sockets import reply, serving

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]


async def test_tls_settings_are_made_once_in_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = list[int]()

    def context(_: Tls) -> ssl.SSLContext:
        threads.append(threading.get_ident())
        return ssl.create_default_context()

    monkeypatch.setattr(Tls, "make_context", context)
    async with serving(reply()) as server, Session(Origins(server.url)) as session, anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(session.pipeline(), Request(url=server.url))
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


async def test_a_session_closed_during_its_first_request_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = anyio.Event(), threading.Event()

    def context(_: Tls) -> ssl.SSLContext:
        anyio.from_thread.run_sync(begun.set)
        go_on.wait(10)
        return ssl.create_default_context()

    monkeypatch.setattr(Tls, "make_context", context)
    async with serving(reply()) as server:
        session = Session(Origins(server.url))

        async def ask() -> None:
            with pytest.raises(ClosedClientError):
                await session.pipeline()(Request(url=server.url))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await begun.wait()
            await session.aclose()
            go_on.set()
        assert server.connections == 0


@pytest.mark.parametrize(
    ("proxy", "has_aiohttp", "asyncio_loads"),
    [
        (False, True, ["aiohttp_client"]),
        (False, False, ["aiohttp_client", "httpx_pool"]),
        ("socks5://proxy.test:1080", True, ["httpx_pool"]),
    ],
)
async def test_the_backend_that_is_used_is_loaded(
    anyio_backend_name: str,
    monkeypatch: pytest.MonkeyPatch,
    proxy: str | Literal[False],
    has_aiohttp: bool,
    asyncio_loads: list[str],
) -> None:
    loaded: list[str] = []

    def load(name: str) -> None:
        loaded.append(name.rpartition(".")[2])
        if name.endswith("aiohttp_client") and not has_aiohttp:
            raise ImportError(name)

    monkeypatch.setattr("stellantis_hal.transport.backends.default.import_module", load)
    backend_loader(ProxySettings.of(proxy, {}))()
    assert loaded == (asyncio_loads if anyio_backend_name == "asyncio" else ["httpx_pool"])
