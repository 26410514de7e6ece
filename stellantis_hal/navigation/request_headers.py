"""Header fields that a caller adds to requests."""

from __future__ import annotations

import re
from collections.abc import Mapping

from stellantis_hal.hal.redaction import quoted
from stellantis_hal.validation import require_type

__all__ = ["check_headers", "default_headers", "override_headers", "repeated_headers"]

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?")
_MAX_VALUE = 8_192
_FRAMING = "it is set by the transport"
_FORBIDDEN: Mapping[str, str] = {
    "authorization": "credentials are given to the client, as auth=, and sent to trusted origins only",
    "proxy-authorization": "credentials of a proxy are given in its URL, as proxy=",
    "accept-encoding": "the transport asks for the codings that it can decode",
    "host": "it is that of the URL",
    **dict.fromkeys(("content-length", "transfer-encoding", "connection", "keep-alive", "upgrade"), _FRAMING),
    **dict.fromkeys(("te", "trailer", "expect", "proxy-connection", "http2-settings"), _FRAMING),
}
_OF_ONE_REQUEST = frozenset({"range", "content-type", "idempotency-key", "prefer"})


def check_headers(headers: Mapping[str, str]) -> None:
    """Check header fields of a caller; the messages do not show values, which may be secrets.

    Raises:
        TypeError: a name or a value is not a string.
        ValueError: a name or a value is not valid (RFC 9110 section 5), or the field belongs to the transport.
    """
    for name, value in headers.items():
        require_type("the name of a header field", name, str)
        require_type(f"the header field {quoted(name)}", value, str)
        if not _NAME.fullmatch(name):
            raise ValueError(f"{quoted(name)} is not the name of a header field")
        if len(value) > _MAX_VALUE or not _VALUE.fullmatch(value):
            raise ValueError(
                f"the value of {name} must be visible ASCII of at most {_MAX_VALUE:,} characters, without line breaks"
            )
        reason = _FORBIDDEN.get(name.lower())
        if reason is not None:
            raise ValueError(f"{name} cannot be given as a header field: {reason}")


def default_headers(headers: Mapping[str, str] | None) -> Mapping[str, str]:
    """Return the header fields of every request of a client, checked.

    Raises:
        TypeError: it is no mapping of strings.
        ValueError: a field is not valid, or belongs to the transport or to single requests.
    """
    require_type("headers", headers, Mapping, None, instead="{'Accept-Language': 'fr'}")
    if headers is None:
        return {}
    check_headers(headers)
    for name in headers:
        if name.lower() == "accept":
            raise ValueError("Accept cannot be a header field of every request: use accept= of the client")
        if _is_of_one_request(name):
            raise ValueError(f"{name} cannot be a header field of every request: give it to single calls")
    return dict(headers)


def override_headers(headers: Mapping[str, str], given: Mapping[str, str] | None) -> dict[str, str]:
    """Return header fields, those given in place of others of the same name in any case."""
    if not given:
        return dict(headers)
    names = {name.lower() for name in given}
    return {**{name: value for name, value in headers.items() if name.lower() not in names}, **given}


def repeated_headers(given: Mapping[str, str] | None) -> Mapping[str, str]:
    """Return what a caller added to a read, without conditions and ranges: what reading again sends again."""
    if not given:
        return {}
    return {name: value for name, value in given.items() if not _is_of_one_request(name)}


def _is_of_one_request(name: str) -> bool:
    return name.lower().startswith("if-") or name.lower() in _OF_ONE_REQUEST
