"""A simulated vendor with a client in front of it, for tests of fleets."""

import json
import math
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import attrs

from stellantis_hal.client import Account, StellantisClient
from stellantis_hal.credentials.stores.memory import MemoryTokenStore
from stellantis_hal.credentials.token import Token
from stellantis_hal.fleet import Update, Watch, WatchEvent
from stellantis_hal.simulator import (
    BackendVariant,
    Fault,
    Faults,
    FaultWindow,
    Response,
    Simulator,
    Subscription,
    World,
)
from tests.support.simulated import account_of, client_of, token_of

__all__ = [
    "EPOCH",
    "Bent",
    "Fleet",
    "a_fleet",
    "a_fleet_newest_first",
    "trips_in",
    "until",
    "updates_of",
    "without_instants",
]

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@attrs.frozen
class Bent(Fault):
    """A body that went through a function on its way."""

    bend: Callable[[Any], None]

    def alter(self, response: Response) -> Response:
        body = json.loads(response.body)
        self.bend(body)
        return attrs.evolve(response, body=json.dumps(body).encode())


@attrs.frozen(kw_only=True)
class Fleet:
    world: World
    simulator: Simulator
    client: StellantisClient
    accounts: list[Account]
    stores: dict[str, MemoryTokenStore]

    @property
    def vehicles(self) -> list[str]:
        return [vehicle.id for vehicle in self.world.vehicles]

    def account(self, key: str) -> Account:
        """The same account holder, who consented anew."""
        return account_of(self.client, self.simulator, key, tokens=MemoryTokenStore(token_of(self.simulator, key)))

    async def lose_consent(self, key: str) -> None:
        """The account holder takes their consent back, and every access token runs out."""
        await self.stores[key].save(key, Token("gone", "gone", expires_at=EPOCH - timedelta(days=1)))
        self.simulator.expire_tokens()

    async def consent(self, key: str) -> None:
        """The account holder consents again: there is a new token in the store."""
        await self.stores[key].save(key, token_of(self.simulator, key))


@asynccontextmanager
async def a_fleet(
    *,
    vehicles: int = 4,
    accounts: int = 2,
    trips: int = 40,
    faults: Faults | None = None,
    limits: Subscription | None = None,
    world: World | None = None,
    token_lifetime: float = 3599.0,
    variant: BackendVariant | None = None,
    **options: Any,
) -> AsyncGenerator[Fleet, None]:
    world = world or World(seed=7, accounts=accounts, vehicles=vehicles, trips=trips, epoch=EPOCH)
    simulator = Simulator(
        world,
        epoch=EPOCH,
        rate_limits=limits or Subscription(),
        faults=faults or Faults(),
        token_lifetime=token_lifetime,
        variant=variant or BackendVariant(),
    )
    async with client_of(simulator, **options) as client:
        stores = {account.key: MemoryTokenStore(token_of(simulator, account.key)) for account in world.accounts}
        yield Fleet(
            world=world,
            simulator=simulator,
            client=client,
            accounts=[account_of(client, simulator, key, tokens=store) for key, store in stores.items()],
            stores=stores,
        )


async def until(updates: Watch, kind: type[WatchEvent] | None = None, *, within: float = 3_600.0, **facts: Any) -> Any:
    """Wait for an event of a kind with these facts; what comes before it is passed over."""
    with anyio.fail_after(within):
        async for event in updates:
            if (kind is None or isinstance(event, kind)) and all(
                getattr(event, name) == fact for name, fact in facts.items()
            ):
                return event
    raise AssertionError("the stream ended")


async def updates_of(updates: Watch, seconds: float) -> list[WatchEvent]:
    """Take whatever comes within so many seconds."""
    events: list[WatchEvent] = []
    with anyio.move_on_after(seconds):
        async for event in updates:
            events.append(event)  # noqa: PERF401 - what came before the end counts
    return events


def trips_in(events: Iterable[WatchEvent]) -> list[str | None]:
    return [event.trip.id for event in events if isinstance(event, Update) and event.trip is not None]


def a_fleet_newest_first(left: int) -> AbstractAsyncContextManager[Fleet]:
    """One vehicle with 300 trips, the newest first, which a first page cut down to so many does not show."""

    def cut(body: Any) -> None:
        if "prev" not in body["_links"]:
            del body["_embedded"]["trips"][left:]

    faults = Faults(windows=[FaultWindow(fault=Bent(cut), since=0.0, until=math.inf, path="/trips$")])
    return a_fleet(vehicles=1, accounts=1, trips=300, variant=BackendVariant(newest_first=True), faults=faults)


def without_instants(id_: str) -> Callable[[Any], None]:
    """Let one of the trips not say when it was."""

    def strip(body: Any) -> None:
        for trip in body["_embedded"]["trips"]:
            for name in ("startedAt", "createdAt", "stoppedAt", "updatedAt") if trip["id"] == id_ else ():
                trip.pop(name, None)

    return strip
