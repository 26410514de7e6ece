"""An act that is finished although its caller is cancelled."""

import asyncio

import anyio
import pytest

from stellantis_hal.credentials.shielded import run_shielded
from stellantis_hal.errors import AuthError, NetworkError

pytestmark = pytest.mark.anyio


async def test_it_gives_what_the_act_gives() -> None:
    async def act() -> int:
        await anyio.sleep(1)
        return 5

    assert await run_shielded(act, timeout=10) == 5


async def test_our_errors_come_bare() -> None:
    async def act() -> None:
        raise AuthError("no")

    with pytest.raises(AuthError, match="no"):
        await run_shielded(act, timeout=10)


async def test_foreign_errors_come_bare_with_their_cause() -> None:
    async def act() -> None:
        raise KeyError("row") from LookupError("database")

    with pytest.raises(KeyError) as caught:
        await run_shielded(act, timeout=10)
    assert isinstance(caught.value.__cause__, LookupError)


async def test_a_cancelled_scope_waits_for_the_act() -> None:
    done: list[bool] = []

    async def act() -> None:
        await anyio.sleep(3)
        done.append(True)

    with anyio.move_on_after(1) as scope:
        await run_shielded(act, timeout=10)
    assert scope.cancelled_caught
    assert done == [True]


async def test_the_cancellation_wins_over_the_act_s_error() -> None:
    async def act() -> None:
        await anyio.sleep(3)
        raise AuthError("no")

    with anyio.move_on_after(1) as scope:
        await run_shielded(act, timeout=10)
    assert scope.cancelled_caught


async def test_an_act_that_never_ends_is_ended() -> None:
    with pytest.raises(NetworkError, match="longer than 10 s") as caught:
        await run_shielded(anyio.sleep_forever, timeout=10)
    assert caught.value.sent


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.wall_clock
async def test_an_asyncio_task_s_own_cancellation_waits_for_the_act() -> None:
    done: list[bool] = []

    async def act() -> None:
        await anyio.sleep(0.05)
        done.append(True)

    async def pipeline() -> None:
        await run_shielded(act, timeout=10)

    task = asyncio.ensure_future(pipeline())
    await anyio.sleep(0.01)
    task.cancel()
    await anyio.sleep(0.01)
    task.cancel()  # hosts that lose patience do it twice
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [True]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.wall_clock
async def test_asyncio_timeout_waits_for_the_act_and_still_fires() -> None:
    done: list[bool] = []

    async def act() -> None:
        await anyio.sleep(0.05)
        done.append(True)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await run_shielded(act, timeout=10)
    assert done == [True]
