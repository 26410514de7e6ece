"""Variants of a resource: which stored response a request selects (RFC 9111 section 4.1)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.hal.utf8 import utf8

__all__ = [
    "Selection",
    "admits",
    "are_credentials",
    "has_vary",
    "matches",
    "normalise",
    "selecting_fields",
    "with_caller",
]

Selection = tuple[tuple[str, str | None], ...]
"""The fields that ``Vary`` names, in lower case, with their values in the request; None for an absent one.

A request with fields that may identify its caller has a digest of them as the first one, whether or not they are named.
"""

_MAX_NAMES = 32
_MAX_LENGTH = 4_096
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_CREDENTIALS: Final = re.compile(
    "auth|cookie|token|secret|session|key|signature|password|credential"
    "|account|customer|impersonat|on-behalf|organi[sz]ation|tenant|user(?!-agent)"
)

_CALLER: Final = " caller"  # no name of a field, because of the blank
_ORDINARY = frozenset({"accept", "accept-language", "cache-control", "if-none-match", "if-modified-since", "pragma"})


def with_caller(fields: Mapping[str, str]) -> Mapping[str, str]:
    """Return the fields of a request, by lower-case name, with a digest of those that may identify its caller."""
    named = [name for name in fields if name not in _ORDINARY and are_credentials(name)]
    if not named:
        return fields
    secret = utf8(repr([(name, fields[name]) for name in sorted(named)]))
    return {**fields, _CALLER: hashlib.sha256(secret).hexdigest()}


def are_credentials(name: str) -> bool:
    """Return whether a field, by its lower-case name, may identify the caller or the account."""
    return _CREDENTIALS.search(name) is not None


def normalise(name: str, value: str | None) -> str | None:
    """Return a field's value without the blanks at its commas; languages in lower case."""
    if value is None:
        return None
    if "," in value:
        value = ",".join(part.strip() for part in value.split(","))
    return value.lower() if name == "accept-language" else value


def selecting_fields(headers: Headers, fields: Mapping[str, str]) -> Selection | None:
    """Return the request's values of the fields that a response's ``Vary`` names; None if it matches no other request.

    Args:
        headers: of the response.
        fields: of the request, as of :func:`with_caller`.
    """
    caller = ((_CALLER, fields[_CALLER]),) if _CALLER in fields else ()
    vary = headers.by_lower_name.get("vary", "")
    if not vary:
        return caller
    if len(vary) > _MAX_LENGTH:
        return None
    names = {name for part in vary.split(",") if (name := part.strip().lower())}
    if len(names) > _MAX_NAMES or "*" in names or not all(map(_NAME.fullmatch, names)):
        return None
    # Fields with credentials are in the digest, and are not to be stored in clear.
    named = sorted(name for name in names if not are_credentials(name))
    return (*caller, *((name, normalise(name, fields.get(name))) for name in named))


def matches(selection: Selection, fields: Mapping[str, str]) -> bool:
    """Return whether a request has the values that a response was selected by, and the same caller."""
    if _CALLER in fields and (not selection or selection[0][0] != _CALLER):
        return False
    return all(normalise(name, fields.get(name)) == value for name, value in selection)


def has_vary(selection: Selection) -> bool:
    """Return whether a response was selected by fields that its ``Vary`` names."""
    return bool(selection) and selection[-1][0] != _CALLER


@lru_cache(maxsize=256)
def admits(accept: str, content_type: str) -> bool:
    """Return whether an ``Accept`` field admits a media type; an absent or unreadable one is admitted.

    >>> admits("application/hal+json, application/*+json;q=0.8", "application/problem+json; charset=utf-8")
    True
    >>> admits("text/csv", "application/hal+json")
    False
    """
    essence = content_type.partition(";")[0].strip().lower()
    if not accept.strip() or "/" not in essence:
        return True
    return any(_covers(media_range, essence) for media_range in accept.lower().split(","))


def _covers(media_range: str, essence: str) -> bool:
    name, *parameters = (part.strip() for part in media_range.split(";"))
    if _is_refused(parameters):
        return False
    kind, _, subtype = name.partition("/")
    if name in ("*", "*/*") or name == essence:
        return True
    if subtype.startswith("*") and essence.startswith(f"{kind}/"):
        return essence.endswith(subtype[1:])
    return False


def _is_refused(parameters: Iterable[str]) -> bool:
    return any(re.fullmatch(r"q\s*=\s*0(?:\.0{0,3})?", parameter) for parameter in parameters)
