"""What a fleet is made of: watched accounts and watched vehicles."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING

import attrs

from stellantis_hal.fleet.checkpoints.store import CheckpointStore, MemoryCheckpoints
from stellantis_hal.fleet.deduplication import Checkpoint
from stellantis_hal.fleet.failure_state import FailureState
from stellantis_hal.fleet.fleet_as_account import PolledAccount, credentials_of
from stellantis_hal.hal.json import rewrite
from stellantis_hal.navigation.lazy_body import LazyResponseBody
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.resources.cross_checks import OdometerReading
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.transport.credentials import RenewableCredentials

if TYPE_CHECKING:
    from stellantis_hal.fleet.watching.identity_server_outages import IdentityServerOutage
    from stellantis_hal.resources.status import Status

__all__ = ["PollTarget", "WatchedAccount", "WatchedVehicle", "account_of", "id_of", "rebind"]


class WatchedAccount:
    """A watched account with its vehicles, or the stand-in for a vehicle that was added without its account.

    Attributes:
        name: key in the registry.
        account: the account; None for a standalone vehicle.
        background: the account with background priority; None likewise.
        key: the account's key; None likewise.
        store: where its checkpoints are kept, as its owner of now sees it.
        credentials: what its requests are sent with, where a token of it can be renewed; None otherwise.
        vehicles: vehicles polled by this account, by id.
        shared: vehicles that another account polls and this one can take over, as seen by this account, by id.
        lost_at: instant at which the account failed; None while it works.
        was_lost: whether it ever failed.
        failures: failures in a row.
        listing_failing_since: instant of the first of the failures in a row that may concern everything.
        empty_listings: listings without vehicles in a row.
        empty_since: instant since which the account has no vehicles; None where it has some.
        partial_listings: listings in a row in which a vehicle had neither id nor link.
        short_listings: listings in a row in which a vehicle is missing that it had.
        identity_outage: outage of the identity server that its polls wait for; None where there is none.
        renewal_failing_since: instant of the first of the renewals in a row that failed; None otherwise.
        rejections: polls in a row that failed on the account's credentials.
        is_listed: whether its vehicles were listed, or the attempt failed.
        is_busy: whether its vehicles are being listed.
    """

    __slots__ = (
        "account",
        "background",
        "credentials",
        "empty_listings",
        "empty_since",
        "failures",
        "identity_outage",
        "is_busy",
        "is_listed",
        "key",
        "listing_failing_since",
        "lost_at",
        "name",
        "partial_listings",
        "rejections",
        "renewal_failing_since",
        "shared",
        "short_listings",
        "store",
        "vehicles",
        "was_lost",
    )

    def __init__(
        self, name: str, account: PolledAccount | None, max_wait: float, store: CheckpointStore | None = None
    ) -> None:
        self.name: str = name
        self.store: CheckpointStore = MemoryCheckpoints() if store is None else store
        self.account: PolledAccount | None = account
        self.background: PolledAccount | None = (
            None if account is None else account.with_options(priority="background", max_wait=max_wait)
        )
        self.key: str | None = None if account is None else account.key
        self.credentials: RenewableCredentials | None = None if account is None else credentials_of(account)
        self.vehicles: dict[str, WatchedVehicle] = {}
        self.shared: dict[str, Vehicle] = {}
        self.lost_at: float | None = None
        self.was_lost: bool = False
        self.failures: int = 0
        self.listing_failing_since: float | None = None
        self.empty_listings: int = 0
        self.empty_since: float | None = None
        self.partial_listings: int = 0
        self.short_listings: int = 0
        self.identity_outage: IdentityServerOutage | None = None
        self.renewal_failing_since: float | None = None
        self.rejections: int = 0
        self.is_listed: bool = account is None
        self.is_busy: bool = False

    @property
    def is_standalone(self) -> bool:
        """Whether this stands for a vehicle that was added without its account."""
        return self.account is None


class WatchedVehicle:
    """A watched vehicle.

    Attributes:
        id: its id, or its URL where it has no id.
        account: the account that polls it.
        vehicle: the vehicle as that account sees it.
        weight: how much more often than others it is polled.
        requests: requests of the current poll.
        interval_factor: factor of the interval, by the last status.
        adapted_at: instant at which that factor was computed.
        spread: fraction of the interval over which the first polls were spread.
        is_busy: whether it is being polled.
        is_urgent: whether a poll was requested by `poll_now`.
        is_removed: whether it is no longer watched.
        is_initialized: whether its first poll is done, so that the cost of the next one is typical.
        checkpoint: its checkpoint; None until it is loaded.
        deep_scan_at: instant of the next deep scan for late trips.
        odometer: its odometer after the last trip that was delivered; None before, or where that does not tell it.
        reported_mileage: the mileage of the last status that was delivered, and the instant of it; likewise.
        missing_listings: listings of its account in a row that did not have it.
        failures: failure states by kind of data; None where there are none.
        regular_due: instant of the next regular poll, while a retry is due before it; None otherwise.
        must_poll: whether the next urgent turn polls it; otherwise that reports pushed statuses only.
        pushed: statuses of notifications that were not reported yet.
        fed_until: instant until which notifications are counted on.
        snapshots_at: instant of the last poll of a kind of data that notifications may stand for.
    """

    __slots__ = (
        "account",
        "adapted_at",
        "checkpoint",
        "deep_scan_at",
        "failures",
        "fed_until",
        "id",
        "interval_factor",
        "is_busy",
        "is_initialized",
        "is_removed",
        "is_urgent",
        "missing_listings",
        "must_poll",
        "odometer",
        "pushed",
        "regular_due",
        "reported_mileage",
        "requests",
        "snapshots_at",
        "spread",
        "vehicle",
        "weight",
    )

    def __init__(self, id_: str, account: WatchedAccount, vehicle: Vehicle, weight: float) -> None:
        self.id: str = id_
        self.account: WatchedAccount = account
        self.vehicle: Vehicle = vehicle
        self.weight: float = weight
        self.requests: int = 0
        self.interval_factor: float = 1.0
        self.adapted_at: float = float("-inf")
        self.spread: float = 1.0
        self.is_busy: bool = False
        self.is_urgent: bool = False
        self.is_removed: bool = False
        self.is_initialized: bool = False
        self.checkpoint: Checkpoint | None = None
        self.deep_scan_at: float = float("-inf")
        self.odometer: OdometerReading | None = None
        self.reported_mileage: tuple[float, datetime] | None = None
        self.missing_listings: int = 0
        self.failures: dict[str, FailureState] | None = None
        self.regular_due: float | None = None
        self.must_poll: bool = False
        self.pushed: list[Status] = []
        self.fed_until: float = float("-inf")
        self.snapshots_at: float = float("-inf")

    def should_poll(self, what: str, now: float) -> bool:
        """Return whether a kind of data is to be polled now: not while it backs off.

        A poll before the next regular one repeats only what failed transiently.
        """
        state = None if self.failures is None else self.failures.get(what)
        if state is None:
            return self.regular_due is None
        return state.retry_at <= now

    @property
    def retry_at(self) -> float:
        """Instant of the first retry of a transient failure; ``inf`` where there is none."""
        if self.failures is None:
            return math.inf
        return min((state.retry_at for state in self.failures.values() if state.is_transient), default=math.inf)

    def retry_links(self, now: float) -> bool:
        """Let what failed for want of a link that the vehicle has now be polled; return whether there is any."""
        resource = self.vehicle.resource
        found = False
        for state in (self.failures or {}).values():
            if state.missing_rel is not None and resource is not None and resource.can(state.missing_rel):
                state.retry_at, state.missing_rel, found = now, None, True
        return found

    def failure_state(self, what: str, now: float) -> FailureState:
        """Return the failure state of a kind of data; a new one where it has none."""
        if self.failures is None:
            self.failures = {}
        return self.failures.setdefault(what, FailureState(now))

    def clear_failure(self, what: str) -> FailureState | None:
        """Remove and return the failure state of a kind of data; None where it has none."""
        if self.failures is None:
            return None
        state = self.failures.pop(what, None)
        if not self.failures:
            self.failures = None
        return state


PollTarget = WatchedVehicle | WatchedAccount
"""What a poll reads: a vehicle's data, or the list of an account's vehicles."""


def account_of(target: PollTarget) -> WatchedAccount:
    """Return the account that polls a target."""
    return target if isinstance(target, WatchedAccount) else target.account


def id_of(vehicle: Vehicle) -> str | None:
    """Return the id of a vehicle, else its own URL; None where it has neither."""
    return vehicle.id or (None if vehicle.resource is None else vehicle.resource.self_url)


def rebind(account: PolledAccount, vehicle: Vehicle) -> Vehicle:
    """Return the vehicle bound to an account and its options, without the page that it was found on.

    Its document is kept as bytes: decoded it takes eight times the memory, and a fleet may have ten thousand of them.
    """
    assert vehicle.resource is not None  # noqa: S101 - it was found by an account
    resource = account.resume(vehicle.resource)
    document = resource.document
    snapshot = attrs.evolve(resource.snapshot, content=LazyResponseBody(rewrite(document.body), document))
    small = HalResource(snapshot, None, resource.context, resource.steps)
    return attrs.evolve(vehicle, resource=small)
