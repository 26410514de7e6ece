"""The client of the vendor's API, and its accounts."""

from stellantis_hal.client.account import Account
from stellantis_hal.client.fleet_owner import FleetOwnerClient
from stellantis_hal.client.stellantis_client import StellantisClient

__all__ = ["Account", "FleetOwnerClient", "StellantisClient"]
