"""The soak: its laws find what they are for, and a small run of it holds them."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.soak import Laws, Options, main, run
from stellantis_hal.errors import NetworkError
from stellantis_hal.fleet import Outage, Update
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.vehicle import Vehicle

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def update(number: int, *, late: bool = False, vehicle: str = "v1") -> Update:
    trip = Trip(id=f"t{number}", started_at=EPOCH + timedelta(hours=number))
    return Update(
        id=f"{vehicle}/trips/t{number}/finished",
        account="a",
        vehicle=Vehicle(id=vehicle),
        what="trips",
        changes=(),
        resource=trip,
        age=None,
        late=late,
    )


def test_trips_in_order_break_no_law() -> None:
    laws = Laws(["secret"])
    for event in (
        update(1),
        update(3),
        update(2, late=True),
        update(1, vehicle="v2"),
        Outage(error=NetworkError("x"), since=EPOCH),
    ):
        laws.observe(event)
    assert laws.broken == []


def test_a_trip_is_delivered_twice_after_a_kill_only() -> None:
    laws = Laws(["secret"])
    laws.observe(update(1))
    laws.killed()
    laws.observe(update(1))
    assert laws.broken == []
    laws.observe(update(1))
    assert len(laws.broken) == 1


def test_a_trip_after_a_later_one_is_late() -> None:
    laws = Laws(["secret"])
    laws.observe(update(2))
    laws.observe(update(1))
    assert len(laws.broken) == 1


def test_a_log_line_with_a_secret_breaks_a_law() -> None:
    laws = Laws(["secret"])
    laws.handle(logging.makeLogRecord({"msg": "a %s", "args": ("secret",), "levelno": logging.INFO}))
    assert len(laws.broken) == 1


@pytest.mark.bench_smoke
@pytest.mark.wall_clock
def test_a_small_soak_holds_every_law() -> None:
    soak = run(Options(hours=8.0, vehicles=4, every=300.0), real=False)
    assert soak.findings() == []
    assert soak.kills >= 3
    assert len(soak.driven) >= 1
    assert soak.polls >= 200


@pytest.mark.bench_smoke
@pytest.mark.wall_clock
def test_a_soak_in_real_time_ends(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--hours", "0.001", "--vehicles", "2", "--every", "1", "--real"]) == 0
    assert "every law holds" in capsys.readouterr().out
