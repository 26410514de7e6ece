"""The file of a run; the format is described in ``benchmarks/results/README.md``."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.harness.rows import Row

__all__ = ["FORMAT", "load", "machine", "save", "to_json"]

FORMAT = 2
_LIBRARIES = (
    "aiohttp",
    "httpx",
    "httpx-aiohttp",
    "orjson",
    "msgspec",
    "pydantic",
    "trio",
    "aiolimiter",
    "pyrate-limiter",
)


def machine() -> str:
    """Return what the figures were measured on."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def to_json(trees: Sequence[tuple[Path, Sequence[Row]]], *, size: str, seconds: float, load: float) -> dict[str, Any]:
    """Return a run as JSON values.

    Args:
        trees: rows by tree, that of the benchmarks first.
        size: of the run.
        seconds: that it took.
        load: of the machine before it, as processes that wanted to run.
    """
    return {
        "format": FORMAT,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "load": round(load, 2),
        "libraries": {name: version for name in _LIBRARIES if (version := _version(name)) is not None},
        "size": size,
        "seconds": round(seconds, 1),
        "trees": [{"commit": _commit(tree), "rows": [_row(row) for row in rows]} for tree, rows in trees],
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "concern": row.concern,
        "what": row.what,
        "unit": row.unit,
        "values": row.values,
        "ratios": row.ratios,
        "calibrated": row.calibrated,
        "against": row.against,
        "target": None if row.figure is None else str(row.figure),
        "floor": None if row.floor is None else str(row.floor),
        "reached": row.reached,
        "verdict": row.verdict or None,
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _commit(tree: Path) -> str | None:
    """Return the commit that a tree is a checkout of; None if it is none."""
    try:
        found = subprocess.run(
            ["git", "-C", str(tree), "describe", "--always", "--dirty"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()


def save(run: Mapping[str, Any], folder: Path) -> Path:
    """Write a run's file, named by its time, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{run['at'].replace(':', '').replace('+0000', 'Z')}.json"
    path.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def load(path: Path) -> dict[tuple[str, str], float]:
    """Return what the first tree of an earlier run has reached, by concern and row.

    Raises:
        ValueError: the file has another format.
    """
    run = json.loads(path.read_text(encoding="utf-8"))
    if run.get("format") != FORMAT:
        raise ValueError(
            f"{path} has format {run.get('format', 1)}, not {FORMAT}: measure its commit again by --against"
        )
    return {(row["concern"], row["what"]): float(row["reached"]) for row in run["trees"][0]["rows"]}
