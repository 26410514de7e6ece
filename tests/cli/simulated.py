"""Connections of the command line to a simulator of a test."""

from stellantis_hal import StellantisClient
from stellantis_hal.cli.common_options import Invocation
from stellantis_hal.cli.connection import CommandContext
from stellantis_hal.simulator import Simulator
from tests.support.simulated import account_of

__all__ = ["connection_of"]


def connection_of(client: StellantisClient, simulator: Simulator, options: Invocation) -> CommandContext:
    """Return the connection of a client of a simulator."""
    account = account_of(client, simulator)
    return CommandContext(
        client=client, account=account, key="default", brand="peugeot", now=simulator.now, options=options
    )
