"""Checkpoints and leases that processes share, in SQLite, PostgreSQL and Redis."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest
from anyio.from_thread import start_blocking_portal

from stellantis_hal import (
    CheckpointsInUseError,
    CheckpointStore,
    LeaseLostError,
    LeaseStoreError,
    RateLimits,
    SQLiteCheckpoints,
    Update,
    watch,
)
from stellantis_hal.fleet.checkpoints.postgres import PostgresCheckpoints
from stellantis_hal.fleet.checkpoints.redis import RedisCheckpoints
from stellantis_hal.fleet.leases.lease import Lease
from stellantis_hal.fleet.leases.postgres import PostgresLease
from stellantis_hal.fleet.leases.redis import RedisLease
from stellantis_hal.simulator import SubscriptionLimits
from tests.conformance.redis_server import COREDIS_LEAVES_STREAMS, RedisServer
from tests.fleet.fleets import a_fleet

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock, pytest.mark.conformance, COREDIS_LEAVES_STREAMS]

LIMITS = SubscriptionLimits(100, 10_000_000)


@pytest.fixture(scope="module")
def redis_options() -> tuple[str, ...]:
    return ("--appendonly", "yes", "--appendfsync", "always")


@attrs.frozen
class Shared:
    """An engine: each call stands for a process of its own."""

    lease: Callable[[str, int, float], Any]
    store: Callable[[Any], Any]
    plain: Callable[[], Any]

    @asynccontextmanager
    async def process(
        self, name: str, shards: int = 1, ttl: float = 1.5
    ) -> AsyncGenerator[tuple[Lease, CheckpointStore], None]:
        """Enter what one process enters."""
        async with AsyncExitStack() as stack:
            lease = self.lease(name, shards, ttl)
            if isinstance(lease, tuple):
                store, lease = lease
                await stack.enter_async_context(store)
                await stack.enter_async_context(lease)
            else:
                await stack.enter_async_context(lease)
                store = await stack.enter_async_context(self.store(lease))
            yield lease, store


@pytest.fixture(params=["sqlite", "postgres", "redis"])
async def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Shared:
    if request.param == "sqlite":
        path = tmp_path / "fleet.db"

        def lease(name: str, shards: int, ttl: float) -> Any:
            store = SQLiteCheckpoints(path)
            return store, store.lease(name, shards=shards, ttl=ttl)

        return Shared(lease, lambda lease: None, lambda: SQLiteCheckpoints(path))
    if request.param == "postgres":
        server = request.getfixturevalue("postgres")
        server.empty()
        dsn = server.dsn
        async with PostgresCheckpoints(dsn) as store:
            await store.create_schema()
            await store.create_schema()
        return Shared(
            lambda name, shards, ttl: PostgresLease(dsn, f"{name} {tmp_path}", shards=shards, ttl=ttl),
            lambda lease: PostgresCheckpoints(dsn, fence=lease),
            lambda: PostgresCheckpoints(dsn),
        )
    url = request.getfixturevalue("redis").url
    namespace = str(tmp_path)
    return Shared(
        lambda name, shards, ttl: RedisLease(url, f"{name} {namespace}", shards=shards, ttl=ttl),
        lambda lease: RedisCheckpoints(url, fence=lease, namespace=namespace),
        lambda: RedisCheckpoints(url, namespace=namespace),
    )


async def holds(lease: Lease, count: int, within: float = 30.0) -> None:
    await becomes(lambda: len(lease.shards) == count, within)


async def becomes(condition: Callable[[], bool], within: float) -> None:
    with anyio.fail_after(within):
        while not condition():  # noqa: ASYNC110 - it looks at other processes' doings
            await anyio.sleep(0.02)


async def test_contents_are_kept_and_loaded_together(shared: Shared, tmp_path: Path) -> None:
    prefix = f"{tmp_path}/"
    contents = {f"{prefix}{name}": name.encode() for name in ("a", "ä", "x y", "e\x00")}
    async with shared.plain() as store:
        await store.save_many(contents)
        await store.save(f"{prefix}many", b"\x00\xff" * 100_000)
    async with shared.plain() as store:
        assert await store.load_many([*contents, "missing"]) == contents
        assert await store.load(f"{prefix}many") == b"\x00\xff" * 100_000
        assert await store.load("missing") is None
        assert await store.load_many([]) == {}
        many = {f"{prefix}{number}": b"%d" % number for number in range(1_200)}
        await store.save_many(many)
        assert await store.load_many(list(many)) == many


async def test_a_name_is_used_once_without_a_lease(shared: Shared, tmp_path: Path) -> None:
    async with shared.plain() as first, shared.plain() as second:
        async with first.reserve(f"{tmp_path}"), second.reserve(f"{tmp_path} 2"):
            with pytest.raises(CheckpointsInUseError):
                async with second.reserve(f"{tmp_path}"):
                    pass
        for _ in range(20):  # a server may end a session later than its client does
            async with second.reserve(f"{tmp_path}"), first.reserve(f"{tmp_path} 2"):
                pass


async def test_a_name_is_shared_by_leases_and_by_nothing_else(shared: Shared, tmp_path: Path) -> None:
    name = str(tmp_path)
    async with shared.process("a") as (_, one), shared.process("a") as (_, two), shared.plain() as alone:
        async with one.reserve(name), two.reserve(name):
            with pytest.raises(CheckpointsInUseError):
                async with alone.reserve(name):
                    pass
        async with alone.reserve(name):
            with pytest.raises(CheckpointsInUseError):
                async with one.reserve(name):
                    pass


def test_a_name_lost_in_redis_is_told(redis: RedisServer, tmp_path: Path) -> None:
    """The reservation of a process that was stopped for long expires, and another one takes the name."""
    name, key, namespace = f"lost {tmp_path}", f"{tmp_path}/k", str(tmp_path)

    async def make() -> RedisCheckpoints:
        return RedisCheckpoints(redis.url, namespace=namespace)

    with start_blocking_portal() as one, start_blocking_portal() as two, ExitStack() as stack:
        first, second = one.call(make), two.call(make)
        stack.enter_context(one.wrap_async_context_manager(first))
        stack.enter_context(two.wrap_async_context_manager(second))
        stack.enter_context(one.wrap_async_context_manager(first.reserve(name)))
        one.call(first.save, key, b"first")
        stopped = one.start_task_soon(time.sleep, 4.5)  # of the first event loop, as if its process were
        with two.wrap_async_context_manager(second.reserve(name)):
            stopped.result(30)
            with pytest.raises(CheckpointsInUseError):
                one.call(first.save, key, b"late")
            assert two.call(second.load, key) == b"first"
        one.call(first.save, key, b"last")
        assert two.call(second.load, key) == b"last"


async def test_one_is_active_and_the_others_stand_by(shared: Shared) -> None:
    """The next one is active as soon as the one before has ended, long before its lease would expire."""
    async with shared.process("a", ttl=60.0) as (second, _):
        await holds(second, 1)
        async with shared.process("a", ttl=60.0) as (third, _):
            await anyio.sleep(1.0)
            assert (second.share(), third.share()) == (1.0, 0.0)
            with pytest.raises(LeaseLostError, match=r"lease 'a.*/0': it is not held by this process"):
                third.token("x")
    async with shared.process("a", ttl=60.0) as (fourth, _):
        await holds(fourth, 1)


async def test_shards_are_spread_and_move_to_newcomers(shared: Shared) -> None:
    async with shared.process("a", 16) as (one, _):
        await holds(one, 16)
        async with shared.process("a", 16) as (two, _), shared.process("a", 16) as (three, _):
            await becomes(lambda: sorted(len(each.shards) for each in (one, two, three)) == [5, 5, 6], 45)
            every = [*one.shards, *two.shards, *three.shards]
            assert sorted(every) == list(range(16))
        await holds(one, 16)


async def test_another_number_of_shards_is_refused(shared: Shared) -> None:
    async with shared.process("a", 4):
        with pytest.raises(LeaseStoreError, match=r"has 4 shards in another process, and 8 in this one"):
            async with shared.process("a", 8):
                pass
        async with shared.process("a", 4):
            pass


async def test_a_former_owner_is_refused(shared: Shared, tmp_path: Path) -> None:
    key = f"{tmp_path}/v"
    async with shared.process("a") as (first, store):
        await holds(first, 1)
        former = store.fenced("alice")
        await former.save(key, b"first")
    async with shared.process("a") as (second, store):
        await holds(second, 1)
        present = store.fenced("alice")
        assert await present.load(key) == b"first"
        token = second.token("alice")
        old = attrs.evolve(token, epoch=token.epoch - 1)
        with pytest.raises(LeaseLostError, match=r"another process took it over: this one had epoch \d+, the present"):
            await store.write_as({key: b"late"}, old)  # type: ignore[attr-defined]
        with pytest.raises(LeaseLostError):
            await store.read_as([key], old)  # type: ignore[attr-defined]
        with pytest.raises(LeaseLostError):
            await former.save(key, b"late")
        assert await present.load(key) == b"first"


async def test_a_view_stays_lost_after_the_lease_is_back(shared: Shared, tmp_path: Path) -> None:
    async with shared.process("a") as (lease, store):
        before = store.fenced("alice")
        await before.save(f"{tmp_path}/v", b"1")
        lease._lose(list(lease.shards), "of this test")
        with pytest.raises(LeaseLostError):
            await before.save(f"{tmp_path}/v", b"2")
        await holds(lease, 1)
        with pytest.raises(LeaseLostError):
            await before.save(f"{tmp_path}/v", b"2")
        await store.fenced("alice").save(f"{tmp_path}/v", b"3")


async def test_a_cancelled_save_is_whole_and_not_overtaken(shared: Shared, tmp_path: Path) -> None:
    key = f"{tmp_path}/v"
    async with shared.plain() as store:
        for number in range(60):
            with anyio.move_on_after(number / 20_000):
                await store.save(key, b"early %d" % number)
            await store.save(key, b"late %d" % number)
            assert await store.load(key) == b"late %d" % number


async def test_a_watch_stands_by_and_goes_on_where_the_other_ended(shared: Shared) -> None:
    """The second lists nothing, reads nothing deep, and delivers nothing again."""
    async with a_fleet(vehicles=3, accounts=2, limits=LIMITS, rate_limits=RateLimits(100, 10_000_000)) as fleet:
        seen: list[str] = []

        async def run(seconds: float, until: int | None = None) -> int:
            before = fleet.simulator.statistics.requests
            async with shared.process("a") as (lease, store):
                with anyio.fail_after(60):
                    async with watch(
                        lease.of(fleet.accounts), every=timedelta(seconds=2), checkpoints=store
                    ) as updates:
                        with anyio.move_on_after(seconds):
                            async for event in updates:
                                seen.extend([event.id] if isinstance(event, Update) else [])
                                if len(seen) == until:
                                    break
            return fleet.simulator.statistics.requests - before

        await run(50, until=3)
        assert len(seen) == len(set(seen)) == 3
        first = len(seen)
        requests = await run(0.5)
        assert len(seen) == first
        assert requests <= 12


async def test_poll_of_a_second_watch_begins_when_the_first_ends(shared: Shared) -> None:
    async with a_fleet(vehicles=2, accounts=1, limits=LIMITS, rate_limits=RateLimits(100, 10_000_000)) as fleet:
        events: dict[str, list[str]] = {"one": [], "two": []}
        ended = anyio.Event()

        async def run(name: str, stop: anyio.Event) -> None:
            async with (
                shared.process("a") as (lease, store),
                watch(
                    lease.of(fleet.accounts), every=timedelta(seconds=1), repeats=True, what="status", checkpoints=store
                ) as updates,
                anyio.create_task_group() as tasks,
            ):

                async def end() -> None:
                    await stop.wait()
                    updates.stop()

                tasks.start_soon(end)
                async for event in updates:
                    if isinstance(event, Update):
                        events[name].append(event.id)

        async with anyio.create_task_group() as tasks:
            first_end = anyio.Event()
            tasks.start_soon(run, "one", first_end)
            await becomes(lambda: bool(events["one"]), 30)
            tasks.start_soon(run, "two", ended)
            await anyio.sleep(2)
            assert not events["two"]
            first_end.set()
            await becomes(lambda: len(events["two"]) >= 4, 30)
            ended.set()
        assert not set(events["one"]) & set(events["two"])
