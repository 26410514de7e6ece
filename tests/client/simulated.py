"""A client before a simulated vendor, for the length of a block."""

import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx

from stellantis_hal import Account, Application, Brand, RetryPolicy, StellantisClient, Token
from stellantis_hal.simulator import Account as Holder
from stellantis_hal.simulator import IssuedToken, Simulator, World

BRANDS = {brand.domain: brand for brand in Brand}


def world(*, accounts: int = 1, vehicles: int = 1, trips: int = 3, seed: int = 7) -> World:
    """Make a small world."""
    return World(seed=seed, accounts=accounts, vehicles=vehicles, trips=trips)


def token_of(issued: IssuedToken) -> Token:
    """Give what the simulator issued as the client keeps it."""
    return Token(issued.access_token, issued.refresh_token, expires_at=issued.expires_at)


def application_of(simulator: Simulator) -> Application:
    """Give the application that the simulator knows."""
    return Application(simulator.client_id, simulator.client_secret)


@asynccontextmanager
async def client_of(simulator: Simulator, **options: Any) -> AsyncGenerator[StellantisClient, None]:
    """Open a client before a simulator."""
    settings: dict[str, Any] = {
        "base_url": simulator.url,
        "identity_url": simulator.identity_url,
        "transport": simulator.transport(),
        "clock": simulator.now,
        **options,
    }
    async with StellantisClient(application_of(simulator), **settings) as client:
        yield client


def account_of(client: StellantisClient, simulator: Simulator, holder: Holder | None = None) -> Account:
    """Act for an account holder of the simulated world; the first if nothing is said."""
    holder = simulator.world.accounts[0] if holder is None else holder
    token = token_of(simulator.token_for(holder))
    return client.account(token, brand=BRANDS[holder.domain], key=holder.key)


ONCE = RetryPolicy(attempts=1)
"""No second attempt, so that the first failure shows."""


class Rewritten(httpx.AsyncBaseTransport):
    """A transport whose answers on one path are replaced on the way back; what it was asked for is noted."""

    def __init__(
        self, inner: httpx.AsyncBaseTransport, path: str, rewrite: Callable[[httpx.Response], httpx.Response]
    ) -> None:
        self._inner = inner
        self._path = re.compile(path)
        self._rewrite = rewrite
        self.asked: list[httpx.URL] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        response = await self._inner.handle_async_request(request)
        if not self._path.search(request.url.path):
            return response
        await response.aread()
        await response.aclose()
        return self._rewrite(response)


def edited(edit: Callable[[Any], Any]) -> Callable[[httpx.Response], httpx.Response]:
    """Change a JSON body, and leave the rest of the answer as it is."""

    def rewrite(response: httpx.Response) -> httpx.Response:
        return httpx.Response(response.status_code, headers=plain(response), json=edit(response.json()))

    return rewrite


def replaced(
    content: bytes, *, content_type: str = "application/hal+json", status: int = 200
) -> Callable[[httpx.Response], httpx.Response]:
    """Answer with other bytes."""
    return lambda response: httpx.Response(status, headers={"content-type": content_type}, content=content)


def plain(response: httpx.Response) -> dict[str, str]:
    """Give an answer's fields but for those that belong to its bytes."""
    return {
        name: value for name, value in response.headers.items() if name not in {"content-length", "content-encoding"}
    }
