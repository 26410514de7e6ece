"""What the demonstration looks like: a live display on a terminal, plain lines elsewhere.

Knows rich. Must not know where the numbers come from.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import attrs
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from stellantis_hal.cli.demo import DemoResult, DemoSettings, VehicleRow

__all__ = ["Screen", "as_json"]


class Screen:
    """The audience of a demonstration.

    Args:
        console: where to print; None: standard output.
        silent: whether to print nothing on the way.
    """

    def __init__(self, console: Console | None = None, *, silent: bool = False) -> None:
        self._console = Console() if console is None else console
        self._silent = silent
        self._progress: Progress | None = None
        self._task = TaskID(0)

    @contextmanager
    def following(self, plan: DemoSettings) -> Generator[None, None, None]:
        """Show the progress for the length of a block."""
        intent = (
            f"Polling {plan.vehicles} vehicles of {plan.accounts} accounts, about {plan.trips} trips, at no more than "
            f"{plan.per_second} requests a second"
        )
        if self._silent or not self._console.is_terminal:
            if not self._silent:
                self._console.print(intent, soft_wrap=True)
            yield
            return
        self._console.print(intent)
        columns = (
            SpinnerColumn(),
            TextColumn("vehicles"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[requests]} requests, {task.fields[waiting]} waiting"),
        )
        with Progress(*columns, console=self._console, transient=True) as progress:
            self._task = progress.add_task("vehicles", total=plan.vehicles, requests=0, waiting=0)
            self._progress = progress
            yield
        self._progress = None

    def read(self, line: VehicleRow) -> None:
        """Show that a vehicle has been read."""
        if self._progress is not None:
            self._progress.advance(self._task)
        elif not self._silent:
            self._console.print(" ".join((line.vin, *_cells(line))), soft_wrap=True, highlight=False)

    def answered(self, requests: int, waiting: int) -> None:
        """Show how many answers there have been, and how many tasks wait."""
        if self._progress is not None:
            self._progress.update(self._task, requests=requests, waiting=waiting)

    def show(self, report: DemoResult) -> None:
        """Print the outcome."""
        table = Table(title="The fleet", title_justify="left")
        table.add_column("VIN", no_wrap=True)
        table.add_column("Brand")
        for name in ("Trips", "km", "Last position", "Energy"):
            table.add_column(name, justify="right", no_wrap=True)
        for line in report.lines:
            table.add_row(line.vin, *_cells(line))
        self._console.print(table)
        trips, kilometres = sum(line.trips for line in report.lines), sum(line.kilometres for line in report.lines)
        left = "unknown" if report.left_today is None else f"{report.left_today:,}"
        pace = report.requests / report.seconds
        texts = [
            f"{len(report.lines)} vehicles, {trips:,} trips, {kilometres:,.0f} km",
            f"{report.requests:,} requests in {report.seconds:.1f} s: {pace:.1f} a second, {report.refused} met a 429",
            f"{report.waited:,.0f} s spent waiting for the rate limit, all tasks together; left today: {left}",
            *(f"failed: {failure}" for failure in report.failures),
        ]
        for text in texts:
            self._console.print(text, soft_wrap=True, highlight=False)


def _cells(line: VehicleRow) -> tuple[str, ...]:
    position = "unknown" if line.position is None else f"{line.position[0]:.4f}, {line.position[1]:.4f}"
    level = "unknown" if line.level is None else f"{line.level:.0f} %"
    return line.brand, f"{line.trips}", f"{line.kilometres:,.0f}", position, level


def as_json(report: DemoResult) -> dict[str, Any]:
    """Write the outcome as plain JSON."""
    return attrs.asdict(report)
