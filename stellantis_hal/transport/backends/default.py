"""The default backend."""

from __future__ import annotations

import ssl

import anyio

from stellantis_hal.transport.backends.base import HttpBackend
from stellantis_hal.transport.backends.httpx_pool import HttpxPoolBackend

__all__ = ["make_backend"]


def make_backend(context: ssl.SSLContext, *, connections: int, timeouts: dict[str, float]) -> HttpBackend:
    """Return aiohttp's client where it is installed and asyncio runs, else httpx.

    aiohttp's client costs a fraction of httpcore.

    Args:
        context: for https.
        connections: how many requests may be under way at once.
        timeouts: ``connect``, ``read``, ``write``, ``pool`` and ``total``, in seconds.
    """
    if anyio.get_cancelled_exc_class().__module__.startswith("asyncio"):
        try:
            from stellantis_hal.transport.backends.aiohttp_client import AiohttpBackend  # noqa: PLC0415 - only where needed
        except ImportError:
            pass  # the extra `speed` is not installed
        else:
            return AiohttpBackend(context, connections=connections, timeouts=timeouts)
    return HttpxPoolBackend(context, timeouts)
