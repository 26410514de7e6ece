"""The running event loop: its time, its present task, tasks that wait to be woken."""

import asyncio
import time
from typing import Any

import anyio
import anyio.to_thread
import pytest
import trio

from stellantis_hal.errors import WrongLoopError
from stellantis_hal.transport.loop_binding import LoopBinding
from stellantis_hal.transport.loop_handle import LoopHandle, loop_time
from stellantis_hal.transport.shared_timer import SharedWakeUpTimer, Waiter
from tests.support.clocks import BACKENDS, jumping

pytestmark = [pytest.mark.anyio, pytest.mark.both_loops_measured]


async def test_the_time_is_that_of_the_event_loop() -> None:
    assert LoopHandle().now() == pytest.approx(anyio.current_time())
    assert loop_time() == pytest.approx(anyio.current_time())


async def test_a_function_is_called_in_the_loop_from_any_thread() -> None:
    loop, called = LoopHandle(), anyio.Event()
    await anyio.to_thread.run_sync(loop.call_soon, called.set)
    with anyio.fail_after(5):
        await called.wait()


@pytest.mark.parametrize("run", [asyncio.run, trio.run])
def test_nothing_is_called_in_a_loop_that_has_ended(run: Any) -> None:
    async def handle() -> LoopHandle:
        return LoopHandle()

    run(handle).call_soon(pytest.fail) if run is trio.run else run(handle()).call_soon(pytest.fail)


async def test_a_parked_task_waits_until_it_is_woken() -> None:
    parked, seen = LoopHandle().park(), list[str]()

    async def wait() -> None:
        await parked.wait()
        seen.append("on")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert not seen
        parked.wake()
        parked.wake()
    assert seen == ["on"]


async def test_a_task_woken_before_it_waits_goes_on() -> None:
    parked = LoopHandle().park()
    parked.wake()
    with anyio.fail_after(1):
        await parked.wait()


async def test_a_cancelled_task_is_not_woken() -> None:
    parked, scope = LoopHandle().park(), anyio.CancelScope()

    async def wait() -> None:
        with scope:
            await parked.wait()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        scope.cancel()
        await anyio.wait_all_tasks_blocked()
        parked.wake()
    assert scope.cancelled_caught


@pytest.mark.parametrize(
    "live",
    [
        test_the_time_is_that_of_the_event_loop,
        test_a_parked_task_waits_until_it_is_woken,
        test_a_task_woken_before_it_waits_goes_on,
        test_a_cancelled_task_is_not_woken,
    ],
    ids=["time", "woken", "woken before", "cancelled"],
)
def test_both_loops_park_tasks_alike(live: Any) -> None:
    """Also where the tests of one of them are left out, as by mutmut."""
    for name in BACKENDS:
        backend, options = jumping(name)
        anyio.run(live, backend=backend, backend_options=dict(options))


def test_the_clock_of_a_plain_loop_is_called_directly() -> None:
    async def handle() -> LoopHandle:
        return LoopHandle()

    assert asyncio.run(handle()).now is time.monotonic
    backend, options = jumping("asyncio")
    assert anyio.run(handle, backend=backend, backend_options=dict(options)).now is not time.monotonic


def test_a_loop_is_no_other_of_its_kind() -> None:
    async def handle() -> LoopHandle:
        return LoopHandle()

    for name in BACKENDS:
        loop = anyio.run(handle, backend=name)

        async def runs(loop: LoopHandle = loop) -> bool:
            return loop.is_running()

        assert not anyio.run(runs, backend=name)
        assert not loop.is_running()


async def test_the_present_task_belongs_to_its_loop_only() -> None:
    loop = LoopHandle()
    assert loop.is_running()
    assert not await anyio.to_thread.run_sync(loop.is_running)
    assert not await anyio.to_thread.run_sync(lambda: asyncio.run(_in_task(loop)))
    assert not await anyio.to_thread.run_sync(lambda: trio.run(_in_task, loop))


async def _in_task(loop: LoopHandle) -> bool:
    return loop.is_running()


def test_a_loop_that_hosts_another_is_not_that_of_its_guest() -> None:
    async def host() -> tuple[bool, bool]:
        loop, done = LoopHandle(), asyncio.get_running_loop().create_future()

        async def guest() -> bool:
            await trio.lowlevel.checkpoint()
            return loop.is_running()

        trio.lowlevel.start_guest_run(
            guest,
            run_sync_soon_threadsafe=asyncio.get_running_loop().call_soon_threadsafe,
            done_callback=lambda outcome: done.set_result(outcome.unwrap()),
            host_uses_signal_set_wakeup_fd=True,
        )
        return await done, loop.is_running()

    assert asyncio.run(host()) == (False, True)


def test_a_waiter_that_does_not_wait_need_not_go_on() -> None:
    waiter = Waiter()
    waiter.go_on()
    assert not waiter.done


async def test_a_waiter_that_is_done_before_it_waits_does_not_wait() -> None:
    waiter = Waiter()
    waiter.wake()
    with anyio.fail_after(1):
        await SharedWakeUpTimer(anyio.current_time, lambda: None).wait(waiter, LoopHandle())
    assert waiter.done


def test_a_binding_to_an_event_loop_that_has_ended_says_so() -> None:
    binding = LoopBinding("this client")

    async def use() -> None:
        binding.check()

    asyncio.run(use())
    with pytest.raises(WrongLoopError) as caught:
        asyncio.run(use())
    assert str(caught.value) == (
        "nothing was sent: this client was used first in an event loop that was another one, as of an earlier "
        "asyncio.run(): make it anew in each loop, or run everything in one"
    )
    binding.release()
    asyncio.run(use())


def test_a_binding_of_another_process_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    binding = LoopBinding("this limiter")

    async def use() -> None:
        binding.check()

    asyncio.run(use())
    monkeypatch.setattr("os.getpid", lambda: -1)
    assert binding.is_elsewhere
    with pytest.raises(WrongLoopError) as caught:
        asyncio.run(use())
    assert str(caught.value) == (
        "nothing was sent: this limiter was used first in another process, of which this one is a fork: make it after "
        "the fork"
    )
