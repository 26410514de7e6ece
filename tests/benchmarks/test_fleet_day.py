"""The day of a stateful fleet: its laws find what they are for, and a small run of it holds them."""

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.fleet_day import Command, FleetDay, Options, run

pytestmark = [pytest.mark.bench_smoke, pytest.mark.wall_clock]


@pytest.fixture(scope="module")
def day() -> FleetDay:
    """Run a few hours of four cars."""
    return run(Options(cars=4, hours=2.0, commands=120.0))


def test_a_small_day_holds_every_law(day: FleetDay) -> None:
    assert day.findings() == []
    assert day.kills >= 2
    assert len(day.commands) >= 20
    assert len(day.raised) >= 50


def twice(day: FleetDay) -> None:
    command = next(each for each in day.commands.values() if each.ends == ["Success"])
    command.ends.append("Success")


def otherwise(day: FleetDay) -> None:
    command = next(each for each in day.commands.values() if each.ends == ["Success"])
    command.ends[:] = ["AlreadyDone"]


def silent(day: FleetDay) -> None:
    command = next(each for each in day.commands.values() if each.ends == ["Success"])
    command.ends.clear()


def never_executed(day: FleetDay) -> None:
    day.commands["x"] = Command(label="x", owner="a", car="b", action="lock", ends=["Success"])


def never_ordered(day: FleetDay) -> None:
    del day.commands[next(label for label, each in day.commands.items() if each.token is not None)]


def lost(day: FleetDay) -> None:
    del day.received[next(iter(day.received))]


def invented(day: FleetDay) -> None:
    day.received["x"] += 1


def without_a_trip(day: FleetDay) -> None:
    day.driven["fleet"].add("x")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (twice, "has several ends"),
        (otherwise, "was told to have ended with AlreadyDone"),
        (silent, "its end was not told"),
        (never_executed, "was not executed, and ended with Success"),
        (never_ordered, "was executed, and never ordered"),
        (lost, "1 of"),
        (invented, "events were delivered that nobody raised"),
        (without_a_trip, "trips of fleet were not delivered"),
    ],
)
def test_a_law_that_is_broken_is_told(
    day: FleetDay, change: Callable[[Any], None], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = {
        label: Command(
            label=label,
            owner=each.owner,
            car=each.car,
            action=each.action,
            token=each.token,
            ends=[*each.ends],
            told=[*each.told],
        )
        for label, each in day.commands.items()
    }
    monkeypatch.setattr(day, "commands", commands)
    monkeypatch.setattr(day, "received", day.received.copy())
    monkeypatch.setattr(day, "driven", {name: set(trips) for name, trips in day.driven.items()})
    change(day)
    found = [text for text in day.findings() if told in text]
    assert len(found) == 1
