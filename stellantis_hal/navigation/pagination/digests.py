"""Digests of URLs and identities, which page tokens keep instead of them."""

from __future__ import annotations

from hashlib import blake2b

from stellantis_hal.hal.utf8 import utf8

__all__ = ["DIGEST_SIZE", "digest"]

DIGEST_SIZE = 8


def digest(text: str) -> bytes:
    """Return the digest of a text: eight bytes."""
    return blake2b(utf8(text), digest_size=DIGEST_SIZE).digest()
