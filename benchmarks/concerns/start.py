"""What a program waits for at its start: imports, the first trip, ``--help``.

Each runs in an interpreter of its own; the start of the interpreter is not counted, and the unit is ``import httpx`` in
the same rounds. httpx imports click, rich and Pygments where they are installed: compare runs of like environments.
Sources are compiled in a warm-up.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from typing import Any

from benchmarks.harness.in_tree import current_tree, environment
from benchmarks.harness.rounds import run_rounds
from benchmarks.harness.rows import Figure, Row, absolute, plain, relative
from benchmarks.harness.scale import Scale
from benchmarks.servers.simulated_api import SimulatedApi, serve_api

__all__ = ["HEAVY", "probe", "run"]

HEAVY = ("httpx", "aiohttp", "anyio", "attrs", "cattrs", "tenacity", "ssl", "click", "rich", "uvicorn", "trio")
"""Modules that ``import stellantis_hal`` must not load."""

_PROBE = """
import json, os, sys, time
known, start = set(sys.modules), time.process_time_ns()
{program}
spent = (time.process_time_ns() - start) / 1e6
os.write(2, json.dumps({{"ms": spent, "modules": sorted(set(sys.modules) - known)}}).encode())
"""
_HELP = """
from stellantis_hal.cli import main
sys.argv = ["stellantis-hal", "--help"]
try:
    main()
except SystemExit:
    pass
"""
_FIRST_TRIP = """
import asyncio
from stellantis_hal import Application, StellantisClient, Token

async def first_trip():
    application = Application({client_id!r}, "simulated-secret")
    async with StellantisClient(application, base_url={url!r}, identity_url={identity!r}) as client:
        vehicle = await client.account(Token({token!r}), brand={brand!r}).vehicles().first()
        assert (await vehicle.trips().first()).distance

asyncio.run(first_trip())
"""
_HTTPX = "import httpx"
_FACE, _CLIENT = "import stellantis_hal", "from stellantis_hal import StellantisClient"


def probe(program: str) -> dict[str, Any]:
    """Run a program in an interpreter of its own; return ``ms`` of CPU time and the ``modules`` that it loaded."""
    with tempfile.TemporaryDirectory() as folder:
        ran = subprocess.run(
            [sys.executable, "-c", _PROBE.format(program=program)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=True,
            cwd=folder,
            env=environment(current_tree()),
        )
    found: dict[str, Any] = json.loads(ran.stderr)
    return found


def run(scale: Scale) -> list[Row]:
    """Measure."""
    with serve_api(trips=3) as api:
        return _measure(_programs(api, scale), scale)


def _programs(api: SimulatedApi, scale: Scale) -> dict[str, str]:
    holder = api.accounts[0]
    address = {"client_id": api.client_id, "url": api.url, "identity": api.identity}
    programs = {
        _HTTPX: _HTTPX,
        _FACE: _FACE,
        _CLIENT: _CLIENT,
        "first trip": _FIRST_TRIP.format(**address, token=holder.token, brand=holder.brand),
        "stellantis-hal --help": _HELP,
    }
    if not scale.is_brief:
        trip = "from stellantis_hal.resources.trip import Trip"
        programs |= {trip: trip, "click and rich alone": "import click, rich.console"}
    return programs


def _measure(programs: Mapping[str, str], scale: Scale) -> list[Row]:
    counts: dict[str, int] = {}

    def measure(name: str) -> float:
        found = probe(programs[name])
        counts[name] = len(found["modules"])
        return float(found["ms"])

    found = run_rounds({name: partial(measure, name) for name in programs}, scale.pick(1, 5, 9, 15))
    figures = {_CLIENT: 1.2, "first trip": 2.8, "stellantis-hal --help": 0.6}
    rows = [absolute(_FACE, "ms CPU", found, _FACE, figure=Figure(most=10.0))]
    for name in programs:
        if name not in (_HTTPX, _FACE):
            figure = Figure(most=figures[name]) if name in figures else None
            rows.append(relative(name, "ms CPU", found, name, _HTTPX, figure=figure))
    if scale.is_brief:
        return rows
    rows.append(absolute(_HTTPX, "ms CPU", found, _HTTPX))
    return rows + [plain(f"{name}: modules", "", [float(count)]) for name, count in counts.items()]
