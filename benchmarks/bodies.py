"""Seeded bodies of the simulated vendor, as bytes and as the answers that a session would give.

Knows the simulator. Must not know what is measured.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx

from stellantis_hal.hal.headers import Headers
from stellantis_hal.hal.json import decode, encode
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.fetch import Request, Response
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.simulator import Simulator, Subscription, World
from stellantis_hal.simulator.api.messages import Request as SimulatedRequest

__all__ = ["Vendor", "answer_of", "nobody", "plain", "whole"]

_HEADERS = Headers({"content-type": "application/hal+json", "x-ratelimit-remaining-2": "99"})
_MANY = 1_000_000_000


class Vendor:
    """One account with one vehicle, asked without any client."""

    def __init__(self, trips: int = 120) -> None:
        world = World(seed=7, accounts=1, vehicles=1, trips=trips)
        self._simulator = Simulator(world, rate_limits=Subscription(_MANY, _MANY))
        account = world.accounts[0]
        self.url = self._simulator.url
        self.vehicle = f"{self.url}/user/vehicles/{world.vehicles_of(account.key)[0].id}"
        token = self._simulator.token_for(account).access_token
        self._fields = {"authorization": f"Bearer {token}", "x-introspect-realm": "clientsB2CPeugeot"}

    def body(self, url: str) -> bytes:
        """Give what the simulator answers."""
        parts = httpx.URL(url)
        path, _, query = parts.raw_path.decode().partition("?")
        query = f"{query}&client_id={self._simulator.client_id}".lstrip("&")
        origin = f"{parts.scheme}://{parts.host}"
        reply = self._simulator.respond(
            SimulatedRequest(method="GET", path=path, query=query, headers=self._fields, origin=origin)
        )
        assert reply.status == 200, reply
        return reply.body

    def item(self, url: str, rel: str) -> dict[str, Any]:
        """Give the first of a collection's items, decoded."""
        found: dict[str, Any] = decode(self.body(url))["_embedded"][rel][0]
        return found


def answer_of(url: str, content: bytes) -> Response:
    """Make the answer that a session would give."""
    return Response(url=url, status=200, headers=_HEADERS, content=content, received_at=datetime.now(UTC))


async def nobody(request: Request, /) -> Response:
    """Answer nothing: nothing may be fetched."""
    raise AssertionError(f"{request.url} was asked for")


def whole(url: str, content: bytes) -> HalResource:
    """Make a resource of a body, that cannot fetch."""
    return HalResource.of(answer_of(url, content), ResourceContext(fetch=nobody))


def plain(make: Callable[[], Any]) -> bytes:
    """Write a value as bytes that hold nothing but themselves."""
    return bytes(bytearray(encode(make())))
