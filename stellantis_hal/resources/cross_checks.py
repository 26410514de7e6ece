"""Cross-checks: views of one fact in a resource that contradict each other.

Each check takes a value that was read and returns what disagrees in it: path, value and words. Both values stay as they
are. The words hold figures of levels, distances, consumptions and times alone, so that they may be logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import attrs

from stellantis_hal.structuring.future_limit import AHEAD
from stellantis_hal.structuring.problems import Disagreement, Problem, json_type
from stellantis_hal.structuring.units import convert_unit

if TYPE_CHECKING:
    from stellantis_hal.resources.alert import Alert
    from stellantis_hal.resources.blocks.consumption import EnergyConsumption
    from stellantis_hal.resources.blocks.energy import Charging, Energy
    from stellantis_hal.resources.blocks.powertrain import Kinetic
    from stellantis_hal.resources.status import Status
    from stellantis_hal.resources.telemetry import VehicleTelemetry
    from stellantis_hal.resources.theft import Theft
    from stellantis_hal.resources.trip import Trip, TripSegment

__all__ = [
    "TOLERANCES",
    "OdometerReading",
    "Tolerances",
    "check_charging",
    "check_energies",
    "check_energy",
    "check_kinetic",
    "check_period",
    "check_trip",
]


@attrs.frozen(kw_only=True)
class Tolerances:
    """How far two views of one fact may differ before it is told.

    Attributes:
        level: percentage points between a level and residual/capacity, or between the shares of a trip.
        average: the factor between an average and what it is an average of.
        mileage: kilometres between an odometer and a start mileage with the distance.
        capacity: the factor between two capacities of one battery.
        duration: between a duration and the time from start to stop, where the factor ``average`` is passed too.
        speed: km/h by which an average speed may pass the highest one.
        ahead: how far an instant may be ahead of the client's clock; a tolerance of every resource.
    """

    level: float = 5.0
    average: float = 2.0
    mileage: float = 2.0
    capacity: float = 1.25
    duration: timedelta = timedelta(minutes=2)
    speed: float = 5.0
    ahead: timedelta = AHEAD


TOLERANCES: Final = Tolerances()

# Amounts of a trip are rounded: averages over short trips are compared with this much slack, in centilitres or Wh.
_ROUNDING: Final = 10.0
# Below these, an average speed says nothing.
_SHORTEST: Final = 1.0  # km
_BRIEFEST: Final = 60  # s
_LEVEL: Final = TOLERANCES.level
_SPEED: Final = TOLERANCES.speed
_UNITS: Final = {"Fuel": "cL", "Electric": "Wh"}
_NOTHING: Final[Sequence[Disagreement]] = ()


def _figure(value: float) -> str:
    return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.0f}"


def _factor(one: float, other: float) -> float:
    """Return the factor between two figures, at least 1; infinity where only one is zero or their signs differ."""
    if one == other:
        return 1.0
    small, large = sorted((abs(one), abs(other)))
    return large / small if one * other > 0 else float("inf")


def _span(span: timedelta) -> str:
    return f"{span.days} days" if span.days else f"{_figure(span.total_seconds())} s"


def _unit_note(factor: float, *powers: float) -> str:
    for power in powers or (1000, 100):
        if power / 1.5 < factor < power * 1.5:
            return f" (a factor of about {power}: one of them is in another unit)"
    return ""


# ------------------------------------------------------------------------------------------------- energies


def check_energy(energy: Energy) -> Sequence[Disagreement]:
    """Check a level against what is left in the battery, and the views of the battery against each other."""
    found: list[Disagreement] = []
    if energy.extension is not None and energy.extension.electric is not None:
        _check_battery(energy, found)
    return found


def _check_battery(energy: Energy, found: list[Disagreement]) -> None:
    electric = energy.extension and energy.extension.electric
    battery = electric and electric.battery
    load = battery and battery.load
    older_capacity = battery.capacity if battery else None
    older_kwh = electric.residual.consumption if electric and electric.residual else None
    older_residual = convert_unit(older_kwh, "kWh", "Wh")
    capacity, residual = (load.capacity, load.residual) if load else (None, None)
    if capacity and older_capacity and _factor(capacity, older_capacity) > TOLERANCES.capacity:
        reason = f"capacity {_figure(older_capacity)} Wh, but load.capacity {_figure(capacity)} Wh"
        note = _unit_note(_factor(capacity, older_capacity))
        found.append((".extension.electric.battery.capacity", older_capacity, reason + note))
    full, left = capacity or older_capacity, older_residual if residual is None else residual
    if not full or left is None:
        return
    if older_residual is not None and abs(older_residual - left) > full * TOLERANCES.level / 100:
        reason = f"residual {_figure(older_residual / 1000)} kWh, but load.residual {_figure(left)} Wh"
        note = _unit_note(_factor(older_residual, left))
        found.append((".extension.electric.residual.consumption", older_residual, reason + note))
    share = left * 100 / full
    if energy.level is not None and abs(energy.level - share) > TOLERANCES.level:
        reason = f"level {_figure(energy.level)} %, but residual/capacity {_figure(share)} %"
        figures = f" ({_figure(left)} Wh of {_figure(full)} Wh)"
        found.append((".level", energy.level, reason + figures + _unit_note(_factor(energy.level, share))))


def check_charging(charging: Charging) -> Sequence[Disagreement]:
    """Check that a car that is charging is plugged in."""
    if charging.plugged is False and charging.in_progress:
        return [(".plugged", False, "not plugged in, but charging")]
    return _NOTHING


def check_energies(vehicle: Status | VehicleTelemetry) -> Sequence[Disagreement]:
    """Check that an energy has one level."""
    if len(vehicle.energies) < 2:
        return _NOTHING
    found: list[Disagreement] = []
    _check_repeated(vehicle.energies, ".energies", found)
    return found


def _check_repeated(energies: Sequence[Energy], path: str, found: list[Disagreement]) -> None:
    """Compare the levels of energies of the same type; a type may have several kinds of energy."""
    for index, energy in enumerate(energies):
        for other in energies[:index]:
            if energy.type is None or energy.type != other.type or energy.sub_type != other.sub_type:
                continue
            if energy.level is not None and other.level is not None and abs(energy.level - other.level) > _LEVEL:
                reason = f"{_figure(energy.level)} %, but another one of the same type has {_figure(other.level)} %"
                found.append((f"{path}[{index}].level", energy.level, reason))
                break


# ------------------------------------------------------------------------------------------------- movement


def check_kinetic(kinetic: Kinetic) -> Sequence[Disagreement]:
    """Check that a car that does not move has no speed."""
    if kinetic.moving is False and kinetic.speed is not None and kinetic.speed > _SPEED:
        return [(".speed", kinetic.speed, f"{_figure(kinetic.speed)} km/h, but not moving")]
    return _NOTHING


# ------------------------------------------------------------------------------------------------- trips


def check_trip(trip: Trip) -> Sequence[Disagreement]:
    """Check the times, distances, speeds and consumptions of a trip against each other.

    It runs for every trip: figures that agree are compared without a call.
    """
    found: list[Disagreement] = []
    distance, duration, begun, ended = trip.distance, trip.duration, trip.started_at, trip.stopped_at
    seconds = 0.0 if duration is None else duration.total_seconds()
    if begun is not None and ended is not None:
        elapsed = ended - begun
        if elapsed != duration or seconds < 0:
            _check_times(duration, elapsed, found)
    elif seconds < 0:
        _check_times(duration, timedelta(), found)
    if distance is not None and distance > 0:
        percent = 100 / distance
        for used in trip.energy_consumptions:
            consumption, average = used.consumption, used.average
            if consumption is not None and average is not None:
                expected = consumption * percent
                if expected + expected < average or average + average < expected:
                    amounts = (consumption, average, distance)
                    _check_average(trip, used, amounts, found)
        parts = 0.0
        for segment in trip.segments:
            part, told = segment.distance, segment.percent
            if part is not None:
                parts += part
            if part is not None and told is not None and not -_LEVEL <= part * 100 / distance - told <= _LEVEL:
                _check_share(trip, segment, found)
        if parts > distance + TOLERANCES.mileage and parts * percent > 100 + _LEVEL:
            reason = f"segments of {_figure(parts)} km together, but {_figure(distance)} km of distance"
            found.append((".segments", [], reason))
    if len(trip.start_energies) > 1:
        _check_repeated(trip.start_energies, ".startEnergies", found)
    if len(trip.end_energies) > 1:
        _check_repeated(trip.end_energies, ".endEnergies", found)
    kinetic = trip.kinetic
    if kinetic is not None and kinetic.average_speed is not None:
        average = kinetic.average_speed * 3.6
        if kinetic.max_speed is not None and average > kinetic.max_speed + _SPEED:
            reason = f"an average of {_figure(average)} km/h, but at most {_figure(kinetic.max_speed)} km/h"
            found.append((".kinetic.maxSpeed", kinetic.max_speed, reason))
        if distance is not None and seconds >= _BRIEFEST and distance >= _SHORTEST:
            expected = distance * 3600 / seconds
            if expected + expected < average or average + average < expected:
                factor = _factor(average, expected)
                reason = (
                    f"an average of {_figure(average)} km/h, but {_figure(distance)} km in {_figure(seconds)} s "
                    f"are {_figure(expected)} km/h{_unit_note(factor, 3.6)}"
                )
                found.append((".kinetic.avgSpeed", average, reason))
    return found


def _check_times(duration: timedelta | None, elapsed: timedelta, found: list[Disagreement]) -> None:
    told = None if duration is None else duration.total_seconds()
    taken = elapsed.total_seconds()
    if taken < 0:
        found.append((".stoppedAt", "", f"it stops {_span(-elapsed)} before it starts"))
    if told is None:
        return
    if told < 0:
        found.append((".duration", told, f"a duration of {_figure(told)} s is negative"))
    elif taken >= 0 and abs(told - taken) > TOLERANCES.duration.total_seconds():
        factor = _factor(told, taken)
        if factor > TOLERANCES.average:
            reason = f"a duration of {_figure(told)} s, but {_figure(taken)} s from start to stop"
            found.append((".duration", told, reason + _unit_note(factor)))


def _check_average(
    trip: Trip, used: EnergyConsumption, amounts: tuple[float, float, float], found: list[Disagreement]
) -> None:
    consumption, average, distance = amounts
    expected = consumption * (100 / distance)
    factor = _factor(expected, average)
    if factor > TOLERANCES.average and abs(expected - average) > _ROUNDING * 100 / distance:
        unit = _UNITS.get(str(used.type), "")
        reason = (
            f"average {_figure(average)} {unit}/100 km, but {_figure(consumption)} {unit} over {_figure(distance)} km "
            f"are {_figure(expected)} {unit}/100 km{_unit_note(factor)}"
        )
        index = _index(trip.energy_consumptions, used)
        found.append((f".energyConsumptions[{index}].avgConsumption", average, reason))


def _check_share(trip: Trip, segment: TripSegment, found: list[Disagreement]) -> None:
    """Report a share that is beyond the tolerance, unless the trip is too short for it to say anything."""
    part, percent, distance = segment.distance, segment.percent, trip.distance
    if part is None or percent is None or distance is None or distance < _SHORTEST:
        return
    share = part * 100 / distance
    reason = f"{_figure(percent)} % of the trip, but {_figure(part)} of {_figure(distance)} km are {_figure(share)} %"
    found.append((f".segments[{_index(trip.segments, segment)}].percent", percent, reason))


def _index(items: Sequence[object], item: object) -> int:
    return next(index for index, other in enumerate(items) if other is item)


@attrs.frozen
class OdometerReading:
    """The odometer at the end of a trip, by its start mileage and distance.

    Attributes:
        start: at the start of the trip, in km.
        distance: of the trip, in km.
        at: the end of the trip; None where it is unknown.
    """

    start: float
    distance: float
    at: datetime | None

    @classmethod
    def after(cls, trip: Trip) -> OdometerReading | None:
        """Return the odometer after a trip; None where the trip does not tell it."""
        if trip.start_mileage is None or trip.distance is None:
            return None
        return cls(trip.start_mileage, trip.distance, trip.stopped_at)

    @property
    def mileage(self) -> float:
        """The odometer at the end of the trip, in km."""
        return self.start + self.distance

    def compare_later(self, mileage: float | None, at: datetime | None, path: str) -> Problem | None:
        """Compare it with a later reading; None where that agrees, lacks, or is not known to be later.

        A higher one is no contradiction: there may have been trips in between that the API does not list (yet).
        """
        if mileage is None or at is None or self.at is None or at < self.at:
            return None
        if mileage >= self.mileage - TOLERANCES.mileage:
            return None
        reason = (
            f"mileage {_figure(mileage)} km after the trip, but {_figure(self.start)} km at its start and "
            f"{_figure(self.distance)} km of distance are {_figure(self.mileage)} km"
        )
        return Problem(path=path, value_type=json_type(mileage), reason=reason, kind="disagreement")


# ------------------------------------------------------------------------------------------------- alerts, thefts


def check_period(event: Alert | Theft) -> Sequence[Disagreement]:
    """Check that an alert or a theft does not end before it starts."""
    begun, ended = event.started_at, event.ended_at
    if begun is None or ended is None or ended >= begun:
        return _NOTHING
    return [(".endAt", "", f"it ends {_span(begun - ended)} before it starts")]
