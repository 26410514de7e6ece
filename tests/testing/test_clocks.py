"""Jumping clocks."""

import asyncio
import socket
import subprocess
import sys

import anyio
import pytest
import trio

from stellantis_hal.testing import JumpingEventLoop, jump, jumping


@pytest.mark.anyio
async def test_a_day_of_waiting_takes_no_time() -> None:
    before = anyio.current_time()
    await anyio.sleep(86_400)
    assert anyio.current_time() - before == pytest.approx(86_400)


@pytest.mark.anyio
@pytest.mark.both_loops_measured
async def test_a_jump_lets_no_task_run() -> None:
    ran = list[float]()
    before = 0.0

    async def wait() -> None:
        await anyio.sleep(60)
        ran.append(anyio.current_time())

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await anyio.sleep(1)
        before = anyio.current_time()
        jump(3_600)
        assert anyio.current_time() - before == pytest.approx(3_600)
        assert ran == []
    assert ran == [pytest.approx(before + 3_600)]


@pytest.mark.anyio
async def test_timers_run_in_their_order() -> None:
    order = list[int]()

    async def wait(seconds: int) -> None:
        await anyio.sleep(seconds)
        order.append(seconds)

    async with anyio.create_task_group() as group:
        for seconds in (300, 7, 86_400, 60):
            group.start_soon(wait, seconds)
    assert order == [7, 60, 300, 86_400]


@pytest.mark.anyio
@pytest.mark.wall_clock
@pytest.mark.both_loops_measured
async def test_jump_with_a_real_clock_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="jumping clock"):
        jump(1)


def test_jump_without_a_loop_is_an_error() -> None:
    assert trio.__name__ in sys.modules
    with pytest.raises(RuntimeError, match="jumping clock"):
        jump(1)


def test_jump_without_trio_is_an_error() -> None:
    code = (
        "import sys\n"
        "from stellantis_hal.testing import jump\n"
        "assert 'trio' not in sys.modules\n"
        "try:\n    jump(1)\nexcept RuntimeError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "jumping clock" in done.stdout


def test_jump_without_trio_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "trio")
    with pytest.raises(RuntimeError, match="jumping clock"):
        jump(1)


def test_unknown_backend_is_refused() -> None:
    with pytest.raises(ValueError, match="'curio'"):
        jumping("curio")


def test_the_loop_is_a_loop_factory() -> None:
    async def hours() -> float:
        loop = asyncio.get_running_loop()
        before = loop.time()
        await asyncio.sleep(7_200)
        return (loop.time() - before) / 3_600

    with asyncio.Runner(loop_factory=JumpingEventLoop) as runner:
        assert runner.run(hours()) == pytest.approx(2)


def test_a_jump_of_an_asyncio_loop() -> None:
    async def jumped() -> float:
        before = asyncio.get_running_loop().time()
        jump(60)
        return asyncio.get_running_loop().time() - before

    with asyncio.Runner(loop_factory=JumpingEventLoop) as runner:
        assert runner.run(jumped()) == pytest.approx(60)
    with asyncio.Runner() as runner, pytest.raises(RuntimeError, match="jumping clock"):
        runner.run(jumped())


def test_a_century_of_short_waits_ends() -> None:
    """Where a timer's tolerance is lost in rounding, the clock still goes on."""

    async def wait() -> float:
        jump(100 * 365 * 86_400)
        before = asyncio.get_running_loop().time()
        for _ in range(10):
            await asyncio.sleep(0.001)
        return asyncio.get_running_loop().time() - before

    with asyncio.Runner(loop_factory=JumpingEventLoop) as runner:
        assert runner.run(wait()) == pytest.approx(0.01, abs=0.001)


def test_sockets_are_waited_for_where_no_timer_is_set() -> None:
    async def receive() -> float:
        loop, received = asyncio.get_running_loop(), asyncio.Event()
        before = loop.time()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.send(b"x")
            loop.add_reader(ours, received.set)
            await received.wait()
            loop.remove_reader(ours)
        return loop.time() - before

    with asyncio.Runner(loop_factory=JumpingEventLoop) as runner:
        assert runner.run(receive()) == 0


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_options_are_those_of_anyio_run(backend: str) -> None:
    name, options = jumping(backend)
    anyio.run(anyio.sleep, 86_400, backend=name, backend_options=dict(options))
