"""SQLite database that is held in one thread and safe against cancellation."""

import asyncio
import gc
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from stellantis_hal.storage.errors import StorageError
from stellantis_hal.storage.sqlite import SQLiteDatabase
from tests.support.profiles import deep

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]
asyncio_only = pytest.mark.parametrize("anyio_backend", ["asyncio"])

SCHEMA = ("CREATE TABLE IF NOT EXISTS numbers (number INTEGER NOT NULL)",)


def database_of(path: Path | str, busy_timeout: float = 5.0) -> SQLiteDatabase:
    return SQLiteDatabase(path, schema=SCHEMA, busy_timeout=busy_timeout)


def insert(number: int, connection: sqlite3.Connection) -> int:
    connection.execute("INSERT INTO numbers VALUES (?)", (number,))
    return number


def replace(number: int, connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM numbers")
    insert(number, connection)


def numbers(connection: sqlite3.Connection) -> list[int]:
    return [number for (number,) in connection.execute("SELECT number FROM numbers ORDER BY rowid")]


def thread_of(_: sqlite3.Connection) -> int:
    return threading.get_ident()


def numbers_in(path: Path) -> list[int]:
    """Return what a connection that is opened now reads."""
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return numbers(connection)
    finally:
        connection.close()


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold the write lock by a second connection."""
    other = sqlite3.connect(path, isolation_level=None, timeout=5.0)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()


@contextmanager
def locked_at_random(path: Path, rng: random.Random) -> Generator[None]:
    """Take and release the write lock in a thread, by a second connection."""
    over = threading.Event()

    def work() -> None:
        other = sqlite3.connect(path, isolation_level=None, timeout=5.0)
        while not over.wait(rng.uniform(0.0, 0.004)):
            other.execute("BEGIN IMMEDIATE")
            over.wait(rng.uniform(0.0, 0.008))
            other.execute("ROLLBACK")
        other.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def threads_of(path: Path | str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == f"sqlite {path}"]


class Gate:
    """A write that waits inside its transaction until it is released."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.release = threading.Event()

    def replace(self, number: int, connection: sqlite3.Connection) -> None:
        self.started.set()
        assert self.release.wait(5.0)
        replace(number, connection)

    async def cancel_write(self, database: SQLiteDatabase, number: int) -> None:
        """Start a write, and cancel it when its transaction has begun."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(database.write, partial(self.replace, number))
            await anyio.to_thread.run_sync(self.started.wait, 5.0)
            tasks.cancel_scope.cancel()


async def ended(path: Path) -> None:
    """Wait until the thread has ended."""
    for thread in threads_of(path):
        await anyio.to_thread.run_sync(thread.join, 5.0)
    assert threads_of(path) == []


@pytest.fixture
def path(tmp_path: Path) -> Generator[Path]:
    yield tmp_path / "numbers.db"
    assert threads_of(tmp_path / "numbers.db") == []


# ------------------------------------------------------------------------------------------- calls


async def test_a_written_row_is_read(path: Path) -> None:
    async with database_of(path) as database:
        assert await database.write(partial(insert, 1)) == 1
        assert await database.read(numbers) == [1]
        assert numbers_in(path) == [1]


async def test_every_call_runs_in_the_same_thread(path: Path) -> None:
    async with database_of(path) as database:
        threads = {await database.write(thread_of) for _ in range(3)}
        threads |= {await database.read(thread_of)}
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_calls_of_many_tasks_run_in_their_order(path: Path) -> None:
    async with database_of(path) as database:
        async with anyio.create_task_group() as tasks:
            with locked_after_opening(database, path):
                for number in range(20):
                    tasks.start_soon(database.write, partial(insert, number))
                    await anyio.sleep(0.001)
        assert await database.read(numbers) == list(range(20))


@contextmanager
def locked_after_opening(database: SQLiteDatabase, path: Path) -> Generator[None]:
    """Hold the lock of a file that exists already."""
    sqlite3.connect(path).execute(SCHEMA[0]).connection.close()
    with locked(path):
        yield


async def test_a_function_that_raises_is_rolled_back(path: Path) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        insert(2, connection)
        raise LookupError("no")

    async with database_of(path) as database:
        await database.write(partial(insert, 1))
        with pytest.raises(LookupError, match="no"):
            await database.write(fail)
        assert await database.read(numbers) == [1]


async def test_a_wrong_statement_names_the_file(path: Path) -> None:
    async with database_of(path) as database:
        with pytest.raises(StorageError, match=r"numbers\.db: no such table: letters") as caught:
            await database.read(lambda connection: connection.execute("SELECT * FROM letters"))
        assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
        assert caught.value.path == str(path)


def deny_transactions(action: int, *_: object) -> int:
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_TRANSACTION else sqlite3.SQLITE_OK


async def test_a_connection_that_cannot_roll_back_is_replaced(path: Path) -> None:
    def spoil(connection: sqlite3.Connection) -> None:
        connection.set_authorizer(deny_transactions)
        insert(2, connection)
        raise LookupError

    async with database_of(path) as database:
        await database.write(partial(insert, 1))
        with pytest.raises(LookupError):
            await database.write(spoil)
        assert await database.read(numbers) == [1]
        await database.write(partial(insert, 3))
    assert numbers_in(path) == [1, 3]


async def test_it_may_be_used_from_two_event_loops_at_once(path: Path) -> None:
    database = database_of(path)

    async def write(first: int) -> None:
        for number in range(first, first + 20):
            await database.write(partial(insert, number))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write, 0)
        await anyio.to_thread.run_sync(lambda: anyio.run(write, 100))
    assert sorted(await database.read(numbers)) == [*range(20), *range(100, 120)]
    await database.aclose()


# ------------------------------------------------------------------------------------------- opening and closing


async def test_no_thread_runs_before_the_first_call_and_after_the_last(path: Path) -> None:
    """The path fixture looks for the thread after every test."""
    database = database_of(path)
    assert threads_of(path) == []
    await database.aclose()
    for number in range(3):
        await database.write(partial(insert, number))
        assert len(threads_of(path)) == 1
        await database.aclose()
        assert threads_of(path) == []
    await database.aclose()
    assert numbers_in(path) == [0, 1, 2]


async def test_calls_made_before_closing_are_completed(path: Path) -> None:
    database = database_of(path)
    await database.write(partial(insert, 0))
    async with anyio.create_task_group() as tasks:
        with locked(path):
            for number in range(1, 20):
                tasks.start_soon(database.write, partial(insert, number))
            await anyio.sleep(0.02)
            tasks.start_soon(database.aclose)
            await anyio.sleep(0.02)
    assert sorted(numbers_in(path)) == list(range(20))
    assert threads_of(path) == []


async def test_a_call_made_while_closing_opens_the_file_again(path: Path) -> None:
    database = database_of(path)
    await database.write(partial(insert, 1))
    async with anyio.create_task_group() as tasks:
        with locked(path):
            tasks.start_soon(database.write, partial(insert, 2))
            await anyio.sleep(0.02)
            tasks.start_soon(database.aclose)
            await anyio.sleep(0.02)
            tasks.start_soon(database.write, partial(insert, 3))
            await anyio.sleep(0.02)
    assert await database.read(numbers) == [1, 2, 3]
    await database.aclose()


async def test_closing_is_bounded_while_another_holds_the_lock(path: Path) -> None:
    database = database_of(path, busy_timeout=0.2)
    await database.write(partial(insert, 0))
    errors: list[str] = []

    async def write(number: int) -> None:
        with pytest.raises(StorageError) as caught:
            await database.write(partial(insert, number))
        errors.append(str(caught.value))

    with locked(path):
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(write, number)
            await anyio.sleep(0.01)
            began = time.monotonic()
            await database.aclose()
            assert time.monotonic() - began < 2.0  # 4 s for twenty calls of 0.2 s each
    assert numbers_in(path) == [0]
    assert any("was closed before this call started, which had waited for " in error for error in errors)
    await database.write(partial(insert, 1))  # closing did not spoil it for later calls
    await database.aclose()


async def test_a_cancelled_close_closes_all_the_same(path: Path) -> None:
    database = database_of(path)
    await database.write(partial(insert, 1))
    with anyio.move_on_after(0):
        await database.aclose()
    await ended(path)


@pytest.mark.unmeasured
async def test_a_database_that_was_dropped_ends_its_thread(path: Path) -> None:
    database = database_of(path)
    await database.write(partial(insert, 1))
    assert len(threads_of(path)) == 1
    del database
    gc.collect()
    await ended(path)


async def test_a_file_that_cannot_be_opened_leaves_no_thread(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "numbers.db"
    database = database_of(path)
    with pytest.raises(StorageError, match="unable to open database file"):
        await database.read(numbers)
    await ended(path)


async def test_many_processes_may_open_a_new_file_at_once(path: Path) -> None:
    """Switching to WAL takes locks for which SQLite itself does not wait."""
    databases = [database_of(path) for _ in range(8)]
    async with anyio.create_task_group() as tasks:
        for number, database in enumerate(databases):
            tasks.start_soon(database.write, partial(insert, number))
    for database in databases:
        await database.aclose()
    assert sorted(numbers_in(path)) == list(range(8))


async def test_a_new_file_locked_by_another_is_opened_in_time(path: Path) -> None:
    """A database that is not in WAL mode yet cannot be switched while another connection writes."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    database = database_of(path, busy_timeout=0.2)
    with pytest.raises(StorageError, match=r"kept its lock for the \d\.\d s that this call waited"):
        await database.write(partial(insert, 1))
    patient = database_of(path)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(patient.write, partial(insert, 2))
        await anyio.sleep(0.1)
        connection.execute("ROLLBACK")
    await patient.aclose()
    await database.aclose()
    connection.close()
    assert numbers_in(path) == [2]


async def test_durability_is_chosen_by_synchronous(tmp_path: Path) -> None:
    def synchronous(connection: sqlite3.Connection) -> int:
        (value,) = connection.execute("PRAGMA synchronous").fetchone()
        return int(value)

    async with SQLiteDatabase(tmp_path / "full.db") as full, SQLiteDatabase(":memory:", synchronous="NORMAL") as normal:
        assert (await full.read(synchronous), await normal.read(synchronous)) == (2, 1)


# ------------------------------------------------------------------------------------------- locks of others


async def test_a_lock_held_too_long_says_which_file_and_how_long(path: Path) -> None:
    async with database_of(path, busy_timeout=0.2) as database:
        await database.write(partial(insert, 1))
        with locked(path), pytest.raises(StorageError) as caught:
            await database.write(partial(insert, 2))
        assert 0.15 < caught.value.waited < 5
        for words in (str(path), "is locked", f"{caught.value.waited:.1f} s", "second process", "sqlite3 shell"):
            assert words in str(caught.value)
        await database.write(partial(insert, 3))
    assert numbers_in(path) == [1, 3]


async def test_a_call_waits_for_the_lock_of_another_process(path: Path) -> None:
    script = (
        "import sqlite3, sys; connection = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "connection.execute('BEGIN IMMEDIATE'); connection.execute('INSERT INTO numbers VALUES (7)');"
        "print('locked', flush=True); sys.stdin.readline(); connection.execute('COMMIT')"
    )
    async with database_of(path) as database:
        await database.write(partial(insert, 1))
        process = subprocess.Popen(  # noqa: ASYNC220 - the lock of another process has to be there before the call
            [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == "locked\n"
            assert await database.read(numbers) == [1]  # reading needs no lock
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(database.write, partial(insert, 2))
                await anyio.sleep(0.05)
                assert numbers_in(path) == [1]
                process.communicate("\n")
        assert await database.read(numbers) == [1, 7, 2]


# ------------------------------------------------------------------------------------------- cancellation


async def test_a_call_in_a_cancelled_scope_never_starts(path: Path) -> None:
    async with database_of(path) as database:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await database.write(partial(insert, 1))
        assert await database.read(numbers) == []


async def test_a_cancelled_call_that_has_not_started_never_does(path: Path) -> None:
    async with database_of(path) as database:
        await database.write(partial(insert, 1))
        async with anyio.create_task_group() as tasks:
            with locked(path):
                tasks.start_soon(database.write, partial(insert, 2))
                await anyio.sleep(0.02)
                with anyio.move_on_after(0.02):
                    await database.write(partial(insert, 3))
        assert await database.read(numbers) == [1, 2]


async def test_a_cancelled_call_that_has_started_is_completed(path: Path) -> None:
    """The cancelled call returns at once, and a later call runs after the transaction."""
    gate = Gate()
    async with database_of(path) as database:
        await database.write(partial(replace, 1))
        await gate.cancel_write(database, 2)
        assert numbers_in(path) == [1]
        gate.release.set()
        assert await database.read(numbers) == [2]


@pytest.mark.parametrize("seed", [0, 1, deep(2), deep(3)])
async def test_a_returned_write_is_never_undone(path: Path, seed: int) -> None:
    """Cancel scopes at random moments, while a second connection takes the lock at random moments."""
    rng = random.Random(seed)
    async with database_of(path) as database:
        await database.write(partial(replace, -1))
        with locked_at_random(path, rng):
            for number in range(60):
                with anyio.move_on_after(rng.uniform(0.0, 0.006)) as scope:
                    await database.write(partial(replace, number))
                if not scope.cancelled_caught:
                    assert numbers_in(path) == [number]
                if rng.random() < 0.1:
                    with anyio.move_on_after(rng.uniform(0.0, 0.003)):
                        await database.aclose()
            await database.write(partial(replace, 1_000))
            assert numbers_in(path) == [1_000]
    assert numbers_in(path) == [1_000]


@pytest.mark.unmeasured
@asyncio_only
@pytest.mark.parametrize("seed", [0, 1, deep(2), deep(3)])
async def test_native_cancellation_undoes_no_returned_write(path: Path, seed: int) -> None:
    """`task.cancel()` and `asyncio.timeout`, which no cancel scope can shield from."""
    rng = random.Random(seed)
    async with database_of(path) as database:
        await database.write(partial(replace, -1))
        with locked_at_random(path, rng):
            for number in range(60):
                returned = False
                if number % 2:
                    task = asyncio.create_task(database.write(partial(replace, number)))
                    await asyncio.sleep(rng.uniform(0.0, 0.006))
                    task.cancel()
                    await asyncio.wait([task])
                    returned = not task.cancelled()
                else:
                    try:
                        async with asyncio.timeout(rng.uniform(0.0, 0.006)):
                            await database.write(partial(replace, number))
                        returned = True
                    except TimeoutError:
                        pass
                if returned:
                    assert numbers_in(path) == [number]
                if rng.random() < 0.1:
                    closing = asyncio.create_task(database.aclose())
                    await asyncio.sleep(rng.uniform(0.0, 0.003))
                    closing.cancel()
                    await asyncio.gather(closing, return_exceptions=True)
            await database.write(partial(replace, 1_000))
            assert numbers_in(path) == [1_000]


async def test_an_event_loop_that_ended_does_not_block_later_calls(path: Path) -> None:
    """The result of a call whose event loop was closed meanwhile is dropped."""
    database = database_of(path)
    await database.write(partial(replace, 1))

    gate = Gate()
    await anyio.to_thread.run_sync(lambda: anyio.run(gate.cancel_write, database, 2))
    gate.release.set()
    assert await database.read(numbers) == [2]
    await database.aclose()


@pytest.mark.unmeasured
@pytest.mark.parametrize("steps", range(6))
@pytest.mark.parametrize("closing", [False, True])
async def test_a_cancellation_at_each_step_is_whole_or_nothing(path: Path, steps: int, closing: bool) -> None:
    """Save, load and close, each cancelled after a number of turns of the event loop; the save after them counts."""
    async with database_of(path) as database:
        await database.write(partial(replace, 1))
        calls: list[Callable[[], Coroutine[Any, Any, object]]] = [
            partial(database.write, partial(replace, 2)),
            partial(database.read, numbers),
        ]
        for call in [*calls, database.aclose] if closing else calls:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(call)
                for _ in range(steps):
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
        assert await database.read(numbers) in ([1], [2])
        await database.write(partial(replace, 3))
        assert numbers_in(path) == [3]
    assert numbers_in(path) == [3]


@asyncio_only
@pytest.mark.parametrize("steps", range(6))
async def test_a_native_cancellation_at_each_step_likewise(path: Path, steps: int) -> None:
    async with database_of(path) as database:
        await database.write(partial(replace, 1))
        with locked(path):
            calls = [database.write(partial(replace, 2)), database.read(numbers), database.aclose()]
            running = [asyncio.ensure_future(call) for call in calls]
            for _ in range(steps):
                await asyncio.sleep(0)
            for task in running:
                task.cancel()
            last = asyncio.ensure_future(database.write(partial(replace, 3)))
            await asyncio.wait(running)
        await last
        assert numbers_in(path) == [3]
    assert numbers_in(path) == [3]


@pytest.mark.parametrize("seed", [0, deep(1), deep(2)])
async def test_two_databases_on_one_file_undo_nothing(path: Path, seed: int) -> None:
    """What a call has returned stays, while calls of the other database on the same file are cancelled."""
    rng = random.Random(seed)
    kept: list[int] = []

    async def write(database: SQLiteDatabase, first: int) -> None:
        for number in range(first, first + 25):
            with anyio.move_on_after(rng.choice([0.001, 5.0])):
                kept.append(await database.write(partial(insert, number)))
            if rng.random() < 0.1:
                await database.aclose()

    async with database_of(path) as one, database_of(path) as other, anyio.create_task_group() as tasks:
        tasks.start_soon(write, one, 0)
        tasks.start_soon(write, other, 100)
    stored = numbers_in(path)
    assert set(kept) <= set(stored)
    assert len(set(stored)) == len(stored)


# ------------------------------------------------------------------------------------------- the file itself


def remove(path: Path) -> None:
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        (path.parent / name).unlink()


def restore(path: Path) -> None:
    """Put another database in the place of the file, as a restored backup."""
    connection = sqlite3.connect(path.with_suffix(".backup"))
    connection.execute(SCHEMA[0])
    insert(7, connection)
    connection.commit()
    connection.close()
    path.with_suffix(".backup").replace(path)


def remove_log(path: Path) -> None:
    (path.parent / f"{path.name}-wal").unlink()


def fail(_: sqlite3.Connection) -> None:
    raise LookupError("not the content that it should be")


def fail_to_read(_: sqlite3.Connection) -> None:
    raise sqlite3.DatabaseError("database disk image is malformed")


@pytest.mark.parametrize(("failing", "error"), [(fail, LookupError), (fail_to_read, StorageError)])
async def test_a_damaged_file_is_left_when_it_is_restored(
    path: Path, failing: Callable[[sqlite3.Connection], None], error: type[Exception]
) -> None:
    async with database_of(path) as database:
        await database.write(partial(insert, 1))
        with pytest.raises(error, match=r"content|malformed: restore the file from a backup"):
            await database.read(failing)
        restore(path)
        with pytest.raises(StorageError, match="was removed or replaced by another program"):
            await database.read(failing)
        assert await database.read(numbers) == [7]


@pytest.mark.parametrize(("damage", "left"), [(remove, []), (restore, [7]), (remove_log, [1, 2])])
async def test_a_removed_or_replaced_file_is_told(path: Path, damage: Callable[[Path], None], left: list[int]) -> None:
    """SQLite goes on with the removed file, so that nothing written there would ever be read again."""
    async with database_of(path) as database:
        await database.write(partial(insert, 1))
        damage(path)
        with pytest.raises(StorageError, match="was removed or replaced by another program") as caught:
            await database.write(partial(insert, 2))
        assert caught.value.path == str(path)
        assert await database.read(numbers) == left
        await database.write(partial(insert, 3))
        assert numbers_in(path) == [*left, 3]


async def test_the_working_directory_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is the same one, and is not taken for a removed one."""
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    database = database_of("numbers.db")
    for number in (1, 2):
        await database.write(partial(insert, number))
        monkeypatch.chdir(tmp_path / "other")
    await database.aclose()
    assert await database.read(numbers) == [1, 2]
    await database.aclose()
    assert list((tmp_path / "other").iterdir()) == []


async def test_a_full_disk_keeps_what_was_written(path: Path) -> None:
    def fill(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO numbers SELECT zeroblob(1000000)")

    async with database_of(path) as database:
        await database.write(partial(insert, 1))
        await database.read(lambda connection: connection.execute("PRAGMA max_page_count = 4"))
        with pytest.raises(StorageError, match="full"):
            await database.write(fill)
        await database.write(partial(insert, 2))
        assert numbers_in(path) == [1, 2]


FORKED = """
import os, sqlite3, sys, anyio
from stellantis_hal.storage.sqlite import SQLiteDatabase
from stellantis_hal.storage.errors import StorageError
from tests.support.profiles import deep

def count(connection):
    return connection.execute("SELECT count(*) FROM numbers").fetchone()[0]

async def use(database):
    try:
        await database.read(count)
    except StorageError as error:
        print(error, flush=True)
    await database.aclose()

database = SQLiteDatabase(sys.argv[1], schema=["CREATE TABLE IF NOT EXISTS numbers (number INTEGER)"])
anyio.run(database.read, count)
child = os.fork()
if child:
    print(os.waitpid(child, 0)[1], anyio.run(database.read, count), flush=True)
else:
    anyio.run(use, database)
"""


async def test_a_fork_is_told_to_make_its_own(path: Path) -> None:
    """Its thread is not there, so that a call would wait without end."""
    ran = await anyio.run_process([sys.executable, "-W", "error", "-c", FORKED, str(path)])
    told, parent = ran.stdout.decode().splitlines()
    assert "of which this one is a fork" in told
    assert parent == "0 0"


async def test_another_process_id_refuses_calls(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a fork, whose coverage is not measured."""
    async with database_of(path) as database:
        await database.write(partial(insert, 1))
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: -1)
            with pytest.raises(StorageError, match="of which this one is a fork"):
                await database.read(numbers)
            await database.aclose()
        assert await database.read(numbers) == [1]


# ------------------------------------------------------------------------------------------- shared transactions


def waiting(gate: threading.Event, started: threading.Event | None = None) -> Callable[[sqlite3.Connection], bool]:
    """Return a function for the database's thread that waits for the gate, and says that it has started."""

    def wait(_: sqlite3.Connection) -> bool:
        if started is not None:
            started.set()
        return gate.wait(5.0)

    return wait


async def write_all_at_once(database: SQLiteDatabase, path: Path, functions: list[Callable[..., Any]]) -> list[Any]:
    """Make grouped calls that wait for the lock together, so that they share a transaction; return the outcomes."""
    outcomes: list[Any] = [None] * len(functions)

    async def write(index: int, function: Callable[..., Any]) -> None:
        try:
            outcomes[index] = await database.write_grouped(function)
        except (LookupError, StorageError) as error:
            outcomes[index] = error

    await database.write(numbers)  # the file is open
    gate = threading.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(database.read, waiting(gate))
        await anyio.wait_all_tasks_blocked()
        for index, function in enumerate(functions):
            tasks.start_soon(write, index, function)
        await anyio.wait_all_tasks_blocked()
        gate.set()
    return outcomes


async def test_grouped_writes_share_a_transaction(path: Path) -> None:
    begun: list[str] = []

    async with database_of(path) as database:
        await database.write(lambda connection: connection.set_trace_callback(begun.append))
        outcomes = await write_all_at_once(database, path, [partial(insert, number) for number in range(300)])
        assert outcomes == list(range(300))
        assert sum(statement.startswith("BEGIN IMMEDIATE") for statement in begun) == 3  # at most 256 in one
        assert sorted(numbers_in(path)) == list(range(300))


async def test_one_grouped_write_is_a_transaction(path: Path) -> None:
    async with database_of(path) as database:
        assert await database.write_grouped(partial(insert, 1)) == 1
        assert numbers_in(path) == [1]


async def test_a_grouped_write_that_raises_harms_no_other(path: Path) -> None:
    def fail(_: sqlite3.Connection) -> None:
        raise LookupError("no")

    def write_surrogate(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO numbers VALUES (?)", ("\ud800",))

    async with database_of(path) as database:
        for wrong, kind in ((fail, LookupError), (write_surrogate, StorageError)):
            first, failed, last = await write_all_at_once(
                database, path, [partial(insert, 1), wrong, partial(insert, 2)]
            )
            assert (first, last) == (1, 2)
            assert isinstance(failed, kind)
        assert sorted(numbers_in(path)) == [1, 1, 2, 2]


async def test_a_failure_of_the_file_fails_every_grouped_write(path: Path) -> None:
    def misspell(connection: sqlite3.Connection) -> None:
        connection.execute("SELECT * FROM letters")

    async with database_of(path) as database:
        outcomes = await write_all_at_once(database, path, [partial(insert, 1), misspell])
        assert all(isinstance(outcome, StorageError) for outcome in outcomes)
        assert outcomes[0] is not outcomes[1]
        assert numbers_in(path) == []


async def test_a_cancelled_grouped_write_is_left_out(path: Path) -> None:
    async with database_of(path) as database:
        await database.write(numbers)
        gate = threading.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(database.read, waiting(gate))
            await anyio.wait_all_tasks_blocked()
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as inner:
                    inner.start_soon(database.write_grouped, partial(insert, 1))
                    await anyio.wait_all_tasks_blocked()
                    scope.cancel()
            tasks.start_soon(database.write_grouped, partial(insert, 2))
            await anyio.wait_all_tasks_blocked()
            gate.set()
        assert numbers_in(path) == [2]


async def test_grouped_writes_of_a_closed_database_are_refused(path: Path) -> None:
    database = database_of(path, busy_timeout=0.0)
    await database.write(numbers)
    gate, started = threading.Event(), threading.Event()
    outcomes: list[StorageError] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(database.read, waiting(gate, started))
        assert await anyio.to_thread.run_sync(started.wait, 5.0)

        async def write() -> None:
            try:
                await database.write_grouped(partial(insert, 1))
            except StorageError as error:
                outcomes.append(error)

        for _ in range(2):
            tasks.start_soon(write)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(database.aclose)
        await anyio.wait_all_tasks_blocked()
        gate.set()
    assert len(outcomes) == 2


async def test_a_write_for_later_is_not_waited_for(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with database_of(path) as database:
        database.write_later(partial(insert, 1))
        assert await database.read(numbers) == [1]
        database.write_later(lambda connection: connection.execute("SELECT * FROM letters"))
        assert await database.read(numbers) == [1]
    assert "a change was not written" in caplog.text


def test_empty_path_is_refused() -> None:
    """SQLite keeps such a database in a file that it removes: what is stored is lost."""
    with pytest.raises(ValueError, match=r"^the path of a database must not be empty"):
        database_of("")
