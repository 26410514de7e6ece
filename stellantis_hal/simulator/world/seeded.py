"""Seeded random numbers: the same seed and key return the same number."""

from __future__ import annotations

from hashlib import blake2b
from random import Random

__all__ = ["fraction", "fractions", "hex_digits", "seeded_random"]


def _digest(parts: tuple[object, ...], size: int) -> bytes:
    return blake2b("/".join(map(str, parts)).encode(), digest_size=size).digest()


def fraction(*parts: object) -> float:
    """Return a number in [0, 1) derived from the parts."""
    return (int.from_bytes(_digest(parts, 8), "big") >> 11) / (1 << 53)


def fractions(*parts: object) -> tuple[float, float, float]:
    """Return three numbers in [0, 1) derived from the parts by one digest."""
    digest = _digest(parts, 12)
    east, north, up = (int.from_bytes(digest[at : at + 4], "big") / (1 << 32) for at in (0, 4, 8))
    return east, north, up


def hex_digits(*parts: object, size: int = 4) -> str:
    """Return ``2 * size`` hexadecimal digits derived from the parts."""
    return _digest(parts, size).hex()


def seeded_random(*parts: object) -> Random:
    """Return a random generator seeded with the parts."""
    return Random(int.from_bytes(_digest(parts, 8), "big"))
