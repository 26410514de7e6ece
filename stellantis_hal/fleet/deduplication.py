"""Deduplication: the checkpoint of a vehicle, and the rule by which each trip is delivered once.

Pure functions: a checkpoint and a trip give a decision and the next checkpoint. The checkpoint that belongs to an
update is its acknowledgement: saving it marks this update, and every earlier one of the vehicle, as processed.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Literal, Self

import attrs

from stellantis_hal.fleet.snapshot_diff import SnapshotState
from stellantis_hal.hal.json import decode, encode
from stellantis_hal.resources.trip import Trip, TripFaultKind

__all__ = ["Checkpoint", "TripDedupFacts", "UpdateReason", "admit", "query_start", "record_trip", "repair"]

_FORMAT = 1
_CLOCK_TOLERANCE = 300.0
"""Seconds by which a remembered instant may lie in the future: clocks differ."""
_RECORD = struct.Struct(">d8s")
_UNDATED = math.inf
_MOST_UNDATED = 10_000
"""Trips without a timestamp that are remembered: 160 kB."""
_NO_SNAPSHOTS: Mapping[str, SnapshotState] = MappingProxyType({})

UpdateReason = Literal["new", "late", "finished"]
"""Why a trip is delivered: it is new; it is new, but a later one was known already; it was known and has finished."""


@attrs.frozen(kw_only=True)
class TripDedupFacts:
    """Facts of a trip that decide whether it is delivered.

    Attributes:
        identity: identifies the trip, the same whenever it is read.
        start: when it started, in seconds since the epoch, at most the current time: a wrong clock of the vehicle is
            not trusted. The current time where the trip has no timestamp.
        is_done: whether it has finished.
        stated_start: when it started by its own timestamps, however wrong; None where it has none.
        reported_at: when the API created or last changed it, likewise.
    """

    identity: str
    start: float
    is_done: bool
    stated_start: float | None = None
    reported_at: float | None = None

    @classmethod
    def from_trip(cls, trip: Trip, now: float) -> Self:
        """Return the facts of a trip, read at a wall-clock time in seconds since the epoch.

        A trip without ``done`` has finished unless it has the fault "Unfinished".
        """
        started_at = trip.started_at or trip.created_at or trip.stopped_at
        is_unfinished = any(fault.fault == TripFaultKind.UNFINISHED for fault in trip.faults)
        reported = [moment.timestamp() for moment in (trip.created_at, trip.updated_at) if moment is not None]
        identity = trip.id or (trip.resource.self_url if trip.resource is not None else None)
        return cls(
            identity=identity or blake2b(encode(trip.to_dict()), digest_size=8).hexdigest(),
            start=now if started_at is None else min(started_at.timestamp(), now),
            is_done=trip.done if trip.done is not None else not is_unfinished,
            stated_start=None if started_at is None else started_at.timestamp(),
            reported_at=max(reported, default=None),
        )

    @property
    def sort_key(self) -> float:
        """Key that puts the trips of a vehicle in order."""
        return self.start if self.stated_start is None else self.stated_start

    @property
    def update_id(self) -> str:
        """Id of the trip's update within its vehicle, the same in every delivery."""
        return f"{self.identity}/{'finished' if self.is_done else 'open'}"

    @property
    def digest(self) -> bytes:
        """Digest of its identity, 8 bytes."""
        return blake2b(self.identity.encode("utf-8", "surrogatepass"), digest_size=8).digest()


@attrs.frozen(kw_only=True)
class Checkpoint:
    """What was delivered of a vehicle, and the snapshots that the next ones are compared with.

    Attributes:
        is_initialized: whether the vehicle's trips were read before.
        since: earliest start of the trips to deliver, in seconds since the epoch; None: the trips that appear after
            the first poll.
        newest_start: start of the newest trip known, likewise, at most the time at which it became known. None before
            the first trip that has a timestamp: one without says nothing about the others.
        finished: the finished trips that were delivered, or existed at the first poll, within the lookback: packed
            records of stated start and digest. Of the trips without a timestamp the last 10,000 are remembered.
        unfinished: the trips known that had not finished, likewise.
        snapshots: state of the last snapshot of each kind of data.
    """

    is_initialized: bool = False
    since: float | None = None
    newest_start: float | None = None
    finished: bytes = attrs.field(default=b"", repr=False)
    unfinished: bytes = attrs.field(default=b"", repr=False)
    snapshots: Mapping[str, SnapshotState] = attrs.field(default=_NO_SNAPSHOTS, repr=False)

    def with_snapshot(self, what: str, state: SnapshotState) -> Checkpoint:
        """Return this checkpoint with another state of one kind of data."""
        return attrs.evolve(self, snapshots=MappingProxyType({**self.snapshots, what: state}))

    def dump(self) -> bytes:
        """Return the checkpoint as bytes for a store."""
        snapshots = {
            what: [state.timestamps, state.digest.hex(), state.serial, _to_text(state.leaves)]
            for what, state in self.snapshots.items()
        }
        return encode(
            [
                _FORMAT,
                self.is_initialized,
                self.since,
                self.newest_start,
                _to_text(self.finished),
                _to_text(self.unfinished),
                snapshots,
            ]
        )

    @classmethod
    def load(cls, content: bytes) -> Checkpoint:
        """Return the checkpoint that :meth:`dump` wrote.

        Raises:
            ValueError: the content is not a checkpoint, or one of another version.
        """
        try:
            version, is_initialized, since, newest_start, finished, unfinished, snapshots = decode(content)
            if version != _FORMAT:
                found = version if isinstance(version, int) else "of another kind"
                raise ValueError(f"the checkpoint has format {found}, expected {_FORMAT}")
            if not isinstance(is_initialized, bool):
                raise TypeError
            packed = _to_bytes(finished), _to_bytes(unfinished)
            if any(len(records) % _RECORD.size for records in packed):
                raise ValueError(f"the checkpoint is truncated: its records must be {_RECORD.size} bytes each")
            return cls(
                is_initialized=is_initialized,
                since=None if since is None else _instant(since),
                newest_start=None if newest_start is None else _instant(newest_start),
                finished=packed[0],
                unfinished=packed[1],
                snapshots=MappingProxyType({what: _snapshot_state(*state) for what, state in snapshots.items()}),
            )
        except (TypeError, AttributeError, OverflowError, binascii.Error, zlib.error) as error:
            raise ValueError("the content is not a checkpoint of this library") from error


def _instant(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError
    return float(value)


def _to_text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _to_bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _snapshot_state(timestamps: Any, digest: Any, serial: Any, leaves: Any) -> SnapshotState:
    packed, instants = _to_bytes(leaves), None
    if timestamps is not None:
        created, updated = timestamps
        instants = _instant(created), _instant(updated)
    if not isinstance(serial, int) or not isinstance(decode(zlib.decompress(packed)), dict):
        raise TypeError
    return SnapshotState(
        timestamps=instants,
        digest=bytes.fromhex(digest),
        serial=serial,
        leaves=packed,
    )


# ----------------------------------------------------------------------------------------------- trips


def admit(checkpoint: Checkpoint, trip: TripDedupFacts, *, lookback: float) -> tuple[UpdateReason | None, Checkpoint]:
    """Decide whether a trip is delivered.

    Args:
        checkpoint: the checkpoint before.
        trip: the trip.
        lookback: seconds before the newest trip for which trips are remembered. A trip that started earlier counts as
            delivered.

    Returns:
        The reason to deliver it, None where it was delivered before, and the checkpoint after it.
    """
    digest = trip.digest
    if _contains(checkpoint.finished, digest):
        return None, checkpoint
    if _contains(checkpoint.unfinished, digest):
        if not trip.is_done:
            return None, checkpoint
        closed = attrs.evolve(checkpoint, unfinished=_without(checkpoint.unfinished, digest))
        return "finished", record_trip(closed, trip, lookback=lookback)
    if trip.sort_key < _earliest_start(checkpoint, lookback):  # by its own timestamps: this clock may be slow
        return None, checkpoint
    is_late = checkpoint.newest_start is not None and trip.start < checkpoint.newest_start
    return ("late" if is_late else "new"), record_trip(checkpoint, trip, lookback=lookback)


def record_trip(checkpoint: Checkpoint, trip: TripDedupFacts, *, lookback: float) -> Checkpoint:
    """Return the checkpoint with a trip added; trips more than ``lookback`` seconds before the newest are removed.

    They are removed by their stated starts: so no trip is delivered again after a clock was corrected, the vehicle's or
    this one. A trip that claims to have started after the API reported it counts from the report.
    """
    newest_start = checkpoint.newest_start
    if trip.stated_start is not None:
        start = trip.start if trip.reported_at is None else min(trip.start, trip.reported_at)
        newest_start = start if newest_start is None else max(newest_start, start)
    record = _RECORD.pack(_UNDATED if trip.stated_start is None else trip.stated_start, trip.digest)
    finished, unfinished = checkpoint.finished, checkpoint.unfinished
    if trip.is_done:
        finished += record
    else:
        unfinished += record
    if newest_start is not None and checkpoint.newest_start != newest_start:
        finished, unfinished = _since(finished, newest_start - lookback), _since(unfinished, newest_start - lookback)
    return attrs.evolve(
        checkpoint,
        newest_start=newest_start,
        finished=_without_oldest_undated(finished),
        unfinished=_without_oldest_undated(unfinished),
    )


def repair(checkpoint: Checkpoint, *, now: float, lookback: float, since: float | None = None) -> Checkpoint:
    """Return a checkpoint whose instants do not lie in the future; the same one where none does.

    A wall clock that was ahead has written them; until that day, they would make every trip too old. Trips of the
    lookback are looked for again, and those that the checkpoint remembers are not delivered again.

    Args:
        checkpoint: the checkpoint.
        now: the present time, in seconds since the epoch.
        lookback: seconds before now in which trips may have been missed.
        since: earliest start of the trips to deliver that was asked for; it may lie in the future. None: trips that
            appear after the first poll.
    """
    latest = max(now + _CLOCK_TOLERANCE, -math.inf if since is None else since)
    earliest, newest_start = checkpoint.since, checkpoint.newest_start
    if (newest_start is None or newest_start <= latest) and (earliest is None or earliest <= latest):
        return checkpoint
    if earliest is None or earliest > latest:
        earliest = now - lookback if since is None else since
    if newest_start is not None and newest_start > latest:
        records = (*_records(checkpoint.finished), *_records(checkpoint.unfinished))
        newest_start = max((start for start, _ in records if start <= now), default=None)
    return attrs.evolve(checkpoint, since=earliest, newest_start=newest_start)


def query_start(checkpoint: Checkpoint, *, overlap: float, lookback: float, deep: bool) -> float | None:
    """Return the start of the time range to request trips of, in seconds since the epoch; None: all trips.

    A regular query starts ``overlap`` seconds before the newest trip, or at an unfinished trip that started at most
    ``overlap`` seconds before that. A deep one covers the whole lookback: it finds trips that were uploaded late, and
    the end of long ones.
    """
    newest_start = checkpoint.newest_start
    if newest_start is None:
        return checkpoint.since
    earliest = _earliest_start(checkpoint, lookback)
    if deep:
        return earliest
    unfinished = [start for start, _ in _records(checkpoint.unfinished) if start >= newest_start - 2 * overlap]
    return max(earliest, min([newest_start - overlap, *unfinished]))


def _earliest_start(checkpoint: Checkpoint, lookback: float) -> float:
    """Return the earliest start of a trip that is still delivered."""
    since = -math.inf if checkpoint.since is None else checkpoint.since
    return since if checkpoint.newest_start is None else max(since, checkpoint.newest_start - lookback)


def _records(packed: bytes) -> Iterator[tuple[float, bytes]]:
    return _RECORD.iter_unpack(packed)


def _contains(packed: bytes, digest: bytes) -> bool:
    position = packed.find(digest)
    while position >= 0 and position % _RECORD.size != _RECORD.size - len(digest):
        position = packed.find(digest, position + 1)
    return position >= 0


def _without(packed: bytes, digest: bytes) -> bytes:
    return b"".join(_RECORD.pack(start, other) for start, other in _records(packed) if other != digest)


def _since(packed: bytes, earliest: float) -> bytes:
    if all(start >= earliest for start, _ in _records(packed)):
        return packed
    return b"".join(_RECORD.pack(start, digest) for start, digest in _records(packed) if start >= earliest)


def _without_oldest_undated(packed: bytes) -> bytes:
    """Return records without the one that was recorded first of too many without a timestamp."""
    if len(packed) <= _MOST_UNDATED * _RECORD.size:
        return packed
    undated = [position for position, (start, _) in enumerate(_records(packed)) if start == _UNDATED]
    if len(undated) <= _MOST_UNDATED:
        return packed
    first = undated[0] * _RECORD.size
    return packed[:first] + packed[first + _RECORD.size :]
