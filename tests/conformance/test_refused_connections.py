"""Servers that refuse a connection: told at the start, with what to do, and without secrets."""

import gc
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

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
)
from stellantis_hal.errors import StellantisError
from stellantis_hal.storage.postgres import PostgresConnection
from tests.conformance.postgres_server import PostgresServer
from tests.conformance.processes import free_port
from tests.conformance.redis_server import COREDIS_LEAVES_STREAMS, RedisServer

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock, pytest.mark.conformance, COREDIS_LEAVES_STREAMS]

POSTGRES: list[Any] = [PostgresTokenStore, PostgresCheckpoints, partial(PostgresLease, name="fleet", shards=1)]
REDIS: list[Any] = [RedisTokenStore, RedisCheckpoints, partial(RedisLease, name="fleet", shards=1)]
SECRET = "not-this-one"


@pytest.fixture(autouse=True)
def leftovers() -> Generator[None, None, None]:
    """Collect what coredis leaves while its warnings are ignored."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def redis_options() -> tuple[str, ...]:
    return ("--requirepass", "right")


async def message_of(store: Any) -> str:
    """Return what entering a store raises."""
    with pytest.raises(StellantisError) as raised:
        async with store:
            pass
    assert SECRET not in f"{raised.value!r} {raised.value}"
    return str(raised.value)


@pytest.mark.parametrize("make", POSTGRES, ids=["tokens", "checkpoints", "lease"])
async def test_postgres_that_refuses_is_told_at_the_start(make: Callable[[str], Any], postgres: PostgresServer) -> None:
    assert "create it, or correct the dsn" in await message_of(make(postgres.dsn.replace("/postgres", "/missing")))
    assert "create it, or correct the dsn" in await message_of(make(postgres.dsn.replace("test@", f"x:{SECRET}@")))
    access = postgres.folder / "data" / "pg_hba.conf"
    trusting = access.read_text()
    async with PostgresConnection(postgres.dsn) as admin:
        try:
            access.write_text(trusting.replace("trust", "scram-sha-256"))
            await admin.run(lambda connection: connection.execute("SELECT pg_reload_conf(), pg_sleep(0.2)").fetchall())
            assert "correct the user and the password of the dsn" in await message_of(
                make(postgres.dsn.replace("test@", f"test:{SECRET}@"))
            )
            assert "give the password in the dsn" in await message_of(make(postgres.dsn))
        finally:
            access.write_text(trusting)
            await admin.run(lambda connection: connection.execute("SELECT pg_reload_conf(), pg_sleep(0.2)").fetchall())


@pytest.mark.parametrize("make", REDIS, ids=["tokens", "checkpoints", "lease"])
async def test_redis_that_refuses_is_told_at_the_start(make: Callable[[str], Any], redis: RedisServer) -> None:
    assert "give the password in its URL" in await message_of(make(redis.url))
    wrong = redis.url.replace("//", f"//:{SECRET}@")
    assert "correct the user and the password in its URL" in await message_of(make(wrong))
    absent = f"redis://:{SECRET}@127.0.0.1:{free_port()}/0"
    assert "check that it runs, and its host and port" in await message_of(make(absent))


async def test_a_limiter_says_that_redis_refuses(redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """It goes on with its share, as in an outage, and says so at the first request."""
    url = redis.url.replace("//", f"//:{SECRET}@")
    async with RedisLimiter(url, "client", RateLimits(10, 1_000), processes=2) as limiter, limiter.slot():
        assert limiter.is_away
    [record] = [record for record in caplog.records if record.name.startswith("stellantis_hal")]
    assert "correct the user and the password in its URL" in record.getMessage()
    assert "at most 5 of 10 requests per second" in record.getMessage()
    assert SECRET not in record.getMessage()
