"""(f) The limiter: cost of a token, and behaviour against a strict server.

Costs are those of ``benchmarks/limiter_core.py``, compared with aiolimiter and pyrate-limiter while tokens are free.
Against the server of ``benchmarks/limiter_wire.py`` (100 requests within any second, counted on arrival) the clients
run in their own processes, several at a time: a limit of 100 per second leaves the machine idle.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import anyio

from benchmarks import limiter_core, limiter_wire
from benchmarks.measuring import Figure, Row, Scale, import_optional, is_installed, row, run_rounds

__all__ = ["run"]

_ROOT = Path(__file__).parent.parent
_MIN_SECONDS = 15
_LIMIT = 100
_PEERS = {"aiolimiter": "aiolimiter", "pyrate-limiter": "pyrate_limiter"}


def run(scale: Scale) -> list[Row]:
    """Measure."""
    rows = _costs(scale)
    seconds = scale.pick(3, 5, 15, 30)
    profiles = ("J1",) if scale.size == "tiny" else ("J1", "J2", "J3")
    rows += _backend([["benchmarks.limiter_wire", "--profiles", name] for name in profiles], seconds, "ours")
    slow = [("S2", 10)] if scale.size == "tiny" else [("S2", 10), ("L2", 10), ("S5", 5), ("L5", 5)]
    commands = [["benchmarks.limiter_wire", "--profiles", name, "--limit", str(limit)] for name, limit in slow]
    rows += _backend(commands, seconds, "ours, slow answers", least=0.88)
    peers = [["benchmarks.limiter", "--peer", name] for name, module in _PEERS.items() if is_installed(module)]
    return rows + (_backend(peers, min(seconds, 10), "") if peers else [])


# ------------------------------------------------------------------------------------------------- costs


def _costs(scale: Scale) -> list[Row]:
    ours: dict[str, tuple[Callable[[], float], Figure | None]] = {
        "synchronous core, free": (limiter_core.core, Figure(most=3.0)),
        "synchronous core, 10,000 waiting": (lambda: anyio.run(limiter_core.dispatch_waiting), Figure(most=15.0)),
        "a whole slot(), free": (lambda: anyio.run(limiter_core.slot), Figure(most=10.0)),
        "the day's window alone": (limiter_core.day, None),
    }
    context = {name: measure for name, (measure, _) in ours.items()}
    peers = {"aiolimiter": _aiolimiter, "pyrate-limiter": _pyrate}
    for name, make in peers.items():
        if is_installed(_PEERS[name]):
            context[f"{name}, free"] = partial(_run, make)
    found = run_rounds(context, scale.pick(1, 3, 5, 9))
    slot = ("a whole slot(), free", found["a whole slot(), free"])
    rows = [row("f", name, "µs/token", found[name], figure=figure) for name, (_, figure) in ours.items()]
    rows += [row("f", name, "µs/token", found[name], against=slot) for name in found if name not in ours]
    return rows


def _run(make: Callable[[int], Callable[[], Awaitable[Any]]]) -> float:
    return anyio.run(_free, make)


async def _free(make: Callable[[int], Callable[[], Awaitable[Any]]]) -> float:
    acquire = make(1_000_000)
    await acquire()
    times = 5_000
    start = time.process_time()
    for _ in range(times):
        await acquire()
    return (time.process_time() - start) / times * 1e6


def _aiolimiter(per_second: int) -> Callable[[], Awaitable[Any]]:
    acquire: Callable[[], Awaitable[Any]] = import_optional("aiolimiter").AsyncLimiter(per_second, 1.0).acquire
    return acquire


def _pyrate(per_second: int) -> Callable[[], Awaitable[Any]]:
    module = import_optional("pyrate_limiter")
    bucket = module.InMemoryBucket([module.Rate(per_second, module.Duration.SECOND)])
    limiter = module.Limiter(bucket)
    return lambda: limiter.try_acquire_async("requests")


# ------------------------------------------------------------------------------------------------- the wire


def _backend(commands: list[list[str]], seconds: int, whose: str, *, least: float = 0.97) -> list[Row]:
    started = [
        subprocess.Popen(
            [sys.executable, "-m", *command, "--seconds", str(seconds)], stdout=subprocess.PIPE, text=True, cwd=_ROOT
        )
        for command in commands
    ]
    # All are waited for before any is judged: a killed process would leave its server running.
    outputs = [process.communicate(timeout=seconds + 60)[0] for process in started]
    rows: list[Row] = []
    for line in outputs:
        name, _, text = line.partition(" ")
        figures = json.loads(text)
        title = f"strict server, {whose or 'peer'}, {name}"
        none = Figure(most=0) if whose else None
        use = Figure(least=least) if whose and seconds >= _MIN_SECONDS else None  # the start dominates a short run
        rows.append(row("f", f"{title}: utilisation", "", [figures["utilisation"]], figure=use))
        rows.append(row("f", f"{title}: 429s of {figures['served']}", "", [figures["429"]], figure=none))
    return rows


@contextmanager
def _server(profile: str) -> Generator[str]:
    command = [sys.executable, "-m", "benchmarks.limiter_wire", "--serve", profile, "--limit", str(_LIMIT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


async def _peer(name: str, url: str, seconds: float) -> dict[str, float]:
    """Send requests by 1,000 tasks with a peer's limiter and aiohttp; return the server's figures."""
    make = {"aiolimiter": _aiolimiter, "pyrate-limiter": _pyrate}[name]
    acquire = make(_LIMIT)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_LIMIT)) as session:

        async def ask() -> None:
            while True:
                await acquire()
                async with session.get(f"{url}/thing") as response:
                    await response.read()

        async with anyio.create_task_group() as group:
            for _ in range(1000):
                group.start_soon(ask)
            await anyio.sleep(seconds)
            group.cancel_scope.cancel()
        async with session.get(f"{url}/figures") as response:
            figures = json.loads(await response.read())
    served = figures["served"]
    used = limiter_wire.utilisation(served, _LIMIT, min(10.0, seconds / 3), seconds)
    return {"served": len(served), "429": figures["refused"], "utilisation": used}


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    with _server("J1") as url:
        figures = anyio.run(_peer, options.peer, url, options.seconds)
    print(f"J1,{options.peer}", json.dumps(figures))


if __name__ == "__main__":
    _main()
