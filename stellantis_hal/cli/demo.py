"""Concurrent poll of a simulated fleet, for ``stellantis-hal demo``."""

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
    SubscriptionLimits,
    TooManyRequests,
    World,
)

__all__ = ["BAD_DAY", "GOOD_DAY", "DemoProgressListener", "DemoResult", "DemoSettings", "DemoVehicleRow", "demonstrate"]

GOOD_DAY = Faults(latency=Latency(0.03))
"""A server that responds after 30 ms."""

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
"""A server with errors, broken connections and expired tokens."""


@attrs.frozen(kw_only=True)
class DemoSettings:
    """Settings of the demo.

    Attributes:
        accounts: number of account holders.
        vehicles: total number of vehicles.
        trips: total number of trips.
        per_second: requests per second that the API allows.
        seed: seed of the simulated world.
        faults: injected faults and latency.
    """

    accounts: int
    vehicles: int
    trips: int
    per_second: int
    seed: int
    faults: Faults = GOOD_DAY


@attrs.frozen(kw_only=True)
class DemoVehicleRow:
    """One car's row of the table.

    Attributes:
        vin: the vehicle identification number; no real car has it.
        brand: the brand.
        trips: number of trips.
        kilometres: total distance of the trips.
        position: latitude and longitude in degrees; None if unknown.
        level: battery level, or fuel level without one, in percent; None if unknown.
    """

    vin: str
    brand: str
    trips: int
    kilometres: float
    position: tuple[float, float] | None
    level: float | None


@attrs.frozen(kw_only=True)
class DemoResult:
    """Result of the demo.

    Attributes:
        rows: the vehicles, sorted by VIN.
        failures: error messages.
        requests: requests sent, without renewals of tokens.
        refused: responses with status 429.
        seconds: time from the first request to the last response.
        waited: seconds that all tasks together waited for the rate limit.
        left_today: requests left in the day window; None if the server did not send it.
    """

    rows: tuple[DemoVehicleRow, ...]
    failures: tuple[str, ...]
    requests: int
    refused: int
    seconds: float
    waited: float
    left_today: int | None


class DemoProgressListener(Protocol):
    """Callbacks for progress."""

    def on_vehicle(self, row: DemoVehicleRow) -> None:
        """Called after each car."""
        ...

    def on_response(self, requests: int, waiting: int) -> None:
        """Called after each response, with the number of responses and of tasks waiting for the rate limit."""
        ...


class _Poll:
    """One poll of a fleet."""

    def __init__(self, listener: DemoProgressListener, limiter: TokenBucketLimiter) -> None:
        self._listener = listener
        self._limiter = limiter
        self.rows: list[DemoVehicleRow] = []
        self.failures: list[str] = []
        self.statuses: Counter[int] = Counter()

    def count(self, record: ResponseRecord) -> None:
        self.statuses[record.status] += 1
        self._listener.on_response(self.statuses.total(), self._limiter.statistics.waiting)

    async def account(self, account: Account) -> None:
        async with anyio.create_task_group() as tasks:
            try:
                async for vehicle in account.vehicles():
                    tasks.start_soon(self._vehicle, vehicle)
            except StellantisError as error:
                self.failures.append(f"{account.key}: {error}")

    async def _vehicle(self, vehicle: Vehicle) -> None:
        try:
            row = await _read(vehicle)
        except StellantisError as error:
            self.failures.append(f"{vehicle.vin}: {error}")
        else:
            self.rows.append(row)
            self._listener.on_vehicle(row)


async def _read(vehicle: Vehicle) -> DemoVehicleRow:
    trips, kilometres = 0, 0.0
    async for trip in vehicle.trips():
        trips += 1
        kilometres += trip.distance or 0.0
    status = await vehicle.status()
    position = await vehicle.last_position()
    energy = None if status is None else status.electric or status.fuel
    return DemoVehicleRow(
        vin=vehicle.vin or "?",
        brand=vehicle.brand or "?",
        trips=trips,
        kilometres=kilometres,
        position=_coordinates(position),
        level=None if energy is None else energy.level,
    )


def _coordinates(position: Position | None) -> tuple[float, float] | None:
    if position is None or position.latitude is None or position.longitude is None:
        return None
    return position.latitude, position.longitude


async def demonstrate(settings: DemoSettings, listener: DemoProgressListener) -> DemoResult:
    """Simulate a fleet in this process, read it concurrently and return the result."""
    world = World(
        seed=settings.seed,
        accounts=settings.accounts,
        vehicles=settings.vehicles,
        trips=settings.trips,
        moving=True,
    )
    simulator = Simulator(
        world,
        epoch=world.epoch,
        rate_limits=SubscriptionLimits(per_second=settings.per_second, per_day=100_000),
        faults=settings.faults,
    )
    limiter = TokenBucketLimiter(RateLimits(per_second=settings.per_second), clock=simulator.now)
    poll = _Poll(listener, limiter)
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
            rows=tuple(sorted(poll.rows, key=lambda row: row.vin)),
            failures=tuple(poll.failures),
            requests=poll.statuses.total(),
            refused=poll.statuses[429],
            seconds=anyio.current_time() - start,
            waited=limiter.statistics.seconds_waited,
            left_today=client.quota.day.remaining,
        )
