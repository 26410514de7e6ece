"""Processes that share one rate limit, for ``stellantis-hal demo --processes``."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import attrs

from stellantis_hal.cli.processes_demo_worker import DemoWorkerSettings
from stellantis_hal.simulator import Simulator, SubscriptionLimits, World, server

__all__ = ["ProcessTally", "ProcessesDemoResult", "ProcessesDemoSettings", "find_redis", "show_processes"]

_POLL = 0.1
_START_SECONDS = 30.0
_END_SECONDS = 10.0
_KILL_AFTER = 0.4
"""Part of the time after which a process is killed."""


@attrs.frozen(kw_only=True)
class ProcessesDemoSettings:
    """Settings of the demo.

    Attributes:
        processes: number of processes.
        per_second: requests per second that the API allows.
        seconds: how long the processes send.
        seed: seed of the simulated world.
        backend: event loop of the processes.
        redis: command of a Redis server; None for the SQLite limiter.
    """

    processes: int
    per_second: int
    seconds: float
    seed: int
    backend: str = "asyncio"
    redis: str | None = None


@attrs.define
class ProcessTally:
    """What one process has reported.

    Attributes:
        responses: number of responses.
        refused: those with status 429.
        is_killed: whether the demo has killed it.
        error: its latest error; empty for none.
    """

    responses: int = 0
    refused: int = 0
    is_killed: bool = False
    error: str = ""


@attrs.frozen(kw_only=True)
class ProcessesDemoResult:
    """Result of the demo.

    Attributes:
        store: where the processes met: "redis" or "sqlite".
        processes: what each of them has reported.
        seconds: from the first response to the last.
        killed_at: second in which a process was killed; None if it did not come to that.
        after: responses that the others got after the kill.
    """

    store: str
    processes: tuple[ProcessTally, ...]
    seconds: float
    killed_at: float | None
    after: int

    @property
    def responses(self) -> int:
        """Number of responses of all processes."""
        return sum(each.responses for each in self.processes)

    @property
    def refused(self) -> int:
        """Number of responses with status 429."""
        return sum(each.refused for each in self.processes)


def find_redis() -> str | None:
    """Return the command of an installed Redis server; None without one, or without the extra ``redis``."""
    return None if find_spec("coredis") is None else shutil.which("redis-server")


def show_processes(
    settings: ProcessesDemoSettings,
    on_second: Callable[[int, tuple[ProcessTally, ...]], object],
    on_kill: Callable[[int], object],
) -> ProcessesDemoResult:
    """Let processes send under one limit, and kill one of them.

    Args:
        settings: of the demo.
        on_second: called each second with its number and what the processes have reported so far.
        on_kill: called with the number of the process that is killed.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stellantis-hal-")))
        place = str(folder / "limiter.sqlite")
        if settings.redis is not None:
            place = stack.enter_context(_redis(settings.redis, folder))
        simulator = stack.enter_context(_simulator(settings))
        tallies = tuple(ProcessTally() for _ in range(settings.processes))
        workers = [
            stack.enter_context(_worker(_settings_of(settings, simulator, place), settings.backend, tally))
            for tally in tallies
        ]
        return _watch(settings, workers, tallies, on_second, on_kill)


def _watch(
    settings: ProcessesDemoSettings,
    workers: list[subprocess.Popen[str]],
    tallies: tuple[ProcessTally, ...],
    on_second: Callable[[int, tuple[ProcessTally, ...]], object],
    on_kill: Callable[[int], object],
) -> ProcessesDemoResult:
    """Report each second, and kill the first process meanwhile."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and not all(each.responses or each.error for each in tallies):
        if all(worker.poll() is not None for worker in workers):
            break
        time.sleep(_POLL)
    started = time.monotonic()
    second, killed_at, before = 0, None, 0
    while any(worker.poll() is None for worker in workers):
        time.sleep(_POLL)
        elapsed = time.monotonic() - started
        if elapsed >= second + 1:
            second += 1
            on_second(second, tallies)
        if killed_at is None and elapsed >= settings.seconds * _KILL_AFTER:
            killed_at = elapsed
            workers[0].kill()
            tallies[0].is_killed = True
            before = sum(each.responses for each in tallies[1:])
            on_kill(1)
        if elapsed >= settings.seconds:
            break
    return ProcessesDemoResult(
        store="sqlite" if settings.redis is None else "redis",
        processes=tallies,
        seconds=time.monotonic() - started,
        killed_at=killed_at,
        after=0 if killed_at is None else sum(each.responses for each in tallies[1:]) - before,
    )


def _settings_of(settings: ProcessesDemoSettings, simulator: Simulator, place: str) -> DemoWorkerSettings:
    holder = simulator.world.accounts[0]
    return DemoWorkerSettings(
        url=simulator.url,
        identity_url=simulator.identity_url,
        client_id=simulator.client_id,
        client_secret=simulator.client_secret,
        access_token=simulator.token_for(holder).access_token,
        brand=holder.brand.upper().replace("Ë", "E"),
        store="sqlite" if settings.redis is None else "redis",
        place=place,
        per_second=settings.per_second,
        processes=settings.processes,
        seconds=settings.seconds + _START_SECONDS,  # ended before that, unless this process is killed itself
    )


@contextmanager
def _simulator(settings: ProcessesDemoSettings) -> Generator[Simulator]:
    """Serve a simulated API from a thread."""
    world = World(seed=settings.seed, accounts=1, vehicles=1, trips=0)
    simulator = Simulator(world, rate_limits=SubscriptionLimits(per_second=settings.per_second, per_day=100_000))
    running, listening = server(simulator)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield simulator
    finally:
        running.should_exit = True
        thread.join(_END_SECONDS)
        listening.close()


@contextmanager
def _redis(command: str, folder: Path) -> Generator[str]:
    """Run a Redis server that keeps nothing; yield its URL."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
    arguments = [command, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(  # noqa: S603 - the server that was found
        arguments, stdout=subprocess.DEVNULL, text=True, start_new_session=True
    )
    with _ended(process):
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(_POLL / 2)
            else:
                break
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def _worker(settings: DemoWorkerSettings, backend: str, tally: ProcessTally) -> Generator[subprocess.Popen[str]]:
    """Run a process that sends requests; count what it reports."""
    process = subprocess.Popen(  # noqa: S603 - this program itself
        [sys.executable, "-m", "stellantis_hal.cli.processes_demo_worker", backend],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # Ctrl+C is for this process, which ends all others
    )
    with _ended(process):
        reader = threading.Thread(target=_read, args=(process, tally), daemon=True)
        reader.start()
        if process.stdin is not None:
            process.stdin.write(json.dumps(attrs.asdict(settings)) + "\n")
            process.stdin.close()
        yield process
    reader.join(_END_SECONDS)


@contextmanager
def _ended(process: subprocess.Popen[str]) -> Generator[None]:
    """End a process with the block."""
    try:
        yield
    finally:
        process.kill()
        process.wait(_END_SECONDS)


def _read(process: subprocess.Popen[str], tally: ProcessTally) -> None:
    if process.stdout is None:
        return
    with process.stdout:
        for line in process.stdout:
            report = json.loads(line)
            tally.error = report.get("error", tally.error)
            tally.responses = report.get("responses", tally.responses)
            tally.refused = report.get("refused", tally.refused)
