"""A request while it is handled: its caller, its address, and its refusal."""

from __future__ import annotations

import json
from typing import Any

import attrs

from stellantis_hal.simulator.api.http_messages import ClockReading, Request
from stellantis_hal.simulator.api.serializer import Serializer
from stellantis_hal.simulator.world.entities import Account

__all__ = ["Caller", "Refusal", "RequestContext", "method_not_allowed", "no_data", "not_found"]


@attrs.frozen(kw_only=True)
class Caller:
    """The authenticated caller.

    Attributes:
        account: the end user; None for a partner.
        scope: what the caller may read.
        base: base URL of links.
        now: time of the request.
        owner: path, below the base, of what the vehicles belong to.
    """

    account: Account | None
    scope: tuple[str, ...]
    base: str
    now: ClockReading
    owner: str = "user"


class Refusal(Exception):  # noqa: N818 - becomes a response
    """A request that is refused: the HTTP status, the API's code, and a message."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status: int = status
        self.code: int = code
        self.message: str = message


def no_data() -> Refusal:
    """Return the refusal where there is no such resource."""
    return Refusal(404, 40400, "No data available for such context.")


def not_found() -> Refusal:
    """Return the refusal where the API has no such address."""
    return Refusal(404, 40499, "Not found.")


def method_not_allowed() -> Refusal:
    """Return the refusal where an address does not take the method."""
    return Refusal(405, 40500, "Method not allowed.")


@attrs.frozen(kw_only=True)
class RequestContext:
    """A request while it is handled."""

    request: Request
    caller: Caller
    serializer: Serializer
    address: str
    segments: tuple[str, ...]

    @property
    def account(self) -> Account:
        """The end user."""
        assert self.caller.account is not None  # noqa: S101 - partners have routes of their own
        return self.caller.account

    def require_scope(self, *scopes: str) -> None:
        """Refuse a caller that has none of the scopes."""
        if not set(scopes) & set(self.caller.scope):
            raise Refusal(403, 40300, f"The scope {' or '.join(scopes)} was not granted.")

    def require_method(self, *methods: str) -> None:
        """Refuse a request of another method."""
        if self.request.method not in methods:
            raise method_not_allowed()

    def json_object(self) -> dict[str, Any]:
        """Return the body, which must be a JSON object sent as JSON."""
        media_type = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise Refusal(415, 41500, "Unsupported media type.")
        try:
            value = json.loads(self.request.body)
        except ValueError:
            raise Refusal(400, 40000, "The body is not JSON.") from None
        if not isinstance(value, dict):
            raise Refusal(400, 40000, "The body is not an object.")
        return value
