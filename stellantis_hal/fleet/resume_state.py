"""State from which a watch resumes: what the next owner of a fleet must know to go on where this one stopped.

A store keeps them beside the checkpoints: for each vehicle when it was polled and its document, for each account when
it was listed. So the next process lists nothing again, polls nothing early, and has no more of the day's requests.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import anyio

from stellantis_hal.errors import LeaseLostError
from stellantis_hal.fleet.checkpoints.store import CheckpointStore
from stellantis_hal.fleet.fleet_as_account import PolledAccount
from stellantis_hal.fleet.resume_records import AccountRecord, RemainingBurst, SavedAccountState, VehiclePollRecord
from stellantis_hal.fleet.targets import WatchedAccount, WatchedVehicle
from stellantis_hal.hal.json import decode, encode
from stellantis_hal.resources.vehicle import Vehicle

__all__ = ["ResumeStateStore"]

R = TypeVar("R")

_log = logging.getLogger("stellantis_hal")

FLUSH_AFTER = 1.0
"""Seconds in which records are gathered before they are written together."""


class ResumeStateStore:
    """Reads and writes the records of a watch.

    Args:
        store: checkpoint store; None: keep no records.
        name: name of the watch in the store.
        wall_clock: the wall clock.
        level: returns what is left of the burst; None while nothing was polled.
    """

    def __init__(
        self,
        store: CheckpointStore | None,
        name: str,
        *,
        wall_clock: Callable[[], datetime],
        level: Callable[[], float | None],
    ) -> None:
        self._store = store
        self._name = name
        self._wall_clock = wall_clock
        self._level = level
        self._polled: dict[WatchedVehicle, float] = {}
        self._listed: dict[WatchedAccount, tuple[float, dict[str, Vehicle]]] = {}
        self._documents: dict[str, int] = {}
        self._woken = anyio.Event()

    # ------------------------------------------------------------------------------------------- keys

    def account_key(self, key: str) -> str:
        """Return the key of an account's record."""
        return f"{self._name}#account/{key}"

    def _vehicle_key(self, id_: str) -> str:
        return f"{self._name}/{id_}#turn"

    def _document_key(self, id_: str) -> str:
        return f"{self._name}/{id_}#document"

    @property
    def _pacing_key(self) -> str:
        return f"{self._name}#pacing"

    # ------------------------------------------------------------------------------------------- write

    def polled(self, watched_vehicle: WatchedVehicle, now: float) -> None:
        """Record that a vehicle was polled."""
        if self._store is not None:
            self._polled[watched_vehicle] = now
            self._woken.set()

    def listed(self, account: WatchedAccount, found: Mapping[str, Vehicle], now: float) -> None:
        """Record that an account's vehicles were listed."""
        if self._store is not None and account.key is not None:
            self._listed[account] = (now, dict(found))
            self._woken.set()

    def lost(self, account: WatchedAccount, since: datetime) -> AccountRecord:
        """Return the record of an account that was lost; the acknowledgement of `AccountLost` saves it."""
        return AccountRecord(
            listed_at=None, vehicles=tuple(account.vehicles), lost_at=since.timestamp(), failures=account.failures
        )

    async def run(self) -> None:
        """Write records as they gather, until cancelled.

        Raises:
            CheckpointError: the store failed.
        """
        while True:
            await self._woken.wait()
            await anyio.sleep(FLUSH_AFTER)
            self._woken = anyio.Event()
            await self.flush()

    async def flush(self) -> None:
        """Write what has gathered.

        Raises:
            CheckpointError: the store failed.
        """
        if self._store is None:
            return
        polled, self._polled = self._polled, {}
        listed, self._listed = self._listed, {}
        offset = self._wall_clock().timestamp() - anyio.current_time()
        contents: dict[int, tuple[CheckpointStore, dict[str, bytes]]] = {}  # a store may have no hash
        for watched_vehicle, at in polled.items():
            deep_at = watched_vehicle.deep_scan_at
            record = VehiclePollRecord(
                polled_at=at + offset,
                deep_at=deep_at + offset if math.isfinite(deep_at) else None,
                factor=watched_vehicle.interval_factor,
            )
            store = watched_vehicle.account.store
            contents.setdefault(id(store), (store, {}))[1][self._vehicle_key(watched_vehicle.id)] = record.dump()
        documents: dict[int, dict[str, int]] = {}  # digests by store and vehicle, of what is to be written
        for account, (at, found) in listed.items():
            assert account.key is not None  # noqa: S101 - only accounts are listed
            own = contents.setdefault(id(account.store), (account.store, {}))[1]
            own[self.account_key(account.key)] = AccountRecord(listed_at=at + offset, vehicles=tuple(found)).dump()
            for id_, vehicle in found.items():
                dump = vehicle.require_resource().dump()
                if self._documents.get(id_) != (digest := _digest(dump)):
                    documents.setdefault(id(account.store), {})[id_] = digest
                    own[self._document_key(id_)] = encode(dump)
        for place, (store, each) in contents.items():
            try:
                await store.save_many(each)
            except LeaseLostError:  # the next owner writes its own
                continue
            self._documents |= documents.get(place, {})
        level = self._level()
        if level is not None and contents:
            at = anyio.current_time() + offset
            await self._store.save(self._pacing_key, RemainingBurst(at=at, level=level).dump())

    # ------------------------------------------------------------------------------------------- read

    async def load_pacing(self) -> RemainingBurst | None:
        """Return what was left of the burst; None where nothing is known.

        Raises:
            CheckpointError: the store failed.
        """
        content = None if self._store is None else await self._store.load(self._pacing_key)
        return None if content is None else _read(RemainingBurst.load, content)

    async def load_account(
        self, store: CheckpointStore, account: PolledAccount, *, relist: float
    ) -> SavedAccountState | None:
        """Return an account as its last owner left it; None where it left nothing, or nothing that can be read.

        Args:
            store: the store, as the account sees it.
            account: the account.
            relist: seconds after which a listing is too old.

        Raises:
            CheckpointError: the store failed.
            LeaseLostError: the account belongs to another process.
        """
        if self._store is None:
            return None
        content = (await store.load_many([self.account_key(account.key)])).get(self.account_key(account.key))
        record = None if content is None else _read(AccountRecord.load, content)
        if record is None:
            return None
        now = self._wall_clock().timestamp()
        is_recent = record.listed_at is not None and now - relist < record.listed_at <= now + relist
        if not (is_recent or record.lost_at is not None):
            return SavedAccountState(record=record, vehicles=None, vehicle_records={})
        names = [self._document_key(id_) for id_ in record.vehicles]
        contents = await store.load_many([*names, *map(self._vehicle_key, record.vehicles)])
        dumps: dict[str, Mapping[str, Any]] = {}
        for id_, name in zip(record.vehicles, names, strict=True):
            dump = _read(_load_dump, contents[name]) if name in contents else None
            if dump is None:
                return SavedAccountState(
                    record=record, vehicles=None, vehicle_records=self._vehicle_records(record.vehicles, contents)
                )
            self._documents[id_] = _digest(dump)
            dumps[id_] = dump
        return SavedAccountState(
            record=record, vehicles=dumps, vehicle_records=self._vehicle_records(record.vehicles, contents)
        )

    async def load_vehicles(self, store: CheckpointStore, ids: Iterable[str]) -> Mapping[str, VehiclePollRecord]:
        """Return the records of vehicles that have one.

        Raises:
            CheckpointError: the store failed.
            LeaseLostError: they belong to another process.
        """
        ids = list(ids)
        if self._store is None or not ids:
            return {}
        return self._vehicle_records(ids, await store.load_many([self._vehicle_key(id_) for id_ in ids]))

    def _vehicle_records(self, ids: Iterable[str], contents: Mapping[str, bytes]) -> dict[str, VehiclePollRecord]:
        found: dict[str, VehiclePollRecord] = {}
        for id_ in ids:
            content = contents.get(self._vehicle_key(id_))
            record = None if content is None else _read(VehiclePollRecord.load, content)
            if record is not None:
                found[id_] = record
        return found


def _load_dump(content: bytes) -> Mapping[str, Any]:
    dump = decode(content)
    if not isinstance(dump, dict):
        raise ValueError("not the dump of a vehicle")
    return dump


def _digest(dump: Mapping[str, Any]) -> int:
    """Return what tells one dump of a vehicle from another, whenever each was read."""
    return hash(encode({**dump, "fetched_at": None}))


def _read(load: Callable[[bytes], R], content: bytes) -> R | None:
    """Return a record; None, with a warning, where it cannot be read: it is only there to save requests."""
    try:
        return load(content)
    except (ValueError, TypeError) as error:
        _log.warning("a record of a watch cannot be read, and is not used: %s", error)
        return None
