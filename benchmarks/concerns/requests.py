"""A GET through the whole client with 1, 10 and 100 tasks, on asyncio with the extra ``speed``.

Compared in the same event loop, in turn, with bare aiohttp, with the aiohttp transport of the package httpx-aiohttp
called directly (about twice bare aiohttp itself, so a flattering reference), and with ``httpx.AsyncClient``.
"""

from __future__ import annotations

from contextlib import AsyncExitStack

import anyio

from benchmarks.harness.optional import import_optional
from benchmarks.harness.rounds import Samples, interleaved
from benchmarks.harness.rows import Figure, Row, absolute, relative
from benchmarks.harness.scale import Scale
from benchmarks.inputs.crowd import crowd_cost
from benchmarks.inputs.gets import BARE, DIRECT, HTTPX, OURS, Get, open_bare, open_direct, open_httpx, open_ours
from benchmarks.servers.simulated_api import SimulatedApi, serve_api

__all__ = ["run"]

_SMALL, _PAGE = "/user", "/user/vehicles/{}/trips?pageSize=10"


def run(scale: Scale) -> list[Row]:
    """Measure."""
    with serve_api(trips=60) as api:
        return anyio.run(_measure, api, scale)


async def _measure(api: SimulatedApi, scale: Scale) -> list[Row]:
    busy = scale.pick(2, 100, 100, 100)
    tasks = [1, busy] if scale.is_brief else [1, 10, busy]
    cases = [("2 kB", _SMALL, count) for count in tasks]
    if not scale.is_brief:
        cases.append(("20 kB", _PAGE.format(api.vehicle), busy))
    rows: list[Row] = []
    for size, path, count in cases:
        async with AsyncExitStack() as stack:
            gets = await _open(stack, api, path, has_httpx=size == "2 kB" and count in (1, busy))
            times = scale.pick(2, 500, 800, 2000)
            candidates = {
                name: crowd_cost(get, count, max(1, times // count // (10 if name == HTTPX else 1)))
                for name, get in gets.items()
            }
            found = await interleaved(candidates, scale.pick(1, 7, 7, 15))
        rows += _rows(f"GET, {count} task{'s' if count > 1 else ''}, {size}", found, count, busy, scale)
    return rows


async def _open(stack: AsyncExitStack, api: SimulatedApi, path: str, *, has_httpx: bool) -> dict[str, Get]:
    gets = {OURS: await open_ours(stack, api, path), BARE: await open_bare(stack, api, path)}
    direct = await open_direct(stack, api, path)
    if direct is not None:
        gets[DIRECT] = direct
    if has_httpx:  # with more tasks its pool takes seconds
        gets[HTTPX] = await open_httpx(stack, api, path, import_optional("orjson").loads)
    return gets


def _rows(case: str, found: Samples, tasks: int, busy: int, scale: Scale) -> list[Row]:
    is_small, is_busy = "2 kB" in case, tasks == busy
    unit = "µs CPU"
    judged = Figure(most=1.6) if is_small and is_busy else None
    rows = [relative(f"{case}: {OURS}", unit, found, OURS, BARE, figure=judged)]
    if DIRECT in found:
        least = {1: 0.8, busy: 0.85}.get(tasks) if is_small else None
        figure = None if least is None else Figure(least=least)
        rows.append(
            relative(f"{case}: {OURS}, beside the transport", unit, found, OURS, DIRECT, inverse=True, figure=figure)
        )
    if HTTPX in found:
        figure = Figure(least=5.0) if is_busy else None
        rows.append(relative(f"{case}: {HTTPX}", unit, found, HTTPX, OURS, figure=figure))
    if scale.is_brief:
        return [row for row in rows if row.figure is not None]
    rows += [relative(f"{case}: {DIRECT}", unit, found, DIRECT, BARE)] if DIRECT in found else []
    return [
        *rows,
        absolute(f"{case}: {OURS}, calibrated", unit, found, OURS),
        absolute(f"{case}: {BARE}", unit, found, BARE),
    ]
