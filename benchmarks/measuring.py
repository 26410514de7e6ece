"""Rows, rounds and clocks of the measurements.

CPU time is preferred to wall time, and ratios to both: they are computed round by round, from candidates that ran next
to each other, so that a noisy machine affects both sides.
"""

from __future__ import annotations

import importlib
import importlib.util
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

import attrs

__all__ = [
    "Figure",
    "Row",
    "Samples",
    "Scale",
    "cpu",
    "import_optional",
    "interleaved",
    "is_installed",
    "median",
    "ratios",
    "row",
    "run_rounds",
]

Size = Literal["tiny", "quick", "usual", "full"]
Samples = dict[str, list[float]]


@attrs.frozen
class Scale:
    """Amount of work: "tiny" for tests, "quick" for a first look, "usual" by default, "full" for a report."""

    size: Size = "usual"

    def pick(self, tiny: int, quick: int, usual: int, full: int) -> int:
        """Return the number for the size."""
        return {"tiny": tiny, "quick": quick, "usual": usual, "full": full}[self.size]


@attrs.frozen(kw_only=True)
class Figure:
    """A target: a least or a most value."""

    least: float | None = None
    most: float | None = None

    def is_met(self, value: float) -> bool:
        """Return whether a value reaches the target."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def __str__(self) -> str:
        return f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"


@attrs.frozen(kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        concern: the letter of its benchmark.
        what: what was measured.
        unit: unit of the values.
        values: one value per round.
        ratios: ratios to the reference, one per round; empty without a reference.
        against: name of the reference.
        figure: target of the median ratio, or of the median value without a reference.
    """

    concern: str
    what: str
    unit: str
    values: tuple[float, ...]
    ratios: tuple[float, ...] = ()
    against: str = ""
    figure: Figure | None = None

    @property
    def reached(self) -> float:
        """The value that is compared with the target."""
        return median(self.ratios or self.values)

    @property
    def is_met(self) -> bool | None:
        """Whether the target was reached; None without a target."""
        return None if self.figure is None else self.figure.is_met(self.reached)


def median(values: tuple[float, ...] | list[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def ratios(numerators: list[float], denominators: list[float]) -> tuple[float, ...]:
    """Return the ratios, round by round."""
    return tuple(above / below for above, below in zip(numerators, denominators, strict=True))


def row(
    concern: str,
    what: str,
    unit: str,
    values: list[float],
    *,
    against: tuple[str, list[float]] | None = None,
    inverse: bool = False,
    figure: Figure | None = None,
) -> Row:
    """Return a row; the ratio is value by reference, or reference by value if ``inverse``."""
    if against is None:
        return Row(concern=concern, what=what, unit=unit, values=tuple(values), figure=figure)
    name, reference = against
    shares = ratios(reference, values) if inverse else ratios(values, reference)
    return Row(concern=concern, what=what, unit=unit, values=tuple(values), ratios=shares, against=name, figure=figure)


def cpu(function: Callable[[], Any], times: int = 1) -> float:
    """Return the cost of a call in microseconds of CPU time."""
    start = time.process_time_ns()
    for _ in range(times):
        function()
    return (time.process_time_ns() - start) / times / 1e3


def run_rounds(context: Mapping[str, Callable[[], float]], rounds: int) -> Samples:
    """Return the samples of candidates measured in turn, round by round; the first round is a warm-up.

    Every second round has the reverse order, so that no candidate always follows the same other.
    """
    found: Samples = {name: [] for name in context}
    for turn in range(rounds + 1):
        for name in list(context) if turn % 2 else list(context)[::-1]:
            sample = context[name]()
            if turn:
                found[name].append(sample)
    return found


async def interleaved(context: Mapping[str, Callable[[], Awaitable[float]]], rounds: int) -> Samples:
    """Return the samples as :func:`run_rounds` does, in one event loop."""
    found: Samples = {name: [] for name in context}
    for turn in range(rounds + 1):
        for name in list(context) if turn % 2 else list(context)[::-1]:
            sample = await context[name]()
            if turn:
                found[name].append(sample)
    return found


def is_installed(*names: str) -> bool:
    """Return whether references are installed; rows of missing ones are left out."""
    return all(importlib.util.find_spec(name) is not None for name in names)


def import_optional(name: str) -> Any:
    """Return an imported reference."""
    return importlib.import_module(name)
