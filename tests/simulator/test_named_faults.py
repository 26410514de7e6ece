"""Faults and durations by name, and the simulator's clock."""

from datetime import UTC, datetime, timedelta

import anyio
import pytest

from stellantis_hal.simulator import FAULTS, CutBody, RandomFault, Simulator, World, parse_duration, parse_fault
from stellantis_hal.simulator.clock import Clock
from stellantis_hal.simulator.faults.named import fault_name

EPOCH = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found_by_its_name(name: str) -> None:
    found = parse_fault(f"{name}=0.25")
    assert (found.rate, fault_name(found.fault)) == (0.25, name)
    assert parse_fault(name).rate == 0.1


def test_a_fault_with_other_settings_has_the_name_of_its_class() -> None:
    assert fault_name(CutBody(keep=0.9)) == "CutBody"


@pytest.mark.parametrize(
    "text", ["", "nothing", "html=", "html=often", "html=2", "html=nan", "html=-0.1", "nothing=0.1"]
)
def test_wrong_faults_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"fault|rate"):
        parse_fault(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("50ms", 0.05), ("1.5s", 1.5), ("3", 3), ("2m", 120), ("2min", 120), ("1h", 3_600), (" 1d ", 86_400), ("0s", 0)],
)
def test_durations_have_units(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "ms", "-1s", "1 week", "1e3", "nan"])
def test_wrong_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="like 50ms"):
        parse_duration(text)


@pytest.mark.anyio
async def test_wall_time_passes_faster_than_ticks() -> None:
    clock = Clock(epoch=EPOCH, speed=60)
    first = clock.now()
    await anyio.sleep(10)
    now = clock.now()
    assert now.tick - first.tick == pytest.approx(10)
    assert (now.wall - first.wall).total_seconds() == pytest.approx(600)
    clock.set_speed(1)
    await anyio.sleep(10)
    assert (clock.now().wall - now.wall).total_seconds() == pytest.approx(10)
    assert clock.speed == 1


@pytest.mark.anyio
async def test_advancing_moves_ticks_and_wall_time() -> None:
    clock = Clock(epoch=EPOCH, speed=10)
    first = clock.now()
    clock.advance(timedelta(hours=1))
    now = clock.now()
    assert now.tick - first.tick == pytest.approx(3_600)
    assert (now.wall - first.wall).total_seconds() == pytest.approx(3_600)


def test_a_clock_of_the_program_can_be_advanced_only() -> None:
    simulator = Simulator(World(), clock=lambda: EPOCH)
    simulator.advance(timedelta(hours=1))
    assert simulator.now() == EPOCH + timedelta(hours=1)
    with pytest.raises(ValueError, match="reads another one"):
        simulator.set_speed(2)
    with pytest.raises(ValueError, match="cannot go back"):
        simulator.advance(timedelta(seconds=-1))
    with pytest.raises(ValueError, match="pass one of them"):
        Simulator(World(), clock=lambda: EPOCH, epoch=EPOCH)


@pytest.mark.anyio
async def test_the_clock_stops_at_the_year_9000() -> None:
    """A world reckons with instants after the present."""
    end = datetime(9000, 1, 1, tzinfo=UTC)
    clock = Clock(epoch=end - timedelta(days=2))
    with pytest.raises(ValueError, match="cannot go beyond the year 9000, by 3 days"):
        clock.advance(timedelta(days=3))
    clock.advance(timedelta(days=1))
    clock.set_speed(100_000)
    await anyio.sleep(10)
    assert clock.now().wall == end
    clock.set_speed(1)
    await anyio.sleep(10)
    assert clock.now().wall == end


def test_long_durations_are_refused() -> None:
    assert parse_duration("36500d") == 36_500 * 86_400
    for text in ("36501d", "9" * 400):
        with pytest.raises(ValueError, match="at most 36500d"):
            parse_duration(text)


@pytest.mark.parametrize("speed", [0, -1, 100_001, float("nan"), float("inf")])
def test_absurd_speeds_are_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Simulator(World(), speed=speed)


def test_random_faults_are_replaced() -> None:
    simulator = Simulator(World())
    simulator.set_faults(random=[RandomFault(fault=CutBody(), rate=0.5)])
    assert simulator.random_faults == {"cut-body": 0.5}
