"""What must not be read over a shoulder, masked for messages, ``repr`` and logs.

Knows how secrets and personal data look in addresses and texts. Must not know where they come from. Texts may be a
hostile server's: every pattern takes time that grows with the text, not with its square, no more than some kilobytes
are looked at, and what comes out is one line that a terminal only prints (CWE-117, CWE-150).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import islice

from stellantis_hal.hal.uri import split

__all__ = ["MASK", "excerpt", "mask_text", "mask_url", "one_line", "shortlist"]

MASK = "***"

_READ = 8_192
# Left out where a text was cut: half a secret is not recognised.
_MARGIN = 64
_LISTED = 20
_NAME = 80

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
    """Mask an address: ids in its path, every value of its query, any user information, the whole fragment.

    What stays readable is the origin, and the segments that name a kind of thing rather than one of them.
    """
    parts = split(url[: _READ + 1])
    authority = parts.authority
    if authority is not None and "@" in authority:
        authority = f"{MASK}@{authority.rpartition('@')[2]}"
    path = "/".join(MASK if _is_id(segment) else segment for segment in parts.path.split("/"))
    query = None if parts.query is None else "&".join(map(_masked_pair, parts.query.split("&")))
    fragment = None if parts.fragment is None else MASK
    return mask_text(str(parts._replace(authority=authority, path=path, query=query, fragment=fragment)))


def mask_text(text: str) -> str:
    """Mask tokens, secrets, client ids, VINs, e-mail addresses and coordinates in free text; give it as one line.

    Of a text longer than eight kilobytes the rest is left out.
    """
    masked = _BEARER.sub(rf"\1 {MASK}", one_line(text[:_READ]))
    masked = _NAMED.sub(rf"\g<name>{MASK}", masked)
    masked = _COORDINATES.sub(MASK, masked)
    masked = _VIN.sub(MASK, _MAIL.sub(MASK, masked))
    return masked if len(text) <= _READ else f"{masked[:-_MARGIN]}…"


def excerpt(text: str | bytes, limit: int = 300) -> str:
    """Return the beginning of a text, masked and as one line, at most ``limit`` characters.

    The text is masked before it is cut, because half a secret is not recognised. Bytes are read as UTF-8.
    """
    if isinstance(text, bytes):
        text = text[: _READ + 1].decode("utf-8", "replace")
    return mask_text(text)[:limit]


def one_line(text: str) -> str:
    """Give a text without what moves a cursor, hides or turns letters, or is half a character.

    Line breaks and other blanks become a space, the rest a replacement character.
    """
    if text.isprintable():
        return text
    return "".join([sign if sign.isprintable() else " " if sign.isspace() else "\ufffd" for sign in text])


def shortlist(names: Collection[object]) -> str:
    """Write the first names of however many there are, masked."""
    shown = [mask_text(str(name))[:_NAME] for name in islice(names, _LISTED)]
    return ", ".join(shown) + (f" … ({len(names)} in all)" if len(names) > _LISTED else "")


def _is_id(segment: str) -> bool:
    """Tell whether a segment names one thing: it is long, or has a digit and is not short (``v4``, ``oauth2``)."""
    return len(segment) >= 24 or (len(segment) >= 6 and _DIGIT.search(segment) is not None and segment != "oauth2")


def _masked_pair(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    if equals:
        return f"{name}={MASK}"
    return MASK if pair else ""
