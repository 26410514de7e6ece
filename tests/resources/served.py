"""A double at the transport: bodies by path, and a record of what was asked."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from stellantis_hal.errors import ApiError, NotFoundError
from stellantis_hal.hal.headers import Headers
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.fetch import Request, Response
from stellantis_hal.navigation.resource import HalResource

HOST = "https://api.example"
NOW = datetime(2023, 9, 12, 10, 41, 10, 911000, UTC)


def link(href: str) -> dict[str, str]:
    return {"href": href}


def no_data(code: int | None = 40400) -> ApiError:
    return NotFoundError("nothing there", status=404, code=code)


class Served:
    """Answers with what it holds for a path; a path that it does not hold is an address that does not exist."""

    def __init__(self, bodies: dict[str, Any]) -> None:
        self.bodies = bodies
        self.requests: list[Request] = []

    async def __call__(self, request: Request, /) -> Response:
        self.requests.append(request)
        path = request.url.removeprefix(HOST).partition("?")[0]
        body = self.bodies.get(path, no_data(None))
        if isinstance(body, Exception):
            raise body
        return self.answer(request.url, body)

    def answer(self, url: str, body: Any) -> Response:
        headers = Headers({"Content-Type": "application/hal+json"})
        return Response(url=url, status=200, headers=headers, content=json.dumps(body).encode(), received_at=NOW)

    def resource(self, path: str, body: Any) -> HalResource:
        """Give a resource as if it had been fetched."""
        return HalResource.of(self.answer(HOST + path, body), ResourceContext(fetch=self))

    @property
    def asked(self) -> list[str]:
        """What was asked for, without the host."""
        return [request.url.removeprefix(HOST) for request in self.requests]
