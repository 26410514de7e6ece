"""Nothing blocks the event loop, from the log-in to the export, as blockbuster sees it on asyncio."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import anyio.to_thread
import httpx
import pytest
from blockbuster import BlockingError, blockbuster_ctx

from stellantis_hal import (
    Application,
    FileLimiterStore,
    FileTokenStore,
    RateLimits,
    Scope,
    SQLiteCache,
    SQLiteCheckpoints,
    StellantisClient,
    TokenBucketLimiter,
    Update,
    trip_writer,
    watch,
)
from stellantis_hal.simulator import Simulator, World
from stellantis_hal.simulator.serving.uvicorn_server import server

pytestmark = [pytest.mark.wall_clock, pytest.mark.unmeasured]

REDIRECT = "https://example.org/back"
TRIPS = 40


@contextmanager
def served(simulator: Simulator) -> Generator[None]:
    """Serve in a thread: the event loop under test is the client's alone."""
    running, listening = server(simulator)
    thread = threading.Thread(target=partial(running.run, sockets=[listening]))
    thread.start()
    try:
        yield
    finally:
        running.should_exit = True
        thread.join()


async def _log_in(client: StellantisClient, simulator: Simulator, store: FileTokenStore) -> None:
    enrolment = client.enrolment(brand="peugeot", store=store)
    authorization = enrolment.begin(redirect_uri=REDIRECT, scope=list(Scope))
    async with httpx.AsyncClient(transport=simulator.transport()) as browser:
        answer = await browser.get(authorization.url)
    await enrolment.complete(authorization, answer.headers["location"], key="alice")


async def _walk(simulator: Simulator, folder: Path) -> int:
    """Log in, read, watch and export with every store that keeps files; return how many trips were written."""
    store = FileTokenStore(folder / "tokens.json")
    limiter = TokenBucketLimiter(
        RateLimits(1_000, 100_000), store=FileLimiterStore(folder / "limiter.json"), save_every=0.0
    )
    written = 0
    async with (
        SQLiteCache(folder / "cache.db") as cache,
        SQLiteCheckpoints(folder / "fleet.db") as checkpoints,
        limiter,
        StellantisClient(
            Application(simulator.client_id, simulator.client_secret),
            base_url=simulator.url,
            identity_url=simulator.identity_url,
            limiter=limiter,
            cache=cache,
            clock=simulator.now,
        ) as client,
    ):
        await _log_in(client, simulator, store)
        simulator.expire_tokens()  # the first request renews it, under the lock of its account
        account = client.account(store, brand="peugeot", key="alice")
        async for vehicle in account.vehicles():
            await vehicle.status()
        writer = await anyio.to_thread.run_sync(trip_writer, str(folder / "trips.csv"))
        async with watch(
            account, every=timedelta(minutes=5), since=simulator.now() - timedelta(days=9_000), checkpoints=checkpoints
        ) as updates:
            async for event in updates:
                if isinstance(event, Update) and event.trip is not None:
                    await anyio.to_thread.run_sync(writer.write, event)
                    written += 1
                    if written == TRIPS:
                        break
        await anyio.to_thread.run_sync(writer.close)
        assert await store.keys() == ("alice",)
    return written


def test_nothing_blocks_the_event_loop(tmp_path: Path) -> None:
    simulator = Simulator(World(seed=7, accounts=1, vehicles=1, trips=TRIPS))
    with served(simulator), blockbuster_ctx(scanned_modules=["stellantis_hal"]):
        assert asyncio.run(_walk(simulator, tmp_path), debug=True) == TRIPS


def test_a_blocking_call_would_be_seen(tmp_path: Path) -> None:
    """The writer of trips is synchronous: in a coroutine it is called in a thread."""

    async def body() -> None:
        with blockbuster_ctx(scanned_modules=["stellantis_hal"]), pytest.raises(BlockingError, match="os"):
            trip_writer(str(tmp_path / "trips.csv"))

    asyncio.run(body())


LOADED = """
import asyncio
import sys
import threading

import stellantis_hal

url, identity_url, client_id, secret, access, refresh = sys.argv[1:]
application = stellantis_hal.Application(client_id, secret)
stellantis_hal.Token, stellantis_hal.RateLimits, stellantis_hal.StellantisClient
loaded = []


class Finder:
    def find_spec(self, name, path=None, target=None):
        if threading.current_thread() is threading.main_thread():
            loaded.append(name)


async def main():
    client = stellantis_hal.StellantisClient(application, base_url=url, identity_url=identity_url)
    account = client.account(stellantis_hal.Token(access, refresh), brand="peugeot")
    for finders in ([], [Finder()]):
        sys.meta_path[:0] = finders
        vehicle = await account.vehicles().first()
        await vehicle.status()
        await vehicle.trips().collect(limit=3)
    sys.meta_path.pop(0)
    await client.aclose()


asyncio.run(main())
print(*loaded)
"""


def test_no_module_is_loaded_after_a_first_reading(tmp_path: Path) -> None:
    """The first one of each kind loads its classes; worker threads load the backend and the settings of TLS."""
    simulator = Simulator(World(seed=7, accounts=1, vehicles=1, trips=TRIPS))
    with served(simulator):
        issued = simulator.token_for(simulator.world.accounts[0])
        names = [simulator.url, simulator.identity_url, simulator.client_id, simulator.client_secret]
        ran = subprocess.run(
            [sys.executable, "-c", LOADED, *names, issued.access_token, issued.refresh_token or ""],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert (ran.stderr, ran.stdout.split()) == ("", [])
