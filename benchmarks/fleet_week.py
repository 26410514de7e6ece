"""A week of a fleet in jumped time, with the simulator in the same process: no trip lost, none delivered twice.

Run it as ``python -m benchmarks.fleet_week [--vehicles 10000] [--days 7] [--every 12] [--minutes 30]``. The full run
makes about 300,000 requests and takes about half an hour of one core; after ``--minutes`` of real time it stops and
checks the trips whose vehicle had to be polled until then. A smaller one: ``--vehicles 100``.

Every vehicle's status and trips are polled every ``--every`` hours, within the vendor's sample subscription (100 per
second, 100,000 per day). Each vehicle drives once a day. The server is down for an hour on the second day (503), for
six hours on the fourth (no connection), and one request in 200 fails. Checked: every trip was delivered exactly once,
no 429, no day beyond the limit, and no more objects of the package at the end than after two days (those of the
simulator are not counted). Printed: polls, requests, lateness, CPU time per request (the simulator's share included),
and memory, with the number of trips that the simulator stores and what one takes there.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import anyio
import httpx
import trio.testing

from benchmarks.harness.resident import resident_memory
from stellantis_hal import Application, Brand, Token
from stellantis_hal.client.stellantis_client import StellantisClient
from stellantis_hal.fleet import FleetStatistics, Outage, Recovered, Update, WatchEvent, watch
from stellantis_hal.simulator import (
    ConnectionRefused,
    Faults,
    FaultWindow,
    RandomFault,
    ServerFault,
    Simulator,
    SubscriptionLimits,
    World,
)

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = 3_600.0
DAY = 86_400.0


class Sample(NamedTuple):
    """Memory in MiB, objects of the package, and trips driven until an instant in days."""

    day: float
    memory: float
    objects: int
    driven: int


class Week:
    """The simulated world, its trips, and the events received."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        count = options.vehicles
        self.world = World(seed=11, accounts=max(1, count // 20), vehicles=count, trips=count * 8, epoch=EPOCH)
        windows = [
            FaultWindow(fault=ServerFault(503), since=1.25 * DAY, until=1.25 * DAY + HOUR),
            FaultWindow(fault=ConnectionRefused(), since=3.5 * DAY, until=3.5 * DAY + 6 * HOUR),
        ]
        random = [RandomFault(fault=ServerFault(500, 50000), rate=0.005, path="/connectedcar/")]
        self.simulator = Simulator(
            self.world, epoch=EPOCH, faults=Faults(windows=windows, random=random, seed=5), token_lifetime=12 * HOUR
        )
        self.driven: dict[str, float] = {}
        self.received: Counter[str] = Counter()
        self.others: list[WatchEvent] = []
        self.samples: list[Sample] = []
        self.ended = 0.0

    async def drive(self) -> None:
        """Add a trip per vehicle and day, until 1.5 intervals before the end, so that each can still be polled."""
        vehicles = [vehicle.id for vehicle in self.world.vehicles]
        each_hour = max(1, len(vehicles) // 24)
        await anyio.sleep(1.5 * self.options.every * HOUR)  # every vehicle has been polled
        last = (self.options.days * 24 - 1.5 * self.options.every) * HOUR
        index = 0
        while anyio.current_time() < last:
            at = self.simulator.now() - timedelta(hours=1)
            for _ in range(each_hour):
                vehicle = vehicles[index % len(vehicles)]
                index += 1
                self.driven[f"{vehicle}/{self.world.add_trip(vehicle, at=at).id}"] = anyio.current_time()
            await anyio.sleep(HOUR)

    async def sample(self) -> None:
        """Record the memory and the objects of the package twice a day."""
        while True:
            await anyio.sleep(DAY / 2)
            gc.collect()
            sample = Sample(anyio.current_time() / DAY, resident_memory(), objects_of_the_package(), len(self.driven))
            self.samples.append(sample)
            print(f"day {sample.day:.1f}: {sample.memory:.0f} MiB, {sample.objects} objects", flush=True)

    async def run(self) -> FleetStatistics:
        """Watch for all days, or until the limit of real time."""
        options, simulator = self.options, self.simulator
        until = time.monotonic() + options.minutes * 60
        async with StellantisClient(
            Application(simulator.client_id, simulator.client_secret),
            base_url=simulator.url,
            identity_url=simulator.identity_url,
            transport=simulator.transport(),
            clock=simulator.now,
            keep_document=False,
        ) as client:
            accounts = []
            for holder in self.world.accounts:
                issued = simulator.token_for(holder)
                token = Token(issued.access_token, issued.refresh_token, expires_at=issued.expires_at)
                brand = next(brand for brand in Brand if brand.domain == holder.domain)
                accounts.append(client.account(token, brand=brand, key=holder.key))
            async with watch(accounts, every=timedelta(hours=options.every), adapt=None) as updates:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self.drive)
                    tasks.start_soon(self.sample)
                    with anyio.move_on_after(options.days * DAY):
                        async for event in updates:
                            self.record(event)
                            if time.monotonic() > until:
                                print("stopped: the limit of real time is reached")
                                break
                    tasks.cancel_scope.cancel()
                self.ended = anyio.current_time()
                return updates.statistics

    def record(self, event: WatchEvent) -> None:
        """Record an event."""
        if not isinstance(event, Update):
            self.others.append(event)
        elif event.trip is not None:
            self.received[f"{event.vehicle.id}/{event.trip.id}"] += 1

    def lost(self) -> list[str]:
        """Return the trips that no event told, of those driven 1.5 intervals before the end or earlier."""
        due = self.ended - 1.5 * self.options.every * HOUR
        return [trip for trip, at in self.driven.items() if at <= due and trip not in self.received]

    def growth(self) -> int:
        """Return how many objects of the package there are more at the end than after two days.

        1 % and 200 are allowed: requests under way, and the outages of which :attr:`others` keeps the events.
        """
        after = [sample.objects for sample in self.samples if sample.day >= 2]
        return max(0, after[-1] - after[0] - after[0] // 100 - 200) if after else 0


def objects_of_the_package() -> int:
    """Return how many objects there are whose class is of the package, but for its simulator."""
    modules = (type(each).__module__ for each in gc.get_objects())
    return sum(
        isinstance(name, str) and name.startswith("stellantis_hal") and ".simulator" not in name for name in modules
    )


async def memory_of_a_trip(vehicles: int = 500, trips: int = 8) -> float:
    """Return the KiB that a simulator and this program need for a trip that was driven and read, without any client."""
    world = World(seed=12, accounts=25, vehicles=vehicles, trips=vehicles * 8, epoch=EPOCH)
    simulator = Simulator(world, epoch=EPOCH, rate_limits=SubscriptionLimits(per_second=10_000))
    books: tuple[dict[str, float], Counter[str]] = {}, Counter()
    figures: list[float] = []
    headers = {
        each.key: {
            "Authorization": f"Bearer {simulator.token_for(each).access_token}",
            "x-introspect-realm": each.realm,
        }
        for each in world.accounts
    }
    async with httpx.AsyncClient(transport=simulator.transport(), base_url=simulator.url) as client:
        for day in range(trips + 1):
            for vehicle in world.vehicles:
                trip = world.add_trip(vehicle.id, at=EPOCH + timedelta(days=day))
                books[0][f"{vehicle.id}/{trip.id}"] = 0.0
                books[1][f"{vehicle.id}/{trip.id}"] += 1
                answer = await client.get(
                    f"{simulator.url}/user/vehicles/{vehicle.id}/trips",
                    params={"client_id": simulator.client_id},
                    headers=headers[vehicle.account],
                )
                answer.raise_for_status()
            gc.collect()
            figures.append(resident_memory())
    return (figures[-1] - figures[0]) * 1024 / (vehicles * trips)


def main() -> int:
    """Run, check and print; return 1 on a lost or repeated trip, a 429, or objects that grow in number."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--vehicles", type=int, default=10_000)
    parser.add_argument("--days", type=float, default=7.0)
    parser.add_argument("--every", type=float, default=12.0, help="hours")
    parser.add_argument("--minutes", type=float, default=30.0, help="limit of real time")
    options = parser.parse_args()
    of_a_trip = anyio.run(memory_of_a_trip)
    week = Week(options)
    before, started, cpu = resident_memory(), time.monotonic(), time.process_time()
    clock = trio.testing.MockClock(autojump_threshold=0)
    statistics = anyio.run(week.run, backend="trio", backend_options={"clock": clock})
    seconds, cpu = time.monotonic() - started, time.process_time() - cpu
    counters = week.simulator.statistics
    lost, twice = week.lost(), [trip for trip, times in week.received.items() if times > 1]
    print(
        f"{options.vehicles} vehicles, {options.days} days, every {options.every} h: {seconds:.0f} s, CPU {cpu:.0f} s"
    )
    print(
        f"polls {statistics.polls}, requests {counters.requests} "
        f"(renewals {counters.renewals}, 429s {counters.refused}), "
        f"CPU for each request {cpu / counters.requests * 1e6:.0f} us with the simulator's share"
    )
    print(f"updates {statistics.updates}, unchanged {statistics.unchanged}, errors {dict(statistics.errors)}")
    outages = [event.after / HOUR for event in week.others if isinstance(event, Recovered) and event.vehicle is None]
    print(f"outages reported {sum(isinstance(event, Outage) for event in week.others)}, hours {outages}")
    print(
        f"lateness: median {statistics.lateness:.2f} s, p99 {statistics.lateness_p99:.2f} s, "
        f"most {statistics.lateness_most / HOUR:.2f} h (after the outage)"
    )
    print(f"trips driven {len(week.driven)}, lost {len(lost)}, twice {len(twice)}")
    print(f"memory: {before:.0f} MiB before; objects of the package: {week.growth()} too many at the end")
    late = [sample for sample in week.samples if sample.day >= 2]
    if len(late) > 1 and (driven := late[-1].driven - late[0].driven):
        share = (late[-1].memory - late[0].memory) * 1024 / driven
        print(
            f"memory from day {late[0].day:.1f} for each trip driven: {share:.1f} KiB; without a client {of_a_trip:.1f}"
        )
    return int(bool(lost or twice or counters.refused or week.growth()))


if __name__ == "__main__":
    sys.exit(main())
