"""The judged rows as tables of Markdown, in place of those between the markers of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.harness.numbers import reached
from benchmarks.harness.rows import Row, change_of, verdict_beside

__all__ = ["BEGIN", "END", "replace_between", "short_table", "whole_table", "write_pages"]

BEGIN = "<!-- figures of `python -m benchmarks --brief --write`: begin -->"
END = "<!-- figures: end -->"
_SHORT = ("requests", "crowds", "pages", "memory", "start", "fleet_news")
"""Concerns whose rows are in the short table."""
Key = tuple[str, str]


def short_table(rows: Sequence[Row], heading: str, before: Mapping[Key, Row] | None = None) -> str:
    """Return the table of the README: a choice of rows, and how many targets are missed in all."""
    judged = [row for row in rows if row.figure is not None]
    missed = sum(verdict_beside(row, (before or {}).get((row.concern, row.what))) != "reached" for row in judged)
    lines = ["| measured | compared with | reached | target | |", "|---|---|---|---|---|"]
    lines += [_line(row) for row in judged if row.concern in _SHORT]
    return "\n".join([heading, "", *lines, "", f"{len(judged) - missed} of {len(judged)} targets are reached."])


def whole_table(rows: Sequence[Row], heading: str, before: Mapping[Key, Row] | None = None) -> str:
    """Return the table of all judged rows; with the figures of an older tree where one ran beside."""
    judged = [row for row in rows if row.figure is not None]
    if before is None:
        head = ["| measured | compared with | reached | target | |", "|---|---|---|---|---|"]
        return "\n".join([heading, "", *head, *map(_line, judged)])
    head = ["| measured | compared with | before | reached | change | target | |", "|---|---|---|---|---|---|---|"]
    return "\n".join([heading, "", *head, *(_line_beside(row, before.get((row.concern, row.what))) for row in judged)])


def _line(row: Row) -> str:
    return f"| {row.what} | {row.against} | {reached(row)} | {row.target} | {_verdict(row.verdict)} |"


def _line_beside(row: Row, was: Row | None) -> str:
    if was is None:
        return f"| {row.what} | {row.against} | - | {reached(row)} | | {row.target} | {_verdict(row.verdict)} |"
    change = change_of(row, was)
    target = row.target if row.change is None else f"{row.change} of before"
    verdict = _verdict(verdict_beside(row, was))
    cells = (row.what, row.against, reached(was), reached(row), f"{change:.2f}", target, verdict)
    return f"| {' | '.join(cells)} |"


def _verdict(verdict: str) -> str:
    return verdict if verdict == "reached" else f"**{verdict}**"


def replace_between(text: str, table: str) -> str:
    """Return a page with a table in place of what is between its markers.

    Raises:
        ValueError: the page has not one pair of markers.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(END) < text.index(BEGIN):
        raise ValueError(f"the page needs one line {BEGIN!r}, and below it one line {END!r}")
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}"


def write_pages(root: Path, rows: Sequence[Row], heading: str, before: Mapping[Key, Row] | None = None) -> None:
    """Write the tables of the README and of the page about performance.

    Raises:
        ValueError: a page has not one pair of markers; no page was changed.
    """
    pages = {
        root / "README.md": short_table(rows, heading, before),
        root / "docs" / "explanation" / "performance.md": whole_table(rows, heading, before),
    }
    texts = {path: replace_between(path.read_text(encoding="utf-8"), table) for path, table in pages.items()}
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
