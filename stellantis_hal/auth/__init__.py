"""The vendor's authentication: applications, brands' identity servers, enrolment, partners."""

from stellantis_hal.auth.application import Application
from stellantis_hal.auth.enrolment import Enrolment
from stellantis_hal.auth.identity import IdentityProvider
from stellantis_hal.auth.partner import Partner

__all__ = ["Application", "Enrolment", "IdentityProvider", "Partner"]
