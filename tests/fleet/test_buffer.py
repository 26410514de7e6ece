"""Bounded queue that can be closed or failed."""

from typing import Any

import anyio
import pytest

from stellantis_hal.fleet.buffer import Buffer

pytestmark = pytest.mark.anyio


async def test_items_are_returned_in_order() -> None:
    buffer = Buffer[int](3)
    for number in range(3):
        await buffer.put(number)
    assert [await buffer.get() for _ in range(3)] == [0, 1, 2]


async def test_put_waits_while_the_buffer_is_full() -> None:
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


async def test_a_cancelled_get_removes_nothing() -> None:
    buffer = Buffer[int](2)
    with anyio.move_on_after(1):
        await buffer.get()
    await buffer.put(1)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await buffer.get()
    assert await buffer.get() == 1


async def test_a_get_cancelled_during_a_put_loses_no_item() -> None:
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


async def test_a_closed_buffer_returns_its_items_then_ends() -> None:
    buffer = Buffer[int](2)
    await buffer.put(1)
    buffer.close()
    assert await buffer.get() == 1
    with pytest.raises(StopAsyncIteration):
        await buffer.get()


async def test_closing_ends_a_waiting_put() -> None:
    buffer = Buffer[int](1)
    await buffer.put(1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(buffer.put, 2)
        await anyio.sleep(1)
        buffer.close()
    assert [await buffer.get(), await buffer.get()] == [1, 2]


async def test_the_first_error_is_raised_after_the_items() -> None:
    buffer = Buffer[int](2)
    await buffer.put(1)
    buffer.fail(KeyError("first"))
    buffer.fail(KeyError("second"))
    assert await buffer.get() == 1
    with pytest.raises(KeyError, match="first"):
        await buffer.get()
    with pytest.raises(StopAsyncIteration):
        await buffer.get()


async def test_a_fast_producer_does_not_delay_an_error() -> None:
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


async def test_an_error_ends_a_waiting_get() -> None:
    buffer = Buffer[int](2)

    async def take() -> None:
        with pytest.raises(KeyError):
            await buffer.get()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(take)
        await anyio.sleep(1)
        buffer.fail(KeyError("gone"))


async def test_a_fast_producer_starves_no_other_task() -> None:
    buffer, others = Buffer[int](10_000), list[int]()

    async def other() -> None:
        others.append(len(buffer))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other)
        for number in range(1_000):
            await buffer.put(number)
    assert others[0] < 1_000


def test_a_buffer_holds_at_least_one_item() -> None:
    with pytest.raises(ValueError, match="at least one item, such as 256, not 0"):
        Buffer[int](0)
    endless: Any = float("nan")
    with pytest.raises(TypeError, match="the size of the buffer must be int"):
        Buffer[int](endless)
