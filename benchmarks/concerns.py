"""The concerns that are measured, and their modules.

A concern's module is imported only when it runs.
"""

from __future__ import annotations

import importlib
from multiprocessing import get_context

from benchmarks.measuring import Row, Scale, Size

__all__ = ["CONCERNS", "MODULES", "run_concern", "run_isolated"]

CONCERNS = {
    "a": "a GET through the whole client",
    "b": "a page of 60 trips: bytes to typed values",
    "c": "one value, structured from a decoded body",
    "d": "documents, links, following",
    "e": "pagination at 50 ms latency",
    "f": "the limiter",
    "g": "the fleet",
    "h": "imports",
    "i": "memory",
    "j": "a GET with and without the cache",
}
MODULES = {
    "a": "client",
    "b": "pages",
    "c": "values",
    "d": "documents",
    "e": "pagination",
    "f": "limiter",
    "g": "fleet",
    "h": "imports",
    "i": "memory",
    "j": "cache",
}
_TIMEOUT = 1_800.0


def run_concern(letter: str, size: Size) -> list[Row]:
    """Run a concern in this process."""
    rows: list[Row] = importlib.import_module(f"benchmarks.{MODULES[letter]}").run(Scale(size))
    return rows


def run_isolated(letter: str, size: Size) -> list[Row]:
    """Run a concern in its own process, so that its memory and modules do not affect the next."""
    with get_context("spawn").Pool(1) as process:
        return process.apply_async(run_concern, (letter, size)).get(_TIMEOUT)
