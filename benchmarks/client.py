"""(a) A GET through the whole client, with 1, 10, 100 and 500 tasks.

Includes all steps from the request to a ``HalResource``: origins, credentials, a limiter with capacity to spare,
retries, parsing. Compared in the same event loop, in turn, with the aiohttp transport of the httpx-aiohttp package
called directly, bare aiohttp, and ``httpx.AsyncClient``; each reads the whole body and decodes it with orjson. The
server runs in its own process.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
import anyio
import httpx

from benchmarks.measuring import Figure, Row, Samples, Scale, import_optional, is_installed, ratios, row
from benchmarks.simulated_server import SimulatedServer, open_client, serve_in_process
from stellantis_hal.hal.json import decode

__all__ = ["run"]

_OURS, _DIRECT, _BARE, _HTTPX = "whole client", "aiohttp transport, direct", "bare aiohttp", "httpx.AsyncClient"
_CONNECTIONS = 100
Get = Callable[[], Awaitable[object]]


def run(scale: Scale) -> list[Row]:
    """Measure."""
    with serve_in_process(trips=60) as server:
        return anyio.run(_measure, server, scale)


async def _candidates(server: SimulatedServer, path: str, stack: AsyncExitStack) -> dict[str, Get]:
    limits = httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)
    _, (account, *_) = await stack.enter_async_context(open_client(server))
    plain = await stack.enter_async_context(httpx.AsyncClient(limits=limits))
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
    bare = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
    url = server.url + path
    full = f"{url}{'&' if '?' in url else '?'}client_id={server.client_id}"
    holder = server.accounts[0]
    fields = {
        "accept": "application/hal+json, application/json;q=0.9",
        "authorization": f"Bearer {holder.token}",
        "x-introspect-realm": holder.realm,
        "user-agent": "benchmark",
    }

    async def by_client() -> object:
        return decode((await plain.get(full, headers=fields)).content)

    async def by_aiohttp() -> object:
        async with bare.get(full, headers=fields) as response:
            return decode(await response.read())

    gets: dict[str, Get] = {_OURS: lambda: account.get(url)}
    if is_installed("httpx_aiohttp"):
        transport = import_optional("httpx_aiohttp").AiohttpTransport(limits=limits)
        direct: httpx.AsyncBaseTransport = await stack.enter_async_context(transport)

        async def by_transport() -> object:
            response = await direct.handle_async_request(httpx.Request("GET", full, headers=fields))
            body = await response.aread()
            await response.aclose()
            return decode(body)

        gets[_DIRECT] = by_transport
    return gets | {_BARE: by_aiohttp, _HTTPX: by_client}


async def _turn(get: Get, tasks: int, count: int) -> tuple[float, float]:
    """Return CPU microseconds per request and requests per second."""
    left = count

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await get()

    used, start = time.process_time(), time.perf_counter()
    async with anyio.create_task_group() as group:
        for _ in range(tasks):
            group.start_soon(work)
    return (time.process_time() - used) / count * 1e6, count / (time.perf_counter() - start)


async def _measure(server: SimulatedServer, scale: Scale) -> list[Row]:
    rounds, count = scale.pick(1, 3, 5, 9), scale.pick(4, 300, 800, 2000)
    task_counts = (1, 2) if scale.size == "tiny" else (1, 10, 100, 500)
    busy = task_counts[-2]
    cases = [(tasks, "/user", "2 kB") for tasks in task_counts]
    cases.append((busy, f"/user/vehicles/{server.vehicle}/trips?pageSize=10", "20 kB"))
    spent: dict[tuple[int, str], Samples] = {(tasks, size): {} for tasks, _, size in cases}
    speed: dict[tuple[int, str], Samples] = {(tasks, size): {} for tasks, _, size in cases}
    async with AsyncExitStack() as stack:
        context = {path: await _candidates(server, path, stack) for path in {path for _, path, _ in cases}}
        for turn in range(rounds + 1):
            for tasks, path, size in cases:
                for name, get in context[path].items():
                    if name == _HTTPX and (tasks not in (1, busy) or size != "2 kB"):
                        continue  # its pool takes seconds with more tasks
                    few = max(count // 10, 2 * tasks) if name == _HTTPX else max(count, 3 * tasks)
                    cost, rate = await _turn(get, tasks, few)
                    if turn:  # the first round is a warm-up
                        spent[tasks, size].setdefault(name, []).append(cost)
                        speed[tasks, size].setdefault(name, []).append(rate)
    rows: list[Row] = []
    for tasks, _, size in cases:
        rows += _rows(f"{tasks} task{'s' if tasks > 1 else ''}, {size}", spent[tasks, size], tasks, busy)
    fewer, many = speed[busy, "2 kB"], speed[task_counts[-1], "2 kB"]
    shares = ratios(many[_OURS], fewer[_OURS])
    rows += [
        row("a", f"{tasks} task{'s' if tasks > 1 else ''}, 2 kB: {_OURS}, speed", "GET/s", speed[tasks, "2 kB"][_OURS])
        for tasks in task_counts[:-1]
    ]
    rows.append(
        Row(
            concern="a",
            what=f"{task_counts[-1]} tasks, 2 kB: {_OURS}, speed",
            unit="GET/s",
            values=tuple(many[_OURS]),
            ratios=shares,
            against=f"{busy} tasks",
            figure=Figure(least=0.9),
        )
    )
    return rows


def _rows(case: str, spent: Samples, tasks: int, busy: int) -> list[Row]:
    ours = spent[_OURS]
    rows: list[Row] = []
    for name, values in spent.items():
        if name == _OURS:
            reference = _DIRECT if _DIRECT in spent else _BARE
            least = {1: 0.8, busy: 0.85}.get(tasks) if reference == _DIRECT and "2 kB" in case else None
            figure = None if least is None else Figure(least=least)
            against = (reference, spent[reference])
            rows.append(row("a", f"{case}: {name}", "µs CPU", values, against=against, inverse=True, figure=figure))
        else:
            figure = Figure(least=5.0) if name == _HTTPX and tasks == busy else None
            rows.append(row("a", f"{case}: {name}", "µs CPU", values, against=(_OURS, ours), figure=figure))
    return rows
