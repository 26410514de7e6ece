"""Seeded random numbers: the same seed and key return the same number."""

from __future__ import annotations

import struct
from hashlib import blake2b
from random import Random

__all__ = ["draws", "fraction", "hex_digits", "seeded_random"]


_THIRTY_TWO = struct.Struct(">32H")


def _digest(parts: tuple[object, ...], size: int) -> bytes:
    return blake2b("/".join(map(str, parts)).encode(), digest_size=size).digest()


def fraction(*parts: object) -> float:
    """Return a number in [0, 1) derived from the parts."""
    return (int.from_bytes(_digest(parts, 8), "big") >> 11) / (1 << 53)


def draws(*parts: object) -> tuple[float, ...]:
    """Return 32 numbers in [0, 1) derived from the parts by one digest, in steps of 1/65,536."""
    return tuple(number / 65_536 for number in _THIRTY_TWO.unpack(_digest(parts, 64)))


def hex_digits(*parts: object, size: int = 4) -> str:
    """Return ``2 * size`` hexadecimal digits derived from the parts."""
    return _digest(parts, size).hex()


def seeded_random(*parts: object) -> Random:
    """Return a random generator seeded with the parts."""
    return Random(int.from_bytes(_digest(parts, 8), "big"))
