"""Checkpoint stores."""

import asyncio
import os
import random
import sqlite3
import sys
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


def modes(folder: Path) -> dict[str, int]:
    """Return the modes of the files of a folder."""
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


async def test_a_key_that_was_never_saved_loads_none(store: CheckpointStore) -> None:
    assert await store.load("a") is None
    await close(store)


async def test_the_last_save_of_a_key_is_loaded(store: CheckpointStore) -> None:
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


async def test_a_save_is_visible_before_closing(tmp_path: Path) -> None:
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


async def test_many_tasks_may_use_a_store_at_once(tmp_path: Path) -> None:
    async with SQLiteCheckpoints(tmp_path / "fleet.db") as store:
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(store.save, f"key-{number}", str(number).encode())
        assert [await store.load(f"key-{number}") for number in range(20)] == [
            str(number).encode() for number in range(20)
        ]


async def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    store = SQLiteCheckpoints(tmp_path / "nowhere" / "fleet.db")
    with pytest.raises(CheckpointError, match="cannot be read"):
        await store.load("a")
    with pytest.raises(CheckpointError, match="cannot be written"):
        await store.save("a", b"")


async def test_a_file_that_is_no_database_is_left_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "fleet.db"
    path.write_bytes(b"this is a letter, not a database" * 100)
    with pytest.raises(CheckpointError, match="cannot be read"):
        await SQLiteCheckpoints(path).load("a")
    assert path.read_bytes().startswith(b"this is a letter")


async def test_a_cancelled_save_is_complete_or_not_done(tmp_path: Path) -> None:
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


async def test_only_a_new_file_gets_mode_600(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with SQLiteCheckpoints(tmp_path / "fleet.db") as store:
            await store.save("a", b"1")
            assert set(modes(tmp_path).values()) == {0o600}
        (tmp_path / "fleet.db").chmod(0o640)
        async with SQLiteCheckpoints(tmp_path / "fleet.db") as store:
            assert await store.load("a") == b"1"
        assert (tmp_path / "fleet.db").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)


async def test_checkpoints_in_an_sqlite_database_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with SQLiteCheckpoints(":memory:") as store:
        await store.save("a", b"1")
        assert await store.load("a") == b"1"
    assert not modes(tmp_path)


async def test_a_key_with_a_surrogate_is_refused(tmp_path: Path) -> None:
    async with SQLiteCheckpoints(tmp_path / "fleet.db") as store:
        with pytest.raises(CheckpointError, match="cannot be written"):
            await store.save("\ud800", b"1")
        with pytest.raises(CheckpointError, match="cannot be read"):
            await store.load("\ud800")


@pytest.mark.parametrize("key", ["../../etc/passwd", "'; DROP TABLE checkpoints; --", "a\0b", "\n", "x" * 100_000])
async def test_a_key_is_no_path_and_no_statement(tmp_path: Path, key: str) -> None:
    async with SQLiteCheckpoints(tmp_path / "fleet.db") as store:
        await store.save("other", b"1")
        await store.save(key, b"2")
        assert (await store.load(key), await store.load("other")) == (b"2", b"1")
    assert list(modes(tmp_path)) == ["fleet.db"]


@pytest.mark.unmeasured
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("seed", range(3))
async def test_native_cancellation_leaves_the_last_save(tmp_path: Path, seed: int) -> None:
    """A new process reads the save that returned last, after others were cancelled while the file was locked."""
    rng = random.Random(seed)
    path = tmp_path / "fleet.db"
    script = (
        "import sqlite3, sys; connection = sqlite3.connect(sys.argv[1]);"
        "print(connection.execute('SELECT content FROM checkpoints').fetchone()[0].decode())"
    )
    async with SQLiteCheckpoints(path) as store:
        await store.save("a", b"first")
        other = sqlite3.connect(path, isolation_level=None)
        for number in range(10):
            other.execute("BEGIN IMMEDIATE")
            for cancelled in range(4):
                task = asyncio.create_task(store.save("a", f"cancelled {cancelled}".encode()))
                await asyncio.sleep(rng.uniform(0.0, 0.004))
                task.cancel()
            last = asyncio.create_task(store.save("a", f"last {number}".encode()))
            await asyncio.sleep(rng.uniform(0.0, 0.004))
            other.execute("ROLLBACK")
            await last
            assert other.execute("SELECT content FROM checkpoints").fetchone() == (f"last {number}".encode(),)
        other.close()
        process = await anyio.run_process([sys.executable, "-c", script, str(path)])
        assert process.stdout == b"last 9\n"
        assert await store.load("a") == b"last 9"
