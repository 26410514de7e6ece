"""Clients connected to the simulated vendor."""

from typing import Any

from stellantis_hal import Account, Application, Brand, RetryPolicy, StellantisClient, Token, TokenStore
from stellantis_hal.simulator import Account as Holder
from stellantis_hal.simulator import Simulator, World

__all__ = ["BRANDS", "ONCE", "account_of", "application_of", "client_of", "token_of", "world"]

BRANDS = {brand.domain: brand for brand in Brand}

ONCE = RetryPolicy(attempts=1)
"""No second attempt: the first failure is raised."""


def world(*, accounts: int = 1, vehicles: int = 1, trips: int = 3, seed: int = 7) -> World:
    """Return a small world."""
    return World(seed=seed, accounts=accounts, vehicles=vehicles, trips=trips)


def application_of(simulator: Simulator) -> Application:
    """Return the application registered with the simulator."""
    return Application(simulator.client_id, simulator.client_secret)


def client_of(simulator: Simulator, application: Application | None = None, **options: Any) -> StellantisClient:
    """Return a client whose requests go to the simulator; options replace those that connect it."""
    connected: dict[str, Any] = {
        "base_url": simulator.url,
        "identity_url": simulator.identity_url,
        "transport": simulator.transport(),
        "clock": simulator.now,
    }
    return StellantisClient(application or application_of(simulator), **(connected | options))


def token_of(simulator: Simulator, holder: Holder | str | None = None) -> Token:
    """Return a new token of an account holder, given whole or by key; of the first one by default."""
    issued = simulator.token_for(holder or simulator.world.accounts[0])
    return Token(issued.access_token, issued.refresh_token, expires_at=issued.expires_at, scope=issued.scope)


def account_of(
    client: StellantisClient,
    simulator: Simulator,
    holder: Holder | str | None = None,
    *,
    tokens: Token | TokenStore | None = None,
    key: str | None = None,
) -> Account:
    """Return the client's account of an account holder; of the first one, with a new token, by default."""
    if not isinstance(holder, Holder):
        holder = simulator.world.accounts[0] if holder is None else simulator.world.account(holder)
    tokens = token_of(simulator, holder) if tokens is None else tokens
    return client.account(tokens, brand=BRANDS[holder.domain], key=key or holder.key)
