"""Folding the steps of an operation, and reading them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal import FailureCause, OperationStatus, OperationStep
from stellantis_hal.resources.control.step_history import StepHistory, failure_cause, read_step
from tests.support.profiles import few_examples

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FINAL = {"Success", "AlreadyDone", "Failed"}

STEPS = st.builds(
    OperationStep,
    st.sampled_from([*OperationStatus, "Teleported", "CheckedTwice"]),
    st.none() | st.sampled_from([FailureCause.DOORS_OPEN, FailureCause.GENERAL_ERROR, "Sunspots"]),
    st.none() | st.just(NOON),
    st.sampled_from(["poll", "event"]),
)


def fold(steps: list[OperationStep]) -> StepHistory:
    history = StepHistory()
    for step in steps:
        history = history.with_step(step)
    return history


@pytest.mark.unmeasured
@few_examples()
@given(st.lists(STEPS, max_size=8).flatmap(lambda steps: st.tuples(st.just(steps), st.permutations(steps))))
def test_every_order_of_steps_folds_alike(orders: tuple[list[OperationStep], list[OperationStep]]) -> None:
    first, second = map(fold, orders)
    assert first == second
    assert (first.latest, first.outcome, first.is_blocked) == (second.latest, second.outcome, second.is_blocked)


@pytest.mark.unmeasured
@given(st.lists(STEPS, max_size=8), STEPS)
def test_a_final_step_stays_final(steps: list[OperationStep], late: OperationStep) -> None:
    history = fold(steps)
    if history.outcome is not None:
        after = history.with_step(late)
        assert after.outcome is not None
        assert not after.is_blocked
        if history.outcome.status == "Success":
            assert after.outcome.status == "Success"


@pytest.mark.unmeasured
@few_examples()
@given(st.lists(STEPS, max_size=8))
def test_repeated_steps_change_nothing(steps: list[OperationStep]) -> None:
    history = fold(steps)
    assert all(history.with_step(step) is history for step in steps)
    assert (history.outcome is not None) == any(step.status in FINAL for step in steps)


def test_a_late_cause_completes_a_failure() -> None:
    failed = StepHistory().with_step(OperationStep("Failed"))
    assert failed.outcome == OperationStep("Failed")
    completed = failed.with_step(OperationStep("Failed", "DoorsOpen"))
    assert completed.outcome is not None
    assert completed.outcome.cause is FailureCause.DOORS_OPEN


def test_success_after_a_failure_for_want_of_network_is_believed() -> None:
    history = fold([OperationStep("Failed", "VehicleConnectionTimeout"), OperationStep("Success")])
    assert history.outcome == OperationStep("Success")


def test_unknown_statuses_are_kept_and_are_not_final() -> None:
    history = fold([OperationStep("Accepted"), OperationStep("Teleported")])
    assert history.latest is not None
    assert (history.latest.status, history.latest.status.is_known, history.outcome) == ("Teleported", False, None)


def test_blocked_statuses_stand_for_failures() -> None:
    history = fold([OperationStep("Accepted"), OperationStep("TooManyWakesUpsOverMonth")])
    assert history.is_blocked
    assert history.latest is not None
    assert failure_cause(history.latest) is FailureCause.TOO_MANY_WAKE_UPS_OVER_MONTH
    assert failure_cause(OperationStep("Failed")) is None
    assert not history.with_step(OperationStep("Success")).is_blocked


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"status": "Accepted"}, ("Accepted", None)),
        ({"type": "Done", "status": "Failed", "failureCause": "DoorsOpen"}, ("Failed", "DoorsOpen")),
        ({"type": "Done", "status": {"RemoteDoneEventStatus": "Success"}}, ("Success", None)),
        ({"type": "Failed", "status": "DoorsOpen"}, ("Failed", "DoorsOpen")),
        ({"type": "Failed", "status": "Strange"}, ("Failed", None)),
        ({"type": "Failed", "status": "Failed", "failureCause": "CidInside"}, ("Failed", "CidInside")),
        ({"type": "Failed"}, ("Failed", None)),
        ({"type": "Failed", "status": "DoorsOpen", "failureCause": "CidInside"}, ("Failed", "CidInside")),
        ({"status": "TooManyWakesUpsOverMonth"}, ("TooManyWakeUpsOverMonth", None)),
        ({"type": ["Doors"], "status": "Success"}, ("Success", None)),
        ({"status": None}, None),
        ({"status": {}}, None),
        ({"status": 3}, None),
        ({"status": ""}, None),
        ({}, None),
    ],
)
def test_both_shapes_of_a_status_are_read(value: dict[str, Any], expected: tuple[str, str | None] | None) -> None:
    step = read_step(value, source="poll", at=NOON)
    assert (None if step is None else (step.status, step.cause)) == expected


def test_the_detail_of_a_step_is_kept() -> None:
    value = {"status": "Success", "feedbackDetail": "NoCIDBlacklisted"}
    step = read_step(value, source="event", at=NOON)
    assert step is not None
    assert (step.detail, step.at, step.source) == ("NoCIDBlacklisted", NOON, "event")
    odd = read_step({"status": "Success", "feedbackDetail": 3}, source="event", at=None)
    assert odd is not None
    assert odd.detail is None


@pytest.mark.unmeasured
@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=8),
        lambda inner: st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    )
)
def test_any_value_is_read_or_left_out(value: Any) -> None:
    body = {"status": value, "failureCause": value, "type": value, "feedbackDetail": value}
    step = read_step(body, source="event", at=None)
    assert step is None or isinstance(step.status, OperationStatus)


def test_each_known_cause_has_advice() -> None:
    """The twenty causes of the specification, and the blocked status that stands for one."""
    assert len(FailureCause) == 21
    assert len({cause.advice for cause in FailureCause}) == 8
    assert not any("not known" in cause.advice for cause in FailureCause)
    retryable = {cause for cause in FailureCause if cause.is_retryable}
    assert FailureCause.VEHICLE_CONNECTION_TIMEOUT in retryable
    assert FailureCause.TOO_MANY_WAKE_UPS_OVER_MONTH not in retryable
    unknown = FailureCause("Sunspots")
    assert "not known" in unknown.advice
    assert not unknown.is_retryable
