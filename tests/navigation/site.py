"""A Fetch that responds by URL and records its requests."""

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
import attrs

from stellantis_hal.errors import NotFoundError
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.fetch_protocol import Request, Response
from stellantis_hal.navigation.resource import HalResource
from tests.support.responses import NOON, make_response

__all__ = ["HOME", "Site"]

HOME = "https://api.example/v4"

Reply = Any
"""A JSON value, a :class:`Response`, an error to raise, or a function of the request that returns any of these."""


class FunctionConverter:
    """A converter that calls a function."""

    def __init__(self, function: Callable[[Any, type[Any]], Any]) -> None:
        self._function = function

    def structure(self, resource: Any, kind: type[Any]) -> Any:
        """Convert a resource by the function."""
        return self._function(resource, kind)

    def report_invalid_items(self, page: Any, values: Mapping[str, Any], kind: type[Any]) -> None:
        """Report nothing."""


@attrs.define
class Site:
    """Responds by path below :data:`HOME`, with 404 for paths without a route."""

    routes: dict[str, Reply] = attrs.field(factory=dict)
    delay: float = 0.0
    now: dt.datetime = NOON
    requests: list[Request] = attrs.field(factory=list)
    structure: Callable[[Any, type[Any]], Any] | None = None
    max_concurrent: int = 0
    _running: int = 0

    @property
    def paths(self) -> list[str]:
        """The paths of the requests, below :data:`HOME`."""
        return [request.url.removeprefix(HOME) for request in self.requests]

    @property
    def context(self) -> ResourceContext:
        if self.structure is None:
            return ResourceContext(fetch=self, clock=lambda: self.now)
        return ResourceContext(fetch=self, clock=lambda: self.now, converter=FunctionConverter(self.structure))

    def resource(self, body: Any = None, url: str = HOME, **fields: Any) -> HalResource:
        """Return a resource as if it had been fetched."""
        return HalResource.of(attrs.evolve(make_response(body, url=url, **fields), received_at=self.now), self.context)

    async def __call__(self, request: Request, /) -> Response:
        self.requests.append(request)
        self._running += 1
        self.max_concurrent = max(self.max_concurrent, self._running)
        try:
            await anyio.sleep(self.delay)
        finally:
            self._running -= 1
        path = request.url.removeprefix(HOME)
        if path not in self.routes:
            raise NotFoundError(f"nothing at {path}", status=404, url=request.url)
        reply = self.routes[path]
        if callable(reply) and not isinstance(reply, type):
            reply = reply(request)
        if isinstance(reply, Awaitable):
            reply = await reply
        if isinstance(reply, Exception):
            raise reply
        if not isinstance(reply, Response):
            reply = make_response(reply, url=request.url)
        return attrs.evolve(reply, received_at=self.now)
