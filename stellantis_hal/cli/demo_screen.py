"""Terminal output of the demo: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import attrs
from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from stellantis_hal.cli.demo import DemoResult, DemoSettings, DemoVehicleRow

__all__ = ["BrokenPipeRaisingConsole", "DemoOutput", "to_json"]


_UNLIMITED = 10_000
_COLUMNS = ("VIN", "Brand", "Trips", "km", "Last position", "Energy")


class BrokenPipeRaisingConsole(Console):
    """A console that raises where its pipe is closed, instead of ending the process inside a task."""

    def on_broken_pipe(self) -> None:
        raise  # noqa: PLE0704 - called where the error is handled


class DemoOutput:
    """Prints progress and result of the demo.

    Args:
        console: where to print; None for standard output.
        silent: whether to print no progress.
    """

    def __init__(self, console: Console | None = None, *, silent: bool = False) -> None:
        self._console = BrokenPipeRaisingConsole() if console is None else console
        self._silent = silent
        self._progress: Progress | None = None
        self._task = TaskID(0)

    @contextmanager
    def show_progress(self, settings: DemoSettings) -> Generator[None, None, None]:
        """Show the progress within the block."""
        title = (
            f"Polling {settings.vehicles} cars of {settings.accounts} accounts, about {settings.trips} trips, "
            f"at most {settings.per_second} requests per second"
        )
        if self._silent or not self._console.is_terminal:
            if not self._silent:
                self._console.print(title, soft_wrap=True)
            yield
            return
        self._console.print(title)
        columns = (
            SpinnerColumn(),
            TextColumn("vehicles"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[requests]} requests, {task.fields[waiting]} waiting"),
        )
        with Progress(*columns, console=self._console, transient=True) as progress:
            self._task = progress.add_task("vehicles", total=settings.vehicles, requests=0, waiting=0)
            self._progress = progress
            yield
        self._progress = None

    def on_vehicle(self, row: DemoVehicleRow) -> None:
        """Advance the progress by a car."""
        if self._progress is not None:
            self._progress.advance(self._task)
        elif not self._silent:
            self._console.print(" ".join((row.vin, *_cells(row))), soft_wrap=True, highlight=False)

    def on_response(self, requests: int, waiting: int) -> None:
        """Show the number of responses and of waiting tasks."""
        if self._progress is not None:
            self._progress.update(self._task, requests=requests, waiting=waiting)

    def show(self, result: DemoResult) -> None:
        """Print the result."""
        table = Table(title="The fleet", title_justify="left")
        for number, name in enumerate(_COLUMNS):
            table.add_column(name, justify="left" if number < 2 else "right", no_wrap=True)
        for row in result.rows:
            table.add_row(row.vin, *_cells(row))
        unlimited = self._console.options.update(max_width=_UNLIMITED)
        if Measurement.get(self._console, unlimited, table).maximum <= self._console.width:
            self._console.print(table)
        else:
            self._print_blocks(result)
        trips, kilometres = sum(row.trips for row in result.rows), sum(row.kilometres for row in result.rows)
        left = "unknown" if result.left_today is None else f"{result.left_today:,}"
        pace = result.requests / result.seconds
        texts = [
            f"{len(result.rows)} cars, {trips:,} trips, {kilometres:,.0f} km",
            f"{result.requests:,} requests in {result.seconds:.1f} s: {pace:.1f} per second, {result.refused} with 429",
            f"{result.waited:,.0f} s waited for the rate limit, all tasks together; requests left today: {left}",
            *(f"failed: {failure}" for failure in result.failures),
        ]
        for text in texts:
            self._console.print(text, soft_wrap=True, highlight=False)

    def _print_blocks(self, result: DemoResult) -> None:
        """Print the table one cell in a line, for a terminal that is too narrow for it."""
        for row in result.rows:
            self._console.print(row.vin, soft_wrap=True, highlight=False)
            for name, cell in zip(_COLUMNS[1:], _cells(row), strict=True):
                self._console.print(f"  {name}: {cell}", soft_wrap=True, highlight=False)


def _cells(row: DemoVehicleRow) -> tuple[str, ...]:
    position = "unknown" if row.position is None else f"{row.position[0]:.4f}, {row.position[1]:.4f}"
    level = "unknown" if row.level is None else f"{row.level:.0f} %"
    return row.brand, f"{row.trips}", f"{row.kilometres:,.0f}", position, level


def to_json(result: DemoResult) -> dict[str, Any]:
    """Return the result as JSON values."""
    return attrs.asdict(result)
