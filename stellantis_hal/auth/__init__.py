"""Who asks, on whose behalf, and how both stay known for years.

Knows OAuth2, tokens and where they are kept. Must not know how requests are sent, what the API answers, or which
objects a program deals with.
"""

from stellantis_hal.auth.application import Application
from stellantis_hal.auth.bearer import BearerCredentials
from stellantis_hal.auth.brands import IDENTITY_URL, Brand, Identity
from stellantis_hal.auth.enrolment import PARTNER_URL, Enrolment, capabilities
from stellantis_hal.auth.file_store import FileTokenStore
from stellantis_hal.auth.grants import Authorization, Redirect
from stellantis_hal.auth.partner import PartnerCredentials
from stellantis_hal.auth.scopes import Scope, required_scopes
from stellantis_hal.auth.stores import MemoryTokenStore, TokenStore
from stellantis_hal.auth.token import Token

__all__ = [
    "IDENTITY_URL",
    "PARTNER_URL",
    "Application",
    "Authorization",
    "BearerCredentials",
    "Brand",
    "Enrolment",
    "FileTokenStore",
    "Identity",
    "MemoryTokenStore",
    "PartnerCredentials",
    "Redirect",
    "Scope",
    "Token",
    "TokenStore",
    "capabilities",
    "required_scopes",
]
