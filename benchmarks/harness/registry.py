"""The concerns that are measured; the name of each is that of its module in ``benchmarks.concerns``.

A concern's module is imported only when it runs.
"""

from __future__ import annotations

import importlib

import attrs

from benchmarks.harness.rows import Row
from benchmarks.harness.scale import Scale, Size

__all__ = ["CONCERNS", "JUDGED", "run_concern"]

CONCERNS = {
    "requests": "a GET through the whole client, on asyncio with `speed`",
    "crowds": "the same GET by crowds of tasks",
    "latency": "the same GET, how long the slowest take",
    "own_layers": "a GET over a transport in memory: the layers of this package alone",
    "trio_requests": "a GET through the whole client, on trio",
    "without_speed": "requests and pages without the extra `speed`",
    "secured": "a GET over TLS and mutual TLS",
    "compressed": "a GET of a gzip body",
    "limited": "requests while the limit binds",
    "cache": "a GET with and without the cache",
    "pages": "a page of 60 trips: bytes to typed values",
    "values": "one body: bytes to a typed value",
    "documents": "documents, links, following",
    "pagination": "pagination at 50 ms latency",
    "limiter": "the limiter: cost of a token",
    "strict_limit": "the limiter against a strict server",
    "shared_quota": "a limit shared by four processes, against a strict server",
    "fleet": "a watched fleet, asleep",
    "fleet_news": "a watched fleet, with news",
    "start": "imports and first results",
    "memory": "typed trips held",
    "long_walk": "a walk over many trips",
    "renewals": "a renewed token saved, by store and number of accounts",
    "event_stores": "events into and out of stores",
}
JUDGED = (
    "requests",
    "crowds",
    "own_layers",
    "pages",
    "values",
    "documents",
    "pagination",
    "limiter",
    "strict_limit",
    "shared_quota",
    "fleet",
    "fleet_news",
    "start",
    "memory",
    "long_walk",
    "renewals",
)
"""Concerns with a target."""


def run_concern(name: str, size: Size) -> list[Row]:
    """Run a concern in this process."""
    module = importlib.import_module(f"benchmarks.concerns.{name}")
    return [attrs.evolve(row, concern=name) for row in module.run(Scale(size))]
