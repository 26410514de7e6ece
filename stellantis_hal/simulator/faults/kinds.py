"""Knows what can go wrong on the way, as values, and what it does to an answer.

Must not know the world, the API's addresses or how bytes travel.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

import attrs

from stellantis_hal.simulator.api.messages import Response, json_response

__all__ = [
    "ClockSkew",
    "CutBody",
    "Delay",
    "ExpiredToken",
    "Fault",
    "ForeignLink",
    "HtmlError",
    "LoopingLink",
    "OAuthFault",
    "Refused",
    "Reset",
    "ServerFault",
    "SlowBody",
    "TooManyRequests",
    "VanishedFields",
    "WrongLength",
]


@attrs.frozen
class Fault:
    """Something that goes wrong with one request. By itself it does nothing; its kinds do."""

    before: ClassVar[bool] = False
    """Whether the vendor's books and resources never see the request."""

    def instead(self) -> Response | None:
        """Give the answer that takes the place of the real one, if there is one."""
        return None

    def spoil(self, reply: Response) -> Response:
        """Give what becomes of the real answer."""
        return reply


@attrs.frozen
class Refused(Fault):
    """The connection is refused: nothing was sent."""

    before: ClassVar[bool] = True


@attrs.frozen
class Reset(Fault):
    """The connection breaks before an answer comes. With ``counted`` the request has been handled all the same."""

    counted: bool = True


@attrs.frozen
class Delay(Fault):
    """The answer takes so many seconds more."""

    seconds: float


@attrs.frozen
class ExpiredToken(Fault):
    """The access token of the request turns out to be expired, and stays so."""


@attrs.frozen
class TooManyRequests(Fault):
    """A 429 that the books know nothing of.

    ``retry_after`` and ``reset`` are worded as given, None leaves them out; ``remaining`` is what the counters of
    both windows claim, None leaves them as they are. A ``bare`` one carries no rate-limit fields at all.
    """

    retry_after: str | None = "1"
    reset: str | None = None
    remaining: int | None = 0
    bare: bool = False
    before: ClassVar[bool] = True

    def instead(self) -> Response | None:
        """Refuse."""
        fields: list[tuple[str, str]] = []
        if self.retry_after is not None:
            fields.append(("Retry-After", self.retry_after))
        if self.reset is not None:
            fields.append(("X-RateLimit-Reset", self.reset))
        if self.remaining is not None and not self.bare:
            fields += [(f"X-RateLimit-Remaining-{window}", str(self.remaining)) for window in (1, 2)]
        body = {"httpCode": "429", "httpMessage": "Too Many Requests", "moreInformation": "Rate Limit exceeded"}
        return json_response(429, body, kind="fault").with_headers(*fields)


@attrs.frozen
class ServerFault(Fault):
    """A 5xx in the API's own shape."""

    status: int = 500
    code: int = 50000
    retry_after: str | None = None

    def instead(self) -> Response | None:
        """Fail."""
        body = {"code": self.code, "message": "Internal error.", "uuid": "0", "timestamp": "2026-01-01T00:00:00.000Z"}
        fields = () if self.retry_after is None else (("Retry-After", self.retry_after),)
        return json_response(self.status, body, kind="fault").with_headers(*fields)


@attrs.frozen
class HtmlError(Fault):
    """A page of HTML from some machine in between; with status 200 it even looks like a success."""

    status: int = 502

    def instead(self) -> Response | None:
        """Answer with a page for people."""
        body = f"<html><head><title>{self.status}</title></head><body><h1>Sorry</h1></body></html>".encode()
        return Response(status=self.status, headers=(("Content-Type", "text/html"),), body=body, kind="fault")


@attrs.frozen
class OAuthFault(Fault):
    """An error in OAuth2's shape; ``server_error`` is seen with status 400 and passes by itself."""

    error: str = "server_error"
    status: int = 400

    def instead(self) -> Response | None:
        """Fail."""
        return json_response(self.status, {"error": self.error, "error_description": "Try later."}, kind="fault")


@attrs.frozen
class CutBody(Fault):
    """The connection breaks within the body, a share of it (0 to 1) having arrived."""

    keep: float = 0.5


@attrs.frozen
class SlowBody(Fault):
    """The body comes in pieces, with so many seconds before each."""

    seconds: float = 1.0
    pieces: int = 4


@attrs.frozen
class WrongLength(Fault):
    """``Content-Length`` is off by so many bytes. Less than the truth: the body seems to end early."""

    off: int = 10


@attrs.frozen
class ClockSkew(Fault):
    """The server's clock is wrong by so many seconds in ``Date``."""

    seconds: float = 3600.0


def _edited(reply: Response, edit: Any) -> Response:
    """Give an answer whose JSON object went through an edit; any other answer stays as it is."""
    if reply.status != 200:
        return reply
    body = json.loads(reply.body)
    edit(body)
    return attrs.evolve(reply, body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())


@attrs.frozen
class ForeignLink(Fault):
    """A link leads to another host."""

    rel: str = "next"
    href: str = "https://evil.example/connectedcar/v4/user"

    def spoil(self, reply: Response) -> Response:
        """Bend the link, or plant it."""

        def bend(body: Any) -> None:
            body.setdefault("_links", {})[self.rel] = {"href": self.href}

        return _edited(reply, bend)


@attrs.frozen
class LoopingLink(Fault):
    """A page's ``next`` is the page itself."""

    def spoil(self, reply: Response) -> Response:
        """Tie the loop."""

        def tie(body: Any) -> None:
            links = body.get("_links", {})
            if "self" in links:
                links["next"] = links["self"]

        return _edited(reply, tie)


@attrs.frozen
class VanishedFields(Fault):
    """Fields are missing, wherever in the body they stood."""

    names: tuple[str, ...] = ("createdAt", "total", "faults")

    def spoil(self, reply: Response) -> Response:
        """Take them away."""

        def strip(value: Any) -> None:
            if isinstance(value, dict):
                for name in self.names:
                    value.pop(name, None)
                for inner in value.values():
                    strip(inner)
            elif isinstance(value, list):
                for inner in value:
                    strip(inner)

        return _edited(reply, strip)
