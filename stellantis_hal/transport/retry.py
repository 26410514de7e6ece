"""Once more, or not: what may be repeated, when, and how long it is worth it.

Knows our own errors and a policy. Must not know HTTP libraries, limits or credentials. 429 is not its business: the
limiter paces those.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

import anyio
import attrs
from attrs import validators
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from stellantis_hal.errors import (
    ApiError,
    BodyTooLargeError,
    NetworkError,
    RateLimitedError,
    StellantisError,
    TooManyRedirectsError,
)

__all__ = ["RetryPolicy", "insist", "may_repeat"]

T = TypeVar("T")

_AT_LEAST_0 = validators.ge(0.0)


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How stubborn to be about connections that fail, time-outs and 5xx.

    The wait before attempt n+1 is random between 0 and ``initial * 2**(n - 1)`` seconds, at most ``longest`` (full
    jitter), and never shorter than the server's ``Retry-After``.

    Attributes:
        attempts: how often a request is sent at most; 1 for no retries.
        initial: seconds.
        longest: seconds.
        total: seconds after which no further attempt begins, waits for the limits not counted.
    """

    attempts: int = attrs.field(default=5, validator=[validators.instance_of(int), validators.ge(1)])
    initial: float = attrs.field(default=0.5, validator=_AT_LEAST_0)
    longest: float = attrs.field(default=30.0, validator=_AT_LEAST_0)
    total: float = attrs.field(default=180.0, validator=_AT_LEAST_0)
    _retrying: AsyncRetrying = attrs.field(init=False, repr=False, eq=False, hash=False)

    def __attrs_post_init__(self) -> None:
        jitter = wait_random_exponential(multiplier=self.initial, max=self.longest)
        retrying = AsyncRetrying(sleep=anyio.sleep, wait=lambda state: max(jitter(state), _asked(state)), reraise=True)
        object.__setattr__(self, "_retrying", retrying)


def _error(state: RetryCallState) -> BaseException | None:
    return None if state.outcome is None else state.outcome.exception()


def _asked(state: RetryCallState) -> float:
    error = _error(state)
    return (error.retry_after or 0.0) if isinstance(error, ApiError) else 0.0


def may_repeat(error: BaseException, *, repeatable: bool) -> bool:
    """Tell whether the same request may be sent again after this error.

    Always, where nothing was sent; else only where the request may be repeated and the failure may pass.
    """
    if isinstance(error, (BodyTooLargeError, TooManyRedirectsError, RateLimitedError)):
        return False
    if isinstance(error, NetworkError):
        return (repeatable or not error.sent) and error.is_transient
    return isinstance(error, ApiError) and repeatable and error.is_transient


async def insist(
    attempt: Callable[[], Awaitable[T]],
    policy: RetryPolicy,
    *,
    repeatable: bool,
    on_retry: Callable[[StellantisError, float, int], None],
    waited: Callable[[], float] = lambda: 0.0,
) -> T:
    """Call ``attempt`` until it succeeds, fails for good, or the policy or the anyio deadline in force ends it.

    Args:
        attempt: makes one.
        policy: bounds them.
        repeatable: whether an attempt may be repeated after the server may have seen it.
        on_retry: is told of each failure that another attempt follows: the error, the wait, the attempt's number.
        waited: tells the seconds that went by waiting for one's turn, which are not held against the policy's total.
    """
    started = anyio.current_time()
    try:
        return await attempt()
    except (NetworkError, ApiError) as error:
        if not may_repeat(error, repeatable=repeatable):
            raise
        failures = [error]  # tenacity is entered only now, and counts this one as its first

    async def again() -> T:
        if failures:
            raise failures.pop()
        return await attempt()

    def stop(state: RetryCallState) -> bool:
        end = min(started + policy.total + waited(), anyio.current_effective_deadline())
        return state.attempt_number >= policy.attempts or anyio.current_time() + state.upcoming_sleep >= end

    def tell(state: RetryCallState) -> None:
        error = cast("StellantisError", _error(state))  # nothing else is worth another attempt
        on_retry(error, state.upcoming_sleep, state.attempt_number)

    retrying = policy._retrying.copy(
        stop=stop,
        retry=retry_if_exception(lambda error: may_repeat(error, repeatable=repeatable)),
        before_sleep=tell,
    )
    return await retrying(again)
