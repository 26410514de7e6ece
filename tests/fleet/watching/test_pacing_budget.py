"""What a watch may spend, by the limiter that there is."""

import math

import pytest

from stellantis_hal.fleet.watching.due_queue import Budget
from stellantis_hal.fleet.watching.pacing_budget import budget_of
from stellantis_hal.transport.rate_limit.limiter import RateLimiter, TokenBucketLimiter
from stellantis_hal.transport.rate_limit.limits import RateLimits
from stellantis_hal.transport.rate_limit.quota import Quota, Window

pytestmark = pytest.mark.anyio
NOTHING_SAID = Quota()


def as_other(limiter: TokenBucketLimiter) -> RateLimiter:
    """Somebody else's limiter: nothing but the protocol."""

    class Wrapped:
        slot = limiter.slot
        pause = limiter.pause

        @property
        def statistics(self) -> object:
            return limiter.statistics

    return Wrapped()  # type: ignore[return-value]  # statistics are what they are


async def test_what_is_reserved_for_interactive_requests_is_not_the_watchs() -> None:
    limiter = TokenBucketLimiter(RateLimits(50, 1_000), interactive_share=0.2)
    assert budget_of(limiter, NOTHING_SAID, None) == Budget(per_second=40, per_day=800, free_today=800)


async def test_what_the_watch_may_spend_can_be_less() -> None:
    limiter = TokenBucketLimiter(RateLimits(50, 1_000))
    budget = budget_of(limiter, NOTHING_SAID, RateLimits(5, None))
    assert (budget.per_second, budget.per_day) == (5, 900)
    budget = budget_of(limiter, NOTHING_SAID, RateLimits(None, 100))
    assert (budget.per_second, budget.per_day) == (45, 100)


async def test_without_windows_there_is_no_bound() -> None:
    limiter = TokenBucketLimiter(RateLimits(None, None))
    assert budget_of(limiter, NOTHING_SAID, None) == Budget()


async def test_of_any_other_limiter_nine_tenths_of_what_the_headers_say_are_taken() -> None:
    limiter = as_other(TokenBucketLimiter(RateLimits(None, 10_000)))
    said = Quota(day=Window(10_000, 9_000), burst=Window(100, 90))
    assert budget_of(limiter, said, None) == Budget(per_second=90, per_day=9_000, free_today=10_000)
    assert budget_of(limiter, NOTHING_SAID, None) == Budget(per_second=math.inf, per_day=math.inf, free_today=10_000)
