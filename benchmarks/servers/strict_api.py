"""The strict server within a block, and how much of its limit was used."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import attrs

from benchmarks.servers.process import serve

__all__ = ["StrictFigures", "read_figures", "serve_strict", "utilisation"]


@attrs.frozen(kw_only=True)
class StrictFigures:
    """Times of the served requests, ascending, and the number of refused ones."""

    served: Sequence[float]
    refused: int


@contextmanager
def serve_strict(profile: str, limit: int) -> Generator[str]:
    """Run the strict server in its own process within the block; yield its URL."""
    with serve("benchmarks.servers.strict", profile=profile, limit=limit) as url:
        yield url


def read_figures(url: str) -> StrictFigures:
    """Return the figures of a strict server."""
    with urllib.request.urlopen(f"{url}/figures", timeout=10) as response:
        return StrictFigures(**json.loads(response.read()))


def utilisation(served: Sequence[float], limit: int, window: float, seconds: float) -> float:
    """Return the mean share of the limit that was served, over sliding windows 10 ms apart.

    ``served`` are the times of the served requests, ascending; without any, the utilisation is 0.
    """
    if not served:
        return 0.0
    start, end = served[0], served[0] + seconds
    shares: list[float] = []
    first = last = 0
    at = start
    while at + window <= end:
        while first < len(served) and served[first] < at:
            first += 1
        while last < len(served) and served[last] < at + window:
            last += 1
        shares.append((last - first) / (limit * window))
        at += 0.01
    return sum(shares) / len(shares)
