"""The seam between navigation and whatever moves bytes.

Knows a request and an answer as values. Must not know any HTTP library, credentials, or what a body means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Protocol, cast

import attrs

__all__ = ["Fetch", "Headers", "Request", "Response", "fits_field"]

_FIELD = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,1022}[\x21-\x7e])?")


def fits_field(value: str) -> bool:
    """Tell whether a text can stand in a header field as it is, and be nothing more than that field's value.

    Visible ASCII and blanks within, that is, of a kilobyte at most (RFC 9110 section 5.5).
    """
    return _FIELD.fullmatch(value) is not None


class Headers(Mapping[str, str]):
    """Header fields by name, whatever the case; fields sent twice are joined by a comma (RFC 9110 section 5.3)."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        pairs = cast("Iterable[tuple[str, str]]", fields.items() if isinstance(fields, Mapping) else fields)
        merged: dict[str, str] = {}
        for name, value in pairs:
            key = name.lower()
            merged[key] = f"{merged[key]}, {value}" if key in merged else value
        self._fields = merged

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"Headers({', '.join(self._fields)})"


@attrs.frozen(kw_only=True)
class Request:
    """What navigation asks for: an absolute URL, byte for byte as it has to be sent, without credentials.

    Attributes:
        url: absolute; a server-made query in it is never parsed and rebuilt.
        method: the HTTP method.
        headers: fields of this request alone (``Accept``, ``If-None-Match``, …).
        content: the body.
        repeatable: whether it may be sent again after the server may have seen it; None: as its method says
            (GET, HEAD, PUT and DELETE may).
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = attrs.field(factory=dict)
    content: bytes | None = attrs.field(default=None, repr=False)
    repeatable: bool | None = None


@attrs.frozen(kw_only=True)
class Response:
    """What came back: any 2xx, or the 304 that a conditional request asked for. Its body is read to the end.

    Attributes:
        url: where it came from, after redirects, without what identifies the application.
        status: the HTTP status.
        headers: its header fields.
        content: its body, decompressed.
        received_at: by the wall clock, aware, UTC.
    """

    url: str
    status: int
    headers: Headers
    content: bytes = attrs.field(repr=False)
    received_at: datetime


class Fetch(Protocol):
    """Send a request, give its answer.

    Whoever implements it decides about credentials, waiting and retries, follows redirects by the rules of
    :mod:`stellantis_hal.navigation.origins`, and raises nothing but errors of :mod:`stellantis_hal.errors`:
    an :class:`~stellantis_hal.errors.ApiError` for every other status.
    """

    async def __call__(self, request: Request, /) -> Response: ...
