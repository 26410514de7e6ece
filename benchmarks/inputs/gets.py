"""The same GET by the whole client and by HTTP libraries alone.

Each reads the whole body. The libraries decode it with orjson, by the fastest way that they have; the client does all
of its steps: origins, credentials, a limiter with capacity to spare, retries, parsing to a ``HalResource``.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx

from benchmarks.harness.optional import import_optional, is_installed
from benchmarks.measured.clients import open_account
from benchmarks.servers.certificates import client_context
from benchmarks.servers.simulated_api import SimulatedApi

__all__ = [
    "BARE",
    "CONNECTIONS",
    "DIRECT",
    "HTTPX",
    "OURS",
    "Get",
    "open_bare",
    "open_direct",
    "open_httpx",
    "open_ours",
]

OURS, DIRECT, BARE, HTTPX = "whole client", "httpx-aiohttp transport, direct", "bare aiohttp", "httpx.AsyncClient"
CONNECTIONS = 100
"""How many GETs are under way at once."""
_LIMITS = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
Get = Callable[[], Awaitable[object]]


async def open_ours(
    stack: AsyncExitStack,
    api: SimulatedApi,
    path: str,
    certificates: Path | None = None,
    *,
    connections: int = CONNECTIONS,
) -> Get:
    """Return a GET through the whole client."""
    account = await stack.enter_async_context(open_account(api, certificates=certificates, connections=connections))
    url = api.url + path
    return lambda: account.get(url)


async def open_bare(
    stack: AsyncExitStack,
    api: SimulatedApi,
    path: str,
    certificates: Path | None = None,
    *,
    connections: int = CONNECTIONS,
) -> Get:
    """Return a GET by aiohttp."""
    aiohttp, loads = import_optional("aiohttp"), import_optional("orjson").loads
    context = None if certificates is None else client_context(certificates)
    connector = aiohttp.TCPConnector(limit=connections, ssl=True if context is None else context)
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
    url, fields = api.full(path), api.fields

    async def get() -> object:
        async with session.get(url, headers=fields) as response:
            return loads(await response.read())

    return get


async def open_direct(stack: AsyncExitStack, api: SimulatedApi, path: str) -> Get | None:
    """Return a GET by the aiohttp transport of the package httpx-aiohttp; None if that is not installed."""
    if not is_installed("httpx_aiohttp"):
        return None
    loads = import_optional("orjson").loads
    made = import_optional("httpx_aiohttp").AiohttpTransport(limits=_LIMITS)
    transport: httpx.AsyncBaseTransport = await stack.enter_async_context(made)
    url, fields = api.full(path), api.fields

    async def get() -> object:
        response = await transport.handle_async_request(httpx.Request("GET", url, headers=fields))
        body = await response.aread()
        await response.aclose()
        return loads(body)

    return get


async def open_httpx(
    stack: AsyncExitStack,
    api: SimulatedApi,
    path: str,
    decode: Callable[[bytes], object],
    tls: ssl.SSLContext | None = None,
) -> Get:
    """Return a GET by ``httpx.AsyncClient``."""
    client = await stack.enter_async_context(httpx.AsyncClient(limits=_LIMITS, verify=True if tls is None else tls))
    url, fields = api.full(path), api.fields

    async def get() -> object:
        return decode((await client.get(url, headers=fields)).content)

    return get
