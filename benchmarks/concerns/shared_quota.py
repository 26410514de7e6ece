"""A limit that four processes share, against a strict server: no 429, through an outage of Redis too.

The runs are those of ``python -m benchmarks.shared_limiter``, which has more of them. Those of the three profiles of
delays take place at the same time, as each leaves the machine idle.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from typing import Any

from benchmarks.harness.optional import is_installed, leave_out
from benchmarks.harness.rounds import one_round
from benchmarks.harness.rows import Figure, Row, plain
from benchmarks.harness.scale import Scale
from benchmarks.servers.redis import REDIS
from benchmarks.shared_limiter import run as run_shared

__all__ = ["run"]

_OUTAGE = {"profile": "J1", "event": "kill"}
_MIN_SECONDS = 15


def run(scale: Scale) -> list[Row]:
    """Measure."""
    if REDIS is None:
        leave_out("redis-server is not installed")
        return []
    if not is_installed("coredis"):
        return []
    import_module("stellantis_hal.transport.rate_limit.redis")  # a tree without it has no rows
    seconds = scale.pick(8, 20, 25, 40)
    profiles = ("J1",) if scale.size == "tiny" else ("J1", "J2", "J3")
    groups: list[dict[str, dict[str, Any]]] = [{name: {"profile": name} for name in profiles}]
    if scale.size != "tiny":
        groups.append({"J1, Redis gone for 4 s": _OUTAGE})
    if not scale.is_brief:
        groups.append({f"{name}, SQLite": {"profile": name, "ledger": "sqlite"} for name in profiles})
    return [row for group in groups for row in _run_group(group, seconds)]


def _run_group(group: Mapping[str, dict[str, Any]], seconds: float) -> list[Row]:
    with one_round(), ThreadPoolExecutor(len(group)) as threads:
        started = {
            name: threads.submit(partial(run_shared, **{"ledger": "redis", "seconds": seconds, **options}))
            for name, options in group.items()
        }
    rows: list[Row] = []
    least = Figure(least=94) if seconds >= _MIN_SECONDS else None  # the start dominates a shorter run
    for name, future in started.items():
        result, what = future.result(), f"4 processes, strict server, {name}"
        is_judged = "SQLite" not in name
        rows += [
            plain(f"{what}: served", "per s", [result["steady"]], figure=least if is_judged else None),
            plain(f"{what}: 429s", "", [result["refused"]], figure=Figure(most=0)),
        ]
    return rows
