"""Registry of watched accounts and vehicles."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime

from stellantis_hal.errors import StellantisError
from stellantis_hal.fleet.checkpoints.store import CheckpointStore
from stellantis_hal.fleet.fleet_as_account import (
    PolledAccount,
    Watchable,
    credentials_of,
    key_of,
    limiter_of,
    share_client,
)
from stellantis_hal.fleet.resume_records import SavedAccountState, VehiclePollRecord
from stellantis_hal.fleet.targets import PollTarget, WatchedAccount, WatchedVehicle, id_of, rebind
from stellantis_hal.fleet.watching.fallback_accounts import FallbackAccounts
from stellantis_hal.fleet.watching.options import WatchOptions
from stellantis_hal.fleet.watching.pacing import PollPlanner
from stellantis_hal.hal.redaction import mask_repr
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.transport.rate_limit.protocol import RateLimiter

__all__ = ["Registry"]

_BELIEVED = 4
"""Listings in a row without any vehicle, or without a known one, that are not believed."""


class Registry:
    """Watched accounts and vehicles, and the account that polls each vehicle.

    Args:
        options: options of the watch.
        clock: wall clock; None: the one of the first client.
        store: checkpoint store.

    Attributes:
        accounts: by name; a standalone vehicle has an entry of its own.
        vehicles: by id.
        vehicle_records: those of vehicles that are about to be added, by id.
        pacing: due times and budget of these.
    """

    def __init__(self, options: WatchOptions, clock: Callable[[], datetime] | None, store: CheckpointStore) -> None:
        self.accounts: dict[str, WatchedAccount] = {}
        self.vehicles: dict[str, WatchedVehicle] = {}
        self.pacing: PollPlanner = PollPlanner(options, self.accounts, self.vehicles, clock, store.share)
        self.vehicle_records: dict[str, VehiclePollRecord] = {}
        self._store = store
        self._options = options
        self._fallbacks = FallbackAccounts()
        self._removed: set[str] = set()
        self._first_account: PolledAccount | None = None
        self._limiter: RateLimiter | None = None

    # ------------------------------------------------------------------------------------------- add

    def add(
        self,
        target: PolledAccount | Vehicle,
        now: float,
        *,
        store: CheckpointStore | None = None,
        restored: SavedAccountState | None = None,
    ) -> None:
        """Watch an account with its vehicles, or one vehicle.

        Args:
            target: the account or vehicle.
            now: the present instant.
            store: the store as its owner sees it; None: as that of now does.
            restored: the account as its last owner left it.

        Raises:
            ValueError: it belongs to another client, or another account has the same key, or the vehicle has no links.
        """
        if not isinstance(target, Vehicle):
            self._add_account(target, now, self._store.fenced(target.key) if store is None else store, restored)
        else:
            self._add_vehicle(target, now, store)

    def _add_account(
        self, account: PolledAccount, now: float, store: CheckpointStore, restored: SavedAccountState | None
    ) -> None:
        if self._first_account is None:
            if self._limiter not in (None, account.limiter):
                raise ValueError(
                    f"account {mask_repr(account.key)} belongs to another client than the watched vehicles: "
                    "start a watch for each client, or give all of them one limiter"
                )
            self._first_account = account
            self._limiter = account.limiter
            self.pacing.use_client(account.limiter, account.clock)
        elif not share_client(account, self._first_account):
            raise ValueError(
                f"account {mask_repr(account.key)} belongs to another client than the watched accounts: "
                "start a watch for each client, or give all of them one limiter"
            )
        name = f"account:{account.key}"
        known = self.accounts.get(name)
        if known is not None and known.lost_at is None:
            if known.account is not None and known.account.credentials is account.credentials:
                return
            if not known.was_lost:  # an account that never failed needs no new token: probably a mistake
                raise ValueError(
                    f"another account with the key {mask_repr(account.key)} is watched: give each account a key of its "
                    "own, or remove that one first"
                )
        watched_account = self.accounts[name] = WatchedAccount(name, account, self._options.max_wait, store)
        if known is not None:
            self._replace(known, watched_account)
        if restored is None or not self._restore(watched_account, restored, now):
            self.pacing.queue.put(watched_account, now)

    def _restore(self, account: WatchedAccount, restored: SavedAccountState, now: float) -> bool:
        """Take over an account as its last owner left it; return whether its vehicles need not be listed."""
        assert account.background is not None  # noqa: S101 - only accounts are restored
        record, age = restored.record, self.pacing.age
        if record.lost_at is not None:
            account.lost_at = now - max(0.0, age(record.lost_at))  # the wall clock may have been ahead
            account.was_lost, account.failures = True, record.failures
        self.vehicle_records.update(restored.vehicle_records)
        if restored.vehicles is None:
            return False
        try:
            for id_, dump in restored.vehicles.items():
                found = rebind(account.background, account.background.resume(dump).as_(Vehicle))
                self._update_vehicle(account, id_, found, now)
        except (ValueError, TypeError, KeyError, StellantisError):  # damaged: listed again
            return False
        account.is_listed = True
        if record.listed_at is None:
            return False
        self.pacing.schedule_listing(account, now - age(record.listed_at))
        return True

    def _replace(self, old: WatchedAccount, new: WatchedAccount) -> None:
        """Move the vehicles of an account, with their state, to a new one with the same key."""
        self.pacing.queue.drop(old)
        new.lost_at, new.was_lost, new.failures = old.lost_at, old.was_lost, old.failures
        new.empty_listings, new.empty_since = old.empty_listings, old.empty_since
        new.short_listings = old.short_listings
        assert new.background is not None  # noqa: S101 - only accounts are replaced
        old.shared.clear()
        for watched_vehicle in list(old.vehicles.values()):
            self._move(watched_vehicle, new, rebind(new.background, watched_vehicle.vehicle))

    def _add_vehicle(self, vehicle: Vehicle, now: float, store: CheckpointStore | None) -> None:
        id_ = id_of(vehicle)
        if id_ is None or vehicle.resource is None:
            raise ValueError("a vehicle without id or links cannot be watched: read it by an account")
        self._removed.discard(id_)
        if id_ in self.vehicles:
            return
        limiter = limiter_of(vehicle)
        if self._limiter is None:
            self._limiter = limiter
            self.pacing.use_client(limiter, vehicle.resource.require_context().clock)
        elif limiter is not self._limiter:
            raise ValueError(f"vehicle {id_} belongs to another client: start a watch for each client")
        account = WatchedAccount(
            f"vehicle:{id_}", None, self._options.max_wait, self._store.fenced(id_) if store is None else store
        )
        account.credentials = credentials_of(vehicle)
        self.accounts[account.name] = account
        vehicle = vehicle.with_options(priority="background", max_wait=self._options.max_wait)
        self._enter(account, id_, vehicle, now)
        self.pacing.is_plan_outdated = True

    def _enter(self, account: WatchedAccount, id_: str, vehicle: Vehicle, now: float) -> None:
        weight = 1.0 if self._options.weight is None else self._options.weight(vehicle)
        if not 0 < weight < math.inf:
            raise ValueError(f"weight must return a finite number more than 0, such as 1.0, not {weight!r}")
        watched_vehicle = WatchedVehicle(id_, account, vehicle, weight)
        self.vehicles[id_] = account.vehicles[id_] = watched_vehicle
        record = self.vehicle_records.pop(id_, None)
        if record is None:
            self.pacing.schedule_first(watched_vehicle, now)
            return
        age = self.pacing.age
        watched_vehicle.interval_factor = record.factor
        watched_vehicle.adapted_at = now - age(record.polled_at)
        if record.deep_at is not None:
            watched_vehicle.deep_scan_at = now - age(record.deep_at)
        if account.lost_at is None:
            self.pacing.schedule_restored(watched_vehicle, now - age(record.polled_at), now)

    # ------------------------------------------------------------------------------------------- remove

    def remove(self, target: Watchable | str, now: float) -> bool:
        """Stop watching an account or its key, a fleet or a vehicle or its id; return whether it was watched."""
        key = key_of(target)
        watched_vehicle = self.vehicles.get(key) if isinstance(target, Vehicle | str) else None
        if watched_vehicle is not None:
            self._removed.add(key)
            self._drop(watched_vehicle)
            return True
        account = self.accounts.pop(f"account:{key}", None)
        if account is not None:
            self.pacing.queue.drop(account)
            account.shared.clear()
            for watched_vehicle in list(account.vehicles.values()):
                if not self.fail_over(watched_vehicle, now):
                    self._drop(watched_vehicle)
        return account is not None

    def _drop(self, watched_vehicle: WatchedVehicle) -> None:
        watched_vehicle.is_removed = True
        self.pacing.queue.drop(watched_vehicle)
        self._detach(watched_vehicle)
        del self.vehicles[watched_vehicle.id]
        self._fallbacks.forget(watched_vehicle.id)

    def _detach(self, watched_vehicle: WatchedVehicle) -> None:
        account = watched_vehicle.account
        del account.vehicles[watched_vehicle.id]
        if account.is_standalone:
            del self.accounts[account.name]

    def is_watched(self, target: PollTarget) -> bool:
        """Return whether an account or vehicle is still watched."""
        if isinstance(target, WatchedAccount):
            return self.accounts.get(target.name) is target
        return self.vehicles.get(target.id) is target

    # ------------------------------------------------------------------------------------------- accounts of a vehicle

    def fail_over(self, watched_vehicle: WatchedVehicle, now: float) -> bool:
        """Move a vehicle to another account that has it; return whether there is one."""
        account = self._fallbacks.first(watched_vehicle.id)
        if account is None:
            return False
        self._move(watched_vehicle, account, account.shared.pop(watched_vehicle.id))
        self._reschedule(watched_vehicle, now)
        return True

    def _move(self, watched_vehicle: WatchedVehicle, account: WatchedAccount, vehicle: Vehicle) -> None:
        self._detach(watched_vehicle)
        watched_vehicle.account, watched_vehicle.vehicle = account, vehicle
        account.vehicles[watched_vehicle.id] = watched_vehicle

    def _reschedule(self, watched_vehicle: WatchedVehicle, now: float) -> None:
        """Schedule a vehicle that was not polled any more; one that is being polled is scheduled after that."""
        if watched_vehicle not in self.pacing.queue and not watched_vehicle.is_busy:
            self.pacing.schedule_first(watched_vehicle, now)

    def reschedule_vehicles(self, account: WatchedAccount, now: float) -> None:
        """Schedule the vehicles of an account that works again."""
        for watched_vehicle in account.vehicles.values():
            self._reschedule(watched_vehicle, now)

    def update_vehicles(
        self, account: WatchedAccount, found: Mapping[str, Vehicle], now: float
    ) -> list[WatchedVehicle]:
        """Take over a listing of an account's vehicles: add new ones, remove those that are gone.

        The API now and then leaves out some vehicles, or all: so a vehicle is gone after five listings in a row.

        Returns:
            The vehicles that are gone, and that no other account has.
        """
        is_new = not (account.vehicles or account.shared)
        if not found and not is_new and account.empty_listings < _BELIEVED:
            account.empty_listings += 1
            return []
        if found:
            account.empty_listings, account.empty_since = 0, None
        elif account.empty_since is None:
            account.empty_listings, account.empty_since = 0, now
        else:
            account.empty_listings += 1
        gone = self._remove_missing(account, found, now)
        account.shared.clear()
        for id_, vehicle in found.items():
            self._update_vehicle(account, id_, vehicle, now)
        return gone

    def _remove_missing(
        self, account: WatchedAccount, found: Mapping[str, Vehicle], now: float
    ) -> list[WatchedVehicle]:
        gone = list[WatchedVehicle]()
        account.short_listings = 0
        for watched_vehicle in list(account.vehicles.values()):
            if watched_vehicle.id in found:
                watched_vehicle.missing_listings = 0
                continue
            watched_vehicle.missing_listings += 1
            if self.fail_over(watched_vehicle, now):
                watched_vehicle.missing_listings = 0
            elif found and watched_vehicle.missing_listings <= _BELIEVED:
                account.short_listings = max(account.short_listings, watched_vehicle.missing_listings)
            else:
                self._drop(watched_vehicle)
                gone.append(watched_vehicle)
        return gone

    def _update_vehicle(self, account: WatchedAccount, id_: str, vehicle: Vehicle, now: float) -> None:
        watched_vehicle = self.vehicles.get(id_)
        if watched_vehicle is None:
            if id_ not in self._removed:
                self._enter(account, id_, vehicle, now)
            return
        current = watched_vehicle.account
        if current is account:
            watched_vehicle.vehicle = vehicle
            if watched_vehicle.retry_links(now) and watched_vehicle in self.pacing.queue:
                self.pacing.queue.put(watched_vehicle, now)
        elif current.lost_at is not None and not current.is_standalone:
            self._move(watched_vehicle, account, vehicle)
            self._reschedule(watched_vehicle, now)
        else:
            self._fallbacks.add(id_, account, vehicle)
            if current.lost_at is not None and not watched_vehicle.is_busy:
                self.pacing.queue.put(watched_vehicle, now)  # polled once more; if that fails, by this account
