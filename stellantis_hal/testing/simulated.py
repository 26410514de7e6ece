"""Clients and accounts connected to the simulator."""

from __future__ import annotations

from typing import Any

from stellantis_hal.auth.application import Application
from stellantis_hal.auth.partner import Partner
from stellantis_hal.client.account import Account
from stellantis_hal.client.fleet_owner_client import FleetOwnerClient
from stellantis_hal.client.stellantis_client import StellantisClient
from stellantis_hal.credentials.stores.protocol import TokenStore
from stellantis_hal.credentials.token import Token
from stellantis_hal.simulator import Account as Holder
from stellantis_hal.simulator import Simulator, World
from stellantis_hal.validation import require_type
from stellantis_hal.vendor.brands import Brand

__all__ = ["simulated_account", "simulated_client", "simulated_fleet_owner", "simulated_token", "small_world"]

_BRANDS = {brand.domain: brand for brand in Brand}
_SEED = 6  # of a world whose vehicle is electric


def small_world() -> World:
    """Return a world of one account with one electric vehicle and three trips; it is always the same."""
    return World(seed=_SEED, vehicles=1, trips=3)


def simulated_client(simulator: Simulator, application: Application | None = None, **options: Any) -> StellantisClient:
    """Return a client whose requests go to a simulator without a socket.

    Args:
        simulator: the simulator.
        application: None: the application registered with the simulator.
        **options: options of :class:`~stellantis_hal.StellantisClient`; they replace those that connect it.
    """
    connected: dict[str, Any] = {
        "base_url": simulator.url,
        "identity_url": simulator.identity_url,
        "transport": simulator.transport(),
        "clock": simulator.now,
    }
    application = application or Application(simulator.client_id, simulator.client_secret)
    return StellantisClient(application, **(connected | options))


def simulated_fleet_owner(simulator: Simulator, partner: Partner | None = None, **options: Any) -> FleetOwnerClient:
    """Return a fleet owner's client whose requests go to a simulator without a socket.

    Args:
        simulator: the simulator.
        partner: None: the partner registered with the simulator.
        **options: options of :class:`~stellantis_hal.FleetOwnerClient`; they replace those that connect it.
    """
    connected: dict[str, Any] = {
        "base_url": simulator.partner_url,
        "transport": simulator.transport(),
        "clock": simulator.now,
    }
    partner = partner or Partner(
        simulator.client_id, login=simulator.partner_login, password=simulator.partner_password
    )
    return FleetOwnerClient(partner, **(connected | options))


def simulated_token(simulator: Simulator, holder: Holder | str | None = None) -> Token:
    """Return a new token of an account holder, given whole or by key; of the first one by default."""
    issued = simulator.token_for(_holder(simulator, holder))
    return Token(issued.access_token, issued.refresh_token, expires_at=issued.expires_at, scope=issued.scope)


def simulated_account(
    client: StellantisClient,
    simulator: Simulator,
    holder: Holder | str | None = None,
    *,
    tokens: Token | TokenStore | None = None,
    key: str | None = None,
) -> Account:
    """Return the client's account of an account holder of the simulator's world.

    Args:
        client: a client of the simulator.
        simulator: the simulator.
        holder: the holder, whole or by key; None: the first one.
        tokens: None: a new token, renewed in memory.
        key: the account's key in the store; None: the holder's key.

    Raises:
        KeyError: the world has no such holder.
    """
    holder = _holder(simulator, holder)
    tokens = simulated_token(simulator, holder) if tokens is None else tokens
    return client.account(tokens, brand=_BRANDS[holder.domain], key=key or holder.key)


def _holder(simulator: Simulator, holder: Holder | str | None) -> Holder:
    require_type("holder", holder, Holder, str, None, instead="simulator.world.accounts[1]")
    if isinstance(holder, Holder):
        return holder
    return simulator.world.accounts[0] if holder is None else simulator.world.account(holder)
