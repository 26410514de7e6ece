"""URI references (RFC 3986): splitting, resolving and appending, without decoding or re-encoding."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from stellantis_hal.validation import require_type

__all__ = ["UriReference", "append_query", "encode_query", "host_of", "join_segment", "resolve", "split", "to_ascii"]

# RFC 3986, appendix B; the scheme by its own grammar (section 3.1), so that "1:2" is a path.
_PARTS = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):)?(?://(?P<authority>[^/?#]*))?"
    r"(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?",
    re.DOTALL,
)

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class UriReference(NamedTuple):
    """The five components of a URI reference; None where a component is absent, which differs from empty."""

    scheme: str | None
    authority: str | None
    path: str
    query: str | None
    fragment: str | None

    def __str__(self) -> str:
        """Recompose the reference (RFC 3986 section 5.3)."""
        parts = [] if self.scheme is None else [self.scheme, ":"]
        if self.authority is not None:
            parts += ["//", self.authority]
        parts.append(self.path)
        if self.query is not None:
            parts += ["?", self.query]
        if self.fragment is not None:
            parts += ["#", self.fragment]
        return "".join(parts)


def split(reference: str) -> UriReference:
    """Split a URI reference into its components; every string is a reference."""
    match = _PARTS.fullmatch(reference)
    assert match is not None  # noqa: S101 - the pattern matches every string
    return UriReference(*match.group("scheme", "authority", "path", "query", "fragment"))


def host_of(url: str) -> str:
    """Return the host of a URL in lower case, with its port where one is given; empty where it has none."""
    return (split(url).authority or "").rpartition("@")[2].lower()


def resolve(base: str, reference: str) -> str:
    """Resolve a reference against an absolute URL (RFC 3986 section 5.2, strict)."""
    if "/." not in reference:  # pages have thousands of such references
        if reference.startswith("/") and not reference.startswith("//"):
            return _origin(base) + reference
        if _ABSOLUTE.match(reference):
            return reference
    parts = split(reference)
    if parts.scheme is not None:
        return str(parts._replace(path=_remove_dot_segments(parts.path)))
    base_parts = split(base)
    if parts.authority is not None:
        return str(parts._replace(scheme=base_parts.scheme, path=_remove_dot_segments(parts.path)))
    path, query = parts.path, parts.query
    if not path:
        path = base_parts.path
        query = base_parts.query if query is None else query
    elif path.startswith("/"):
        path = _remove_dot_segments(path)
    else:
        path = _remove_dot_segments(_merge_paths(base_parts, path))
    return str(UriReference(base_parts.scheme, base_parts.authority, path, query, parts.fragment))


@lru_cache(maxsize=16)
def _origin(base: str) -> str:
    parts = split(base)
    return str(UriReference(parts.scheme, parts.authority, "", None, None))


def _merge_paths(base_parts: UriReference, path: str) -> str:
    """Replace the last segment of the base's path by a relative path (RFC 3986 section 5.2.3)."""
    if base_parts.authority is not None and not base_parts.path:
        return f"/{path}"
    return base_parts.path[: base_parts.path.rfind("/") + 1] + path


def _remove_dot_segments(path: str) -> str:
    """Remove ``.`` and ``..`` segments (RFC 3986 section 5.2.4)."""
    if "." not in path:
        return path
    segments = path.split("/")
    absolute = segments[0] == "" and len(segments) > 1
    output: list[str] = []
    for segment in segments[1:] if absolute else segments:
        if segment == "..":
            if output:
                output.pop()
        elif segment != ".":
            output.append(segment)
    if segments[-1] in {".", ".."} and (output or absolute):
        output.append("")
    joined = "/".join(output)
    return f"/{joined}" if absolute else joined


def append_query(url: str, text: str) -> str:
    """Append text such as ``a=1&b=2`` to the query, before any fragment, and leave the rest of the URL unchanged."""
    if not text:
        return url
    before, hash_, fragment = url.partition("#")
    if "?" not in before:
        before += "?"
    elif not before.endswith(("?", "&")):
        before += "&"
    return f"{before}{text}{hash_}{fragment}"


def encode_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Percent-encode names and values as ``a=1&b=2``, spaces as ``%20``; ``:``, ``,`` and ``/`` stay unchanged."""
    return "&".join(f"{quote(name, safe=':,/')}={quote(value, safe=':,/')}" for name, value in pairs)


def join_segment(url: str, segment: str) -> str:
    """Append one path segment, encoded, to a collection's URL; its query and fragment are dropped.

    Raises:
        ValueError: the segment is empty, ``.`` or ``..``, which would name another resource even when encoded.
        TypeError: the segment is not a string.
    """
    require_type("an id", segment, str)
    if segment in {"", ".", ".."}:
        raise ValueError(f"an id must name one resource of a collection, as 'abc123' does, not {segment!r}")
    before = url.partition("#")[0].partition("?")[0].rstrip("/")
    return f"{before}/{quote(segment, safe='')}"


def to_ascii(url: str) -> str:
    """Percent-encode non-ASCII characters as UTF-8, except in the authority (RFC 3987 section 3.1)."""
    if url.isascii():
        return url
    parts = split(url)
    start = 0
    if parts.authority is not None:
        start = len(parts.scheme) + 1 if parts.scheme is not None else 0
        start += len(parts.authority) + 2
    return url[:start] + quote(url[start:], safe=_ASCII, errors="surrogatepass")


_ASCII = "".join(map(chr, range(128)))
