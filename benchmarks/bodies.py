"""Bodies of the simulator, as bytes and as responses of a session."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx

from stellantis_hal.hal.headers import Headers
from stellantis_hal.hal.json import decode
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.fetch import Request, Response
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.simulator import Simulator, Subscription, World
from stellantis_hal.simulator.api.messages import Request as SimulatedRequest

__all__ = ["SimulatedApi", "make_resource", "make_response", "refuse_fetch"]

_HEADERS = Headers({"content-type": "application/hal+json", "x-ratelimit-remaining-2": "99"})
_MANY = 1_000_000_000


class SimulatedApi:
    """The simulated API of one account with one vehicle, without a client."""

    def __init__(self, trips: int = 120) -> None:
        world = World(seed=7, accounts=1, vehicles=1, trips=trips)
        self._simulator = Simulator(world, rate_limits=Subscription(_MANY, _MANY))
        account = world.accounts[0]
        self.url = self._simulator.url
        self.vehicle = f"{self.url}/user/vehicles/{world.vehicles_of(account.key)[0].id}"
        token = self._simulator.token_for(account).access_token
        self._fields = {"authorization": f"Bearer {token}", "x-introspect-realm": "clientsB2CPeugeot"}

    def body(self, url: str) -> bytes:
        """Return the body of the simulator's response."""
        parts = httpx.URL(url)
        path, _, query = parts.raw_path.decode().partition("?")
        query = f"{query}&client_id={self._simulator.client_id}".lstrip("&")
        origin = f"{parts.scheme}://{parts.host}"
        response = self._simulator.respond(
            SimulatedRequest(method="GET", path=path, query=query, headers=self._fields, origin=origin)
        )
        assert response.status == 200, response
        return response.body

    def item(self, url: str, rel: str) -> dict[str, Any]:
        """Return the first item of a collection, decoded."""
        found: dict[str, Any] = decode(self.body(url))["_embedded"][rel][0]
        return found


def make_response(url: str, content: bytes) -> Response:
    """Return a response as a session would."""
    return Response(url=url, status=200, headers=_HEADERS, content=content, received_at=datetime.now(UTC))


async def refuse_fetch(request: Request, /) -> Response:
    """Raise: nothing may be fetched."""
    raise AssertionError(f"{request.url} was requested")


def make_resource(url: str, content: bytes) -> HalResource:
    """Return a resource of a body, with a context that cannot fetch."""
    return HalResource.of(make_response(url, content), ResourceContext(fetch=refuse_fetch))
