"""The clients: they put the floors together."""

from stellantis_hal.client.account import Account
from stellantis_hal.client.stellantis_client import API_URL, CERTIFICATE_API_URL, StellantisClient
from stellantis_hal.hal_client import HalClient

__all__ = ["API_URL", "CERTIFICATE_API_URL", "Account", "HalClient", "StellantisClient"]
