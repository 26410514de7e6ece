"""Who is next, how fast, and whether it fits: pure rules."""

import math
from datetime import UTC, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.fleet.failures import back_off
from stellantis_hal.fleet.watching.due_queue import (
    Budget,
    CapacityPlan,
    DueEntry,
    DueQueue,
    Pacer,
    fraction_of,
    next_due,
    next_polls,
    quiet,
)

DAY = 86_400.0
budgets = st.builds(
    Budget,
    per_second=st.integers(1, 50).map(float) | st.just(math.inf),
    per_day=st.integers(100, 20_000).map(float) | st.just(math.inf),
)


def spend_greedily(budget: Budget, costs: list[float], gaps: list[float], until: float) -> list[tuple[float, float]]:
    """Start polls as soon as each may, with idle gaps now and then."""
    allowance, now, spent, number = Pacer(budget, 0.0), 0.0, list[tuple[float, float]](), 0
    while now < until and number < 4_000:
        cost = costs[number % len(costs)]
        wait = allowance.wait(now, cost)
        if wait > 0:
            now += wait
            continue
        allowance.spend(now, cost)
        spent.append((now, cost))
        now += gaps[number % len(gaps)]
        number += 1
    return spent


def most_within(spent: list[tuple[float, float]], span: float) -> float:
    most = running = 0.0
    first = 0
    for at, cost in spent:
        running += cost
        while spent[first][0] <= at - span + 1e-6:
            running -= spent[first][1]
            first += 1
        most = max(most, running)
    return most


@given(
    budgets,
    st.lists(st.sampled_from([1.0, 2.0, 3.0]), min_size=1, max_size=4),
    st.lists(st.sampled_from([0.0, 0.0, 0.001, 0.3, 5.0, 900.0]), min_size=1, max_size=6),
)
def test_no_second_and_no_day_ever_holds_more_than_the_budget(
    budget: Budget, costs: list[float], gaps: list[float]
) -> None:
    spent = spend_greedily(budget, costs, gaps, 3 * DAY)
    whole = max(costs) - 1  # a poll is not divided: one that costs more than fits goes alone
    assert most_within(spent, 1.0) <= max(budget.per_second, *costs) + 1e-6
    assert most_within(spent, DAY) <= budget.per_day + whole + 1e-6


@pytest.mark.parametrize(("per_second", "per_day"), [(10.0, math.inf), (math.inf, 2_000.0), (5.0, 3_000.0)])
def test_nearly_all_of_the_budget_is_spent_when_asked_to_go_as_fast_as_allowed(
    per_second: float, per_day: float
) -> None:
    budget = Budget(per_second=per_second, per_day=per_day)
    until = DAY if per_day < math.inf else 300.0
    spent = spend_greedily(budget, [1.0], [0.0], until)
    assert sum(cost for _, cost in spent) >= 0.98 * min(per_day, per_second * until)


def test_the_day_is_spread_over_the_day() -> None:
    spent = spend_greedily(Budget(per_day=960.0), [1.0], [0.0], DAY)
    by_quarter = [
        sum(cost for at, cost in spent if start <= at < start + DAY / 4) for start in range(0, 86_400, 21_600)
    ]
    assert max(by_quarter) - min(by_quarter) <= 0.05 * sum(by_quarter)


def test_where_others_spend_the_pace_goes_down_with_what_is_left() -> None:
    full, poor = Budget(per_day=96_000.0, free_today=96_000.0), Budget(per_day=96_000.0, free_today=180.0)
    assert poor.pace == pytest.approx(0.1)
    assert poor.pace < full.pace
    assert Budget(per_day=100.0, free_today=0.0).pace == 0.0
    assert Budget(per_second=7.0).pace == 7.0


def test_nothing_may_start_while_nothing_is_left() -> None:
    allowance = Pacer(Budget(per_day=96_000.0), 0.0)
    while allowance.wait(0.0) == 0:
        allowance.spend(0.0)
    allowance.adjust(Budget(per_day=96_000.0, free_today=0.0), 0.0)
    assert allowance.wait(0.0) == math.inf


def test_a_budget_that_shrinks_takes_what_had_been_saved_up() -> None:
    allowance = Pacer(Budget(per_day=960_000.0), 0.0)
    allowance.adjust(Budget(per_day=96.0), 1.0)
    assert allowance.budget.per_day == 96.0
    allowance.spend(1.0, 1.0)
    assert allowance.wait(1.0) > 0


def test_what_a_poll_cost_more_is_paid_off_before_the_next() -> None:
    one, other = (Pacer(Budget(per_day=96.0), 0.0) for _ in range(2))
    other.settle(0.0, 3.0)
    assert other.wait(0.0) > one.wait(0.0)


def test_what_a_poll_cost_more_is_nothing_where_there_is_no_day() -> None:
    allowance = Pacer(Budget(), 0.0)
    allowance.settle(0.0, 1_000.0)
    assert allowance.wait(0.0) == 0.0


def test_a_poll_that_costs_more_than_fits_goes_alone() -> None:
    allowance = Pacer(Budget(per_second=2.0), 0.0)
    assert allowance.wait(0.0, 5.0) == 0.0
    allowance.spend(0.0, 5.0)
    assert allowance.wait(0.5, 1.0) == pytest.approx(0.5)


# ------------------------------------------------------------------------------------------- plans


@given(st.integers(1, 100_000), st.floats(1, 10), st.floats(1, 1e6), st.floats(1, 1e7))
def test_the_interval_that_a_plan_names_fits(vehicles: int, cost: float, every: float, budget: float) -> None:
    plan = CapacityPlan(vehicles=vehicles, cost=cost, every=every, budget=budget)
    fitting = CapacityPlan(vehicles=vehicles, cost=cost, every=plan.fitting.total_seconds(), budget=budget)
    assert fitting.fits
    assert plan.fits or plan.fitting.total_seconds() >= every


def test_a_plan_says_what_is_needed_what_there_is_and_what_would_fit() -> None:
    plan = CapacityPlan(vehicles=500, cost=2.0, every=300.0, budget=90_000.0)
    assert not plan.fits
    assert str(plan) == (
        "500 vehicles at 2 requests each, every 0:05:00, need 288000 requests a day, and 90000 may be spent: "
        "every 0:16:00 would fit, timedelta(seconds=960)"
    )


def test_as_fast_as_allowed_always_fits() -> None:
    assert CapacityPlan(vehicles=500, cost=2.0, every=0.0, budget=1.0).fits


def test_without_a_budget_no_interval_fits() -> None:
    assert CapacityPlan(vehicles=500, cost=2.0, every=1.0, budget=0.0).fitting == timedelta.max


# ------------------------------------------------------------------------------------------- turns


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["put", "drop", "take"]), st.integers(0, 9))))
def test_the_agenda_is_the_rule_made_quick(acts: list[tuple[str, str, int]]) -> None:
    agenda, entries = DueQueue[str](), dict[str, float]()
    for key, act, due in acts:
        if act == "put":
            entries.pop(key, None)
            agenda.put(key, float(due))
            entries[key] = float(due)
        elif act == "drop":
            agenda.drop(key)
            entries.pop(key, None)
        else:
            taken = agenda.take()
            polls = next_polls([DueEntry(due, key) for key, due in entries.items()], math.inf)
            assert (taken.key if taken else None) == (polls[0] if polls else None)
            if taken:
                assert entries.pop(taken.key) == taken.due
        assert len(agenda) == len(entries)
        assert all(key in agenda for key in entries)


def test_the_agenda_does_not_grow_by_what_was_replaced() -> None:
    agenda = DueQueue[str]()
    for due in range(10_000):
        agenda.put("a", float(due))
    assert len(agenda._heap) < 200
    first = agenda.first()
    assert first is not None
    assert first.due == 9_999.0


def test_who_is_not_due_is_not_next() -> None:
    assert next_polls([DueEntry(5.0, "later"), DueEntry(1.0, "now"), DueEntry(0.0, "first")], 2.0) == ["first", "now"]


def test_the_agenda_tells_how_many_are_late_and_by_how_much() -> None:
    agenda = DueQueue[str]()
    for key, due in (("a", 1.0), ("b", 4.0), ("c", 9.0)):
        agenda.put(key, due)
    assert agenda.overdue(5.0) == (2, 4.0)
    assert agenda.overdue(0.0) == (0, 0.0)


@given(
    st.lists(st.floats(1, 1_000), min_size=2, max_size=12),
    st.floats(0.1, 50),
    st.integers(50, 300),
)
def test_nobody_starves(intervals: list[float], service: float, turns: int) -> None:
    """However short the others' intervals and however slow the polls, each waits no longer than its own interval and
    one turn of everybody."""
    agenda, now = DueQueue[int](), 0.0
    last = [0.0] * len(intervals)
    for key, interval in enumerate(intervals):
        agenda.put(key, interval)
    for _ in range(turns):
        entry = agenda.take()
        assert entry is not None
        now = max(now, entry.due)
        waited = now - last[entry.key]
        assert waited <= intervals[entry.key] + service * len(intervals) + 1e-6
        last[entry.key] = now
        now += service
        agenda.put(entry.key, next_due(entry.due, now, intervals[entry.key]))


def test_the_rhythm_is_kept_where_it_can_be() -> None:
    assert next_due(100.0, 130.0, 60.0) == 160.0


def test_what_was_missed_is_not_made_up_for() -> None:
    assert next_due(100.0, 10_000.0, 60.0) == 10_060.0


def test_an_interval_is_never_nothing() -> None:
    assert next_due(5.0, 5.0, 0.0) > 5.0


def test_a_restart_does_not_poll_everybody_at_once() -> None:
    turns = sorted(fraction_of(f"vehicle-{number}") for number in range(1_000))
    assert all(0 <= turn < 1 for turn in turns)
    by_tenth = [sum(tenth / 10 <= turn < (tenth + 1) / 10 for turn in turns) for tenth in range(10)]
    assert min(by_tenth) > 60
    assert fraction_of("a", "x") != fraction_of("a")


@given(st.integers(0, 10_000), st.floats(1, 1e5), st.floats(1, 1e6))
def test_backing_off_doubles_and_ends(failures: int, every: float, longest: float) -> None:
    assert every <= back_off(failures, every, longest) <= max(every, longest)
    assert back_off(failures, every, longest) <= back_off(failures + 1, every, longest)


# ------------------------------------------------------------------------------------------- the time of day


@pytest.mark.parametrize(("hour", "factor"), [(21, 1.0), (22, 4.0), (23, 4.0), (0, 4.0), (4, 4.0), (5, 1.0), (12, 1.0)])
def test_nights_are_quiet(hour: int, factor: float) -> None:
    assert quiet(time(22), time(5))(datetime(2026, 1, 1, hour, tzinfo=UTC)) == factor


@pytest.mark.parametrize(("hour", "factor"), [(8, 1.0), (9, 2.5), (16, 2.5), (17, 1.0)])
def test_days_may_be_quiet_too(hour: int, factor: float) -> None:
    assert quiet(time(9), time(17), factor=2.5)(datetime(2026, 1, 1, hour, tzinfo=UTC)) == factor


def test_a_factor_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 0"):
        quiet(time(1), time(2), factor=0.0)
    with pytest.raises(ValueError, match="finite"):
        quiet(time(1), time(2), factor=math.inf)
    with pytest.raises(ValueError, match="without a zone"):
        quiet(time(1, tzinfo=UTC), time(2))


def test_quiet_hours_are_utc_s_whatever_the_clock_s_zone() -> None:
    assert quiet(time(22), time(5))(datetime(2026, 1, 1, 9, tzinfo=timezone(timedelta(hours=5)))) == 4.0
    assert quiet(time(22), time(5))(datetime(2026, 1, 1, 4, tzinfo=timezone(timedelta(hours=-5)))) == 1.0
