"""FIFO semaphore with a timeout."""

import asyncio

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.transport.semaphore import TimedSemaphore
from tests.support.clocks import BACKENDS, jumping

pytestmark = pytest.mark.anyio


async def acquire(permits: TimedSemaphore) -> None:
    if not permits.try_acquire():
        await permits.acquire()


async def test_at_most_value_tasks_acquire() -> None:
    permits = TimedSemaphore(2, 60.0)
    assert [permits.try_acquire() for _ in range(3)] == [True, True, False]
    permits.release()
    assert permits.try_acquire()


async def test_waiters_acquire_in_order() -> None:
    permits, order = TimedSemaphore(1, 60.0), list[int]()

    async def work(number: int) -> None:
        await acquire(permits)
        order.append(number)
        await anyio.sleep(1)
        permits.release()

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(work, number)
            await anyio.wait_all_tasks_blocked()
    assert order == [*range(20)]


async def test_a_release_goes_to_the_queue_first() -> None:
    permits = TimedSemaphore(1, 60.0)
    assert permits.try_acquire()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(permits.acquire)
        await anyio.wait_all_tasks_blocked()
        permits.release()
        assert not permits.try_acquire()


async def test_each_waiter_times_out_after_the_same_time() -> None:
    permits, waits = TimedSemaphore(1, 60.0), list[float]()
    assert permits.try_acquire()

    async def wait(after: float) -> None:
        await anyio.sleep(after)
        start = anyio.current_time()
        with pytest.raises(TimeoutError):
            await permits.acquire()
        waits.append(anyio.current_time() - start)

    async with anyio.create_task_group() as tasks:
        for after in (0, 10, 10, 25, 59):
            tasks.start_soon(wait, after)
    assert waits == pytest.approx([60.0] * 5, abs=0.1)
    permits.release()
    assert permits.try_acquire()


async def test_waiters_that_left_are_skipped() -> None:
    permits, entered = TimedSemaphore(1, 60.0), list[int]()
    assert permits.try_acquire()

    async def wait(number: int, patience: float) -> None:
        with anyio.move_on_after(patience):
            await permits.acquire()
            entered.append(number)

    async with anyio.create_task_group() as tasks:
        for number, patience in enumerate((5, 30, 5, 30, 5)):
            tasks.start_soon(wait, number, patience)
            await anyio.wait_all_tasks_blocked()  # so that they stand in line in this order
        await anyio.sleep(10)
        permits.release()
        await anyio.sleep(1)
        permits.release()
    assert entered == [1, 3]
    permits.release()
    assert permits.try_acquire()


async def test_a_waiter_cancelled_when_acquiring_releases() -> None:
    permits = TimedSemaphore(1, 60.0)
    assert permits.try_acquire()

    async def pass_through() -> None:
        await permits.acquire()
        permits.release()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pass_through)
        await anyio.wait_all_tasks_blocked()
        permits.release()
        tasks.cancel_scope.cancel()
    assert permits.try_acquire()


def test_asyncio_cancellation_when_acquiring_releases() -> None:
    async def cancelled() -> bool:
        permits = TimedSemaphore(1, 60.0)
        assert permits.try_acquire()
        task = asyncio.create_task(permits.acquire())
        await asyncio.sleep(0)
        permits.release()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return permits.try_acquire()

    assert asyncio.run(cancelled())


@given(
    st.integers(1, 3),
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 90), st.integers(0, 40)), min_size=1, max_size=12),
    st.sampled_from(BACKENDS),
)
def test_permits_are_neither_lost_nor_made(places: int, lives: list[tuple[int, int, int]], backend: str) -> None:
    async def live() -> None:
        permits, inside = TimedSemaphore(places, 30.0), 0

        async def one(after: int, patience: int, stay: int) -> None:
            nonlocal inside
            await anyio.sleep(after)
            with anyio.move_on_after(patience):
                try:
                    await acquire(permits)
                except TimeoutError:
                    return
                inside += 1
                assert inside <= places
                try:
                    await anyio.sleep(stay)
                finally:
                    inside -= 1
                    permits.release()

        async with anyio.create_task_group() as tasks:
            for life in lives:
                tasks.start_soon(one, *life)
        assert [permits.try_acquire() for _ in range(places + 1)] == [True] * places + [False]

    name, options = jumping(backend)
    anyio.run(live, backend=name, backend_options=dict(options))
