"""Writes below a typed resource, by the client that it was read through."""

from __future__ import annotations

from typing import Any, Final

from stellantis_hal.errors import ApiError, NetworkError, StellantisError
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.navigation.writes import RequestOptions, write_request

__all__ = ["LOST_RESPONSES", "is_unknown_outcome", "send_json"]

LOST_RESPONSES: Final = frozenset((502, 504, 520, 522, 524, 598, 599))
"""Statuses of gateways that have sent a request on and have no response to it; from 520 on of no standard."""


async def send_json(resource: HalResource, method: str, url: str, body: dict[str, Any] | None = None) -> HalResource:
    """Send a request to a URL, unconditionally, and return its response.

    Args:
        resource: any resource of the client that sends it.
        method: the HTTP method.
        url: absolute, on a trusted origin.
        body: sent as JSON; None: no body.

    Raises:
        StellantisError: sending failed.
    """
    context = resource.require_context()
    options: RequestOptions = {} if body is None else {"json": body}
    return await HalResource.answer_to(write_request(method, url, options, context), context)


def is_unknown_outcome(error: StellantisError) -> bool:
    """Return whether a write may have been done although it failed: it was sent, and no complete answer came."""
    if isinstance(error, NetworkError):
        return error.sent
    return isinstance(error, ApiError) and error.status in LOST_RESPONSES
