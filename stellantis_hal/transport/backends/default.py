"""The default backend."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module

import anyio

from stellantis_hal.transport.backends.base import HttpBackend
from stellantis_hal.transport.proxies import DIRECT, ProxySettings

__all__ = ["backend_loader", "make_backend"]


def _prefers_aiohttp(proxies: ProxySettings) -> bool:
    return not proxies.needs_httpx and anyio.get_cancelled_exc_class().__module__.startswith("asyncio")


def backend_loader(proxies: ProxySettings) -> Callable[[], None]:
    """Return a function that imports what `make_backend` needs here; it may be called in a thread."""
    prefers_aiohttp = _prefers_aiohttp(proxies)

    def load() -> None:
        if prefers_aiohttp:
            with suppress(ImportError):  # the extra `speed` is not installed
                import_module("stellantis_hal.transport.backends.aiohttp_client")
                return
        import_module("stellantis_hal.transport.backends.httpx_pool")

    return load


def make_backend(
    context: ssl.SSLContext, *, timeouts: dict[str, float], proxies: ProxySettings = DIRECT
) -> HttpBackend:
    """Return aiohttp's client where it is installed and asyncio runs, else httpx.

    aiohttp's client costs a fraction of httpcore, but knows no SOCKS, and its TLS within TLS depends on the event loop:
    for such proxies it is httpx on asyncio, too.

    Args:
        context: for https.
        timeouts: ``connect``, ``read``, ``write``, ``pool`` and ``total``, in seconds.
        proxies: the proxy of each URL.
    """
    if _prefers_aiohttp(proxies):
        try:
            from stellantis_hal.transport.backends.aiohttp_client import AiohttpBackend  # only where needed
        except ImportError:
            pass  # the extra `speed` is not installed
        else:
            return AiohttpBackend(context, timeouts=timeouts, proxies=proxies)
    from stellantis_hal.transport.backends.httpx_pool import HttpxPoolBackend

    return HttpxPoolBackend(context, timeouts, proxies)
