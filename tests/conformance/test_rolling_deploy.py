"""Workers of one service that are replaced one after the other, while trips and notifications arrive."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import anyio
import anyio.to_thread
import httpx
import pytest

from stellantis_hal import Brand, PostgresCheckpoints, Token, parse_notification
from stellantis_hal.credentials.stores.opening import token_store
from stellantis_hal.simulator import Simulator, SubscriptionLimits, World, server
from tests.conformance.killing import serving
from tests.conformance.processes import free_port
from tests.conformance.redis_server import COREDIS_LEAVES_STREAMS
from tests.notifications.bodies import body, monitor_message

pytestmark = [pytest.mark.wall_clock, pytest.mark.conformance, COREDIS_LEAVES_STREAMS]

PATH, TOKEN = "/st/k3Jx0v", "s3cr3t"
ACCOUNTS, CARS, PER_SECOND = 4, 8, 40


class Ledger:
    """The refresh tokens that the identity server has issued and taken, when each request came, and for which paths."""

    def __init__(self) -> None:
        self.issued: list[str] = []
        self.spent: Counter[str] = Counter()
        self.requests: list[float] = []
        self.answered: set[str] = set()

    def watching(self, application: Any) -> Any:
        async def noted(scope: Any, receive: Any, send: Any) -> None:
            self.requests.append(time.monotonic())
            if scope["type"] != "http" or not scope["path"].endswith("access_token"):
                await application(scope, receive, send)
                self.answered.add(scope.get("path", ""))
                return
            received, sent = bytearray(scope["query_string"] + b"&"), bytearray()

            async def take() -> Any:
                message = await receive()
                received.extend(message.get("body", b""))
                return message

            async def give(message: Any) -> None:
                sent.extend(message.get("body", b""))
                await send(message)

            await application(scope, take, give)
            self.spent.update(parse_qs(received.decode()).get("refresh_token", []))
            self.issued += [found] if (found := json.loads(sent).get("refresh_token")) else []

        return noted

    @property
    def live(self) -> set[str]:
        """The tokens that were issued and not spent."""
        return set(self.issued) - set(self.spent)


class Deployment:
    """The workers, and what they have written."""

    def __init__(self, simulator: Simulator, engine: str, place: str, redis: str, folder: Path) -> None:
        self.ledger = Ledger()
        self.place = place
        self.output = folder / "output"
        self.output.touch()
        self.errors = folder / "errors"
        self.running: list[tuple[subprocess.Popen[bytes], int]] = []
        self.settings: dict[str, Any] = {
            "engine": engine,
            "place": place,
            "redis": redis,
            "inbox": str(folder / "inbox.db"),
            "output": str(self.output),
            "path": PATH,
            "token": TOKEN,
            "per_second": PER_SECOND,
            "client_id": simulator.client_id,
            "client_secret": simulator.client_secret,
            "url": simulator.url,
            "identity_url": simulator.identity_url,
            "accounts": [
                {"key": each.key, "brand": next(brand.name for brand in Brand if brand.realm == each.realm)}
                for each in simulator.world.accounts
            ],
        }

    def written(self, kind: str) -> list[str]:
        lines = [line.split(" ", 2) for line in self.output.read_text().splitlines()]
        return [line[-1] for line in lines if line[1] == kind]

    async def until(self, is_so: Callable[[], bool], seconds: float, describe: Callable[[], str] = str) -> None:
        """Wait for other processes."""
        with anyio.move_on_after(seconds):
            while not is_so():  # noqa: ASYNC110
                await anyio.sleep(0.05)
        assert is_so(), describe() + self.errors.read_text()

    async def start(self) -> None:
        port, before = free_port(), len(self.written("ready"))
        with self.errors.open("ab") as errors:
            process = subprocess.Popen(  # noqa: ASYNC220 - it does not wait for the process
                [sys.executable, "-m", "tests.conformance.deploy_worker"], stdin=subprocess.PIPE, stderr=errors
            )
        self.running.append((process, port))
        assert process.stdin is not None
        process.stdin.write(json.dumps({**self.settings, "port": port}).encode())
        process.stdin.close()
        await self.until(lambda: len(self.written("ready")) > before or process.poll() is not None, 120)
        assert process.poll() is None, self.errors.read_text()

    async def end_oldest(self) -> None:
        """End the oldest worker as a supervisor does, once its successor is there."""
        process, _ = self.running.pop(0)
        process.send_signal(signal.SIGTERM)
        with anyio.fail_after(60):
            assert await anyio.to_thread.run_sync(process.wait) == 0, self.errors.read_text()

    async def kill_oldest(self) -> None:
        """Kill the oldest worker, at a time at which no renewed token is on its way to the store."""
        process, _ = self.running[0]
        async with token_store(self.place) as store:  # type: ignore[union-attr]
            with anyio.fail_after(60):
                while True:
                    process.send_signal(signal.SIGSTOP)
                    tokens = [await store.load(each["key"]) for each in self.settings["accounts"]]
                    if {token.refresh_token for token in tokens if token is not None} == self.ledger.live:
                        break
                    process.send_signal(signal.SIGCONT)
                    await anyio.sleep(0.2)
        self.running.pop(0)
        process.kill()
        process.wait()

    async def deliver(self, client: httpx.AsyncClient, content: bytes) -> None:
        """Deliver a notification to the workers in turn, until one has taken it."""
        while True:
            for _, port in self.running[::-1]:
                try:
                    if (await client.post(f"http://127.0.0.1:{port}{PATH}", content=content)).status_code == 200:
                        return
                except httpx.HTTPError:
                    continue
            await anyio.sleep(0.05)


@asynccontextmanager
async def deployed(engine: str, folder: Path) -> AsyncGenerator[tuple[Simulator, Deployment], None]:
    """Run a simulator whose tokens live for seconds, and the servers of an engine."""
    world = World(seed=11, accounts=ACCOUNTS, vehicles=CARS, trips=CARS)
    simulator = Simulator(world, rate_limits=SubscriptionLimits(PER_SECOND, 100_000_000), token_lifetime=4.0)
    running, listening = server(simulator)
    with ExitStack() as stack:
        place = stack.enter_context(serving(engine, folder))
        redis = place if engine == "redis" else stack.enter_context(serving("redis", folder))
        if engine == "postgres":
            async with PostgresCheckpoints(place) as checkpoints:
                await checkpoints.create_schema()
        deployment = Deployment(simulator, engine, place, redis, folder)
        running.config.app = deployment.ledger.watching(running.config.app)
        async with token_store(place) as store:  # type: ignore[union-attr]
            for account in world.accounts:
                issued = simulator.token_for(account)
                token = Token(issued.access_token, issued.refresh_token, expires_at=issued.expires_at)
                await store.save(account.key, token)
                deployment.ledger.issued.append(issued.refresh_token)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: running.serve(sockets=[listening]))
            try:
                yield simulator, deployment
            finally:
                for process, _ in deployment.running:
                    process.kill()
                    process.wait()
                running.should_exit = True


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # uvicorn knows this one only
@pytest.mark.parametrize("engine", ["postgres", "redis"])
async def test_a_rolling_deploy_loses_and_doubles_nothing(engine: str, tmp_path: Path) -> None:
    """A kill may deliver the event in hand again; the end of a worker none."""
    async with deployed(engine, tmp_path) as (simulator, deployment):
        cars = [vehicle.id for vehicle in simulator.world.vehicles]
        driven: list[str] = []
        raised: list[str] = []

        async def drive() -> None:
            while True:
                driven.append(simulator.world.add_trip(cars[len(driven) % CARS]).id)
                await anyio.sleep(0.1)

        async def notify(client: httpx.AsyncClient) -> None:
            while True:
                content = body(monitor_message(len(raised)))
                await deployment.deliver(client, content)
                raised.append(parse_notification(content)[0].id)
                await anyio.sleep(0.04)

        def missing() -> tuple[set[str], set[str]]:
            stored = {key.split("/")[2] for key in deployment.written("trip")}
            return set(raised) - set(deployment.written("note")), set(driven) - stored

        def describe() -> str:
            notes, trips = missing()
            return (
                f"missing: {len(notes)} of {len(raised)} notifications {sorted(notes)[:9]}, "
                f"{len(trips)} of {len(driven)} trips {[(driven.index(each), each) for each in sorted(trips)[:9]]}; "
                f"others: {deployment.written('other')}, errors: {deployment.written('error')}; "
            )

        async def disturbed(replace: Callable[[], Awaitable[None]]) -> None:
            async with httpx.AsyncClient(trust_env=False) as client, anyio.create_task_group() as tasks:
                tasks.start_soon(drive)
                tasks.start_soon(notify, client)
                await anyio.sleep(1)
                await replace()
                await anyio.sleep(1)
                tasks.cancel_scope.cancel()
            await deployment.until(lambda: missing() == (set(), set()), 120, describe)

        async def replace_both() -> None:
            for _ in range(2):
                await deployment.start()
                await deployment.end_oldest()

        async def replace_one_by_a_kill() -> None:
            await deployment.kill_oldest()
            await deployment.start()

        for _ in range(2):
            await deployment.start()
        # What a car had driven before its first poll is not new.
        await deployment.until(
            lambda: (
                {car for car in cars for path in deployment.ledger.answered if f"/{car}/trips" in path} == set(cars)
            ),
            120,
            lambda: f"polled: {sorted(deployment.ledger.answered)}; ",
        )
        await anyio.sleep(1)  # and stored
        await disturbed(replace_both)
        for kind in ("note", "trip"):
            assert max(Counter(deployment.written(kind)).values()) == 1, kind
        await disturbed(replace_one_by_a_kill)
        for kind in ("note", "trip"):
            assert sum(count - 1 for count in Counter(deployment.written(kind)).values()) <= 1, kind
        assert deployment.written("error") == []
        assert deployment.written("other") == []
        assert max(deployment.ledger.spent.values()) == 1
        assert len(deployment.ledger.spent) > ACCOUNTS
        assert simulator.statistics.refused == 0
        pauses = [after - before for before, after in pairwise(deployment.ledger.requests)]
        assert max(pauses) < 15.0  # on a machine that does other things
        assert "Traceback" not in deployment.errors.read_text()
        print(engine, len(driven), "trips", len(raised), "notifications", max(pauses), simulator.statistics)
