"""Budget of a watch: what the limiter leaves to it, the pacer, and the capacity plan."""

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.fleet.watching.pacing_budget import Budget, CapacityPlan, PollRateLimiter, budget_of
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from tests.support.profiles import few_examples

DAY = 86_400.0
budgets = st.builds(
    Budget,
    per_second=st.integers(1, 50).map(float) | st.just(math.inf),
    per_day=st.integers(100, 20_000).map(float) | st.just(math.inf),
)


def spend_greedily(budget: Budget, costs: list[float], gaps: list[float], until: float) -> list[tuple[float, float]]:
    """Start each poll as soon as allowed, with idle gaps between some."""
    pacer, now, spent, number = PollRateLimiter(budget, 0.0), 0.0, list[tuple[float, float]](), 0
    while now < until and number < 4_000:
        cost = costs[number % len(costs)]
        wait = pacer.wait(now, cost)
        if wait > 0:
            now += wait
            continue
        pacer.spend(now, cost)
        spent.append((now, cost))
        now += gaps[number % len(gaps)]
        number += 1
    return spent


def peak_within(spent: list[tuple[float, float]], span: float) -> float:
    peak = running = 0.0
    first = 0
    for at, cost in spent:
        running += cost
        while spent[first][0] <= at - span + 1e-6:
            running -= spent[first][1]
            first += 1
        peak = max(peak, running)
    return peak


@pytest.mark.unmeasured
@few_examples()
@given(
    budgets,
    st.lists(st.sampled_from([1.0, 2.0, 3.0]), min_size=1, max_size=4),
    st.lists(st.sampled_from([0.0, 0.0, 0.001, 0.3, 5.0, 900.0]), min_size=1, max_size=6),
)
def test_no_second_and_no_day_exceeds_the_budget(budget: Budget, costs: list[float], gaps: list[float]) -> None:
    spent = spend_greedily(budget, costs, gaps, 3 * DAY)
    whole = max(costs) - 1  # a poll is not divided: one above the limit goes alone
    assert peak_within(spent, 1.0) <= max(budget.per_second, *costs) + 1e-6
    assert peak_within(spent, DAY) <= budget.per_day + whole + 1e-6


@pytest.mark.parametrize(("per_second", "per_day"), [(10.0, math.inf), (math.inf, 2_000.0), (5.0, 3_000.0)])
def test_the_maximum_rate_uses_98_percent_of_the_budget(per_second: float, per_day: float) -> None:
    budget = Budget(per_second=per_second, per_day=per_day)
    until = DAY if per_day < math.inf else 300.0
    spent = spend_greedily(budget, [1.0], [0.0], until)
    assert sum(cost for _, cost in spent) >= 0.98 * min(per_day, per_second * until)


def test_the_daily_budget_is_spread_over_the_day() -> None:
    spent = spend_greedily(Budget(per_day=960.0), [1.0], [0.0], DAY)
    by_quarter = [
        sum(cost for at, cost in spent if start <= at < start + DAY / 4) for start in range(0, 86_400, 21_600)
    ]
    assert max(by_quarter) - min(by_quarter) <= 0.05 * sum(by_quarter)


def test_requests_of_others_slow_the_pace_down() -> None:
    full, poor = Budget(per_day=96_000.0, free_today=96_000.0), Budget(per_day=96_000.0, free_today=180.0)
    assert poor.pace == pytest.approx(0.1)
    assert poor.pace < full.pace
    assert Budget(per_day=100.0, free_today=0.0).pace == 0.0
    assert Budget(per_second=7.0).pace == 7.0


def test_an_exhausted_budget_allows_no_poll() -> None:
    pacer = PollRateLimiter(Budget(per_day=96_000.0), 0.0)
    while pacer.wait(0.0) == 0:
        pacer.spend(0.0)
    pacer.adjust(Budget(per_day=96_000.0, free_today=0.0), 0.0)
    assert pacer.wait(0.0) == math.inf


def test_a_smaller_budget_discards_saved_tokens() -> None:
    pacer = PollRateLimiter(Budget(per_day=960_000.0), 0.0)
    pacer.adjust(Budget(per_day=96.0), 1.0)
    assert pacer.budget.per_day == 96.0
    pacer.spend(1.0, 1.0)
    assert pacer.wait(1.0) > 0


def test_extra_cost_of_a_poll_delays_the_next() -> None:
    one, other = (PollRateLimiter(Budget(per_day=96.0), 0.0) for _ in range(2))
    other.correct(0.0, 3.0)
    assert other.wait(0.0) > one.wait(0.0)


def test_extra_cost_is_ignored_without_a_daily_limit() -> None:
    pacer = PollRateLimiter(Budget(), 0.0)
    pacer.correct(0.0, 1_000.0)
    assert pacer.wait(0.0) == 0.0


def test_a_poll_above_the_limit_of_a_second_goes_alone() -> None:
    pacer = PollRateLimiter(Budget(per_second=2.0), 0.0)
    assert pacer.wait(0.0, 5.0) == 0.0
    pacer.spend(0.0, 5.0)
    assert pacer.wait(0.5, 1.0) == pytest.approx(0.5)


# ------------------------------------------------------------------------------------------- capacity plans


@pytest.mark.unmeasured
@given(st.integers(1, 100_000), st.floats(1, 10), st.floats(1, 1e6), st.floats(1, 1e7))
def test_the_interval_proposed_by_a_plan_fits(vehicles: int, cost: float, every: float, budget: float) -> None:
    plan = CapacityPlan(vehicles=vehicles, cost=cost, every=every, budget=budget)
    fitting = CapacityPlan(vehicles=vehicles, cost=cost, every=plan.fitting.total_seconds(), budget=budget)
    assert fitting.fits
    assert plan.fits or plan.fitting.total_seconds() >= every


def test_a_plan_states_need_budget_and_fitting_interval() -> None:
    plan = CapacityPlan(vehicles=500, cost=2.0, every=300.0, budget=90_000.0)
    assert not plan.fits
    assert str(plan) == (
        "polling 500 vehicles every 0:05:00 at 2 requests each needs 288000 requests per day, and the budget is 90000: "
        "the shortest interval that fits is 0:16:00, every=timedelta(seconds=960)"
    )


def test_polling_as_fast_as_allowed_always_fits() -> None:
    assert CapacityPlan(vehicles=500, cost=2.0, every=0.0, budget=1.0).fits


def test_no_interval_fits_an_empty_budget() -> None:
    assert CapacityPlan(vehicles=500, cost=2.0, every=1.0, budget=0.0).fitting == timedelta.max


# ------------------------------------------------------------------------------------------- of the limiter


@pytest.mark.anyio
async def test_the_interactive_reserve_is_left_out() -> None:
    limiter = TokenBucketLimiter(RateLimits(50, 1_000), interactive_share=0.2)
    assert budget_of(limiter, None) == Budget(per_second=40, per_day=800, free_today=800)


@pytest.mark.anyio
async def test_a_budget_option_is_an_upper_bound() -> None:
    limiter = TokenBucketLimiter(RateLimits(50, 1_000))
    budget = budget_of(limiter, RateLimits(5, None))
    assert (budget.per_second, budget.per_day) == (5, 900)
    budget = budget_of(limiter, RateLimits(None, 100))
    assert (budget.per_second, budget.per_day) == (45, 100)


@pytest.mark.anyio
async def test_an_unlimited_limiter_gives_an_unlimited_budget() -> None:
    limiter = TokenBucketLimiter(RateLimits(None, None))
    assert budget_of(limiter, None) == Budget()
