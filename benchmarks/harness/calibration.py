"""The calibration loop: a fixed amount of work in plain Python, measured in the same rounds as what it calibrates.

A figure in microseconds says as much about the machine as about the program. So the loop runs in each round, and a
figure is multiplied by the loop's time on the machine of the targets and divided by its time in that round. The loop
does what the package does most: attributes, dictionaries, calls, small objects and text.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

__all__ = ["CALIBRATION", "REFERENCE_MS", "calibrate", "calibrated"]

CALIBRATION = "calibration loop"
"""Name of the loop among the candidates of a round."""
REFERENCE_MS = 3.5
"""CPU milliseconds of the loop on the machine of the targets (2 cores, x86_64, Python 3.11).

Found by measuring figures of commit e0f4d8e again that were known from that machine.
"""
_TURNS = 4_500


class _Item:
    __slots__ = ("name", "value")

    def __init__(self, name: str, value: int) -> None:
        self.name = name
        self.value = value


def calibrate() -> float:
    """Run the loop; return its CPU time in milliseconds."""
    start = time.process_time_ns()
    found: dict[str, _Item] = {}
    total = 0
    for turn in range(_TURNS):
        item = _Item(f"item-{turn % 97}", turn)
        found[item.name] = item
        known = found.get(item.name.upper().lower())
        if known is not None:
            total += len(sorted((known.value, total % 7, 3)))
    assert total == 3 * _TURNS
    return (time.process_time_ns() - start) / 1e6


def calibrated(values: Sequence[float], found: Mapping[str, Sequence[float]]) -> tuple[float, ...]:
    """Return the values at the speed of the machine of the targets, round by round."""
    return tuple(value * REFERENCE_MS / loop for value, loop in zip(values, found[CALIBRATION], strict=True))
