"""Workers that watch one fleet and are killed, stopped, and ended: what is stored, how often, and how soon.

``python -m tests.conformance.killing postgres --seconds 60 --trips 600 --kills 4`` prints the figures.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import attrs

from stellantis_hal import Brand
from stellantis_hal.simulator import Simulator, SubscriptionLimits, World, server
from tests.conformance.postgres_server import PostgresServer
from tests.conformance.redis_server import RedisServer

__all__ = ["Result", "run", "serving"]

WORKERS = 3
ALWAYS = ("--appendonly", "yes", "--appendfsync", "always")


@attrs.frozen(kw_only=True)
class Result:
    """What came of it.

    Attributes:
        trips: trips that were made.
        stored: trips that were stored.
        duplicates: ids that were stored more than once, in a run with kills.
        after_hand_over: ids that were stored more than once in the part without kills.
        delays: seconds from each kill or stop until each vehicle of that worker was polled by another one.
    """

    trips: int
    stored: int
    duplicates: int
    after_hand_over: int
    delays: tuple[float, ...]

    def __str__(self) -> str:
        delays = sorted(self.delays)
        figures = f"p50 {statistics.median(delays):.2f} s, max {delays[-1]:.2f} s" if delays else "none"
        return (
            f"{self.stored} of {self.trips} trips stored, {self.duplicates} duplicates after kills, "
            f"{self.after_hand_over} after clean hand-overs; next poll of a lost worker's vehicles: {figures} "
            f"({len(delays)} vehicles)"
        )


@contextmanager
def serving(engine: str, folder: Path) -> Generator[str, None, None]:
    """Run the server of an engine; yield where it is."""
    if engine == "sqlite":
        yield str(folder / "fleet.db")
    elif engine == "postgres":
        database = PostgresServer()
        try:
            database.start()
            yield database.dsn
        finally:
            database.remove()
    else:
        redis = RedisServer(folder, ALWAYS)
        redis.start()
        try:
            yield redis.url
        finally:
            redis.kill()


class Workers:
    """Worker processes, and the polls that each of them made."""

    def __init__(
        self, simulator: Simulator, engine: str, place: str, folder: Path, *, shards: int, every: float
    ) -> None:
        self.simulator = simulator
        self.engine = engine
        self.output = folder / "stored"
        self.output.touch()
        self.settings: dict[str, Any] = {
            "engine": engine,
            "place": place,
            "name": f"fleet {folder}",
            "shards": shards,
            "every": every,
            "output": str(self.output),
            "client_id": simulator.client_id,
            "client_secret": simulator.client_secret,
            "url": simulator.url,
            "identity_url": simulator.identity_url,
        }
        self.running: list[subprocess.Popen[bytes]] = []
        self.worker_of: dict[str, int] = {}
        self.polls: list[tuple[float, int, str]] = []
        self.errors = folder / "errors"

    def start(self) -> None:
        accounts = []
        tokens = []
        for account in self.simulator.world.accounts:
            token = self.simulator.token_for(account).access_token
            tokens.append(token)
            accounts.append(
                {
                    "key": account.key,
                    "brand": next(brand.name for brand in Brand if brand.realm == account.realm),
                    "token": token,
                }
            )
        with self.errors.open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.conformance.fleet_worker"], stdin=subprocess.PIPE, stderr=errors
            )
        assert process.stdin is not None
        process.stdin.write(json.dumps({**self.settings, "accounts": accounts}).encode())
        process.stdin.close()
        for token in tokens:
            self.worker_of[f"Bearer {token}"] = process.pid
        self.running.append(process)

    def watching(self, application: Any) -> Any:
        """Return an ASGI application that notes which worker polled which vehicle."""

        async def noted(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http" and scope["path"].endswith("/trips"):
                token = dict(scope["headers"]).get(b"authorization", b"").decode()
                self.polls.append((time.monotonic(), self.worker_of.get(token, 0), scope["path"].split("/")[-2]))
            await application(scope, receive, send)

        return noted

    def owned(self, worker: int, at: float) -> set[str]:
        """Return the vehicles that a worker polled last, before an instant."""
        last = {vehicle: by for polled_at, by, vehicle in self.polls if polled_at < at}
        return {vehicle for vehicle, by in last.items() if by == worker}

    def delays(self, worker: int, at: float) -> list[float]:
        """Return the seconds after which others polled the vehicles of a worker that was lost."""
        vehicles = self.owned(worker, at)
        found: dict[str, float] = {}
        for polled_at, by, vehicle in self.polls:
            if polled_at >= at and by != worker and vehicle in vehicles:
                found.setdefault(vehicle, polled_at - at)
        return [found.get(vehicle, 999.0) for vehicle in vehicles]

    def has_stored(self, trips: list[str]) -> bool:
        stored = self.stored()
        return all(any(f"/trips/{id_}/" in key for key in stored) for id_ in trips)

    def stored(self) -> Counter[str]:
        return Counter(line.split(" ", 1)[1] for line in self.output.read_text().splitlines() if line)


async def run(
    engine: str,
    folder: Path,
    *,
    seconds: float,
    trips: int,
    kills: int,
    stops: int = 0,
    vehicles: int = 12,
    shards: int = 12,
    every: float = 0.5,
    log: Callable[[str], None] = lambda text: None,
) -> Result:
    """Run three workers, make trips, kill a worker now and then, and return what was stored."""
    world = World(seed=11, accounts=vehicles, vehicles=vehicles, trips=vehicles)
    simulator = Simulator(world, rate_limits=SubscriptionLimits(5_000, 100_000_000), epoch=datetime.now(UTC))
    running, listening = server(simulator)
    with serving(engine, folder) as place:
        if engine == "postgres":
            from stellantis_hal import PostgresCheckpoints

            async with PostgresCheckpoints(place) as store:
                await store.create_schema()
        workers = Workers(simulator, engine, place, folder, shards=shards, every=every)
        running.config.app = workers.watching(running.config.app)
        results: list[Result] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: running.serve(sockets=[listening]))
            try:
                results.append(
                    await _course(
                        workers, seconds=seconds, trips=trips, kills=kills, stops=stops, vehicles=vehicles, log=log
                    )
                )
            finally:
                for process in workers.running:
                    process.kill()
                    process.wait()
                running.should_exit = True
        return results[0]


async def _course(  # noqa: PLR0915 - one course of events
    workers: Workers, *, seconds: float, trips: int, kills: int, stops: int, vehicles: int, log: Callable[[str], None]
) -> Result:
    ids = [vehicle.id for vehicle in workers.simulator.world.vehicles]
    for _ in range(WORKERS):
        workers.start()
    with anyio.fail_after(120):
        while len({vehicle for _, _, vehicle in workers.polls}) < vehicles:  # noqa: ASYNC110 - of other processes
            await anyio.sleep(0.05)
    await anyio.sleep(3)
    made: list[str] = []

    async def drive(count: int, within: float) -> None:
        for number in range(count):
            trip = workers.simulator.world.add_trip(ids[(len(made) + number) % len(ids)])
            made.append(trip.id)
            await anyio.sleep(within / count)

    async def settle() -> None:
        with anyio.move_on_after(120):
            while not workers.has_stored(made[-vehicles:]):  # noqa: ASYNC110 - of other processes
                await anyio.sleep(0.1)
        await anyio.sleep(2)

    lost: list[tuple[float, int]] = []
    frozen: list[subprocess.Popen[bytes]] = []

    async def disturb() -> None:
        for number in range(kills + stops):
            await anyio.sleep(seconds / (kills + stops + 1))
            victim = workers.running.pop(0)
            lost.append((time.monotonic(), victim.pid))
            if number < kills:
                victim.kill()
                victim.wait()
                await anyio.sleep(1.0)
                workers.start()
                log(f"killed {victim.pid}")
            else:
                victim.send_signal(signal.SIGSTOP)
                log(f"stopped {victim.pid}")
                await anyio.sleep(min(8.0, seconds / 2))
                victim.send_signal(signal.SIGCONT)
                workers.running.append(victim)
                frozen.append(victim)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(disturb)
        await drive(trips, seconds)
    await settle()
    disturbed = workers.stored()

    # Clean hand-overs: each worker in turn is ended and started again, while trips go on.
    async def renew() -> None:
        for _ in range(WORKERS):
            victim = workers.running.pop(0)
            if victim.poll() is None:
                victim.send_signal(signal.SIGTERM)
                with anyio.fail_after(60):
                    await anyio.to_thread.run_sync(victim.wait)
            workers.start()
            await anyio.sleep(1.5)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(renew)
        await drive(trips // 4, min(12.0, seconds))
    await settle()
    stored = workers.stored()
    return Result(
        trips=len(made),
        stored=sum(any(f"/trips/{id_}/" in key for key in stored) for id_ in made),
        duplicates=sum(count > 1 for count in disturbed.values()),
        after_hand_over=sum(count > 1 and disturbed[key] < count for key, count in stored.items()),
        delays=tuple(delay for at, pid in lost for delay in workers.delays(pid, at)),
    )


def _main() -> None:
    import tempfile

    parser = argparse.ArgumentParser()
    parser.add_argument("engine", choices=["sqlite", "postgres", "redis"])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--trips", type=int, default=600)
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--stops", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:

        async def measure() -> Result:
            return await run(
                options.engine,
                Path(folder),
                seconds=options.seconds,
                trips=options.trips,
                kills=options.kills,
                stops=options.stops,
                log=print,
            )

        try:
            print(options.engine, anyio.run(measure))
        finally:
            print((Path(folder) / "errors").read_text()[-3000:])
        print("load", os.getloadavg())


if __name__ == "__main__":
    _main()
