"""The owner of a vehicle: the trips of a day and the charges after them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import attrs

from stellantis_hal.simulator.world.charging import HOME_POWER, QUICK_POWER, Charge
from stellantis_hal.simulator.world.consumption_model import BATTERY_WH, TANK_CL, average_speed, electric_wh, fuel_cl
from stellantis_hal.simulator.world.entities import Energy, GeoPoint, Trip, Vehicle
from stellantis_hal.simulator.world.habits import Departure, Habits, day_plan, habits_of
from stellantis_hal.simulator.world.places import places_of, road_km
from stellantis_hal.simulator.world.seeded import draws, fraction
from stellantis_hal.simulator.world.weather import temperature

__all__ = ["Driver", "Stand", "TripAndStand", "day_of", "usual_wh"]

_DAY = timedelta(days=1)
_FIRST_DAY = datetime(2000, 1, 1, 3, tzinfo=UTC)  # 04:00 local time, when every vehicle stands; a Saturday
_LOCAL_HOURS = 1.0  # ahead of UTC
_LEAST_STOP = timedelta(minutes=4)
_USUAL_SPEED, _USUAL_KM = 60.0, 15.0
_RESERVE = 4.0  # percent at which a hybrid drives with fuel only, and below which no vehicle of the model gets
_DRAWS_PER_LEG = 4


def day_of(at: datetime) -> int:
    """Return the number of the day that goes on at a time; days begin at 04:00 local time."""
    return (at - _FIRST_DAY) // _DAY


def usual_wh(air: float) -> float:
    """Return the usual consumption of electricity at a temperature of the air, in Wh per km."""
    return electric_wh(_USUAL_KM, _USUAL_SPEED, air) / _USUAL_KM


@attrs.frozen(kw_only=True)
class Stand:
    """A vehicle that stands.

    Attributes:
        since: when it stopped.
        trips: how many trips it has made.
        place: a name of :func:`places_of`, or empty.
        tenths: odometer in tenths of a km.
        battery, fuel: levels when it stopped, in percent; None: it has no such energy.
        plugged: whether the charging cable is in.
        charge: the charge that begins or goes on while it stands.
        load: the consumption of the last trip, as a multiple of the usual one.
    """

    since: datetime
    trips: int
    spot: GeoPoint
    place: str
    tenths: int
    battery: float | None
    fuel: float | None
    plugged: bool = False
    charge: Charge | None = None
    load: float = 1.0

    def battery_at(self, at: datetime) -> float | None:
        """Return the level of the battery at a time."""
        return self.battery if self.charge is None or at < self.charge.since else self.charge.level_at(at)

    def energies(self, kinds: tuple[str, ...], battery: float | None) -> tuple[Energy, ...]:
        """Return the levels as the API rounds them, with that of the battery."""
        return _energies(kinds, battery, self.fuel)


def _energies(kinds: tuple[str, ...], battery: float | None, fuel: float | None) -> tuple[Energy, ...]:
    levels = {"Electric": battery, "Fuel": fuel}
    return tuple([Energy(type=kind, level=round(levels[kind] or 0.0, 1)) for kind in kinds])


class TripAndStand(NamedTuple):
    """A trip, and the stand after it."""

    trip: Trip
    after: Stand


class Driver:
    """Drives and charges a vehicle by habits; everything follows from the seed, the day and the stand before."""

    def __init__(self, seed: int, vehicle: Vehicle, trip_id: Callable[[int], str]) -> None:
        self._seed = seed
        self._trip_id = trip_id
        self.vehicle = vehicle
        self.habits: Habits = habits_of(seed, vehicle.index)
        self.places: Mapping[str, GeoPoint] = places_of(vehicle.home, seed, vehicle.index)
        self.battery_wh: float = BATTERY_WH.get(vehicle.motorization, 0.0)
        self.thirst: float = 0.88 + 0.26 * fraction(seed, "thirst", vehicle.index)

    def plan(self, day: int) -> tuple[Departure, ...]:
        """Return the departures of a day."""
        return day_plan(self.habits, (day + 5) % 7, self._seed, self.vehicle.index, day)

    def legs(self, day: int, stand: Stand, *, since: datetime | None = None, skip: int = 0) -> Iterator[TripAndStand]:
        """Yield the trips of a day after a stand, without those planned before ``since``, and the first ``skip``."""
        begin = _FIRST_DAY + day * _DAY
        plan = self.plan(day)
        chance = (*draws("legs", self._seed, self.vehicle.index, day), *([0.5] * _DRAWS_PER_LEG))
        for number, (hour, place) in enumerate(plan):
            if number < skip:
                continue
            planned = begin + timedelta(milliseconds=round(hour * 3_600_000))
            if (since is not None and planned < since) or place == stand.place:
                continue
            first = min(number * _DRAWS_PER_LEG, len(chance) - _DRAWS_PER_LEG)
            drawn = chance[first : first + _DRAWS_PER_LEG]
            trip, after = self.drive(stand, place, max(planned, stand.since + _LEAST_STOP), drawn)
            stand = self._parked(after, day, is_last=number == len(plan) - 1)
            yield TripAndStand(trip, stand)

    def drive(
        self,
        stand: Stand,
        to: str | GeoPoint,
        at: datetime,
        chance: tuple[float, ...],
        *,
        speed: float = 0.0,
        km: float = 0.0,
    ) -> TripAndStand:
        """Return the trip to a place or spot, and the stand after it; speed in km/h and distance may be given."""
        stop = self.places[to] if isinstance(to, str) else to
        hour = int((at.hour + _LOCAL_HOURS) % 24)
        tenths = round(10 * (km or road_km(stand.spot, stop)))
        distance = tenths / 10
        speed = speed or average_speed(distance, hour, chance[0])
        seconds = max(1, round(distance / speed * 3600))
        if distance:
            speed = distance / (seconds / 3600)
        air = temperature(self._seed, stand.spot, at)
        kinds = self.vehicle.energies
        battery = after_battery = stand.battery_at(at)
        fuel = stand.fuel
        if fuel is not None and fuel < self.habits.refuels_below:
            fuel = round(93.0 + 6.0 * chance[2], 1)  # filled on the way out
        electric_km, wh, cl, load = distance, 0.0, 0.0, stand.load
        thirst = self.thirst * (0.93 + 0.14 * chance[1])
        if battery is None:
            electric_km = 0.0
        else:
            wh = electric_wh(distance, speed, air) * thirst
            available = max(0.0, battery - (_RESERVE if fuel is not None else 0.0)) / 100 * self.battery_wh
            if fuel is not None:
                wh *= 0.7  # the engine joins in
            if wh > available:
                electric_km *= available / wh
                wh = available
            electric_km = round(electric_km * (0.7 if fuel is not None else 1.0), 1)
            after_battery = battery - 100 * wh / self.battery_wh
            if electric_km:
                load = min(1.6, max(0.6, wh / electric_km / usual_wh(air)))
        before = _energies(kinds, battery, fuel)
        after_fuel = fuel
        if fuel is not None:
            cl = fuel_cl(distance - electric_km, speed, air) * thirst
            after_fuel = max(0.0, fuel - 100 * cl / TANK_CL)
        after = Stand(
            since=at + timedelta(seconds=seconds),
            trips=stand.trips + 1,
            spot=stop,
            place=to if isinstance(to, str) else "",
            tenths=stand.tenths + tenths,
            battery=after_battery,
            fuel=after_fuel,
            load=load,
        )
        trip = Trip(
            id=self._trip_id(stand.trips),
            index=stand.trips,
            vehicle=self.vehicle.id,
            started_at=at,
            duration=timedelta(seconds=seconds),
            distance=distance,
            start_mileage=stand.tenths / 10,
            start=stand.spot,
            stop=stop,
            before=before,
            after=after.energies(kinds, after.battery),
            average_speed=speed if distance else 0.0,
            max_speed=round(speed + 12.0 + 30.0 * chance[2], 1) if distance else 0.0,
            used=tuple(round(wh if kind == "Electric" else cl, 1) for kind in kinds),
            electric_km=electric_km,
            temperature=air,
            fault="DataLacking" if chance[3] < 0.02 else None,
        )
        return TripAndStand(trip, after)

    def _parked(self, stand: Stand, day: int, *, is_last: bool) -> Stand:
        """Return a stand, plugged in where its owner charges the battery."""
        if stand.battery is None:
            return stand
        since = stand.since + timedelta(minutes=2)
        if stand.place == "home":
            travels = is_last and any(place == "relatives" for _, place in self.plan(day + 1))
            below = 75.0 if travels and stand.fuel is None else self.habits.plugs_below
            if is_last and stand.battery < below:
                if self.habits.charges_at is not None:
                    hours = self.habits.charges_at - 4.0
                    since = max(since, _FIRST_DAY + day * _DAY + timedelta(hours=hours))
                target = 100.0 if travels else self.habits.target
                charge = self.charge(since, stand.battery, target=target)
                return attrs.evolve(stand, plugged=True, charge=charge)
        elif stand.fuel is None and (stand.battery < 22.0 or (stand.place == "relatives" and stand.battery < 60.0)):
            charge = self.charge(since, stand.battery, target=80.0, quick=True)
            return attrs.evolve(stand, plugged=True, charge=charge)
        return stand

    def charge(
        self,
        since: datetime,
        level: float,
        *,
        target: float = 100.0,
        until: datetime | None = None,
        quick: bool = False,
    ) -> Charge:
        """Return a charge of the battery from a level in percent."""
        rate = 100 * (QUICK_POWER if quick else min(HOME_POWER, 0.3 * self.battery_wh)) / self.battery_wh
        return Charge(since=since, level=level, rate=rate, target=max(level, target), until=until, quick=quick)

    def first_stand(self, epoch: datetime, trips: int, tenths: int) -> tuple[Stand, int]:
        """Return the stand after which a number of trips end before the epoch, and how many of that day to skip."""
        day = day_of(epoch)
        battery = 60.0 + 40.0 * fraction(self._seed, "battery", self.vehicle.index)
        fuel = 30.0 + 60.0 * fraction(self._seed, "fuel", self.vehicle.index)
        stand = Stand(
            since=epoch,
            trips=0,
            spot=self.vehicle.home,
            place="home",
            tenths=tenths,
            battery=battery if self.battery_wh else None,
            fuel=fuel if "Fuel" in self.vehicle.energies else None,
        )
        if not trips:
            return stand, 0
        begin = attrs.evolve(stand, since=_FIRST_DAY + day * _DAY)
        left = trips - sum(1 for leg in self.legs(day, begin) if leg.after.since < epoch)
        while left > 0:
            day -= 1
            left -= len(self.plan(day))
        plan = self.plan(day)
        place = plan[-left - 1][1] if left else "home"
        stand = attrs.evolve(stand, since=_FIRST_DAY + day * _DAY, spot=self.places[place], place=place)
        return stand, -left
