"""Accounts that can be polled, also fleets of a fleet owner, and what their requests pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs

from stellantis_hal.client.account import Account
from stellantis_hal.navigation.cache.fetch import uncached
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.resources.fleet import Fleet
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.transport.credentials import RenewableCredentials
from stellantis_hal.transport.pipeline import RequestPipeline
from stellantis_hal.transport.rate_limit.protocol import Priority, RateLimiter
from stellantis_hal.validation import require_type

if TYPE_CHECKING:
    from stellantis_hal.navigation.fetch_protocol import Fetch
    from stellantis_hal.navigation.pagination.paginator import Paginator

__all__ = [
    "FleetAsAccount",
    "PolledAccount",
    "Watchable",
    "as_polled",
    "credentials_of",
    "key_of",
    "limiter_of",
    "pipeline_of",
    "share_client",
]


class FleetAsAccount:
    """A fleet with the methods of an account that polling uses.

    Args:
        fleet: with an id, which is the key, and a client.

    Raises:
        ValueError: the fleet has no id.
        DetachedResourceError: it has no client.
    """

    def __init__(self, fleet: Fleet) -> None:
        if fleet.id is None:
            raise ValueError("a fleet without an id cannot be watched: read it by client.fleets() or client.fleet(id)")
        resource = fleet.require_resource()
        self._context = attrs.evolve(resource.require_context(), principal=fleet.id)
        self._fleet = attrs.evolve(fleet, resource=resource.rebind(self._context))
        self.key: str = fleet.id

    @property
    def limiter(self) -> RateLimiter | None:
        """The limiter that its requests pass; None where its fetch has none."""
        pipeline = pipeline_of(self._context.fetch)
        return None if pipeline is None else pipeline.limiter

    @property
    def credentials(self) -> object:
        """What its requests are sent with; None where its fetch has none."""
        pipeline = pipeline_of(self._context.fetch)
        return None if pipeline is None else pipeline.credentials

    @property
    def clock(self) -> Callable[[], datetime]:
        """The client's wall clock."""
        return self._context.clock

    def with_options(self, *, priority: Priority | None = None, max_wait: float | None = None) -> FleetAsAccount:
        """Return this fleet with another priority, or another bound on waiting for the limits."""
        return FleetAsAccount(self._fleet.with_options(priority=priority, max_wait=max_wait))

    def vehicles(self) -> Paginator[Vehicle]:
        """Paginate its vehicles."""
        return self._fleet.vehicles()

    def resume(self, dumped: Mapping[str, Any] | HalResource) -> HalResource:
        """Bind a resource that was dumped to the client of this fleet."""
        return HalResource.load(dumped.dump() if isinstance(dumped, HalResource) else dumped, self._context)

    async def reread(self) -> HalResource:
        """Read the fleet again, from the server."""
        resource = await self._fleet.require_resource().fetch()
        self._fleet = resource.as_(Fleet)
        return resource


PolledAccount = Account | FleetAsAccount
"""What lists the vehicles that are polled."""
Watchable = Account | Fleet | Vehicle
"""What a program names as a source."""


def as_polled(target: Watchable) -> PolledAccount | Vehicle:
    """Return what is polled: a fleet like an account, others unchanged.

    Raises:
        TypeError: it is none of them.
        ValueError: the fleet has no id.
    """
    require_type("what is watched", target, Account, Fleet, Vehicle)
    return FleetAsAccount(target) if isinstance(target, Fleet) else target


def key_of(target: Watchable | str) -> str:
    """Return the key of an account, the id of a fleet, the id of a vehicle or else its URL; a text is one of these."""
    require_type("target", target, Account, Fleet, Vehicle, str)
    if isinstance(target, str):
        return target
    if isinstance(target, Account):
        return target.key
    if isinstance(target, Fleet):
        return target.id or ""
    return target.id or (None if target.resource is None else target.resource.self_url) or ""


def share_client(one: PolledAccount, other: PolledAccount) -> bool:
    """Return whether two owners belong to one client, or to clients that share a limiter."""
    if isinstance(one, Account) and isinstance(other, Account):
        return one.shares_client(other)
    return one.limiter is not None and one.limiter is other.limiter


def pipeline_of(fetch: Fetch) -> RequestPipeline | None:
    """Return the pipeline of a fetch, below a cache; None where it is one of the program's own."""
    inner = uncached(fetch)
    return inner if isinstance(inner, RequestPipeline) else None


def limiter_of(vehicle: Vehicle) -> RateLimiter | None:
    """Return the limiter of a vehicle's requests; None where its fetch has none."""
    pipeline = pipeline_of(vehicle.require_resource().require_context().fetch)
    return None if pipeline is None else pipeline.limiter


def credentials_of(target: PolledAccount | Vehicle) -> RenewableCredentials | None:
    """Return the credentials of an account or vehicle where an identity server renews their token; None otherwise."""
    if not isinstance(target, Vehicle):
        credentials: object = target.credentials
    else:
        pipeline = pipeline_of(target.require_resource().require_context().fetch)
        credentials = None if pipeline is None else pipeline.credentials
    return credentials if isinstance(credentials, RenewableCredentials) else None
