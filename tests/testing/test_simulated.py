"""Accounts and tokens of the simulator's account holders."""

from typing import Any

import pytest

from stellantis_hal.simulator import Simulator, World
from stellantis_hal.testing import simulated_account, simulated_client, simulated_token


@pytest.mark.parametrize("holder", [0, 1], ids=str)
def test_a_holder_by_number_is_refused(holder: Any) -> None:
    """0 was the first holder for a token, and an AttributeError for an account."""
    simulator = Simulator(World(seed=7, accounts=2, vehicles=2))
    message = r"^holder must be Account or str or None, not int: simulator.world.accounts\[1\]$"
    with pytest.raises(TypeError, match=message):
        simulated_token(simulator, holder)
    with pytest.raises(TypeError, match=message):
        simulated_account(simulated_client(simulator), simulator, holder)


def test_a_holder_is_given_whole_or_by_key() -> None:
    simulator = Simulator(World(seed=7, accounts=2, vehicles=2))
    client, second = simulated_client(simulator), simulator.world.accounts[1]
    assert repr(simulated_account(client, simulator, second)) == repr(
        simulated_account(client, simulator, second.key, tokens=simulated_token(simulator, second.key))
    )


@pytest.mark.parametrize("by", [3600, "2h", None], ids=str)
def test_a_clock_advances_by_a_duration(by: Any) -> None:
    simulator = Simulator(World(seed=7))
    with pytest.raises(TypeError, match=r"^the clock advances by a timedelta, as timedelta\(hours=2\), not by "):
        simulator.advance(by)
