"""State stores: bytes by key, changed by compare and swap."""

from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest

from stellantis_hal import MemoryState, SQLiteState, StateStore

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[StateStore]:
    if request.param == "memory":
        yield MemoryState()
        return
    async with SQLiteState(tmp_path / "state.db") as state:
        yield state


async def test_a_value_is_replaced_where_it_is_as_expected(store: StateStore) -> None:
    assert await store.load("car") is None
    assert not await store.replace("car", b"other", b"1")
    assert await store.replace("car", None, b"1")
    assert not await store.replace("car", None, b"2")
    assert await store.replace("car", b"1", b"2")
    assert await store.load("car") == b"2"
    assert await store.replace("car", b"2", None)
    assert await store.load("car") is None
    assert await store.replace("car", None, None)


async def test_one_of_many_tasks_makes_each_change(store: StateStore) -> None:
    async def add() -> None:
        for _ in range(5):
            while True:
                content = await store.load("count")
                await anyio.lowlevel.checkpoint()
                if await store.replace("count", content, str(int(content or b"0") + 1).encode()):
                    break

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(add)
    assert await store.load("count") == b"25"


async def test_a_file_outlives_its_store_and_is_shared(tmp_path: Path) -> None:
    async with SQLiteState(tmp_path / "state.db") as first, SQLiteState(tmp_path / "state.db") as second:
        assert await first.replace("car", None, b"1")
        assert not await second.replace("car", None, b"2")
        assert await second.load("car") == b"1"
    third = SQLiteState(tmp_path / "state.db")
    assert await third.load("car") == b"1"
    await third.aclose()
    assert (tmp_path / "state.db").stat().st_mode & 0o777 == 0o600
    assert "state.db" in repr(third)


def test_a_store_in_memory_shows_no_values() -> None:
    assert repr(MemoryState()) == "<MemoryState 0 keys>"
