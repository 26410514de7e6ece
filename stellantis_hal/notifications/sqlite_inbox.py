"""Inbox in an SQLite file."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import AsyncGenerator, Callable, Collection, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import anyio

from stellantis_hal.hal.clock import utc_now
from stellantis_hal.hal.log_throttling import LogThrottle
from stellantis_hal.notifications import event_tables
from stellantis_hal.notifications.cleaning_time import CleaningTime
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
from stellantis_hal.storage.advice import describe
from stellantis_hal.storage.errors import StorageError
from stellantis_hal.storage.file_lock import FileLock
from stellantis_hal.storage.sqlite import SQLiteDatabase
from stellantis_hal.storage.threads import run_to_end
from stellantis_hal.transport.loop_handle import LoopHandle
from stellantis_hal.validation import require_clock

__all__ = ["SQLiteInbox"]

T = TypeVar("T")

_logger = logging.getLogger(__name__)

_BUSY_TIMEOUT = 5.0
_POLL = 1.0  # seconds after which events that another process has stored are noticed


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
        require_clock(clock)
        require_bounds(dead_after, max_unverified, max_unverified_bytes, keep)
        self._database = SQLiteDatabase(path, schema=event_tables.SCHEMA, busy_timeout=_BUSY_TIMEOUT)
        self._keep = keep or timedelta()
        self._dead_after = dead_after
        self._max_rows, self._max_bytes = max_unverified, max_unverified_bytes
        self._clock = clock
        self._cleaning = CleaningTime()
        self._waiters: dict[anyio.Event, LoopHandle] = {}
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
        clean = self._clean_by(now, self._cleaning.bound(now))
        new, dropped, must_go_on = await self._write(partial(self._insert, entries, clean))
        if must_go_on:  # what is too old goes with the next events, a thousand at a time
            self._cleaning.go_on()
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
        self._notify()
        return new

    def _clean_by(self, now: datetime, bound: datetime | None) -> Callable[[sqlite3.Connection], bool] | None:
        """Return what removes contents that need not be kept, and identities that are old; None where none is due."""
        if bound is None:
            return None
        kept, remembered = now.timestamp() - self._keep.total_seconds(), (bound - MEMORY).timestamp()
        return partial(event_tables.clean, remembered, kept, bool(self._keep))

    def _insert(
        self,
        entries: Sequence[IncomingEvent],
        clean: Callable[[sqlite3.Connection], bool] | None,
        connection: sqlite3.Connection,
    ) -> tuple[list[StoredEvent], int, bool]:
        new = [stored for entry in entries if (stored := event_tables.insert(entry, connection)) is not None]
        dropped = 0
        if any(stored.entry.is_bounded for stored in new):
            dropped = event_tables.drop(self._max_rows, self._max_bytes, connection)
        must_go_on = clean is not None and clean(connection)
        return new, dropped, must_go_on

    # ------------------------------------------------------------------------------------------- consuming

    async def next(self, consumer: str, acknowledge: int | None = None) -> StoredEvent:
        """Acknowledge an event, then return the oldest one that waits; wait until there is one.

        Raises:
            InboxError: the acknowledgement was not stored, or nothing can be read.
        """
        take = partial(self._take, consumer, acknowledge)
        while True:
            with self._notified() as stored:  # from before it looks, so that no event is missed
                taken = await self._write(take, durable=False)
                self._log_set_aside(taken)
                if taken.event is not None:
                    return taken.event
                with anyio.move_on_after(_POLL):
                    await stored.wait()
            take = partial(self._take, consumer, None)

    def _notify(self) -> None:
        """Wake the consumers that wait, in any event loop."""
        for event, loop in list(self._waiters.items()):
            loop.call_soon(event.set)

    @contextmanager
    def _notified(self) -> Generator[anyio.Event]:
        """Set an event when this object stores or revives events within the ``with``."""
        stored = anyio.Event()
        self._waiters[stored] = LoopHandle()
        try:
            yield stored
        finally:
            del self._waiters[stored]

    def _take(self, consumer: str, acknowledge: int | None, connection: sqlite3.Connection) -> event_tables.Taken:
        if acknowledge is not None:
            self._acknowledge(acknowledge, connection)
        return event_tables.take(consumer, self._dead_after, connection)

    def _acknowledge(self, number: int, connection: sqlite3.Connection) -> None:
        event_tables.acknowledge(number, self._clock().timestamp(), bool(self._keep), connection)

    def _log_set_aside(self, taken: event_tables.Taken) -> None:
        for number in taken.damaged:
            _logger.error(
                "event %d of the inbox %s was set aside: its row is damaged, or another program's",
                number,
                self._database.path,
            )
        for number in taken.failed:
            _logger.error(
                "event %d of the inbox %s was set aside: its consumer has failed %d times. See revive()",
                number,
                self._database.path,
                self._dead_after,
            )

    async def acknowledge(self, number: int) -> None:
        """Acknowledge an event without asking for the next.

        Raises:
            InboxError: it was not stored.
        """
        await self._write(partial(self._acknowledge, number), durable=False)

    async def release(self, consumer: str) -> None:
        """Put back the event that a consumer has, as if it had not been given."""
        await self._write(partial(event_tables.release, consumer), durable=False)

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
                lock = await run_to_end(partial(_consumer_lock, self._lock_path))
                await self._wait_for(lock)
            yield
        finally:
            self._is_consumed = False
            if lock is not None:
                with anyio.CancelScope(shield=True):  # removing a file
                    await run_to_end(lock.release)

    async def _wait_for(self, lock: FileLock) -> None:
        try:
            if await run_to_end(lock.acquire):
                return
            _logger.warning("another process consumes the inbox %s: waiting until it ends", self._database.path)
            while not await run_to_end(lock.acquire):  # noqa: ASYNC110 - another process has it
                await anyio.sleep(_POLL)
        except OSError as error:
            raise InboxError(f"the consumer of {self._database.path} cannot be locked: {describe(error)}") from error

    # ------------------------------------------------------------------------------------------- keeping

    def register(self, source_id: str, owner: EventVehicle) -> None:
        """Record the vehicle of a monitor or an operation, without waiting for the file."""
        self._database.write_later(partial(event_tables.register, source_id, owner))

    async def forget(
        self, *, vins: Collection[str] = (), vehicle_ids: Collection[str] = (), callback_ids: Collection[str] = ()
    ) -> int:
        """Remove the events of vehicles and callbacks, acknowledged and set aside ones too; return their number.

        Raises:
            InboxError: nothing was removed.
        """
        return await self._write(partial(event_tables.forget, set(vins), set(vehicle_ids), set(callback_ids)))

    async def statistics(self) -> InboxStatistics:
        """Return what it holds.

        Raises:
            InboxError: the file cannot be read.
        """
        waiting, dead, bounded = await self._write(event_tables.count)
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
        revived = await self._write(event_tables.revive)
        self._notify()
        return revived

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


def _consumer_lock(path: Path) -> FileLock:
    path = Path(os.path.realpath(path))  # locks are beside the file that links lead to
    return FileLock(path.with_name(f".{path.name}.consumer.lock"))
