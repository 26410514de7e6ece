"""(e) Pagination at 50 ms latency: sequential, one page ahead, eight ranges at a time; typed trips.

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

from benchmarks.measuring import Figure, Row, Scale, row
from benchmarks.simulated_server import open_client, serve_in_process
from stellantis_hal.client.account import Account
from stellantis_hal.hal.json import decode
from stellantis_hal.hal.uri import append_query, resolve
from stellantis_hal.navigation.fetch import Fetch, Request
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.structuring.converter import read

__all__ = ["LATENCY", "run"]

LATENCY = 0.05
_SIZE = 60
_LIMIT = 8
Walked = Callable[[], Awaitable[int]]


def run(scale: Scale) -> list[Row]:
    """Measure."""
    trips = scale.pick(180, 600, 2_400, 10_000)
    with serve_in_process(trips=trips) as server:

        async def measure() -> list[Row]:
            async with open_client(server) as (_, (account, *_)):
                return await _measure(account, server.vehicle, trips, scale)

        return anyio.run(measure)


async def _measure(account: Account, id_: str, trips: int, scale: Scale) -> list[Row]:
    vehicle = await account.vehicle(id_)
    fetch = account._context.fetch
    url = f"{vehicle.document.links['trips'][0].href}?pageSize={_SIZE}" if vehicle.document is not None else ""
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
    await _wait(account, LATENCY)
    rows: list[Row] = []
    for name, (ours, by_hand) in pairs.items():
        walls: dict[bool, list[float]] = {True: [], False: []}
        spent: dict[bool, list[float]] = {True: [], False: []}
        for turn in range(scale.pick(1, 2, 3, 3)):
            for is_ours in (True, False) if turn % 2 else (False, True):
                used, start = time.process_time(), time.perf_counter()
                await (ours if is_ours else by_hand)()
                walls[is_ours].append(time.perf_counter() - start)
                spent[is_ours].append((time.process_time() - used) / pages * 1e6)
        what = f"{trips:,} trips, {name}"
        bound = [least[name]] * len(walls[True])
        against = ("by hand", walls[False])
        rows += [
            row("e", what, "s", walls[True], against=against, figure=Figure(most=1.05)),
            row("e", f"{what}, by hand", "s", walls[False]),
            row("e", f"{what}: least possible", "s", bound, against=("ours", walls[True]), inverse=False),
            row("e", f"{what}: CPU", "µs/page", spent[True], against=("by hand", spent[False])),
        ]
    await _wait(account, 0.0)
    return rows


async def _wait(account: Account, seconds: float) -> None:
    await account._context.fetch(Request(url=resolve(account._url, f"/wait/{seconds}")))


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


async def _page(fetch: Fetch, url: str) -> tuple[list[Trip], str | None]:
    response = await fetch(Request(url=url, headers={"Accept": "application/hal+json"}))
    body = decode(response.content)
    following = body["_links"].get("next")
    trips = [read(item, Trip) for item in body["_embedded"]["trips"]]
    return trips, None if following is None else resolve(url, following["href"])


async def _sequential_by_hand(fetch: Fetch, url: str) -> int:
    count = 0
    following: str | None = url
    while following is not None:
        trips, following = await _page(fetch, following)
        for _ in trips:
            count += 1
    return count


async def _ahead_by_hand(fetch: Fetch, url: str) -> int:
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


async def _concurrent_by_hand(fetch: Fetch, url: str) -> int:
    response = await fetch(Request(url=append_query(url, f"indexRange=0-{_SIZE - 1}")))
    body = decode(response.content)
    found: dict[int, list[Trip]] = {0: [read(item, Trip) for item in body["_embedded"]["trips"]]}
    starts = iter(range(_SIZE - 1, body["total"] - 1, _SIZE - 1))

    async def work() -> None:
        for start in starts:
            found[start], _ = await _page(fetch, append_query(url, f"indexRange={start}-{start + _SIZE - 1}"))

    async with anyio.create_task_group() as tasks:
        for _ in range(_LIMIT):
            tasks.start_soon(work)
    return sum(len(trips) - (start > 0) for start, trips in sorted(found.items()))
