"""A run as a table on the terminal, beside an older tree or an earlier run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.harness.numbers import number, reached
from benchmarks.harness.registry import CONCERNS
from benchmarks.harness.rows import Row, change_of, verdict_beside

__all__ = ["show"]

_COLOURS = {"reached": "green", "floor reached": "yellow", "missed": "red"}
Key = tuple[str, str]


def show(
    rows: Sequence[Row],
    console: Console,
    *,
    before: Mapping[Key, Row] | None = None,
    earlier: Mapping[Key, float] | None = None,
) -> None:
    """Print a table: least and most value, what was reached, target, verdict.

    Args:
        rows: of this tree.
        console: where to.
        before: rows of an older tree from the same run, by concern and name.
        earlier: what an earlier run has reached.
    """
    table = Table(title="medians of interleaved rounds", title_justify="left", box=box.SIMPLE)
    table.add_column("what", max_width=60)
    for name in ("least … most", "reached"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("compared with", max_width=26)
    table.add_column("target", no_wrap=True)
    if before is not None:
        table.add_column("before", justify="right", no_wrap=True)
        table.add_column("change", justify="right", no_wrap=True)
    if earlier is not None:
        table.add_column("was", justify="right", no_wrap=True)
    last = ""
    for row in rows:
        if row.concern != last:
            table.add_section()
            table.add_row(f"[bold]{CONCERNS[row.concern]}[/] ({row.concern})")
            last = row.concern
        cells = _cells(row)
        if before is not None:
            cells += _before(row, before)
        if earlier is not None:
            cells.append(_comparison(row, earlier))
        table.add_row(*cells)
    console.print(table)
    judged = [row for row in rows if row.figure is not None]
    verdicts = [(row, verdict_beside(row, (before or {}).get((row.concern, row.what)))) for row in judged]
    missed = [(row, verdict) for row, verdict in verdicts if verdict != "reached"]
    console.print(f"{len(judged) - len(missed)} of {len(judged)} targets reached")
    for row, verdict in missed:
        console.print(f"  {verdict}: {row.what}: {reached(row)}, target {row.target}")


def _cells(row: Row) -> list[str]:
    spread = f"{number(min(row.values))} … {number(max(row.values))}" if len(row.values) > 1 else number(row.values[0])
    colour = _COLOURS.get(row.verdict, "default")
    return [row.what, f"{spread} {row.unit}".strip(), f"[{colour}]{reached(row)}[/]", row.against, row.target]


def _before(row: Row, before: Mapping[Key, Row]) -> list[str]:
    was = before.get((row.concern, row.what))
    if was is None:
        return ["-", ""]
    change = change_of(row, was)
    verdict = "" if row.change is None else f" {row.change} {verdict_beside(row, was)}"
    return [reached(was), f"{change:.2f}{verdict}"]


def _comparison(row: Row, earlier: Mapping[Key, float]) -> str:
    was = earlier.get((row.concern, row.what))
    if was is None:
        return "new"
    change = f" ({row.reached / was - 1:+.0%})" if was else ""
    return f"{number(was)}{change}"
