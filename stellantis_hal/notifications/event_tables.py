"""Tables of an SQLite inbox: events written to them, taken from them and removed."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import attrs

from stellantis_hal.notifications.inbox import EventVehicle, IncomingEvent, StoredEvent
from stellantis_hal.storage.sqlite import undecoded_text

__all__ = [
    "SCHEMA",
    "Taken",
    "acknowledge",
    "clean",
    "count",
    "drop",
    "forget",
    "insert",
    "register",
    "release",
    "revive",
    "take",
]

_CLEANED_AT_ONCE = 1_000  # rows
_EPOCH: Final = 0.0
_YEAR_9999: Final = 253_370_764_800.0

# An event waits in state 0, is acknowledged in state 1, and set aside in state 2.
SCHEMA: Final = (
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

_INSERT: Final = """
    INSERT OR IGNORE INTO events (
        id, kind, content, is_verified, is_bounded, received_at, reason, size, source_id, callback_id, vin
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_DELETE_UNVERIFIED: Final = "DELETE FROM events WHERE id = ? AND NOT is_verified"
_OWNER: Final = "SELECT vin, vehicle_id FROM owners WHERE source_id = ?"
_REGISTER: Final = "REPLACE INTO owners (source_id, vin, vehicle_id) VALUES (?, ?, ?)"

_OLDEST: Final = """
    SELECT number, id, kind, content, is_verified, received_at, reason, size, source_id, callback_id, events.vin,
        attempts, consumer, owners.vin, vehicle_id
    FROM events LEFT JOIN owners USING (source_id)
    WHERE state = 0 ORDER BY number LIMIT 1"""
_GIVE: Final = "UPDATE events SET attempts = attempts + 1, consumer = ? WHERE number = ?"
_RELEASE: Final = "UPDATE events SET attempts = attempts - 1, consumer = NULL WHERE state = 0 AND consumer = ?"
_SET_ASIDE: Final = "UPDATE events SET state = 2 WHERE number = ?"
_REVIVE: Final = "UPDATE events SET state = 0, attempts = 0, consumer = NULL WHERE state = 2"
_ACKNOWLEDGE: Final = """
    UPDATE events SET state = 1, acknowledged_at = ?, consumer = NULL, content = CASE WHEN ? THEN content END
    WHERE number = ? AND state = 0"""

_BOUNDED: Final = """
    SELECT number, coalesce(length(content), 0), state != 1 FROM events WHERE is_bounded
    ORDER BY state != 1, number"""
_DELETE: Final = "DELETE FROM events WHERE number = ?"
_DELETE_OLD: Final = """
    DELETE FROM events WHERE number IN (
        SELECT number FROM events WHERE state = 1 AND received_at <= ? AND acknowledged_at <= ? LIMIT ?
    )"""
_DELETE_OLD_OWNERS: Final = """
    DELETE FROM owners WHERE source_id IN (
        SELECT source_id FROM events WHERE kind = 'remote' AND number IN (
            SELECT number FROM events WHERE state = 1 AND received_at <= ? AND acknowledged_at <= ? LIMIT ?
        )
    )"""
_EMPTY_OLD: Final = """
    UPDATE events SET content = NULL WHERE number IN (
        SELECT number FROM events WHERE state = 1 AND content IS NOT NULL AND acknowledged_at <= ? LIMIT ?
    )"""
_COUNT: Final = """
    SELECT (SELECT count(*) FROM events WHERE state = 0),
        (SELECT count(*) FROM events WHERE state = 2),
        (SELECT count(*) FROM events WHERE is_bounded)"""

_OVERWRITE: Final = "PRAGMA secure_delete = ON"  # what is removed is overwritten, not only unlinked
_ONLY_UNLINK: Final = "PRAGMA secure_delete = OFF"
_BEGIN_FORGETTING: Final = "CREATE TEMP TABLE forgotten (kind TEXT, value TEXT)"
_ADD_FORGOTTEN: Final = "INSERT INTO forgotten VALUES (?, ?)"
_ADD_FORGOTTEN_SOURCES: Final = """
    INSERT INTO forgotten SELECT 'source', source_id FROM owners
    WHERE vin IN (SELECT value FROM forgotten WHERE kind = 'vin')
    OR vehicle_id IN (SELECT value FROM forgotten WHERE kind = 'vehicle')"""
_FORGET_EVENTS: Final = """
    DELETE FROM events
    WHERE vin IN (SELECT value FROM forgotten WHERE kind = 'vin')
    OR source_id IN (SELECT value FROM forgotten WHERE kind = 'source')
    OR callback_id IN (SELECT value FROM forgotten WHERE kind = 'callback')"""
_FORGET_OWNERS: Final = "DELETE FROM owners WHERE source_id IN (SELECT value FROM forgotten WHERE kind = 'source')"
_END_FORGETTING: Final = "DROP TABLE forgotten"


# ------------------------------------------------------------------------------------------- writing


def insert(entry: IncomingEvent, connection: sqlite3.Connection) -> StoredEvent | None:
    """Insert an event; return it, or None where its identity is known.

    A verified event takes the place of an unverified one, which may have come from any sender, at the end of the queue.
    """
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
    number = _insert_row(values, connection)
    if number is None and entry.is_verified and connection.execute(_DELETE_UNVERIFIED, (entry.id,)).rowcount:
        number = _insert_row(values, connection)
    if number is None:
        return None
    with undecoded_text(connection):  # a damaged owner is found when the event is taken
        row: tuple[Any, Any] | None = connection.execute(_OWNER, (source_id,)).fetchone()
    owner = EventVehicle(vin=row[0], vehicle_id=row[1]) if row is not None and all(map(_is_text, row)) else None
    return StoredEvent(number=number, entry=entry, owner=owner, attempts=0)


def _insert_row(values: tuple[object, ...], connection: sqlite3.Connection) -> int | None:
    """Insert a row; return its number, or None where its identity is known."""
    inserted = connection.execute(_INSERT, values)
    return inserted.lastrowid if inserted.rowcount else None


def _storable(value: str | None) -> str | None:
    """Return text that SQLite takes: without lone surrogates."""
    return None if value is None else value.encode(errors="replace").decode()


def register(source_id: str, owner: EventVehicle, connection: sqlite3.Connection) -> None:
    """Record the vehicle of a monitor or an operation."""
    connection.execute(_REGISTER, (source_id, owner.vin, owner.vehicle_id))


# ------------------------------------------------------------------------------------------- taking


class Taken(NamedTuple):
    """The oldest event that waits, None where none does, and the numbers of those that were set aside before it."""

    event: StoredEvent | None
    failed: list[int]
    damaged: list[int]


def take(consumer: str, dead_after: int, connection: sqlite3.Connection) -> Taken:
    """Return the oldest event that waits, as given to a consumer; set aside those that failed or cannot be read."""
    failed: list[int] = []
    damaged: list[int] = []
    while True:
        with undecoded_text(connection):
            row = connection.execute(_OLDEST).fetchone()
        if row is None:
            return Taken(None, failed, damaged)
        stored, is_same = _read_row(row), row[12] == consumer
        if stored is not None and is_same:
            return Taken(stored, failed, damaged)
        if stored is not None and stored.attempts < dead_after:
            connection.execute(_GIVE, (consumer, stored.number))
            return Taken(attrs.evolve(stored, attempts=stored.attempts + 1), failed, damaged)
        connection.execute(_SET_ASIDE, row[:1])
        (damaged if stored is None else failed).append(row[0])


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


def acknowledge(number: int, at: float, is_kept: bool, connection: sqlite3.Connection) -> None:
    """Acknowledge an event that waits; remove its content unless it is kept."""
    connection.execute(_ACKNOWLEDGE, (at, is_kept, number))


def release(consumer: str, connection: sqlite3.Connection) -> None:
    """Put back the event that a consumer has, as if it had not been given."""
    connection.execute(_RELEASE, (consumer,))


# ------------------------------------------------------------------------------------------- removing


def drop(max_rows: int, max_bytes: int, connection: sqlite3.Connection) -> int:
    """Remove bounded events beyond the bounds, acknowledged ones first; return how many waited."""
    rows: list[tuple[int, int, int]] = connection.execute(_BOUNDED).fetchall()
    excess, total = len(rows) - max_rows, sum(size for _, size, _ in rows)
    dropped = 0
    for number, size, has_waited in rows:
        if excess <= 0 and total <= max_bytes:
            break
        connection.execute(_DELETE, (number,))
        excess, total = excess - 1, total - size
        dropped += has_waited
    return dropped


def clean(remembered: float, kept: float, has_contents: bool, connection: sqlite3.Connection) -> bool:
    """Remove some of what was acknowledged and need not be kept or remembered; return whether there may be more.

    The vehicles of operations go with their steps: a car has five monitors, and is commanded thousands of times.

    Args:
        remembered: the time since which received identities are remembered.
        kept: the time since which acknowledged contents are kept.
        has_contents: whether acknowledged events have contents.
        connection: within a transaction.
    """
    old = (remembered, kept, _CLEANED_AT_ONCE)
    connection.execute(_DELETE_OLD_OWNERS, old)
    changed = [connection.execute(_DELETE_OLD, old).rowcount]
    if has_contents:
        changed.append(connection.execute(_EMPTY_OLD, (kept, _CLEANED_AT_ONCE)).rowcount)
    return _CLEANED_AT_ONCE in changed


def forget(
    vins: Collection[str], vehicle_ids: Collection[str], callback_ids: Collection[str], connection: sqlite3.Connection
) -> int:
    """Remove the events of vehicles and callbacks so that the file does not have their bytes; return their number."""
    kinds = {"vin": vins, "vehicle": vehicle_ids, "callback": callback_ids}
    connection.execute(_OVERWRITE)
    connection.execute(_BEGIN_FORGETTING)
    connection.executemany(_ADD_FORGOTTEN, ((kind, value) for kind, values in kinds.items() for value in values))
    connection.execute(_ADD_FORGOTTEN_SOURCES)
    removed = connection.execute(_FORGET_EVENTS).rowcount
    connection.execute(_FORGET_OWNERS)
    connection.execute(_END_FORGETTING)
    connection.execute(_ONLY_UNLINK)
    return removed


# ------------------------------------------------------------------------------------------- counting


def count(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Return how many events wait, are set aside, and are bounded."""
    waiting, dead, bounded = connection.execute(_COUNT).fetchone()
    return waiting, dead, bounded


def revive(connection: sqlite3.Connection) -> int:
    """Let the events that were set aside wait again; return their number."""
    return connection.execute(_REVIVE).rowcount
