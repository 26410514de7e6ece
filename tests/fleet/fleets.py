"""Simulated fleets, and helpers that read their updates."""

import json
import math
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import attrs

from stellantis_hal.client.account import Account
from stellantis_hal.client.stellantis_client import StellantisClient
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
    SubscriptionLimits,
    World,
)
from tests.support.simulated import account_of, client_of, token_of

__all__ = [
    "EPOCH",
    "ChangedBody",
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
class ChangedBody(Fault):
    """A response body that a function changes."""

    change: Callable[[Any], None]

    def alter(self, response: Response) -> Response:
        body = json.loads(response.body)
        self.change(body)
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
        """Return the account with a new token, as after a new consent."""
        return account_of(self.client, self.simulator, key, tokens=MemoryTokenStore(token_of(self.simulator, key)))

    async def lose_consent(self, key: str) -> None:
        """Revoke the consent of an account, and expire all access tokens."""
        await self.stores[key].save(key, Token("gone", "gone", expires_at=EPOCH - timedelta(days=1)))
        self.simulator.expire_tokens()

    async def consent(self, key: str) -> None:
        """Put a new token into the store of an account, as after a new consent."""
        await self.stores[key].save(key, token_of(self.simulator, key))


@asynccontextmanager
async def a_fleet(
    *,
    vehicles: int = 4,
    accounts: int = 2,
    trips: int = 40,
    faults: Faults | None = None,
    limits: SubscriptionLimits | None = None,
    world: World | None = None,
    token_lifetime: float = 3599.0,
    variant: BackendVariant | None = None,
    **options: Any,
) -> AsyncGenerator[Fleet, None]:
    world = world or World(seed=7, accounts=accounts, vehicles=vehicles, trips=trips, epoch=EPOCH)
    simulator = Simulator(
        world,
        epoch=EPOCH,
        rate_limits=limits or SubscriptionLimits(),
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


async def until(
    updates: Watch, kind: type[WatchEvent] | None = None, *, within: float = 3_600.0, **attributes: Any
) -> Any:
    """Return the next event of a kind with these attributes; skip those before it."""
    with anyio.fail_after(within):
        async for event in updates:
            if (kind is None or isinstance(event, kind)) and all(
                getattr(event, name) == value for name, value in attributes.items()
            ):
                return event
    raise AssertionError("the stream ended")


async def updates_of(updates: Watch, seconds: float) -> list[WatchEvent]:
    """Return the events of so many seconds."""
    events: list[WatchEvent] = []
    with anyio.move_on_after(seconds):
        async for event in updates:
            events.append(event)  # noqa: PERF401 - events before the timeout are kept
    return events


def trips_in(events: Iterable[WatchEvent]) -> list[str | None]:
    return [event.trip.id for event in events if isinstance(event, Update) and event.trip is not None]


def a_fleet_newest_first(left: int) -> AbstractAsyncContextManager[Fleet]:
    """Return one vehicle with 300 trips, newest first, whose first page has only ``left`` trips: too few to show it."""

    def cut(body: Any) -> None:
        if "prev" not in body["_links"]:
            del body["_embedded"]["trips"][left:]

    faults = Faults(windows=[FaultWindow(fault=ChangedBody(cut), since=0.0, until=math.inf, path="/trips$")])
    return a_fleet(vehicles=1, accounts=1, trips=300, variant=BackendVariant(newest_first=True), faults=faults)


def without_instants(id_: str) -> Callable[[Any], None]:
    """Return a function that removes the timestamps of a trip from a page."""

    def strip(body: Any) -> None:
        for trip in body["_embedded"]["trips"]:
            for name in ("startedAt", "createdAt", "stoppedAt", "updatedAt") if trip["id"] == id_ else ():
                trip.pop(name, None)

    return strip
