"""(h) ``import stellantis_hal``: time, modules loaded, modules that must not be loaded; the same for the whole client.

Each import runs in its own interpreter; the time is CPU time of the import alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measuring import Figure, Row, Scale, row, run_rounds

__all__ = ["HEAVY", "measure_import", "run"]

HEAVY = ("httpx", "aiohttp", "anyio", "attrs", "cattrs", "tenacity", "ssl", "click", "rich", "uvicorn", "trio")
"""Modules that ``import stellantis_hal`` must not load."""

_PROBE = """
import json, sys, time
known, start = set(sys.modules), time.process_time_ns()
{statement}
spent = (time.process_time_ns() - start) / 1e6
print(json.dumps({{"ms": spent, "modules": sorted(set(sys.modules) - known)}}))
"""


def measure_import(statement: str) -> dict[str, Any]:
    """Run an import statement in its own interpreter; return ``ms`` of CPU time and the ``modules`` loaded."""
    root = Path(__file__).parent.parent
    command = [sys.executable, "-c", _PROBE.format(statement=statement)]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True, cwd=root).stdout)
    return found


def run(scale: Scale) -> list[Row]:
    """Measure."""
    statements = {
        "import stellantis_hal": "import stellantis_hal",
        "from stellantis_hal import StellantisClient": "from stellantis_hal import StellantisClient",
        "from stellantis_hal.resources.trip import Trip": "from stellantis_hal.resources.trip import Trip",
        "import httpx": "import httpx",
    }
    counts: dict[str, int] = {}

    def measure(name: str) -> float:
        found = measure_import(statements[name])
        counts[name] = len(found["modules"])
        return float(found["ms"])

    found = run_rounds({name: partial(measure, name) for name in statements}, scale.pick(1, 3, 7, 15))
    reference = ("import httpx", found["import httpx"])
    rows: list[Row] = []
    for name, values in found.items():
        figure = Figure(most=10.0) if name == "import stellantis_hal" else None
        against = None if figure or name == "import httpx" else reference
        rows.append(row("h", name, "ms CPU", values, against=against, figure=figure))
        rows.append(row("h", f"{name}: modules", "", [float(counts[name])]))
    return rows
