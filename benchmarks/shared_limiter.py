"""Limiters shared by processes against a strict sliding window: no 429, a high utilisation, through outages too.

Run it as ``python -m benchmarks.shared_limiter [--ledger redis|sqlite|none] [--seconds 30] [--processes 4]``. Several
real processes send requests by one limit to the strict server, which runs in its own process
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
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.harness.in_tree import HERE, command, current_tree
from benchmarks.servers.redis import RedisProcess
from benchmarks.servers.strict_api import read_figures, serve_strict, utilisation

__all__ = ["Result", "run"]

_LIMIT = 100
_WARM_UP = 3.0
EVENTS = ("none", "stop", "kill", "restart", "flush", "sigkill", "sigstop")


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
        url = stack.enter_context(serve_strict(profile, limit))
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
        figures = read_figures(url)
    served = figures.served
    steady = [at for at in served if at >= served[0] + _WARM_UP] if served else []
    span = seconds - _WARM_UP - 1.5  # the processes start and end by themselves
    found = [json.loads(output) for output in outputs if output]
    return Result(
        ledger=ledger,
        profile=profile,
        load=load,
        event=event,
        served=len(served),
        refused=figures.refused,
        steady=round(utilisation(steady, limit, min(10.0, span / 2), span) * limit, 1),
        least_second=_least(steady, span),
        errors=sum(each["error_count"] for each in found),
        first_errors=[error for each in found for error in each["errors"]][:2],
        cpu_ms=round(1000 * sum(each["cpu"] for each in found) / max(1, len(served)), 2),
        machine_load=f"{before:.1f}-{os.getloadavg()[0]:.1f}",
    )


def _least(served: Sequence[float], span: float) -> int:
    """Return the fewest requests served in a second that begins at a whole second."""
    if not served:
        return 0
    counts = [0] * max(1, int(span))
    for at in served:
        if (second := int(at - served[0])) < len(counts):
            counts[second] += 1
    return min(counts)


def _start_worker(values: Mapping[str, object]) -> subprocess.Popen[str]:
    options = [f"--{name}={value}" for name, value in values.items() if value is not None]
    words = command(current_tree(), "benchmarks.limit_user", *options)
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=HERE)


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
    options = parser.parse_args()
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
