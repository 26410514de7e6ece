"""Conditions of monitors as the API takes and returns them: ``triggers`` and ``boolExp``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any, Final

import attrs

from stellantis_hal.hal.redaction import redacted_repr
from stellantis_hal.resources.blocks.energy import Day
from stellantis_hal.resources.control.data_items import DataItem, Operator, facts_of
from stellantis_hal.resources.control.data_triggers import DataTrigger, Previous, number_text
from stellantis_hal.resources.control.expressions import Expression, ExpressionError, constant_value, parse_expression
from stellantis_hal.resources.control.time_triggers import TimeEntry, TimeTrigger, parse_weeks
from stellantis_hal.resources.control.trigger import Trigger, UnknownTrigger, require_name
from stellantis_hal.resources.control.zone_triggers import ZoneTrigger
from stellantis_hal.structuring.problems import RawProblem, record_problem
from stellantis_hal.structuring.scalars import ScalarCodec
from stellantis_hal.structuring.timestamps import read_duration, read_instant, write_duration, write_instant
from stellantis_hal.validation import require_type

__all__ = ["CONDITION", "UNKNOWN_TRIGGER", "MonitorCondition", "condition_body", "read_condition"]

MAX_TRIGGERS: Final = 5
UNKNOWN_TRIGGER: Final = "a trigger without zone, data and time"
"""The reason of a problem with a trigger that is kept as it was read."""
_MIDNIGHT: Final = datetime(2000, 1, 1)  # noqa: DTZ001 - only times of day are taken from it
_DAY: Final = timedelta(days=1)


@attrs.frozen(repr=False)
class MonitorCondition:
    """What a monitor waits for, as it was read.

    Attributes:
        expression: the expression over its triggers; None where its text does not parse, or names unknown triggers.
        text: the text of the expression, as the API states it.
        triggers: its triggers.
    """

    expression: Expression | None
    text: str | None
    triggers: tuple[Trigger, ...] = ()

    __repr__ = redacted_repr


# ------------------------------------------------------------------------------------------------- writing


def condition_body(when: Expression, *, for_fleets: bool = False) -> dict[str, Any]:
    """Return a condition as the API takes it.

    Args:
        when: the condition.
        for_fleets: whether it is for a monitor of a fleet (B2B), not of an account holder's vehicle (B2C).

    Raises:
        ValueError: the API would refuse it; the message says what to do.
        TypeError: it is no condition.
    """
    require_type(
        "when", when, Expression, instead='zone("home", 48.86, 2.33).exits & (data("low", Electric.LEVEL) < 20)'
    )
    triggers = _unique_triggers(when)
    always = constant_value(when)
    if always is not None:
        raise ValueError(
            f"the condition {when} is always {str(always).lower()} for any values of its triggers: the API refuses it"
        )
    return {"triggers": [_trigger_body(each, for_fleets=for_fleets) for each in triggers], "boolExp": str(when)}


def _unique_triggers(when: Expression) -> list[Trigger]:
    """Return the triggers of a condition, each once."""
    found: dict[str, Trigger] = {}
    for leaf in when.leaves():
        if not isinstance(leaf, Trigger):
            raise TypeError(f"{leaf} is a name, not a trigger: build triggers by zone(), data() and times()")
        known = found.setdefault(require_name(leaf.name), leaf)
        if known != leaf:
            raise ValueError(
                f"two different triggers are named {leaf.name!r}: give one another name, such as {leaf.name + '_2'!r}"
            )
    if len(found) > MAX_TRIGGERS:
        raise ValueError(
            f"a monitor has at most {MAX_TRIGGERS} triggers, not {len(found)}: make several monitors, or use .is_in(…)"
        )
    return list(found.values())


def _trigger_body(trigger: Trigger, *, for_fleets: bool) -> dict[str, Any]:
    if isinstance(trigger, ZoneTrigger):
        return {"name": trigger.name, "zone": _zone_body(trigger)}
    if isinstance(trigger, DataTrigger):
        return {"name": trigger.name, "data": _data_body(trigger, for_fleets=for_fleets)}
    if isinstance(trigger, TimeTrigger):
        return {"name": trigger.name, "time": _time_body(trigger)}
    if isinstance(trigger, UnknownTrigger):
        return dict(trigger.body)
    raise TypeError(f"{type(trigger).__name__} is no trigger that the API takes: use zone(), data() and times()")


def _zone_body(trigger: ZoneTrigger) -> dict[str, Any]:
    if trigger.latitude is None or trigger.longitude is None or trigger.km is None:
        raise ValueError(f"the zone of the trigger {trigger.name!r} could not be read: build it again by zone()")
    km = int(trigger.km) if trigger.km == int(trigger.km) else trigger.km
    center = {"longitude": trigger.longitude, "latitude": trigger.latitude}
    return {"transition": trigger.transition, "place": {"radius": km, "center": center}}


def _data_body(trigger: DataTrigger, *, for_fleets: bool) -> dict[str, Any]:
    facts = facts_of(trigger.item)
    if facts is not None and not (facts.for_fleets if for_fleets else facts.for_holders):
        owner = "fleets cannot" if for_fleets else "only fleets can"
        raise ValueError(f"{owner} watch {trigger.item}: leave the trigger {trigger.name!r} out")
    if for_fleets and trigger.previous is not None:
        raise ValueError(f"monitors of fleets have no previous state: leave it out of the trigger {trigger.name!r}")
    body: dict[str, Any] = {"data": str(trigger.item), "op": str(trigger.operator)}
    if trigger.values:
        body["value"] = list(trigger.values)
    if trigger.previous is not None:
        body["previous"] = {"op": str(trigger.previous.operator), "value": list(trigger.previous.values)}
    return body


def _time_body(trigger: TimeTrigger) -> dict[str, Any]:
    body: dict[str, Any] = {"times": [_entry_body(entry, trigger.name) for entry in trigger.entries]}
    return body if trigger.zone is None else {**body, "timeZone": trigger.zone}


def _entry_body(entry: TimeEntry, name: str) -> dict[str, Any]:
    if entry.start is None:
        raise ValueError(f"an interval of the trigger {name!r} could not be read: build it again by times()")
    if entry.recurrence == "Daily" and entry.lasting is None:
        raise ValueError(f"an interval of each day of the trigger {name!r} needs its length: pass lasting=")
    start = entry.start
    body: dict[str, Any] = {
        "recurrence": entry.recurrence,
        "start": write_instant(start) if isinstance(start, datetime) else _write_time(start),
    }
    if entry.lasting is not None:
        body["duration"] = write_duration(entry.lasting)
    if entry.days or entry.weeks:
        body["occurence"] = {
            **({"day": [str(day) for day in entry.days]} if entry.days else {}),
            **({"week": _write_weeks(entry.weeks)} if entry.weeks else {}),
        }
    return body


def _write_time(start: time) -> str:
    """Write a time of day as the API does: as a duration since midnight, never without hours."""
    return f"PT{start.hour}H" + (f"{start.minute}M" if start.minute else "")


def _write_weeks(weeks: tuple[int, ...]) -> list[str]:
    """Write weeks as ranges, where there are several in a row."""
    ranges: list[list[int]] = []
    for week in weeks:
        if ranges and ranges[-1][1] == week - 1:
            ranges[-1][1] = week
        else:
            ranges.append([week, week])
    return [f"w{first}" if first == last else f"w{first}-w{last}" for first, last in ranges]


# ------------------------------------------------------------------------------------------------- reading


def read_condition(value: Any, path: str, problems: list[RawProblem]) -> MonitorCondition | None:
    """Read a condition in any spelling that is in use; what cannot be read is recorded, and its text is kept.

    Args:
        value: ``triggerParam`` of a monitor.
        path: where it stands.
        problems: receives what could not be read.
    """
    if not isinstance(value, Mapping):
        record_problem(problems, path, value, "not an object")
        return None
    reader = _Reader(problems)
    reader.check_keys(value, path, "triggers", *_EXPRESSIONS)
    triggers = reader.read_triggers(_first(value, "triggers"), f"{path}.triggers")
    text = _first(value, *_EXPRESSIONS)
    if any(value.get(key) not in (None, text) for key in _EXPRESSIONS):
        record_problem(problems, f"{path}.boolExp", text, "another value than under an older name", "disagreement")
    if text is None and len(triggers) == 1:
        return MonitorCondition(triggers[0], None, triggers)
    if not isinstance(text, str):
        record_problem(problems, f"{path}.boolExp", text, "not a string")
        return MonitorCondition(None, None, triggers)
    return MonitorCondition(reader.read_expression(text, triggers, f"{path}.boolExp"), text, triggers)


def _write_condition(condition: MonitorCondition) -> dict[str, Any]:
    bodies: list[dict[str, Any]] = []
    for trigger in condition.triggers:
        try:
            bodies.append(_trigger_body(trigger, for_fleets=False))
        except ValueError:  # a fleet's, or read in part
            bodies.append({"name": trigger.name})
    text = condition.text
    if text is None:
        text = "" if condition.expression is None else str(condition.expression)
    return {"triggers": bodies, "boolExp": text}


CONDITION: Final = ScalarCodec(
    read=lambda value: read_condition(value, "", []), write=_write_condition, attempt=read_condition
)
"""How the field of a monitor is read."""


_EXPRESSIONS: Final = ("boolExp", "bool.exp", "booExp")


def _first(value: Mapping[str, Any], *keys: str) -> Any:
    return next((found for key in keys if (found := value.get(key)) is not None), None)


@attrs.frozen
class _Reader:
    """Reads the parts of a condition, and records what could not be read."""

    problems: list[RawProblem]

    def record(self, path: str, value: object, reason: str) -> None:
        record_problem(self.problems, path, value, reason)

    def check_keys(self, body: Mapping[str, Any], path: str, *known: str) -> None:
        """Record that an object has keys beside the known ones: a condition has no place for them."""
        unknown = sum(key not in known for key in body)
        if unknown:
            record_problem(self.problems, path, body, f"unknown keys, left out: {unknown}", "sentinel")

    def read_expression(self, text: str, triggers: tuple[Trigger, ...], path: str) -> Expression | None:
        by_name = {trigger.name: trigger for trigger in triggers}
        try:
            return parse_expression(text).bind(by_name.__getitem__)
        except ExpressionError as error:
            self.record(path, text, f"not an expression: {error}")
        except KeyError:
            self.record(path, text, "an expression over a trigger that is not among the triggers")
        return None

    def read_triggers(self, value: Any, path: str) -> tuple[Trigger, ...]:
        if not isinstance(value, list):
            self.record(path, value, "not an array")
            return ()
        found = [self.read_trigger(each, f"{path}[{index}]") for index, each in enumerate(value)]
        for index, trigger in enumerate(found):
            if trigger is not None and any(
                other is not None and other.name == trigger.name and other != trigger for other in found[:index]
            ):
                reason = "another trigger has the same name: the last one counts"
                record_problem(self.problems, f"{path}[{index}].name", trigger.name, reason, "disagreement")
        return tuple(trigger for trigger in found if trigger is not None)

    def read_trigger(self, value: Any, path: str) -> Trigger | None:
        if not isinstance(value, Mapping):
            self.record(path, value, "not an object")
            return None
        name = value.get("name")
        if not isinstance(name, str):
            self.record(f"{path}.name", name, "not a string")
            return None
        name = name.strip('"')
        readers = {"zone": self.read_zone, "data": self.read_data, "time": self.read_time}
        kinds = [kind for kind in readers if isinstance(value.get(kind), Mapping)]
        if kinds:
            self.check_keys(value, path, "name", *readers)
            for other in kinds[1:]:
                reason = f"a second condition of one trigger, beside its {kinds[0]}: left out"
                record_problem(self.problems, f"{path}.{other}", value[other], reason, "disagreement")
            return readers[kinds[0]](name, value[kinds[0]], f"{path}.{kinds[0]}")
        self.record(path, value, UNKNOWN_TRIGGER)
        return UnknownTrigger(name, value)

    def read_zone(self, name: str, body: Mapping[str, Any], path: str) -> Trigger:
        self.check_keys(body, path, "transition", "place", "circle")
        place = _first(body, "place", "circle")
        place = place if isinstance(place, Mapping) else {}
        center = place.get("center")
        center = center if isinstance(center, Mapping) else {}
        self.check_keys(place, f"{path}.place", "center", "radius")
        self.check_keys(center, f"{path}.place.center", "latitude", "longitude")
        return ZoneTrigger(
            name,
            self.read_text(body.get("transition"), f"{path}.transition"),
            self.read_number(center.get("latitude"), f"{path}.place.center.latitude"),
            self.read_number(center.get("longitude"), f"{path}.place.center.longitude"),
            self.read_number(place.get("radius"), f"{path}.place.radius"),
        )

    def read_data(self, name: str, body: Mapping[str, Any], path: str) -> Trigger:
        self.check_keys(body, path, "data", "op", "value", "previous")
        before = body.get("previous")
        previous = None
        if isinstance(before, Mapping):
            self.check_keys(before, f"{path}.previous", "op", "value")
            operator = Operator(self.read_text(before.get("op"), f"{path}.previous.op"))
            previous = Previous(operator, self.read_values(before.get("value"), f"{path}.previous.value"))
        elif before is not None:
            self.record(f"{path}.previous", before, "not an object")
        return DataTrigger(
            name,
            DataItem(self.read_text(body.get("data"), f"{path}.data")),
            Operator(self.read_text(body.get("op"), f"{path}.op")),
            self.read_values(body.get("value"), f"{path}.value"),
            previous,
        )

    def read_values(self, value: Any, path: str) -> tuple[str, ...]:
        """Read what a value is compared with: texts, and figures or booleans in place of them; a list, or one."""
        if value is None:
            return ()
        found: list[str] = []
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str):
                found.append(each)
            elif isinstance(each, bool):
                found.append("true" if each else "false")
            elif isinstance(each, int | float) and math.isfinite(each):
                found.append(number_text(each))
            else:
                self.record(path, each, "not a text")
        return tuple(found)

    def read_time(self, name: str, body: Mapping[str, Any], path: str) -> Trigger:
        self.check_keys(body, path, "times", "timeZone", "time.zone")
        entries = body.get("times")
        if not isinstance(entries, list):
            self.record(f"{path}.times", entries, "not an array")
            entries = []
        zone = _first(body, "timeZone", "time.zone")
        if zone is not None and not isinstance(zone, str):
            self.record(f"{path}.timeZone", zone, "not a string")
            zone = None
        found: list[TimeEntry] = []
        for index, each in enumerate(entries):
            if isinstance(each, Mapping):
                found.append(self.read_entry(each, f"{path}.times[{index}]"))
            else:
                self.record(f"{path}.times[{index}]", each, "not an object")
        return TimeTrigger(name, tuple(found), zone)

    def read_entry(self, body: Mapping[str, Any], path: str) -> TimeEntry:
        self.check_keys(body, path, "recurrence", "start", "duration", "occurence", "occurrence")
        recurrence = body.get("recurrence", "None")
        if not isinstance(recurrence, str):
            if recurrence is not None:
                self.record(f"{path}.recurrence", recurrence, "not a string")
            recurrence = "None"
        start = self.read_start(body.get("start"), f"{path}.start", is_daily=recurrence == "Daily")
        length = body.get("duration")
        lasting = None if length is None else self.read_duration(length, f"{path}.duration")
        days, weeks = self.read_occurrence(_first(body, "occurence", "occurrence"), f"{path}.occurence")
        return TimeEntry(recurrence, start, lasting, days, weeks)

    def read_start(self, value: Any, path: str, *, is_daily: bool) -> time | datetime | None:
        if not isinstance(value, str):
            self.record(path, value, "not a string")
            return None
        if not is_daily and not value.startswith("P"):
            try:
                return read_instant(value)
            except ValueError as error:
                self.record(path, value, str(error))
                return None
        length = self.read_duration(value, path)
        if length is None:
            return None
        if not timedelta() <= length < _DAY:
            self.record(path, value, "not a time of day")
            return None
        return (_MIDNIGHT + length).time()

    def read_duration(self, value: Any, path: str) -> timedelta | None:
        try:
            return read_duration(value if isinstance(value, str) else "")
        except ValueError as error:
            self.record(path, value, str(error))
            return None

    def read_occurrence(self, value: Any, path: str) -> tuple[tuple[Day, ...], tuple[int, ...]]:
        if value is None:
            return (), ()
        days = value if isinstance(value, list) else value.get("day") if isinstance(value, Mapping) else None
        weeks = value.get("week") if isinstance(value, Mapping) else None
        if isinstance(value, Mapping):
            self.check_keys(value, path, "day", "week")
        if not isinstance(value, list | Mapping):
            self.record(path, value, "not an object")
        return self.read_days(days, f"{path}.day"), self.read_weeks(weeks, f"{path}.week")

    def read_days(self, value: Any, path: str) -> tuple[Day, ...]:
        names = value if isinstance(value, list) else [] if value is None else [value]
        found = [Day(each) for each in names if isinstance(each, str)]
        if len(found) != len(names):
            self.record(path, value, "not an array of days")
        return tuple(found)

    def read_weeks(self, value: Any, path: str) -> tuple[int, ...]:
        if value is None:
            return ()
        try:
            return parse_weeks([str(each) for each in value] if isinstance(value, list) else str(value))
        except ValueError as error:
            self.record(path, value, str(error))
            return ()

    def read_text(self, value: Any, path: str) -> str:
        if isinstance(value, str):
            return value
        self.record(path, value, "not a string")
        return ""

    def read_number(self, value: Any, path: str) -> float | None:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        self.record(path, value, "not a number")
        return None
