"""Who asks, on whose behalf, and how both stay known for years.

Knows OAuth2, tokens and where they are kept. Must not know how requests are sent, what the API answers, or which
objects a program deals with.
"""

from stellantis_hal.auth.application import Application
from stellantis_hal.auth.enrolment import PARTNER_URL, Enrolment, capabilities
from stellantis_hal.auth.identity import IDENTITY_URL, Brand, IdentityProvider
from stellantis_hal.auth.partner import PartnerCredentials
from stellantis_hal.credentials.bearer import BearerCredentials
from stellantis_hal.credentials.oauth2 import AuthorizationRequest, AuthorizationResponse
from stellantis_hal.credentials.stores.file import FileTokenStore
from stellantis_hal.credentials.stores.memory import MemoryTokenStore, TokenStore
from stellantis_hal.credentials.token import Token
from stellantis_hal.vendor.scopes import Scope, required_scopes

__all__ = [
    "IDENTITY_URL",
    "PARTNER_URL",
    "Application",
    "AuthorizationRequest",
    "AuthorizationResponse",
    "BearerCredentials",
    "Brand",
    "Enrolment",
    "FileTokenStore",
    "IdentityProvider",
    "MemoryTokenStore",
    "PartnerCredentials",
    "Scope",
    "Token",
    "TokenStore",
    "capabilities",
    "required_scopes",
]
