"""Processes that share a limit, by Redis and by a file, against a strict sliding window: none is refused a request.

The long runs, with their figures, are those of ``python -m benchmarks.shared_limiter``.
"""

import re
from pathlib import Path

import anyio
import anyio.abc
import pytest
from coredis import RedisCluster

from benchmarks.shared_limiter import run
from stellantis_hal.errors import ClosedClientError
from stellantis_hal.storage.redis import RedisConnection
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.rate_limit.redis import RedisLimiter
from tests.conformance.processes import free_port
from tests.conformance.redis_server import COREDIS_LEAVES_STREAMS, REDIS, RedisServer
from tests.support.examples import run_block
from tests.transport.rate_limit.doubles import spend

pytestmark = [pytest.mark.wall_clock, COREDIS_LEAVES_STREAMS]

needs_redis = pytest.mark.skipif(REDIS is None, reason="redis-server is not installed")


@needs_redis
@pytest.mark.parametrize("event", ["none", "stop", "kill", "restart", "flush", "sigkill", "sigstop"])
def test_processes_with_redis_are_never_refused(event: str) -> None:
    result = run(ledger="redis", profile="J2", seconds=6.0 if event == "none" else 9.0, event=event)
    assert result["refused"] == 0
    assert result["served"] > 0


@pytest.mark.parametrize("event", ["none", "sigkill", "sigstop"])
def test_processes_with_a_file_are_never_refused(event: str) -> None:
    result = run(ledger="sqlite", profile="J2", seconds=6.0 if event == "none" else 9.0, event=event)
    assert result["refused"] == 0
    assert result["served"] > 0


@needs_redis
def test_day_is_exact_over_a_killed_redis() -> None:
    """With an append-only file nothing of the day is forgotten, and nothing is counted twice."""
    result = run(ledger="redis", profile="J2", seconds=12.0, event="restart", per_day=300)
    assert (result["refused"], result["served"]) == (0, 300)


@pytest.mark.anyio
async def test_evicting_server_is_warned_of(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    async with RedisConnection(redis_server.url) as redis:
        await redis.call("CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru")
    async with RedisLimiter(redis_server.url, "app", RateLimits(10, 100), processes=1) as limiter:
        await spend(limiter)
    assert any("evicts keys" in record.getMessage() for record in caplog.records)


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["tokens", "day", "state", "processes"])
async def test_evicted_key_is_a_loss(name: str, redis_server: RedisServer) -> None:
    """The state is held for lost as a whole, and the day is restored from what the process knows."""
    async with (
        RedisConnection(redis_server.url) as redis,
        RedisLimiter(redis_server.url, "app", RateLimits(10, 100), processes=1) as limiter,
    ):
        for _ in range(5):
            await spend(limiter)
        keys = [key.decode() for key in await redis.call("KEYS", f"*:{name}")]
        assert len(keys) == 1
        await redis.call("DEL", *keys)
        for _ in range(3):
            await spend(limiter)
        await spend(limiter, max_wait=10)
        assert limiter.statistics.free_today in {91, 92}


@pytest.mark.anyio
async def test_full_server_is_an_outage(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    async with RedisConnection(redis_server.url) as redis:
        async with RedisLimiter(redis_server.url, "app", RateLimits(10, 100), processes=1) as limiter:
            await spend(limiter)
            await redis.call("CONFIG", "SET", "maxmemory", "1")
            await spend(limiter)
            for _ in range(20):
                await spend(limiter)
            away = [limiter.is_away]
            await redis.call("CONFIG", "SET", "maxmemory", "0")
            while limiter.is_away:
                await spend(limiter)
            await spend(limiter)
            assert away == [True]
        with pytest.raises(ClosedClientError):
            await spend(limiter)
    assert any("OOM" in record.getMessage() or "memory" in record.getMessage() for record in caplog.records)


@pytest.mark.anyio
async def test_keys_are_in_one_slot_of_a_cluster(redis_server: RedisServer) -> None:
    redis_server.kill()
    redis_server.options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    redis_server.start()
    async with RedisConnection(redis_server.url) as redis:
        await redis.call("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        with anyio.fail_after(60):
            while b"cluster_state:ok" not in await redis.call("CLUSTER", "INFO"):  # noqa: ASYNC110 - of another process
                await anyio.sleep(0.05)
    async with RedisLimiter(redis_server.url, "app", RateLimits(10, 100), processes=1) as limiter:
        await spend(limiter)
        assert not limiter.is_away
    async with (
        RedisCluster("127.0.0.1", redis_server.port) as cluster,
        RedisLimiter(cluster, "app", RateLimits(10, 100), processes=1) as limiter,
    ):
        await spend(limiter)
        assert not limiter.is_away
        assert limiter.statistics.free_today == 98


class CuttingProxy:
    """A way to Redis on which each connection is cut after its second reply, every other time before it arrives."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connections = 0

    async def carry(self, client: anyio.abc.ByteStream) -> None:
        self.connections += 1
        loses_reply = self.connections % 2 == 0
        async with client, await anyio.connect_tcp("127.0.0.1", self.port) as server:
            for reply in (1, 2):
                try:
                    await server.send(await client.receive(1_000_000))
                    content = await server.receive(1_000_000)
                    if reply == 1 or not loses_reply:
                        await client.send(content)
                except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                    return


@pytest.mark.anyio
async def test_connection_cut_at_every_call_refuses_nothing(redis_server: RedisServer) -> None:
    proxy = CuttingProxy(redis_server.port)
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as group:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        group.start_soon(listener.serve, proxy.carry)
        async with RedisLimiter(f"redis://127.0.0.1:{port}/0", "app", RateLimits(50, 1_000), processes=1) as limiter:
            for _ in range(30):
                await spend(limiter)
            await anyio.sleep(2.5)
            assert limiter.statistics.granted == 30
        group.cancel_scope.cancel()
    assert proxy.connections > 10


@pytest.mark.anyio
async def test_page_runs_with_redis(redis_server: RedisServer) -> None:
    page = Path(__file__).parents[2] / "docs" / "howto" / "shared_limits.md"
    blocks = re.findall(r"^```py\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 1
    source = blocks[0].replace("redis://redis.example.com:6379/0", redis_server.url)
    await run_block(page, 0, source, {"__name__": "page"})
