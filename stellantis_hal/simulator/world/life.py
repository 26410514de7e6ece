"""The life of a vehicle: its owner's days one after another, and trips made by hand between them."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import attrs

from stellantis_hal.simulator.world.charging import REPORT_INTERVAL
from stellantis_hal.simulator.world.driver import Driver, Stand, TripAndStand, day_of
from stellantis_hal.simulator.world.entities import Trip
from stellantis_hal.simulator.world.places import along

__all__ = ["GeneratedDays", "Life", "ManualTrip", "SegmentCache", "partial_trip"]

_MOMENT = timedelta(microseconds=1)
K = TypeVar("K")
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """Values that were used last; others are made again when they are needed."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """Return the value of a key, made where it is missing."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        value = self._values[key] = make()
        if len(self._values) > self._size:
            self._values.popitem(last=False)
        return value

    def forget(self, key: K) -> None:
        """Forget a value."""
        self._values.pop(key, None)


class SegmentCache:
    """What the segments of a world keep in common: trips of recent days, and stands at the starts of days."""

    def __init__(self) -> None:
        self.legs: LruCache[tuple[GeneratedDays, int], list[TripAndStand]] = LruCache(2_048)  # about 5 MB
        self.stands: LruCache[GeneratedDays, list[Stand]] = LruCache(256)


class GeneratedDays:
    """A part of a vehicle's life that follows from the stand at its begin.

    Args:
        owner: drives and charges.
        stand: the stand at its begin.
        since: no trip is planned earlier.
        memory: that of the world.
        skip: how many trips of the first day are left out.
        last: the number of trips of the vehicle with which it ends; None: it goes on.
    """

    def __init__(
        self,
        owner: Driver,
        stand: Stand,
        *,
        since: datetime,
        memory: SegmentCache,
        skip: int = 0,
        last: int | None = None,
    ) -> None:
        self.stand = stand
        self._owner = owner
        self.since = since
        self._memory = memory
        self._skip = skip
        self._last = last
        self._halt: datetime | None = None
        self._first_day = day_of(since)
        self._latest = (self._first_day, stand)

    def halt(self, at: datetime) -> None:
        """Let no trip start after a time."""
        self._halt = at
        self._memory.legs.forget((self, day_of(at)))

    def _legs(self, day: int, stand: Stand) -> list[TripAndStand]:
        return self._memory.legs.get((self, day), lambda: self._make_legs(day, stand))

    def _make_legs(self, day: int, stand: Stand) -> list[TripAndStand]:
        is_first = day == self._first_day
        since, skip = (self.since, self._skip) if is_first else (None, 0)
        legs = list(self._owner.legs(day, stand, since=since, skip=skip))
        if self._halt is not None:
            legs = [leg for leg in legs if leg.trip.started_at <= self._halt]
        if self._last is not None:
            legs = [leg for leg in legs if leg.after.trips <= self._last]
            if legs and legs[-1].after.trips == self._last:
                legs[-1] = TripAndStand(legs[-1].trip, attrs.evolve(legs[-1].after, plugged=False, charge=None))
        return legs

    def _advance(self, day: int, stand: Stand) -> Stand:
        legs = self._legs(day, stand)
        return legs[-1].after if legs else stand

    def at(self, now: datetime) -> tuple[Stand, Trip | None]:
        """Return the last stand before a time, and the trip that goes on then.

        At any time, a segment with a last trip is after that trip.
        """
        day, stand = self._latest
        if self._last is not None:
            while stand.trips < self._last:
                stand = self._advance(day, stand)
                day += 1
            self._latest = (day, stand)
            return stand, None
        today = day_of(now)
        if today < day:
            day, stand = self._first_day, self.stand
        while day < today:
            stand = self._advance(day, stand)
            day += 1
        self._latest = (day, stand)
        for leg in self._legs(day, stand) if day == today else ():
            if leg.trip.started_at > now:
                break
            if leg.after.since > now:
                return stand, leg.trip
            stand = leg.after
        return stand, None

    def reports(self, since: datetime, until: datetime) -> Iterator[datetime]:
        """Yield when the vehicle reports after ``since`` and until ``until``, oldest first.

        It reports when it starts, every minute of a trip and when it stops; when a charge begins, every five minutes of
        it and when it ends.
        """
        day, stand = self._first_day, self.stand
        latest, latest_stand = self._latest
        if latest <= day_of(since):
            day, stand = latest, latest_stand
        while day <= day_of(until) and (self._last is None or stand.trips < self._last):
            legs = self._legs(day, stand)
            if day >= day_of(since) - 1:  # a charge of the night before may go on
                for leg in legs:
                    yield from _charge_reports(stand, since, min(until, leg.trip.started_at - _MOMENT))
                    yield from _reports(leg.trip.started_at, leg.after.since, timedelta(minutes=1), since, until)
                    stand = leg.after
            stand = legs[-1].after if legs else stand
            day += 1
        yield from _charge_reports(stand, since, until)

    def trip(self, number: int) -> Trip:
        """Return a trip by its number among all of the vehicle."""
        day, stand = self._latest
        if number < stand.trips:
            stands = self._memory.stands.get(self, lambda: [self.stand])
            while stands[-1].trips <= number:
                stands.append(self._advance(self._first_day + len(stands) - 1, stands[-1]))
            place = bisect_right(stands, number, key=lambda each: each.trips) - 1
            day, stand = self._first_day + place, stands[place]
        while not (found := [leg.trip for leg in self._legs(day, stand) if leg.trip.index == number]):
            stand = self._advance(day, stand)
            day += 1
        return found[0]


def _reports(
    begin: datetime, end: datetime, interval: timedelta, since: datetime, until: datetime
) -> Iterator[datetime]:
    """Yield the begin, each interval after it, and the end, as far as they are after ``since`` and until ``until``."""
    if end <= since or begin > until:
        return
    at = begin + max(0, (since - begin) // interval + 1) * interval
    while at < end and at <= until:
        yield at
        at += interval
    if end <= until:
        yield end


def _charge_reports(stand: Stand, since: datetime, until: datetime) -> Iterator[datetime]:
    """Yield when a vehicle that stands reports its charge."""
    charge = stand.charge
    if charge is not None and charge.since <= until:
        yield from _reports(charge.since, charge.ends_at, REPORT_INTERVAL, since, until)


@attrs.define(kw_only=True)
class ManualTrip:
    """A trip that was made by hand, with the stand before it.

    Attributes:
        leg: the trip so far, and the stand after it.
        done: whether it is over.
        km: its distance so far, which the trip states to a tenth.
    """

    before: Stand
    leg: TripAndStand
    done: bool = False
    km: float = 0.0


class Life:
    """All segments of a vehicle's life, and the trips between them that were made by hand."""

    def __init__(self, owner: Driver, history: GeneratedDays, memory: SegmentCache) -> None:
        self.owner = owner
        self._memory = memory
        self._parts: list[GeneratedDays | ManualTrip] = [history]

    def at(self, now: datetime) -> tuple[Stand, Trip | None]:
        """Return the last stand before a time, and the trip that goes on then, whole where the model drives."""
        last = self._parts[-1]
        return last.at(now) if isinstance(last, GeneratedDays) else (last.before, last.leg.trip)

    def count(self, now: datetime) -> int:
        """Return the number of trips that have started before a time."""
        stand, trip = self.at(now)
        return stand.trips + (trip is not None)

    def trip(self, number: int, now: datetime) -> Trip:
        """Return a trip by its number; one that goes on is as it was last reported."""
        part = next(part for part in reversed(self._parts) if _first(part) <= number)
        if isinstance(part, ManualTrip):
            return part.leg.trip
        trip = part.trip(number)
        return partial_trip(trip, now) if trip.stopped_at > now and part is self._parts[-1] else trip

    def reports(self, since: datetime, until: datetime) -> Iterator[datetime]:
        """Yield when the vehicle reports without being acted upon, after ``since`` and until ``until``."""
        for place, part in enumerate(self._parts):
            following = self._parts[place + 1 : place + 2]
            end = min([until, *map(_begin, following)])
            begin = max(since, _begin(part)) if place else since
            if isinstance(part, GeneratedDays) and begin < end:
                yield from part.reports(begin, end)

    @property
    def made(self) -> ManualTrip | None:
        """The trip that goes on and was started by hand."""
        last = self._parts[-1]
        return last if isinstance(last, ManualTrip) else None

    def restart(self, stand: Stand, now: datetime, *, last: int | None) -> None:
        """Go on from a stand; ``last`` as for :class:`GeneratedDays`."""
        self._parts.append(GeneratedDays(self.owner, stand, since=now, memory=self._memory, last=last))

    def halt(self, at: datetime) -> None:
        """Let no trip start after a time, until the life is restarted."""
        last = self._parts[-1]
        if isinstance(last, GeneratedDays):
            last.halt(at)

    def start_trip(self, trip: ManualTrip) -> None:
        """Begin a trip by hand."""
        self._parts.append(trip)


def _begin(part: GeneratedDays | ManualTrip) -> datetime:
    """Return when a part begins."""
    return part.leg.trip.started_at if isinstance(part, ManualTrip) else part.since


def _first(part: GeneratedDays | ManualTrip) -> int:
    """Return the number of the first trip of a part."""
    return part.before.trips if isinstance(part, ManualTrip) else part.stand.trips


def partial_trip(trip: Trip, now: datetime) -> Trip:
    """Return a trip as its vehicle reports it at a time before its end, once a minute."""
    elapsed = (now - trip.started_at) // timedelta(minutes=1) * timedelta(minutes=1)
    share = elapsed / trip.duration
    distance = round(trip.distance * share, 1)
    return attrs.evolve(
        trip,
        duration=elapsed,
        distance=distance,
        stop=along(trip.start, trip.stop, share),
        after=tuple(
            attrs.evolve(before, level=round(before.level + share * (after.level - before.level), 1))
            for before, after in zip(trip.before, trip.after, strict=True)
        ),
        used=tuple(round(used * share, 1) for used in trip.used),
        electric_km=round(trip.electric_km * share, 1),
        average_speed=distance / (elapsed / timedelta(hours=1)) if elapsed else 0.0,
        max_speed=trip.max_speed if elapsed else 0.0,
        fault="Unfinished",
        done=False,
    )
