"""Remote actions: their kinds, and the bodies that order them."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any, Final, NamedTuple

import attrs

from stellantis_hal.resources.blocks.energy import ChargeProgram, ChargingType, Day
from stellantis_hal.resources.control.days import parse_days
from stellantis_hal.structuring.timestamps import write_duration
from stellantis_hal.validation import require_type, require_utc

__all__ = [
    "ActionKind",
    "ChargingProgram",
    "Program",
    "RemoteActionRequest",
    "charge_at",
    "charge_by_programs",
    "charge_now",
    "charge_until",
    "check_label",
    "delete_climate",
    "horn",
    "immobilize",
    "lights",
    "locks",
    "navigate",
    "prefer_charging",
    "set_climate",
    "start_climate",
    "stolen_immobilization",
    "stolen_state",
    "track_stolen",
    "wake_up",
]

MAX_LABEL: Final = 64
MAX_POSITIONS: Final = 10
SLOTS: Final = 4
LEVELS: Final = 5
_SHORTEST_RUNNING: Final = timedelta(seconds=5)
_SHORTEST_SHUTDOWN: Final = timedelta(seconds=60)


class _Words(NamedTuple):
    """What the API calls an action.

    Attributes:
        type: in responses and events.
        scope: of an account; None where only fleet owners may.
        capability: among the capabilities of a vehicle; None where they do not list it.
    """

    type: str
    scope: str | None
    capability: str | None


class ActionKind(enum.StrEnum):
    """The kind of a remote action, by its member of the body."""

    DOOR = "door"
    HORN = "horn"
    LIGHTS = "lights"
    WAKE_UP = "wakeUp"
    CHARGING = "charging"
    PRECONDITIONING = "preconditioning"
    NAVIGATION = "navigation"
    IMMOBILIZATION = "immobilization"
    STOLEN = "stolen"

    @property
    def type(self) -> str:
        """What the API calls the kind in responses and events."""
        return _WORDS[self].type

    @property
    def scope(self) -> str | None:
        """The scope that an account needs; None where only fleet owners may."""
        return _WORDS[self].scope

    @property
    def capability(self) -> str | None:
        """The name among a vehicle's capabilities; None where they do not list it."""
        return _WORDS[self].capability

    @property
    def is_for_fleets(self) -> bool:
        """Whether only fleet owners have it."""
        return self.scope is None

    @classmethod
    def of_type(cls, name: str) -> ActionKind | None:
        """Return the kind that the API calls by this name in responses and events; None for others."""
        return next((kind for kind in cls if kind.type == name), None)


_WORDS: Final[Mapping[ActionKind, _Words]] = {
    ActionKind.DOOR: _Words("Doors", "remote:door:write", "door"),
    ActionKind.HORN: _Words("Horn", "remote:horn:write", "horn"),
    ActionKind.LIGHTS: _Words("Lights", "remote:lights:write", "lights"),
    ActionKind.WAKE_UP: _Words("WakeUp", "remote:wakeup:write", "wakeup"),
    ActionKind.CHARGING: _Words("ElectricBatteryChargingRequest", "remote:charging:write", "charging"),
    ActionKind.PRECONDITIONING: _Words("ThermalPreconditioning", "remote:preconditioning:write", "preconditioning"),
    ActionKind.NAVIGATION: _Words("Navigation", "remote:navigation:write", "navigation"),
    ActionKind.IMMOBILIZATION: _Words("Immobilization", None, None),
    ActionKind.STOLEN: _Words("Stolen", None, "stolen"),
}


@attrs.frozen
class RemoteActionRequest:
    """A remote action: its kind, and the value of its member of the body.

    Attributes:
        kind: the kind.
        value: what the member ``kind`` of the body holds.
        needs: the path of a parameter among the capabilities that has to be true; empty where there is none.
        slots: the program slots that it names.
    """

    kind: ActionKind
    value: Mapping[str, Any]
    needs: tuple[str, ...] = ()
    slots: tuple[int, ...] = ()

    def body(self, label: str) -> dict[str, Any]:
        """Return the body of the request."""
        return {"label": label, self.kind.value: dict(self.value)}


@attrs.frozen(kw_only=True)
class Program:
    """A program of the air conditioning.

    Attributes:
        slot: its number, 1 to 4; it replaces the program of this slot, and no other.
        at: the time of day at which the cabin is to be at temperature; whose local time, the API does not say.
        days: the days of the week: ``"Mon-Fri"``, ``"Sat,Sun"``, or a list of their names.
        enabled: whether the program is on.
        daily: whether it runs again.
    """

    slot: int
    at: time
    days: tuple[Day, ...] = attrs.field(converter=parse_days, default=tuple(Day))
    enabled: bool = True
    daily: bool = True

    def __attrs_post_init__(self) -> None:
        _check_slot(self.slot)
        _check_time_of_day("at", self.at)
        _flag("enabled", self.enabled)
        _flag("daily", self.daily)


@attrs.frozen(kw_only=True)
class ChargingProgram:
    """A period of charging on some days of the week.

    Attributes:
        start: the time of day at which charging starts; whose local time, the API does not say.
        end: the time of day at which it ends; None: it goes on.
        days: the days of the week: ``"Mon-Fri"``, ``"Sat,Sun"``, or a list of their names.
        enabled: whether the program is on.
        slot: its number, 1 to 4; for vehicles of fleet owners only.
    """

    start: time
    end: time | None = None
    days: tuple[Day, ...] = attrs.field(converter=parse_days, default=tuple(Day))
    enabled: bool = True
    slot: int | None = None

    def __attrs_post_init__(self) -> None:
        _check_time_of_day("start", self.start)
        if self.end is not None:
            _check_time_of_day("end", self.end)
        if self.slot is not None:
            _check_slot(self.slot)
        _flag("enabled", self.enabled)


# ------------------------------------------------------------------------------------------------- bodies


def locks(*, locked: bool) -> RemoteActionRequest:
    """Return the action that locks or unlocks the doors."""
    return RemoteActionRequest(ActionKind.DOOR, {"state": "Locked" if _flag("locked", locked) else "Unlocked"})


def horn(*, on: bool) -> RemoteActionRequest:
    """Return the action that sounds the horn, or stops it."""
    return RemoteActionRequest(ActionKind.HORN, {"state": "Activated" if _flag("on", on) else "Unactivated"})


def lights(*, on: bool) -> RemoteActionRequest:
    """Return the action that turns the lights on or off."""
    return RemoteActionRequest(ActionKind.LIGHTS, {"on": _flag("on", on)})


def wake_up() -> RemoteActionRequest:
    """Return the action that wakes the car."""
    return RemoteActionRequest(ActionKind.WAKE_UP, {"action": "WakeUp"})


def navigate(positions: Iterable[Sequence[float]]) -> RemoteActionRequest:
    """Return the action that sends a route to the navigation system.

    Args:
        positions: 1 to 10 pairs of latitude and longitude in degrees; the last is the destination.

    Raises:
        ValueError: there are none or too many, or one is no position on Earth.
    """
    require_type("positions", positions, Iterable, instead="[(48.86, 2.33)]")
    points = [_point(position) for position in positions]
    if not 1 <= len(points) <= MAX_POSITIONS:
        raise ValueError(f"a route has 1 to {MAX_POSITIONS} positions, not {len(points)}")
    return RemoteActionRequest(ActionKind.NAVIGATION, {"positions": points})


def charge_now(*, start: bool) -> RemoteActionRequest:
    """Return the action that starts charging now, or stops it."""
    _flag("start", start)
    return RemoteActionRequest(ActionKind.CHARGING, {"immediate": start}, ("immediate", "start" if start else "stop"))


def charge_at(start: datetime, *, now: datetime) -> RemoteActionRequest:
    """Return the action that starts charging at an instant.

    Raises:
        ValueError: the instant is naive, or in the past.
    """
    return _schedule({"nextDelayedTime": _future("instant", start, now)}, ("schedule", "next_delayed_time"))


def charge_until(end: datetime | None, *, now: datetime) -> RemoteActionRequest:
    """Return the action that ends charging at an instant; None: that turns the end off.

    Raises:
        ValueError: the instant is naive, or in the past.
    """
    if end is None:
        return _schedule({"chargingEndTimeEnabled": False})
    return _schedule({"chargingEndTime": _future("instant", end, now), "chargingEndTimeEnabled": True})


def charge_by_programs(programs: Iterable[ChargingProgram | ChargeProgram], *, has_slots: bool) -> RemoteActionRequest:
    """Return the action that replaces the charging programs.

    Args:
        programs: new ones, or those of a status.
        has_slots: whether the API takes their slots: that of fleet owners does.

    Raises:
        ValueError: a program has no start, or a slot that the API does not take or that another has.
        TypeError: a value is no program.
    """
    found = [_charging_program(program, has_slots=has_slots) for program in programs]
    slots = [program.slot for program in found if program.slot is not None]
    if slots and not has_slots:
        raise ValueError("charging programs have slots for vehicles of fleet owners only: leave slot out")
    _check_slots(slots)
    return _schedule({"programs": [_charging_body(program) for program in found]}, ("schedule", "programs"))


def prefer_charging(*, level: int | None = None, type: str | None = None) -> RemoteActionRequest:  # noqa: A002 - the API's word
    """Return the action that sets preferences of charging.

    Args:
        level: the power, 1 to 5.
        type: ``"Partial"`` or ``"Full"``.

    Raises:
        ValueError: neither is stated, or one is out of its bounds.
    """
    value: dict[str, str] = {}
    if level is not None:
        if not _is_number(level, LEVELS):
            raise ValueError(f"level must be a number from 1 to {LEVELS}, not {level!r}")
        value["level"] = f"Level{level}"
    if type is not None:
        if type not in tuple(ChargingType):
            raise ValueError(f"type must be one of {', '.join(ChargingType)}, not {str(type)[:40]!r}")
        value["type"] = str(type)
    if not value:
        raise ValueError("prefer() needs level=, type=, or both")
    needs = ("preferences", "level" if level is not None else "type")
    return RemoteActionRequest(ActionKind.CHARGING, {"preferences": value}, needs)


def start_climate(*, on: bool) -> RemoteActionRequest:
    """Return the action that starts the air conditioning now, or stops it."""
    _flag("on", on)
    return RemoteActionRequest(ActionKind.PRECONDITIONING, {"airConditioning": {"immediate": on}}, ("immediate",))


def set_climate(programs: Iterable[Program]) -> RemoteActionRequest:
    """Return the action that sets programs of the air conditioning; slots that are not named stay as they are.

    Raises:
        ValueError: there are none, or two of one slot.
        TypeError: a value is no program.
    """
    found = list(programs)
    for program in found:
        require_type("a program", program, Program, instead="Program(slot=1, at=time(7, 30))")
    slots = [program.slot for program in found]
    return _climate_programs([_climate_body(program) for program in found], slots)


def delete_climate(slots: Iterable[int]) -> RemoteActionRequest:
    """Return the action that deletes programs of the air conditioning.

    Raises:
        ValueError: there are none, or a slot is out of its bounds or named twice.
    """
    found = list(slots)
    for slot in found:
        _check_slot(slot)
    return _climate_programs([{"slot": slot, "actionsType": "Delete"} for slot in found], found)


def immobilize(*, active: bool) -> RemoteActionRequest:
    """Return the action that keeps the engine of a fleet's vehicle from starting, or allows it again."""
    return RemoteActionRequest(ActionKind.IMMOBILIZATION, {"activate": _flag("active", active)})


def stolen_state(*, stolen: bool) -> RemoteActionRequest:
    """Return the action that declares a fleet's vehicle stolen, or found."""
    return RemoteActionRequest(ActionKind.STOLEN, {"stolen": _flag("stolen", stolen)})


def track_stolen(*, running: timedelta, shutdown: timedelta) -> RemoteActionRequest:
    """Return the action that sets how often a stolen vehicle reports its position.

    Args:
        running: while its engine runs, at least 5 s.
        shutdown: while it does not, at least 60 s.

    Raises:
        ValueError: an interval is too short.
    """
    value: dict[str, int] = {}
    bounds = (("running", running, _SHORTEST_RUNNING), ("shutdown", shutdown, _SHORTEST_SHUTDOWN))
    for name, interval, shortest in bounds:
        require_type(name, interval, timedelta)
        if interval < shortest:
            raise ValueError(f"{name} must be a timedelta of at least {shortest.total_seconds():g} s, not {interval!r}")
        value[name] = round(interval.total_seconds())
    return RemoteActionRequest(ActionKind.STOLEN, {"trackingPeriod": value})


def stolen_immobilization(*, active: bool) -> RemoteActionRequest:
    """Return the action that immobilizes a stolen vehicle, or releases it."""
    return RemoteActionRequest(ActionKind.STOLEN, {"immobilization": {"activate": _flag("active", active)}})


def check_label(label: str | None, kind: ActionKind) -> str:
    """Return the label of an operation, without its random letters; by default the kind of the action.

    Raises:
        ValueError: it is empty, too long, or not one line of printable characters.
        TypeError: it is no text.
    """
    if label is None:
        return kind.value
    require_type("label", label, str, None)
    if not label or len(label) > MAX_LABEL or not label.isprintable():
        raise ValueError(f"label must be 1 to {MAX_LABEL} printable characters, not {label[:MAX_LABEL]!r}")
    return label


# ------------------------------------------------------------------------------------------------- parts


def _schedule(value: dict[str, Any], needs: tuple[str, ...] = ()) -> RemoteActionRequest:
    return RemoteActionRequest(ActionKind.CHARGING, {"schedule": value}, needs)


def _climate_programs(programs: list[dict[str, Any]], slots: list[int]) -> RemoteActionRequest:
    if not programs:
        raise ValueError("name at least one program")
    _check_slots(slots)
    value = {"airConditioning": {"programs": programs}}
    return RemoteActionRequest(ActionKind.PRECONDITIONING, value, ("programs",), tuple(slots))


def _flag(name: str, value: bool) -> bool:
    require_type(name, value, bool)
    return value


def _point(position: Sequence[float]) -> dict[str, Any]:
    latitude, longitude = _pair(position)
    for name, value, bound in (("latitude", latitude, 90.0), ("longitude", longitude, 180.0)):
        if not math.isfinite(value) or abs(value) > bound:
            raise ValueError(
                f"a {name} must be from -{bound:g} to {bound:g} degrees: positions are (latitude, longitude)"
            )
    return {"type": "Point", "coordinates": [longitude, latitude]}


def _pair(position: Sequence[float]) -> tuple[float, float]:
    try:
        latitude, longitude = position
        return float(latitude), float(longitude)
    except (TypeError, ValueError):
        raise ValueError("a position must be a pair of numbers: (latitude, longitude)") from None


def _future(name: str, instant: datetime, now: datetime) -> str:
    require_type(name, instant, datetime)
    if instant.tzinfo is None:
        raise ValueError(f"{name} must be aware, as in datetime.now(UTC): a naive one has no time zone")
    if instant <= now:
        raise ValueError(f"{name} must be in the future: {instant.isoformat()} is not after {now.isoformat()}")
    return require_utc(name, instant).isoformat(timespec="seconds").replace("+00:00", "Z")


def _check_time_of_day(name: str, value: time) -> None:
    require_type(name, value, time, instead="pass time(7, 30)")
    if value.tzinfo is not None or value.second or value.microsecond:
        raise ValueError(f"{name} must be a local time of day in whole minutes, without a time zone, not {value!r}")


def _check_slot(slot: int) -> None:
    if not _is_number(slot, SLOTS):
        raise ValueError(f"slot must be a number from 1 to {SLOTS}, not {slot!r}")


def _is_number(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def _check_slots(slots: list[int]) -> None:
    if len(set(slots)) < len(slots):
        raise ValueError(f"each slot may be named once, not {sorted(slots)}")


def _time_of_day(value: time) -> str:
    return write_duration(timedelta(hours=value.hour, minutes=value.minute))


def _occurrence(days: tuple[Day, ...]) -> dict[str, list[str]]:
    return {"day": [day.value for day in days]}


def _climate_body(program: Program) -> dict[str, Any]:
    return {
        "slot": program.slot,
        "actionsType": "Set",
        "enabled": program.enabled,
        "recurrence": "Daily" if program.daily else "None",
        "start": _time_of_day(program.at),
        "occurence": _occurrence(program.days),
    }


def _charging_program(program: ChargingProgram | ChargeProgram, *, has_slots: bool) -> ChargingProgram:
    if isinstance(program, ChargingProgram):
        return program
    require_type("a program", program, ChargingProgram, ChargeProgram, instead="ChargingProgram(start=time(22))")
    if program.start is None:
        raise ValueError("a charging program of a status has no start: make one with ChargingProgram(start=…)")
    days = () if program.occurrence is None else program.occurrence.days
    return ChargingProgram(
        start=program.start,
        end=program.end,
        days=days or "Mon-Sun",
        enabled=program.enabled is not False,
        slot=program.slot if has_slots else None,
    )


def _charging_body(program: ChargingProgram) -> dict[str, Any]:
    body: dict[str, Any] = {
        "start": _time_of_day(program.start),
        "occurence": _occurrence(program.days),
        "enabled": program.enabled,
    }
    if program.end is not None:
        body["end"] = _time_of_day(program.end)
    if program.slot is not None:
        body["slot"] = program.slot
    return body
