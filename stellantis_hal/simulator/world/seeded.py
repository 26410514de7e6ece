"""Knows how to turn a seed and a place in the world into the same number every time.

Must not know what the numbers are used for.
"""

from __future__ import annotations

from hashlib import blake2b
from random import Random

__all__ = ["dice", "fraction", "fractions", "mark"]


def _digest(parts: tuple[object, ...], size: int) -> bytes:
    return blake2b("/".join(map(str, parts)).encode(), digest_size=size).digest()


def fraction(*parts: object) -> float:
    """Give a number in [0, 1) that depends on the parts alone."""
    return (int.from_bytes(_digest(parts, 8), "big") >> 11) / (1 << 53)


def fractions(*parts: object) -> tuple[float, float, float]:
    """Give three numbers in [0, 1) that depend on the parts alone, for the price of one."""
    digest = _digest(parts, 12)
    east, north, up = (int.from_bytes(digest[at : at + 4], "big") / (1 << 32) for at in (0, 4, 8))
    return east, north, up


def mark(*parts: object, size: int = 4) -> str:
    """Give ``2 * size`` hexadecimal digits that depend on the parts alone."""
    return _digest(parts, size).hex()


def dice(*parts: object) -> Random:
    """Give a source of many numbers that depends on the parts alone."""
    return Random(int.from_bytes(_digest(parts, 8), "big"))
