"""Inbox in an SQLite file."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import anyio
import attrs

from stellantis_hal.hal.clock import utc_now
from stellantis_hal.hal.log_throttling import LogThrottle
from stellantis_hal.notifications.inbox import (
    MEMORY,
    SECOND_CONSUMER,
    EventVehicle,
    InboxError,
    InboxStatistics,
    IncomingEvent,
    StoredEvent,
    require_bounds,
)
from stellantis_hal.storage.errors import StorageError
from stellantis_hal.storage.file_lock import FileLock
from stellantis_hal.storage.sqlite import SQLiteDatabase, undecoded_text
from stellantis_hal.storage.threads import run_to_end
from stellantis_hal.transport.running_loop import LoopHandle

__all__ = ["SQLiteInbox"]

T = TypeVar("T")

_logger = logging.getLogger(__name__)

_BUSY_TIMEOUT = 5.0
_POLL = 1.0  # seconds after which events that another process has stored are noticed
_CLEANING = timedelta(minutes=1)
_CLEANED_AT_ONCE = 1_000  # rows
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)

_EPOCH: Final = 0.0
_YEAR_9999: Final = 253_370_764_800.0
_ACKNOWLEDGED: Final = 1  # a state, beside 0 (waits) and 2 (set aside)

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS events (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        state INTEGER NOT NULL DEFAULT 0,
        kind TEXT NOT NULL,
        content BLOB,
        is_verified INTEGER NOT NULL,
        is_bounded INTEGER NOT NULL,
        received_at REAL NOT NULL,
        acknowledged_at REAL,
        reason TEXT NOT NULL,
        size INTEGER NOT NULL,
        source_id TEXT,
        callback_id TEXT,
        vin TEXT,
        attempts INTEGER NOT NULL DEFAULT 0,
        consumer TEXT
    )""",
    "CREATE INDEX IF NOT EXISTS events_waiting ON events (number) WHERE state = 0",
    "CREATE INDEX IF NOT EXISTS events_dead ON events (number) WHERE state = 2",
    "CREATE INDEX IF NOT EXISTS events_bounded ON events (number, length(content)) WHERE is_bounded",
    "CREATE INDEX IF NOT EXISTS events_acknowledged ON events (received_at) WHERE state = 1",
    "CREATE TABLE IF NOT EXISTS owners (source_id TEXT PRIMARY KEY, vin TEXT, vehicle_id TEXT NOT NULL) WITHOUT ROWID",
)


class SQLiteInbox:
    """An inbox in an SQLite file, read and written in a thread of its own.

    What is stored survives the end of the process and a power failure. The events of a body are stored in one
    transaction, those of bodies that arrive together too. Several processes may use one file: each may receive, one
    at a time consumes. Use it as ``async with SQLiteInbox(path) as inbox``, or call :meth:`aclose`.

    Events show where vehicles are: a new file is readable by its owner only.

    Args:
        path: the file; its folder has to exist.
        keep: how long acknowledged events stay in the file; None: their contents are removed at once. Their identities
            are remembered for four days in any case.
        dead_after: failures of its consumer after which an event is set aside; see :meth:`revive`.
        max_unverified: unverified and unreadable events at most; the oldest are removed, which is logged.
        max_unverified_bytes: bytes of those events at most.
        clock: returns the wall time.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        keep: timedelta | None = None,
        dead_after: int = 5,
        max_unverified: int = 1_000,
        max_unverified_bytes: int = 10 * 1024 * 1024,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        require_bounds(dead_after, max_unverified, max_unverified_bytes, keep)
        self._database = SQLiteDatabase(path, schema=_SCHEMA, busy_timeout=_BUSY_TIMEOUT)
        self._keep = keep or timedelta()
        self._dead_after = dead_after
        self._max_rows, self._max_bytes = max_unverified, max_unverified_bytes
        self._clock = clock
        self._cleaned_at = _LONG_AGO
        self._waiters: dict[object, tuple[LoopHandle, anyio.Event]] = {}
        self._stored = 0
        self._dropped = LogThrottle()
        self._duplicates = 0
        self._is_consumed = False
        self._lock_path = None if self._database.path == ":memory:" else Path(path).absolute()

    # ------------------------------------------------------------------------------------------- receiving

    async def put(self, entries: Sequence[IncomingEvent]) -> Sequence[StoredEvent]:
        """Store events in one transaction; return those of them that are new.

        Raises:
            InboxError: nothing was stored: the file cannot be written, or stayed locked for 5 s.
        """
        now = self._clock()
        cleans = abs(now - self._cleaned_at) >= _CLEANING
        if cleans:
            self._cleaned_at = now
        new, dropped, must_go_on = await self._write(partial(self._insert, entries, now if cleans else None))
        if must_go_on:  # what is too old goes with the next events, a thousand at a time
            self._cleaned_at = _LONG_AGO
        self._duplicates += len(entries) - len(new)
        if dropped and self._dropped.is_told(dropped):
            _logger.warning(
                "the inbox %s has removed the oldest %d unverified or unreadable events so far: it keeps %d, and "
                "%d bytes, of them. Compare the receiver's token with that of the callback",
                self._database.path,
                self._dropped.count,
                self._max_rows,
                self._max_bytes,
            )
        self._stored += 1
        for loop, event in list(self._waiters.values()):
            loop.call_soon(event.set)
        return new

    def _insert(
        self, entries: Sequence[IncomingEvent], clean_at: datetime | None, connection: sqlite3.Connection
    ) -> tuple[list[StoredEvent], int, bool]:
        new = [stored for entry in entries if (stored := _insert_one(entry, connection)) is not None]
        dropped = self._drop(connection) if any(stored.entry.is_bounded for stored in new) else 0
        must_go_on = clean_at is not None and self._clean(clean_at.timestamp(), connection)
        return new, dropped, must_go_on

    def _drop(self, connection: sqlite3.Connection) -> int:
        """Remove bounded events beyond the bounds, acknowledged ones first; return how many waited."""
        rows: list[tuple[int, int, int]] = connection.execute(
            "SELECT number, coalesce(length(content), 0), state FROM events WHERE is_bounded"
        ).fetchall()
        rows.sort(key=lambda row: (row[2] != _ACKNOWLEDGED, row[0]))
        excess, total = len(rows) - self._max_rows, sum(size for _, size, _ in rows)
        dropped = 0
        for number, size, state in rows:
            if excess <= 0 and total <= self._max_bytes:
                break
            connection.execute("DELETE FROM events WHERE number = ?", (number,))
            excess, total = excess - 1, total - size
            dropped += state != _ACKNOWLEDGED
        return dropped

    def _clean(self, now: float, connection: sqlite3.Connection) -> bool:
        """Remove some of what was acknowledged and need not be kept or remembered; return whether there may be more."""
        kept, remembered = now - self._keep.total_seconds(), now - MEMORY.total_seconds()
        removed = connection.execute(
            "DELETE FROM events WHERE number IN (SELECT number FROM events"
            " WHERE state = 1 AND received_at <= ? AND acknowledged_at <= ? LIMIT ?)",
            (remembered, kept, _CLEANED_AT_ONCE),
        ).rowcount
        emptied = 0
        if self._keep:
            emptied = connection.execute(
                "UPDATE events SET content = NULL WHERE number IN (SELECT number FROM events"
                " WHERE state = 1 AND content IS NOT NULL AND acknowledged_at <= ? LIMIT ?)",
                (kept, _CLEANED_AT_ONCE),
            ).rowcount
        return max(removed, emptied) == _CLEANED_AT_ONCE

    # ------------------------------------------------------------------------------------------- consuming

    async def next(self, consumer: str, acknowledge: int | None = None) -> StoredEvent:
        """Acknowledge an event, then return the oldest one that waits; wait until there is one.

        Raises:
            InboxError: the acknowledgement was not stored, or nothing can be read.
        """
        while True:
            stored = self._stored
            entry, dead, damaged = await self._write(partial(self._take, consumer, acknowledge), durable=False)
            acknowledge = None
            for number in damaged:
                _logger.error(
                    "event %d of the inbox %s was set aside: its row is damaged, or another program's",
                    number,
                    self._database.path,
                )
            for number in dead:
                _logger.error(
                    "event %d of the inbox %s was set aside: its consumer has failed %d times. See revive()",
                    number,
                    self._database.path,
                    self._dead_after,
                )
            if entry is not None:
                return entry
            await self._wait(stored)

    async def _wait(self, stored: int) -> None:
        """Wait until this object has stored more events, or another process may have."""
        key, event = object(), anyio.Event()
        self._waiters[key] = LoopHandle(), event
        try:
            if self._stored == stored:
                with anyio.move_on_after(_POLL):
                    await event.wait()
        finally:
            del self._waiters[key]

    def _take(
        self, consumer: str, acknowledge: int | None, connection: sqlite3.Connection
    ) -> tuple[StoredEvent | None, list[int], list[int]]:
        if acknowledge is not None:
            self._acknowledge(acknowledge, connection)
        dead: list[int] = []
        damaged: list[int] = []
        while True:
            with undecoded_text(connection):
                row = connection.execute(_OLDEST).fetchone()
            if row is None:
                return None, dead, damaged
            number, attempts, is_same = row[0], row[11], row[12] == consumer
            stored = _read_row(row)
            if stored is None:
                connection.execute("UPDATE events SET state = 2 WHERE number = ?", (number,))
                damaged.append(number)
                continue
            if attempts >= self._dead_after and not is_same:
                connection.execute("UPDATE events SET state = 2 WHERE number = ?", (number,))
                dead.append(number)
                continue
            if not is_same:
                attempts += 1
                connection.execute(
                    "UPDATE events SET attempts = ?, consumer = ? WHERE number = ?", (attempts, consumer, number)
                )
            return attrs.evolve(stored, attempts=attempts), dead, damaged

    def _acknowledge(self, number: int, connection: sqlite3.Connection) -> None:
        connection.execute(
            "UPDATE events SET state = 1, acknowledged_at = ?, consumer = NULL,"
            " content = CASE WHEN ? THEN content END WHERE number = ? AND state = 0",
            (self._clock().timestamp(), bool(self._keep), number),
        )

    async def acknowledge(self, number: int) -> None:
        """Acknowledge an event without asking for the next.

        Raises:
            InboxError: it was not stored.
        """
        await self._write(partial(self._acknowledge, number), durable=False)

    async def release(self, consumer: str) -> None:
        """Put back the event that a consumer has, as if it had not been given."""
        await self._write(partial(_release, consumer), durable=False)

    @asynccontextmanager
    async def consuming(self) -> AsyncGenerator[None, None]:
        """Be the only consumer within the ``async with``, by a lock file; wait while another process is.

        Raises:
            RuntimeError: another stream of this object is.
            InboxError: the lock file cannot be made.
        """
        if self._is_consumed:
            raise RuntimeError(SECOND_CONSUMER)
        self._is_consumed = True
        lock: FileLock | None = None
        try:
            if self._lock_path is not None:
                path = self._lock_path.resolve()  # locks are beside the file that links lead to
                lock = FileLock(path.with_name(f".{path.name}.consumer.lock"))
                await self._wait_for(lock)
            yield
        finally:
            self._is_consumed = False
            if lock is not None:
                with anyio.CancelScope(shield=True):  # removing a file
                    await run_to_end(lock.release)

    async def _wait_for(self, lock: FileLock) -> None:
        said = False
        while True:
            try:
                if await run_to_end(lock.acquire):
                    return
            except OSError as error:
                raise InboxError(f"the consumer of {self._database.path} cannot be locked: {error}") from error
            if not said:
                _logger.warning("another process consumes the inbox %s: waiting until it ends", self._database.path)
                said = True
            await anyio.sleep(_POLL)

    # ------------------------------------------------------------------------------------------- keeping

    def register(self, source_id: str, owner: EventVehicle) -> None:
        """Record the vehicle of a monitor or an operation, without waiting for the file."""
        self._database.write_later(partial(_register, source_id, owner))

    async def forget(
        self, *, vins: Collection[str] = (), vehicle_ids: Collection[str] = (), callback_ids: Collection[str] = ()
    ) -> int:
        """Remove the events of vehicles and callbacks, acknowledged and set aside ones too; return their number.

        Raises:
            InboxError: nothing was removed.
        """
        return await self._write(partial(_forget, set(vins), set(vehicle_ids), set(callback_ids)))

    async def statistics(self) -> InboxStatistics:
        """Return what it holds.

        Raises:
            InboxError: the file cannot be read.
        """
        waiting, dead, bounded = await self._write(_count)
        return InboxStatistics(
            waiting=waiting,
            dead=dead,
            bounded=bounded,
            dropped=self._dropped.count,
            refused_duplicates=self._duplicates,
        )

    async def revive(self) -> int:
        """Let the events that were set aside wait again; return their number.

        Raises:
            InboxError: the file cannot be written.
        """
        return await self._write(_revive)

    async def aclose(self) -> None:
        """Close the file and end its thread; the next call opens it again."""
        await self._database.aclose()

    async def __aenter__(self) -> Self:
        """Open the file.

        Raises:
            InboxError: it cannot be written.
        """
        try:
            await self._database.check()
        except StorageError as error:
            raise InboxError(f"the inbox cannot be used: {error}") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):  # bounded by the busy timeout
            await self.aclose()

    async def _write(self, function: Callable[[sqlite3.Connection], T], *, durable: bool = True) -> T:
        """Change the file; acknowledgements wait for no disk, and are given again after a power failure."""
        try:
            return await self._database.write_grouped(function, durable=durable)
        except StorageError as error:
            raise InboxError(f"the inbox cannot be used: {error}") from error


_OLDEST: Final = (
    "SELECT number, id, kind, content, is_verified, received_at, reason, size, source_id, callback_id,"
    " events.vin, attempts, consumer, owners.vin, vehicle_id"
    " FROM events LEFT JOIN owners USING (source_id) WHERE state = 0 ORDER BY number LIMIT 1"
)
_INSERT: Final = (
    "INSERT OR IGNORE INTO events (id, kind, content, is_verified, is_bounded, received_at, reason, size, source_id,"
    " callback_id, vin) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def _insert_one(entry: IncomingEvent, connection: sqlite3.Connection) -> StoredEvent | None:
    """Insert an event; return it, or None where its identity is known."""
    source_id = _storable(entry.source_id)
    values = (
        entry.id,
        entry.kind,
        entry.content,
        entry.is_verified,
        entry.is_bounded,
        entry.received_at.timestamp(),
        _storable(entry.reason),
        entry.size,
        source_id,
        _storable(entry.callback_id),
        _storable(entry.vin),
    )
    inserted = connection.execute(_INSERT, values)
    if inserted.rowcount < 1:
        if not entry.is_verified:
            return None
        # What was stored may have come from anybody: the verified one takes its place, at the end of the queue.
        if connection.execute("DELETE FROM events WHERE id = ? AND NOT is_verified", (entry.id,)).rowcount < 1:
            return None
        inserted = connection.execute(_INSERT, values)
    row: tuple[Any, Any] | None = None
    if source_id is not None:
        with undecoded_text(connection):  # a damaged owner is found when the event is taken
            row = connection.execute("SELECT vin, vehicle_id FROM owners WHERE source_id = ?", (source_id,)).fetchone()
    owner = EventVehicle(vin=row[0], vehicle_id=row[1]) if row is not None and all(map(_is_text, row)) else None
    return StoredEvent(number=inserted.lastrowid or 0, entry=entry, owner=owner, attempts=0)


def _storable(value: str | None) -> str | None:
    """Return text that SQLite takes: without lone surrogates."""
    return None if value is None else value.encode("utf-8", "replace").decode()


def _read_row(row: tuple[Any, ...]) -> StoredEvent | None:
    """Return a row as an event; None where it has values that are never written."""
    number, identity, kind, content, is_verified, received_at, reason, size, source_id, callback_id, vin = row[:11]
    attempts, _, owner_vin, vehicle_id = row[11:]
    texts = (identity, kind, reason)
    numbers = type(size) is type(attempts) is int and type(received_at) is float
    if not (numbers and isinstance(content, bytes) and all(isinstance(text, str) for text in texts)):
        return None
    if not all(map(_is_text, (source_id, callback_id, vin, owner_vin, vehicle_id))):
        return None
    if not _EPOCH <= received_at < _YEAR_9999:
        return None
    entry = IncomingEvent(
        id=identity,
        kind=kind,
        content=content,
        is_verified=bool(is_verified),
        received_at=datetime.fromtimestamp(received_at, UTC),
        reason=reason,
        size=size,
        source_id=source_id,
        callback_id=callback_id,
        vin=vin,
    )
    owner = None if vehicle_id is None else EventVehicle(vin=owner_vin, vehicle_id=vehicle_id)
    return StoredEvent(number=number, entry=entry, owner=owner, attempts=attempts)


def _is_text(value: object) -> bool:
    """Return whether a value is text or null; text that is not UTF-8 was read as bytes."""
    return value is None or isinstance(value, str)


def _release(consumer: str, connection: sqlite3.Connection) -> None:
    connection.execute(
        "UPDATE events SET attempts = attempts - 1, consumer = NULL WHERE state = 0 AND consumer = ?", (consumer,)
    )


def _register(source_id: str, owner: EventVehicle, connection: sqlite3.Connection) -> None:
    connection.execute(
        "REPLACE INTO owners (source_id, vin, vehicle_id) VALUES (?, ?, ?)", (source_id, owner.vin, owner.vehicle_id)
    )


def _forget(vins: set[str], vehicle_ids: set[str], callback_ids: set[str], connection: sqlite3.Connection) -> int:
    connection.execute("PRAGMA secure_delete = ON")  # what is removed is overwritten, not only unlinked
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS forgotten (kind TEXT, value TEXT)")
    connection.execute("DELETE FROM forgotten")
    rows = [
        *(("vin", vin) for vin in vins),
        *(("vehicle", vehicle_id) for vehicle_id in vehicle_ids),
        *(("callback", callback_id) for callback_id in callback_ids),
    ]
    connection.executemany("INSERT INTO forgotten VALUES (?, ?)", rows)
    connection.execute(
        "INSERT INTO forgotten SELECT 'source', source_id FROM owners"
        " WHERE vin IN (SELECT value FROM forgotten WHERE kind = 'vin')"
        " OR vehicle_id IN (SELECT value FROM forgotten WHERE kind = 'vehicle')"
    )
    removed = connection.execute(
        "DELETE FROM events WHERE vin IN (SELECT value FROM forgotten WHERE kind = 'vin')"
        " OR source_id IN (SELECT value FROM forgotten WHERE kind = 'source')"
        " OR callback_id IN (SELECT value FROM forgotten WHERE kind = 'callback')"
    ).rowcount
    connection.execute("DELETE FROM owners WHERE source_id IN (SELECT value FROM forgotten WHERE kind = 'source')")
    connection.execute("DELETE FROM forgotten")
    connection.execute("PRAGMA secure_delete = OFF")
    return removed


def _count(connection: sqlite3.Connection) -> tuple[int, int, int]:
    waiting, dead, bounded = (
        connection.execute(f"SELECT count(*) FROM events WHERE {condition}").fetchone()[0]  # noqa: S608 - constants
        for condition in ("state = 0", "state = 2", "is_bounded")
    )
    return waiting, dead, bounded


def _revive(connection: sqlite3.Connection) -> int:
    return connection.execute("UPDATE events SET state = 0, attempts = 0, consumer = NULL WHERE state = 2").rowcount
