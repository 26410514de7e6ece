"""Terminal output of the demo of several processes: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table

from stellantis_hal.cli.demo_screen import BrokenPipeRaisingConsole
from stellantis_hal.cli.processes_demo import ProcessesDemoResult, ProcessesDemoSettings, ProcessTally

__all__ = ["ProcessesScreen"]

_NAMES = {"redis": "a Redis server", "sqlite": "an SQLite file"}


class ProcessesScreen:
    """Prints what the processes report.

    Args:
        console: where to print; None for standard output.
        silent: whether to print no progress.
    """

    def __init__(self, console: Console | None = None, *, silent: bool = False) -> None:
        self._console = BrokenPipeRaisingConsole() if console is None else console
        self._silent = silent
        self._live: Live | None = None
        self._before: tuple[int, ...] = ()

    @contextmanager
    def show_progress(self, settings: ProcessesDemoSettings) -> Generator[None]:
        """Show the progress within the block."""
        self._before = (0,) * settings.processes
        if self._silent:
            yield
            return
        store = _NAMES["sqlite" if settings.redis is None else "redis"]
        self._print(
            f"{settings.processes} processes share {settings.per_second} requests per second by {store} "
            f"for {settings.seconds:g} s"
        )
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, transient=True, auto_refresh=False) as self._live:
            yield
        self._live = None

    def on_second(self, second: int, tallies: tuple[ProcessTally, ...]) -> None:
        """Show what each process got in this second."""
        gains = [each.responses - before for each, before in zip(tallies, self._before, strict=True)]
        self._before = tuple(each.responses for each in tallies)
        refused = sum(each.refused for each in tallies)
        if self._live is not None:
            self._live.update(_table(second, tallies, gains, refused), refresh=True)
        elif not self._silent:
            shares = " + ".join("-" if each.is_killed else str(gain) for each, gain in zip(tallies, gains, strict=True))
            self._print(f"{second} s: {shares} = {sum(gains)}, {refused} with 429")

    def on_kill(self, number: int) -> None:
        """Say that a process is killed."""
        if not self._silent:
            self._print(f"process {number} is killed: what it held returns to the others within 5 s")

    def show(self, settings: ProcessesDemoSettings, result: ProcessesDemoResult) -> None:
        """Print the result."""
        pace = result.responses / result.seconds if result.seconds else 0.0
        self._print(
            f"{result.responses} responses in {result.seconds:.1f} s: {pace:.1f} per second of "
            f"{settings.per_second}, {result.refused} with 429"
        )
        for number, each in enumerate(result.processes, start=1):
            end = f", killed after {result.killed_at:.1f} s" if each.is_killed else ""
            self._print(f"  process {number}: {each.responses}{end}")
            if each.error:
                self._print(f"  process {number} failed: {each.error}")
        if result.killed_at is not None:
            left = max(result.seconds - result.killed_at, 0.1)
            self._print(f"after the kill, the others got {result.after / left:.1f} responses per second")

    def _print(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)


def _table(second: int, tallies: tuple[ProcessTally, ...], gains: list[int], refused: int) -> Table:
    table = Table(title=f"second {second}", title_justify="left")
    for name in ("process", "per s", "all", "429"):
        table.add_column(name, justify="right")
    for number, (each, gain) in enumerate(zip(tallies, gains, strict=True), start=1):
        state = "killed" if each.is_killed else str(gain)
        table.add_row(str(number), state, str(each.responses), str(each.refused))
    table.add_row("all", str(sum(gains)), str(sum(each.responses for each in tallies)), str(refused))
    return table
