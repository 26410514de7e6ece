"""Clients used after they were closed, or in another event loop, thread or process, say so at once."""

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import anyio
import httpx
import pytest

from stellantis_hal import Account, ClosedClientError, HalClient, RateLimits, TokenBucketLimiter, WrongLoopError
from stellantis_hal.fleet import watch
from stellantis_hal.simulator import Simulator
from stellantis_hal.transport.loop_binding import LoopBinding
from tests.support.simulated import account_of, client_of, world
from tests.support.transports import ScriptedTransport

URL = "https://api.test/"
PAGE = httpx.Response(200, json={"_links": {"pages": {"href": "/1"}}, "_embedded": {"item": [{}]}})
Use = Callable[[HalClient], Awaitable[Any]]


def client(**options: Any) -> HalClient:
    return HalClient(URL, transport=ScriptedTransport(PAGE), **options)


async def list_items(used: HalClient) -> None:
    _ = [item async for item in used.follow("pages").items()]


async def enter(used: HalClient) -> None:
    async with used:
        pass


USES: dict[str, Use] = {
    "root": HalClient.reread,
    "get": lambda used: used.get(URL),
    "items": list_items,
    "enter": enter,
}


def run_in_thread(function: Callable[[], None]) -> BaseException | None:
    errors = list[BaseException]()

    def run() -> None:
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - returned
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return errors[0] if errors else None


@pytest.mark.parametrize("use", USES)
@pytest.mark.anyio
async def test_a_closed_client_says_so(use: str) -> None:
    used = client()
    async with used:
        await used.root()
    with pytest.raises(ClosedClientError, match="make a new one"):
        await USES[use](used)
    await used.aclose()


@pytest.mark.unmeasured
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(("first", "second"), [("asyncio", "asyncio"), ("trio", "trio"), ("asyncio", "trio")])
def test_a_second_event_loop_is_refused(use: str, first: str, second: str) -> None:
    used = client()
    anyio.run(used.root, backend=first)
    with pytest.raises(WrongLoopError, match=r"an earlier asyncio\.run\(\): make it anew in each loop"):
        anyio.run(USES[use], used, backend=second)


@pytest.mark.unmeasured
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_second_thread_is_refused(use: str, backend: str) -> None:
    async def main() -> None:
        used = client()
        await used.root()
        error = await anyio.to_thread.run_sync(run_in_thread, lambda: anyio.run(USES[use], used, backend=backend))
        assert isinstance(error, WrongLoopError)
        assert "make one in each thread" in str(error)
        assert isinstance(pickle.loads(pickle.dumps(error)), WrongLoopError)
        await used.reread()  # it goes on here
        await used.aclose()

    anyio.run(main, backend=backend)


def test_a_client_that_is_not_used_is_bound_to_no_loop() -> None:
    used = client()
    anyio.run(used.root, backend="trio")
    anyio.run(client().aclose)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_client_whose_loop_has_ended_is_closed_quietly(backend: str) -> None:
    used = client()
    anyio.run(used.root, backend=backend)
    anyio.run(used.aclose, backend=backend)
    with pytest.raises(ClosedClientError):
        anyio.run(used.reread, backend=backend)


def test_a_client_in_use_elsewhere_is_not_closed() -> None:
    async def main() -> None:
        used = client()
        await used.root()
        error = await anyio.to_thread.run_sync(run_in_thread, lambda: anyio.run(used.aclose))
        assert isinstance(error, WrongLoopError)
        await used.reread()

    anyio.run(main)


async def see_updates(account: Account) -> None:
    async with watch(account, every=timedelta(minutes=1)) as updates:
        async for _ in updates:
            pass


def test_an_account_and_a_watch_are_refused() -> None:
    simulator = Simulator(world())
    used = client_of(simulator)
    account = account_of(used, simulator)
    anyio.run(account.user)

    async def main() -> None:
        with pytest.raises(WrongLoopError):
            _ = [vehicle async for vehicle in account.vehicles()]
        with pytest.raises(WrongLoopError):
            await see_updates(account)

    anyio.run(main)


# ------------------------------------------------------------------------------------------- limiters


def test_a_limiter_belongs_to_one_event_loop() -> None:
    limiter = TokenBucketLimiter(RateLimits(10, None))

    async def ask() -> None:
        async with client(limiter=limiter) as used:
            await used.root()

    anyio.run(ask)
    with pytest.raises(WrongLoopError, match="this limiter"):
        anyio.run(ask)


def test_an_idle_limiter_may_be_entered_in_another_event_loop() -> None:
    limiter = TokenBucketLimiter(RateLimits(10, None))

    async def ask() -> int:
        async with limiter, client(limiter=limiter) as used:
            await used.root()
            return limiter.statistics.granted

    assert [anyio.run(ask), anyio.run(ask)] == [1, 2]


def test_a_limiter_in_use_is_not_entered_elsewhere() -> None:
    limiter = TokenBucketLimiter(RateLimits(10, None))

    async def enter_it() -> None:
        async with limiter:
            pass

    async def main() -> None:
        async with limiter.slot():
            error = await anyio.to_thread.run_sync(run_in_thread, lambda: anyio.run(enter_it))
        assert isinstance(error, WrongLoopError)

    anyio.run(main)


# ------------------------------------------------------------------------------------------- processes

FORK = """
import asyncio, os, sys
import httpx
from stellantis_hal import HalClient, WrongLoopError
from stellantis_hal.hal.json import encode

class Answer(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request):
        return httpx.Response(200, content=encode({"_links": {}}))

client = HalClient("https://api.test/", transport=Answer())
asyncio.run(client.root())
if os.fork() == 0:
    async def child():
        try:
            await client.reread()
        except WrongLoopError as error:
            await client.aclose()
            print(error, flush=True)
    asyncio.run(child())
    os._exit(0)
os.wait()
"""


@pytest.mark.unmeasured
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_fork_is_refused() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True, timeout=60)
    assert "another process, of which this one is a fork: make it after the fork" in done.stdout


def test_a_binding_is_released() -> None:
    async def main() -> None:
        binding.check()

    binding = LoopBinding("this")
    anyio.run(main)
    binding.release()
    anyio.run(main)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_another_process_is_told_apart_from_another_thread(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the fork above, whose lines are not measured."""
    binding = LoopBinding("this")

    async def check() -> None:
        binding.check()

    anyio.run(check, backend=backend)
    monkeypatch.setattr("os.getpid", lambda: -1)
    with pytest.raises(WrongLoopError, match="another process, of which this one is a fork"):
        anyio.run(check, backend=backend)
