"""Redaction: secrets and personal data masked in messages, ``repr`` and logs."""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import islice

from stellantis_hal.hal.uri import split

__all__ = ["MASK", "excerpt", "mask_text", "mask_url", "one_line", "shortlist"]

MASK = "***"

# Texts may come from a hostile server. Each pattern takes time linear in the text, at most this many characters are
# read, and the result is one line without control characters (CWE-117, CWE-150).
_MAX_READ = 8_192
# Left out where a text was cut, because half a secret is not recognised.
_MARGIN = 64
_MAX_LISTED = 20
_MAX_NAME = 80

# ISO 3779: 17 characters without I, O and Q, some of them digits.
_VIN = re.compile(r"(?<![A-Za-z0-9])(?=[A-HJ-NPR-Za-hj-npr-z]{0,16}[0-9])[A-HJ-NPR-Za-hj-npr-z0-9]{17}(?![A-Za-z0-9])")
_MAIL = re.compile(r"[A-Za-z0-9._+-]{1,64}(?:@|%40)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]+", re.IGNORECASE)
_NAMED = re.compile(
    r"""(?P<name>(?<![a-z0-9_-])
        (?:[a-z0-9_-]{0,32}(?:token|secret|password|realm|authorization)
           |client_?id|code|code_verifier|vin|user_?name|latitude|longitude)
        [\\"']{0,2}\s*[=:]\s*)
        (?:\\?"[^"]*|'[^']*|[^\s"'&,;}]+)""",
    re.IGNORECASE | re.VERBOSE,
)
_COORDINATES = re.compile(r"(?<![\d.])-?\d{1,3}\.\d{3,}(?:\s*,\s*|%2C)-?\d{1,3}\.\d{3,}", re.IGNORECASE)
_DIGIT = re.compile(r"\d")


def mask_url(url: str) -> str:
    """Mask a URL: ids in its path, every value of its query, any user information, the whole fragment.

    The origin stays readable, and the path segments that name a kind of resource (``vehicles``) rather than one.
    """
    parts = split(url[: _MAX_READ + 1])
    authority = parts.authority
    if authority is not None and "@" in authority:
        authority = f"{MASK}@{authority.rpartition('@')[2]}"
    path = "/".join(MASK if _is_id(segment) else segment for segment in parts.path.split("/"))
    query = None if parts.query is None else "&".join(map(_mask_pair, parts.query.split("&")))
    fragment = None if parts.fragment is None else MASK
    return mask_text(str(parts._replace(authority=authority, path=path, query=query, fragment=fragment)))


def mask_text(text: str) -> str:
    """Mask tokens, secrets, client ids, VINs, e-mail addresses and coordinates in a text, and return it as one line.

    A text longer than 8,192 characters is cut.
    """
    masked = _BEARER.sub(rf"\1 {MASK}", one_line(text[:_MAX_READ]))
    masked = _NAMED.sub(rf"\g<name>{MASK}", masked)
    masked = _COORDINATES.sub(MASK, masked)
    masked = _VIN.sub(MASK, _MAIL.sub(MASK, masked))
    return masked if len(text) <= _MAX_READ else f"{masked[:-_MARGIN]}…"


def excerpt(text: str | bytes, limit: int = 300) -> str:
    """Return the beginning of a text, masked and as one line, at most ``limit`` characters.

    The text is masked before it is cut, because half a secret is not recognised. Bytes are read as UTF-8.
    """
    if isinstance(text, bytes):
        text = text[: _MAX_READ + 1].decode("utf-8", "replace")
    return mask_text(text)[:limit]


def one_line(text: str) -> str:
    """Return a text without characters that a terminal would not print as they are.

    Line breaks and other white space become a space; control and format characters and lone surrogates become U+FFFD.
    """
    if text.isprintable():
        return text
    return "".join([char if char.isprintable() else " " if char.isspace() else "\ufffd" for char in text])


def shortlist(names: Collection[object]) -> str:
    """Return the first 20 names, masked and separated by commas, and how many there are in all."""
    shown = [mask_text(str(name))[:_MAX_NAME] for name in islice(names, _MAX_LISTED)]
    return ", ".join(shown) + (f" … ({len(names)} in all)" if len(names) > _MAX_LISTED else "")


def _is_id(segment: str) -> bool:
    """Return whether a segment is an id: it is long, or has a digit and is not short (``v4``, ``oauth2``)."""
    return len(segment) >= 24 or (len(segment) >= 6 and _DIGIT.search(segment) is not None and segment != "oauth2")


def _mask_pair(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    if equals:
        return f"{name}={MASK}"
    return MASK if pair else ""
