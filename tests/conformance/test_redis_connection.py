"""Connections to Redis against a server of its own."""

import asyncio
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import anyio
import coredis
import pytest

from stellantis_hal.errors import ConfigurationError
from stellantis_hal.storage.durable_redis import keep
from stellantis_hal.storage.errors import StorageError
from stellantis_hal.storage.redis import RedisConnection, RedisScript, key_prefix
from tests.conformance.processes import free_port
from tests.conformance.redis_server import COREDIS_LEAVES_STREAMS, RedisServer

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock, COREDIS_LEAVES_STREAMS]

ECHO = RedisScript("return {KEYS[1], ARGV[1], 3}")


async def test_scripts_and_commands_run(redis_server: RedisServer) -> None:
    async with RedisConnection(redis_server.url) as redis:
        assert await redis.run(ECHO, ["{a}:k"], ["x"]) == [b"{a}:k", b"x", 3]
        await redis.call("SCRIPT", "FLUSH")
        assert await redis.run(ECHO, ["{a}:k"], ["x"]) == [b"{a}:k", b"x", 3]
        await redis.call("SET", "k", b"\xff")
        assert await redis.call("GET", "k") == b"\xff"
        assert await redis.setting("maxmemory-policy") == "noeviction"
        assert await redis.setting("no-such-setting") is None


@pytest.mark.conformance
async def test_a_cluster_is_asked_as_one_server(tmp_path: Path) -> None:
    server = RedisServer(
        tmp_path, ("--cluster-enabled", "yes", "--cluster-port", str(free_port()), "--appendonly", "yes")
    )
    server.start()
    try:
        async with RedisConnection(server.url) as node:
            await node.call("CLUSTER", "ADDSLOTSRANGE", 0, 8_000)
            await node.call("CONFIG", "SET", "cluster-require-full-coverage", "no")
            with anyio.fail_after(30):
                while b"cluster_state:ok" not in await node.call("CLUSTER", "INFO"):  # noqa: ASYNC110
                    await anyio.sleep(0.01)
            client = coredis.RedisCluster("127.0.0.1", server.port)
            with pytest.raises(ConfigurationError, match=r"the RedisCluster of coredis .* is not entered"):
                await RedisConnection(client).__aenter__()
            async with client, RedisConnection(client) as redis:
                assert await redis.run(ECHO, ["{b}:k"], ["x"]) == [b"{b}:k", b"x", 3]
                assert await redis.setting("appendonly") == "yes"
                assert await redis.setting("appendfsync") == "everysec"
                assert await redis.setting("no-such-setting") is None
                assert await redis._setting_of(coredis.Redis(port=free_port()), "appendonly") is None
    finally:
        server.kill()


async def test_client_of_the_caller_stays_open(redis_server: RedisServer) -> None:
    async with coredis.Redis(port=redis_server.port, decode_responses=True) as client:
        async with RedisConnection(client) as redis:
            assert await redis.run(ECHO, ["k"], ["x"]) == [b"k", b"x", 3]
        assert await client.ping()


async def test_refused_commands_hide_their_arguments(redis_server: RedisServer) -> None:
    async with RedisConnection(redis_server.url) as redis:
        await redis.call("SET", "k", "v")
        for command in (("HGET", "k", "a secret"), ("NOSUCH", "k", "a secret")):
            with pytest.raises(StorageError) as caught:
                await redis.call(*command)
            assert "a secret" not in str(caught.value)
            assert redis.place in str(caught.value)


async def test_stopped_server_bounds_calls_and_recovers(redis_server: RedisServer) -> None:
    async with RedisConnection(redis_server.url, timeout=0.2) as redis:
        await redis.call("SET", "k", "v")
        redis_server.stop()
        for _ in range(3):
            with pytest.raises(StorageError):
                await redis.call("GET", "k")
        redis_server.go_on()
        assert await redis.call("GET", "k", timeout=5) == b"v"


async def test_restarted_server_is_connected_again(redis_server: RedisServer) -> None:
    async with RedisConnection(redis_server.url) as redis:
        await redis.call("SET", "k", "v")
        redis_server.kill()
        for _ in range(3):
            with pytest.raises(StorageError):
                await redis.call("GET", "k")
        redis_server.start()
        assert await redis.call("GET", "k") is None


async def test_cancelled_call_leaves_no_late_reply(redis_server: RedisServer) -> None:
    async with RedisConnection(redis_server.url) as redis:
        await redis.call("SET", "k", "v")
        with anyio.move_on_after(0.05):
            await redis.call("BLPOP", "empty", 1)
        assert await redis.call("GET", "k") == b"v"


async def test_error_of_the_block_is_raised_as_it_is(redis_server: RedisServer) -> None:
    async def fail() -> None:
        async with RedisConnection(redis_server.url) as redis:
            await redis.call("GET", "k")
            raise KeyError

    with pytest.raises(KeyError):
        await fail()


async def test_use_is_refused_outside_of_the_block() -> None:
    redis = RedisConnection("redis://user:password@127.0.0.1:1/0")
    assert "password" not in repr(redis)
    with pytest.raises(ConfigurationError, match="async with"):
        await redis.call("GET", "k")
    async with redis:
        with pytest.raises(RuntimeError, match="entered already"):
            await redis.__aenter__()
    with pytest.raises(ValueError, match="redis://"):
        RedisConnection("127.0.0.1:6379")


def test_use_in_another_loop_is_told(redis_server: RedisServer) -> None:
    """As in the tasks of Celery, where each runs a loop of its own."""
    redis = RedisConnection(redis_server.url)

    async def enter() -> None:
        await redis.__aenter__()
        assert await redis.call("PING") == b"PONG"

    asyncio.run(enter())
    with pytest.raises(ConfigurationError, match="has ended with the task or the event loop in which it was entered"):
        asyncio.run(redis.call("PING"))


def test_keys_of_one_thing_share_a_slot() -> None:
    prefix = key_prefix("limiter", "a client id")
    assert prefix == key_prefix("limiter", "a client id") != key_prefix("limiter", "another")
    assert "{" in prefix
    assert "client id" not in prefix


@pytest.mark.parametrize("is_given", [False, True])
async def test_the_pool_keeps_its_size(redis_server: RedisServer, is_given: bool) -> None:
    """Calls that are cancelled, not answered in time or cut off cost no place of the pool."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(coredis.Redis(port=redis_server.port, max_connections=16))
        redis = await stack.enter_async_context(RedisConnection(client if is_given else redis_server.url))
        admin = await stack.enter_async_context(RedisConnection(redis_server.url))

        async def be_cut(done: anyio.Event) -> None:
            with pytest.raises(StorageError):
                await redis.call("BLPOP", "empty", 5, timeout=5)
            done.set()

        for _ in range(20):
            with anyio.move_on_after(0.01), suppress(StorageError):  # on a busy machine, connecting takes too long
                await redis.call("BLPOP", "empty", 1)
            done = anyio.Event()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(be_cut, done)
                while not done.is_set():  # the first cut may be that of the call that was cancelled
                    await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                    await anyio.sleep(0.01)
        redis_server.stop()
        for _ in range(20):
            with pytest.raises(StorageError):
                await redis.call("GET", "k", timeout=0.01)
        redis_server.go_on()
        await redis.call("SET", "k", "v", timeout=5)
        assert await redis.call("GET", "k") == b"v"


async def test_a_server_that_became_a_replica_is_left(redis_server: RedisServer) -> None:
    write = RedisScript("return redis.call('SET', KEYS[1], '1')")
    async with RedisConnection(redis_server.url) as redis, RedisConnection(redis_server.url) as admin:
        before = await redis.call("CLIENT", "ID")
        await admin.call("REPLICAOF", "127.0.0.1", 1)
        with pytest.raises(StorageError, match="use the address of the primary"):
            await redis.run(write, ["k"])
        assert await redis.call("CLIENT", "ID") > before
        await admin.call("REPLICAOF", "NO", "ONE")
        await redis.run(write, ["k"])


async def test_a_replica_is_not_asked_again(redis_server: RedisServer) -> None:
    """A call that has begun before waits for another server, once."""
    write, other = (RedisScript(f"return redis.call('SET', KEYS[1], '{value}')") for value in (1, 2))
    async with RedisConnection(redis_server.url) as redis, RedisConnection(redis_server.url) as admin:
        await keep(redis, write, ["k"], [], within=30)
        await admin.call("REPLICAOF", "127.0.0.1", 1)
        for script, within in ((other, 30), (write, 0.2), (write, 30)):
            with anyio.fail_after(10), pytest.raises(StorageError, match="use the address of the primary"):
                await keep(redis, script, ["k"], [], within=within)
        await admin.call("REPLICAOF", "NO", "ONE")
        await keep(redis, write, ["k"], [], within=30)

        async def promote() -> None:
            await anyio.sleep(0.1)
            await admin.call("REPLICAOF", "NO", "ONE")

        await admin.call("REPLICAOF", "127.0.0.1", 1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(promote)
            await keep(redis, write, ["k"], [], within=30)


async def test_a_refusal_is_not_asked_again(redis_server: RedisServer) -> None:
    add = RedisScript("return redis.call('SADD', KEYS[1], '1')")
    async with RedisConnection(redis_server.url) as redis, RedisConnection(redis_server.url) as admin:
        await admin.call("SET", "k", "v")
        with anyio.fail_after(10), pytest.raises(StorageError, match="wrong kind of value"):
            await keep(redis, add, ["k"], [], within=30)
        await admin.call("ACL", "SETUSER", "default", "-sadd")
        with anyio.fail_after(10), pytest.raises(StorageError, match="allow it to the user of the URL"):
            await keep(redis, add, ["other"], [], within=30)
        await admin.call("ACL", "SETUSER", "default", ">s3cr3t", "+sadd")
        async with RedisConnection(redis_server.url) as stranger:
            with anyio.fail_after(10), pytest.raises(StorageError, match="give the password in its URL"):
                await keep(stranger, add, ["other"], [], within=30)
