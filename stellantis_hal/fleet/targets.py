"""Who is watched: accounts, their vehicles, and what is known of each.

Knows how a vehicle is kept small. Must not decide when anything happens.
"""

from __future__ import annotations

import math

import attrs

from stellantis_hal.client import Account
from stellantis_hal.fleet.deduplication import Checkpoint
from stellantis_hal.hal.json import rewrite
from stellantis_hal.navigation.content import LazyBody
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.structuring.source import Provenance
from stellantis_hal.transport.pipeline import RequestPipeline
from stellantis_hal.transport.rate_limit.protocol import Priority, RateLimiter

__all__ = [
    "FailureState",
    "Removed",
    "WatchedAccount",
    "WatchedVehicle",
    "limiter_of",
    "name_of",
    "rebound",
    "with_priority",
]


@attrs.frozen
class Removed:
    """Given by an asynchronous source: this is to be watched no more.

    Attributes:
        who: an account or its key, a vehicle or its id.
    """

    who: Account | Vehicle | str


class FailureState:
    """What is wrong with one thing about a vehicle."""

    __slots__ = ("failures", "passing", "since", "told", "until")

    def __init__(self, since: float) -> None:
        self.failures: int = 0
        self.since: float = since
        self.until: float = since
        self.told: bool = False
        self.passing: bool = False


class WatchedAccount:
    """An account and the vehicles found by it; or a vehicle that was given by itself, which has no account.

    Vehicles that are ``shared`` are read by another, and would be by this one if that could not.
    """

    __slots__ = (
        "account",
        "background",
        "busy",
        "empty",
        "failures",
        "key",
        "listed",
        "lost",
        "members",
        "name",
        "refusals",
        "shared",
        "was_lost",
    )

    def __init__(self, name: str, account: Account | None, max_wait: float) -> None:
        self.name: str = name
        self.account: Account | None = account
        self.background: Account | None = (
            None if account is None else account.with_options(priority="background", max_wait=max_wait)
        )
        self.key: str | None = None if account is None else account.key
        self.members: dict[str, WatchedVehicle] = {}
        self.shared: dict[str, Vehicle] = {}
        self.lost: float | None = None
        self.was_lost: bool = False
        self.failures: int = 0
        self.empty: int = 0
        self.refusals: int = 0
        self.listed: bool = account is None
        self.busy: bool = False


class WatchedVehicle:
    """A vehicle that is watched."""

    __slots__ = (
        "adapted_at",
        "asked",
        "busy",
        "checkpoint",
        "deep_at",
        "factor",
        "holding",
        "id",
        "left",
        "regular",
        "spread",
        "troubles",
        "urgent",
        "vehicle",
        "was_met",
        "weight",
    )

    def __init__(self, id_: str, holding: WatchedAccount, vehicle: Vehicle, weight: float) -> None:
        self.id: str = id_
        self.holding: WatchedAccount = holding
        self.vehicle: Vehicle = vehicle
        self.weight: float = weight
        self.asked: int = 0
        self.factor: float = 1.0
        self.adapted_at: float = float("-inf")
        self.spread: float = 1.0
        self.busy: bool = False
        self.urgent: bool = False
        self.left: bool = False
        self.was_met: bool = False
        self.checkpoint: Checkpoint | None = None
        self.deep_at: float = float("-inf")
        self.troubles: dict[str, FailureState] | None = None
        self.regular: float | None = None

    def wants(self, what: str, now: float) -> bool:
        """Tell whether something about it is to be asked for: not what is to be left alone for the present.

        Between its regular turns only what failed in passing is.
        """
        trouble = None if self.troubles is None else self.troubles.get(what)
        if trouble is None:
            return self.regular is None
        return trouble.until <= now

    @property
    def again_at(self) -> float:
        """When what failed in passing is to be asked for again; ``inf`` where nothing did."""
        if self.troubles is None:
            return math.inf
        return min((trouble.until for trouble in self.troubles.values() if trouble.passing), default=math.inf)

    def trouble(self, what: str, now: float) -> FailureState:
        """Give what is wrong with something about it, from now on."""
        if self.troubles is None:
            self.troubles = {}
        return self.troubles.setdefault(what, FailureState(now))

    def mended(self, what: str) -> FailureState | None:
        """Forget what was wrong with something about it."""
        if self.troubles is None:
            return None
        trouble = self.troubles.pop(what, None)
        if not self.troubles:
            self.troubles = None
        return trouble


def name_of(vehicle: Vehicle) -> str | None:
    """Tell by what a vehicle is known: its id, else its own address; None where it has neither."""
    return vehicle.id or (None if vehicle.resource is None else vehicle.resource.self_url)


def with_priority(vehicle: Vehicle, priority: Priority, max_wait: float | None = None) -> Vehicle:
    """Give the same vehicle with another priority of what it asks; as it is where its way to the network has none."""
    source = vehicle._bound()
    fetch = source.resource.require_context().fetch
    if not isinstance(fetch, RequestPipeline):
        return vehicle
    context = attrs.evolve(
        source.resource.require_context(), fetch=fetch.with_options(priority=priority, max_wait=max_wait)
    )
    return attrs.evolve(vehicle, source=Provenance(HalResource.load(source.resource.dump(), context), source.reader))


def limiter_of(vehicle: Vehicle) -> RateLimiter | None:
    """Tell what a vehicle's requests wait for; None where nobody knows."""
    fetch = vehicle._bound().resource.require_context().fetch
    return fetch.limiter if isinstance(fetch, RequestPipeline) else None


def rebound(account: Account, vehicle: Vehicle) -> Vehicle:
    """Give the same vehicle as seen through an account's options, without the page that it came on.

    Its document is kept as bytes: decoded it takes eight times the memory, and there may be ten thousand of them.
    """
    assert vehicle.resource is not None  # noqa: S101 - it was found by an account
    resource = account.resume(vehicle.resource)
    document = resource.document
    snapshot = attrs.evolve(resource.snapshot, content=LazyBody(rewrite(document.body), document))
    small = HalResource(snapshot, None, resource.context, resource.steps)
    return attrs.evolve(vehicle, source=Provenance(small, account._reader))
