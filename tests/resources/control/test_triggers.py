"""Triggers: what is refused when they are built, and when times hold."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import DAILY, rrule
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal import DataItem, Electric, Operator, Stolen, data, times, zone
from stellantis_hal.resources.control.data_items import facts_of
from stellantis_hal.resources.control.time_triggers import TimeEntry, TimeTrigger, parse_weeks
from stellantis_hal.resources.control.trigger import Trigger, UnknownTrigger
from stellantis_hal.resources.control.zone_triggers import ZoneTrigger
from tests.resources.control.vendor_tables import DATA_ITEMS, PREVIOUS_ITEMS

EIGHT_HOURS = timedelta(hours=8)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
night = times("night", daily=time(22), lasting=EIGHT_HOURS, days="Mon-Fri", zone="Europe/London")


@pytest.mark.parametrize("name", ["home", "h", "home1", "home_1", "home.12", "HOME"])
def test_names_that_are_safe_everywhere_are_taken(name: str) -> None:
    assert zone(name, 1, 2).name == name


@pytest.mark.parametrize(
    "name", ["", "1", "home_", "home-1", "home_1a", "a_b", "hôme", "ho me", '"home"', "a__1", "a\n"]
)
def test_other_names_are_refused(name: str) -> None:
    builders: tuple[Callable[[], object], ...] = (
        lambda: zone(name, 1, 2),
        lambda: data(name, Electric.LEVEL),
        lambda: times(name, start=NOON, zone="Etc/UTC"),
    )
    for build in builders:
        with pytest.raises(ValueError, match="letters, then at most one of"):
            build()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((91, 0), "latitude"),
        ((0, 181), "longitude"),
        ((float("nan"), 0), "latitude"),
        ((0, float("inf")), "longitude"),
    ],
)
def test_places_off_the_earth_are_refused(arguments: tuple[float, float], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        zone("home", *arguments)


def test_the_radius_is_whole_kilometres() -> None:
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="km must be at least 1"):
            zone("home", 1, 2, km=wrong)
    for other in (1.5, True, "1"):
        value: Any = other
        with pytest.raises(TypeError, match="km must be"):
            zone("home", 1, 2, km=value)
    text: Any = "1"
    flag: Any = True
    for degrees in (text, flag):
        with pytest.raises(TypeError, match="latitude must be"):
            zone("home", degrees, 2)


def test_places_are_not_shown() -> None:
    home = zone("home", 48.757812, 2.251934, km=3)
    for shown in (repr(home), repr(home.exits), repr(home.enters & ~home.exits), home.exits.describe()):
        assert "48.7" not in shown
    assert (home.exits.describe(), home.enters.describe()) == (
        "leaves the zone home of 3 km",
        "enters the zone home of 3 km",
    )
    odd = ZoneTrigger("home", "Through", None, None, None)
    assert (repr(odd), odd.describe()) == ("zone('home', ***, km=?).transition", "Through the zone home")
    assert UnknownTrigger("u", {"vin": "x"}).describe() == "a trigger of an unknown kind"
    assert repr(UnknownTrigger("u", {"vin": "x"})) == "<u: a trigger of an unknown kind>"
    with pytest.raises(NotImplementedError):
        Trigger().describe()


# ------------------------------------------------------------------------------------------------- data


@pytest.mark.parametrize("item", list(DataItem))
def test_operators_are_those_of_the_vendors_table(item: DataItem) -> None:
    facts = facts_of(item)
    assert facts is not None
    kind, operators, for_holders, for_fleets = DATA_ITEMS[item.value]
    assert (facts.type, {each.value for each in facts.operators}) == (kind, operators)
    assert (facts.for_holders, facts.for_fleets) == (for_holders, for_fleets)
    assert {each.value for each in facts.previous} == PREVIOUS_ITEMS.get(item.value, set())


def test_values_are_sent_as_text() -> None:
    level = data("low", Electric.LEVEL)
    assert ((level < 20).values, (level > 20.5).values, level.equals(20.0).values) == (("20",), ("20.5",), ("20",))
    plugged = data("p", DataItem.CHARGING_PLUGGED, previous=False)
    assert (plugged.equals(True).values, plugged.changes().values) == (("true",), ())
    assert plugged.equals(True).previous == data("q", DataItem.MOVING, previous=False).changes().previous
    mode = data("m", DataItem.DRIVING_MODE, previous=("Sport", "Eco")).is_in("Normal", "Normal", "Sport")
    assert (mode.values, mode.previous and mode.previous.operator) == (("Normal", "Sport"), Operator.IS_IN)
    new = data("n", "vehicle.new.item", previous="x")
    assert (new.equals("x").item, new.is_in("x").operator) == ("vehicle.new.item", Operator.IS_IN)
    assert mode.describe() == "vehicle.drivingBehavior.mode in Normal, Sport after Sport, Eco"
    assert repr(level) == "data('low', <DataItem.ELECTRIC_LEVEL: 'vehicle.energy.electric.level'>)"


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda: data("x", DataItem.ALERT) < 3, "does not take lowerThan: use .changes() or .equals(value) or .is_in"),
        (lambda: data("x", Electric.LEVEL).changes(), "use .equals(value) or < or >"),
        (lambda: data("x", Stolen.STATE).is_in(True), "does not take includedIn"),
        (lambda: data("x", DataItem.ALERT).is_in(), "one or more values"),
        (lambda: data("x", DataItem.ALERT).equals(""), "must not be empty"),
        (lambda: data("x", Electric.LEVEL) < float("inf"), "must be finite"),
        (lambda: data("x", Electric.LEVEL, previous=3), "does not take a previous value: leave previous out"),
        (lambda: data("x", DataItem.MOVING, previous=(True, False)), "several previous values"),
        (lambda: data("x", DataItem.ALERT, previous=()), "one or more values"),
    ],
)
def test_what_an_item_does_not_take_is_refused(build: Callable[[], object], reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        build()


ANY: Any = None


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda: data("x", Electric.LEVEL) <= 20, "use < instead of <="),
        (lambda: data("x", Electric.LEVEL) >= 20, "use > instead of >="),
        (lambda: data("x", Electric.LEVEL) == 20, "use .equals(value)"),
        (lambda: data("x", Electric.LEVEL) != 20, "use ~data(…).equals(value)"),
        (lambda: bool(data("x", Electric.LEVEL)), "compare it"),
        (lambda: data("x", Electric.LEVEL) < True, "must be a number, not bool"),
        (lambda: data("x", Electric.LEVEL).equals("20"), "must be a number, not str"),
        (lambda: data("x", DataItem.ALERT).equals(20), "must be text, not int"),
        (lambda: data("x", DataItem.MOVING).equals("true"), "must be True or False, not str"),
        (lambda: data("x", DataItem.ALERT).equals(ANY), "a value of vehicle.alert must be"),
        (lambda: data("x", ANY), "item must be str"),
        (lambda: data(ANY, Electric.LEVEL), "name must be str"),
        (lambda: hash(data("x", Electric.LEVEL)), "unhashable"),
    ],
)
def test_values_of_another_type_are_refused(build: Callable[[], object], reason: str) -> None:
    with pytest.raises(TypeError, match=re.escape(reason)):
        build()


# ------------------------------------------------------------------------------------------------- times


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({}, "pass daily=time(22)"),
        ({"daily": time(22), "start": NOON}, "pass daily=time(22)"),
        ({"daily": time(22)}, "needs its length"),
        ({"daily": time(22, 0, 1), "lasting": EIGHT_HOURS}, "whole minutes"),
        ({"daily": time(22, tzinfo=UTC), "lasting": EIGHT_HOURS}, "without a time zone"),
        ({"daily": time(22), "lasting": timedelta()}, "whole seconds"),
        ({"daily": time(22), "lasting": timedelta(seconds=1.5)}, "whole seconds"),
        ({"daily": time(22), "lasting": EIGHT_HOURS, "days": "Mon-Fry"}, "is not a day"),
        ({"daily": time(22), "lasting": EIGHT_HOURS, "weeks": "w0"}, "within w1 to w52"),
        ({"daily": time(22), "lasting": EIGHT_HOURS, "weeks": "w9-w6"}, "a range goes upwards"),
        ({"daily": time(22), "lasting": EIGHT_HOURS, "weeks": "week 1"}, "named as w1"),
        ({"daily": time(22), "lasting": EIGHT_HOURS, "weeks": ()}, "at least one week"),
        ({"start": NOON.replace(tzinfo=None)}, "start must be aware"),
        ({"start": NOON, "days": "Mon"}, "daily= only"),
        ({"start": NOON, "weeks": 3}, "daily= only"),
    ],
)
def test_intervals_that_the_api_refuses_are_refused(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        times("t", zone="Europe/London", **arguments)


@pytest.mark.parametrize("name", ["UTC", "Europe/Nowhere", "../etc/passwd", "Europe/", "Europe/\x00"])
def test_a_zone_is_a_name_of_the_database(name: str) -> None:
    with pytest.raises(ValueError, match="as Europe/London"):
        times("t", start=NOON, zone=name)


def test_a_zone_and_types_are_required() -> None:
    for arguments in ({"zone": None}, {"zone": "Etc/UTC", "daily": "22:00"}, {"zone": "Etc/UTC", "lasting": 8}):
        values: Any = {"start": NOON, **arguments}
        with pytest.raises(TypeError):
            times("t", **values)


def test_weeks_are_numbers_or_ranges() -> None:
    assert parse_weeks("w1, w34-w36,W2") == (1, 2, 34, 35, 36)
    assert parse_weeks([3, "w5"]) == (3, 5)
    assert parse_weeks(7) == (7,)


def test_times_say_when_they_are() -> None:
    both = night.also(start=NOON).also(daily=time(6), lasting=EIGHT_HOURS, weeks="w1")
    assert both.describe() == (
        "22:00 for 8:00:00 Mon,Tue,Wed,Thu,Fri; 2026-01-01T12:00+00:00 without end; "
        "06:00 for 8:00:00 w1 (Europe/London)"
    )
    assert repr(night).startswith("<night: 22:00")
    assert TimeTrigger("t", ()).describe() == " (Europe/Paris)"


def test_an_interval_that_is_once_has_an_end_or_none() -> None:
    open_end = times("t", start=NOON.astimezone(timezone(EIGHT_HOURS)), zone="Etc/UTC")
    closed = times("t", start=NOON, lasting=EIGHT_HOURS, zone="Etc/UTC")
    instants = [NOON - timedelta(seconds=1), NOON, NOON + EIGHT_HOURS, NOON + timedelta(days=9)]
    assert list(map(open_end.covers, instants)) == [False, True, True, True]
    assert list(map(closed.covers, instants)) == [False, True, False, False]
    with pytest.raises(ValueError, match="instant must be aware"):
        closed.covers(NOON.replace(tzinfo=None))


@pytest.mark.unmeasured
@given(
    name=st.sampled_from(["Europe/London", "Europe/Paris", "America/Santiago", "Australia/Lord_Howe", "Etc/UTC"]),
    clock=st.times().map(lambda found: found.replace(second=0, microsecond=0)),
    lasting=st.timedeltas(timedelta(seconds=1), timedelta(days=3)).map(
        lambda span: timedelta(seconds=int(span.total_seconds()))
    ),
    days=st.sets(st.sampled_from(range(7)), min_size=1),
    minutes=st.integers(0, 370 * 24 * 60),
)
def test_daily_intervals_are_those_of_a_recurrence_rule(
    name: str, clock: time, lasting: timedelta, days: set[int], minutes: int
) -> None:
    """The oracle unfolds the rule by dateutil, and places its local times by zoneinfo: across changes of clocks too."""
    named = [("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[day] for day in sorted(days)]
    trigger = times("t", daily=clock, lasting=lasting, days=named, zone=name)
    instant = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(minutes=minutes)
    local = instant.astimezone(ZoneInfo(name)).replace(tzinfo=None)
    first = datetime.combine(local.date() - timedelta(days=5), clock)
    starts = [
        start.replace(tzinfo=ZoneInfo(name)).astimezone(UTC)
        for start in rrule(DAILY, dtstart=first, count=8, byweekday=sorted(days))
    ]
    assert trigger.covers(instant) is any(start <= instant < start + lasting for start in starts)


def test_weeks_limit_days_on_which_it_begins() -> None:
    week = times("t", daily=time(0), lasting=timedelta(days=1), weeks="w2", zone="Etc/UTC")
    assert week.covers(datetime(2026, 1, 5, tzinfo=UTC))
    assert not week.covers(datetime(2026, 1, 4, 23, tzinfo=UTC))
    unread = TimeTrigger("t", week.entries[:0])
    assert not unread.covers(NOON)


def test_an_interval_of_any_length_is_no_overflow() -> None:
    """A body may have one of a million years."""
    endless = timedelta.max // timedelta(days=1) * timedelta(days=1)
    daily = times("t", daily=time(7), lasting=endless, days="Mon", weeks="w2", zone="Etc/UTC")
    once = times("t", start=NOON, lasting=endless, zone="Etc/UTC")
    for trigger in (daily, once):
        assert trigger.covers(NOON)
    with pytest.raises(ValueError, match=r"^start must be within the years 1 to 9999 in UTC"):
        times("t", start=datetime.max.replace(tzinfo=timezone(-EIGHT_HOURS)), zone="Etc/UTC")


def test_an_interval_without_a_start_never_holds() -> None:
    unread = TimeEntry("Daily", None, EIGHT_HOURS)
    assert not TimeTrigger("t", (unread,)).covers(NOON)
    assert unread.describe() == "? for 8:00:00"


def test_a_data_trigger_shows_what_it_waits_for() -> None:
    assert repr(data("low", Electric.LEVEL) < 20) == "<low: vehicle.energy.electric.level < 20>"
