"""Retry policy; a 429 is no case of it, the limiter paces those."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import attrs
from attrs import validators

from stellantis_hal.errors import (
    ApiError,
    BodyTooLargeError,
    NetworkError,
    RateLimitedError,
    StellantisError,
    TooManyRedirectsError,
)
from stellantis_hal.validation import require_type

if TYPE_CHECKING:
    from tenacity import RetryCallState


__all__ = ["RetryPolicy", "is_retryable", "repeat_failed"]

T = TypeVar("T")

_at_least_zero = validators.ge(0.0)


def _whole(_: object, attribute: attrs.Attribute[int], value: int) -> None:
    require_type(attribute.name, value, int)


def _not_negative(policy: object, attribute: attrs.Attribute[float], value: float) -> None:
    require_type(attribute.name, value, int, float)
    _at_least_zero(policy, attribute, value)


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """When to retry connections that fail, timeouts and 5xx.

    The wait before attempt n+1 is random between 0 and ``initial * 2**(n - 1)`` seconds, at most ``longest`` (full
    jitter), and never shorter than the server's ``Retry-After``.

    Attributes:
        attempts: how often a request is sent at most; 1 for no retries.
        initial: seconds, the bound of the first wait.
        longest: seconds, the bound of any wait.
        total: seconds after which no further attempt begins, waits for the limits not counted.
    """

    attempts: int = attrs.field(default=5, validator=[_whole, validators.ge(1)])
    initial: float = attrs.field(default=0.5, validator=_not_negative)
    longest: float = attrs.field(default=30.0, validator=_not_negative)
    total: float = attrs.field(default=180.0, validator=_not_negative)


def _error(state: RetryCallState) -> Any:
    outcome: Any = state.outcome  # None only before the first attempt has ended
    return outcome.exception()


def _retry_after(state: RetryCallState) -> float:
    error = _error(state)
    return (error.retry_after or 0.0) if isinstance(error, ApiError) else 0.0


def is_retryable(error: BaseException, *, repeatable: bool) -> bool:
    """Return whether the same request may be sent again after this error.

    That is where the failure may pass, and either nothing was sent or the request may be repeated. The renewal of a
    token has attempts of its own.
    """
    if isinstance(error, StellantisError) and error.identity_server is not None:
        return False
    if isinstance(error, (BodyTooLargeError, TooManyRedirectsError, RateLimitedError)):
        return False
    if isinstance(error, NetworkError):
        return (repeatable or not error.sent) and error.is_transient
    return isinstance(error, ApiError) and repeatable and error.is_transient


async def repeat_failed(
    failures: list[NetworkError | ApiError],
    attempt: Callable[[], Awaitable[T]],
    policy: RetryPolicy,
    *,
    repeatable: bool,
    on_retry: Callable[[StellantisError, float, int], None],
    waited: Callable[[], float],
    is_spent: Callable[[], bool],
    now: Callable[[], float],
    started: float,
) -> T:
    """Repeat a call whose first attempt has failed; raise its error where that allows no other one.

    The call is repeated until it succeeds, fails for good, or the policy or the anyio deadline in force ends it. The
    last error gets a note with the number of attempts, where there was more than one.

    Args:
        failures: the error of the first attempt alone; it is taken out, so that no frame keeps it.
        attempt: makes one attempt.
        policy: bounds them.
        repeatable: whether an attempt may be repeated after the server may have seen it.
        on_retry: called with each failure that another attempt follows: the error, the wait, the attempt's number.
        waited: returns the seconds spent waiting for the limiter; they do not count against the policy's total.
        is_spent: returns whether the body was read once and cannot be read again, so that no attempt can follow.
        now: returns the time of the event loop.
        started: when the call began, by that time.
    """

    def may_follow(error: BaseException) -> bool:
        return not is_spent() and is_retryable(error, repeatable=repeatable)

    if not may_follow(failures[0]):  # as mostly: tenacity is not needed then
        raise failures.pop()
    attempts = 1

    async def attempt_again() -> T:
        nonlocal attempts
        if failures:  # tenacity starts only here, and counts this one as its first
            raise failures.pop()
        attempts += 1
        return await attempt()

    def stop(state: RetryCallState) -> bool:
        end = min(started + policy.total + waited(), anyio.current_effective_deadline())
        return state.attempt_number >= policy.attempts or now() + state.upcoming_sleep >= end

    def before_sleep(state: RetryCallState) -> None:
        on_retry(_error(state), state.upcoming_sleep, state.attempt_number)

    from tenacity import AsyncRetrying, retry_if_exception, wait_random_exponential

    jitter = wait_random_exponential(multiplier=policy.initial, max=policy.longest)
    retrying = AsyncRetrying(
        sleep=anyio.sleep,
        wait=lambda state: max(jitter(state), _retry_after(state)),
        stop=stop,
        retry=retry_if_exception(may_follow),
        before_sleep=before_sleep,
        reraise=True,
    )
    try:
        return await retrying(attempt_again)
    except (NetworkError, ApiError) as error:
        if attempts > 1:
            error.add_note(f"gave up after {attempts} attempts in {now() - started:.3g} s")
        raise
