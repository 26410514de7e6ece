"""Rows of the table and their targets."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence

import attrs

from benchmarks.harness.calibration import CALIBRATION, calibrated

__all__ = ["Figure", "Row", "absolute", "change_of", "plain", "ratios", "relative", "verdict_beside"]


def _floats(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(values)


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
        concern: the name of its benchmark.
        what: what was measured.
        unit: unit of the values.
        values: one value per round, as measured.
        ratios: ratios to the reference, one per round; empty without a reference.
        calibrated: the values at the speed of the machine of the targets; empty beside ``ratios``, and where the value
            is no time.
        against: name of the reference.
        figure: target of the median of what is compared: ratios, else calibrated values, else values.
        floor: an earlier target, which must not be lost.
        change: target of the values by those of an older tree, which replaces ``figure`` where that runs beside.
    """

    concern: str = ""
    what: str
    unit: str
    values: tuple[float, ...] = attrs.field(converter=_floats)
    ratios: tuple[float, ...] = attrs.field(default=(), converter=_floats)
    calibrated: tuple[float, ...] = attrs.field(default=(), converter=_floats)
    against: str = ""
    figure: Figure | None = None
    floor: Figure | None = None
    change: Figure | None = None

    @property
    def compared(self) -> tuple[float, ...]:
        """What is compared with the target, one per round."""
        return self.ratios or self.calibrated or self.values

    @property
    def reached(self) -> float:
        """The value that is compared with the target."""
        return statistics.median(self.compared)

    @property
    def is_met(self) -> bool | None:
        """Whether the target was reached; None without a target."""
        return None if self.figure is None else self.figure.is_met(self.reached)

    @property
    def verdict(self) -> str:
        """``reached``, ``floor reached`` (the earlier target alone) or ``missed``; empty without a target."""
        if self.figure is None:
            return ""
        if self.is_met:
            return "reached"
        return "floor reached" if self.floor is not None and self.floor.is_met(self.reached) else "missed"

    @property
    def target(self) -> str:
        """The target, and the earlier one behind it."""
        return f"{self.figure or ''}{'' if self.floor is None else f' (floor {self.floor})'}"

    @property
    def is_ratio(self) -> bool:
        """Whether what is compared is a ratio."""
        return bool(self.ratios)


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> tuple[float, ...]:
    """Return the ratios, round by round."""
    return tuple(above / below for above, below in zip(numerators, denominators, strict=True))


def change_of(row: Row, before: Row) -> float:
    """Return the values of a row by those of the same row of another tree: the median of interleaved rounds."""
    pairs = zip(row.values, before.values, strict=False)  # a tree may end with fewer rounds
    return statistics.median(now / was if was else float(now == was) for now, was in pairs)


def verdict_beside(row: Row, before: Row | None) -> str:
    """Return the verdict of a row: by its change where it has a target for that and an older tree ran beside."""
    if before is None or row.change is None:
        return row.verdict
    return "reached" if row.change.is_met(change_of(row, before)) else "missed"


def relative(
    what: str,
    unit: str,
    found: Mapping[str, Sequence[float]],
    name: str,
    reference: str,
    *,
    inverse: bool = False,
    figure: Figure | None = None,
    floor: Figure | None = None,
) -> Row:
    """Return the row of a candidate: value by that of a reference, or reference by value if ``inverse``."""
    values, references = found[name], found[reference]
    shares = ratios(references, values) if inverse else ratios(values, references)
    return Row(what=what, unit=unit, values=values, ratios=shares, against=reference, figure=figure, floor=floor)


def absolute(
    what: str,
    unit: str,
    found: Mapping[str, Sequence[float]],
    name: str,
    *,
    figure: Figure | None = None,
    floor: Figure | None = None,
) -> Row:
    """Return the row of a candidate whose time is compared with a target, by the calibration loop of its rounds."""
    at_reference = calibrated(found[name], found)
    return Row(
        what=what,
        unit=unit,
        values=found[name],
        calibrated=at_reference,
        against=CALIBRATION,
        figure=figure,
        floor=floor,
    )


def plain(
    what: str, unit: str, values: Sequence[float], *, figure: Figure | None = None, floor: Figure | None = None
) -> Row:
    """Return a row that is neither a ratio nor a time of this machine: a count, a share, an amount of memory."""
    return Row(what=what, unit=unit, values=values, figure=figure, floor=floor)
