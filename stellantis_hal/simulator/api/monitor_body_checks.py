"""Bodies of monitors: what the simulated API takes. Shares nothing with the client."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

from stellantis_hal.simulator.api.body_checks import refusal, require, require_object, require_texts
from stellantis_hal.simulator.api.boolean_expressions import evaluate, names_of, read_expression
from stellantis_hal.simulator.api.callback_body_checks import check_attributes, check_delivery, check_webhook

__all__ = ["NUMBERS", "check_monitor", "parse_duration"]


NUMBERS = frozenset(
    {
        "vehicle.odometer",
        "vehicle.engines.thermic.oil.temp",
        "vehicle.energy.electric.level",
        "vehicle.energy.electric.autonomy",
        "vehicle.energy.fuel.level",
        "vehicle.energy.fuel.autonomy",
        "vehicle.autonomy",
        "vehicle.kinetic.speed",
        "vehicle.trip.duration",
        "vehicle.trip.distance",
        "environment.air.temp",
        "vehicle.maintenance.daysBeforeMaintenance",
        "vehicle.maintenance.mileageBeforeMaintenance",
    }
)
_CHANGE, _EQUAL, _MORE, _LESS, _AMONG = "onChange", "equalsTo", "greaterThan", "lowerThan", "includedIn"
_OPERATORS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(NUMBERS, (_EQUAL, _MORE, _LESS)),
    **dict.fromkeys(
        (
            "vehicle.alert",
            "vehicle.powertrain.status",
            "vehicle.energy.charging.status",
            "privacy.state",
            "vehicle.drivingBehavior.mode",
            "vehicle.safety.autoECallTriggering",
            "vehicle.alarm.trigger.type",
        ),
        (_CHANGE, _EQUAL, _AMONG),
    ),
    **dict.fromkeys(
        (
            "vehicle.energy.charging.type",
            "vehicle.safety.beltWarning",
            "vehicle.alarm.status.activation",
            "vehicle.energy.charging.plugged",
            "vehicle.kinetic.moving",
            "stolen.state",
        ),
        (_CHANGE, _EQUAL),
    ),
    **dict.fromkeys(
        (
            "vehicle.doorsState.lockedState",
            "vehicle.doorsState.opening",
            "vehicle.preconditioning.airConditioning",
            "vehicle.trip.start",
            "vehicle.trip.stop",
            "vehicle.trip",
        ),
        (_CHANGE,),
    ),
    "vehicle.trip.state": (_AMONG,),
    "vehicle.collision.side": (_EQUAL, _AMONG),
    "vehicle.collision.severity": (_EQUAL, _AMONG),
}
_FLEETS_ONLY = {
    "vehicle.trip",
    "vehicle.maintenance.daysBeforeMaintenance",
    "vehicle.maintenance.mileageBeforeMaintenance",
    "vehicle.collision.side",
    "vehicle.collision.severity",
    "stolen.state",
}
_PREVIOUS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            "vehicle.alert",
            "vehicle.energy.charging.status",
            "vehicle.safety.beltWarning",
            "vehicle.safety.autoECallTriggering",
            "privacy.state",
            "vehicle.drivingBehavior.mode",
        ),
        (_EQUAL, _AMONG),
    ),
    **dict.fromkeys(("vehicle.energy.charging.plugged", "vehicle.kinetic.moving"), (_EQUAL,)),
}
_NAME = re.compile(r"[a-zA-Z]+[._]?[0-9]*")
_DURATION = re.compile(r"P(?:([0-9]+)D)?(?:T(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+)S)?)?")
_WEEK = re.compile(r"[wW][1-9][0-9]?(-[wW][1-9][0-9]?)?")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_EXTENSION = re.compile(
    r"vehicle\.(doorsState|status|maintenance|position|alerts|trip|telemetry(\..+)?|alarm|collisions|stolen)"
)
_HOLDERS_ONLY = ("vehicle.alarm",)
_FLEETS_EXTENSIONS = ("vehicle.collisions", "vehicle.stolen")


def check_monitor(body: dict[str, Any], *, is_fleet: bool) -> dict[str, Any]:
    """Return the monitor; refuse one off the specification."""
    require(isinstance(body.get("label"), str), "label is required.")
    condition = require_object(body.get("triggerParam"), "triggerParam is required.")
    triggers = condition.get("triggers")
    if not isinstance(triggers, list) or not 1 <= len(triggers) <= 5:
        raise refusal("triggers must be a list of 1 to 5.")
    for trigger in triggers:
        _check_trigger(require_object(trigger, "a trigger must be an object."), is_fleet=is_fleet)
    names = [trigger["name"] for trigger in triggers]
    require(len(set(names)) == len(names), "names of triggers must be unique.")
    node = read_expression(condition.get("boolExp"))
    used = set(names_of(node))
    require(used <= set(names), "boolExp names a trigger that is not defined.")
    require(set(names) <= used, "every trigger must be used in boolExp.")
    rows = product((False, True), repeat=len(names))
    values = {evaluate(node, dict(zip(names, row, strict=True))) for row in rows}
    require(len(values) == 2, "boolExp is always true or always false.")
    _check_subscription(body.get("subscribeParam"), is_fleet=is_fleet)
    if body.get("attributes") is not None:
        require(not is_fleet, "a monitor of a fleet has no attributes.")
        check_attributes(body["attributes"], ("Header", "Body"))
    for extension in require_texts(body.get("extendedEventParam", []), "extendedEventParam must be a list of strings."):
        wrong = _HOLDERS_ONLY if is_fleet else _FLEETS_EXTENSIONS
        require(_EXTENSION.fullmatch(extension) is not None and extension not in wrong, "unknown extension.")
    return body


def _check_subscription(value: Any, *, is_fleet: bool) -> None:
    if value is None:
        require(not is_fleet, "subscribeParam is required.")
        return
    subscription = require_object(value, "subscribeParam must be an object.")
    require(bool(subscription), "subscribeParam must not be empty.")
    refresh = subscription.get("refreshEvent")
    require(refresh is None or (type(refresh) is int and refresh >= 60), "refreshEvent must be at least 60.")
    if is_fleet:
        callback = require_object(subscription.get("callback"), "callback is required.")
        check_webhook(callback.get("webhook"))
        check_delivery(subscription, ("None", "Bounded", "Always"))


def _check_trigger(trigger: Mapping[str, Any], *, is_fleet: bool) -> None:
    name = trigger.get("name")
    require(isinstance(name, str) and _NAME.fullmatch(name) is not None, "the name of a trigger is not valid.")
    kinds = [kind for kind in ("zone", "time", "data") if trigger.get(kind) is not None]
    require(len(kinds) == 1, "a trigger must have one of zone, time and data.")
    body = require_object(trigger[kinds[0]], f"{kinds[0]} must be an object.")
    if kinds == ["zone"]:
        _check_zone(body)
    elif kinds == ["time"]:
        _check_time(body)
    else:
        _check_data(body, is_fleet=is_fleet)


def _check_zone(zone: Mapping[str, Any]) -> None:
    require(zone.get("transition") in ("In", "Out"), "transition must be In or Out.")
    place = require_object(zone.get("place"), "place is required.")
    radius = place.get("radius")
    require(type(radius) is int and radius >= 1, "radius must be whole kilometres.")
    center = require_object(place.get("center"), "center is required.")
    for name in ("longitude", "latitude"):
        require(type(center.get(name)) in (int, float), f"{name} must be a number.")


def _check_data(data: Mapping[str, Any], *, is_fleet: bool) -> None:
    item, operator = data.get("data"), data.get("op")
    if not isinstance(item, str) or item not in _OPERATORS or (item in _FLEETS_ONLY and not is_fleet):
        raise refusal("data is unknown.")
    require(operator in _OPERATORS[item], f"{item} does not take this op.")
    values = require_texts(data.get("value", []), "value must be a list of strings.")
    require(operator == _CHANGE or bool(values), "value is required.")
    if item in NUMBERS:
        require(all(_number(each) is not None for each in values), "value must be a number.")
    previous = data.get("previous")
    if previous is not None:
        before = require_object(previous, "previous must be an object.")
        require(not is_fleet and before.get("op") in _PREVIOUS.get(item, ()), "previous is not possible.")
        require(bool(require_texts(before.get("value"), "previous needs a value.")), "previous needs a value.")


def _check_time(trigger: Mapping[str, Any]) -> None:
    zone = trigger.get("timeZone", "Europe/Paris")
    require(isinstance(zone, str) and "/" in zone, "timeZone is not valid.")
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, KeyError):
        raise refusal("timeZone is unknown.") from None
    entries = trigger.get("times")
    if not isinstance(entries, list) or not entries:
        raise refusal("times must be a list.")
    for entry in entries:
        _check_entry(require_object(entry, "an entry of times must be an object."))


def _check_entry(entry: Mapping[str, Any]) -> None:
    recurrence, start, duration = entry.get("recurrence"), entry.get("start"), entry.get("duration")
    require(recurrence in ("None", "Daily"), "recurrence must be None or Daily.")
    require(isinstance(start, str), "start is required.")
    require(duration is None or parse_duration(duration) is not None, "duration is not valid.")
    occurrence = entry.get("occurence")
    if recurrence == "None":
        require(occurrence is None, "occurence is for Daily.")
        require(_instant(start) is not None, "start must be an instant.")
        return
    length = parse_duration(start)
    require(length is not None and length < timedelta(days=1), "start must be a time of day.")
    require(duration is not None, "duration is required for Daily.")
    if occurrence is not None:
        days = require_object(occurrence, "occurence must be an object.")
        require(set(require_texts(days.get("day", []), "day must be a list.")) <= set(_DAYS), "day is unknown.")
        weeks = require_texts(days.get("week", []), "week must be a list.")
        require(all(_WEEK.fullmatch(week) for week in weeks), "week is not valid.")


def parse_duration(text: Any) -> timedelta | None:
    """Return the length of an ISO 8601 duration of days, hours, minutes and seconds; None where it is none."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None or not any(found.groups()):
        return None
    days, hours, minutes, seconds = (int(each or 0) for each in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _instant(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is not None else None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
