"""ISO 8601 intervals, as the vendor's ``timestamps`` parameter takes them."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs

from stellantis_hal.structuring.timestamps import read_duration, read_instant, write_duration, write_instant
from stellantis_hal.validation import require_type, require_utc

__all__ = ["TimeRange"]


def _aware(_: object, attribute: attrs.Attribute[datetime | None], value: datetime | None) -> None:
    require_type(attribute.name, value, datetime, None)
    if value is not None and value.utcoffset() is None:
        raise ValueError(f"{attribute.name} must be aware, as datetime(2023, 1, 2, tzinfo=UTC), not {value}")
    if value is not None:
        require_utc(attribute.name, value)


def _positive(_: object, attribute: attrs.Attribute[timedelta | None], value: timedelta | None) -> None:
    require_type(attribute.name, value, timedelta, None)
    if value is not None and value <= timedelta():
        raise ValueError(f"{attribute.name} must be positive, not {value}")


def _whole(_: object, attribute: attrs.Attribute[int | None], value: int | None) -> None:
    require_type(attribute.name, value, int, None)


@attrs.frozen
class TimeRange:
    """An interval, open on one side or repeated: ``T1/T2``, ``T/D``, ``T/``, ``/T``, ``Rn/T/D``, ``Rn/T/D/d``.

    Attributes:
        since: the start, aware; None: open.
        until: the end, aware; None: open, or given by ``duration``.
        duration: the length, instead of ``until``.
        repeat: the number of repetitions; 0: without end; None: no repetition.
        every: from one start to the next, where it repeats; None: one follows the other without a gap.

    Raises:
        ValueError: the parts do not make an interval of the vendor's grammar.
        TypeError: a part is not a datetime, or not a timedelta.

    >>> from datetime import UTC
    >>> str(TimeRange(datetime(2023, 1, 2, tzinfo=UTC), duration=timedelta(hours=8), repeat=5, every=timedelta(days=1)))
    'R5/2023-01-02T00:00:00Z/PT8H/P1D'
    """

    since: datetime | None = attrs.field(default=None, validator=_aware)
    until: datetime | None = attrs.field(default=None, validator=_aware)
    duration: timedelta | None = attrs.field(default=None, kw_only=True, validator=_positive)
    repeat: int | None = attrs.field(default=None, kw_only=True, validator=_whole)
    every: timedelta | None = attrs.field(default=None, kw_only=True, validator=_positive)

    def __attrs_post_init__(self) -> None:
        if self.since is None and self.until is None:
            raise ValueError("an interval must have since or until")
        if self.duration is not None and (self.since is None or self.until is not None):
            raise ValueError("duration must come with since, and without until")
        # As instants: datetimes of one zone are compared by local time, which is put back in autumn.
        if self.since is not None and self.until is not None and self.until.timestamp() < self.since.timestamp():
            raise ValueError("until must not be before since")
        if self.repeat is not None and (self.duration is None or self.repeat < 0):
            raise ValueError("repeat must be a number, at least 0, and come with since and duration")
        if self.every is not None and self.repeat is None:
            raise ValueError("every must come with repeat")

    def __str__(self) -> str:
        """Return the interval in the vendor's grammar."""
        since = "" if self.since is None else write_instant(self.since)
        if self.duration is None:
            return f"{since}/{'' if self.until is None else write_instant(self.until)}"
        interval = f"{since}/{write_duration(self.duration)}"
        if self.repeat is None:
            return interval
        every = "" if self.every is None else f"/{write_duration(self.every)}"
        return f"R{self.repeat or ''}/{interval}{every}"

    @classmethod
    def parse(cls, text: str) -> TimeRange:
        """Parse an interval of the vendor's grammar.

        Raises:
            ValueError: not an interval of this grammar.
        """
        parts = text.split("/")
        repeat = None
        if parts[0].startswith("R"):
            count = parts.pop(0)[1:]
            if count and not (count.isascii() and count.isdigit()):
                raise ValueError("R must be followed by a number, as in R5/")
            repeat = int(count or 0)
        if not len(parts) == 2 + (repeat is not None and len(parts) == 3):
            raise ValueError("an interval must have two parts, a repeated one two or three, separated by /")
        since = read_instant(parts[0]) if parts[0] else None
        is_duration = parts[1][:1] in {"P", "+", "-"}
        return cls(
            since,
            read_instant(parts[1]) if parts[1] and not is_duration else None,
            duration=read_duration(parts[1]) if is_duration else None,
            repeat=repeat,
            every=read_duration(parts[2]) if len(parts) == 3 else None,
        )
