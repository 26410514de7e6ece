"""Longest stalls of the event loop, for this tree and others: ``python -m benchmarks.stalls [--tree PATH]…``.

A program of a tree runs in an interpreter of its own, against a simulator in another process. A callback that schedules
itself measures each turn of the loop, in time that the loop's thread computes: waits for other processes of the machine
do not count, nor for a disk. The figure of a phase is the longest turn of a run, and of several runs the shortest.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

__all__ = ["PHASES", "main", "measure"]

PHASES = (
    "making the client",
    "first request",
    "renewal under a lock, token file",
    "backfill with checkpoints",
    "log-in, 200 tokens in the file",
)
HERE = Path(__file__).parent.parent

_SERVER = """
import sys
from stellantis_hal.simulator import Simulator, World, server
simulator = Simulator(World(seed=7, accounts=1, vehicles=1, trips=300))
running, listening = server(simulator)
tokens = [simulator.token_for(simulator.world.accounts[0]) for _ in range(3)]
print(simulator.url, simulator.identity_url, simulator.client_id, simulator.client_secret, flush=True)
print(*[token.access_token for token in tokens], flush=True)
print(*[token.refresh_token for token in tokens], flush=True)
running.run(sockets=[listening])
"""

_PROBE = """
import asyncio, json, sys, time
from datetime import datetime, timedelta, timezone
from functools import partial

from stellantis_hal import Application, FileTokenStore, SQLiteCheckpoints, StellantisClient, Token, backfill

url, identity_url, client_id, secret, *tokens = sys.argv[1:]
access, refresh = tokens[:3], tokens[3:]
stalls = {}


class Beat:
    def __init__(self, loop):
        self.loop, self.longest, self.last, self.on = loop, 0.0, time.thread_time(), True
        loop.call_soon(self.tick)

    def tick(self):
        now = time.thread_time()
        self.longest, self.last = max(self.longest, now - self.last), now
        if self.on:
            self.loop.call_soon(self.tick)


async def phase(name, step):
    beat = Beat(asyncio.get_running_loop())
    await asyncio.sleep(0.02)
    beat.longest = 0.0
    result = await step()
    await asyncio.sleep(0)
    beat.on = False
    stalls[name] = beat.longest * 1000
    return result


async def main():
    made = []

    async def make():
        made.append(StellantisClient(Application(client_id, secret), base_url=url, identity_url=identity_url))

    await phase("making the client", make)
    client = made[0]
    account = client.account(Token(access[0], refresh[0]), brand="peugeot")
    vehicle = await phase("first request", account.vehicles().first)
    store = FileTokenStore("tokens.json")
    await store.save("old", Token("spent", refresh[1], expires_at=datetime(2020, 1, 1, tzinfo=timezone.utc)))
    await phase("renewal under a lock, token file", client.account(store, brand="peugeot", key="old").user)

    async def read_all():
        async with SQLiteCheckpoints("history.db") as checkpoints:
            async with backfill(account, checkpoints=checkpoints) as updates:
                async for event in updates:
                    pass

    await phase("backfill with checkpoints", read_all)
    crowded = FileTokenStore("many.json")
    for number in range(200):
        await crowded.save(f"account-{number}", Token("a" * 200, "r" * 200))

    async def log_in():
        async with crowded.lock("new"):
            await crowded.save("new", Token(access[2], refresh[2]))
        await client.account(crowded, brand="peugeot", key="new").user()

    await phase("log-in, 200 tokens in the file", log_in)
    await client.aclose()


asyncio.run(main())
print(json.dumps(stalls))
"""


@contextmanager
def _served() -> Generator[list[str], None, None]:
    """Run the simulator of this tree in a process; yield what the probe gets as arguments."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        env={**os.environ, "PYTHONPATH": str(HERE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield [word for _ in range(3) for word in process.stdout.readline().split()]
    finally:
        process.kill()
        process.communicate()


def measure(tree: Path, rounds: int) -> dict[str, float]:
    """Return the longest stall of each phase in ms, for the package in a folder."""
    found: list[dict[str, float]] = []
    for _ in range(rounds):
        with _served() as arguments, tempfile.TemporaryDirectory() as folder:
            ran = subprocess.run(
                [sys.executable, "-c", _PROBE, *arguments],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(tree)},
                capture_output=True,
                text=True,
                check=True,
                timeout=120,
            )
        found.append(json.loads(ran.stdout))
    return {name: min(run[name] for run in found) for name in PHASES}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a table of Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stalls", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tree", type=Path, action="append", default=[], help="checkout to compare; repeatable")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    trees = [*options.tree, HERE]
    columns = [measure(tree, options.rounds) for tree in trees]
    print("|", *(" | ".join(["longest stall, ms", *(tree.name for tree in trees)]),), "|")
    print("|---" * (len(trees) + 1) + "|")
    for name in PHASES:
        print("|", " | ".join([name, *(f"{column[name]:.1f}" for column in columns)]), "|")


if __name__ == "__main__":
    main()
