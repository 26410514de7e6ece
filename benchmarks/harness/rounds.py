"""Interleaved rounds: candidates measured in turn, and trees that alternate round by round.

CPU time is preferred to wall time, and ratios to both: they are computed round by round, from candidates that ran next
to each other, so that a noisy machine affects both sides. The calibration loop is a candidate of each round.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from benchmarks.harness.calibration import CALIBRATION, calibrate

__all__ = ["Samples", "cpu", "interleaved", "one_round", "run_rounds", "take_turns"]

Samples = dict[str, list[float]]
"""Values by candidate, one for each round."""

_wait_for_turn: list[Callable[[], None]] = []


def take_turns(wait: Callable[[], None]) -> None:
    """Call a function before each round from now on: it returns when the turn of this process has come."""
    _wait_for_turn.append(wait)


@contextmanager
def one_round() -> Generator[None]:
    """Measure one round within the block, when the turn of this process has come."""
    for wait in _wait_for_turn:
        wait()
    yield


def cpu(function: Callable[[], Any], times: int = 1) -> float:
    """Return the cost of a call in microseconds of CPU time."""
    start = time.process_time_ns()
    for _ in range(times):
        function()
    return (time.process_time_ns() - start) / times / 1e3


def run_rounds(candidates: Mapping[str, Callable[[], float]], rounds: int) -> Samples:
    """Return the samples of candidates measured in turn, round by round; the first round is a warm-up.

    Every second round has the reverse order, so that no candidate always follows the same other.
    """
    measured = {CALIBRATION: calibrate, **candidates}
    found: Samples = {name: [] for name in measured}
    for turn in range(rounds + 1):
        with one_round():
            for name in list(measured) if turn % 2 else list(measured)[::-1]:
                sample = measured[name]()
                if turn:
                    found[name].append(sample)
    return found


async def interleaved(
    candidates: Mapping[str, Callable[[], Awaitable[float]]], rounds: int, *, warm_up: bool = True
) -> Samples:
    """Return the samples as :func:`run_rounds` does, in one event loop; candidates may be warm already."""

    async def calibration() -> float:
        return calibrate()

    measured: dict[str, Callable[[], Awaitable[float]]] = {CALIBRATION: calibration, **candidates}
    found: Samples = {name: [] for name in measured}
    for turn in range(0 if warm_up else 1, rounds + 1):
        with one_round():
            for name in list(measured) if turn % 2 else list(measured)[::-1]:
                sample = await measured[name]()
                if turn:
                    found[name].append(sample)
    return found
