"""Retry policy."""

import anyio
import anyio.lowlevel
import pytest

from stellantis_hal.errors import (
    ApiError,
    BodyTooLargeError,
    ConfigurationError,
    NetworkError,
    RateLimitedError,
    ServerError,
    StellantisError,
    TooManyRedirectsError,
)
from stellantis_hal.transport.retry import RetryPolicy, is_retryable
from tests.transport.doubles import call_with_retries

pytestmark = pytest.mark.anyio


def fault(*, wait: float | None = None) -> ServerError:
    return ServerError("down", status=503, is_transient=True, retry_after=wait)


class Attempts:
    """Raises one error after the other, then succeeds."""

    def __init__(self, *errors: StellantisError) -> None:
        self.errors = list(errors)
        self.times: list[float] = []
        self.retries: list[tuple[float, int]] = []

    async def attempt(self) -> str:
        self.times.append(anyio.current_time())
        await anyio.lowlevel.checkpoint()
        if self.errors:
            raise self.errors.pop(0)
        return "done"

    async def run(self, *, repeatable: bool = True, **policy: float) -> str:
        retry = RetryPolicy(**policy)  # type: ignore[arg-type]  # attempts is an int in the only test that gives it
        return await call_with_retries(self.attempt, retry, repeatable=repeatable, on_retry=self.record)

    def record(self, error: StellantisError, wait: float, attempt: int) -> None:
        self.retries.append((wait, attempt))


async def test_a_first_success_is_returned_at_once() -> None:
    attempts = Attempts()
    assert await attempts.run() == "done"
    assert attempts.retries == []


async def test_transient_failures_are_retried_until_success() -> None:
    attempts = Attempts(fault(), NetworkError("reset", sent=True), fault())
    assert await attempts.run() == "done"
    assert [attempt for _, attempt in attempts.retries] == [1, 2, 3]
    assert len(attempts.times) == 4


async def test_attempts_are_bounded() -> None:
    attempts = Attempts(*[fault() for _ in range(9)])
    with pytest.raises(ServerError):
        await attempts.run(attempts=3)
    assert len(attempts.times) == 3


async def test_one_attempt_means_no_retry() -> None:
    attempts = Attempts(fault())
    with pytest.raises(ServerError):
        await attempts.run(attempts=1)
    assert len(attempts.times) == 1


async def test_a_note_says_how_many_attempts_were_made() -> None:
    attempts = Attempts(*[fault(wait=2.0) for _ in range(9)])
    with pytest.raises(ServerError) as caught:
        await attempts.run(attempts=3, initial=0.0)
    assert caught.value.__notes__ == ["gave up after 3 attempts in 4 s"]


async def test_an_error_of_one_attempt_has_no_note() -> None:
    with pytest.raises(ServerError) as caught:
        await Attempts(fault()).run(attempts=1)
    assert not hasattr(caught.value, "__notes__")


async def test_waits_grow_up_to_their_bound() -> None:
    attempts = Attempts(*[fault() for _ in range(8)])
    await attempts.run(attempts=9, initial=1.0, longest=4.0, total=1000.0)
    for (wait, attempt), bound in zip(attempts.retries, [1, 2, 4, 4, 4, 4, 4, 4], strict=True):
        assert 0.0 <= wait <= bound, attempt


async def test_first_waits_are_short_without_retry_after() -> None:
    attempts = Attempts(fault(), NetworkError("reset", sent=True), fault(), fault())
    await attempts.run(initial=0.1)
    for (wait, _), bound in zip(attempts.retries, [0.1, 0.2, 0.4, 0.8], strict=True):
        assert 0.0 <= wait <= bound


async def test_the_servers_wait_is_respected() -> None:
    attempts = Attempts(fault(wait=20.0))
    await attempts.run(initial=0.1)
    assert attempts.times[1] >= attempts.times[0] + 20.0


async def test_no_attempt_begins_after_the_total() -> None:
    attempts = Attempts(fault(wait=20.0), fault())
    with pytest.raises(ServerError):
        await attempts.run(total=10.0)
    assert anyio.current_time() < attempts.times[0] + 1.0


async def test_no_attempt_begins_exactly_at_the_total() -> None:
    attempts = Attempts(fault(wait=16.0))
    with pytest.raises(ServerError):
        await attempts.run(total=16.0)
    assert len(attempts.times) == 1


async def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    attempts = Attempts(fault(wait=20.0))
    with anyio.fail_after(10.0), pytest.raises(ServerError):
        await attempts.run()


async def test_tasks_share_a_policy_but_not_its_counts() -> None:
    policy = RetryPolicy(attempts=3)
    counts: list[int] = []

    async def one() -> None:
        attempts = Attempts(fault(), fault(), fault())
        with pytest.raises(ServerError):
            await call_with_retries(attempts.attempt, policy, repeatable=True, on_retry=attempts.record)
        counts.append(len(attempts.times))

    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(one)
    assert counts == [3] * 50


async def test_a_permanent_failure_ends_the_retries() -> None:
    attempts = Attempts(fault(), ApiError("gone", status=410))
    with pytest.raises(ApiError):
        await attempts.run()
    assert len(attempts.times) == 2


async def test_a_permanent_failure_at_first_is_not_retried() -> None:
    attempts = Attempts(ApiError("gone", status=410))
    with pytest.raises(ApiError):
        await attempts.run()
    assert len(attempts.times) == 1


async def test_other_errors_pass_untouched() -> None:
    attempts = Attempts(ConfigurationError("no"))
    with pytest.raises(ConfigurationError):
        await attempts.run()
    assert len(attempts.times) == 1


@pytest.mark.parametrize(
    ("error", "repeatable", "again"),
    [
        (NetworkError("refused", sent=False), False, True),
        (NetworkError("refused", sent=False), True, True),
        (NetworkError("reset", sent=True), False, False),
        (NetworkError("reset", sent=True), True, True),
        (fault(), False, False),
        (fault(), True, True),
        (ApiError("odd", status=501), True, False),
        (RateLimitedError("slow down", status=429, is_transient=True), True, False),
        (BodyTooLargeError("huge", sent=True), True, False),
        (TooManyRedirectsError("round", sent=True), True, False),
        (ConfigurationError("no"), True, False),
    ],
)
def test_which_errors_are_retryable(error: StellantisError, repeatable: bool, again: bool) -> None:
    assert is_retryable(error, repeatable=repeatable) is again


@pytest.mark.parametrize("fields", [{"attempts": 0}, {"initial": -1.0}, {"longest": -1.0}, {"total": -1.0}])
def test_a_policy_refuses_invalid_numbers(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        RetryPolicy(**fields)  # type: ignore[arg-type]  # the point of the test


def test_equal_policies_are_equal() -> None:
    assert RetryPolicy() == RetryPolicy()
