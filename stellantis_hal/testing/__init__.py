"""Kit for tests of programs that use the package: jumping clocks, clients of the simulator, recordings of responses.

The pytest fixtures built on it are in the module ``pytest_stellantis_hal``, which pytest finds without configuration.
"""

from stellantis_hal.testing.clocks import JumpingEventLoop, jump, jumping
from stellantis_hal.testing.recorder import Recorder
from stellantis_hal.testing.replay import ReplayTransport, UnrecordedRequestError
from stellantis_hal.testing.simulated import (
    simulated_account,
    simulated_client,
    simulated_fleet_owner,
    simulated_token,
    small_world,
)

__all__ = [
    "JumpingEventLoop",
    "Recorder",
    "ReplayTransport",
    "UnrecordedRequestError",
    "jump",
    "jumping",
    "simulated_account",
    "simulated_client",
    "simulated_fleet_owner",
    "simulated_token",
    "small_world",
]
