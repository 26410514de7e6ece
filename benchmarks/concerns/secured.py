"""A GET over TLS and over mutual TLS, compared with bare aiohttp over the same; handshakes are not counted."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from benchmarks.harness.optional import is_installed
from benchmarks.harness.rounds import interleaved
from benchmarks.harness.rows import Row, absolute, relative
from benchmarks.harness.scale import Scale
from benchmarks.inputs.crowd import crowd_cost
from benchmarks.inputs.gets import BARE, OURS, open_bare, open_ours
from benchmarks.servers.certificates import write_certificates
from benchmarks.servers.simulated_api import SimulatedApi, serve_api

__all__ = ["run"]

_TASKS = 10


def run(scale: Scale) -> list[Row]:
    """Measure."""
    if not is_installed("trustme"):
        return []
    rows: list[Row] = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_certificates(folder)
        for what, mutual in (("TLS", False), ("mutual TLS", True)):
            with serve_api(tls=folder, mutual=mutual) as api:
                rows += anyio.run(_measure, api, folder, what, scale)
    return rows


async def _measure(api: SimulatedApi, folder: Path, what: str, scale: Scale) -> list[Row]:
    each = scale.pick(1, 30, 50, 150)
    async with AsyncExitStack() as stack:
        gets = {
            OURS: await open_ours(stack, api, "/user", folder),
            BARE: await open_bare(stack, api, "/user", folder),
        }
        found = await interleaved(
            {name: crowd_cost(get, _TASKS, each) for name, get in gets.items()}, scale.pick(1, 3, 5, 9)
        )
    case = f"GET, {_TASKS} tasks, {what}: {OURS}"
    return [
        relative(case, "µs CPU", found, OURS, BARE),
        absolute(f"{case}, calibrated", "µs CPU", found, OURS),
    ]
