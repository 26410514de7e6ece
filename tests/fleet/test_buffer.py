"""A queue with an end."""

import anyio
import pytest

from stellantis_hal.fleet.buffer import Buffer

pytestmark = pytest.mark.anyio


async def test_items_come_in_the_order_in_which_they_were_put() -> None:
    buffer = Buffer[int](3)
    for number in range(3):
        await buffer.put(number)
    assert [await buffer.get() for _ in range(3)] == [0, 1, 2]


async def test_whoever_fills_it_waits_until_there_is_room() -> None:
    buffer, put = Buffer[int](2), list[int]()

    async def fill() -> None:
        for number in range(4):
            await buffer.put(number)
            put.append(number)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fill)
        await anyio.sleep(1)
        assert put == [0, 1]
        assert buffer.is_full
        assert await buffer.get() == 0
        await anyio.sleep(1)
        assert put == [0, 1, 2]
        assert len(buffer) == 2
        assert [await buffer.get() for _ in range(3)] == [1, 2, 3]


async def test_a_cancelled_taker_takes_nothing() -> None:
    buffer = Buffer[int](2)
    with anyio.move_on_after(1):
        await buffer.get()
    await buffer.put(1)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await buffer.get()
    assert await buffer.get() == 1


async def test_a_taker_cancelled_in_the_moment_of_a_put_loses_nothing() -> None:
    buffer, taken = Buffer[int](2), list[int]()
    scope = anyio.CancelScope()

    async def take() -> None:
        with scope:
            taken.append(await buffer.get())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(take)
        await anyio.sleep(1)
        await buffer.put(1)
        scope.cancel()
    assert taken or await buffer.get() == 1


async def test_a_closed_one_gives_what_it_has_then_ends() -> None:
    buffer = Buffer[int](2)
    await buffer.put(1)
    buffer.close()
    assert await buffer.get() == 1
    with pytest.raises(StopAsyncIteration):
        await buffer.get()


async def test_closing_lets_nobody_wait() -> None:
    buffer = Buffer[int](1)
    await buffer.put(1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(buffer.put, 2)
        await anyio.sleep(1)
        buffer.close()
    assert [await buffer.get(), await buffer.get()] == [1, 2]


async def test_the_first_error_is_raised_after_what_was_there() -> None:
    buffer = Buffer[int](2)
    await buffer.put(1)
    buffer.fail(KeyError("first"))
    buffer.fail(KeyError("second"))
    assert await buffer.get() == 1
    with pytest.raises(KeyError, match="first"):
        await buffer.get()
    with pytest.raises(StopAsyncIteration):
        await buffer.get()


async def test_an_error_comes_after_what_was_there_however_fast_it_is_filled() -> None:
    buffer = Buffer[int](2)

    async def fill() -> None:
        for number in range(1_000):
            await buffer.put(number)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fill)
        await anyio.sleep(1)
        buffer.fail(KeyError("gone"))
        for number in range(2):
            assert await buffer.get() == number
            await anyio.sleep(1)
        with pytest.raises(KeyError, match="gone"):
            await buffer.get()
        with pytest.raises(StopAsyncIteration):
            await buffer.get()
        assert buffer.is_full
        buffer.close()
        with pytest.raises(StopAsyncIteration):
            await buffer.get()
        tasks.cancel_scope.cancel()


async def test_an_error_reaches_whoever_waits() -> None:
    buffer = Buffer[int](2)

    async def take() -> None:
        with pytest.raises(KeyError):
            await buffer.get()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(take)
        await anyio.sleep(1)
        buffer.fail(KeyError("gone"))


async def test_a_fast_producer_lets_others_go_on() -> None:
    buffer, others = Buffer[int](10_000), list[int]()

    async def other() -> None:
        others.append(len(buffer))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other)
        for number in range(1_000):
            await buffer.put(number)
    assert others[0] < 1_000


def test_it_has_to_hold_something() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Buffer[int](0)
