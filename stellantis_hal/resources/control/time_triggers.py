"""Time triggers of monitors: the car is used within an interval of time, on certain days or weeks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

import attrs

from stellantis_hal.hal.redaction import mask_text, redacted_repr
from stellantis_hal.resources.blocks.energy import Day
from stellantis_hal.resources.control.days import parse_days
from stellantis_hal.resources.control.trigger import Trigger, require_name
from stellantis_hal.validation import require_type, require_utc

__all__ = ["TimeEntry", "TimeTrigger", "parse_weeks", "times"]

_WEEK = re.compile(r"[wW]([0-9]{1,2})(?:-[wW]([0-9]{1,2}))?")
_WEEKS: Final = 52
_DAY: Final = timedelta(days=1)
_RECURRENCE: Final = 800
"""Days within which each day of each week recurs; an interval that is longer has begun anew by then."""


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
            return self.start <= instant and (self.lasting is None or instant - self.start < self.lasting)
        if self.start is None or self.lasting is None:
            return False
        today = instant.astimezone(zone).date()
        reach = min(self.lasting // _DAY + 2, _RECURRENCE)
        return any(
            begin <= instant and instant - begin < self.lasting
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
        return TimeEntry("None", require_utc("start", start), lasting)
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
        if isinstance(part, int) and not isinstance(part, bool):
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
