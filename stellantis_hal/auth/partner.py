"""Credentials of a partner: a fleet owner's own.

Knows HTTP Basic. Must not know tokens; the client certificate that goes with it is the session's.
"""

from __future__ import annotations

from collections.abc import Mapping

from stellantis_hal.auth.application import Application
from stellantis_hal.navigation.fetch import Response

__all__ = ["PartnerCredentials"]


class PartnerCredentials:
    """Sign in as the application itself, with its id and secret and no token.

    Args:
        application: needs a ``client_secret``; its ``certificate`` is for whoever makes the session.

    Raises:
        ConfigurationError: the application has no secret, or an id that HTTP Basic cannot carry.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._headers = {"Authorization": application.partner_basic()}

    @property
    def query(self) -> str:
        """Give the application's id."""
        return self._application.query

    async def headers(self) -> Mapping[str, str]:
        """Give the Basic header."""
        return dict(self._headers)

    async def refused(self, response: Response, sent: Mapping[str, str], /) -> bool:
        """Know no other credentials than those refused."""
        return False

    def __repr__(self) -> str:
        return f"PartnerCredentials({self._application!r})"
