"""Minimal client of the simulated API: URLs and headers only, independent of the package."""

from typing import Any

import httpx

from stellantis_hal.simulator import SCOPES, Simulator

HAL = "application/hal+json"


class ApiClient:
    """Sends requests as the owner of an account, with all required headers."""

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

    async def get(self, path: str, *, method: str = "GET", identify: bool = True, **headers: str) -> httpx.Response:
        """Return the response to a request for a path below the base URL, or a complete URL."""
        url = path if path.startswith("http") else f"{self.simulator.url}{path}"
        if identify:
            url += f"{'&' if '?' in url else '?'}client_id={self.simulator.client_id}"
        fields = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        request = httpx.Request(method, url, headers={name: value for name, value in fields.items() if value})
        response = await self.transport.handle_async_request(request)
        await response.aread()
        return response

    async def body(self, path: str) -> dict[str, Any]:
        """Return the JSON body of a path; the status must be 200."""
        response = await self.get(path)
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body

    async def ids(self, path: str, name: str) -> list[str]:
        """Return the ids of all items of a collection, by its next links."""
        found: list[str] = []
        following: str | None = path
        while following is not None:
            body = await self.body(following)
            found += [item["id"] for item in body["_embedded"][name]]
            following = body["_links"].get("next", {}).get("href")
        return found

    async def call_identity(self, address: str, form: dict[str, str] | None = None, **params: str) -> httpx.Response:
        """Return the identity server's response; a form is sent by POST with client authentication."""
        url = f"{self.simulator.identity_url.format(domain=self.account.domain)}/{address}"
        if form is None:
            request = httpx.Request("GET", url, params=params)
        else:
            basic = httpx.BasicAuth(self.simulator.client_id, self.simulator.client_secret)
            request = next(basic.auth_flow(httpx.Request("POST", url, params=params, data=form)))
        response = await self.transport.handle_async_request(request)
        await response.aread()
        return response


def find_vehicle(simulator: Simulator, *, trips: int = 1, collisions: int = 0, alerts: int = 0, alarms: int = 0) -> str:
    """Return the id of a vehicle of the first account with the given numbers of trips and incidents."""
    world = simulator.world
    for vehicle in world.vehicles_of("account-0000"):
        if (
            world.trip_count(vehicle.id) >= trips
            and len(world.collisions(vehicle.id)) >= collisions
            and len(world.alerts(vehicle.id)) >= alerts
            and len(world.alarms(vehicle.id)) >= alarms
        ):
            return vehicle.id
    raise LookupError("no vehicle of the world has enough trips and incidents")
