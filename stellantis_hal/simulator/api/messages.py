"""Knows what goes in and out of the simulated vendor, as values.

Must not know how bytes travel, nor what an address means.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote, unquote_plus

import attrs

__all__ = ["GEO_JSON", "HAL_JSON", "JSON", "Moment", "Request", "Response", "json_response", "spell"]

JSON = "application/json"
HAL_JSON = "application/hal+json"
GEO_JSON = "application/vnd.geo+json"


@attrs.frozen
class Moment:
    """Now, by both clocks: ``tick`` only ever grows (seconds), ``wall`` is an aware UTC instant."""

    tick: float
    wall: datetime


@attrs.frozen(kw_only=True)
class Request:
    """A request as it arrived.

    Attributes:
        path: still percent-encoded.
        query: the text behind the question mark, byte for byte.
        headers: by lower-case name.
        origin: scheme, host and port by which the vendor was reached: absolute links begin with it.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = b""
    origin: str = "https://api.simulator.test"

    def raw(self, name: str) -> str | None:
        """Give the first value of a query parameter as it was sent, nothing decoded."""
        return next((value for key, value in self._pairs() if key == name), None)

    def value(self, name: str) -> str | None:
        """Give the first value of a query parameter, decoded (``+`` stays a plus sign)."""
        found = self.raw(name)
        return None if found is None else unquote(found)

    def values(self, name: str) -> list[str]:
        """Give every value of a query parameter, whether repeated or joined by commas."""
        found = [unquote(value) for key, value in self._pairs() if key == name]
        return [part for value in found for part in value.split(",") if part]

    def query_without(self, *names: str) -> str:
        """Give the query text without some parameters, the rest untouched."""
        return "&".join(part for part in self.query.split("&") if part and part.partition("=")[0] not in names)

    @property
    def form(self) -> dict[str, str]:
        """The body's fields, read as an HTML form."""
        pairs = (part.partition("=") for part in self.body.decode("utf-8", "replace").split("&") if part)
        return {unquote_plus(name): unquote_plus(value) for name, _, value in pairs}

    def _pairs(self) -> Iterator[tuple[str, str]]:
        for part in self.query.split("&"):
            name, _, value = part.partition("=")
            yield unquote(name), value


@attrs.frozen(kw_only=True)
class Response:
    """An answer.

    Attributes:
        kind: what was asked for, for the statistics.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    kind: str = "other"

    def with_headers(self, *fields: tuple[str, str]) -> Response:
        """Give the answer with more header fields."""
        return attrs.evolve(self, headers=(*self.headers, *fields))


def json_response(status: int, value: Any, *, kind: str = "other", media_type: str = JSON) -> Response:
    """Word a JSON value as an answer."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(status=status, headers=(("Content-Type", media_type),), body=body, kind=kind)


def spell(instant: datetime) -> str:
    """Spell an instant as the API does: UTC, milliseconds, ``Z``."""
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
