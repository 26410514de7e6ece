"""Checkpoints in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from hashlib import blake2b
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import anyio

from stellantis_hal.fleet.checkpoints.fenced import SharedCheckpoints
from stellantis_hal.fleet.checkpoints.store import CheckpointError, MemoryCheckpoints
from stellantis_hal.storage.errors import StorageError
from stellantis_hal.storage.fencing import FenceToken, FencingLease, lease_lost
from stellantis_hal.storage.postgres import PostgresConnection, create_schema

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["PostgresCheckpoints"]

_CLASS = 7237412
"""Class of the advisory locks by which names are reserved."""
_ENDING = 1.0
"""Seconds within which the server ends the session of a process that was killed."""
_PAUSE = 0.1
_KEEPALIVES = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 3; SET tcp_keepalives_count = 3"
"""Lets the server end a session within 20 s where the client's machine is gone."""
_IDLE_TIMEOUT_SINCE = 140_000
"""Version of the server from which on it may end sessions that are idle."""


class PostgresCheckpoints(SharedCheckpoints):
    """Checkpoints in PostgreSQL, for any number of processes.

    A saved checkpoint is as durable as the server's commits. Use it as ``async with PostgresCheckpoints(dsn) as
    checkpoints``, or call :meth:`aclose`.

    Args:
        dsn: a URL or ``key=value`` pairs, as libpq reads them.
        fence: the lease of the processes that use one name; None: one process uses a name, and a second is refused.
        timeout: seconds that a call may take, during which a connection that was cut is made again.
    """

    def __init__(self, dsn: str, *, fence: FencingLease | None = None, timeout: float = 10.0) -> None:
        self._fence = fence
        self._dsn = dsn
        self._timeout = timeout
        self._connection = PostgresConnection(dsn, timeout=timeout)
        self._memory = MemoryCheckpoints()

    def __repr__(self) -> str:
        return f"PostgresCheckpoints({self._place})"

    @property
    def _place(self) -> str:
        return self._connection.place

    async def create_schema(self) -> None:
        """Create the tables of this package in the schema ``stellantis_hal``, where they are missing.

        Raises:
            CheckpointError: the server failed, or the user may not create them.
            ConfigurationError: the tables are of a newer version.
        """
        await create_schema(self._connection, CheckpointError)

    async def _read(self, keys: Collection[str], token: FenceToken | None) -> Mapping[str, bytes]:
        def read(connection: Connection[Any]) -> dict[str, bytes]:
            _check(token, connection)
            rows = connection.execute(
                "SELECT key, content FROM stellantis_hal.checkpoints WHERE key = ANY(%s)",
                ([_text(key) for key in keys],),
            ).fetchall()
            found = {key: bytes(content) for key, content in rows}
            return {key: found[text] for key in keys if (text := _text(key)) in found}

        return await self._connection.run(read)

    async def _write(self, contents: Mapping[str, bytes], token: FenceToken | None) -> None:
        def write(connection: Connection[Any]) -> None:
            _check(token, connection)
            ordered = sorted(contents.items())  # two transactions never wait for each other in a circle
            connection.execute(
                "INSERT INTO stellantis_hal.checkpoints SELECT * FROM unnest(%s::text[], %s::bytea[]) "
                "ON CONFLICT (key) DO UPDATE SET content = excluded.content",
                ([_text(key) for key, _ in ordered], [content for _, content in ordered]),
            )

        await self._connection.run(write)

    @asynccontextmanager
    async def _hold(self, name: str, shared: bool) -> AsyncGenerator[None, None]:
        digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).digest()
        number = int.from_bytes(digest, "big", signed=True)
        kind = "_shared" if shared else ""
        taken: list[bool] = []

        def take(connection: Connection[Any]) -> None:
            query = f"SELECT pg_catalog.pg_try_advisory_lock{kind}(%s, %s)"
            row = connection.execute(query, (_CLASS, number)).fetchone()
            taken.append(row is not None and bool(row[0]))

        def take_first(connection: Connection[Any]) -> None:
            connection.execute(_KEEPALIVES)
            if connection.info.server_version >= _IDLE_TIMEOUT_SINCE:
                connection.execute("SET idle_session_timeout = 0")
            take(connection)

        def release(connection: Connection[Any]) -> None:
            connection.execute("SELECT pg_catalog.pg_advisory_unlock_all()")

        async def wait(seconds: float) -> None:
            deadline = anyio.current_time() + seconds
            try:
                await connection.run(lambda _: None)
                while not taken[-1]:
                    if anyio.current_time() >= deadline:
                        raise self.refuse(name, self._place)
                    await anyio.sleep(_PAUSE)
                    await connection.run(take)
            except StorageError as error:
                raise CheckpointError(f"the name cannot be reserved: {error}") from error

        async def renew() -> None:
            if connection.is_cut or not taken[-1]:
                await wait(self._timeout)

        connection = PostgresConnection(self._dsn, timeout=self._timeout)
        connection.on_connect(take_first)
        connection.on_close(release)
        async with self._memory.reserve(name):
            try:
                await wait(_ENDING)
                with self._renewed(renew):
                    yield
            finally:
                with anyio.CancelScope(shield=True):  # bounded by the time of a call
                    await connection.aclose()

    def _reserve(self, name: str, *, shared: bool) -> AbstractAsyncContextManager[None]:
        """Reserve a name by a lock of a session of its own, which ends with the process.

        A session that was cut is made again before the next write, and the lock is taken again.
        """
        return self._hold(name, shared)

    async def aclose(self) -> None:
        """Close the connection; the next call makes another one."""
        await self._connection.aclose()

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            CheckpointError: the server cannot be reached, or refuses the connection.
        """
        try:
            await self._connection.check()
        except StorageError as error:
            raise CheckpointError(f"the checkpoints cannot be reached: {error}") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def _check(token: FenceToken | None, connection: Connection[Any]) -> None:
    """Record the epoch of a token, and keep its row locked until the transaction ends.

    Raises:
        LeaseLostError: a larger one is known.
    """
    if token is None:
        return
    scope = _text(token.scope)
    row = connection.execute("SELECT epoch FROM stellantis_hal.fences WHERE scope = %s FOR SHARE", (scope,)).fetchone()
    if row is None or row[0] < token.epoch:
        row = connection.execute(
            "INSERT INTO stellantis_hal.fences AS known VALUES (%s, %s) ON CONFLICT (scope) "
            "DO UPDATE SET epoch = greatest(known.epoch, excluded.epoch) RETURNING epoch",
            (scope, token.epoch),
        ).fetchone()
    known = 0 if row is None else int(row[0])
    if known > token.epoch:
        raise lease_lost(token.scope, token.epoch, known)


def _text(key: str) -> str:
    """Return a key as PostgreSQL can keep it: without NUL and lone surrogates."""
    return key.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
