"""A fleet, polled: what ``stellantis-hal demo`` does.

Knows the public face of the library and the simulator. Must not print.
"""

from __future__ import annotations

from collections import Counter
from typing import Protocol

import anyio
import attrs

from stellantis_hal import (
    Account,
    Application,
    Brand,
    Hooks,
    Position,
    RateLimits,
    ResponseRecord,
    StellantisClient,
    StellantisError,
    Token,
    TokenBucketLimiter,
    Vehicle,
)
from stellantis_hal.simulator import (
    CutBody,
    ExpiredToken,
    Faults,
    HtmlError,
    Latency,
    RandomFault,
    Reset,
    ServerFault,
    Simulator,
    Subscription,
    TooManyRequests,
    World,
)

__all__ = ["BAD_DAY", "GOOD_DAY", "DemoResult", "DemoSettings", "ProgressListener", "VehicleRow", "demonstrate"]

GOOD_DAY = Faults(latency=Latency(0.03))
"""A server that answers after 30 ms."""

BAD_DAY = Faults(
    latency=Latency(0.03, tail=0.1),
    random=[
        RandomFault(fault=ServerFault(status=503), rate=0.05, run=3),
        RandomFault(fault=Reset(), rate=0.03),
        RandomFault(fault=CutBody(), rate=0.02),
        RandomFault(fault=HtmlError(), rate=0.02),
        RandomFault(fault=TooManyRequests(), rate=0.01),
        RandomFault(fault=ExpiredToken(), rate=0.02),
    ],
)
"""A server on one of its bad days."""


@attrs.frozen(kw_only=True)
class DemoSettings:
    """What to simulate.

    Attributes:
        accounts: account holders.
        vehicles: all together.
        trips: all together.
        per_second: requests that the API allows.
        seed: of the world.
        faults: what goes wrong.
    """

    accounts: int
    vehicles: int
    trips: int
    per_second: int
    seed: int
    faults: Faults = GOOD_DAY


@attrs.frozen(kw_only=True)
class VehicleRow:
    """One vehicle, as it was read.

    Attributes:
        vin: the vehicle identification number, of no real car.
        brand: its brand.
        trips: how many.
        kilometres: all of them together.
        position: latitude and longitude, degrees; None where unknown.
        level: of its electric energy, else of its fuel, percent; None where unknown.
    """

    vin: str
    brand: str
    trips: int
    kilometres: float
    position: tuple[float, float] | None
    level: float | None


@attrs.frozen(kw_only=True)
class DemoResult:
    """The whole fleet, and what reading it took.

    Attributes:
        lines: the vehicles, by VIN.
        failures: what went wrong, in words.
        requests: sent, token renewals not counted.
        refused: of these, answered with 429.
        seconds: from the first request to the last answer.
        waited: seconds that tasks waited for the rate limit, added up.
        left_today: requests left in the day window; None where the server did not say.
    """

    lines: tuple[VehicleRow, ...]
    failures: tuple[str, ...]
    requests: int
    refused: int
    seconds: float
    waited: float
    left_today: int | None


class ProgressListener(Protocol):
    """Who wants to know how it goes."""

    def read(self, line: VehicleRow) -> None:
        """A vehicle has been read."""
        ...

    def answered(self, requests: int, waiting: int) -> None:
        """An answer came: how many there have been, and how many tasks wait for the limit."""
        ...


class _Poll:
    """One pass over a fleet."""

    def __init__(self, audience: ProgressListener, limiter: TokenBucketLimiter) -> None:
        self._audience = audience
        self._limiter = limiter
        self.lines: list[VehicleRow] = []
        self.failures: list[str] = []
        self.statuses: Counter[int] = Counter()

    def count(self, record: ResponseRecord) -> None:
        self.statuses[record.status] += 1
        self._audience.answered(self.statuses.total(), self._limiter.statistics.waiting)

    async def account(self, account: Account) -> None:
        async with anyio.create_task_group() as tasks:
            try:
                async for vehicle in account.vehicles():
                    tasks.start_soon(self._vehicle, vehicle)
            except StellantisError as error:
                self.failures.append(f"{account.key}: {error}")

    async def _vehicle(self, vehicle: Vehicle) -> None:
        try:
            line = await _read(vehicle)
        except StellantisError as error:
            self.failures.append(f"{vehicle.vin}: {error}")
        else:
            self.lines.append(line)
            self._audience.read(line)


async def _read(vehicle: Vehicle) -> VehicleRow:
    trips, kilometres = 0, 0.0
    async for trip in vehicle.trips():
        trips += 1
        kilometres += trip.distance or 0.0
    status = await vehicle.status()
    position = await vehicle.last_position()
    energy = None if status is None else status.electric or status.fuel
    return VehicleRow(
        vin=vehicle.vin or "?",
        brand=vehicle.brand or "?",
        trips=trips,
        kilometres=kilometres,
        position=_place(position),
        level=None if energy is None else energy.level,
    )


def _place(position: Position | None) -> tuple[float, float] | None:
    if position is None or position.latitude is None or position.longitude is None:
        return None
    return position.latitude, position.longitude


async def demonstrate(plan: DemoSettings, audience: ProgressListener) -> DemoResult:
    """Simulate a fleet in this process, read all of it concurrently, and tell what it took."""
    world = World(seed=plan.seed, accounts=plan.accounts, vehicles=plan.vehicles, trips=plan.trips)
    simulator = Simulator(
        world,
        rate_limits=Subscription(per_second=plan.per_second, per_day=100_000),
        faults=plan.faults,
    )
    limiter = TokenBucketLimiter(RateLimits(per_second=plan.per_second), clock=simulator.now)
    poll = _Poll(audience, limiter)
    start = anyio.current_time()
    async with StellantisClient(
        Application(simulator.client_id, simulator.client_secret),
        base_url=simulator.url,
        identity_url=simulator.identity_url,
        transport=simulator.transport(),
        limiter=limiter,
        hooks=Hooks(on_response=poll.count),
        clock=simulator.now,
    ) as client:
        async with anyio.create_task_group() as tasks:
            for holder in world.accounts:
                issued = simulator.token_for(holder)
                token = Token(issued.access_token, issued.refresh_token, expires_at=issued.expires_at)
                account = client.account(token, brand=Brand[holder.brand.upper().replace("Ë", "E")], key=holder.key)
                tasks.start_soon(poll.account, account.with_options(max_wait=3_600))
        return DemoResult(
            lines=tuple(sorted(poll.lines, key=lambda line: line.vin)),
            failures=tuple(poll.failures),
            requests=poll.statuses.total(),
            refused=poll.statuses[429],
            seconds=anyio.current_time() - start,
            waited=limiter.statistics.seconds_waited,
            left_today=client.quota.day.remaining,
        )
