"""Traces of the limiter's state machines: what each of a long row of calls returns, and the state after it.

The calls are drawn with a fixed seed, and instants are often those at which something changes, or the last before them.
``python -m tests.transport.rate_limit.traces`` rewrites ``traces.txt``, which has the last of each twenty steps and a
checksum of all twenty; with the name of a trace it prints each step of that one.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from tests.transport.rate_limit.shared_traces import SHARED_TRACES
from tests.transport.rate_limit.single_traces import SINGLE_TRACES
from tests.transport.rate_limit.task_traces import TASK_TRACES
from tests.transport.rate_limit.trace_steps import Trace

__all__ = ["FILE", "TRACES", "blocks", "read"]

FILE: Final = Path(__file__).with_name("traces.txt")
TRACES: Final = {**SINGLE_TRACES, **SHARED_TRACES, **TASK_TRACES}
_BLOCK: Final = 20


def blocks(trace: Trace) -> Iterator[str]:
    """Return the last step of each twenty, with a checksum of them."""
    steps = trace()
    while block := [*islice(steps, _BLOCK)]:
        yield f"{zlib.crc32(chr(10).join(block).encode()):08x} {_shortened(block[-1])}"


def _shortened(text: str, limit: int = 150) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"


def read() -> dict[str, list[str]]:
    """Return the traces in the file, by name."""
    found: dict[str, list[str]] = {}
    for part in FILE.read_text(encoding="utf-8").removesuffix("\n").split("\n\n"):
        name, *lines = part.split("\n")
        found[name.removeprefix("# ")] = lines
    return found


def main(names: list[str]) -> None:
    """Write the file, or print the traces of these names."""
    for name in names:
        print("\n".join([f"# {name}", *TRACES[name]()]))
    if not names:
        parts = ["\n".join([f"# {name}", *blocks(trace)]) for name, trace in TRACES.items()]
        FILE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
