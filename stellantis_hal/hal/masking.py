"""What must not be read over a shoulder, masked for messages, ``repr`` and logs.

Knows how secrets and personal data look in addresses and texts. Must not know where they come from.
"""

from __future__ import annotations

import re

from stellantis_hal.hal.uri import split

__all__ = ["MASK", "mask_text", "mask_url"]

MASK = "***"

# ISO 3779: 17 characters without I, O and Q, some of them digits.
_VIN = re.compile(r"(?<![A-Za-z0-9])(?=[A-HJ-NPR-Za-hj-npr-z]*[0-9])[A-HJ-NPR-Za-hj-npr-z0-9]{17}(?![A-Za-z0-9])")
_MAIL = re.compile(r"[A-Za-z0-9._+-]{1,64}(?:@|%40)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]+", re.IGNORECASE)
_NAMED = re.compile(
    r"""(?P<name>\b(?:[a-z_]*token|client_?id|client_?secret|password|code|code_verifier|authorization|realm|vin|username)
        ["']?\s*[=:]\s*["']?)(?P<value>[^\s"'&,;}]+)""",
    re.IGNORECASE | re.VERBOSE,
)
_COORDINATES = re.compile(r"(?<![\d.])-?\d{1,3}\.\d{3,}(?:\s*,\s*|%2C)-?\d{1,3}\.\d{3,}", re.IGNORECASE)
# A path segment that names one thing (an id) rather than a kind of thing: long, or with a digit among many characters.
_ID = re.compile(r"(?=[^/]*\d)[A-Za-z0-9_~%.=@:-]{6,}|[A-Za-z0-9_~%.=-]{24,}")
_QUERY_VALUE = re.compile(r"=[^&]*")


def mask_url(url: str) -> str:
    """Mask an address: ids in its path, every value of its query, any user information, the whole fragment."""
    parts = split(url)
    authority = parts.authority
    if authority is not None and "@" in authority:
        authority = f"{MASK}@{authority.rpartition('@')[2]}"
    path = "/".join(MASK if _ID.fullmatch(segment) else segment for segment in parts.path.split("/"))
    query = None if parts.query is None else _QUERY_VALUE.sub(f"={MASK}", parts.query)
    fragment = None if parts.fragment is None else MASK
    return _VIN.sub(MASK, str(parts._replace(authority=authority, path=path, query=query, fragment=fragment)))


def mask_text(text: str) -> str:
    """Mask tokens, secrets, client ids, VINs, e-mail addresses and coordinates in free text."""
    masked = _BEARER.sub(rf"\1 {MASK}", text)
    masked = _NAMED.sub(rf"\g<name>{MASK}", masked)
    masked = _COORDINATES.sub(MASK, masked)
    return _VIN.sub(MASK, _MAIL.sub(MASK, masked))
