"""Limiter of the processes of one machine, by an SQLite file that they share."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable
from functools import partial
from types import TracebackType
from typing import Any, Self

from stellantis_hal.storage.errors import StorageError
from stellantis_hal.storage.sqlite import SQLiteDatabase
from stellantis_hal.transport.rate_limit.boot_clock import boot_id, microseconds_since_boot
from stellantis_hal.transport.rate_limit.ledger_client import OnOutage
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.rate_limit.shared_ledger import SECOND, LedgerReply, LedgerRequest, SharedLedger
from stellantis_hal.transport.rate_limit.shared_limiter import SharedLimiter
from stellantis_hal.validation import require_type

__all__ = ["SQLiteLedger", "SQLiteLimiter"]

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS limiter (name TEXT PRIMARY KEY, state TEXT NOT NULL)",
    """
    CREATE TABLE IF NOT EXISTS limiter_minutes (
        name TEXT NOT NULL, minute INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (name, minute)
    ) WITHOUT ROWID
    """,
)
_READ_STATE = "SELECT state FROM limiter WHERE name = ?"
_WRITE_STATE = "INSERT OR REPLACE INTO limiter VALUES (?, ?)"
_READ_MINUTE = "SELECT count FROM limiter_minutes WHERE name = ? AND minute = ?"
_READ_MINUTES = "SELECT minute, count FROM limiter_minutes WHERE name = ?"
_WRITE_MINUTE = "INSERT OR REPLACE INTO limiter_minutes VALUES (?, ?, ?)"
_DELETE_MINUTE = "DELETE FROM limiter_minutes WHERE name = ? AND minute = ?"
_FORMAT = 1


class SQLiteLimiter(SharedLimiter):
    """Keep the requests of all processes of one machine within the limits of a subscription, without a server.

    Enter it around the clients that use it::

        async with SQLiteLimiter("limiter.sqlite", client_id, RateLimits(100, 100_000), processes=4) as limiter:
            async with StellantisClient(application, limiter=limiter) as client:
                ...

    A process takes a short transaction for all requests that have gathered. The file has to be on a disk of the
    machine: locks of network file systems are not reliable. The day's count survives a restart of the processes, and of
    the machine.

    Args:
        path: the file, in an existing folder; it may hold several applications.
        client_id: of the application: what shares a limit. Processes that give the same one share it.
        limits: ceilings, which the server's headers may lower. Where processes give different ones, the smallest count.
        processes: how many processes share the limits at most; an outage divides the limits by it.
        on_outage: while the file cannot be used (it is locked for long, the disk is full): "share" sends at most
            ``limits / processes`` after one empty window, "refuse" raises
            :class:`~stellantis_hal.errors.BudgetExhaustedError` at once, "wait" waits for as long as ``max_wait``
            allows.
        interactive_share: the part (0 to 1) of each window that background requests may not use.
        timeout: seconds that the file may stay locked.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        client_id: str,
        limits: RateLimits | None = None,
        *,
        processes: int,
        on_outage: OnOutage = "share",
        interactive_share: float = 0.1,
        timeout: float = 1.0,
    ) -> None:
        super().__init__(
            SQLiteLedger(path, client_id, timeout=timeout),
            limits,
            processes=processes,
            on_outage=on_outage,
            interactive_share=interactive_share,
        )


class SQLiteLedger:
    """The ledger of a subscription in an SQLite file.

    Args:
        path: the file.
        client_id: what shares a limit.
        timeout: seconds to wait for the file's lock.
        clock: microseconds since the machine started.
        wall: seconds of the wall clock, which counts from one start of the machine to the next.
        boot: id of this start of the machine.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        client_id: str,
        *,
        timeout: float = 1.0,
        clock: Callable[[], int] = microseconds_since_boot,
        wall: Callable[[], float] = time.time,
        boot: Callable[[], str] = boot_id,
    ) -> None:
        require_type("client_id", client_id, str, instead="application.client_id")
        if not client_id:
            raise ValueError("client_id must not be empty: processes that give the same one share its limits")
        if os.fspath(path) == ":memory:":
            raise ValueError('path must be a file that all processes can open, not ":memory:"')
        require_type("timeout", timeout, int, float)
        if not timeout > 0:
            raise ValueError(f"timeout must be positive, for example 1.0, not {timeout}")
        self._name = client_id
        self._database = SQLiteDatabase(path, schema=_SCHEMA, synchronous="NORMAL", busy_timeout=timeout)
        self._clock = clock
        self._wall = wall
        self._boot = boot

    @property
    def place(self) -> str:
        return f"the file {self._database.path}"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._database.__aexit__(None, None, None)

    async def take(self, exchange: LedgerRequest) -> LedgerReply:
        """Make an exchange, as one transaction."""
        try:
            return await self._database.write(partial(self._take, exchange))
        except (TypeError, ValueError, LookupError, OverflowError, AttributeError) as error:
            raise _damaged(self._database.path, "not the state of a limiter") from error

    def _take(self, exchange: LedgerRequest, connection: sqlite3.Connection) -> LedgerReply:
        minutes = _StoredMinutes(connection, self._name)
        row = connection.execute(_READ_STATE, (self._name,)).fetchone()
        state = None if row is None else _parse(row[0], self._database.path)
        ledger = SharedLedger(state, minutes)
        clock, wall, boot = self._clock(), self._wall(), self._boot()
        if state is not None and (state["boot"] != boot or clock < state["clock"]):
            ledger.change_clock(clock, elapsed=max(0, round((wall - state["wall"]) * SECOND)))
        reply = ledger.take(exchange, clock)
        state = {"format": _FORMAT, "boot": boot, "clock": clock, "wall": wall, **ledger.dump()}
        connection.execute(_WRITE_STATE, (self._name, json.dumps(state, separators=(",", ":"))))
        return reply

    async def check(self) -> None:
        """Return where the file can be written."""
        await self._database.write(_change_nothing)


def _change_nothing(connection: sqlite3.Connection) -> None:
    """Let a transaction be empty."""


def _parse(text: str, path: str) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads(text)
        if state["format"] == _FORMAT:
            return state
        problem = f"format {state['format']!r}, expected {_FORMAT}"
    except (KeyError, RecursionError, TypeError, ValueError):
        problem = "not the state of a limiter"
    raise _damaged(path, problem)


def _damaged(path: str, problem: str) -> StorageError:
    return StorageError(f"{path}: {problem}: remove the file while no process uses it", path=path)


class _StoredMinutes:
    """Counts of requests by minute, in a table."""

    __slots__ = ("_connection", "_name")

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._connection = connection
        self._name = name

    def get(self, minute: int, /) -> int | None:
        row = self._connection.execute(_READ_MINUTE, (self._name, minute)).fetchone()
        return None if row is None else int(row[0])

    def __setitem__(self, minute: int, count: int, /) -> None:
        self._connection.execute(_WRITE_MINUTE, (self._name, minute, count))

    def __delitem__(self, minute: int, /) -> None:
        self._connection.execute(_DELETE_MINUTE, (self._name, minute))

    def items(self) -> Iterable[tuple[int, int]]:
        rows = self._connection.execute(_READ_MINUTES, (self._name,))
        return [(int(minute), int(count)) for minute, count in rows]
