"""A token store in a database: rows for tokens, leases for locks."""

import json
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import anyio
import anyio.to_thread
import pytest

from stellantis_hal import Token, TokenStore
from stellantis_hal.errors import TokenStoreError
from tests.credentials.doubles import IdentityServer, bearer
from tests.support.responses import REFUSED

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]

T = TypeVar("T")


class DatabaseTokenStore:
    """Tokens in SQLite; a lock is a row with an owner and an instant at which it lapses, as any database can hold."""

    def __init__(self, path: Path, *, lease: float = 180.0, patience: float = 5.0) -> None:
        self.path = path
        self.lease = lease
        self.patience = patience
        with closing(self._connected()) as database, database:
            database.execute("CREATE TABLE IF NOT EXISTS tokens (key TEXT PRIMARY KEY, token TEXT)")
            database.execute("CREATE TABLE IF NOT EXISTS locks (key TEXT PRIMARY KEY, owner TEXT, until REAL)")

    async def load(self, key: str) -> Token | None:
        rows = await self._execute("SELECT token FROM tokens WHERE key = ?", key)
        if not rows:
            return None
        access_token, refresh_token, expires_at, scope = json.loads(rows[0][0])
        return Token(access_token, refresh_token, expires_at and datetime.fromisoformat(expires_at), tuple(scope))

    async def save(self, key: str, token: Token | None) -> None:
        if token is None:
            await self._execute("DELETE FROM tokens WHERE key = ?", key)
            return
        expires_at = token.expires_at and token.expires_at.isoformat()
        row = json.dumps([token.access_token, token.refresh_token, expires_at, list(token.scope)])
        await self._execute("INSERT OR REPLACE INTO tokens VALUES (?, ?)", key, row)

    async def keys(self) -> tuple[str, ...]:
        return tuple(row[0] for row in await self._execute("SELECT key FROM tokens ORDER BY key"))

    @asynccontextmanager
    async def lock(self, key: str) -> AsyncGenerator[None, None]:
        owner = uuid4().hex
        until = anyio.current_time() + self.patience
        try:
            while not await self._has_taken(key, owner):
                if anyio.current_time() >= until:
                    raise TokenStoreError("the lock was not available in time", key=key)
                await anyio.sleep(0.01)
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._execute("DELETE FROM locks WHERE key = ? AND owner = ?", key, owner)

    async def _has_taken(self, key: str, owner: str) -> bool:
        now = time.time()
        await self._execute("DELETE FROM locks WHERE key = ? AND until < ?", key, now)
        await self._execute("INSERT OR IGNORE INTO locks VALUES (?, ?, ?)", key, owner, now + self.lease)
        return bool(await self._execute("SELECT 1 FROM locks WHERE key = ? AND owner = ?", key, owner))

    def _connected(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=10)

    async def _execute(self, statement: str, *values: Any) -> list[Any]:
        def enrolment_() -> list[Any]:
            with closing(self._connected()) as database, database:
                return database.execute(statement, values).fetchall()

        return await self._in_thread(enrolment_)

    async def _in_thread(self, enrolment_: Callable[[], T]) -> T:
        try:
            return await anyio.to_thread.run_sync(enrolment_)
        except sqlite3.Error as error:
            raise TokenStoreError(f"the database failed: {error}") from error


@pytest.mark.unmeasured
async def test_two_services_share_a_session_through_a_database(tmp_path: Path) -> None:
    server = IdentityServer(delay=0.01)
    stores: list[TokenStore] = [DatabaseTokenStore(tmp_path / "tokens.db") for _ in range(2)]
    await stores[0].save("alice", Token("access-0", "refresh-0", scope=("data:trip",)))
    services = [bearer(store, server) for store in stores]

    async def work(number: int) -> None:
        for _ in range(4):
            assert await services[number].refused(REFUSED, await services[number].headers())

    async with anyio.create_task_group() as tasks:
        for number in range(2):
            tasks.start_soon(partial(work, number))
    stored = await stores[1].load("alice")
    assert stored is not None
    assert stored.refresh_token == server.current
    assert stored.scope == ("data:trip",)
    assert await stores[0].keys() == ("alice",)


async def test_a_lock_in_a_database_is_bounded_and_lapses(tmp_path: Path) -> None:
    second = DatabaseTokenStore(tmp_path / "tokens.db", patience=0.05)
    async with DatabaseTokenStore(tmp_path / "tokens.db", lease=60).lock("alice"):
        with pytest.raises(TokenStoreError):
            async with second.lock("alice"):
                pytest.fail("two had one lock")
    async with DatabaseTokenStore(tmp_path / "tokens.db", lease=0.05).lock("bob"):
        await anyio.sleep(0.1)
        async with second.lock("bob"):
            pass
