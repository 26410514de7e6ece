"""Somebody who reads the simulated API by hand: knows only URLs and header fields."""

from typing import Any

import httpx

from stellantis_hal.simulator import SCOPES, Simulator

HAL = "application/hal+json"


class Reader:
    """Reads as the owner of an account, with everything the gateway wants unless told otherwise."""

    def __init__(self, simulator: Simulator, account: str = "account-0000", scope: tuple[str, ...] = SCOPES) -> None:
        self.simulator = simulator
        self.account = simulator.world.account(account)
        self.token = simulator.token_for(account, scope=scope)
        self.transport = simulator.transport()
        self.headers = {
            "Authorization": f"Bearer {self.token.access_token}",
            "x-introspect-realm": self.account.realm,
            "Accept": HAL,
        }

    async def get(self, place: str, *, method: str = "GET", identify: bool = True, **headers: str) -> httpx.Response:
        """Read a path below the base, or a whole URL."""
        url = place if place.startswith("http") else f"{self.simulator.url}{place}"
        if identify:
            url += f"{'&' if '?' in url else '?'}client_id={self.simulator.client_id}"
        fields = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        request = httpx.Request(method, url, headers={name: value for name, value in fields.items() if value})
        response = await self.transport.handle_async_request(request)
        await response.aread()
        return response

    async def body(self, place: str) -> dict[str, Any]:
        """Read what must be there."""
        response = await self.get(place)
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body

    async def ids(self, place: str, name: str) -> list[str]:
        """Walk a collection by its next links, and list the ids met."""
        found: list[str] = []
        following: str | None = place
        while following is not None:
            body = await self.body(following)
            found += [item["id"] for item in body["_embedded"][name]]
            following = body["_links"].get("next", {}).get("href")
        return found

    async def ask(self, address: str, form: dict[str, str] | None = None, **params: str) -> httpx.Response:
        """Call the identity server: a POST with client authentication when there is a form."""
        url = f"{self.simulator.identity_url.format(domain=self.account.domain)}/{address}"
        if form is None:
            request = httpx.Request("GET", url, params=params)
        else:
            basic = httpx.BasicAuth(self.simulator.client_id, self.simulator.client_secret)
            request = next(basic.auth_flow(httpx.Request("POST", url, params=params, data=form)))
        response = await self.transport.handle_async_request(request)
        await response.aread()
        return response


def a_car(simulator: Simulator, *, trips: int = 1, collisions: int = 0, alerts: int = 0, alarms: int = 0) -> str:
    """Find a vehicle of the first account to which enough has happened."""
    world = simulator.world
    for vehicle in world.vehicles_of("account-0000"):
        if (
            world.trip_count(vehicle.id) >= trips
            and len(world.collisions(vehicle.id)) >= collisions
            and len(world.alerts(vehicle.id)) >= alerts
            and len(world.alarms(vehicle.id)) >= alarms
        ):
            return vehicle.id
    raise LookupError("No such vehicle in this world.")
