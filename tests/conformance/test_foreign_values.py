"""Servers that other programs write to: foreign values in Redis, other schemas in PostgreSQL."""

import time
from typing import Any

import anyio
import pytest

from stellantis_hal import (
    PostgresCheckpoints,
    PostgresLease,
    PostgresTokenStore,
    RateLimits,
    RedisCheckpoints,
    RedisLease,
    RedisLimiter,
    RedisTokenStore,
    Token,
    TokenStoreError,
)
from stellantis_hal.storage.postgres import PostgresConnection
from stellantis_hal.storage.redis import RedisConnection, key_prefix
from tests.conformance.postgres_server import PostgresServer
from tests.conformance.redis_server import RedisServer

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock, pytest.mark.conformance]

TOKEN = Token(access_token="a", refresh_token="r", expires_at=None)
NOW = b"%d" % (time.time() * 1000 + 1_000)


async def write(redis: RedisConnection, key: str, field: bytes, value: bytes) -> None:
    await redis.call("DEL", key)
    await redis.call("HSET", key, field, value)


# ------------------------------------------------------------------------------------------------- Redis


async def test_foreign_token_in_redis_is_an_error(redis_server: RedisServer) -> None:
    async with (
        RedisConnection(redis_server.url) as redis,
        RedisTokenStore(redis_server.url, durable=False) as store,
    ):
        prefix = key_prefix("tokens", "tokens")
        await write(redis, f"{prefix}:tokens", b"alice", b"\x80garbage")
        with pytest.raises(TokenStoreError, match="is not a token file"):
            await store.load("alice")
        await write(redis, f"{prefix}:tokens", b"\xff", b"x")
        with pytest.raises(TokenStoreError, match="another program wrote them"):
            await store.keys()
        await redis.call("DEL", f"{prefix}:tokens")
        await redis.call("SET", f"{prefix}:tokens", "text")
        with pytest.raises(TokenStoreError, match="wrong kind of value"):
            await store.save("alice", TOKEN)


@pytest.mark.parametrize("held", [b"garbage", b"9" * 25 + b":other", b"9" * 400 + b":other", b":", b"-5:x"])
async def test_foreign_lock_in_redis_is_taken(redis_server: RedisServer, held: bytes) -> None:
    """A lock ends 120 s after it was taken: one that ends later was not taken by this package."""
    async with (
        RedisConnection(redis_server.url) as redis,
        RedisTokenStore(redis_server.url, durable=False, lock_timeout=5.0) as store,
    ):
        await write(redis, f"{key_prefix('tokens', 'tokens')}:locks", b"alice", held)
        async with store.lock("alice"):
            pass


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        ("members", b"\xff", NOW + b":2"),
        ("members", b"other", NOW + b":two"),
        ("members", b"other", NOW + b":" + b"9" * 5_000),
        ("members", b"other", b"garbage"),
        ("shards", b"first", b"1:other"),
        ("shards", b"9" * 5_000, b"1:other"),
        ("shards", b"0", b"garbage"),
        ("shards", b"7", b"1:other"),
    ],
)
async def test_foreign_rows_of_a_lease_are_left_out(
    redis_server: RedisServer, part: str, field: bytes, value: bytes
) -> None:
    async with RedisConnection(redis_server.url) as redis:
        await write(redis, f"{key_prefix('lease', 'a')}:{part}", field, value)
        async with RedisLease(redis_server.url, "a", shards=2, ttl=1.0) as lease:
            with anyio.fail_after(10):
                while lease.shards != frozenset({0, 1}):  # noqa: ASYNC110 - it has no event for it
                    await anyio.sleep(0.1)


async def test_foreign_checkpoint_is_returned_as_it_is(redis_server: RedisServer) -> None:
    """What reads it keeps a copy, and names the vehicle: see the tests of damaged checkpoints."""
    async with (
        RedisConnection(redis_server.url) as redis,
        RedisCheckpoints(redis_server.url, durable=False) as checkpoints,
    ):
        await write(redis, f"{key_prefix('checkpoints', 'fleet')}:contents", b"v", b"\xff")
        assert await checkpoints.load("v") == b"\xff"


@pytest.mark.parametrize(
    ("part", "command"),
    [
        ("day", ("HSET", b"x", b"y")),
        ("tokens", ("ZADD", "+inf", b"p:1")),
        ("state", ("HSET", "epoch", b"\xff")),
        ("processes", ("HSET", b"\xff", b"\xfe")),
    ],
)
async def test_limiter_with_foreign_values_goes_on_slowly(
    redis_server: RedisServer, part: str, command: tuple[Any, ...], caplog: pytest.LogCaptureFixture
) -> None:
    limits = RateLimits(per_second=10, per_day=1_000)
    async with (
        RedisConnection(redis_server.url) as redis,
        RedisLimiter(redis_server.url, "id", limits, processes=2) as limiter,
    ):
        for number in range(6):
            async with limiter.slot(max_wait=20) as slot:
                slot.sent()
                slot.answered()
            if number == 0:
                await redis.call(command[0], f"{key_prefix('limiter', 'id')}:{part}", *command[1:])
    assert "the limiter's ledger is away" in caplog.text or "lost the state of the limiter" in caplog.text


# ------------------------------------------------------------------------------------------------- PostgreSQL

TRICK = """
CREATE SCHEMA trick;
CREATE TABLE trick.calls (name text);
CREATE FUNCTION trick.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO trick.calls VALUES ('clock_timestamp'); RETURN timestamptz '2020-01-01'; END
$$;
CREATE FUNCTION trick.make_interval(secs double precision) RETURNS interval LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO trick.calls VALUES ('make_interval'); RETURN interval '1 year'; END
$$;
CREATE FUNCTION trick.pg_try_advisory_lock(a integer, b integer) RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO trick.calls VALUES ('pg_try_advisory_lock'); RETURN true; END
$$;
CREATE FUNCTION trick.same(a text, b text) RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO trick.calls VALUES ('='); RETURN true; END
$$;
CREATE OPERATOR trick.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trick.same);
ALTER DATABASE postgres SET search_path = trick, pg_catalog;
"""


async def test_functions_of_other_schemas_are_not_called(postgres_of_its_own: PostgresServer) -> None:
    """A user who may create functions in a schema of the search path would run as this one, and read the tokens."""
    dsn = postgres_of_its_own.dsn
    async with PostgresConnection(dsn) as admin:
        await admin.run(lambda connection: connection.execute(TRICK))
    async with PostgresTokenStore(dsn) as tokens, PostgresCheckpoints(dsn) as checkpoints:
        await tokens.create_schema()
        await tokens.save("alice", TOKEN)
        assert await tokens.load("bob") is None
        async with tokens.lock("alice"):
            pass
        async with checkpoints.reserve("a"):
            await checkpoints.save("v", b"1")
        async with PostgresLease(dsn, "a", shards=1):
            pass
    async with PostgresConnection(dsn) as admin:
        calls = await admin.run(lambda connection: connection.execute("SELECT name FROM trick.calls").fetchall())
    assert calls == []


async def test_lock_that_would_never_end_is_taken(postgres: PostgresServer) -> None:
    async with PostgresTokenStore(postgres.dsn, lock_timeout=5.0) as store, PostgresConnection(postgres.dsn) as admin:
        await store.create_schema()
        row = "INSERT INTO stellantis_hal.token_locks VALUES ('alice', 'other', 'infinity')"
        await admin.run(lambda connection: connection.execute(row))
        async with store.lock("alice"):
            pass
