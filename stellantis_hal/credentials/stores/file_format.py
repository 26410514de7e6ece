"""The format of a token file: a first line with a digest of the rest, then JSON.

A file that was cut short, damaged or edited does not match its digest and is refused as a whole, so that the tokens of
two accounts are never mixed up.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from stellantis_hal.credentials.token import Token
from stellantis_hal.errors import TokenStoreError

__all__ = ["parse_tokens", "serialize_tokens"]

_HEADER = b"stellantis-hal tokens 1 sha256="


def serialize_tokens(tokens: Mapping[str, Token]) -> bytes:
    """Return the content of a file with these tokens, by key."""
    body = json.dumps({key: token.to_dict() for key, token in sorted(tokens.items())}, indent=1).encode("ascii") + b"\n"
    return _first_line(body) + body


def parse_tokens(content: bytes, *, place: str = "the token file") -> dict[str, Token]:
    """Read the content of a token file.

    Args:
        place: the path of the file, for the message.

    Raises:
        TokenStoreError: these are not, byte for byte, the bytes that :func:`serialize_tokens` made.
    """
    first, _, body = content.partition(b"\n")
    if not first.startswith(_HEADER):
        raise TokenStoreError(f"{place} is not a token file of this version of the library: nothing was read")
    if _first_line(body) != first + b"\n":
        raise TokenStoreError(
            f"{place} is damaged, cut short or was edited: restore it from a backup, or remove it and log in again"
        )
    try:
        return {key: Token.from_dict(fields) for key, fields in json.loads(body).items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise TokenStoreError(f"{place} has a valid digest but does not contain tokens") from None


def _first_line(body: bytes) -> bytes:
    return _HEADER + hashlib.sha256(body).hexdigest().encode("ascii") + b"\n"
