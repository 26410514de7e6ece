"""Records from which a watch resumes: polls of vehicles, listings of accounts, and what was left of the burst."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

import attrs

from stellantis_hal.hal.json import decode, encode

__all__ = ["AccountRecord", "RemainingBurst", "SavedAccountState", "VehiclePollRecord"]


@attrs.frozen(kw_only=True)
class VehiclePollRecord:
    """When a vehicle was polled.

    Attributes:
        polled_at: time of the last poll, in seconds since the epoch.
        deep_at: time at which the next deep scan is due, likewise; None: at the next poll.
        factor: factor of its interval.
    """

    polled_at: float
    deep_at: float | None = None
    factor: float = 1.0

    def dump(self) -> bytes:
        """Return the record as bytes for a store."""
        return encode([self.polled_at, self.deep_at, self.factor])

    @classmethod
    def load(cls, content: bytes) -> Self:
        """Return the record that :meth:`dump` wrote.

        Raises:
            ValueError: the content is not a record.
        """
        fields = _fields(content, 3, "a vehicle")
        polled_at, deep_at, factor = fields
        record = cls(
            polled_at=_number(polled_at), deep_at=None if deep_at is None else _number(deep_at), factor=_number(factor)
        )
        if record.factor <= 0:
            raise ValueError("the factor of an interval must be positive")
        return record


@attrs.frozen(kw_only=True)
class AccountRecord:
    """When an account was listed, and whether it was lost.

    Attributes:
        listed_at: time of the last listing, in seconds since the epoch; None before the first one.
        vehicles: ids of the vehicles that it lists.
        lost_at: time at which it was lost, as its `AccountLost` said; None while it works.
        failures: failures in a row since then.
    """

    listed_at: float | None = None
    vehicles: tuple[str, ...] = ()
    lost_at: float | None = None
    failures: int = 0

    def dump(self) -> bytes:
        """Return the record as bytes for a store."""
        return encode([self.listed_at, list(self.vehicles), self.lost_at, self.failures])

    @classmethod
    def load(cls, content: bytes) -> Self:
        """Return the record that :meth:`dump` wrote.

        Raises:
            ValueError: the content is not a record.
        """
        fields = _fields(content, 4, "an account")
        listed_at, vehicles, lost_at, failures = fields
        if not isinstance(vehicles, list) or not all(isinstance(id_, str) for id_ in vehicles):
            raise ValueError("not the record of an account")
        return cls(
            listed_at=None if listed_at is None else _number(listed_at),
            vehicles=tuple(vehicles),
            lost_at=None if lost_at is None else _number(lost_at),
            failures=int(_number(failures)),
        )


@attrs.frozen(kw_only=True)
class RemainingBurst:
    """How much of its burst a watch has left.

    Attributes:
        at: the time of it, in seconds since the epoch.
        level: 1 for a full burst, 0 for none; negative where more was spent.
    """

    at: float
    level: float

    def dump(self) -> bytes:
        """Return the record as bytes for a store."""
        return encode([self.at, self.level])

    @classmethod
    def load(cls, content: bytes) -> Self:
        """Return the record that :meth:`dump` wrote.

        Raises:
            ValueError: the content is not a record.
        """
        fields = _fields(content, 2, "a pace")
        return cls(at=_number(fields[0]), level=_number(fields[1]))


@attrs.frozen(kw_only=True)
class SavedAccountState:
    """An account as its last owner left it.

    Attributes:
        record: its record.
        vehicles: dumps of its vehicles by id; None where they have to be listed.
        vehicle_records: those of its vehicles, by id.
    """

    record: AccountRecord
    vehicles: Mapping[str, Mapping[str, Any]] | None
    vehicle_records: Mapping[str, VehiclePollRecord]


def _fields(content: bytes, count: int, what: str) -> list[Any]:
    """Return the so many fields of a record; what names it in the error."""
    fields = decode(content)
    if not isinstance(fields, list) or len(fields) != count:
        raise ValueError(f"not the record of {what}")
    return fields


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("not a number")
    return float(value)
