"""FIFO semaphore with a timeout."""

import asyncio

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.errors import WrongLoopError
from stellantis_hal.transport.semaphore import TimedSemaphore
from tests.support.clocks import BACKENDS, jumping

pytestmark = pytest.mark.anyio


async def acquire(permits: TimedSemaphore) -> bool:
    return permits.try_acquire() or await permits.acquire()


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
        assert await permits.acquire() is False
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


@pytest.mark.unmeasured
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
                if not await acquire(permits):
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


@pytest.mark.unmeasured
@given(
    st.integers(1, 3),
    st.lists(st.sampled_from(["stay", "scope", "native", "both"]), min_size=1, max_size=12),
    st.sampled_from(["before", "after"]),
)
def test_waiters_of_asyncio_leave_by_any_cancellation(places: int, leaving: list[str], moment: str) -> None:
    """Before or after the release that concerns them: the others acquire in order, and no permit is lost."""

    async def live() -> list[int]:
        permits, order = TimedSemaphore(places, 60.0), list[int]()
        assert [permits.try_acquire() for _ in range(places)] == [True] * places
        scopes = [anyio.CancelScope() for _ in leaving]

        async def one(number: int) -> None:
            with scopes[number]:
                await permits.acquire()
                order.append(number)
                permits.release()

        tasks = [asyncio.create_task(one(number)) for number in range(len(leaving))]
        await asyncio.sleep(0)
        if moment == "after":
            for _ in range(places):
                permits.release()
        for task, scope, how in zip(tasks, scopes, leaving, strict=True):
            if how in {"scope", "both"}:
                scope.cancel()
            if how in {"native", "both"}:
                task.cancel()
        if moment == "before":
            for _ in range(places):
                permits.release()
        await asyncio.wait(tasks, timeout=60.0)
        assert [permits.try_acquire() for _ in range(places + 1)] == [True] * places + [False]
        return order

    order = asyncio.run(live())
    assert places > 1 or order == sorted(order)  # two that acquire at once may run in either order
    assert {number for number, how in enumerate(leaving) if how == "stay"} <= {*order}


@pytest.mark.unmeasured
@given(st.lists(st.booleans(), min_size=2, max_size=20), st.sampled_from(BACKENDS))
def test_those_who_stay_acquire_in_order(stays: list[bool], backend: str) -> None:
    async def live() -> None:
        permits, order = TimedSemaphore(1, 60.0), list[int]()
        assert permits.try_acquire()

        async def one(number: int, scope: anyio.CancelScope) -> None:
            with scope:
                await permits.acquire()
                order.append(number)
                permits.release()

        async with anyio.create_task_group() as tasks:
            scopes = [anyio.CancelScope() for _ in stays]
            for number, scope in enumerate(scopes):
                tasks.start_soon(one, number, scope)
                await anyio.wait_all_tasks_blocked()
            for scope, stay in zip(scopes, stays, strict=True):
                if not stay:
                    scope.cancel()
            await anyio.wait_all_tasks_blocked()
            permits.release()
        assert order == [number for number, stay in enumerate(stays) if stay]

    name, options = jumping(backend)
    anyio.run(live, backend=name, backend_options=dict(options))


def test_tasks_of_another_loop_do_not_wait_in_it() -> None:
    permits = TimedSemaphore(0, 1.0)
    backend, options = jumping("asyncio")
    assert anyio.run(permits.acquire, backend=backend, backend_options=dict(options)) is False
    with pytest.raises(WrongLoopError) as caught:
        anyio.run(permits.acquire)
    assert str(caught.value) == (
        "nothing was sent: this semaphore was used first in an event loop that was another one, as of an earlier "
        "asyncio.run(): make it anew in each loop, or run everything in one"
    )
