"""References resolved as RFC 3986 says, byte for byte.

Knows the generic syntax of RFC 3986. Must not know templates, schemes or who is trusted. Nothing is decoded,
re-encoded or reordered: a server's query comes out as it went in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote

from stellantis_hal.validation import require_type

__all__ = ["Reference", "append_query", "encode_query", "join_segment", "resolve", "split", "to_ascii"]

# RFC 3986, appendix B; the scheme by its own grammar (section 3.1), so that "1:2" is a path.
_PARTS = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):)?(?://(?P<authority>[^/?#]*))?"
    r"(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?",
    re.DOTALL,
)


class Reference(NamedTuple):
    """The five components; None where a component is absent, which is not the same as empty."""

    scheme: str | None
    authority: str | None
    path: str
    query: str | None
    fragment: str | None

    def __str__(self) -> str:
        """Recompose (RFC 3986 section 5.3)."""
        parts = [] if self.scheme is None else [self.scheme, ":"]
        if self.authority is not None:
            parts += ["//", self.authority]
        parts.append(self.path)
        if self.query is not None:
            parts += ["?", self.query]
        if self.fragment is not None:
            parts += ["#", self.fragment]
        return "".join(parts)


def split(reference: str) -> Reference:
    """Split a URI reference into its components; any string has some."""
    match = _PARTS.fullmatch(reference)
    assert match is not None  # noqa: S101 - the pattern matches every string
    return Reference(*match.group("scheme", "authority", "path", "query", "fragment"))


def resolve(base: str, reference: str) -> str:
    """Resolve a reference against an absolute URL (RFC 3986 section 5.2, strict)."""
    wanted = split(reference)
    if wanted.scheme is not None:
        return str(wanted._replace(path=_without_dots(wanted.path)))
    home = split(base)
    if wanted.authority is not None:
        return str(wanted._replace(scheme=home.scheme, path=_without_dots(wanted.path)))
    path, query = wanted.path, wanted.query
    if not path:
        path = home.path
        query = home.query if query is None else query
    elif path.startswith("/"):
        path = _without_dots(path)
    else:
        path = _without_dots(_merged(home, path))
    return str(Reference(home.scheme, home.authority, path, query, wanted.fragment))


def _merged(home: Reference, path: str) -> str:
    """Put a relative path in the place of the base's last segment (RFC 3986 section 5.2.3)."""
    if home.authority is not None and not home.path:
        return f"/{path}"
    return home.path[: home.path.rfind("/") + 1] + path


def _without_dots(path: str) -> str:
    """Remove ``.`` and ``..`` segments (RFC 3986 section 5.2.4)."""
    if "." not in path:
        return path
    segments = path.split("/")
    rooted = segments[0] == "" and len(segments) > 1
    kept: list[str] = []
    for segment in segments[1:] if rooted else segments:
        if segment == "..":
            if kept:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."} and (kept or rooted):
        kept.append("")
    cleaned = "/".join(kept)
    return f"/{cleaned}" if rooted else cleaned


def append_query(url: str, text: str) -> str:
    """Add text to the query, before any fragment, and touch nothing else: ``a=1``, ``a=1&b=2``; empty adds nothing."""
    if not text:
        return url
    place, hash_, fragment = url.partition("#")
    if "?" not in place:
        place += "?"
    elif not place.endswith(("?", "&")):
        place += "&"
    return f"{place}{text}{hash_}{fragment}"


def encode_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Percent-encode names and values into ``a=1&b=2``, blanks as ``%20``; ``:``, ``,`` and ``/`` stay as they are."""
    return "&".join(f"{quote(name, safe=':,/')}={quote(value, safe=':,/')}" for name, value in pairs)


def join_segment(url: str, segment: str) -> str:
    """Add one path segment, encoded, to a collection's address, whose query and fragment are dropped.

    Raises:
        ValueError: the segment is empty, ``.`` or ``..``, which no encoding keeps from climbing.
        TypeError: it is no text.
    """
    require_type("an id", segment, str)
    if segment in {"", ".", ".."}:
        raise ValueError(f"{segment!r} cannot name a resource below another")
    place = url.partition("#")[0].partition("?")[0].rstrip("/")
    return f"{place}/{quote(segment, safe='')}"


def to_ascii(url: str) -> str:
    """Percent-encode what is not ASCII, as UTF-8, everywhere but in the authority (RFC 3987 section 3.1)."""
    if url.isascii():
        return url
    parts = split(url)
    kept = 0
    if parts.authority is not None:
        kept = len(parts.scheme) + 1 if parts.scheme is not None else 0
        kept += len(parts.authority) + 2
    return url[:kept] + quote(url[kept:], safe=_ASCII, errors="surrogatepass")


_ASCII = "".join(map(chr, range(128)))
