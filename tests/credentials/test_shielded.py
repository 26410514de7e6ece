"""Calls that run to their end although their caller is cancelled."""

import asyncio

import anyio
import pytest

from stellantis_hal.credentials.shielded import run_shielded
from stellantis_hal.errors import AuthError, NetworkError

pytestmark = pytest.mark.anyio


async def test_the_result_of_the_call_is_returned() -> None:
    async def call() -> int:
        await anyio.sleep(1)
        return 5

    assert await run_shielded(call, timeout=10) == 5


async def test_our_errors_are_raised_bare() -> None:
    async def call() -> None:
        raise AuthError("no")

    with pytest.raises(AuthError, match="no"):
        await run_shielded(call, timeout=10)


async def test_other_errors_are_raised_bare_with_their_cause() -> None:
    async def call() -> None:
        raise KeyError("row") from LookupError("database")

    with pytest.raises(KeyError) as caught:
        await run_shielded(call, timeout=10)
    assert isinstance(caught.value.__cause__, LookupError)


async def test_a_cancelled_scope_waits_for_the_call() -> None:
    done: list[bool] = []

    async def call() -> None:
        await anyio.sleep(3)
        done.append(True)

    with anyio.move_on_after(1) as scope:
        await run_shielded(call, timeout=10)
    assert scope.cancelled_caught
    assert done == [True]


async def test_the_cancellation_wins_over_the_calls_error() -> None:
    async def call() -> None:
        await anyio.sleep(3)
        raise AuthError("no")

    with anyio.move_on_after(1) as scope:
        await run_shielded(call, timeout=10)
    assert scope.cancelled_caught


async def test_a_call_that_never_ends_times_out() -> None:
    with pytest.raises(NetworkError, match="longer than 10 s") as caught:
        await run_shielded(anyio.sleep_forever, timeout=10)
    assert caught.value.sent


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.wall_clock
async def test_cancel_of_an_asyncio_task_waits_for_the_call() -> None:
    done: list[bool] = []

    async def call() -> None:
        await anyio.sleep(0.05)
        done.append(True)

    async def pipeline() -> None:
        await run_shielded(call, timeout=10)

    task = asyncio.ensure_future(pipeline())
    await anyio.sleep(0.01)
    task.cancel()
    await anyio.sleep(0.01)
    task.cancel()  # some programs cancel twice
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [True]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.wall_clock
async def test_asyncio_timeout_waits_for_the_call_and_still_fires() -> None:
    done: list[bool] = []

    async def call() -> None:
        await anyio.sleep(0.05)
        done.append(True)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await run_shielded(call, timeout=10)
    assert done == [True]
