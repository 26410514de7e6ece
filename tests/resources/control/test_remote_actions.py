"""Bodies of remote actions, and what is refused before it is sent."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal import ChargingProgram, Program
from stellantis_hal.resources.blocks.energy import ChargeProgram, Day, Occurrence
from stellantis_hal.resources.control import remote_actions as actions
from stellantis_hal.resources.control.days import parse_days
from stellantis_hal.resources.control.remote_actions import ActionKind

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=10, microseconds=5)
PARIS = timezone(timedelta(hours=2))
WEEK = ["Mon", "Tue", "Wed", "Thu", "Fri"]


@pytest.mark.parametrize(
    ("action", "body"),
    [
        (actions.locks(locked=True), {"door": {"state": "Locked"}}),
        (actions.locks(locked=False), {"door": {"state": "Unlocked"}}),
        (actions.horn(on=True), {"horn": {"state": "Activated"}}),
        (actions.horn(on=False), {"horn": {"state": "Unactivated"}}),
        (actions.lights(on=False), {"lights": {"on": False}}),
        (actions.wake_up(), {"wakeUp": {"action": "WakeUp"}}),
        (
            actions.navigate([(48.86, 2.33), [45, -4]]),
            {
                "navigation": {
                    "positions": [
                        {"type": "Point", "coordinates": [2.33, 48.86]},
                        {"type": "Point", "coordinates": [-4.0, 45.0]},
                    ]
                }
            },
        ),
        (actions.charge_now(start=True), {"charging": {"immediate": True}}),
        (actions.charge_now(start=False), {"charging": {"immediate": False}}),
        (
            actions.charge_at(LATER.astimezone(PARIS), now=NOW),
            {"charging": {"schedule": {"nextDelayedTime": "2026-03-01T22:00:00Z"}}},
        ),
        (
            actions.charge_until(LATER, now=NOW),
            {"charging": {"schedule": {"chargingEndTime": "2026-03-01T22:00:00Z", "chargingEndTimeEnabled": True}}},
        ),
        (actions.charge_until(None, now=NOW), {"charging": {"schedule": {"chargingEndTimeEnabled": False}}}),
        (actions.prefer_charging(level=3), {"charging": {"preferences": {"level": "Level3"}}}),
        (
            actions.prefer_charging(level=1, type="Partial"),
            {"charging": {"preferences": {"level": "Level1", "type": "Partial"}}},
        ),
        (actions.charge_by_programs([], has_slots=False), {"charging": {"schedule": {"programs": []}}}),
        (
            actions.charge_by_programs(
                [ChargingProgram(start=time(22), end=time(6, 30), days="Mon-Fri", slot=2)], has_slots=True
            ),
            {
                "charging": {
                    "schedule": {
                        "programs": [
                            {
                                "start": "PT22H",
                                "end": "PT6H30M",
                                "occurence": {"day": WEEK},
                                "enabled": True,
                                "slot": 2,
                            }
                        ]
                    }
                }
            },
        ),
        (actions.start_climate(on=True), {"preconditioning": {"airConditioning": {"immediate": True}}}),
        (
            actions.set_climate([Program(slot=1, at=time(7), days="Mon-Fri", daily=False)]),
            {
                "preconditioning": {
                    "airConditioning": {
                        "programs": [
                            {
                                "slot": 1,
                                "actionsType": "Set",
                                "enabled": True,
                                "recurrence": "None",
                                "start": "PT7H",
                                "occurence": {"day": WEEK},
                            }
                        ]
                    }
                }
            },
        ),
        (
            actions.delete_climate([1, 4]),
            {
                "preconditioning": {
                    "airConditioning": {
                        "programs": [{"slot": 1, "actionsType": "Delete"}, {"slot": 4, "actionsType": "Delete"}]
                    }
                }
            },
        ),
        (actions.immobilize(active=True), {"immobilization": {"activate": True}}),
        (actions.stolen_state(stolen=True), {"stolen": {"stolen": True}}),
        (
            actions.track_stolen(running=timedelta(seconds=5), shutdown=timedelta(minutes=1)),
            {"stolen": {"trackingPeriod": {"running": 5, "shutdown": 60}}},
        ),
        (actions.stolen_immobilization(active=False), {"stolen": {"immobilization": {"activate": False}}}),
    ],
)
def test_each_action_has_the_body_of_the_specification(
    action: actions.RemoteActionRequest, body: dict[str, Any]
) -> None:
    assert action.body("mine-abcdefgh") == {"label": "mine-abcdefgh", **body}


def test_programs_of_a_status_can_be_sent_back() -> None:
    read = ChargeProgram(start=time(22), end=None, occurrence=Occurrence(days=(Day.SUN, Day.MON)), enabled=False)
    every_day = ChargeProgram(start=time(1))
    programs = actions.charge_by_programs([read, every_day], has_slots=False).value["schedule"]["programs"]
    assert programs[0] == {"start": "PT22H", "occurence": {"day": ["Mon", "Sun"]}, "enabled": False}
    assert programs[1]["occurence"] == {"day": [*WEEK, "Sat", "Sun"]}
    assert programs[1]["enabled"] is True


@pytest.mark.parametrize("has_slots", [True, False])
def test_programs_of_a_status_keep_their_slots(has_slots: bool) -> None:
    read = ChargeProgram(start=time(22), slot=2)
    [program] = actions.charge_by_programs([read], has_slots=has_slots).value["schedule"]["programs"]
    assert program.get("slot") == (2 if has_slots else None)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: actions.navigate([]), "1 to 10 positions, not 0"),
        (lambda: actions.navigate([(1, 1)] * 11), "1 to 10 positions, not 11"),
        (lambda: actions.navigate([(91, 2)]), "latitude must be from -90 to 90"),
        (lambda: actions.navigate([(1, float("nan"))]), "longitude must be from -180 to 180"),
        (lambda: actions.navigate([(1, 2, 3)]), "a pair of numbers"),
        (lambda: actions.navigate([("north", 2)]), "a pair of numbers"),  # type: ignore[list-item]
        (lambda: actions.charge_at(NOW, now=NOW), "must be in the future"),
        (lambda: actions.charge_until(datetime(2026, 4, 1), now=NOW), "must be aware"),  # noqa: DTZ001
        (
            lambda: actions.charge_at(datetime.max.replace(tzinfo=timezone(-timedelta(hours=5))), now=NOW),
            "instant must be within the years 1 to 9999 in UTC, not 9999-12-31T23",
        ),
        (actions.prefer_charging, "level=, type=, or both"),
        (lambda: actions.prefer_charging(level=6), "from 1 to 5, not 6"),
        (lambda: actions.prefer_charging(level=True), "from 1 to 5, not True"),
        (lambda: actions.prefer_charging(type="Half"), "one of Partial, Full, not 'Half'"),
        (lambda: actions.set_climate([]), "at least one program"),
        (lambda: actions.set_climate([Program(slot=1, at=time(7))] * 2), "named once, not [1, 1]"),
        (lambda: actions.delete_climate([5]), "from 1 to 4, not 5"),
        (lambda: actions.delete_climate([2, 2]), "named once"),
        (lambda: Program(slot=0, at=time(7)), "from 1 to 4, not 0"),
        (lambda: Program(slot=1, at=time(7, tzinfo=UTC)), "without a time zone"),
        (lambda: Program(slot=1, at=time(7, 0, 1)), "whole minutes"),
        (lambda: Program(slot=1, at=time(7), days="Mon-Fry"), "'Fry' is not a day"),
        (lambda: Program(slot=1, at=time(7), days=()), "at least one day"),
        (lambda: ChargingProgram(start=time(7), slot=9), "from 1 to 4, not 9"),
        (
            lambda: actions.charge_by_programs([ChargingProgram(start=time(7), slot=1)], has_slots=False),
            "fleet owners only",
        ),
        (
            lambda: actions.charge_by_programs([ChargingProgram(start=time(7), slot=1)] * 2, has_slots=True),
            "named once",
        ),
        (lambda: actions.charge_by_programs([ChargeProgram()], has_slots=False), "has no start"),
        (
            lambda: actions.track_stolen(running=timedelta(seconds=4), shutdown=timedelta(minutes=1)),
            "running must be a timedelta of at least 5 s",
        ),
        (
            lambda: actions.track_stolen(running=timedelta(seconds=5), shutdown=timedelta(seconds=59)),
            "shutdown must be a timedelta of at least 60 s",
        ),
        (lambda: actions.check_label("", ActionKind.DOOR), "1 to 64 printable"),
        (lambda: actions.check_label("x" * 65, ActionKind.DOOR), "1 to 64 printable"),
        (lambda: actions.check_label("a\nb", ActionKind.DOOR), "1 to 64 printable"),
    ],
)
def test_values_out_of_bounds_are_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        call()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda: actions.navigate(48.86),  # type: ignore[arg-type]
        lambda: actions.lights(on="yes"),  # type: ignore[arg-type]
        lambda: actions.horn(on=1),  # type: ignore[arg-type]
        lambda: actions.locks(locked=None),  # type: ignore[arg-type]
        lambda: actions.charge_now(start=1),  # type: ignore[arg-type]
        lambda: actions.charge_at("22:00", now=NOW),  # type: ignore[arg-type]
        lambda: actions.charge_by_programs([{"start": "PT22H"}], has_slots=True),  # type: ignore[list-item]
        lambda: actions.set_climate(["PT7H"]),  # type: ignore[list-item]
        lambda: actions.track_stolen(running=5, shutdown=60),  # type: ignore[arg-type]
        lambda: Program(slot=1, at="07:00"),  # type: ignore[arg-type]
        lambda: Program(slot=1, at=time(7), enabled="false"),  # type: ignore[arg-type]
        lambda: Program(slot=1, at=time(7), daily="no"),  # type: ignore[arg-type]
        lambda: ChargingProgram(start=time(22), enabled=0),  # type: ignore[arg-type]
        lambda: actions.check_label(3, ActionKind.DOOR),  # type: ignore[arg-type]
    ],
)
def test_values_of_another_type_are_refused(call: Callable[[], Any]) -> None:
    with pytest.raises(TypeError):
        call()


def test_a_time_of_day_as_text_is_told_what_to_pass() -> None:
    with pytest.raises(TypeError, match=r"^at must be time, not str: pass time\(7, 30\)$"):
        Program(slot=1, at="07:30")  # type: ignore[arg-type]


def test_kinds_have_the_names_of_the_api() -> None:
    assert ActionKind.of_type("ElectricBatteryChargingRequest") is ActionKind.CHARGING
    assert ActionKind.of_type("VehicleState") is None
    assert {kind for kind in ActionKind if kind.is_for_fleets} == {ActionKind.IMMOBILIZATION, ActionKind.STOLEN}
    assert (ActionKind.WAKE_UP.scope, ActionKind.WAKE_UP.capability) == ("remote:wakeup:write", "wakeup")
    assert ActionKind.IMMOBILIZATION.capability is None
    assert actions.check_label(None, ActionKind.WAKE_UP) == "wakeUp"
    assert actions.check_label("école", ActionKind.DOOR) == "école"


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Mon-Fri", tuple(WEEK)),
        ("sat, SUN", ("Sat", "Sun")),
        ("Fri-Mon", ("Mon", "Fri", "Sat", "Sun")),
        (["Wed"], ("Wed",)),
        ((Day.TUE, Day.MON), ("Mon", "Tue")),
    ],
)
def test_days_are_read_in_their_order(text: Any, days: tuple[str, ...]) -> None:
    assert parse_days(text) == days


@pytest.mark.unmeasured
@given(st.lists(st.sampled_from(list(Day)), min_size=1))
def test_any_list_of_days_is_read(days: list[Day]) -> None:
    assert set(parse_days(days)) == set(days)
    assert attrs.evolve(Program(slot=1, at=time(7)), days=days).days == parse_days(",".join(days))


def test_a_charging_program_may_have_an_end() -> None:
    action = actions.charge_by_programs([ChargingProgram(start=time(22), end=time(6, 30))], has_slots=False)
    (program,) = action.body("mine-abcdefgh")["charging"]["schedule"]["programs"]
    assert program["end"] == "PT6H30M"
