"""Redaction: what ``repr``, logs and errors show of secrets and personal data (docs/explanation/privacy.md)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sized
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, Any

from stellantis_hal.hal.uri import split

if TYPE_CHECKING:
    import attrs

__all__ = [
    "MASK",
    "excerpt",
    "hide",
    "is_private",
    "mask_error",
    "mask_repr",
    "mask_text",
    "mask_url",
    "mask_vin",
    "one_line",
    "quoted",
    "redacted_repr",
    "shortlist",
    "show_value",
]

MASK = "***"

# Texts may come from a hostile server. Each pattern takes time linear in the text, at most this many characters are
# read, and the result is one line without control characters (CWE-117, CWE-150).
_MAX_READ = 8_192
# Left out where a text was cut, because half a secret is not recognised.
_MARGIN = 64
_MAX_LISTED = 20
_MAX_NAME = 80
# Of a VIN that is shown as one, the manufacturer stays (ISO 3780).
_MANUFACTURER = 3

# Attributes, and members of JSON objects, whose values are shown nowhere. Unknown members may be anything.
_PRIVATE_NAME = re.compile(
    r"""(?:(?:vehicle|user|account|trip)_)?id | vin
    | (?:first|last|full|given|family|user)_?name | e?_?mail | phone(?:_number)?
    | coordinates | geometry | lat(?:itude)? | lon(?:gitude)? | lng | altitude
    | address | street | city | place(?:_name)? | postal_code | zip_code | pictures?
    | (?:access|refresh|id)_token | (?:client_)?secret | password | (?:code_)?verifier
    | extra""",
    re.VERBOSE,
)
_URL_NAMES = frozenset(("href", "url"))
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SEPARATOR = re.compile(r"[.\[\]$'\"]+")

# ISO 3779: 17 characters without I, O and Q, some of them digits.
_VIN = re.compile(r"(?<![A-Za-z0-9])(?=[A-HJ-NPR-Za-hj-npr-z]{0,16}[0-9])[A-HJ-NPR-Za-hj-npr-z0-9]{17}(?![A-Za-z0-9])")
_MAIL = re.compile(r"[A-Za-z0-9._+-]{1,64}(?:@|%40)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]+", re.IGNORECASE)
_NAMED = re.compile(
    r"""(?P<name>(?<![a-z0-9_-])
        (?:[a-z0-9_-]{0,32}(?:token|secret|password|realm|authorization)
           |client_?id|code|code_verifier|vin|user_?name|e-?mail|first_?name|last_?name|phone_?number
           |latitude|longitude|id(?=[\\"']))
        [\\"']{0,2}\s*[=:]\s*)
        (?:\\?"[^"]*|'[^']*|[^\s"'&,;}]+)""",
    re.IGNORECASE | re.VERBOSE,
)
_COORDINATES = re.compile(r"(?<![\d.])-?\d{1,3}\.\d{3,}(?:\s*,\s*|%2C)-?\d{1,3}\.\d{3,}", re.IGNORECASE)
# Ids of vehicles, accounts and trips: 16 and more hexadecimal digits.
_ID = re.compile(r"(?<!\w)(?=[a-f]{0,63}[0-9])[0-9a-f]{16,64}(?!\w)", re.IGNORECASE)
_BAD_PORT = re.compile(r":[^:\]]*[^0-9:\]][^:\]]*$")
_DIGIT = re.compile(r"\d")
_URL = re.compile(r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,30}://[^\s\"'<>]+", re.IGNORECASE)
_PHONE = re.compile(r"(?<![\w+.-])\+[1-9](?:[ .()/-]{0,2}[0-9]){7,14}(?![0-9])")


def mask_url(url: str) -> str:
    """Mask a URL: ids in its path, every value of its query, any user information, the whole fragment.

    The origin stays readable, and the path segments that name a kind of resource (``vehicles``) rather than one.
    """
    return mask_text(_mask_url(url[: _MAX_READ + 1]))


def _mask_url(url: str) -> str:
    parts = split(url)
    authority = parts.authority
    if authority is not None and "@" in authority:
        authority = f"{MASK}@{authority.rpartition('@')[2]}"
    elif authority is not None and _BAD_PORT.search(authority):
        return f"{parts.scheme}://{MASK}"  # a password with a slash
    path = "/".join(MASK if _is_id(segment) else segment for segment in parts.path.split("/"))
    query = None if parts.query is None else "&".join(map(_mask_pair, parts.query.split("&")))
    fragment = None if parts.fragment is None else MASK
    return str(parts._replace(authority=authority, path=path, query=query, fragment=fragment))


def mask_text(text: str) -> str:
    """Mask what a text from elsewhere may hold, and return it as one line.

    Masked are tokens, secrets, client ids, VINs, names and numbers of persons where they are named, e-mail addresses,
    telephone numbers, coordinates, and the URLs in it as by :func:`mask_url`. A text longer than 8,192 characters is
    cut.
    """
    masked = _mask(one_line(text[:_MAX_READ]))
    return masked if len(text) <= _MAX_READ else f"{masked[:-_MARGIN]}…"


def _mask(text: str) -> str:
    masked = _BEARER.sub(rf"\1 {MASK}", text)
    masked = _URL.sub(lambda found: _mask_url(found[0]), masked)
    masked = _NAMED.sub(rf"\g<name>{MASK}", masked)
    masked = _COORDINATES.sub(MASK, masked)
    return _PHONE.sub(MASK, _ID.sub(MASK, _VIN.sub(MASK, _MAIL.sub(MASK, masked))))


def mask_vin(vin: str) -> str:
    """Return the manufacturer of a VIN, its first three characters, and nothing that identifies the vehicle."""
    return vin[:_MANUFACTURER] + MASK


def mask_repr(text: str | None) -> str:
    """Return the ``repr`` of a text, masked as by :func:`mask_text`; control characters are escaped."""
    if text is None:
        return repr(text)
    masked = repr(_mask(text[:_MAX_READ]))
    return masked if len(text) <= _MAX_READ else f"{masked[:-_MARGIN]}…"


def hide(value: object) -> str:
    """Return a mask, or the ``repr`` of an empty value, for ``attrs.field(repr=hide)``."""
    return repr(value) if value is None or (isinstance(value, Sized) and not value) else MASK


def is_private(path: str) -> bool:
    """Return whether no value at a path is shown, by the names on it: ``position.coordinates[0]``, ``vin``."""
    return any(
        _PRIVATE_NAME.fullmatch(_CAPITAL.sub("_", name).lower().replace("-", "_")) is not None
        for name in _SEPARATOR.split(path)
    )


def redacted_repr(self: Any) -> str:
    """Return the ``repr`` of an attrs value, for ``__repr__ = redacted_repr`` in its class.

    Values of private names are masked, texts and URLs are masked by what they hold, mappings are shown by their names,
    bytes by their number. Numbers, instants and known members of enumerations are shown.
    """
    kind = type(self)
    import attrs

    shown = [f"{field.name}={_show(field, getattr(self, field.name))}" for field in attrs.fields(kind) if field.repr]
    return f"{kind.__qualname__.rpartition('>.')[2]}({', '.join(shown)})"


def _show(field: attrs.Attribute[Any], value: Any) -> str:
    if callable(field.repr):
        return field.repr(value)
    if is_private(field.name):
        return hide(value)
    if field.name in _URL_NAMES and isinstance(value, str):
        return repr(mask_url(value))
    return show_value(value)


def show_value(value: Any) -> str:
    """Return how :func:`redacted_repr` shows a value."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return mask_repr(value)
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if type(value) is tuple:
        items = ", ".join(map(show_value, value))
        return f"({items},)" if len(value) == 1 else f"({items})"
    if type(value) is list:
        return f"[{', '.join(map(show_value, value))}]"
    if isinstance(value, Mapping) and type(value).__repr__ in _PLAIN_REPRS:
        return f"{{{shortlist(value)}}}"
    return repr(value)


_PLAIN_REPRS = (dict.__repr__, type(type.__dict__).__repr__)
"""Of mappings that show their values: ``dict``, and the read-only view of one."""


def mask_error(errors: Iterable[BaseException]) -> None:
    """Mask the texts of foreign exceptions, so that a traceback with them as causes may be logged."""
    for error in errors:
        if mask_text(text := str(error)) != one_line(text):
            error.args = tuple(mask_text(arg) if isinstance(arg, str) else arg for arg in error.args)
            if isinstance(error, OSError) and isinstance(error.strerror, str):
                error.strerror = mask_text(error.strerror)


def excerpt(text: str | bytes, limit: int = 300) -> str:
    """Return the beginning of a text, masked and as one line, at most ``limit`` characters.

    The text is masked before it is cut, because half a secret is not recognised. Bytes are read as UTF-8.
    """
    if isinstance(text, bytes):
        text = text[: _MAX_READ + 1].decode(errors="replace")
    return mask_text(text)[:limit]


def one_line(text: str) -> str:
    """Return a text without characters that a terminal would not print as they are.

    Line breaks and other white space become a space; control and format characters and lone surrogates become U+FFFD.
    """
    if text.isprintable():
        return text
    return "".join([char if char.isprintable() else " " if char.isspace() else "\ufffd" for char in text])


def quoted(text: str) -> str:
    """Return the first 80 characters of a text of the caller, as Python writes them."""
    return repr(text[:_MAX_NAME])


def shortlist(names: Collection[object], *, longest: int = _MAX_NAME, between: str = ", ") -> str:
    """Return the first 20 names, masked and cut, and how many there are in all."""
    masked = (mask_text(str(name)) for name in islice(names, _MAX_LISTED))
    shown = [name if len(name) <= longest else f"{name[:longest]}…" for name in masked]
    return between.join(shown) + (f" … ({len(names)} in all)" if len(names) > _MAX_LISTED else "")


def _is_id(segment: str) -> bool:
    """Return whether a segment is an id: it is long, or has a digit and is not short (``v4``, ``oauth2``)."""
    return len(segment) >= 24 or (len(segment) >= 6 and _DIGIT.search(segment) is not None and segment != "oauth2")


def _mask_pair(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    if equals:
        return f"{name}={MASK}"
    return MASK if pair else ""
