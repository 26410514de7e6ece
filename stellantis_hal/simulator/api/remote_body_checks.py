"""Bodies of remote actions: what the simulated API takes. Shares nothing with the client."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from stellantis_hal.simulator.api.body_checks import refusal

__all__ = ["FLEET_ACTIONS", "SCOPES", "TYPES", "action_of", "check_remote", "read_time_of_day"]

TYPES = {
    "door": "Doors",
    "horn": "Horn",
    "lights": "Lights",
    "wakeUp": "WakeUp",
    "charging": "ElectricBatteryChargingRequest",
    "preconditioning": "ThermalPreconditioning",
    "navigation": "Navigation",
    "immobilization": "Immobilization",
    "stolen": "Stolen",
}
"""Types of events by the member of the body."""

SCOPES = {
    "door": "remote:door:write",
    "horn": "remote:horn:write",
    "lights": "remote:lights:write",
    "wakeUp": "remote:wakeup:write",
    "charging": "remote:charging:write",
    "preconditioning": "remote:preconditioning:write",
    "navigation": "remote:navigation:write",
}
"""Scopes of account holders."""

FLEET_ACTIONS = ("immobilization", "stolen")
"""Actions of fleet owners only."""

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_TIME_OF_DAY = re.compile(r"PT(?:(\d{1,2})H)?(?:(\d{1,2})M)?(?:0S)?")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


def action_of(body: dict[str, Any]) -> str:
    """Return the member of a body that names the action; refuse none and several."""
    found = [name for name in TYPES if body.get(name) is not None]
    if len(found) != 1:
        raise refusal("The body must have one action.")
    return found[0]


def check_remote(body: dict[str, Any], *, is_fleet: bool) -> str:
    """Return the action of a body; refuse a body off the specification."""
    action = action_of(body)
    if action in FLEET_ACTIONS and not is_fleet:
        raise refusal(f"{action} is for fleet owners.")
    if "label" in body and not isinstance(body["label"], str):
        raise refusal("label must be a string.")
    value = body[action]
    if not isinstance(value, dict):
        raise refusal(f"{action} must be an object.")
    if not _CHECKS[action](value):
        raise refusal(f"{action} is not valid.")
    return action


def _is_door(value: dict[str, Any]) -> bool:
    return value.get("state") in {"Locked", "Unlocked"}


def _is_horn(value: dict[str, Any]) -> bool:
    return value.get("state") in {"Activated", "Unactivated"}


def _is_lights(value: dict[str, Any]) -> bool:
    return isinstance(value.get("on"), bool)


def _is_wake_up(value: dict[str, Any]) -> bool:
    return bool(value.get("action", "WakeUp") == "WakeUp")


def _is_navigation(value: dict[str, Any]) -> bool:
    positions = value.get("positions")
    return isinstance(positions, list) and 1 <= len(positions) <= 10 and all(map(_is_point, positions))


def _is_point(value: Any) -> bool:
    if not isinstance(value, dict) or value.get("type") != "Point":
        return False
    coordinates = value.get("coordinates")
    return isinstance(coordinates, list) and len(coordinates) >= 2 and all(map(_is_number, coordinates))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_charging(value: dict[str, Any]) -> bool:
    modes = [name for name in ("immediate", "schedule", "preferences") if value.get(name) is not None]
    if len(modes) != 1:
        return False
    if modes == ["immediate"]:
        return isinstance(value["immediate"], bool)
    if modes == ["preferences"]:
        return _is_preference(value["preferences"])
    return _is_schedule(value["schedule"])


def _is_preference(value: Any) -> bool:
    if not isinstance(value, dict) or not value:
        return False
    levels, types = {f"Level{number}" for number in range(1, 6)}, {"Partial", "Full"}
    return value.get("level", "Level1") in levels and value.get("type", "Full") in types


def _is_schedule(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    ends = {"chargingEndTime", "chargingEndTimeEnabled"} & set(value)
    modes = [name for name in ("programs", "nextDelayedTime", "immediate") if name in value] + (["end"] if ends else [])
    if len(modes) != 1:
        return False
    if modes == ["programs"]:
        programs = value["programs"]
        return isinstance(programs, list) and all(map(_is_charge_program, programs))
    if modes == ["end"]:
        end = value.get("chargingEndTime")
        has_flag = isinstance(value.get("chargingEndTimeEnabled", True), bool)
        return has_flag and (end is None or _is_instant(end))
    if modes == ["immediate"]:
        return isinstance(value["immediate"], bool)
    return _is_instant(value["nextDelayedTime"])


def _is_charge_program(value: Any) -> bool:
    if not isinstance(value, dict) or not _is_time_of_day(value.get("start")) or not _has_days(value):
        return False
    return "end" not in value or _is_time_of_day(value["end"])


def _is_preconditioning(value: dict[str, Any]) -> bool:
    air = value.get("airConditioning")
    if not isinstance(air, dict) or not {"immediate", "programs"} & set(air):
        return False
    if not isinstance(air.get("immediate", False), bool):
        return False
    programs = air.get("programs", [])
    if not isinstance(programs, list) or not all(map(_is_climate_program, programs)):
        return False
    slots = [program["slot"] for program in programs]
    return len(slots) == len(set(slots))


def _is_climate_program(value: Any) -> bool:
    if not isinstance(value, dict) or value.get("slot") not in {1, 2, 3, 4}:
        return False
    if value.get("actionsType", "Set") == "Delete":
        return True
    if value.get("actionsType", "Set") != "Set" or value.get("recurrence", "Daily") not in {"None", "Daily"}:
        return False
    return isinstance(value.get("enabled"), bool) and _is_time_of_day(value.get("start")) and _has_days(value)


def _is_immobilization(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("activate"), bool)


def _is_stolen(value: dict[str, Any]) -> bool:
    if len(value) != 1:
        return False
    if "stolen" in value:
        return isinstance(value["stolen"], bool)
    if "immobilization" in value:
        return _is_immobilization(value["immobilization"])
    period = value.get("trackingPeriod")
    if not isinstance(period, dict):
        return False
    running, shutdown = period.get("running", 5), period.get("shutdown", 60)
    return isinstance(running, int) and isinstance(shutdown, int) and running >= 5 and shutdown >= 60


def _has_days(value: dict[str, Any]) -> bool:
    occurrence = value.get("occurence")
    days = occurrence.get("day") if isinstance(occurrence, dict) else None
    return isinstance(days, list) and set(days) <= set(_DAYS)


def _is_time_of_day(value: Any) -> bool:
    return (
        isinstance(value, str) and _TIME_OF_DAY.fullmatch(value) is not None and read_time_of_day(value) < timedelta(1)
    )


def _is_instant(value: Any) -> bool:
    return isinstance(value, str) and _INSTANT.fullmatch(value) is not None


def read_time_of_day(text: str) -> timedelta:
    match = _TIME_OF_DAY.fullmatch(text)
    assert match is not None  # noqa: S101 - checked before
    return timedelta(hours=int(match[1] or 0), minutes=int(match[2] or 0))


_CHECKS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "door": _is_door,
    "horn": _is_horn,
    "lights": _is_lights,
    "wakeUp": _is_wake_up,
    "navigation": _is_navigation,
    "charging": _is_charging,
    "preconditioning": _is_preconditioning,
    "immobilization": _is_immobilization,
    "stolen": _is_stolen,
}
