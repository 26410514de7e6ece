"""The transport that is used when none is given.

Knows which libraries are there and which backend runs. Must not know what is sent. aiohttp's client costs a tenth of
httpcore's pool under many tasks, so it is taken where it is installed and asyncio runs.
"""

from __future__ import annotations

import ssl

import anyio
import httpx

__all__ = ["make_transport"]


def make_transport(context: ssl.SSLContext, *, connections: int) -> httpx.AsyncBaseTransport:
    """Make a transport for the backend that runs now.

    Args:
        context: for https.
        connections: how many there are at most, and how many are kept alive.
    """
    if anyio.get_cancelled_exc_class().__module__.startswith("asyncio"):
        try:
            from stellantis_hal.transport.aiohttp_network import AiohttpNetwork  # noqa: PLC0415 - only where needed
        except ImportError:
            pass  # the extra `speed` is not installed
        else:
            return AiohttpNetwork(context, connections=connections)
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=30.0)
    return httpx.AsyncHTTPTransport(verify=context, limits=limits)
