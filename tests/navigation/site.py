"""A server at the seam: answers by address, and a record of what was asked for."""

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
import attrs

from stellantis_hal.errors import NotFoundError
from stellantis_hal.hal.json import encode
from stellantis_hal.navigation import HalResource, Headers, Request, ResourceContext, Response

__all__ = ["HAL", "HOME", "NOON", "Site", "answer", "link", "links"]

HOME = "https://api.example/v4"
HAL = "application/hal+json"
NOON = dt.datetime(2024, 6, 1, 12, 0, tzinfo=dt.UTC)

Reply = Any
"""A JSON value, an :class:`Response`, an error to raise, or a function of the request that gives any of these."""


def link(href: Any, **members: Any) -> dict[str, Any]:
    """A link object."""
    return {"href": href, **members}


def links(**rels: Any) -> dict[str, Any]:
    """A document's links; a string is an href."""
    return {rel: link(value) if isinstance(value, str) else value for rel, value in rels.items()}


def answer(
    url: str = HOME,
    body: Any = None,
    *,
    status: int = 200,
    kind: str = HAL,
    content: bytes | None = None,
    **fields: Any,
) -> Response:
    """An answer with a JSON body, or any other."""
    named = {"content-type": kind, **{name.replace("_", "-"): value for name, value in fields.items()}}
    raw = content if content is not None else encode({} if body is None else body)
    return Response(url=url, status=status, headers=Headers(named), content=raw, received_at=NOON)


@attrs.define
class Site:
    """Answers what it was given for an address, 404 for every other; paths are below :data:`HOME`."""

    replies: dict[str, Reply] = attrs.field(factory=dict)
    delay: float = 0.0
    now: dt.datetime = NOON
    requests: list[Request] = attrs.field(factory=list)
    structure: Callable[[Any, type[Any]], Any] | None = None
    largest: int = 0
    _running: int = 0

    @property
    def asked(self) -> list[str]:
        """The addresses asked for, without what they have in common."""
        return [request.url.removeprefix(HOME) for request in self.requests]

    @property
    def context(self) -> ResourceContext:
        if self.structure is None:
            return ResourceContext(fetch=self, clock=lambda: self.now)
        return ResourceContext(fetch=self, clock=lambda: self.now, structure=self.structure)

    def resource(self, body: Mapping[str, Any] | None = None, url: str = HOME, **fields: Any) -> HalResource:
        """A resource as if it had been fetched."""
        return HalResource.of(attrs.evolve(answer(url, body, **fields), received_at=self.now), self.context)

    async def __call__(self, request: Request, /) -> Response:
        self.requests.append(request)
        self._running += 1
        self.largest = max(self.largest, self._running)
        try:
            await anyio.sleep(self.delay)
        finally:
            self._running -= 1
        path = request.url.removeprefix(HOME)
        if path not in self.replies:
            raise NotFoundError(f"nothing at {path}", status=404, url=request.url)
        reply = self.replies[path]
        if callable(reply) and not isinstance(reply, type):
            reply = reply(request)
        if isinstance(reply, Awaitable):
            reply = await reply
        if isinstance(reply, Exception):
            raise reply
        if not isinstance(reply, Response):
            reply = answer(request.url, reply)
        return attrs.evolve(reply, received_at=self.now)
