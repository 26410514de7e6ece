"""The token file, as bytes.

Knows its format: a first line with a digest of the rest, then JSON. Must not know the file system.

A file that was cut short, damaged or edited no longer fits its digest: it is refused as a whole, so that nobody's
session is ever mixed up with what is left of another's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from stellantis_hal.credentials.token import Token
from stellantis_hal.errors import TokenStoreError

__all__ = ["read_tokens", "write_tokens"]

_MAGIC = b"stellantis-hal tokens 1 sha256="


def write_tokens(tokens: Mapping[str, Token]) -> bytes:
    """Give the bytes of a file that holds ``tokens``."""
    body = json.dumps({key: _plain(token) for key, token in sorted(tokens.items())}, indent=1).encode("ascii") + b"\n"
    return _first_line(body) + body


def read_tokens(content: bytes, *, place: str = "the token file") -> dict[str, Token]:
    """Read the tokens out of a file's bytes.

    Args:
        place: where the bytes are from, for the message.

    Raises:
        TokenStoreError: these are not, byte for byte, what :func:`write_tokens` wrote.
    """
    first, _, body = content.partition(b"\n")
    if not first.startswith(_MAGIC):
        raise TokenStoreError(f"{place} is not a token file of this library, or a later version's: nothing was read")
    if _first_line(body) != first + b"\n":
        raise TokenStoreError(
            f"{place} is damaged, cut short or was edited: restore it from a backup, or remove it and log in again"
        )
    try:
        return {key: _token(parts) for key, parts in json.loads(body).items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise TokenStoreError(f"{place} has a valid digest but holds something else than tokens") from None


def _first_line(body: bytes) -> bytes:
    return _MAGIC + hashlib.sha256(body).hexdigest().encode("ascii") + b"\n"


def _plain(token: Token) -> dict[str, Any]:
    return {
        "access_token": token.access_token,
        "refresh_token": token.refresh_token,
        "expires_at": None if token.expires_at is None else token.expires_at.isoformat(),
        "scope": list(token.scope),
    }


def _token(parts: Mapping[str, Any]) -> Token:
    expires_at = parts["expires_at"]
    return Token(
        parts["access_token"],
        parts["refresh_token"],
        None if expires_at is None else datetime.fromisoformat(expires_at),
        tuple(parts["scope"]),
    )
