"""Clients connected to the simulated vendor."""

from stellantis_hal import Application, Brand, RetryPolicy
from stellantis_hal.simulator import Simulator, World
from stellantis_hal.testing import simulated_account as account_of
from stellantis_hal.testing import simulated_client as client_of
from stellantis_hal.testing import simulated_token as token_of

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
