"""Options of calls: their names and their types."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from stellantis_hal.hal.redaction import quoted
from stellantis_hal.navigation.request_headers import check_headers
from stellantis_hal.validation import require_type

__all__ = ["FOLLOW_OPTIONS", "REQUEST_OPTIONS", "WRITE_OPTIONS", "check_option", "check_options"]

_EMBEDDED = ("prefer", "never", "only")
_MAPPING = "{'size': 10}"
_TYPES: Mapping[str, tuple[tuple[type | None, ...], str]] = {
    "name": ((str, None), ""),
    "index": ((int, None), ""),
    "variables": ((Mapping, None), _MAPPING),
    "params": ((Mapping, None), _MAPPING),
    "embedded": ((str,), ""),
    "accept": ((str, None), ""),
    "headers": ((Mapping, None), "{'Accept-Language': 'fr'}"),
    "content_type": ((str,), ""),
    "form": ((Mapping, None), _MAPPING),
    "files": ((Mapping, None), "{'scan': Path('scan.pdf')}"),
    "if_match": ((bool, str), ""),
    "if_none_match": ((str, None), "'*'"),
    "idempotency_key": ((bool, str, None), ""),
    "prefer": ((str, None), "'return=representation'"),
}
_LINK = frozenset({"name", "index", "where", "variables"})
FOLLOW_OPTIONS = _LINK | {"params", "embedded", "accept", "headers"}
"""Options of following a link."""
REQUEST_OPTIONS = frozenset(_TYPES) - _LINK - {"embedded"} | {"json", "content"}
"""Options of a request to a URL."""
WRITE_OPTIONS = REQUEST_OPTIONS | _LINK
"""Options of a write to a resource, or along a link."""


def check_options(call: str, options: Mapping[str, Any], allowed: frozenset[str]) -> None:
    """Check the names and the types of the options of a call.

    Raises:
        TypeError: the call has no such option, or an option has another type.
        ValueError: a header field or ``embedded`` has a value that it cannot have.
    """
    unknown = [name for name in options if name not in allowed]
    if unknown:
        similar = difflib.get_close_matches(unknown[0], allowed)
        hint = f": did you mean {similar[0]}=?" if similar else f"; its options are {', '.join(sorted(allowed))}"
        names = ", ".join(f"{name}=" for name in unknown)
        raise TypeError(f"{call}() has no option {names[:200]}{hint}")
    for name, value in options.items():
        check_option(name, value)


def check_option(name: str, value: Any) -> None:
    """Check the type of an option.

    Raises:
        TypeError: it has another type.
        ValueError: a header field or ``embedded`` has a value that it cannot have.
    """
    if name == "where":
        if value is not None and not callable(value):
            raise TypeError(f"where must be a function of a link or None, not {type(value).__name__}")
    elif name in _TYPES:
        kinds, instead = _TYPES[name]
        require_type(name, value, *kinds, instead=instead)
        if name == "embedded" and value not in _EMBEDDED:
            raise ValueError(f"embedded must be 'prefer', 'never' or 'only', not {quoted(value)}")
        if name == "headers" and isinstance(value, Mapping):
            check_headers(value)
