"""Pagination at 50 ms latency: sequential, one page ahead, eight ranges at a time; typed trips.

Each is compared with a loop by hand over the same session: fetch, decode, structure, continue. The judged value is the
wall time, which the latency makes steady; CPU time is shown too. The least possible time is that of the latency alone.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import anyio

from benchmarks.harness.rounds import one_round
from benchmarks.harness.rows import Figure, Row, plain, ratios
from benchmarks.harness.scale import Scale
from benchmarks.measured import package
from benchmarks.measured.clients import open_account
from benchmarks.servers.simulated_api import SimulatedApi, serve_api
from stellantis_hal import Account, Trip, Vehicle

__all__ = ["LATENCY", "run"]

LATENCY = 0.05
_SIZE = 60
_LIMIT = 8
Walked = Callable[[], Awaitable[int]]


def run(scale: Scale) -> list[Row]:
    """Measure."""
    trips = scale.pick(180, 1_200, 2_400, 10_000)
    with serve_api(trips=trips) as api:

        async def measure() -> list[Row]:
            async with open_account(api) as account:
                return await _measure(account, api, trips, scale)

        return anyio.run(measure)


async def _measure(account: Account, api: SimulatedApi, trips: int, scale: Scale) -> list[Row]:
    vehicle, fetch = await account.vehicle(api.vehicle), package.fetch_of(account)
    url = f"{api.url}/user/vehicles/{api.vehicle}/trips?pageSize={_SIZE}"
    pages = -(-trips // _SIZE)
    # The package's ranges overlap by an item, to notice items that move: 59 new ones in each range but the first.
    ranges = 1 + -(-(trips - _SIZE) // (_SIZE - 1))
    least = {"sequential": pages * LATENCY, "one ahead": pages * LATENCY}
    least["8 ranges"] = (1 + -(-(ranges - 1) // _LIMIT)) * LATENCY
    # The server's copies are made before the measurements, by the same requests.
    pairs: dict[str, tuple[Walked, Walked]] = {
        "sequential": (partial(_sequential, vehicle), partial(_sequential_by_hand, fetch, url)),
        "one ahead": (partial(_ahead, vehicle), partial(_ahead_by_hand, fetch, url)),
        "8 ranges": (partial(_concurrent, vehicle), partial(_concurrent_by_hand, fetch, url.partition("?")[0])),
    }
    for ours, by_hand in pairs.values():
        assert await ours() == await by_hand() == trips
    api.set_latency(LATENCY)
    rows: list[Row] = []
    for name, (ours, by_hand) in pairs.items():
        walls: dict[bool, list[float]] = {True: [], False: []}
        spent: dict[bool, list[float]] = {True: [], False: []}
        for turn in range(scale.pick(1, 3, 3, 3)):
            with one_round():
                for is_ours in (True, False) if turn % 2 else (False, True):
                    used, start = time.process_time(), time.perf_counter()
                    await (ours if is_ours else by_hand)()
                    walls[is_ours].append(time.perf_counter() - start)
                    spent[is_ours].append((time.process_time() - used) / pages * 1e6)
        rows += _rows(f"{trips:,} trips, {name}", walls, spent, least[name], scale)
    return rows


def _rows(
    what: str, walls: dict[bool, list[float]], spent: dict[bool, list[float]], least: float, scale: Scale
) -> list[Row]:
    judged = Row(
        what=what,
        unit="s",
        values=tuple(walls[True]),
        ratios=ratios(walls[True], walls[False]),
        against="a loop by hand",
        figure=Figure(most=1.05),
    )
    if scale.is_brief:
        return [judged]
    shares = ratios(spent[True], spent[False])
    return [
        judged,
        plain(f"{what}: a loop by hand", "s", walls[False]),
        plain(f"{what}: least possible", "s", [least]),
        Row(what=f"{what}: CPU", unit="µs/page", values=tuple(spent[True]), ratios=shares, against="a loop by hand"),
    ]


# ------------------------------------------------------------------------------------------------- ours


async def _sequential(vehicle: Vehicle) -> int:
    return await _count(vehicle.trips(page_size=_SIZE))


async def _ahead(vehicle: Vehicle) -> int:
    return await _count_in_block(vehicle.trips(page_size=_SIZE).ahead(1))


async def _concurrent(vehicle: Vehicle) -> int:
    return await _count_in_block(vehicle.trips().concurrent(_LIMIT))


async def _count_in_block(block: AbstractAsyncContextManager[AsyncIterator[Trip]]) -> int:
    async with block as walk:
        return await _count(walk)


async def _count(walk: Any) -> int:
    count = 0
    async for _ in walk:
        count += 1
    return count


# ------------------------------------------------------------------------------------------------- by hand


async def _page(fetch: package.Fetch, url: str) -> tuple[list[Trip], str | None]:
    response = await fetch(package.Request(url=url, headers={"Accept": "application/hal+json"}))
    body = package.decode(response.content)
    following = body["_links"].get("next")
    trips = [package.read(item, Trip) for item in body["_embedded"]["trips"]]
    return trips, None if following is None else package.resolve(url, following["href"])


async def _sequential_by_hand(fetch: package.Fetch, url: str) -> int:
    count = 0
    following: str | None = url
    while following is not None:
        trips, following = await _page(fetch, following)
        for _ in trips:
            count += 1
    return count


async def _ahead_by_hand(fetch: package.Fetch, url: str) -> int:
    send, receive = anyio.create_memory_object_stream[list[Trip]](0)

    async def produce() -> None:
        following: str | None = url
        async with send:
            while following is not None:
                trips, following = await _page(fetch, following)
                await send.send(trips)

    count = 0
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(produce)
        async with receive:
            async for trips in receive:
                for _ in trips:
                    count += 1
    return count


async def _concurrent_by_hand(fetch: package.Fetch, url: str) -> int:
    response = await fetch(package.Request(url=package.append_query(url, f"indexRange=0-{_SIZE - 1}")))
    body = package.decode(response.content)
    found: dict[int, list[Trip]] = {0: [package.read(item, Trip) for item in body["_embedded"]["trips"]]}
    starts = iter(range(_SIZE - 1, body["total"] - 1, _SIZE - 1))

    async def work() -> None:
        for start in starts:
            found[start], _ = await _page(fetch, package.append_query(url, f"indexRange={start}-{start + _SIZE - 1}"))

    async with anyio.create_task_group() as tasks:
        for _ in range(_LIMIT):
            tasks.start_soon(work)
    return sum(len(trips) - (start > 0) for start, trips in sorted(found.items()))
