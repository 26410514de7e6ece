"""A run as a table and as a file, compared with an earlier one."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.concerns import CONCERNS
from benchmarks.measuring import Row, median

__all__ = ["load", "readme_table", "save", "show", "to_json"]

_LIBRARIES = ("aiohttp", "httpx", "httpx-aiohttp", "orjson", "msgspec", "pydantic", "aiolimiter", "pyrate-limiter")


def to_json(rows: Sequence[Row], *, size: str, seconds: float) -> dict[str, Any]:
    """Return a run as JSON values."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "libraries": {name: version for name in _LIBRARIES if (version := _version(name)) is not None},
        "size": size,
        "seconds": round(seconds, 1),
        "rows": [
            {
                "concern": row.concern,
                "what": row.what,
                "unit": row.unit,
                "values": row.values,
                "ratios": row.ratios,
                "against": row.against,
                "figure": None if row.figure is None else str(row.figure),
                "reached": row.reached,
                "met": row.is_met,
            }
            for row in rows
        ],
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def save(run: dict[str, Any], folder: Path) -> Path:
    """Write a run's file, named by its time, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{run['at'].replace(':', '').replace('+0000', 'Z')}.json"
    path.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def load(path: Path) -> dict[tuple[str, str], float]:
    """Return the values of an earlier run, by concern and row."""
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return {(row["concern"], row["what"]): float(row["reached"]) for row in rows}


def show(rows: Sequence[Row], console: Console, earlier: dict[tuple[str, str], float] | None = None) -> None:
    """Print a table: median, least and most value, ratio to the reference, target."""
    table = Table(
        title="medians (least … most); ratios of the same run, round by round", title_justify="left", box=box.SIMPLE
    )
    table.add_column("")
    table.add_column("what", max_width=64)
    for name in ("value", "least … most", "ratio"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("to")
    table.add_column("figure", justify="right", no_wrap=True)
    if earlier is not None:
        table.add_column("was", justify="right", no_wrap=True)
    last = ""
    for row in rows:
        if row.concern != last:
            table.add_section()
            table.add_row(row.concern, f"[bold]{CONCERNS[row.concern]}[/]")
            last = row.concern
        table.add_row(*_cells(row), *([] if earlier is None else [_comparison(row, earlier)]))
    console.print(table)
    judged = [row for row in rows if row.figure is not None]
    missed = [row for row in judged if not row.is_met]
    console.print(f"{len(judged) - len(missed)} of {len(judged)} figures reached")
    for row in missed:
        console.print(f"  missed: ({row.concern}) {row.what}: {row.reached:.3g}, to reach {row.figure}")


def readme_table(run: Mapping[str, Any]) -> str:
    """Return the ratios with a target as a table for the README, with date and machine."""
    lines = ["| measured | compared with | ratio | target |", "|---|---|---|---|"]
    lines += [
        f"| {row['what']} | {row['against']} | {row['reached']:.2f} | {row['figure']} |"
        for row in run["rows"]
        if row["ratios"] and row["figure"]
    ]
    return "\n".join([f"{run['at'][:10]}, {run['machine']}:", "", *lines])


def _cells(row: Row) -> list[str]:
    spread = f"{_number(min(row.values))} … {_number(max(row.values))}" if len(row.values) > 1 else ""
    ratio = f"{median(row.ratios):.2f}" if row.ratios else ""
    verdict = "" if row.figure is None else f"[{'green' if row.is_met else 'red'}]{row.figure}[/]"
    return ["", row.what, f"{_number(median(row.values))} {row.unit}".strip(), spread, ratio, row.against, verdict]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"


def _comparison(row: Row, earlier: dict[tuple[str, str], float]) -> str:
    was = earlier.get((row.concern, row.what))
    if was is None:
        return "new"
    change = f" ({row.reached / was - 1:+.0%})" if was else ""
    return f"{was:.3g}{change}"
