"""Rows, rounds and clocks: how everything here is measured.

Knows how to repeat ways of doing a thing in turn, and what a figure to be reached is. Must not know what is measured.
CPU time comes before wall time, and ratios before both: they are taken round by round, from ways that ran next to each
other, so that a noisy machine moves both sides of them.
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
    "in_turn",
    "installed",
    "interleaved",
    "median",
    "optional",
    "ratios",
    "row",
]

Size = Literal["tiny", "quick", "usual", "full"]
Samples = dict[str, list[float]]


@attrs.frozen
class Scale:
    """How much is done: "tiny" shows that it runs, "quick" is a glance, "usual" the default, "full" for a report."""

    size: Size = "usual"

    def pick(self, tiny: int, quick: int, usual: int, full: int) -> int:
        """Choose a number by the size."""
        return {"tiny": tiny, "quick": quick, "usual": usual, "full": full}[self.size]


@attrs.frozen(kw_only=True)
class Figure:
    """What is to be reached: at least so much, or at most."""

    least: float | None = None
    most: float | None = None

    def is_met(self, value: float) -> bool:
        """Tell whether a value reaches it."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def __str__(self) -> str:
        return f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"


@attrs.frozen(kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        concern: the letter of its benchmark.
        what: was done.
        unit: of the values.
        values: one for each round.
        ratios: to the reference, round by round; empty for a reference itself.
        against: the reference's name.
        figure: to be reached by the ratio's median where there is a reference, else by the values'.
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
        """What the figure is held against."""
        return median(self.ratios or self.values)

    @property
    def is_met(self) -> bool | None:
        """Whether the figure was reached; None where there is none."""
        return None if self.figure is None else self.figure.is_met(self.reached)


def median(values: tuple[float, ...] | list[float]) -> float:
    """Give the median."""
    return statistics.median(values)


def ratios(numerators: list[float], denominators: list[float]) -> tuple[float, ...]:
    """Divide round by round."""
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
    """Make a row; the ratio is value by reference, or the other way round."""
    if against is None:
        return Row(concern=concern, what=what, unit=unit, values=tuple(values), figure=figure)
    name, reference = against
    shares = ratios(reference, values) if inverse else ratios(values, reference)
    return Row(concern=concern, what=what, unit=unit, values=tuple(values), ratios=shares, against=name, figure=figure)


def cpu(act: Callable[[], Any], times: int = 1) -> float:
    """Measure what doing a thing costs, in microseconds of CPU."""
    start = time.process_time_ns()
    for _ in range(times):
        act()
    return (time.process_time_ns() - start) / times / 1e3


def in_turn(context: Mapping[str, Callable[[], float]], rounds: int) -> Samples:
    """Let each way measure itself in turn, round after round; the first round warms up and is forgotten.

    Every second round goes backwards, so that nobody always comes after the same other.
    """
    found: Samples = {name: [] for name in context}
    for turn in range(rounds + 1):
        for name in list(context) if turn % 2 else list(context)[::-1]:
            sample = context[name]()
            if turn:
                found[name].append(sample)
    return found


async def interleaved(context: Mapping[str, Callable[[], Awaitable[float]]], rounds: int) -> Samples:
    """Do as :func:`in_turn`, in one event loop."""
    found: Samples = {name: [] for name in context}
    for turn in range(rounds + 1):
        for name in list(context) if turn % 2 else list(context)[::-1]:
            sample = await context[name]()
            if turn:
                found[name].append(sample)
    return found


def installed(*names: str) -> bool:
    """Tell whether references are there; rows of those that are not are left out."""
    return all(importlib.util.find_spec(name) is not None for name in names)


def optional(name: str) -> Any:
    """Import a reference."""
    return importlib.import_module(name)
