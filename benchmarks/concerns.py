"""What is measured, and by which module.

Knows the letters. Must not know how a concern is measured: that is its module's, imported only when it runs.
"""

from __future__ import annotations

import importlib
from multiprocessing import get_context

from benchmarks.measuring import Row, Scale, Size

__all__ = ["CONCERNS", "MODULES", "alone", "measured"]

CONCERNS = {
    "a": "a GET through the whole client",
    "b": "a page of 60 trips: bytes to typed values",
    "c": "one value, structured from a decoded body",
    "d": "documents, links, steps",
    "e": "paging at 50 ms latency",
    "f": "the limiter",
    "g": "the fleet",
    "h": "imports",
    "i": "memory",
}
MODULES = {
    "a": "through_client",
    "b": "pages",
    "c": "values",
    "d": "documents",
    "e": "walks",
    "f": "limits",
    "g": "fleets",
    "h": "imports",
    "i": "memory",
}
_LONGEST = 1_800.0


def measured(letter: str, size: Size) -> list[Row]:
    """Run one concern, here."""
    rows: list[Row] = importlib.import_module(f"benchmarks.{MODULES[letter]}").run(Scale(size))
    return rows


def alone(letter: str, size: Size) -> list[Row]:
    """Run one concern in a process of its own, so that none leaves its memory or its modules to the next."""
    with get_context("spawn").Pool(1) as process:
        return process.apply_async(measured, (letter, size)).get(_LONGEST)
