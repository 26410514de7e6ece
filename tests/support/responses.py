"""Responses and links for tests without a transport."""

from datetime import UTC, datetime
from typing import Any

from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.hal.json import encode
from stellantis_hal.navigation.fetch_protocol import Response

__all__ = ["HAL", "NOON", "REFUSED", "link", "links", "make_response"]

HAL = "application/hal+json"
NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)


def link(href: Any, **members: Any) -> dict[str, Any]:
    """Return a link object."""
    return {"href": href, **members}


def links(**rels: Any) -> dict[str, Any]:
    """Return the ``_links`` of a document; a string is an href."""
    return {rel: link(value) if isinstance(value, str) else value for rel, value in rels.items()}


def make_response(
    body: Any = None,
    *,
    url: str = "https://api.example/v4",
    status: int = 200,
    content_type: str = HAL,
    received_at: datetime = NOON,
    **fields: Any,
) -> Response:
    """Return a response with a JSON body, or with the bytes given; header fields are written with ``_`` for ``-``."""
    header = {"content-type": content_type, **{name.replace("_", "-"): value for name, value in fields.items()}}
    content = body if isinstance(body, bytes) else encode({} if body is None else body)
    return Response(url=url, status=status, headers=Headers(header), content=content, received_at=received_at)


REFUSED = make_response(status=401)
"""A response that refuses the credentials of the request."""
