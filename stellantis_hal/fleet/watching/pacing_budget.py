"""What a watch may spend, read off the limiter that its client has.

Knows limiters and the headers' quota. Must not know what it is spent on.
"""

from __future__ import annotations

import math

from stellantis_hal.fleet.watching.due_queue import Budget
from stellantis_hal.transport.rate_limit.limiter import RateLimiter, TokenBucketLimiter
from stellantis_hal.transport.rate_limit.limits import RateLimits
from stellantis_hal.transport.rate_limit.quota import Quota

__all__ = ["budget_of"]

_SHARE = 0.9


def budget_of(limiter: RateLimiter, quota: Quota, spend: RateLimits | None) -> Budget:
    """Tell what background requests may spend.

    Args:
        limiter: what the requests pass. That of a client says itself what is reserved for interactive ones; of any
            other nine tenths of what the headers say are taken.
        quota: what the headers said last.
        spend: what the watch may spend at most, where that was said.
    """
    if isinstance(limiter, TokenBucketLimiter):
        books = limiter._books
        kept_burst, kept_day = books._reserves
        per_second, per_day = books.burst.limit - kept_burst, books.day.limit - kept_day
    else:
        kept_day = 0
        per_second, per_day = _share_of(quota.burst.limit), _share_of(quota.day.limit)
    free = limiter.statistics.free_today
    left = math.inf if free is None else max(0.0, free - kept_day)
    if spend is not None:
        per_second = min(per_second, math.inf if spend.per_second is None else spend.per_second)
        per_day = min(per_day, math.inf if spend.per_day is None else spend.per_day)
    return Budget(per_second=per_second, per_day=per_day, free_today=left)


def _share_of(limit: int | None) -> float:
    return math.inf if limit is None else limit * _SHARE
