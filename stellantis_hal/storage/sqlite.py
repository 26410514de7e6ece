"""SQLite database that is held in one thread and safe against cancellation."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Literal, Self, TypeVar, cast

import anyio
import anyio.lowlevel

from stellantis_hal.storage.advice import with_advice
from stellantis_hal.storage.errors import StorageError

__all__ = ["SQLiteDatabase", "undecoded_text"]

T = TypeVar("T")

_MEMORY = ":memory:"
_BUSY_TIMEOUT = 10.0
_OPENING_PAUSE = 0.05
_MAX_GROUP = 256  # calls in one transaction
_logger = logging.getLogger(__name__)


@contextmanager
def undecoded_text(connection: sqlite3.Connection) -> Generator[None]:
    """Let queries return text that is not UTF-8, which another program wrote, as bytes; they would raise."""
    connection.text_factory = _decode
    try:
        yield
    finally:
        connection.text_factory = str


def _decode(content: bytes) -> str | bytes:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content


class SQLiteDatabase:
    """An SQLite file whose connection lives in a thread of its own.

    :meth:`read` and :meth:`write` hand a function to that thread, which runs one call after the other, in the order in
    which they were made, each as one transaction. A call that is cancelled, by a cancel scope, by ``task.cancel()`` or
    by ``asyncio.timeout``, never starts if it has not yet started; otherwise its transaction is completed, and the
    calls made afterwards run after it. So a call that returned is never undone by an earlier one.

    The file is opened by the first call, and again by the first call after :meth:`aclose`. A file that another program
    removes or replaces meanwhile is noticed by the next call, which raises :class:`StorageError`; the call after it
    opens what is there then. The database may be used from several event loops and threads at once, but not in a forked
    process, where calls raise :class:`StorageError`. A new file is readable by its owner only: 0600.

    Args:
        path: the file, in an existing folder; ``":memory:"`` for a database that is lost when it is closed.
        schema: statements that are executed whenever the file is opened, each of them idempotent
            (``CREATE TABLE IF NOT EXISTS …``).
        synchronous: ``"FULL"``: a written transaction survives a power failure. ``"NORMAL"``: it survives the end of
            the process; after a power failure the latest transactions may be missing.
        busy_timeout: seconds to wait for the lock that another connection holds, when the file is opened and in each
            transaction. :meth:`aclose` takes at most three times as long.

    Raises:
        ValueError: the path is empty.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        schema: Sequence[str] = (),
        synchronous: Literal["FULL", "NORMAL"] = "FULL",
        busy_timeout: float = _BUSY_TIMEOUT,
    ) -> None:
        path = os.fspath(path)
        if not path:
            raise ValueError("the path of a database must not be empty: it names no file")
        # The working directory may change later. `os.path.abspath` counts as a call that blocks an event loop.
        self.path: str = path if path == _MEMORY else str(Path(path).absolute())
        self._worker = _Worker(self.path, tuple(schema), synchronous, busy_timeout)
        # A database that is dropped without `aclose` ends its thread all the same.
        weakref.finalize(self, self._worker.submit_close, _Call(_close))

    async def read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Return what the function returns, called in the thread inside a read transaction.

        Raises:
            StorageError: the file cannot be opened or read, or stayed locked for ``busy_timeout`` seconds.
            Exception: what the function raises; errors of ``sqlite3`` become a :class:`StorageError`.
        """
        return await self._run(_Call(_in_transaction("BEGIN", function)))

    async def write(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Return what the function returns, called in the thread inside a write transaction.

        The transaction holds the write lock from its beginning. It is committed when the function returns, and rolled
        back when it raises.

        Raises:
            StorageError: the file cannot be opened or written, or stayed locked for ``busy_timeout`` seconds.
            Exception: what the function raises; errors of ``sqlite3`` become a :class:`StorageError`.
        """
        return await self._run(_Call(_in_transaction("BEGIN IMMEDIATE", function)))

    async def write_grouped(self, function: Callable[[sqlite3.Connection], T], *, durable: bool = True) -> T:
        """Return what the function returns, called in a write transaction that other such calls that wait share.

        Hundreds of calls are committed at once, so that each second has thousands of them. Those of one transaction
        are committed together, or each raises its error; a function that raises is run again without the others.

        Args:
            function: what to call with the connection.
            durable: False: the change need not survive a power failure, only the end of the process; where all calls of
                a transaction say so, its commit waits for no disk.

        Raises:
            StorageError: the file cannot be opened or written, or stayed locked for ``busy_timeout`` seconds.
            Exception: what the function raises; errors of ``sqlite3`` become a :class:`StorageError`.
        """
        call = _Call(_in_transaction("BEGIN IMMEDIATE", function, durable=durable), part=function)
        call.is_durable = durable
        return await self._run(call)

    def write_later(self, function: Callable[[sqlite3.Connection], object]) -> None:
        """Call the function as :meth:`write_grouped` does, without waiting for it; its failure is logged.

        Raises:
            StorageError: this process is a fork of the one that made the database.
        """
        self._worker.submit(_Call(_in_transaction("BEGIN IMMEDIATE", function), part=function))

    async def _run(self, call: _Call[T]) -> T:
        await anyio.lowlevel.checkpoint_if_cancelled()
        call.notify_here()
        self._worker.submit(call)
        try:
            return await call.result()
        except BaseException:
            call.withdraw()
            raise

    async def check(self) -> None:
        """Open the file and write to it, so that a wrong path or a missing right is noticed at the start.

        Raises:
            StorageError: the file cannot be opened or written, or stayed locked for ``busy_timeout`` seconds.
        """
        await self.write(_write_version)

    async def aclose(self) -> None:
        """Run the calls made so far, close the file and end the thread.

        Where the file is locked, calls that have not started within ``busy_timeout`` seconds raise
        :class:`StorageError`. The file is closed even if the waiting task is cancelled.
        """
        call = _Call(_close)
        call.notify_here()
        thread = self._worker.submit_close(call)
        if thread is not None:
            await call.result()
            if not self._worker.is_running(thread):
                thread.join()  # it has no work left: a matter of microseconds

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):  # bounded by three times the busy timeout
            await self.aclose()


def _write_version(connection: sqlite3.Connection) -> None:
    """Write the version that the file has already: beginning to write does not notice a file that is only read."""
    [version] = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {version}")


class _Call(Generic[T]):
    """A function to be run in the thread, and its outcome."""

    def __init__(
        self, function: Callable[[_Worker], T], *, part: Callable[[sqlite3.Connection], T] | None = None
    ) -> None:
        self.function: Callable[[_Worker], T | None] = function
        self.part: Callable[[sqlite3.Connection], T] | None = part  # of a transaction that several calls share
        self.is_durable = True
        self.submitted_at: float = time.monotonic()
        self._value: T | None = None
        self._error: BaseException | None = None
        self._done: anyio.Event | None = None
        self._schedule: Callable[[Callable[[], object]], object] | None = None

    def notify_here(self) -> None:
        """Let :meth:`result` wait in the running event loop."""
        token: Any = anyio.lowlevel.current_token()
        # asyncio's loop or trio's token; anyio before 4.11 returns it as it is. Neither method waits for the loop, so
        # that a loop that was stopped cannot block the thread, as `anyio.from_thread` could.
        native: Any = getattr(token, "native_token", token)
        self._schedule = getattr(native, "call_soon_threadsafe", None) or native.run_sync_soon
        self._done = anyio.Event()

    async def result(self) -> T:
        """Return or raise the outcome as soon as there is one."""
        assert self._done is not None  # noqa: S101 - set by notify_here
        await self._done.wait()
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # breaks the reference cycle of error, traceback and frame
        return cast("T", self._value)

    def withdraw(self) -> None:
        """Do nothing when the turn of this call comes; no effect if it has started."""
        self.function = _do_nothing
        self.part = None

    def run(self, worker: _Worker) -> None:
        """Run the function in the thread."""
        try:
            self._value = self.function(worker)
        except BaseException as error:  # noqa: BLE001 - raised where the call waits
            self._error = error

    def succeed(self, value: T) -> None:
        """Set the outcome of a call that ran in a transaction with others."""
        self._value = value

    def fail(self, error: Exception) -> None:
        """Set the outcome of a call that never starts, or whose transaction failed."""
        self._error = error

    def finish(self) -> None:
        """Wake the task that waits for the outcome."""
        if self._schedule is None and self._error is not None:
            _logger.error("a change was not written: %s", self._error)
        if self._schedule is not None and self._done is not None:
            with suppress(RuntimeError):  # its event loop has been closed in the meantime
                self._schedule(self._done.set)


class _Worker:
    """The thread of a database: runs calls in order, and ends when the file is closed and no call is left."""

    def __init__(self, path: str, schema: tuple[str, ...], synchronous: str, busy_timeout: float) -> None:
        self.path: str = path
        self._schema = schema
        self._synchronous = synchronous
        self._busy_timeout = busy_timeout
        self._calls: deque[_Call[Any]] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._process = os.getpid()
        self._connection: sqlite3.Connection | None = None  # used in the thread only
        self._is_durable = True  # likewise: whether commits wait for the disk as the option says
        self._files: tuple[object, ...] = ()  # likewise
        self.refuse_at: float = float("inf")  # calls that start later are refused, for the file is to be closed

    # ------------------------------------------------------------------------------------------- in any thread

    def submit(self, call: _Call[Any]) -> None:
        """Append a call; start the thread unless it runs.

        Raises:
            StorageError: this process is a fork of the one that made the database.
        """
        if os.getpid() != self._process:
            raise StorageError(
                f"{self.path} is used by process {self._process}, of which this one is a fork: its connection and its "
                f"thread cannot be used here, make a new object in this process",
                path=self.path,
            )
        with self._changed:
            if self._thread is None:
                # A daemon, so that a store left open does not keep the interpreter from ending: what a call has
                # returned is in the file by then, and SQLite rolls back a transaction that was cut off.
                thread = threading.Thread(target=self._serve, name=f"sqlite {self.path}", daemon=True)
                thread.start()
                self._thread = thread
            self._calls.append(call)
            self._changed.notify()

    def submit_close(self, call: _Call[None]) -> threading.Thread | None:
        """Append the call that closes the file; return the thread that will run it, None where the file is closed."""
        if os.getpid() != self._process:  # a fork has neither the thread nor a connection that it may close
            return None
        with self._changed:
            if self._thread is not None:
                self.refuse_at = min(self.refuse_at, time.monotonic() + self._busy_timeout)
                self.submit(call)
            return self._thread

    def is_running(self, thread: threading.Thread) -> bool:
        """Return whether the thread still has work."""
        with self._changed:
            return self._thread is thread

    # ------------------------------------------------------------------------------------------- in the thread

    def _serve(self) -> None:
        while self._serve_next():
            pass

    def _serve_next(self) -> bool:
        """Wait for a call and run it; return False when the file is closed and no call is left."""
        with self._changed:
            while not self._calls:
                self._changed.wait()
            calls = [self._calls.popleft()]
            while calls[-1].part is not None and self._calls and self._calls[0].part is not None:
                if len(calls) == _MAX_GROUP:
                    break
                calls.append(self._calls.popleft())
        if time.monotonic() >= self.refuse_at and calls[0].function is not _close:
            for call in calls:
                waited = time.monotonic() - call.submitted_at
                message = f"{self.path} was closed before this call started, which had waited for {waited:.1f} s"
                call.fail(StorageError(message, path=self.path, waited=waited))
        elif len(calls) == 1:
            calls[0].run(self)
        else:
            _run_together(calls, self)
        with self._changed:
            is_over = self._connection is None and not self._calls
            if is_over:
                self._thread = None
            for call in calls:
                call.finish()
        return not is_over

    def connection(self) -> sqlite3.Connection:
        """Return the connection, opened where necessary.

        Raises:
            sqlite3.Error: the file cannot be opened.
        """
        if self._connection is None:
            self._create_file()
            deadline = time.monotonic() + self._busy_timeout
            while self._connection is None:
                try:
                    self._connection = self._connect()
                except sqlite3.Error as error:
                    # SQLite's own timeout does not cover every lock that switching to WAL takes.
                    if not _is_locked(error) or time.monotonic() >= deadline:
                        raise
                    time.sleep(_OPENING_PAUSE)
            self._files = self._identify_files()
        return self._connection

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    def synchronize(self, connection: sqlite3.Connection, *, durable: bool) -> None:
        """Let the next commit wait for the disk, as the database's option says, or not.

        Raises:
            sqlite3.Error: the connection cannot be used.
        """
        if durable != self._is_durable:
            connection.execute(f"PRAGMA synchronous = {self._synchronous if durable else 'NORMAL'}")
            self._is_durable = durable

    def check_files(self) -> None:
        """Raise where the file is no longer the one that was opened; the next call opens it anew.

        SQLite itself goes on with a removed file, which nothing can open again.

        Raises:
            StorageError: the file, or its write-ahead log, was removed or replaced.
        """
        before, self._files = self._files, self._identify_files()
        if any(old is not None and old != new for old, new in zip(before, self._files, strict=True)):
            self.close()
            if before[1] == self._files[1]:
                # The log belongs to the file that is gone: SQLite would apply it to the one in its place.
                for suffix in ("-wal", "-shm"):
                    with suppress(OSError):
                        os.unlink(f"{self.path}{suffix}")
            raise StorageError(
                f"{self.path}, or the -wal file beside it, was removed or replaced by another program after it was "
                f"opened: what was written since then may be lost. Stop programs that use this file before restoring "
                f"or removing it",
                path=self.path,
            )

    def _identify_files(self) -> tuple[object, ...]:
        """Return device and inode of the file and of its write-ahead log; None for each that does not exist."""
        return tuple(_identify(path) for path in (self.path, f"{self.path}-wal"))

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=0.0, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            self._is_durable = True
            for statement in self._schema:
                connection.execute(statement)
            connection.execute(f"PRAGMA busy_timeout = {round(self._busy_timeout * 1000)}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _create_file(self) -> None:
        """Create the file before SQLite does, which would let others read it; never open one that exists.

        Closing a descriptor would release every lock that this process has on the file.
        """
        if self.path != _MEMORY:
            with suppress(OSError):  # it exists, or SQLite will report why it cannot be created
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()


def _identify(path: str) -> tuple[int, int] | None:
    """Return what tells a file from another one of the same name; None where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _do_nothing(_: _Worker) -> None:
    """Stand for a call that was withdrawn."""


def _close(worker: _Worker) -> None:
    worker.refuse_at = float("inf")
    worker.close()


def _in_transaction(
    begin: str, function: Callable[[sqlite3.Connection], T], *, durable: bool = True
) -> Callable[[_Worker], T]:
    """Return a function of the thread that runs the given one as a whole transaction."""

    def run(worker: _Worker) -> T:
        started = time.monotonic()
        try:
            connection = worker.connection()
            worker.synchronize(connection, durable=durable)
            try:
                connection.execute(begin)
                value = function(connection)
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(worker, connection)
                raise
            worker.check_files()
        except Exception as error:
            waited = time.monotonic() - started
            if worker.is_open:  # or a file in the place of a damaged one would never be opened
                worker.check_files()
            if not isinstance(error, sqlite3.Error | UnicodeError):
                raise
            raise StorageError(_describe(worker.path, error, waited), path=worker.path, waited=waited) from error
        return value

    return run


def _run_together(calls: Sequence[_Call[Any]], worker: _Worker) -> None:
    """Run the functions of calls in one transaction; each in one of its own where one of them raises."""

    def run_parts(connection: sqlite3.Connection) -> list[Any]:
        return [part(connection) if (part := call.part) is not None else None for call in calls]

    try:
        durable = any(call.is_durable for call in calls)
        values = _in_transaction("BEGIN IMMEDIATE", run_parts, durable=durable)(worker)
    except StorageError as error:
        if not isinstance(error.__cause__, UnicodeError):  # it is the file, not one of the functions
            for call in calls:
                call.fail(StorageError(str(error), path=error.path, waited=error.waited))
            return
    except Exception:  # noqa: BLE001, S110 - found and raised below, by the call that it belongs to
        pass
    else:
        for call, value in zip(calls, values, strict=True):
            call.succeed(value)
        return
    for call in calls:
        call.run(worker)


def _roll_back(worker: _Worker, connection: sqlite3.Connection) -> None:
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    except sqlite3.Error:
        worker.close()  # the next call opens the file anew


def _is_locked(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _describe(path: str, error: Exception, waited: float) -> str:
    if not _is_locked(error):
        reason, is_undecoded, _ = str(error).partition(" with text ")  # which may be personal
        advice = ": another program wrote it. Remove that row, or restore the file from a backup"
        return f"{path}: {reason}{advice}" if is_undecoded else f"{path}: {with_advice(reason)}"
    return (
        f"{path}: {error}: another connection kept its lock for the {waited:.1f} s that this call waited. Look for a "
        f"second process that uses this file, a backup, or an sqlite3 shell with an open transaction"
    )
