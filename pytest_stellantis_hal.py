"""pytest fixtures of stellantis_hal.

pytest loads this module at each start, used or not. So it imports nothing else until a fixture is used, and stands
outside the package: coverage would miss a package that is loaded before it starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from stellantis_hal import Account, StellantisClient
    from stellantis_hal.simulator import Simulator, World

__all__ = ["stellantis_account", "stellantis_client", "stellantis_simulator", "stellantis_world"]


@pytest.fixture
def stellantis_world() -> World:
    """Return a world of one account with one electric vehicle and three trips. Override it for another world."""
    from stellantis_hal.testing import small_world

    return small_world()


@pytest.fixture
def stellantis_simulator(stellantis_world: World) -> Simulator:
    """Return the API of ``stellantis_world``; its clock starts at the world's epoch, and jumps with the loop's."""
    from stellantis_hal.simulator import Simulator

    return Simulator(stellantis_world, epoch=stellantis_world.epoch)


@pytest.fixture
def stellantis_client(stellantis_simulator: Simulator) -> StellantisClient:
    """Return a client of ``stellantis_simulator``, without a socket; use it in one test, on asyncio or trio."""
    from stellantis_hal.testing import simulated_client

    return simulated_client(stellantis_simulator)


@pytest.fixture
def stellantis_account(stellantis_simulator: Simulator, stellantis_client: StellantisClient) -> Account:
    """Return the account of the first holder in ``stellantis_world``, with a token that is valid for an hour."""
    from stellantis_hal.testing import simulated_account

    return simulated_account(stellantis_client, stellantis_simulator)
