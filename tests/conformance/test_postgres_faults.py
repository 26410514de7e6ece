"""PostgreSQL that cuts connections, is stopped, ends, or is full."""

import time
from typing import Any

import anyio
import anyio.from_thread
import pytest

from stellantis_hal import (
    CheckpointError,
    CheckpointsInUseError,
    ConfigurationError,
    LeaseLostError,
    PostgresCheckpoints,
    PostgresLease,
    PostgresTokenStore,
    Token,
    TokenStoreError,
)
from stellantis_hal.storage.errors import StorageError
from stellantis_hal.storage.postgres import PostgresConnection
from tests.conformance.postgres_server import PostgresServer

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock, pytest.mark.conformance]


def cut_all(connection: Any) -> None:
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'stellantis_hal'"
        " AND pid <> pg_backend_pid()"
    )


def remove_tables(connection: Any) -> None:
    connection.execute("DROP SCHEMA IF EXISTS stellantis_hal CASCADE")


async def end_sessions(admin: PostgresConnection) -> None:
    """Cut all other connections, and wait until the server has ended their sessions."""
    rest = "SELECT pid FROM pg_stat_activity WHERE application_name = 'stellantis_hal' AND pid <> pg_backend_pid()"
    pids = {row[0] for row in await admin.run(lambda connection: connection.execute(rest).fetchall())}
    await admin.run(cut_all)
    with anyio.fail_after(30):
        while pids & {row[0] for row in await admin.run(lambda connection: connection.execute(rest).fetchall())}:  # noqa: ASYNC110
            await anyio.sleep(0.01)


async def test_a_missing_schema_is_told(postgres: PostgresServer) -> None:
    async with PostgresConnection(postgres.dsn) as admin:
        await admin.run(remove_tables)  # those of the other event loop's run
    async with PostgresCheckpoints(postgres.dsn) as store:
        with pytest.raises(ConfigurationError, match=r"call `await store\.create_schema\(\)` once"):
            await store.load("k")
        await store.create_schema()
        assert await store.load("k") is None


async def test_connections_are_cut_at_every_statement(postgres: PostgresServer) -> None:
    async with PostgresCheckpoints(postgres.dsn) as store, PostgresConnection(postgres.dsn) as admin:
        await store.create_schema()
        async with anyio.create_task_group() as tasks:

            async def cut() -> None:
                while True:
                    await admin.run(cut_all)
                    await anyio.sleep(0.15)  # as long as a few statements, connecting included

            tasks.start_soon(cut)
            with anyio.fail_after(60):
                for number in range(60):
                    await store.save("cut", b"%d" % number)
                    assert await store.load("cut") == b"%d" % number
            tasks.cancel_scope.cancel()


async def test_a_name_is_reserved_again_after_a_cut(postgres: PostgresServer) -> None:
    async with (
        PostgresConnection(postgres.dsn) as admin,
        PostgresCheckpoints(postgres.dsn) as first,
        PostgresCheckpoints(postgres.dsn) as second,
    ):
        await first.create_schema()
        async with first.reserve("cut"):
            for number in range(2):
                await end_sessions(admin)
                await first.save("k", b"%d" % number)
                with pytest.raises(CheckpointsInUseError):
                    async with second.reserve("cut"):
                        pass
                assert await second.load("k") == b"%d" % number
        async with second.reserve("cut"):
            await second.save("k", b"second")


async def test_a_name_that_another_took_after_a_cut_is_told(postgres: PostgresServer) -> None:
    """The first writes nothing while the second has the name, and goes on once that has ended."""
    async with (
        PostgresConnection(postgres.dsn) as admin,
        PostgresCheckpoints(postgres.dsn, timeout=2.0) as first,
        PostgresCheckpoints(postgres.dsn) as second,
    ):
        await first.create_schema()
        async with first.reserve("taken"):
            await first.save("k", b"first")
            await end_sessions(admin)
            async with second.reserve("taken"):
                for _ in range(2):
                    with pytest.raises(CheckpointsInUseError, match="taken"):
                        await first.save("k", b"late")
                assert await second.load("k") == b"first"
                await second.save("k", b"second")
            await first.save("k", b"last")
            assert await second.load("k") == b"last"
            with pytest.raises(CheckpointsInUseError):
                async with second.reserve("taken"):
                    pass


async def test_a_name_of_a_session_that_ends_a_little_later(postgres: PostgresServer) -> None:
    """As that of a process that was killed: the server notices it after a moment."""
    async with (
        PostgresCheckpoints(postgres.dsn) as first,
        PostgresCheckpoints(postgres.dsn) as second,
        anyio.create_task_group() as tasks,
        first.reserve("killed"),
    ):

        async def end() -> None:
            await anyio.sleep(0.2)
            async with PostgresConnection(postgres.dsn) as admin:
                await admin.run(cut_all)

        tasks.start_soon(end)
        async with second.reserve("killed"):
            pass


async def test_a_lease_whose_former_session_lives_on_goes_on(postgres: PostgresServer) -> None:
    """Behind a network that was cut the server keeps a session for a while, with its lock."""
    async with PostgresCheckpoints(postgres.dsn) as store:
        await store.create_schema()
    async with PostgresLease(postgres.dsn, "ghost", ttl=1.5) as lease:
        connection = lease._table._connection  # type: ignore[attr-defined]
        former, connection._connection = connection._connection, None
        try:
            for _ in range(4):
                await anyio.sleep(1.0)
                assert lease.share() == 1.0
            assert connection._connection not in (None, former)
        finally:
            former.close()


async def test_a_lease_outlives_its_connection(postgres: PostgresServer) -> None:
    async with PostgresConnection(postgres.dsn) as admin, PostgresLease(postgres.dsn, "cut", ttl=3.0) as lease:
        epoch = lease.token("alice").epoch
        for _ in range(5):
            await admin.run(cut_all)
            await anyio.sleep(0.6)
        assert lease.token("alice").epoch == epoch


async def test_a_server_that_ends_and_starts_again(postgres: PostgresServer) -> None:
    async with PostgresCheckpoints(postgres.dsn) as store:
        await store.save("end", b"1")
        postgres.end()
        async with anyio.create_task_group() as tasks:

            async def start() -> None:
                await anyio.sleep(1)
                await anyio.to_thread.run_sync(postgres.start)

            tasks.start_soon(start)
            await store.save("end", b"2")
        assert await store.load("end") == b"2"


async def test_a_server_that_is_stopped_is_not_waited_for(postgres: PostgresServer) -> None:
    async with (
        PostgresCheckpoints(postgres.dsn, timeout=2.0) as store,
        PostgresTokenStore(postgres.dsn, timeout=2.0) as tokens,
        PostgresLease(postgres.dsn, "stopped", ttl=2.0) as lease,
    ):
        await store.save("stop", b"1")
        await tokens.save("alice", Token("a"))
        postgres.pause()
        try:
            started = time.monotonic()
            with pytest.raises(CheckpointError):
                await store.save("stop", b"2")
            with pytest.raises(TokenStoreError):
                await tokens.load("alice")
            assert time.monotonic() - started < 20
            with pytest.raises(LeaseLostError):
                lease.token("alice")
        finally:
            postgres.go_on()
        with anyio.fail_after(60):
            await store.save("stop", b"3")
            while not lease.shards:  # noqa: ASYNC110 - of another process
                await anyio.sleep(0.1)
        assert await store.load("stop") == b"3"


async def test_a_cancelled_call_leaves_a_connection_that_works(postgres: PostgresServer) -> None:
    async with PostgresTokenStore(postgres.dsn) as store:
        await store.save("alice", Token("before"))
        for number in range(100):
            with anyio.move_on_after(number / 20_000):
                await store.save("alice", Token(f"early {number}"))
            await store.save("alice", Token(f"late {number}"))
            assert await store.load("alice") == Token(f"late {number}")
        assert await store.keys() == ("alice",)


async def test_a_cancelled_block_leaves_no_connection(postgres: PostgresServer) -> None:
    """The scope is cancelled in the block, and while it is entered."""
    store = PostgresTokenStore(postgres.dsn)
    with anyio.CancelScope() as scope:
        async with store:
            await store.create_schema()
            scope.cancel()
            await store.keys()
    assert scope.cancelled_caught
    assert store._connection.is_cut

    entered = PostgresConnection(postgres.dsn)
    with anyio.CancelScope() as scope:
        entered.on_connect(lambda _: anyio.from_thread.run_sync(scope.cancel))
        await entered.check()
    assert scope.cancelled_caught
    assert entered.is_cut


async def test_a_refused_write_is_an_error_and_keeps_what_was(postgres: PostgresServer) -> None:
    """As one whose disk is full does."""
    async with PostgresCheckpoints(postgres.dsn) as store, PostgresConnection(postgres.dsn) as admin:
        await store.save("full", b"1")

        def fill(connection: Any) -> None:
            connection.execute(
                "CREATE OR REPLACE FUNCTION stellantis_hal.full() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' "
                "USING ERRCODE = '53100'; END $$"
            )
            connection.execute(
                "CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON stellantis_hal.checkpoints "
                "FOR EACH ROW EXECUTE FUNCTION stellantis_hal.full()"
            )

        await admin.run(fill)
        with pytest.raises(CheckpointError, match="No space left on device"):
            await store.save("full", b"2")
        assert await store.load("full") == b"1"
        await admin.run(lambda connection: connection.execute("DROP TRIGGER full_disk ON stellantis_hal.checkpoints"))
        await store.save("full", b"3")
        assert await store.load("full") == b"3"


async def test_a_wrong_address_and_a_wrong_database_are_told_at_once(postgres: PostgresServer) -> None:
    with pytest.raises(CheckpointError, match='database "missing" does not exist'), anyio.fail_after(30):
        await PostgresCheckpoints(postgres.dsn.replace("/postgres", "/missing")).load("k")
    store = PostgresCheckpoints("postgresql://u:secret@127.0.0.1:1/x", timeout=1.0)
    for use in (store.__aenter__, lambda: store.load("k")):
        with pytest.raises(CheckpointError) as caught:
            await use()
        assert "secret" not in str(caught.value)


async def test_a_database_without_an_encoding_keeps_any_key(postgres: PostgresServer) -> None:
    def make_database(connection: Any) -> None:
        connection.execute("COMMIT")  # a database is made outside of a transaction
        connection.execute("DROP DATABASE IF EXISTS plain")
        connection.execute("CREATE DATABASE plain ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")

    async with PostgresConnection(postgres.dsn) as admin:
        await admin.run(make_database)
    dsn = f"{postgres.dsn.rpartition('/')[0]}/plain"
    async with PostgresCheckpoints(dsn) as store, PostgresTokenStore(dsn) as tokens:
        await store.create_schema()
        await store.save("fleet/€", b"1")
        assert await store.load_many(["fleet/€"]) == {"fleet/€": b"1"}
        await tokens.save("€", Token("access"))
        assert await tokens.keys() == ("€",)
    async with PostgresLease(dsn, "fleet €", shards=2, ttl=1.0) as lease:
        await anyio.sleep(1.0)  # heartbeats
        assert lease.shards == {0, 1}


async def test_a_server_that_became_read_only_is_left(postgres: PostgresServer) -> None:
    def read_only(connection: Any) -> None:
        connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")

    async with PostgresConnection(postgres.dsn) as connection:
        connections: list[Any] = []
        connection.on_connect(connections.append)
        await connection.run(lambda inner: inner.execute("CREATE TABLE IF NOT EXISTS public.moved (number integer)"))
        await connection.run(read_only)
        await connection.run(lambda inner: inner.execute("INSERT INTO public.moved VALUES (1)"))
        assert len(connections) == 2
        connection.on_connect(read_only)
        await connection.aclose()
        with pytest.raises(StorageError, match="read-only transaction: use the address of the primary"):
            await connection.run(lambda inner: inner.execute("INSERT INTO public.moved VALUES (1)"))
        assert len(connections) == 4
        assert connection.is_cut
