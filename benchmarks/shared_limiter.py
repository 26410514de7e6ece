"""Limiters shared by processes against a strict sliding window: no 429, a high utilisation, through outages too.

Run it as ``python -m benchmarks.shared_limiter [--ledger redis|sqlite|none] [--seconds 30] [--processes 4]``. Several
real processes send requests by one limit to the server of ``benchmarks/limiter_wire.py``, which runs in its own process
and refuses what is beyond the limit within any second. Steady is the mean of requests served per second over all
sliding windows of 10 s, from three seconds after the first on.

Events happen after 40 % of the time: ``stop`` (Redis stands still for 3 s), ``kill`` (it is gone for 4 s, with its
data), ``restart`` (0.3 s, with an append-only file), ``flush`` (all keys are deleted), ``sigkill`` and ``sigstop`` (a
process that sends as much as it can is killed, or stands still for 5 s).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import anyio

from benchmarks.limiter_wire import utilisation
from stellantis_hal.errors import StellantisError
from stellantis_hal.navigation.fetch import Request
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimiter, RateLimits
from stellantis_hal.transport.rate_limit.redis import RedisLimiter
from stellantis_hal.transport.session import Session

__all__ = ["Result", "run"]

_ROOT = Path(__file__).parent.parent
_REDIS = shutil.which("redis-server")
_LIMIT = 100
_WARM_UP = 3.0
EVENTS = ("none", "stop", "kill", "restart", "flush", "sigkill", "sigstop")


# ------------------------------------------------------------------------------------------------- one process


def make_limiter(ledger: str, place: str, processes: int, limits: RateLimits) -> RateLimiter:
    """Return the limiter of a process."""
    if ledger == "redis":
        return RedisLimiter(place, "benchmark", limits, processes=processes)
    if ledger == "sqlite":
        from stellantis_hal.transport.rate_limit.sqlite import SQLiteLimiter

        return SQLiteLimiter(place, "benchmark", limits, processes=processes)
    return TokenBucketLimiter(limits)


async def work(options: argparse.Namespace) -> None:
    """Send requests until the time is over; print what happened."""
    limits = RateLimits(options.limit, options.per_day)
    limiter = make_limiter(options.ledger, options.place, options.processes, limits)
    errors: list[str] = []
    answers = 0
    async with limiter, Session(Origins(options.url), limiter=limiter) as session:
        fetch = session.pipeline(max_wait=30.0)

        async def ask(pause: float) -> None:
            nonlocal answers
            while True:
                try:
                    await fetch(Request(url=f"{options.url}/thing"))
                    answers += 1
                except StellantisError as error:
                    errors.append(f"{type(error).__name__}: {error}")
                    await anyio.sleep(0.5)
                await anyio.sleep(pause)

        started = time.process_time()
        async with anyio.create_task_group() as group:
            for _ in range(options.tasks):
                group.start_soon(ask, options.pause)
            await anyio.sleep(options.seconds)
            group.cancel_scope.cancel()
        used = time.process_time() - started
    print(json.dumps({"answers": answers, "errors": errors[:3], "error_count": len(errors), "cpu": used}))


# --------------------------------------------------------------------------------------------- the whole


class RedisProcess:
    """A ``redis-server`` on a port and a folder."""

    def __init__(self, folder: Path, *, append_only: bool) -> None:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            self.port: int = listening.getsockname()[1]
        self._folder = folder
        self._append_only = append_only
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        assert _REDIS is not None, "redis-server is not installed"
        command = [_REDIS, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        if self._append_only:
            command += ["--appendonly", "yes"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        if number == signal.SIGKILL:
            self._process.wait(10)

    def flush(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            connection.recv(16)


@contextmanager
def strict_server(profile: str, limit: int) -> Generator[str]:
    """Run the server in its own process; yield its URL."""
    command = [sys.executable, "-m", "benchmarks.limiter_wire", "--serve", profile, "--limit", str(limit)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


class Result(dict[str, Any]):
    """The figures of a run."""


def run(
    *,
    ledger: str,
    profile: str,
    seconds: float,
    processes: int = 4,
    load: str = "even",
    event: str = "none",
    limit: int = _LIMIT,
    per_day: int | None = None,
) -> Result:
    """Measure one run."""
    tasks: Sequence[tuple[int, float]] = [(40, 0.0)] * processes
    if load == "uneven":
        tasks = [(100, 0.0), *[(1, 0.5)] * (processes - 1)]
    before = os.getloadavg()[0]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(strict_server(profile, limit))
        redis = RedisProcess(folder, append_only=event == "restart")
        place = str(folder / "limiter.sqlite")
        if ledger == "redis":
            redis.start()
            stack.callback(redis.signal, signal.SIGKILL)
            place = redis.url
        common = {"url": url, "ledger": ledger, "place": place, "processes": processes, "seconds": seconds}
        workers = [
            _start_worker({**common, "limit": limit, "per-day": per_day, "tasks": count, "pause": pause})
            for count, pause in tasks
        ]
        time.sleep(seconds * 0.4)
        _cause(event, redis, workers[0])
        outputs = [worker.communicate(timeout=seconds + 60)[0] for worker in workers]
        figures = json.loads(urllib.request.urlopen(f"{url}/figures", timeout=10).read())
    served: list[float] = figures["served"]
    steady = [at for at in served if at >= served[0] + _WARM_UP] if served else []
    span = seconds - _WARM_UP - 1.5  # the processes start and end by themselves
    found = [json.loads(output) for output in outputs if output]
    return Result(
        ledger=ledger,
        profile=profile,
        load=load,
        event=event,
        served=len(served),
        refused=figures["refused"],
        steady=round(utilisation(steady, limit, min(10.0, span / 2), span) * limit, 1),
        least_second=_least(steady, span),
        errors=sum(each["error_count"] for each in found),
        first_errors=[error for each in found for error in each["errors"]][:2],
        cpu_ms=round(1000 * sum(each["cpu"] for each in found) / max(1, len(served)), 2),
        machine_load=f"{before:.1f}-{os.getloadavg()[0]:.1f}",
    )


def _least(served: list[float], span: float) -> int:
    """Return the fewest requests served in a second that begins at a whole second."""
    if not served:
        return 0
    counts = [0] * max(1, int(span))
    for at in served:
        if (second := int(at - served[0])) < len(counts):
            counts[second] += 1
    return min(counts)


def _start_worker(values: Mapping[str, object]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.shared_limiter", "--work"]
    for name, value in values.items():
        if value is not None:
            command += [f"--{name}", str(value)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT)


def _cause(event: str, redis: RedisProcess, worker: subprocess.Popen[str]) -> None:
    """Cause an event."""
    pauses: dict[str, tuple[Callable[[], None], float, Callable[[], None]]] = {
        "stop": (lambda: redis.signal(signal.SIGSTOP), 3.0, lambda: redis.signal(signal.SIGCONT)),
        "kill": (lambda: redis.signal(signal.SIGKILL), 4.0, redis.start),
        "restart": (lambda: redis.signal(signal.SIGKILL), 0.3, redis.start),
        "flush": (redis.flush, 0.0, lambda: None),
        "sigkill": (worker.kill, 0.0, lambda: None),
        "sigstop": (
            lambda: worker.send_signal(signal.SIGSTOP),
            5.0,
            lambda: worker.send_signal(signal.SIGCONT),
        ),
    }
    if event in pauses:
        begin, seconds, end = pauses[event]
        begin()
        time.sleep(seconds)
        end()


def main() -> None:
    """Measure the runs that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ledger", default="redis")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--limit", type=int, default=_LIMIT)
    parser.add_argument("--profiles", default="J1,J2,J3")
    parser.add_argument("--loads", default="even,uneven")
    parser.add_argument("--events", default="none")
    parser.add_argument("--per-day", type=int, default=None)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    for name, kind in (("url", str), ("place", str), ("tasks", int), ("pause", float)):
        parser.add_argument(f"--{name}", type=kind, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        anyio.run(work, options)
        return
    for event in options.events.split(","):
        for load in options.loads.split(","):
            for profile in options.profiles.split(","):
                result = run(
                    ledger=options.ledger,
                    profile=profile,
                    seconds=options.seconds,
                    processes=options.processes,
                    load=load,
                    event=event,
                    limit=options.limit,
                    per_day=options.per_day,
                )
                print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
