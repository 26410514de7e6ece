"""Reading a fleet's trips from a server with faults of every kind, at random.

Run it long with ``python -m tests.client.chaos --requests 100000 --backend trio``; the tests run a short one. Time is
jumped, so that hours of backoff take no time.
"""

import argparse
import time
from collections import Counter
from functools import partial

import anyio
import attrs

from stellantis_hal import Account, ApiError, NetworkError, RateLimits, RetryPolicy, TokenBucketLimiter, Vehicle
from stellantis_hal.simulator import Faults, Latency, Simulator, SubscriptionLimits, World
from tests.support.clocks import jumping
from tests.support.simulated import account_of, client_of

__all__ = ["Outcome", "chaos"]


@attrs.frozen(kw_only=True)
class Outcome:
    """The result of a run.

    Attributes:
        expected: each trip of the world, by vehicle and id.
        delivered: how often each trip was delivered.
        requests: requests that reached the server.
        faults: requests among these that met a fault.
        resumed: paginations that an error ended and a page token resumed.
        waited: hours of the simulated clock.
    """

    expected: Counter[tuple[str, str]]
    delivered: Counter[tuple[str, str]]
    requests: int
    faults: int
    resumed: int
    waited: float


async def chaos(*, requests: int, seed: int, vehicles: int = 40, page_size: int = 4) -> Outcome:
    """Read the trips of a fleet, as many as take about ``requests`` requests."""
    world = World(seed=seed, accounts=max(1, vehicles // 4), vehicles=vehicles, trips=int(requests * page_size * 0.92))
    limits = SubscriptionLimits(per_second=100, per_day=10 * requests)
    faults = attrs.evolve(Faults.chaos(0.1, seed=seed), latency=Latency(0.02, uniform=0.05))
    simulator = Simulator(world, rate_limits=limits, faults=faults)
    limiter = TokenBucketLimiter(RateLimits(per_second=100, per_day=10 * requests), clock=simulator.now)
    delivered: Counter[tuple[str, str]] = Counter()
    resumed = 0

    async def walk(vehicle: Vehicle) -> None:
        nonlocal resumed
        trips, token = vehicle.trips(page_size=page_size), None
        while True:
            try:
                async for page in trips.pages(token=token):
                    delivered.update((vehicle.id or "?", trip.id or "?") for trip in page.items)
                    token = page.token
            except (ApiError, NetworkError):
                resumed += 1
                await anyio.sleep(60)
            else:
                return

    async def poll(account: Account) -> None:
        async with anyio.create_task_group() as tasks:
            for vehicle in await patiently(account):
                tasks.start_soon(walk, vehicle)

    start = anyio.current_time()
    patience = RetryPolicy(attempts=6, total=3_600)
    async with client_of(simulator, limiter=limiter, retry=patience) as client, anyio.create_task_group() as tasks:
        for holder in world.accounts:
            account = account_of(client, simulator, holder).with_options(max_wait=100_000)
            tasks.start_soon(poll, account)
    expected = Counter((vehicle.id, trip) for vehicle in world.vehicles for trip in world.trip_ids(vehicle.id))
    statistics = simulator.statistics
    return Outcome(
        expected=expected,
        delivered=delivered,
        requests=statistics.requests,
        faults=statistics.by_kind.get("fault", 0) + statistics.refused,
        resumed=resumed,
        waited=(anyio.current_time() - start) / 3600,
    )


async def patiently(account: Account) -> list[Vehicle]:
    """Read an account's vehicles, however often that takes."""
    while True:
        try:
            return await account.vehicles().collect()
        except (ApiError, NetworkError):
            await anyio.sleep(60)


def main() -> None:
    """Run it as long as asked for, and print what became of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--backend", choices=["asyncio", "trio"], default="asyncio")
    options = parser.parse_args()
    backend, settings = jumping(options.backend)
    start = time.perf_counter()
    run = partial(chaos, requests=options.requests, seed=options.seed)
    outcome = anyio.run(run, backend=backend, backend_options=dict(settings))
    print(
        f"{outcome.requests} requests, {outcome.faults} of them spoiled, {outcome.resumed} walks resumed, "
        f"{outcome.waited:.1f} simulated hours in {time.perf_counter() - start:.0f} s; "
        f"{outcome.expected.total()} trips, delivered exactly once: {outcome.delivered == outcome.expected}"
    )
    raise SystemExit(outcome.delivered != outcome.expected)


if __name__ == "__main__":
    main()
