"""Triggers of monitors: zones, data and times, and the functions that build them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar, Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

import attrs

from stellantis_hal.hal.redaction import MASK, mask_repr, mask_text, redacted_repr
from stellantis_hal.resources.blocks.energy import Day
from stellantis_hal.resources.control.data_items import DataItem, DataType, Operator, facts_of
from stellantis_hal.resources.control.days import parse_days
from stellantis_hal.resources.control.expressions import Expression
from stellantis_hal.validation import require_type

__all__ = [
    "DataOperand",
    "DataTrigger",
    "Previous",
    "TimeEntry",
    "TimeTrigger",
    "Trigger",
    "UnknownTrigger",
    "Zone",
    "ZoneTrigger",
    "data",
    "times",
    "zone",
]

Scalar: TypeAlias = str | int | float | bool

_NAME = re.compile(r"[A-Za-z]+(?:[._]?[0-9]+)?")
_WEEK = re.compile(r"[wW]([0-9]{1,2})(?:-[wW]([0-9]{1,2}))?")
_WEEKS: Final = 52
_DAY: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)


class Trigger(Expression):
    """One condition of a monitor, by its name."""

    __slots__ = ()

    name: str

    def __str__(self) -> str:
        return self.name

    def describe(self) -> str:
        """Return what it waits for, without places."""
        raise NotImplementedError


def require_name(name: str) -> str:
    """Return the name of a trigger.

    Raises:
        ValueError: it is not safe under every reading of the API's rule.
    """
    require_type("name", name, str)
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"the name of a trigger is letters, then at most one of . and _, then digits, as in home, home_1 or t1, "
            f"not {mask_text(name[:40])!r}"
        )
    return name


# ------------------------------------------------------------------------------------------------- zones


@attrs.frozen(repr=False)
class ZoneTrigger(Trigger):
    """The car enters or leaves a circle.

    Attributes:
        name: its name in the condition.
        transition: ``"In"`` or ``"Out"``, or what the API states.
        latitude: of the centre, in degrees; None where it could not be read.
        longitude: of the centre, in degrees.
        km: the radius.
    """

    name: str
    transition: str
    latitude: float | None
    longitude: float | None
    km: float | None

    def __repr__(self) -> str:
        verb = {"In": "enters", "Out": "exits"}.get(self.transition, "transition")
        km = "?" if self.km is None else f"{self.km:g}"
        return f"zone({mask_repr(self.name)}, {MASK}, km={km}).{verb}"

    def describe(self) -> str:
        """Return what it waits for."""
        verb = {"In": "enters", "Out": "leaves"}.get(self.transition, mask_text(self.transition))
        return f"{verb} the zone {mask_text(self.name)}{'' if self.km is None else f' of {self.km:g} km'}"


@attrs.frozen(repr=False)
class Zone:
    """A circle that a car enters and leaves. Made by :func:`zone`."""

    name: str
    latitude: float
    longitude: float
    km: int

    def __repr__(self) -> str:
        return f"zone({mask_repr(self.name)}, {MASK}, km={self.km})"

    @property
    def exits(self) -> ZoneTrigger:
        """True once the car has left it."""
        return ZoneTrigger(self.name, "Out", self.latitude, self.longitude, self.km)

    @property
    def enters(self) -> ZoneTrigger:
        """True once the car has entered it."""
        return ZoneTrigger(self.name, "In", self.latitude, self.longitude, self.km)


def zone(name: str, latitude: float, longitude: float, *, km: int = 1) -> Zone:
    """Return a circle: ``zone("home", 48.8667, 2.3333, km=1).exits``.

    Args:
        name: its name in the condition: letters, then digits.
        latitude: of its centre, in degrees.
        longitude: of its centre, in degrees.
        km: its radius in whole kilometres, at least 1.

    Raises:
        ValueError: a value is out of its bounds.
        TypeError: a value has another type.
    """
    for label, degrees, bound in (("latitude", latitude, 90), ("longitude", longitude, 180)):
        if isinstance(degrees, bool):
            raise TypeError(f"{label} must be a number of degrees, not bool")
        require_type(label, degrees, int, float)
        if not (math.isfinite(degrees) and abs(degrees) <= bound):
            raise ValueError(f"{label} must be between -{bound} and {bound} degrees")
    if isinstance(km, bool):
        raise TypeError("km must be a number, not bool")
    require_type("km", km, int, instead="the API takes whole kilometres")
    if km < 1:
        raise ValueError(f"km must be at least 1, not {km}")
    return Zone(require_name(name), float(latitude), float(longitude), km)


# ------------------------------------------------------------------------------------------------- data


@attrs.frozen(repr=False)
class Previous:
    """What a value must have been before.

    Attributes:
        operator: how it is compared.
        values: what with, as text.
    """

    operator: Operator
    values: tuple[str, ...]

    __repr__ = redacted_repr


@attrs.frozen(repr=False)
class DataTrigger(Trigger):
    """A value of the car changes, or is as wanted.

    Attributes:
        name: its name in the condition.
        item: the value.
        operator: how it is compared.
        values: what with, as text.
        previous: what it must have been before; None: anything.
    """

    name: str
    item: DataItem
    operator: Operator
    values: tuple[str, ...] = ()
    previous: Previous | None = None

    def __repr__(self) -> str:
        return f"<{mask_text(self.name)}: {self.describe()}>"

    def describe(self) -> str:
        """Return what it waits for."""
        sign = _SIGNS.get(self.operator, self.operator)
        values = ", ".join(map(mask_text, self.values))
        before = f" after {', '.join(map(mask_text, self.previous.values))}" if self.previous else ""
        return f"{mask_text(self.item)} {mask_text(sign)} {values}".rstrip() + before


_SIGNS: Final[Mapping[str, str]] = {
    Operator.CHANGES: "changes",
    Operator.EQUALS: "=",
    Operator.GREATER: ">",
    Operator.LOWER: "<",
    Operator.IS_IN: "in",
}


class DataOperand:
    """A value of the car under a name, to be compared. Made by :func:`data`."""

    __slots__ = ("_item", "_name", "_previous")
    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __init__(self, name: str, item: DataItem, previous: Previous | None) -> None:
        self._name = name
        self._item = item
        self._previous = previous

    def __repr__(self) -> str:
        return f"data({mask_repr(self._name)}, {self._item!r})"

    def __lt__(self, value: float) -> DataTrigger:
        return self._trigger(Operator.LOWER, value)

    def __gt__(self, value: float) -> DataTrigger:
        return self._trigger(Operator.GREATER, value)

    def __le__(self, value: object) -> Any:
        raise TypeError("the API compares by lowerThan and greaterThan only: use < instead of <=")

    def __ge__(self, value: object) -> Any:
        raise TypeError("the API compares by lowerThan and greaterThan only: use > instead of >=")

    def __eq__(self, value: object) -> bool:
        raise TypeError("use .equals(value) instead of ==, and .is_in(…) for several values")

    def __ne__(self, value: object) -> bool:
        raise TypeError("use ~data(…).equals(value) instead of !=")

    def __bool__(self) -> bool:
        raise TypeError("compare it: < > .equals(…) .is_in(…) .changes()")

    def changes(self) -> DataTrigger:
        """Return the trigger that is true when the value changes."""
        return self._trigger(Operator.CHANGES)

    def equals(self, value: Scalar) -> DataTrigger:
        """Return the trigger that is true while the value is this one."""
        return self._trigger(Operator.EQUALS, value)

    def is_in(self, *values: Scalar) -> DataTrigger:
        """Return the trigger that is true while the value is one of these."""
        return self._trigger(Operator.IS_IN, *values)

    def _trigger(self, operator: Operator, *values: Scalar) -> DataTrigger:
        facts = facts_of(self._item)
        if facts is not None and operator not in facts.operators:
            taken = " or ".join(sorted(_HOW[each] for each in facts.operators))
            raise ValueError(f"{self._item} does not take {operator}: use {taken}")
        if operator is Operator.IS_IN and not values:
            raise ValueError("is_in() needs one or more values")
        kind: DataType = "text" if facts is None else facts.type
        texts = tuple(dict.fromkeys(_as_text(self._item, value, kind) for value in values))
        return DataTrigger(self._name, self._item, operator, texts, self._previous)


_HOW: Final[Mapping[Operator, str]] = {
    Operator.CHANGES: ".changes()",
    Operator.EQUALS: ".equals(value)",
    Operator.GREATER: ">",
    Operator.LOWER: "<",
    Operator.IS_IN: ".is_in(value, …)",
}


def data(name: str, item: DataItem | str, *, previous: Scalar | Iterable[Scalar] | None = None) -> DataOperand:
    """Return a value of the car to compare: ``data("low", Electric.LEVEL) < 20``.

    Args:
        name: its name in the condition: letters, then digits.
        item: the value.
        previous: what it must have been before: a value, or several; for a few items, and not for fleets.

    Raises:
        ValueError: a value is out of its bounds, or the item has no previous state.
        TypeError: a value has another type.
    """
    require_type("item", item, str)
    found = DataItem(item)
    return DataOperand(require_name(name), found, None if previous is None else _previous(found, previous))


def _previous(item: DataItem, given: Scalar | Iterable[Scalar]) -> Previous:
    values = (given,) if isinstance(given, str | int | float) else tuple(given)
    operator = Operator.EQUALS if len(values) == 1 else Operator.IS_IN
    facts = facts_of(item)
    if facts is not None and operator not in facts.previous:
        what = "several previous values" if facts.previous else "a previous value"
        raise ValueError(
            f"{item} does not take {what}: leave previous out" + (" or pass one" if facts.previous else "")
        )
    if not values:
        raise ValueError("previous must be one or more values")
    return Previous(operator, tuple(_as_text(item, value, "text" if facts is None else facts.type) for value in values))


def _as_text(item: DataItem, value: Scalar, kind: DataType) -> str:
    """Return a value as the API takes it: everything is text."""
    require_type(f"a value of {item}", value, str, int, float)
    if kind == "boolean":
        if not isinstance(value, bool):
            raise TypeError(f"a value of {item} must be True or False, not {type(value).__name__}")
        return "true" if value else "false"
    if isinstance(value, bool) or (kind == "text") is not isinstance(value, str):
        wanted = "text" if kind == "text" else "a number"
        raise TypeError(f"a value of {item} must be {wanted}, not {type(value).__name__}")
    if isinstance(value, str):
        if not value:
            raise ValueError(f"a value of {item} must not be empty")
        return str(value)
    if not math.isfinite(value):
        raise ValueError(f"a value of {item} must be finite")
    return str(int(value)) if value == int(value) else repr(float(value))


# ------------------------------------------------------------------------------------------------- times


@attrs.frozen(repr=False)
class TimeEntry:
    """An interval of time, once or on certain days.

    Attributes:
        recurrence: ``"Daily"``, or ``"None"`` for once.
        start: when it begins: a time of day, or an aware instant where it is once; None where it could not be read.
        lasting: how long it lasts; None: without end.
        days: the days of the week on which it begins; empty: every day.
        weeks: the weeks of the year (ISO 8601) in which it begins; empty: every week.
    """

    recurrence: Literal["Daily", "None"] | str
    start: time | datetime | None
    lasting: timedelta | None = None
    days: tuple[Day, ...] = ()
    weeks: tuple[int, ...] = ()

    __repr__ = redacted_repr

    def covers(self, instant: datetime, zone: ZoneInfo) -> bool:
        """Return whether an instant lies within it."""
        if isinstance(self.start, datetime):
            return self.start <= instant and (self.lasting is None or instant < self.start + self.lasting)
        if self.start is None or self.lasting is None:
            return False
        today = instant.astimezone(zone).date()
        reach = self.lasting // _DAY + 2
        return any(
            begin <= instant < begin + self.lasting
            for day in (today + _DAY - step * _DAY for step in range(reach + 1))
            if self._begins_on(day)
            for begin in (datetime.combine(day, self.start, zone).astimezone(UTC),)
        )

    def _begins_on(self, day: date) -> bool:
        is_day = not self.days or tuple(Day)[day.weekday()] in self.days
        return is_day and (not self.weeks or day.isocalendar().week in self.weeks)

    def describe(self) -> str:
        """Return when it is."""
        start = "?" if self.start is None else self.start.isoformat(timespec="minutes")
        parts = [start, f"for {self.lasting}" if self.lasting is not None else "without end"]
        parts += [",".join(self.days)] if self.days else []
        parts += [",".join(f"w{week}" for week in self.weeks)] if self.weeks else []
        return " ".join(parts)


@attrs.frozen(repr=False)
class TimeTrigger(Trigger):
    """The car is used within one of several intervals of time.

    Attributes:
        name: its name in the condition.
        entries: the intervals.
        zone: the time zone of times of day, by its name; None where the API states none, and takes Europe/Paris.
    """

    name: str
    entries: tuple[TimeEntry, ...]
    zone: str | None = None

    def __repr__(self) -> str:
        return f"<{mask_text(self.name)}: {self.describe()}>"

    def also(
        self,
        *,
        daily: time | None = None,
        start: datetime | None = None,
        lasting: timedelta | None = None,
        days: Iterable[str] | str | None = None,
        weeks: Iterable[str | int] | str | int | None = None,
    ) -> TimeTrigger:
        """Return it with one more interval; the arguments are those of :func:`times`."""
        entry = _entry(daily=daily, start=start, lasting=lasting, days=days, weeks=weeks)
        return attrs.evolve(self, entries=(*self.entries, entry))

    def covers(self, instant: datetime) -> bool:
        """Return whether an aware instant lies within one of the intervals, as this library understands them.

        An interval belongs to the day on which it begins. A time of day that a change of clocks skips or repeats is
        that before the change, and intervals last as long by the clock on the wall in UTC.

        Raises:
            ValueError: the instant is naive.
        """
        if instant.tzinfo is None:
            raise ValueError("instant must be aware: it needs a time zone")
        zone = ZoneInfo(self.zone or "Europe/Paris")
        return any(entry.covers(instant, zone) for entry in self.entries)

    def describe(self) -> str:
        """Return what it waits for."""
        return f"{'; '.join(entry.describe() for entry in self.entries)} ({mask_text(self.zone or 'Europe/Paris')})"


def times(
    name: str,
    *,
    daily: time | None = None,
    start: datetime | None = None,
    lasting: timedelta | None = None,
    days: Iterable[str] | str | None = None,
    weeks: Iterable[str | int] | str | int | None = None,
    zone: str,
) -> TimeTrigger:
    """Return the trigger that is true while the car is used within an interval of time.

    ``times("night", daily=time(22), lasting=timedelta(hours=8), days="Mon-Fri", zone="Europe/London")``; more intervals
    by :meth:`TimeTrigger.also`.

    Args:
        name: its name in the condition: letters, then digits.
        daily: the time of day, in whole minutes, at which it begins each day.
        start: or the aware instant at which it begins, once.
        lasting: how long it lasts; required for ``daily``, and without it ``start`` has no end.
        days: the days on which it begins: ``"Mon-Fri"``, ``"Sat,Sun"``, or a list; for ``daily`` only.
        weeks: the weeks of the year in which it begins: ``"w1,w34-w46"``, or numbers; for ``daily`` only.
        zone: the time zone, by its name, such as ``Europe/London``.

    Raises:
        ValueError: a value is out of its bounds, or two do not go together.
        TypeError: a value has another type.
    """
    require_type("zone", zone, str, instead='zone="Europe/London"')
    if "/" not in zone:
        raise ValueError("zone must be a name with a slash, as Europe/London or Etc/UTC: the API takes no other")
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, KeyError):
        raise ValueError(f"{mask_text(zone[:40])!r} is not a time zone; its name is one as Europe/London") from None
    entry = _entry(daily=daily, start=start, lasting=lasting, days=days, weeks=weeks)
    return TimeTrigger(require_name(name), (entry,), zone)


def _entry(
    *,
    daily: time | None,
    start: datetime | None,
    lasting: timedelta | None,
    days: Iterable[str] | str | None,
    weeks: Iterable[str | int] | str | int | None,
) -> TimeEntry:
    require_type("daily", daily, time, None)
    require_type("start", start, datetime, None)
    require_type("lasting", lasting, timedelta, None)
    if (daily is None) is (start is None):
        raise ValueError("pass daily=time(22) for an interval of each day, or start=instant for one that is once")
    if lasting is not None and (lasting < timedelta(seconds=1) or lasting.microseconds):
        raise ValueError("lasting must be a number of whole seconds, at least 1")
    if start is not None:
        if start.tzinfo is None:
            raise ValueError("start must be aware: it needs a time zone")
        if days is not None or weeks is not None:
            raise ValueError("days and weeks go with daily= only")
        return TimeEntry("None", start.astimezone(UTC), lasting)
    assert daily is not None  # noqa: S101 - one of both is there
    if daily.tzinfo is not None:
        raise ValueError("daily is a time of day without a time zone: name that in zone=")
    if daily.second or daily.microsecond:
        raise ValueError("daily must be in whole minutes")
    if lasting is None:
        raise ValueError("an interval of each day needs its length: pass lasting=timedelta(hours=8)")
    named = () if days is None else parse_days(days)
    return TimeEntry("Daily", daily, lasting, named, () if weeks is None else parse_weeks(weeks))


def parse_weeks(weeks: Iterable[str | int] | str | int) -> tuple[int, ...]:
    """Return weeks of the year in their order, of ``"w1,w34-w46"``, a number, or a list of either.

    Raises:
        ValueError: there is none, or one is not within 1 to 52.
    """
    parts = [weeks] if isinstance(weeks, int) else weeks.split(",") if isinstance(weeks, str) else list(weeks)
    found: set[int] = set()
    for part in parts:
        if isinstance(part, int):
            first = last = int(part)
        else:
            match = _WEEK.fullmatch(str(part).strip())
            if match is None:
                raise ValueError("weeks are named as w1 or w34-w46")
            first = int(match[1])
            last = int(match[2] or match[1])
        if not 1 <= first <= last <= _WEEKS:
            raise ValueError(f"weeks must be within w1 to w{_WEEKS}, and a range goes upwards")
        found.update(range(first, last + 1))
    if not found:
        raise ValueError("weeks must name at least one week, as w1 does")
    return tuple(sorted(found))


# ------------------------------------------------------------------------------------------------- others


@attrs.frozen(repr=False)
class UnknownTrigger(Trigger):
    """A trigger of a kind that this library does not know, as the API states it.

    Attributes:
        name: its name in the condition.
        body: what was read; sent back as it is.
    """

    name: str
    body: Mapping[str, Any] = attrs.field(hash=False)

    def __repr__(self) -> str:
        return f"<{mask_text(self.name)}: {self.describe()}>"

    def describe(self) -> str:
        """Return what is known of it."""
        return "a trigger of an unknown kind"
