"""Changes between two snapshots of the same resource."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any, Literal

import attrs

from stellantis_hal.fleet.item_pairing import IDENTIFIES, pair_items
from stellantis_hal.hal.json import decode, encode, rewrite
from stellantis_hal.hal.redaction import hide, is_private, mask_repr, show_value
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.structuring.typed_resource import TypedResource
from stellantis_hal.structuring.values_by_path import values_by_path

__all__ = ["SnapshotComparison", "SnapshotState", "ValueChange", "compare", "diff", "has_same_body"]


_CLOCK_TOLERANCE = 86_400.0
"""Seconds that a snapshot may be ahead of the clock: clocks differ, and some take local time for UTC."""


@attrs.frozen
class ValueChange:
    """A value that differs between two snapshots.

    Attributes:
        path: where it stands, by the names of this library: ``energies[0].level``. The items of a list are compared
            with those of the same type, identifier or slot, at any index; the index is the new one.
        old: the old value, as JSON; None where it was missing.
        new: the new value; None where it is missing now.
    """

    path: str
    old: Any
    new: Any

    def __repr__(self) -> str:
        """Show a change without the values of places, persons, ids and pictures, and of keys that no field has."""
        is_hidden = is_private(self.path) or self.path == "trips"  # the id of a trip
        old, new = map(hide if is_hidden else show_value, (self.old, self.new))
        return f"ValueChange(path={mask_repr(self.path)}, old={old}, new={new})"


@attrs.frozen(kw_only=True)
class SnapshotState:
    """State of the snapshot delivered last: what the next one is compared with.

    Attributes:
        timestamps: of the newest snapshot so far, in seconds since the epoch: created, updated; None: unknown.
        digest: digest of the latest body.
        serial: number of snapshots delivered.
        leaves: the values of the latest snapshot by path, compressed.
    """

    timestamps: tuple[float, float] | None
    digest: bytes
    serial: int
    leaves: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class SnapshotComparison:
    """Result of comparing a snapshot with the state of the one before.

    Attributes:
        outcome: "changed", "unchanged", or "older" than the one before.
        changes: what differs; empty unless the outcome is "changed".
        state: the state to compare the next snapshot with.
    """

    outcome: Literal["changed", "unchanged", "older"]
    changes: tuple[ValueChange, ...]
    state: SnapshotState


def diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[ValueChange, ...]:
    """Return the changes between two sets of values by path: new and changed ones in the new order, then removed."""
    changes: list[ValueChange] = []
    before = old.get
    for path, value in new.items():
        known = before(path)
        if known.__class__ is value.__class__:
            if known == value:
                continue
        elif known == value and isinstance(known, bool) is isinstance(value, bool):
            continue
        changes.append(ValueChange(path, known, value))
    if old.keys() - new.keys():
        changes += [
            ValueChange(path, value, None) for path, value in old.items() if path not in new and value is not None
        ]
    return tuple(changes)


def compare(state: SnapshotState | None, snapshot: TypedResource, *, now: float) -> SnapshotComparison:
    """Compare a snapshot with the state of the one before.

    A snapshot whose latest timestamp is earlier than that of the newest one is older, even if its values differ:
    snapshots arrive out of order. One without timestamps counts as newer. One with the same timestamps and other values
    is changed.

    Args:
        state: state of the snapshot before; None: this is the first.
        snapshot: the snapshot.
        now: wall-clock time in seconds since the epoch. A snapshot from the future makes none from the present older:
            otherwise one wrong clock would silence a vehicle until that day.
    """
    timestamps = _timestamps(snapshot)
    if state is not None and state.timestamps and timestamps and _is_older(timestamps, state.timestamps, now):
        return SnapshotComparison(outcome="older", changes=(), state=state)
    digest = _digest(snapshot)
    if state is not None and digest == state.digest:
        return SnapshotComparison(outcome="unchanged", changes=(), state=state)
    values = values_by_path(snapshot)
    before = {} if state is None else decode(zlib.decompress(state.leaves))
    changes = diff(before, values)
    if before and any(IDENTIFIES.fullmatch(change.path) for change in changes):
        changes = diff(pair_items(before, values), values)
    newest = timestamps if timestamps is not None or state is None else state.timestamps
    if state is not None and not changes:
        return SnapshotComparison(
            outcome="unchanged", changes=(), state=attrs.evolve(state, timestamps=newest, digest=digest)
        )
    packed = zlib.compress(rewrite(values), 1)
    serial = 1 if state is None else state.serial + 1
    return SnapshotComparison(
        outcome="changed",
        changes=changes,
        state=SnapshotState(timestamps=newest, digest=digest, serial=serial, leaves=packed),
    )


def has_same_body(state: SnapshotState | None, resource: HalResource) -> bool:
    """Return whether a resource has the latest body again, byte for byte, before anything is decoded.

    False where the bytes are unknown.
    """
    content = resource.snapshot.content.raw
    return state is not None and bool(content) and _digest_of(content) == state.digest


def _timestamps(snapshot: TypedResource) -> tuple[float, float] | None:
    created: datetime | None = getattr(snapshot, "created_at", None)
    updated: datetime | None = getattr(snapshot, "updated_at", None)
    first = created or updated
    if first is None:
        return None
    return first.timestamp(), (updated or first).timestamp()


def _is_older(timestamps: tuple[float, float], newest: tuple[float, float], now: float) -> bool:
    """Return whether a snapshot is older: by the later of both timestamps, then by that of its creation.

    A creation as late as the update may be none at all: then it says nothing.
    """
    latest, known = max(timestamps), max(newest)
    is_older = latest < known or (latest == known and timestamps[0] < newest[0] < known)
    return is_older and not latest <= now + _CLOCK_TOLERANCE < known


def _digest(snapshot: TypedResource) -> bytes:
    """Return the digest of a body: of its bytes where they are known, which spares decoding them.

    A body with the same values in other bytes has another digest; comparing its values finds no change.
    """
    content = snapshot.content
    if not content:
        document = snapshot.document
        content = encode(snapshot.to_dict() if document is None else document.body)
    return _digest_of(content)


def _digest_of(content: bytes) -> bytes:
    return blake2b(content, digest_size=8).digest()
