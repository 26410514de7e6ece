"""PostgreSQL connection that is held in threads and safe against cancellation, on both event loops."""

from __future__ import annotations

import os
import re
import select
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import parse_qsl

import anyio
import anyio.lowlevel
import anyio.to_thread

from stellantis_hal.errors import ConfigurationError
from stellantis_hal.storage.advice import with_advice
from stellantis_hal.storage.errors import StorageError
from stellantis_hal.validation import require_type

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["SCHEMA_VERSION", "PostgresConnection", "create_schema"]

T = TypeVar("T")

SCHEMA_VERSION = 1
_TIMEOUT = 10.0
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
_MISSING = "needs the extra `postgres`: pip install 'stellantis-hal[postgres]'"
_OPTIONS: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "application_name": "stellantis_hal",
}

_FORCED: dict[str, Any] = {"client_encoding": "utf8"}
"""Text is str in each database: from one of SQL_ASCII, psycopg returns bytes, which no key equals."""
_SHOWN = {"host", "hostaddr", "port", "dbname"}
_HOST = r"(?:\[[^\]/@]*\]|[^:/?#@\[\],]*)(?::\d*)?"
_URL = re.compile(rf"(?:[^@/]*@)?(?P<address>{_HOST}(?:,{_HOST})*(?:/[^?#@]*)?)(?:\?(?P<query>.*))?", re.DOTALL)
_OPTION = re.compile(r"(?P<name>\w+)\s*=\s*(?P<value>'(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)", re.DOTALL)

_SCHEMA = """
CREATE SCHEMA IF NOT EXISTS stellantis_hal;
CREATE TABLE IF NOT EXISTS stellantis_hal.version (version integer PRIMARY KEY);
CREATE TABLE IF NOT EXISTS stellantis_hal.checkpoints (key text PRIMARY KEY, content bytea NOT NULL);
CREATE TABLE IF NOT EXISTS stellantis_hal.fences (scope text PRIMARY KEY, epoch bigint NOT NULL);
CREATE TABLE IF NOT EXISTS stellantis_hal.lease_members (
    lease text NOT NULL, member text NOT NULL, shards integer NOT NULL, lock_id integer NOT NULL,
    seen timestamptz NOT NULL, PRIMARY KEY (lease, member)
);
CREATE TABLE IF NOT EXISTS stellantis_hal.lease_shards (
    lease text NOT NULL, shard integer NOT NULL, member text NOT NULL, epoch bigint NOT NULL,
    PRIMARY KEY (lease, shard)
);
CREATE TABLE IF NOT EXISTS stellantis_hal.tokens (key text PRIMARY KEY, content bytea NOT NULL);
CREATE TABLE IF NOT EXISTS stellantis_hal.token_locks (
    key text PRIMARY KEY, owner text NOT NULL, until timestamptz NOT NULL
);
INSERT INTO stellantis_hal.version VALUES (1) ON CONFLICT DO NOTHING;
"""


class PostgresConnection:
    """One connection to PostgreSQL, made when it is first used and made anew where it was cut.

    :meth:`run` hands a function to a thread, which runs it as one transaction. A call that is cancelled, by a cancel
    scope, by ``task.cancel()`` or by ``asyncio.timeout``, is completed first, or was not begun. A connection that is
    cut is made again and the function is called again, until the time is over: so it must be right to call it twice. A
    server that does not respond is cut off when the time is over.

    Args:
        dsn: a URL (``postgresql://user@host/database``) or ``key=value`` pairs, as libpq reads them; its settings of
            keepalives take precedence.
        timeout: seconds that a call may take, connecting again included.
    """

    def __init__(self, dsn: str, *, timeout: float = _TIMEOUT) -> None:
        if not isinstance(dsn, str):
            raise TypeError(f"dsn must be text such as postgresql://host/database, not {type(dsn).__name__}")
        require_type("timeout", timeout, int, float)
        if not timeout > 0:
            raise ValueError(f"timeout must be positive, for example {_TIMEOUT:g}, not {timeout}")
        self._dsn = dsn
        self._timeout = timeout
        self._guard = threading.Lock()
        self._connection: Connection[Any] | None = None
        self._process = os.getpid()
        self._on_connect: list[Callable[[Connection[Any]], None]] = []
        self._on_close: list[Callable[[Connection[Any]], None]] = []

    def __repr__(self) -> str:
        return f"<PostgresConnection {self.place}>"

    @property
    def place(self) -> str:
        """Host, port and database, for messages, without user and password."""
        return f"PostgreSQL {_address(self._dsn)}".rstrip()

    @property
    def is_cut(self) -> bool:
        """Whether the server has ended the session between two calls, or said something: the next call shows which."""
        connection = self._connection
        if connection is None or connection.closed:
            return True
        try:
            return bool(select.select([connection.fileno()], [], [], 0)[0])
        except (OSError, ValueError, _psycopg().Error):
            return True

    def on_connect(self, function: Callable[[Connection[Any]], None]) -> None:
        """Call a function in the thread whenever a connection was made, outside of a transaction."""
        self._on_connect.append(function)

    def on_close(self, function: Callable[[Connection[Any]], None]) -> None:
        """Call a function in the thread before :meth:`aclose` closes a connection that lives, outside of a transaction.

        The server ends a session a little after its client has closed it: this is where locks of the session are
        released, so that the next one can take them at once.
        """
        self._on_close.append(function)

    async def run(self, function: Callable[[Connection[Any]], T]) -> T:
        """Return what the function returns, called in a thread inside a transaction.

        Raises:
            StorageError: the server cannot be reached, did not respond in time, or refused a statement.
            ConfigurationError: psycopg is not installed, or the schema was not created.
            Exception: what the function raises.
        """
        if os.getpid() != self._process:
            raise StorageError(
                f"{self.place} is used by process {self._process}, of which this one is a fork: make a new object here",
                path=self.place,
            )
        return await self._to_end(lambda deadline: self._run(function, deadline))

    async def check(self) -> None:
        """Connect, so that a wrong address or password is noticed at the start; if that fails, leave nothing open.

        Raises:
            StorageError: the server cannot be reached, or refuses the connection.
        """
        try:
            await self.run(_ask_nothing)
        except BaseException:  # cancelled, perhaps once it had connected
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Close the connection, in a cancelled task too; the next call makes another one."""
        with anyio.CancelScope(shield=True):  # bounded by `cut_off`
            await self._to_end(lambda _: self._end())

    async def _to_end(self, function: Callable[[float], T]) -> T:
        """Call a function in a thread and wait for its end although the caller is cancelled; cut it off in time."""
        await anyio.lowlevel.checkpoint_if_cancelled()
        values: list[T] = []
        errors: list[Exception] = []
        done = anyio.Event()
        deadline = time.monotonic() + self._timeout

        async def run() -> None:
            with anyio.CancelScope(shield=True):  # bounded by `cut_off`
                try:
                    values.append(await anyio.to_thread.run_sync(function, deadline))
                except Exception as error:  # noqa: BLE001 - raised below, outside the task group
                    errors.append(error)
                done.set()

        async def cut_off() -> None:
            with anyio.CancelScope(shield=True):
                with anyio.move_on_after(self._timeout):
                    await done.wait()
                while not done.is_set():
                    self._shut_down()
                    with anyio.move_on_after(1.0):
                        await done.wait()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            tasks.start_soon(cut_off)
        await anyio.lowlevel.checkpoint_if_cancelled()
        if errors:
            raise errors.pop()
        return values[0]

    # ------------------------------------------------------------------------------------------- in a thread

    def _run(self, function: Callable[[Connection[Any]], T], deadline: float) -> T:
        psycopg = _psycopg()
        pause = _FIRST_PAUSE
        started = time.monotonic()
        is_moved = False
        if not self._guard.acquire(timeout=max(0.0, deadline - started)):
            raise self._error("other calls took all of the time", started)
        try:
            while True:
                try:
                    connection = self._connected(deadline)
                    with self._transaction(connection):
                        return function(connection)
                except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                    lost = self._connection is None or self._connection.closed or self._connection.broken
                    if not lost:
                        raise self._error(_reason(error), started) from error
                    self._close()
                    if time.monotonic() + pause >= deadline or _is_final(error):
                        raise self._error(_reason(error), started) from error
                    time.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
                except psycopg.errors.ReadOnlySqlTransaction as error:
                    self._close()  # after a failover, the address leads to another server
                    if is_moved:
                        raise self._error(_reason(error), started) from error
                    is_moved = True
                except psycopg.errors.UndefinedTable as error:
                    raise ConfigurationError(
                        f"{self.place} has no tables of stellantis_hal: call `await store.create_schema()` once"
                    ) from error
                except psycopg.Error as error:
                    raise self._error(_reason(error), started) from error
        finally:
            self._guard.release()

    def _connected(self, deadline: float) -> Connection[Any]:
        if self._connection is None or self._connection.closed:
            psycopg = _psycopg()
            given = psycopg.conninfo.conninfo_to_dict(self._dsn)
            left = max(2, int(deadline - time.monotonic()))
            options = {**_OPTIONS, "connect_timeout": min(left, _OPTIONS["connect_timeout"]), **given, **_FORCED}
            # No prepared statements: a pooler may hand each transaction to another connection.
            connection: Connection[Any] = psycopg.connect(**options, autocommit=True, prepare_threshold=None)
            try:
                for function in self._on_connect:
                    function(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    @contextmanager
    def _transaction(self, connection: Connection[Any]) -> Generator[None, None, None]:
        """Be in a transaction, of which no function or operator is another schema's, and each statement is bounded.

        The settings end with the transaction: a pooler gives the session to others.
        """
        timeout = round(self._timeout * 1000)
        settings = f"SET LOCAL search_path = pg_catalog; SET LOCAL statement_timeout = {timeout:d}"
        connection.execute(f"BEGIN ISOLATION LEVEL READ COMMITTED; {settings}".encode())
        try:
            yield
        except BaseException:
            with suppress(Exception):  # of a connection that was cut
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def _error(self, reason: str, started: float) -> StorageError:
        waited = time.monotonic() - started
        return StorageError(
            f"{self.place}: {with_advice(reason)} (after {waited:.2g} s)", path=self.place, waited=waited
        )

    def _shut_down(self) -> None:
        """Cut the connection off from another thread: the one that waits for the server goes on with an error."""
        connection = self._connection
        if connection is not None:
            with suppress(Exception), socket.socket(fileno=os.dup(connection.fileno())) as copy:
                copy.shutdown(socket.SHUT_RDWR)

    def _end(self) -> None:
        connection = self._connection
        if connection is not None and not connection.closed:
            with suppress(Exception):  # of a connection that was cut: the server ends its session
                for function in self._on_close:
                    function(connection)
        self._close()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


async def create_schema(connection: PostgresConnection, failure: Callable[[str], Exception]) -> None:
    """Create the tables of this package, or those that are missing; do nothing where all are there.

    Raises:
        ConfigurationError: the tables were made by a newer version of the package.
        Exception: that of ``failure``: the server failed, or the user may not create them.
    """

    def create(inner: Connection[Any]) -> int:
        inner.execute("SELECT pg_advisory_xact_lock(7237411)")  # CREATE IF NOT EXISTS is not safe against itself
        inner.execute(_SCHEMA)
        row = inner.execute("SELECT max(version) FROM stellantis_hal.version").fetchone()
        return 0 if row is None else int(row[0])

    try:
        version = await connection.run(create)
    except StorageError as error:
        raise failure(f"the tables cannot be created: {error}") from error
    if version > SCHEMA_VERSION:
        raise ConfigurationError(
            f"{connection.place} has tables of version {version}, and this package knows {SCHEMA_VERSION}: update it"
        )


def _address(dsn: str) -> str:
    """Return hosts, ports and database of a dsn as libpq reads it; "" where a password may be among them.

    libpq ends user and password at the first "@" before any "/": they may contain "?" and "#".
    """
    _, is_url, rest = dsn.partition("://")
    if is_url:
        found = _URL.fullmatch(rest)
        if found is None:
            return ""
        more = [(name, value) for name, value in parse_qsl(found["query"] or "") if name in _SHOWN]
        return f"{found['address']}{'?' if more else ''}{'&'.join(f'{name}={value}' for name, value in more)}"
    options = [(found["name"], found["value"]) for found in _OPTION.finditer(dsn)]
    return " ".join(f"{name}={value}" for name, value in options if name in _SHOWN)


def _psycopg() -> Any:
    try:
        import psycopg  # an extra
    except ImportError as error:
        raise ConfigurationError(f"PostgreSQL {_MISSING} ({error})") from error
    return psycopg


def _ask_nothing(connection: Connection[Any]) -> None:
    """Run a statement that reads no table."""
    connection.execute("SELECT 1")


def _reason(error: Exception) -> str:
    """Return the first line of what an error says: further lines may quote values."""
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__


def _is_final(error: Exception) -> bool:
    """Return whether connecting again is of no use: a wrong password, an unknown database."""
    text = str(error)
    return any(phrase in text for phrase in ("authentication failed", "does not exist", "no password supplied"))
