"""Kinds of faults and their effect on a response."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import attrs

from stellantis_hal.simulator.api.http_messages import Response, json_response
from stellantis_hal.simulator.faults.bounds import AT_LEAST_ONE, NOT_NEGATIVE, SHARE

__all__ = [
    "ClockSkew",
    "ConnectionRefused",
    "CutBody",
    "Delay",
    "ExpiredToken",
    "Fault",
    "ForeignLink",
    "HtmlError",
    "LoopingLink",
    "OAuthFault",
    "Reset",
    "ServerFault",
    "SlowBody",
    "TooManyRequests",
    "VanishedFields",
    "WrongLength",
]


@attrs.frozen
class Fault:
    """A fault of one request. Subclass it: the base class changes nothing."""

    bypasses_server: ClassVar[bool] = False
    """Whether the request reaches neither the rate limiter nor the routes."""

    def replacement(self) -> Response | None:
        """Return the response that replaces the real one, or None."""
        return None

    def alter(self, response: Response) -> Response:
        """Return the real response as changed by the fault."""
        return response


@attrs.frozen
class ConnectionRefused(Fault):
    """The connection is refused; nothing is sent."""

    bypasses_server: ClassVar[bool] = True


@attrs.frozen
class Reset(Fault):
    """The connection breaks before the response. With ``counted`` the server has handled the request."""

    counted: bool = True


@attrs.frozen
class Delay(Fault):
    """The response is delayed by some seconds."""

    seconds: float = attrs.field(validator=NOT_NEGATIVE)


@attrs.frozen
class ExpiredToken(Fault):
    """The request's access token expires."""


@attrs.frozen
class TooManyRequests(Fault):
    """A 429 that the rate limiter does not count.

    ``retry_after`` and ``reset`` are sent as given, or left out where None; ``remaining`` is the value of the counters
    of ``windows`` (1: the day, 2: the second), None leaves the true ones. A day without a request left and a
    ``Retry-After`` of seconds contradict each other; a client may then wait longer. With ``bare`` the response has no
    rate-limit headers.
    """

    retry_after: str | None = "1"
    reset: str | None = None
    remaining: int | None = 0
    bare: bool = False
    windows: tuple[int, ...] = (2,)
    bypasses_server: ClassVar[bool] = True

    def replacement(self) -> Response | None:
        """Return the 429."""
        headers: list[tuple[str, str]] = []
        if self.retry_after is not None:
            headers.append(("Retry-After", self.retry_after))
        if self.reset is not None:
            headers.append(("X-RateLimit-Reset", self.reset))
        if self.remaining is not None and not self.bare:
            headers += [(f"X-RateLimit-Remaining-{window}", str(self.remaining)) for window in self.windows]
        body = {"httpCode": "429", "httpMessage": "Too Many Requests", "moreInformation": "Rate Limit exceeded"}
        return json_response(429, body, kind="fault").with_headers(*headers)


@attrs.frozen
class ServerFault(Fault):
    """A 5xx with the API's error body."""

    status: int = 500
    code: int = 50000
    retry_after: str | None = None

    def replacement(self) -> Response | None:
        """Return the error."""
        body = {"code": self.code, "message": "Internal error.", "uuid": "0", "timestamp": "2026-01-01T00:00:00.000Z"}
        headers = () if self.retry_after is None else (("Retry-After", self.retry_after),)
        return json_response(self.status, body, kind="fault").with_headers(*headers)


@attrs.frozen
class HtmlError(Fault):
    """An HTML page of a proxy, also with status 200."""

    status: int = 502

    def replacement(self) -> Response | None:
        """Return the HTML page."""
        body = f"<html><head><title>{self.status}</title></head><body><h1>Sorry</h1></body></html>".encode()
        return Response(status=self.status, headers=(("Content-Type", "text/html"),), body=body, kind="fault")


@attrs.frozen
class OAuthFault(Fault):
    """An OAuth2 error; ``server_error`` was observed with status 400 and is temporary."""

    error: str = "server_error"
    status: int = 400
    description: str = "Try later."

    def replacement(self) -> Response | None:
        """Return the error."""
        return json_response(self.status, {"error": self.error, "error_description": self.description}, kind="fault")


@attrs.frozen
class CutBody(Fault):
    """The connection breaks within the body, after a share of it (0 to 1)."""

    keep: float = attrs.field(default=0.5, validator=SHARE)


@attrs.frozen
class SlowBody(Fault):
    """The body arrives in pieces, each delayed by some seconds."""

    seconds: float = attrs.field(default=1.0, validator=NOT_NEGATIVE)
    pieces: int = attrs.field(default=4, validator=AT_LEAST_ONE)


@attrs.frozen
class WrongLength(Fault):
    """``Content-Length`` is wrong by ``off`` bytes; where it is negative, the body seems to end early."""

    off: int = 10


@attrs.frozen
class ClockSkew(Fault):
    """``Date`` is wrong by some seconds."""

    seconds: float = 3600.0


def _edit_json(response: Response, edit: Any) -> Response:
    """Return a response with its JSON body edited; a response without status 200 stays unchanged."""
    if response.status != 200:
        return response
    body = json.loads(response.body)
    edit(body)
    return attrs.evolve(response, body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())


@attrs.frozen
class ForeignLink(Fault):
    """A link leads to another host; it is added where it is missing."""

    rel: str = "next"
    href: str = "https://evil.example/connectedcar/v4/user"

    def alter(self, response: Response) -> Response:
        """Return the response with the link replaced or added."""

        def replace(body: Any) -> None:
            body.setdefault("_links", {})[self.rel] = {"href": self.href}

        return _edit_json(response, replace)


@attrs.frozen
class LoopingLink(Fault):
    """A page's ``next`` is the page itself."""

    def alter(self, response: Response) -> Response:
        """Return the response with ``next`` set to ``self``."""

        def close_loop(body: Any) -> None:
            links = body.get("_links", {})
            if "self" in links:
                links["next"] = links["self"]

        return _edit_json(response, close_loop)


@attrs.frozen
class VanishedFields(Fault):
    """Fields are missing at every depth of the body."""

    names: tuple[str, ...] = ("createdAt", "total", "faults")

    def alter(self, response: Response) -> Response:
        """Return the response without the fields."""

        def remove(value: Any) -> None:
            if isinstance(value, dict):
                for name in self.names:
                    value.pop(name, None)
                for inner in value.values():
                    remove(inner)
            elif isinstance(value, list):
                for inner in value:
                    remove(inner)

        return _edit_json(response, remove)
