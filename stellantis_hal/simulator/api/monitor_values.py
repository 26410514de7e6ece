"""Values that monitors watch, whether triggers hold, and the data that events include."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from math import asin, cos, radians, sin, sqrt
from typing import Any
from zoneinfo import ZoneInfo

import attrs

from stellantis_hal.simulator.api.monitor_body_checks import NUMBERS, parse_duration
from stellantis_hal.simulator.api.serializer import Serializer
from stellantis_hal.simulator.api.status_body import status
from stellantis_hal.simulator.world.entities import GeoPoint, VehicleState
from stellantis_hal.simulator.world.world import World

__all__ = ["CarReport", "holds"]

_EARTH = 6371.0  # km
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@attrs.frozen
class CarReport:
    """What a car reports at a time: its status, and what the world knows beside it.

    Attributes:
        at: when it was reported.
        spot: where the car is.
        values: by the name of the data item, as text, or a list of texts; None: unknown.
    """

    at: datetime
    spot: GeoPoint
    values: Mapping[str, Any]

    @classmethod
    def of(cls, world: World, vehicle: str, at: datetime, state: VehicleState | None = None) -> CarReport:
        """Return the report of a vehicle, of its current state unless one is given."""
        state = state or world.vehicle_state(vehicle)
        serializer = Serializer(world=world, base="", is_fleet=True, owner="")
        body = status(serializer, world.vehicle(vehicle), state)
        return cls(at, state.spot, _values(world, vehicle, body))


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _values(world: World, vehicle: str, body: Mapping[str, Any]) -> dict[str, Any]:
    def block(*path: str) -> Any:
        value: Any = body
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    energies = {energy["type"]: energy for energy in body.get("energies") or []}
    electric, fuel = energies.get("Electric", {}), energies.get("Fuel", {})
    charging = electric.get("extension", {}).get("electric", {}).get("charging", {})
    doors = body.get("doorsState") or {}
    count = world.trip_count(vehicle)
    last = world.trip_at(vehicle, count - 1) if count else None
    done = last if last is None or last.done or count < 2 else world.trip_at(vehicle, count - 2)
    collision = next(iter(world.collisions(vehicle)), None)
    values: dict[str, Any] = {
        "vehicle.odometer": block("odometer", "mileage"),
        "vehicle.powertrain.status": block("powertrain", "status"),
        "vehicle.energy.electric.level": electric.get("level"),
        "vehicle.energy.electric.autonomy": electric.get("autonomy"),
        "vehicle.energy.fuel.level": fuel.get("level"),
        "vehicle.energy.fuel.autonomy": fuel.get("autonomy"),
        "vehicle.autonomy": sum(energy.get("autonomy", 0) for energy in energies.values()) if energies else None,
        "vehicle.energy.charging.status": charging.get("status"),
        "vehicle.energy.charging.plugged": charging.get("plugged"),
        "vehicle.energy.charging.type": charging.get("chargingMode"),
        "vehicle.doorsState.lockedState": ",".join(doors.get("lockedStates", [])) or None,
        "vehicle.doorsState.opening": ",".join(
            sorted(door["identifier"] for door in doors.get("opening", []) if door["state"] == "Open")
        ),
        "vehicle.kinetic.moving": block("kinetic", "moving"),
        "vehicle.kinetic.speed": block("kinetic", "speed"),
        "vehicle.safety.beltWarning": "Normal",
        "vehicle.safety.autoECallTriggering": block("safety", "autoECallTriggering"),
        "environment.air.temp": block("environment", "air", "temp"),
        "privacy.state": block("privacy", "state"),
        "vehicle.drivingBehavior.mode": block("drivingBehavior", "mode"),
        "vehicle.preconditioning.airConditioning": block("preconditioning", "airConditioning", "status"),
        "vehicle.alarm.status.activation": block("alarm", "status", "activation"),
        "vehicle.alarm.trigger.type": next((alarm.type for alarm in world.alarms(vehicle) if alarm.active), None),
        "stolen.state": world.thefts.current(vehicle) is not None,
    }
    if last is not None:
        values |= {
            "vehicle.trip.start": last.id,
            "vehicle.trip.duration": round(last.duration.total_seconds()),
            "vehicle.trip.distance": last.distance,
            "vehicle.trip.state": "Nominal" if last.done else "Unfinished",
        }
    if done is not None and done.done:
        values |= {"vehicle.trip.stop": done.id, "vehicle.trip": done.id}
    found: dict[str, Any] = {name: _text(value) for name, value in values.items()}
    if collision is not None:
        found["vehicle.collision.side"] = [side for side, _ in collision.sides]
        found["vehicle.collision.severity"] = [severity for _, severity in collision.sides]
    found["vehicle.alert"] = [alert.type for alert in world.alerts(vehicle) if alert.active]
    return found


# ---------------------------------------------------------------------- triggers


def holds(trigger: Mapping[str, Any], before: CarReport | None, now: CarReport, *, held: bool) -> bool:
    """Return whether a trigger holds at a report.

    Args:
        trigger: the trigger, as it was posted.
        before: the report before; None: there was none.
        now: the report.
        held: whether the trigger held at the report before, by which its previous state counts no more.
    """
    if "zone" in trigger:
        return _zone_holds(trigger["zone"], now.spot)
    if "time" in trigger:
        return _time_holds(trigger["time"], now.at)
    return _data_holds(trigger["data"], before, now, held=held)


def _zone_holds(zone: Mapping[str, Any], spot: GeoPoint) -> bool:
    center = zone["place"]["center"]
    is_inside = _distance(spot, center["latitude"], center["longitude"]) <= zone["place"]["radius"]
    return is_inside if zone["transition"] == "In" else not is_inside


def _distance(spot: GeoPoint, latitude: float, longitude: float) -> float:
    """Return the great-circle distance in km (haversine)."""
    one, other = radians(spot.latitude), radians(latitude)
    chord = sin((one - other) / 2) ** 2
    chord += cos(one) * cos(other) * sin(radians(spot.longitude - longitude) / 2) ** 2
    return 2 * _EARTH * asin(min(1.0, sqrt(chord)))


def _data_holds(data: Mapping[str, Any], before: CarReport | None, now: CarReport, *, held: bool) -> bool:
    item, operator, wanted = data["data"], data["op"], data.get("value", [])
    value = now.values.get(item)
    old = None if before is None else before.values.get(item)
    if operator == "onChange":
        is_true = before is not None and _has_changed(old, value)
    else:
        is_true = any(_COMPARE[operator](each, wanted, item in NUMBERS) for each in _listed(value))
    previous = data.get("previous")
    if is_true and previous is not None and not held:
        is_true = any(each in previous["value"] for each in _listed(old))
    return is_true


def _has_changed(old: Any, new: Any) -> bool:
    return bool(set(new) - set(old)) if isinstance(new, list) and isinstance(old, list) else old != new


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _equals(value: str, wanted: list[str], is_number: bool) -> bool:
    return float(value) == float(wanted[0]) if is_number else value == wanted[0]


_COMPARE: dict[str, Callable[[str, list[str], bool], bool]] = {
    "equalsTo": _equals,
    "greaterThan": lambda value, wanted, _: float(value) > float(wanted[0]),
    "lowerThan": lambda value, wanted, _: float(value) < float(wanted[0]),
    "includedIn": lambda value, wanted, _: value in wanted,
}


def _time_holds(trigger: Mapping[str, Any], at: datetime) -> bool:
    zone = ZoneInfo(trigger.get("timeZone", "Europe/Paris"))
    return any(_entry_holds(entry, zone, at) for entry in trigger["times"])


def _entry_holds(entry: Mapping[str, Any], zone: ZoneInfo, at: datetime) -> bool:
    length = parse_duration(entry.get("duration"))
    if entry["recurrence"] == "None":
        start = datetime.fromisoformat(entry["start"])
        return start <= at and (length is None or at < start + length)
    since_midnight = parse_duration(entry["start"])
    assert since_midnight is not None  # noqa: S101 - checked when it was posted
    assert length is not None  # noqa: S101 - checked when it was posted
    hours, rest = divmod(int(since_midnight.total_seconds()), 3600)
    clock = time(hours, rest // 60, rest % 60)
    day = at.astimezone(zone).date() + timedelta(days=1)
    for _ in range(length.days + 3):
        begin = datetime.combine(day, clock, zone).astimezone(UTC)
        if begin <= at < begin + length and _occurs(entry.get("occurence") or {}, day):
            return True
        day -= timedelta(days=1)
    return False


def _occurs(occurrence: Mapping[str, Any], day: Any) -> bool:
    days, weeks = occurrence.get("day"), occurrence.get("week")
    if days and _DAYS[day.weekday()] not in days:
        return False
    return not weeks or any(_in_week(each, day.isocalendar().week) for each in weeks)


def _in_week(text: str, week: int) -> bool:
    first, _, last = text.lower().replace("w", "").partition("-")
    return int(first) <= week <= int(last or first)
