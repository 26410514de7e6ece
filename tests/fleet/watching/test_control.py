"""Control of a watch: from callbacks of the event loop, handlers of signals and other threads."""

import asyncio
import signal
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
import trio

from stellantis_hal.fleet import Update, Watch, watch
from tests.fleet.fleets import Fleet, a_fleet, until, updates_of
from tests.fleet.watching.test_watch import MINUTE

pytestmark = [pytest.mark.anyio, pytest.mark.both_loops_measured]

HOUR = 3_600.0


def _is_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def in_a_callback(call: Callable[[], object]) -> Any:
    """Run a function where the event loop runs no task: by ``call_soon``, or trio's entry queue."""
    outcome: list[object] = []
    done = anyio.Event()

    def run() -> None:
        try:
            outcome.append(call())
        except Exception as error:  # noqa: BLE001 - raised below
            outcome.append(error)
        done.set()

    if _is_asyncio():
        asyncio.get_running_loop().call_soon(run)
    else:
        trio.lowlevel.current_trio_token().run_sync_soon(run)
    await done.wait()
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


async def in_a_timer(call: Callable[[], object]) -> Any:
    """Run a function by ``call_later`` where there is such a function, after a minute."""
    if not _is_asyncio():
        await anyio.sleep(60)
        return await in_a_callback(call)
    done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(60, lambda: done.set_result(call()))
    return await done


async def from_a_thread(call: Callable[[], object]) -> Any:
    """Run a function in the event loop, as another thread asks for it."""
    return await anyio.to_thread.run_sync(partial(anyio.from_thread.run_sync, call))


ORIGINS = [in_a_callback, in_a_timer, from_a_thread]


@pytest.mark.unmeasured
@pytest.mark.parametrize("run", ORIGINS)
async def test_targets_change_outside_of_tasks(run: Callable[[Callable[[], object]], Any]) -> None:
    async with a_fleet(vehicles=2, accounts=2) as fleet, watch(fleet.accounts[0], every=5 * MINUTE) as updates:
        first = (await until(updates, Update)).vehicle
        await run(partial(updates.add, fleet.accounts[1]))
        other = next(id_ for id_ in fleet.vehicles if id_ != first.id)
        while (await until(updates, Update)).vehicle.id != other:
            pass
        assert await run(partial(updates.remove, other))
        await run(partial(updates.poll_now, first))
        assert (await run(lambda: updates.statistics)).vehicles == 1


@pytest.mark.long
@pytest.mark.unmeasured
@pytest.mark.parametrize("run", ORIGINS)
async def test_a_watch_pauses_outside_of_tasks(run: Callable[[Callable[[], object]], Any]) -> None:
    async with (
        a_fleet(vehicles=1, accounts=1) as fleet,
        watch(fleet.accounts, every=5 * MINUTE, repeats=True) as updates,
    ):
        await until(updates, Update)
        await run(updates.pause)
        await updates_of(updates, 60)
        polls = updates.statistics.polls
        assert await updates_of(updates, HOUR) == []
        await run(updates.resume)
        assert await updates_of(updates, HOUR)
        assert updates.statistics.polls > polls


@pytest.mark.long
@pytest.mark.unmeasured
@pytest.mark.parametrize("run", ORIGINS)
async def test_a_watch_stops_outside_of_tasks(run: Callable[[Callable[[], object]], Any]) -> None:
    async with a_fleet(vehicles=1, accounts=1) as fleet, watch(fleet.accounts, every=5 * MINUTE) as updates:
        await until(updates, Update)
        await run(updates.stop)
        with anyio.fail_after(HOUR):
            assert [event async for event in updates if not isinstance(event, Update)] == []
    updates.stop()


async def test_a_watch_that_starts_no_more_is_stopped_in_a_callback() -> None:
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        updates = watch(fleet.accounts, every=MINUTE)
        assert (await in_a_callback(lambda: updates.statistics)).vehicles == 0
        await in_a_callback(partial(updates.add, fleet.accounts[0]))
        await in_a_callback(updates.stop)
        async with updates:
            assert [event async for event in updates] == []


async def test_a_stop_in_the_last_moment_does_nothing() -> None:
    """The block is left between the call in another thread and its turn in the event loop."""
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        async with watch(fleet.accounts, every=5 * MINUTE) as updates:
            await until(updates, Update)
            thread = threading.Thread(target=updates.stop)
            thread.start()
            thread.join()
        await anyio.sleep(1)
        assert updates.statistics.updates


def in_another_thread(call: Callable[[], object]) -> Any:
    """Run a function in a thread that knows no event loop, while the loop of this one stands still."""
    outcome: list[object] = []
    thread = threading.Thread(target=lambda: outcome.append(call()))
    thread.start()
    thread.join()
    return outcome[0]


@pytest.mark.unmeasured
async def test_figures_are_the_same_in_another_thread() -> None:
    async with a_fleet(vehicles=3, accounts=1) as fleet, watch(fleet.accounts, every=5 * MINUTE) as updates:
        await updates_of(updates, 600)
        for read in (
            lambda: updates.statistics,
            lambda: fleet.client.quota,
            lambda: fleet.accounts[0].quota,
            lambda: fleet.client.limiter.statistics.granted,
            lambda: fleet.client.limiter.capacity("background").per_day,
        ):
            assert in_another_thread(read) == read()


@pytest.mark.long
@pytest.mark.unmeasured
async def test_statistics_are_read_by_threads_all_the_time() -> None:
    """The watch adds and removes vehicles meanwhile: no iteration is disturbed."""
    async with a_fleet(vehicles=40, accounts=2) as fleet, watch(fleet.accounts, every=5 * MINUTE) as updates:
        stopped = threading.Event()
        failures: list[BaseException] = []
        reads = 0

        def read() -> None:
            nonlocal reads
            try:
                while not stopped.is_set():
                    assert updates.statistics.accounts <= 2
                    reads += 1
            except BaseException as error:  # noqa: BLE001 - asserted below
                failures.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        try:
            for account in fleet.accounts:
                updates.remove(account)
                await updates_of(updates, 60)
                updates.add(account)
                await updates_of(updates, 60)
        finally:
            stopped.set()
            thread.join()
        assert not failures
        assert reads


@pytest.mark.unmeasured
async def test_another_thread_stops_a_watch() -> None:
    async with a_fleet(vehicles=1, accounts=1) as fleet, watch(fleet.accounts, every=5 * MINUTE) as updates:
        await until(updates, Update)
        in_another_thread(updates.pause)
        in_another_thread(updates.resume)
        in_another_thread(updates.stop)
        with anyio.fail_after(HOUR):
            assert [event async for event in updates if not isinstance(event, Update)] == []


# ------------------------------------------------------------------------------------------- signals


async def _stopped_by_a_signal(fleet: Fleet, install: Callable[[Watch], object]) -> None:
    async with watch(fleet.accounts, every=5 * MINUTE) as updates:
        await until(updates, Update)
        install(updates)
        signal.raise_signal(signal.SIGUSR1)
        with anyio.fail_after(HOUR):
            assert [event async for event in updates if not isinstance(event, Update)] == []


@pytest.mark.unmeasured
async def test_a_handler_of_the_loop_stops_a_watch() -> None:
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        if _is_asyncio():
            loop = asyncio.get_running_loop()
            await _stopped_by_a_signal(fleet, lambda updates: loop.add_signal_handler(signal.SIGUSR1, updates.stop))
            assert loop.remove_signal_handler(signal.SIGUSR1)
            return
        async with anyio.create_task_group() as tasks:

            async def stop(updates: Watch) -> None:
                with trio.open_signal_receiver(signal.SIGUSR1) as signals:
                    async for _ in signals:
                        updates.stop()
                        return

            async with watch(fleet.accounts, every=5 * MINUTE) as updates:
                await until(updates, Update)
                tasks.start_soon(stop, updates)
                await anyio.sleep(1)
                signal.raise_signal(signal.SIGUSR1)
                with anyio.fail_after(HOUR):
                    assert [event async for event in updates if not isinstance(event, Update)] == []


async def test_a_handler_of_the_process_stops_a_watch() -> None:
    """As ``signal.signal(SIGTERM, …)`` installs it."""

    def install(updates: Watch) -> None:
        def handle(number: int, frame: object) -> None:
            del number, frame
            updates.stop(within=1.0)

        signal.signal(signal.SIGUSR1, handle)

    before = signal.getsignal(signal.SIGUSR1)
    try:
        async with a_fleet(vehicles=1, accounts=1) as fleet:
            await _stopped_by_a_signal(fleet, install)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_the_figures_of_an_unused_limiter_are_read_anywhere() -> None:
    """No event loop runs, in this thread and in any other."""

    async def body() -> Any:
        async with a_fleet(vehicles=1, accounts=1) as fleet:
            await fleet.accounts[0].vehicles().collect()
            return fleet.client.limiter

    limiter = anyio.run(body)
    assert limiter.statistics.granted == 2
    assert limiter.statistics == in_another_thread(lambda: limiter.statistics)
    assert limiter.capacity("interactive").per_second


async def test_a_later_stop_may_be_a_shorter_one() -> None:
    """The poll in progress waits for the end of a pause."""
    async with (
        a_fleet(vehicles=1, accounts=1) as fleet,
        watch(fleet.accounts, every=5 * MINUTE, repeats=True) as updates,
    ):
        await until(updates, Update)
        fleet.client.limiter.pause(50, "a test")
        updates.poll_now(fleet.vehicles[0])
        await updates_of(updates, 1)
        began = anyio.current_time()
        for within in (600, 20, 100):
            updates.stop(within=within)
            await anyio.sleep(1)
        assert [event async for event in updates if isinstance(event, Update)] == []
        assert anyio.current_time() - began == pytest.approx(21)
        with pytest.raises(RuntimeError, match="ended"):
            updates.poll_now(fleet.vehicles[0])


async def test_a_watch_may_be_paused_before_it_starts() -> None:
    async with a_fleet(vehicles=1, accounts=1, trips=0) as fleet:
        updates = watch(fleet.accounts, every=5 * MINUTE, what="status", repeats=True)
        updates.pause()
        updates.resume()
        updates.pause()
        async with updates:
            with anyio.move_on_after(3_600) as waiting:
                await anext(updates)
            assert waiting.cancelled_caught
            updates.resume()
            assert isinstance(await anext(updates), Update)
