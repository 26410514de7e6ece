"""Where checkpoints are kept."""

import sqlite3
from pathlib import Path

import anyio
import pytest

from stellantis_hal.fleet import CheckpointError, CheckpointStore, MemoryCheckpoints, SQLiteCheckpoints

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> CheckpointStore:
    return MemoryCheckpoints() if request.param == "memory" else SQLiteCheckpoints(tmp_path / "fleet.db")


async def close(store: CheckpointStore) -> None:
    if isinstance(store, SQLiteCheckpoints):
        await store.aclose()


async def test_what_was_never_saved_is_not_there(store: CheckpointStore) -> None:
    assert await store.load("a") is None
    await close(store)


async def test_what_was_saved_last_is_there(store: CheckpointStore) -> None:
    await store.save("a", b"1")
    await store.save("b", b"2")
    await store.save("a", b"3")
    assert (await store.load("a"), await store.load("b")) == (b"3", b"2")
    await close(store)


async def test_checkpoints_survive_the_process(tmp_path: Path) -> None:
    async with SQLiteCheckpoints(tmp_path / "fleet.db") as store:
        await store.save("a", b"1")
    async with SQLiteCheckpoints(str(tmp_path / "fleet.db")) as store:
        assert await store.load("a") == b"1"


async def test_what_is_saved_is_there_without_closing(tmp_path: Path) -> None:
    async with SQLiteCheckpoints(tmp_path / "fleet.db") as store, SQLiteCheckpoints(tmp_path / "fleet.db") as other:
        await store.save("a", b"1")
        assert await other.load("a") == b"1"


async def test_a_closed_store_opens_again(tmp_path: Path) -> None:
    store = SQLiteCheckpoints(tmp_path / "fleet.db")
    await store.save("a", b"1")
    await store.aclose()
    await store.aclose()
    assert await store.load("a") == b"1"
    await store.aclose()


async def test_many_tasks_may_use_it_at_once(tmp_path: Path) -> None:
    async with SQLiteCheckpoints(tmp_path / "fleet.db") as store:
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(store.save, f"key-{number}", str(number).encode())
        assert [await store.load(f"key-{number}") for number in range(20)] == [
            str(number).encode() for number in range(20)
        ]


async def test_a_folder_that_is_not_there_is_reported(tmp_path: Path) -> None:
    store = SQLiteCheckpoints(tmp_path / "nowhere" / "fleet.db")
    with pytest.raises(CheckpointError, match="cannot be read"):
        await store.load("a")
    with pytest.raises(CheckpointError, match="cannot be written"):
        await store.save("a", b"")


async def test_a_file_that_is_something_else_is_reported_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "fleet.db"
    path.write_bytes(b"this is a letter, not a database" * 100)
    with pytest.raises(CheckpointError, match="cannot be read"):
        await SQLiteCheckpoints(path).load("a")
    assert path.read_bytes().startswith(b"this is a letter")


async def test_a_cancelled_save_is_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "fleet.db"
    async with SQLiteCheckpoints(path) as store:
        await store.save("a", b"old")
        with anyio.CancelScope() as scope:
            scope.cancel()
            await store.save("a", b"new")
        assert await store.load("a") in {b"old", b"new"}
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
