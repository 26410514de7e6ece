"""One vehicle, or everything?"""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.errors import (
    BudgetExhaustedError,
    ConsentRequiredError,
    ForbiddenError,
    LinkNotFoundError,
    NetworkError,
    NotFoundError,
    NotHalError,
    RateLimitedError,
    ServerError,
    StellantisError,
    UnauthorizedError,
    UntrustedOriginError,
)
from stellantis_hal.fleet.failures import scope_of
from stellantis_hal.fleet.watching.outage_detector import OutageDetector


@pytest.mark.parametrize(
    ("error", "scope"),
    [
        (ConsentRequiredError("log in"), "account"),
        (UnauthorizedError("no", status=401), "account"),
        (RateLimitedError("slow", status=429), "budget"),
        (BudgetExhaustedError("slow"), "budget"),
        (NetworkError("gone"), "everything"),
        (ServerError("broken", status=503), "everything"),
        (NotHalError("<html>", content_type="text/html"), "everything"),
        (NotFoundError("none", status=404), "vehicle"),
        (ForbiddenError("no", status=403), "vehicle"),
        (LinkNotFoundError("none", rel="status"), "vehicle"),
        (UntrustedOriginError("elsewhere"), "vehicle"),
    ],
)
def test_an_error_concerns_somebody(error: StellantisError, scope: str) -> None:
    assert scope_of(error) == scope


def test_failures_in_a_row_of_several_vehicles_are_an_outage() -> None:
    health = OutageDetector(needed=5)
    outcomes = [health.failed(f"vehicle-{number % 3}", number, vehicles=100) for number in range(6)]
    assert outcomes == [False, False, False, False, True, False]
    assert health.since == 0


def test_one_vehicle_that_fails_again_and_again_is_no_outage() -> None:
    health = OutageDetector(needed=5)
    assert not any(health.failed("the broken one", number, vehicles=100) for number in range(50))


def test_where_there_is_one_vehicle_its_failures_are_an_outage() -> None:
    health = OutageDetector(needed=5)
    assert [health.failed("the only one", number, vehicles=1) for number in range(5)][-1]


def test_a_success_between_makes_it_no_outage() -> None:
    health = OutageDetector(needed=5)
    for number in range(40):
        assert not health.failed(f"vehicle-{number}", number, vehicles=100)
        if number % 4 == 3:
            assert health.succeeded(number) is None


def test_an_outage_is_probed_less_and_less_often() -> None:
    health = OutageDetector(needed=1)
    health.failed("a", 0.0, vehicles=1)
    probes = list[float]()
    for _ in range(8):
        probes.append(health.probe_at)
        health.failed("a", health.probe_at, vehicles=1)
    gaps = [after - before for before, after in itertools.pairwise(probes)]
    assert probes[0] == 15.0
    assert gaps == [30.0, 60.0, 120.0, 240.0, 300.0, 300.0, 300.0]


def test_failures_between_probes_put_nothing_off() -> None:
    health = OutageDetector(needed=1)
    health.failed("a", 0.0, vehicles=1)
    health.failed("b", 1.0, vehicles=1)
    assert health.probe_at == 15.0


def test_a_success_ends_the_outage_and_tells_how_long_it_was() -> None:
    health = OutageDetector(needed=1)
    health.failed("a", 10.0, vehicles=1)
    assert health.succeeded(110.0) == 100.0
    assert health.since is None
    assert health.probe_at < 0


def test_a_budget_at_its_end_is_known_at_once_and_for_how_long() -> None:
    health = OutageDetector(needed=5)
    assert health.failed("a", 0.0, vehicles=100, hold=900.0)
    assert health.probe_at == 900.0
    health.failed("a", 900.0, vehicles=100, hold=1e9)
    assert health.probe_at == 900.0 + 3_600.0


@given(st.lists(st.booleans() | st.just("hold"), max_size=60))
def test_an_outage_begins_and_ends_by_turns(outcomes: list[object]) -> None:
    health, on = OutageDetector(needed=3), False
    for at, outcome in enumerate(outcomes):
        if outcome is True:
            ended = health.succeeded(at) is not None
            assert ended == on
            on = False
        else:
            began = health.failed(f"v{at}", at, vehicles=10, hold=5.0 if outcome == "hold" else None)
            assert not (began and on)
            on = on or began
        assert on == (health.since is not None)
