"""Requests and responses of the simulated API."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote, unquote_plus

import attrs

__all__ = ["GEO_JSON", "HAL_JSON", "JSON", "ClockReading", "Request", "Response", "format_instant", "json_response"]

JSON = "application/json"
HAL_JSON = "application/hal+json"
GEO_JSON = "application/vnd.geo+json"


@attrs.frozen
class ClockReading:
    """The current time by both clocks: ``tick`` is monotonic (seconds), ``wall`` an aware UTC datetime."""

    tick: float
    wall: datetime


@attrs.frozen(kw_only=True)
class Request:
    """A received request.

    Attributes:
        path: the path, percent-encoded.
        query: the text after the question mark, unchanged.
        headers: values by lower-case name.
        origin: scheme, host and port of the request's URL; absolute links start with it.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = b""
    origin: str = "https://api.simulator.test"

    def raw(self, name: str) -> str | None:
        """Return the first value of a query parameter without decoding."""
        return next((value for key, value in self._pairs() if key == name), None)

    def value(self, name: str) -> str | None:
        """Return the first value of a query parameter, decoded (``+`` stays a plus sign)."""
        found = self.raw(name)
        return None if found is None else unquote(found)

    def values(self, name: str) -> list[str]:
        """Return all values of a query parameter, repeated or joined by commas."""
        found = [unquote(value) for key, value in self._pairs() if key == name]
        return [part for value in found for part in value.split(",") if part]

    def query_without(self, *names: str) -> str:
        """Return the query without some parameters, the rest unchanged."""
        return "&".join(part for part in self.query.split("&") if part and part.partition("=")[0] not in names)

    @property
    def form(self) -> dict[str, str]:
        """The fields of a body in ``application/x-www-form-urlencoded``."""
        pairs = (part.partition("=") for part in self.body.decode("utf-8", "replace").split("&") if part)
        return {unquote_plus(name): unquote_plus(value) for name, _, value in pairs}

    def _pairs(self) -> Iterator[tuple[str, str]]:
        for part in self.query.split("&"):
            name, _, value = part.partition("=")
            yield unquote(name), value


@attrs.frozen(kw_only=True)
class Response:
    """A response.

    Attributes:
        kind: kind of the response, for the statistics.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    kind: str = "other"

    def with_headers(self, *fields: tuple[str, str]) -> Response:
        """Return the response with more headers."""
        return attrs.evolve(self, headers=(*self.headers, *fields))


def json_response(status: int, value: Any, *, kind: str = "other", media_type: str = JSON) -> Response:
    """Return a response with a JSON body."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(status=status, headers=(("Content-Type", media_type),), body=body, kind=kind)


def format_instant(instant: datetime) -> str:
    """Format an instant as the API does: UTC, milliseconds, ``Z``."""
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
