"""A fetch in place of the network: bodies by path, and a record of the requests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from stellantis_hal.errors import ApiError, NotFoundError
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.fetch_protocol import Request, Response
from stellantis_hal.navigation.resource import HalResource
from tests.support.responses import make_response

HOST = "https://api.example"
NOW = datetime(2023, 9, 12, 10, 41, 10, 911000, UTC)


def no_data(code: int | None = 40400) -> ApiError:
    return NotFoundError("nothing there", status=404, code=code)


class Served:
    """A fetch with a body for each path; other paths do not exist."""

    def __init__(self, bodies: dict[str, Any]) -> None:
        self.bodies = bodies
        self.requests: list[Request] = []

    async def __call__(self, request: Request, /) -> Response:
        self.requests.append(request)
        path = request.url.removeprefix(HOST).partition("?")[0]
        body = self.bodies.get(path, no_data(None))
        if isinstance(body, Exception):
            raise body
        return make_response(body, url=request.url, received_at=NOW)

    def resource(self, path: str, body: Any) -> HalResource:
        """Return a resource as if it had been fetched."""
        return HalResource.of(make_response(body, url=HOST + path, received_at=NOW), ResourceContext(fetch=self))

    @property
    def asked(self) -> list[str]:
        """The requested URLs, without the host."""
        return [request.url.removeprefix(HOST) for request in self.requests]
