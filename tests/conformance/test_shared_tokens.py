"""Token stores that processes share: SQLite, PostgreSQL and Redis."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from cryptography.fernet import Fernet

from stellantis_hal import (
    Brand,
    ConfigurationError,
    PostgresTokenStore,
    RedisTokenStore,
    SQLiteTokenStore,
    Token,
    TokenStoreError,
)
from stellantis_hal.credentials.stores.opening import token_store
from stellantis_hal.simulator import Simulator, SubscriptionLimits, World, server
from tests.conformance.killing import serving
from tests.conformance.redis_server import APPEND_ONLY, COREDIS_LEAVES_STREAMS, RedisServer

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock, pytest.mark.conformance, COREDIS_LEAVES_STREAMS]

TOKEN = Token("access", "refresh", scope=("data:trip",))
SECRET = Fernet(Fernet.generate_key())
MakeStore = Callable[..., Any]
CALLS = 10  # of each process at least, however busy the machine is


@pytest.fixture(params=["sqlite", "postgres", "redis"], scope="module")
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[str, None, None]:
    with serving(request.param, tmp_path_factory.mktemp("tokens")) as place:
        if request.param == "postgres":

            async def create() -> None:
                async with PostgresTokenStore(place) as store:
                    await store.create_schema()

            anyio.run(create)
        yield place


@pytest.fixture
def make(place: str) -> MakeStore:
    kind = type(token_store(place))

    def made(**options: Any) -> Any:
        return kind(place, **options)

    return made


async def test_tokens_are_kept(make: MakeStore) -> None:
    async with make() as store:
        await store.save("alice", TOKEN)
        await store.save("bob ä", Token("x"))
    async with make() as store:
        assert await store.load("alice") == TOKEN
        assert {"alice", "bob ä"} <= set(await store.keys())
        await store.save("alice", None)
        await store.save("alice", None)
        assert await store.load("alice") is None
        assert "alice" not in await store.keys()


async def test_a_lock_excludes_others(make: MakeStore) -> None:
    async with make(lock_timeout=1.0) as one, make(lock_timeout=1.0) as two:
        async with one.lock("alice"), two.lock("bob"):
            with pytest.raises(
                TokenStoreError, match=r"the lock of account 'alice' in .* was not available within 1 s"
            ):
                async with two.lock("alice"):
                    pass
            with pytest.raises(TokenStoreError):
                async with one.lock("alice"):
                    pass
        async with two.lock("alice"):
            pass


async def test_a_cancelled_lock_is_free(make: MakeStore) -> None:
    async with make(lock_timeout=5.0) as one, make(lock_timeout=5.0) as two:
        for number in range(30):
            with anyio.move_on_after(number / 5_000):
                async with one.lock("alice"):
                    await anyio.lowlevel.checkpoint()
            async with two.lock("alice"):
                pass


async def test_a_cancelled_block_writes_and_unlocks(make: MakeStore) -> None:
    """The store was entered in the scope that is cancelled: a token is stored, and its lock is given up at once."""
    with anyio.CancelScope() as scope:
        async with make() as store, store.lock("alice"):
            scope.cancel()
            try:
                await anyio.lowlevel.checkpoint()
            finally:
                with anyio.CancelScope(shield=True):
                    await store.save("alice", Token("late"))
    assert scope.cancelled_caught
    async with make(lock_timeout=1.0) as other, other.lock("alice"):
        assert await other.load("alice") == Token("late")


async def test_encrypted_tokens_need_their_secret(make: MakeStore) -> None:
    async with make(encrypt=SECRET.encrypt, decrypt=SECRET.decrypt) as store:
        await store.save("carol", TOKEN)
        assert await store.load("carol") == TOKEN
    other = Fernet(Fernet.generate_key())
    async with make() as plain, make(encrypt=other.encrypt, decrypt=other.decrypt) as wrong:
        for store in (plain, wrong):
            with pytest.raises(TokenStoreError):
                await store.load("carol")
        await plain.save("carol", None)


def a_worker(simulator: Simulator, place: str, seconds: float) -> subprocess.Popen[bytes]:
    account = simulator.world.accounts[0]
    settings = {
        "place": place,
        "seconds": seconds,
        "calls": CALLS,
        "client_id": simulator.client_id,
        "client_secret": simulator.client_secret,
        "url": simulator.url,
        "identity_url": simulator.identity_url,
        "brand": next(brand.name for brand in Brand if brand.realm == account.realm),
        "key": "shared",
    }
    command = [sys.executable, "-m", "tests.conformance.token_worker", json.dumps(settings)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


@pytest.mark.parametrize("seconds", [8, pytest.param(60, marks=pytest.mark.deep)])
async def test_four_processes_spend_no_refresh_token_twice(place: str, make: MakeStore, seconds: int) -> None:
    simulator = Simulator(
        World(seed=7, accounts=1, vehicles=1, trips=0),
        rate_limits=SubscriptionLimits(per_second=100_000, per_day=10_000_000),  # the processes share no limiter
        token_lifetime=3.0,
    )
    running, listening = server(simulator)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        issued = simulator.token_for(simulator.world.accounts[0])
        async with make() as store:
            await store.save("shared", Token(issued.access_token, issued.refresh_token, expires_at=issued.expires_at))
        workers = [a_worker(simulator, place, seconds) for _ in range(4)]
        outputs = await anyio.to_thread.run_sync(
            lambda: [worker.communicate(timeout=seconds + 60)[0] for worker in workers]
        )
        results = [json.loads(output) for output in outputs]
        assert [result["errors"] for result in results] == [[]] * 4
        assert all(result["done"] >= CALLS for result in results)
        # Each process used the account for longer than a token lives, and a token spent twice is answered by 400.
        counted = simulator.statistics
        assert counted.renewals >= 1
        assert counted.by_status.get(400, 0) == 0
        assert counted.by_kind["renewal"] == counted.renewals
        async with make() as store:
            final = await store.load("shared")
        assert final is not None
        assert final.refresh_token != issued.refresh_token
        print(place, results, simulator.statistics)
    finally:
        running.should_exit = True
        thread.join(10)
        listening.close()


async def test_redis_that_may_forget_is_refused(tmp_path: Path) -> None:
    server = RedisServer(tmp_path, APPEND_ONLY)
    server.start()
    try:
        with pytest.raises(ConfigurationError, match="has appendonly yes, appendfsync everysec: tokens may be lost"):
            async with RedisTokenStore(server.url):
                pass
        async with RedisTokenStore(server.url, durable=False) as store:
            await store.save("alice", TOKEN)
    finally:
        server.kill()


async def test_a_renewal_in_sqlite_costs_the_same_for_many_accounts(tmp_path: Path) -> None:
    async with SQLiteTokenStore(tmp_path / "tokens.db") as store:
        async with anyio.create_task_group() as tasks:
            for number in range(2_000):
                tasks.start_soon(store.save, f"account {number}", TOKEN)
        started = time.perf_counter()
        for number in range(50):
            async with store.lock(f"account {number}"):
                await store.save(f"account {number}", TOKEN)
        print(f"{(time.perf_counter() - started) / 50 * 1000:.2f} ms a renewal")
        assert len(await store.keys()) == 2_000
