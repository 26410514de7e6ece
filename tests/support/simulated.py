"""Clients connected to the simulated vendor."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from stellantis_hal import Account, Application, Brand, RetryPolicy, StellantisClient, Token
from stellantis_hal.simulator import Account as Holder
from stellantis_hal.simulator import IssuedToken, Simulator, World

BRANDS = {brand.domain: brand for brand in Brand}


def world(*, accounts: int = 1, vehicles: int = 1, trips: int = 3, seed: int = 7) -> World:
    """Return a small world."""
    return World(seed=seed, accounts=accounts, vehicles=vehicles, trips=trips)


def token_of(issued: IssuedToken) -> Token:
    """Return an issued token in the form that the client stores."""
    return Token(issued.access_token, issued.refresh_token, expires_at=issued.expires_at)


def application_of(simulator: Simulator) -> Application:
    """Return the application registered with the simulator."""
    return Application(simulator.client_id, simulator.client_secret)


@asynccontextmanager
async def client_of(simulator: Simulator, **options: Any) -> AsyncGenerator[StellantisClient, None]:
    """Open a client whose requests go to the simulator."""
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
    """Return the client's account of an account holder; of the first one by default."""
    holder = simulator.world.accounts[0] if holder is None else holder
    token = token_of(simulator.token_for(holder))
    return client.account(token, brand=BRANDS[holder.domain], key=holder.key)


ONCE = RetryPolicy(attempts=1)
"""No second attempt: the first failure is raised."""
