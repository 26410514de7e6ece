"""What the policy lets be sent to a car, and when."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal import ActionKind, PolicyRefusalReason, RemotePolicy
from stellantis_hal.resources.control.remote_policy import CommandPolicyState, PolicyRefusal
from tests.support.profiles import few_examples

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
DOOR, HORN, WAKE = ActionKind.DOOR, ActionKind.HORN, ActionKind.WAKE_UP
POLICY = RemotePolicy()


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def done(state: CommandPolicyState, kind: ActionKind, now: datetime) -> CommandPolicyState:
    """Return the state after a command that was sent and has ended."""
    state = state.at(now, POLICY).begun(kind, "label", now).sent(kind, "label", now, "https://api.test/1")
    return state.finished(kind, "label", now)


def refusal(
    state: CommandPolicyState, kind: ActionKind, now: datetime, policy: RemotePolicy = POLICY
) -> PolicyRefusal | None:
    return state.at(now, policy).refusal(policy, kind, now)


def test_one_action_of_a_kind_is_under_way() -> None:
    state = CommandPolicyState().at(NOON, POLICY).begun(DOOR, "a", NOON)
    assert refusal(state, DOOR, NOON) == PolicyRefusal(PolicyRefusalReason.SAME_ACTION, NOON + minutes(5))
    assert state.refusal(POLICY, DOOR, NOON, force=True) is not None
    assert refusal(state, HORN, NOON) is None
    assert refusal(state, DOOR, NOON + minutes(5)) is None


def test_a_command_of_a_kind_waits_for_the_cooldown() -> None:
    state = done(CommandPolicyState(), DOOR, NOON)
    again = NOON + timedelta(seconds=5)
    assert refusal(state, DOOR, NOON) == PolicyRefusal(PolicyRefusalReason.COOLDOWN, again)
    assert state.refusal(POLICY, DOOR, NOON, force=True) is None
    assert refusal(state, DOOR, again) is None
    long = RemotePolicy(cooldowns={"door": minutes(1)}, cooldown=timedelta())
    assert refusal(state, DOOR, again, long) == PolicyRefusal(PolicyRefusalReason.COOLDOWN, NOON + minutes(1))
    assert refusal(done(CommandPolicyState(), HORN, NOON), HORN, NOON, long) is None


def test_a_limit_without_end_is_no_overflow() -> None:
    state, never = done(CommandPolicyState(), WAKE, NOON), timedelta.max
    policy = RemotePolicy(cooldown=never, under_way=never)
    assert refusal(state, WAKE, NOON, policy) == PolicyRefusal(PolicyRefusalReason.COOLDOWN, None)
    policy = RemotePolicy(wake_up_spacing=never)
    later = NOON + minutes(4)
    assert refusal(state, WAKE, later, policy) == PolicyRefusal(PolicyRefusalReason.WAKE_UP_SPACING, None)
    begun = CommandPolicyState().begun(WAKE, "label", NOON)
    policy = RemotePolicy(under_way=never)
    assert refusal(begun, WAKE, later, policy) == PolicyRefusal(PolicyRefusalReason.SAME_ACTION, None)


def test_wake_ups_are_spaced_but_a_car_awake_costs_nothing() -> None:
    state = done(CommandPolicyState(), WAKE, NOON)
    assert refusal(state, WAKE, NOON + minutes(2)) is None
    assert state.at(NOON + minutes(2), POLICY).costs(WAKE, NOON + minutes(2)) is False
    spaced = refusal(state, WAKE, NOON + minutes(4))
    assert spaced == PolicyRefusal(PolicyRefusalReason.WAKE_UP_SPACING, NOON + minutes(5))
    assert refusal(state, DOOR, NOON + minutes(4)) is None
    assert refusal(state, WAKE, NOON + minutes(5)) is None


def test_messages_that_find_a_car_asleep_are_counted_by_month() -> None:
    policy = RemotePolicy(wake_ups_per_month=2)
    state = done(done(CommandPolicyState(), DOOR, NOON), HORN, NOON + minutes(1))
    assert (state.wake_ups, state.month) == (1, "2026-01")
    state = done(state, DOOR, NOON + minutes(10))
    assert state.wake_ups == 2
    first_of_next = datetime(2026, 2, 1, tzinfo=UTC)
    assert refusal(state, HORN, NOON + minutes(20), policy) == PolicyRefusal(
        PolicyRefusalReason.WAKE_UP_BUDGET, first_of_next
    )
    assert refusal(state, HORN, NOON + minutes(12), policy) is None
    assert refusal(state, ActionKind.NAVIGATION, NOON + minutes(20), policy) is None
    assert refusal(state, HORN, first_of_next, policy) is None
    begun = done(CommandPolicyState(), DOOR, NOON).at(NOON + minutes(9), policy).begun(DOOR, "x", NOON + minutes(9))
    assert refusal(begun, HORN, NOON + minutes(9), policy) is not None


def test_no_wake_up_follows_the_vendors_refusal_that_month() -> None:
    begun = CommandPolicyState().at(NOON, POLICY).begun(WAKE, "a", NOON).sent(WAKE, "a", NOON, None)
    state = begun.finished(WAKE, "a", NOON, cause="TooManyWakeUpsOverMonth")
    late = NOON + minutes(60)
    assert refusal(state, DOOR, late) == PolicyRefusal(
        PolicyRefusalReason.WAKE_UPS_OVER, datetime(2026, 2, 1, tzinfo=UTC)
    )
    assert state.at(late, POLICY).refusal(POLICY, DOOR, late, force=True) is None
    assert refusal(state, DOOR, datetime(2026, 2, 1, tzinfo=UTC)) is None


def test_the_month_of_december_ends_with_the_year() -> None:
    december = datetime(2026, 12, 31, 23, tzinfo=UTC)
    state = CommandPolicyState().finished(WAKE, "a", december, cause="TooManyWakeUpsOverMonth")
    assert refusal(state, DOOR, december) == PolicyRefusal(
        PolicyRefusalReason.WAKE_UPS_OVER, datetime(2027, 1, 1, tzinfo=UTC)
    )


def test_a_refusal_counts_for_the_month_of_its_command() -> None:
    """The end may be read after the month, by a poll or by another process."""
    sent, read = datetime(2026, 11, 30, 23, 59, tzinfo=UTC), datetime(2026, 12, 1, 0, 1, tzinfo=UTC)
    cause = "TooManyWakeUpsOverMonth"
    begun = CommandPolicyState().at(sent, POLICY).begun(WAKE, "a", sent).sent(WAKE, "a", sent, None)
    for state in (
        begun.at(read, POLICY).finished(WAKE, "a", read, cause),
        CommandPolicyState().at(read, POLICY).finished(WAKE, "a", read, cause, sent_at=sent),
    ):
        assert refusal(state, DOOR, read) is None
    refused = CommandPolicyState().at(read, POLICY).finished(WAKE, "b", read, cause)
    assert refusal(refused.finished(HORN, "a", read, cause, sent_at=sent), DOOR, read) is not None


def test_a_command_that_was_not_sent_costs_nothing() -> None:
    state = CommandPolicyState().at(NOON, POLICY).begun(WAKE, "a", NOON)
    assert state.withdrawn(WAKE, "other") == state
    assert state.withdrawn(WAKE, "a") == CommandPolicyState().at(NOON, POLICY)


def test_a_command_found_later_is_counted_once() -> None:
    unknown = CommandPolicyState().at(NOON, POLICY).begun(DOOR, "a", NOON).sent(DOOR, "a", NOON, None)
    found = unknown.sent(DOOR, "a", NOON + minutes(1), "https://api.test/1")
    assert (found.wake_ups, found.under_way["door"].url) == (1, "https://api.test/1")
    assert found.sent(DOOR, "a", NOON, None).under_way["door"].url == "https://api.test/1"
    forgotten = CommandPolicyState().at(NOON, POLICY).sent(DOOR, "a", NOON, "https://api.test/1")
    assert forgotten.under_way["door"].is_sent


def test_a_car_that_was_not_reached_is_not_awake() -> None:
    begun = CommandPolicyState().at(NOON, POLICY).begun(WAKE, "a", NOON).sent(WAKE, "a", NOON, None)
    assert begun.is_awake(NOON)
    assert not begun.finished(WAKE, "a", NOON, "VehicleConnectionTimeout").is_awake(NOON)
    assert begun.finished(WAKE, "a", NOON, "DoorsOpen").is_awake(NOON)


def test_a_route_does_not_keep_a_car_awake() -> None:
    assert done(CommandPolicyState(), ActionKind.NAVIGATION, NOON).messaged_at is None


@pytest.mark.unmeasured
@given(st.sampled_from(list(ActionKind)), st.integers(1, 60 * 24 * 90))
def test_a_clock_that_was_ahead_holds_up_no_longer_than_it_may(kind: ActionKind, ahead: int) -> None:
    state = done(CommandPolicyState(), WAKE, NOON + minutes(ahead))
    state = state.begun(kind, "b", NOON + minutes(ahead))
    now = state.at(NOON, RemotePolicy(wake_ups_per_month=5))
    assert all(each.since <= NOON for each in now.under_way.values())
    refused = now.refusal(POLICY, kind, NOON)
    assert refused is not None
    assert refused.again_at == NOON + POLICY.under_way
    assert now.month == "2026-01"


instants = st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@pytest.mark.unmeasured
@few_examples()
@given(st.lists(st.tuples(st.sampled_from(list(ActionKind)), instants, st.booleans()), max_size=6))
def test_a_state_is_read_as_it_was_written(commands: list[tuple[ActionKind, datetime, bool]]) -> None:
    state = CommandPolicyState()
    for kind, now, ends in commands:
        state = state.at(now, POLICY).begun(kind, "é", now).sent(kind, "é", now, None)
        if ends:
            state = state.finished(kind, "é", now, cause="VehicleConnectionTimeout" if kind is WAKE else None)
    assert CommandPolicyState.load(state.dump()) == attrs.evolve(state, under_way=dict(state.under_way))
    assert CommandPolicyState.load(None) == CommandPolicyState()


@given(
    st.binary(max_size=60) | st.sampled_from([b"{}", b'{"format":2}', b"[]", b"null", b'{"format":1,"under_way":3}'])
)
def test_damaged_states_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        CommandPolicyState.load(content)


@pytest.mark.parametrize(("written", "changed"), [(b'"wake_ups":0', b'"wake_ups":1e400'), (b'"url":null', b'"url":5')])
def test_values_of_another_kind_in_a_state_are_refused(written: bytes, changed: bytes) -> None:
    content = CommandPolicyState().begun(DOOR, "label", NOON).dump()
    assert written in content
    with pytest.raises(ValueError, match="cannot be read"):
        CommandPolicyState.load(content.replace(written, changed))


def test_naive_instants_of_a_state_are_refused() -> None:
    content = done(CommandPolicyState(), DOOR, NOON).dump().replace(b"+00:00", b"")
    with pytest.raises(ValueError, match="cannot be read"):
        CommandPolicyState.load(content)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RemotePolicy(cooldown=-minutes(1)), "cooldown must be at least 0"),
        (lambda: RemotePolicy(wake_ups_per_month=-1), "wake_ups_per_month"),
        (lambda: RemotePolicy(cooldowns={"dors": minutes(1)}), "no action 'dors'"),
        (lambda: RemotePolicy(cooldowns={"horn": -minutes(1)}), "at least 0"),
    ],
)
def test_policies_out_of_bounds_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_policy_wants_values_of_its_types() -> None:
    with pytest.raises(TypeError, match="cooldown must be timedelta"):
        RemotePolicy(cooldown=5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^cooldowns must be Mapping, not list: {'horn': timedelta\(minutes=1\)}$"):
        RemotePolicy(cooldowns=[minutes(1)])  # type: ignore[arg-type]
    for number in (True, 1.5):
        with pytest.raises(TypeError, match=rf"^wake_ups_per_month must be int or None, not {type(number).__name__}$"):
            RemotePolicy(wake_ups_per_month=number)  # type: ignore[arg-type]
