"""What was given to the consumer, so that it is given once: the memory of one vehicle, and its rule for trips.

Knows trips as facts: an identity, two instants, whether it is over. Must not fetch, wait or keep anything: a memory
goes in, a verdict and the memory after it come out. The memory after an update is its acknowledgement: whoever saves
it says that this update, and every one before it, was dealt with.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Literal

import attrs

from stellantis_hal.fleet.changes import SnapshotState
from stellantis_hal.hal.json import decode, encode
from stellantis_hal.resources.trip import FaultKind, Trip

__all__ = ["Checkpoint", "TripFacts", "TripVerdict", "admit", "facts_of", "noted", "window"]

_FORMAT = 1
_RECORD = struct.Struct(">d8s")
_NOTHING: Mapping[str, SnapshotState] = MappingProxyType({})
TripVerdict = Literal["new", "late", "finished"]


@attrs.frozen(kw_only=True)
class TripFacts:
    """What of a trip decides whether it is given.

    Attributes:
        identity: of the trip, the same whenever it is read.
        started: when, in seconds since the epoch; no later than now, whatever it says; now where it says nothing.
        done: whether it is over.
        said: when it says that it started, whatever the clock says; None where it does not.
    """

    identity: str
    started: float
    done: bool
    said: float | None = None

    @property
    def order(self) -> float:
        """What puts trips of one vehicle in order."""
        return self.started if self.said is None else self.said

    @property
    def update_id(self) -> str:
        """What its update is called, however often it is delivered."""
        return f"{self.identity}/{'finished' if self.done else 'open'}"

    @property
    def digest(self) -> bytes:
        """Its identity in eight bytes."""
        return blake2b(self.identity.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def facts_of(trip: Trip, now: float) -> TripFacts:
    """Read the facts of a trip.

    A trip without any instant counts as started now, but tells nothing of how far others have come. It is over when it
    says so, and also when it says nothing and does not lack its end.
    """
    moment = trip.started_at or trip.created_at or trip.stopped_at
    unfinished = any(fault.fault == FaultKind.UNFINISHED for fault in trip.faults)
    identity = trip.id or (trip.resource.self_url if trip.resource is not None else None)
    return TripFacts(
        identity=identity or blake2b(encode(trip.to_dict()), digest_size=8).hexdigest(),
        started=now if moment is None else min(moment.timestamp(), now),  # clocks that go wrong are not believed
        done=trip.done if trip.done is not None else not unfinished,
        said=None if moment is None else moment.timestamp(),
    )


@attrs.frozen(kw_only=True)
class Checkpoint:
    """What is known of a vehicle: what was given of it, and what it was compared with.

    Attributes:
        met: whether its trips were looked at before.
        since: when the trips begin that are wanted at all, in seconds since the epoch; None: those that come,
            after what the first look found.
        started: when the newest trip known began, likewise, and no later than it became known; None before the first
            that says when.
        given: the trips that are dealt with, of the time that is looked back on: packed instants, as they say it
            themselves, and digests. Those that do not say when they began are remembered for good.
        open: the trips that were known before they were over, likewise.
        kept: what is remembered of each kind of snapshot.
    """

    met: bool = False
    since: float | None = None
    started: float | None = None
    given: bytes = attrs.field(default=b"", repr=False)
    open: bytes = attrs.field(default=b"", repr=False)
    kept: Mapping[str, SnapshotState] = attrs.field(default=_NOTHING, repr=False)

    def keeping(self, what: str, kept: SnapshotState) -> Checkpoint:
        """Give the same with another memory of one kind of snapshot."""
        return attrs.evolve(self, kept=MappingProxyType({**self.kept, what: kept}))

    def dump(self) -> bytes:
        """Write it for a store."""
        kept = {
            what: [memory.taken, memory.digest.hex(), memory.serial, _text(memory.leaves)]
            for what, memory in self.kept.items()
        }
        return encode([_FORMAT, self.met, self.since, self.started, _text(self.given), _text(self.open), kept])

    @classmethod
    def load(cls, content: bytes) -> Checkpoint:
        """Read what :meth:`dump` wrote.

        Raises:
            ValueError: it did not write this.
        """
        try:
            version, met, since, started, given, open_, kept = decode(content)
            if version != _FORMAT:
                raise ValueError(f"a checkpoint of format {version!r}, expected {_FORMAT}")
            memories = {str(what): _memory(*memory) for what, memory in kept.items()}
            packed = _bytes(given), _bytes(open_)
        except (TypeError, AttributeError, binascii.Error) as error:
            raise ValueError("no checkpoint of ours") from error
        if any(len(records) % _RECORD.size for records in packed):
            raise ValueError("a checkpoint that was cut off")
        return cls(
            met=bool(met),
            since=None if since is None else float(since),
            started=None if started is None else float(started),
            given=packed[0],
            open=packed[1],
            kept=MappingProxyType(memories),
        )


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _memory(taken: Any, digest: str, serial: int, leaves: str) -> SnapshotState:
    made = None if taken is None else (float(taken[0]), float(taken[1]))
    return SnapshotState(taken=made, digest=bytes.fromhex(digest), serial=int(serial), leaves=_bytes(leaves))


# ----------------------------------------------------------------------------------------------- trips


def admit(checkpoint: Checkpoint, trip: TripFacts, *, reach: float) -> tuple[TripVerdict | None, Checkpoint]:
    """Decide whether a trip is to be given, and what is known after it was.

    Args:
        checkpoint: what is known.
        trip: what came.
        reach: seconds before the newest trip that are looked back on. What began earlier is taken for given, for
            nobody remembers.

    Returns:
        None where it was given before; "new"; "late" where newer ones were known already; "finished" where it was
        known, and is over by now.
    """
    digest = trip.digest
    if _has(checkpoint.given, digest):
        return None, checkpoint
    if _has(checkpoint.open, digest):
        if not trip.done:
            return None, checkpoint
        closed = attrs.evolve(checkpoint, open=_without(checkpoint.open, digest))
        return "finished", noted(closed, trip, reach=reach)
    if trip.started < _earliest(checkpoint, reach):
        return None, checkpoint
    late = checkpoint.started is not None and trip.started < checkpoint.started
    return ("late" if late else "new"), noted(checkpoint, trip, reach=reach)


def noted(checkpoint: Checkpoint, trip: TripFacts, *, reach: float) -> Checkpoint:
    """Tell what is known after a trip was dealt with. What lies further back than ``reach`` seconds is forgotten.

    That goes by what trips say, so that a clock that is put right, on either side, brings none of them back.
    """
    started = checkpoint.started
    if trip.said is not None:
        started = trip.started if started is None else max(started, trip.started)
    record = _RECORD.pack(math.inf if trip.said is None else trip.said, trip.digest)
    given, open_ = checkpoint.given, checkpoint.open
    if trip.done:
        given += record
    else:
        open_ += record
    if started is not None and checkpoint.started != started:
        given, open_ = _since(given, started - reach), _since(open_, started - reach)
    return attrs.evolve(checkpoint, started=started, given=given, open=open_)


def window(checkpoint: Checkpoint, *, overlap: float, reach: float, deep: bool) -> float | None:
    """Tell from when on trips are to be asked for, in seconds since the epoch; None: all of them.

    An ordinary look begins a little before the newest trip, and before one that is not over yet if that is no more
    than ``overlap`` further back. A deep one goes back as far as anything is remembered: so late trips are found, and
    the end of those that took long.
    """
    newest = checkpoint.started
    if newest is None:
        return checkpoint.since
    earliest = _earliest(checkpoint, reach)
    if deep:
        return earliest
    open_ = [started for started, _ in _records(checkpoint.open) if started >= newest - 2 * overlap]
    return max(earliest, min([newest - overlap, *open_]))


def _earliest(checkpoint: Checkpoint, reach: float) -> float:
    """Tell where the time begins of which something is known, or wanted."""
    wanted = -math.inf if checkpoint.since is None else checkpoint.since
    return wanted if checkpoint.started is None else max(wanted, checkpoint.started - reach)


def _records(packed: bytes) -> Iterator[tuple[float, bytes]]:
    return _RECORD.iter_unpack(packed)


def _has(packed: bytes, digest: bytes) -> bool:
    place = packed.find(digest)
    while place >= 0 and place % _RECORD.size != _RECORD.size - len(digest):
        place = packed.find(digest, place + 1)
    return place >= 0


def _without(packed: bytes, digest: bytes) -> bytes:
    return b"".join(_RECORD.pack(started, known) for started, known in _records(packed) if known != digest)


def _since(packed: bytes, earliest: float) -> bytes:
    if all(started >= earliest for started, _ in _records(packed)):
        return packed
    return b"".join(_RECORD.pack(started, known) for started, known in _records(packed) if started >= earliest)
