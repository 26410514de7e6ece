"""The default backend."""

from __future__ import annotations

import ssl

import anyio

from stellantis_hal.transport.backends.base import HttpBackend
from stellantis_hal.transport.backends.httpx_pool import HttpxPoolBackend
from stellantis_hal.transport.proxies import DIRECT, ProxySettings

__all__ = ["make_backend"]


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
    if not proxies.needs_httpx and anyio.get_cancelled_exc_class().__module__.startswith("asyncio"):
        try:
            from stellantis_hal.transport.backends.aiohttp_client import AiohttpBackend  # noqa: PLC0415 - only where needed
        except ImportError:
            pass  # the extra `speed` is not installed
        else:
            return AiohttpBackend(context, timeouts=timeouts, proxies=proxies)
    return HttpxPoolBackend(context, timeouts, proxies)
