"""Steps of traces: calls that are drawn with a fixed seed, and their text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

__all__ = ["SLOT", "Trace", "in_parts", "move", "step_of", "text_of"]

SLOT: Final = 1 / 64

Trace = Callable[[], Iterator[str]]


def text_of(value: Any) -> str:
    """Return a value in a few characters; numbers to ten digits."""
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, dict):
        return "{" + " ".join(f"{text_of(key)}:{text_of(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "(" + " ".join(map(text_of, value)) + ")"
    return str(value)


def step_of(call: str, returned: Any, *state: Any) -> str:
    """Return the line of a step: the call, what it returned, and the state after it."""
    return f"{call} = {text_of(returned)} | {' '.join(map(text_of, state))}"


def move(random: Random, now: float, changes_at: float) -> float:
    """Return a later instant: that of the next change, the last one before it, or another one soon."""
    kind = random.randrange(6)
    if kind < 2 and now < changes_at < math.inf:
        return changes_at
    if kind == 2 and now < changes_at < math.inf:
        return max(now, math.nextafter(changes_at, -math.inf))
    return now + (SLOT * random.randrange(20) if kind < 5 else 0.0)


def in_parts(name: str, make: Callable[[int], Trace], *, seed: int, parts: int) -> dict[str, Trace]:
    """Return traces of the same kind, each with a seed of its own: short ones, which are run alone."""
    return {f"{name}, part {part}": make(100 * seed + part) for part in range(1, parts + 1)}
