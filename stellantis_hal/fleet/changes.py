"""What is new in a snapshot.

Knows values, paths into them and the instants at which they were taken. Must not fetch or keep anything.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any, Literal

import attrs

from stellantis_hal.hal.json import decode, encode
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.structuring.typed_resource import TypedResource

__all__ = ["Change", "Comparison", "SnapshotState", "differences", "flatten", "is_known", "judge"]


_AHEAD = 86_400.0
"""Seconds that a snapshot may be ahead of the clock: clocks differ, and some take local time for UTC."""


@attrs.frozen
class Change:
    """One value that differs.

    Attributes:
        path: where it stands, by the names of this library: ``energies[0].level``.
        old: what it was, as JSON; None where it was missing.
        new: what it is; None where it is missing now.
    """

    path: str
    old: Any
    new: Any


@attrs.frozen(kw_only=True)
class SnapshotState:
    """What is remembered of the snapshot given last: enough to tell what is new in the next.

    Attributes:
        taken: the instants of the newest snapshot so far, in seconds since the epoch: made, changed; None: unknown.
        digest: of the body of the latest one.
        serial: counts the snapshots given.
        leaves: its values by path, compressed.
    """

    taken: tuple[float, float] | None
    digest: bytes
    serial: int
    leaves: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Comparison:
    """What is to be said of a snapshot.

    Attributes:
        verdict: "news"; "same" as the one before; "older" than it.
        changes: what differs; empty unless it is news.
        kept: what to remember from now on.
    """

    verdict: Literal["news", "same", "older"]
    changes: tuple[Change, ...]
    kept: SnapshotState


def flatten(value: Mapping[str, Any]) -> dict[str, Any]:
    """Give the leaves of nested objects and arrays by their paths; what is empty has none."""
    return dict(_leaves(value, ""))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{place}]")
    else:
        yield path, value


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    """Tell what differs between two sets of leaves, in the order of the newer, then what is gone."""
    changed = [Change(path, old.get(path), value) for path, value in new.items() if _differs(old, path, value)]
    gone = [Change(path, value, None) for path, value in old.items() if path not in new and value is not None]
    return (*changed, *gone)


def _differs(old: Mapping[str, Any], path: str, value: Any) -> bool:
    before = old.get(path)
    return before != value or isinstance(before, bool) != isinstance(value, bool)


def judge(kept: SnapshotState | None, snapshot: TypedResource, *, now: float) -> Comparison:
    """Compare a snapshot with what is remembered.

    One that was taken before the newest is older, whatever it says: snapshots arrive out of order. One that does not
    say when it was taken is taken for newer. One that was taken at the same time and says something else is news.

    Args:
        kept: what is remembered; None: nothing.
        snapshot: what came.
        now: by the wall clock, in seconds since the epoch. What is from the future makes nothing older that is not:
            one wrong clock would silence a vehicle until that day.
    """
    taken = _taken(snapshot)
    if kept is not None and kept.taken is not None and taken is not None and _is_older(taken, kept.taken, now):
        return Comparison(verdict="older", changes=(), kept=kept)
    digest = _digest(snapshot)
    if kept is not None and digest == kept.digest:
        return Comparison(verdict="same", changes=(), kept=kept)
    leaves = flatten(snapshot.to_dict("python"))
    before = {} if kept is None else decode(zlib.decompress(kept.leaves))
    changes = differences(before, leaves)
    known = taken if taken is not None or kept is None else kept.taken
    if kept is not None and not changes:
        return Comparison(verdict="same", changes=(), kept=attrs.evolve(kept, taken=known, digest=digest))
    packed = zlib.compress(encode(leaves), 1)
    serial = 1 if kept is None else kept.serial + 1
    return Comparison(
        verdict="news", changes=changes, kept=SnapshotState(taken=known, digest=digest, serial=serial, leaves=packed)
    )


def is_known(kept: SnapshotState | None, resource: HalResource) -> bool:
    """Tell, before anything was read, whether a body is the latest one again, byte for byte.

    False where there are no bytes to tell by.
    """
    content = resource.snapshot.content.raw
    return kept is not None and bool(content) and _digest_of(content) == kept.digest


def _taken(snapshot: TypedResource) -> tuple[float, float] | None:
    created: datetime | None = getattr(snapshot, "created_at", None)
    updated: datetime | None = getattr(snapshot, "updated_at", None)
    made = created or updated
    if made is None:
        return None
    return made.timestamp(), (updated or made).timestamp()


def _is_older(taken: tuple[float, float], newest: tuple[float, float], now: float) -> bool:
    return taken < newest and not max(taken) <= now + _AHEAD < max(newest)


def _digest(snapshot: TypedResource) -> bytes:
    """Tell bodies apart without looking at every value: by their bytes, where there are any.

    What says the same in other bytes has another digest, and is found to be no news by its leaves.
    """
    content = snapshot.content
    if not content:
        document = snapshot.document
        content = encode(snapshot.to_dict() if document is None else document.body)
    return _digest_of(content)


def _digest_of(content: bytes) -> bytes:
    return blake2b(content, digest_size=8).digest()
