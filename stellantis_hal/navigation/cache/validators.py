"""Validators and conditions: entity tags and dates (RFC 9110 sections 8.8 and 13, RFC 9111 section 4.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from stellantis_hal.hal.header_mapping import Headers, fits_field
from stellantis_hal.hal.http_dates import parse_http_date

__all__ = ["CONDITIONS", "conditions_of", "end_to_end", "is_not_modified", "is_of", "merge_headers"]

CONDITIONS = frozenset({"if-none-match", "if-modified-since"})
"""The conditions of a read that a fresh copy can answer."""

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Fields of one connection (RFC 9111 section 3.1)."""

_OF_CONTENT = frozenset(
    {
        "content-digest",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-md5",
        "content-range",
        "content-type",
    }
)
"""Fields of the stored body, which a 304 has none of (RFC 9111 section 3.2)."""

_TAG: Final = re.compile(r'(?:W/)?"[^"]*"|[^\s,"]+')
_MAX_LENGTH = 8_192


def conditions_of(headers: Headers) -> dict[str, str]:
    """Return the fields that ask whether a stored response is unchanged; empty where it has no valid validator.

    A tag must be one tag: ``*``, or two of them, would match other representations too.
    """
    found: dict[str, str] = {}
    fields = headers.by_lower_name
    tag, modified = fields.get("etag", ""), fields.get("last-modified", "")
    if tag != "*" and fits_field(tag) and _TAG.fullmatch(tag):
        found["If-None-Match"] = tag
    if fits_field(modified):
        found["If-Modified-Since"] = modified
    return found


def is_of(stored: Headers, response: Headers) -> bool:
    """Return whether a 304 speaks of a stored response: its tag, else its date, is not another one."""
    old, new = stored.by_lower_name, response.by_lower_name
    if "etag" in new and "etag" in old:
        return _opaque(new["etag"]) == _opaque(old["etag"])
    if "etag" not in old and "last-modified" in new and "last-modified" in old:
        return new["last-modified"] == old["last-modified"]
    return True


def is_not_modified(fields: Mapping[str, str], stored: Headers) -> bool:
    """Return whether a stored response answers the caller's own conditions with 304.

    Args:
        fields: of the request, by lower-case name; with a condition.
        stored: the header fields of the stored response.
    """
    tags, known = fields.get("if-none-match"), stored.by_lower_name
    if tags is not None:
        if tags.strip() == "*":
            return True
        own = known.get("etag")
        return own is not None and _opaque(own) in {_opaque(tag) for tag in _TAG.findall(tags[:_MAX_LENGTH])}
    since = parse_http_date(fields.get("if-modified-since", ""))
    modified = parse_http_date(known.get("last-modified", "")) or parse_http_date(known.get("date", ""))
    return since is not None and modified is not None and modified <= since


def merge_headers(stored: Headers, response: Headers) -> Headers:
    """Return the header fields of a stored response with those of a 304, except those that describe the content."""
    kept = {name: value for name, value in stored.items() if name != "age"}
    replaced = {name: value for name, value in end_to_end(response).items() if name not in _OF_CONTENT}
    return Headers({**kept, **replaced})


def end_to_end(headers: Headers) -> Headers:
    """Return header fields without those of one connection (RFC 9111 section 3.1)."""
    named = {name.strip().lower() for name in headers.by_lower_name.get("connection", "").split(",")}
    return Headers({name: value for name, value in headers.items() if name not in named | _HOP_BY_HOP})


def _opaque(tag: str) -> str:
    """Return a tag for the weak comparison (RFC 9110 section 8.8.3.2)."""
    return tag.strip().removeprefix("W/")
