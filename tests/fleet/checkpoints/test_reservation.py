"""Names of streams that are in use."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from stellantis_hal import (
    Account,
    CheckpointError,
    CheckpointsInUseError,
    CheckpointStore,
    MemoryCheckpoints,
    SQLiteCheckpoints,
    backfill,
    watch,
)
from stellantis_hal.storage import file_lock

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]


@pytest.fixture(params=["memory", "sqlite", "sqlite in memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> CheckpointStore:
    if request.param == "memory":
        return MemoryCheckpoints()
    return SQLiteCheckpoints(tmp_path / "fleet.db" if request.param == "sqlite" else ":memory:")


async def test_a_name_is_reserved_once(store: CheckpointStore, tmp_path: Path) -> None:
    async with store.reserve("a"), store.reserve("b"):
        with pytest.raises(CheckpointsInUseError, match=r"named 'a' uses .* already.*pass another name="):
            async with store.reserve("a"):
                pass
        with pytest.raises(CheckpointsInUseError):
            async with store.reserve("b"):
                pass
    async with store.reserve("a"):
        pass
    assert os.listdir(tmp_path) == []


async def test_a_name_is_free_after_an_error(store: CheckpointStore) -> None:
    with pytest.raises(LookupError):
        async with store.reserve("a"):
            raise LookupError
    with anyio.CancelScope() as scope:
        async with store.reserve("a"):
            scope.cancel()
            await anyio.sleep_forever()
    with anyio.CancelScope() as scope:
        scope.cancel()
        async with store.reserve("a"):
            pass
    async with store.reserve("a"):
        pass


async def test_two_stores_of_one_file_know_each_other(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "fleet.db")
    async with SQLiteCheckpoints(tmp_path / "fleet.db").reserve("a"):
        with pytest.raises(CheckpointsInUseError, match=r"fleet\.db already"):
            async with SQLiteCheckpoints(tmp_path / "link").reserve("a"):
                pass
        async with SQLiteCheckpoints(tmp_path / "other.db").reserve("a"):
            pass


HOLDER = """
import sys, anyio
from stellantis_hal import SQLiteCheckpoints

async def main():
    async with SQLiteCheckpoints(sys.argv[1]).reserve("a"):
        print("reserved", flush=True)
        sys.stdin.readline()

anyio.run(main)
"""


@contextmanager
def other_process(path: Path) -> Generator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"reserved\n"
        yield process
        process.kill()


@pytest.mark.unmeasured
@pytest.mark.parametrize("number", [signal.SIGKILL])
async def test_a_reservation_ends_with_its_process(tmp_path: Path, number: int) -> None:
    store = SQLiteCheckpoints(tmp_path / "fleet.db")
    with other_process(tmp_path / "fleet.db") as process:
        with pytest.raises(CheckpointsInUseError):
            async with store.reserve("a"):
                pass
        process.send_signal(number)
        process.wait()
        async with store.reserve("a"):
            pass
    assert os.listdir(tmp_path) == []


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"cannot be locked: .*: No such file or directory: create its folder"):
        async with SQLiteCheckpoints(tmp_path / "missing" / "fleet.db").reserve("a"):
            pass


@pytest.mark.parametrize("error", [ModuleNotFoundError("fcntl"), OSError(errno.ENOLCK, "no locks")])
async def test_a_system_without_locks_reserves_nothing(
    tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> int:
        raise error

    monkeypatch.setattr(file_lock, "try_acquire", fail)
    store = SQLiteCheckpoints(tmp_path / "fleet.db")
    async with store.reserve("a"), store.reserve("a"):
        pass


async def test_a_lock_file_removed_meanwhile_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[int | None] = [None, 7]

    def try_acquire(path: Path) -> int | None:
        return answers.pop(0)

    def release(path: Path, descriptor: int) -> None:
        answers.append(descriptor)

    monkeypatch.setattr(file_lock, "try_acquire", try_acquire)
    monkeypatch.setattr(file_lock, "release", release)
    async with SQLiteCheckpoints(tmp_path / "fleet.db").reserve("a"):
        assert not answers
    assert answers == [7]


async def test_other_stores_have_no_reservations() -> None:
    class Store(CheckpointStore):
        async def load(self, key: str) -> bytes | None:
            return None

        async def save(self, key: str, content: bytes) -> None: ...

    async with Store().reserve("a"), Store().reserve("a"):
        pass


async def test_a_second_watch_of_one_name_is_refused(store: CheckpointStore) -> None:
    """Also beside a backfill: their keys are the same."""
    no_accounts: list[Account] = []
    async with watch(no_accounts, every=timedelta(minutes=1), checkpoints=store, name="a"):
        second = watch(no_accounts, every=timedelta(minutes=1), checkpoints=store, name="a")
        for stream in (second, backfill(no_accounts, checkpoints=store, name="a")):
            with pytest.raises(CheckpointsInUseError):
                await stream.__aenter__()
        async with backfill(no_accounts, checkpoints=store):
            pass
    async with second:  # as in a program that waits until the other one has ended
        pass


async def test_a_watch_that_cannot_start_reserves_nothing(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = watch([], every=timedelta(minutes=1), checkpoints=store)

    def fail(tasks: object) -> None:
        raise LookupError

    monkeypatch.setattr(stream, "_start", fail)
    with pytest.raises(LookupError):
        await stream.__aenter__()
    async with store.reserve("watch"):
        pass
