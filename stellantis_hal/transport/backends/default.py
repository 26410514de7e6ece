"""The wire that is used when no transport is given.

Knows which libraries are there and which backend runs. Must not know what is sent. aiohttp's client costs a fraction of
httpcore, so it is taken where it is installed and asyncio runs.
"""

from __future__ import annotations

import ssl

import anyio

from stellantis_hal.transport.backends.base import HttpBackend
from stellantis_hal.transport.backends.httpx_pool import HttpxPoolBackend

__all__ = ["make_backend"]


def make_backend(context: ssl.SSLContext, *, connections: int, timeouts: dict[str, float]) -> HttpBackend:
    """Make a wire for the backend that runs now.

    Args:
        context: for https.
        connections: how many requests there will be at once, at most.
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
