"""The partner's login: HTTP Basic, apart from the application's client id."""

from __future__ import annotations

from base64 import b64decode
from hmac import compare_digest

import attrs

from stellantis_hal.simulator.api.http_messages import Request

__all__ = ["PartnerBasicAuth"]


@attrs.frozen
class PartnerBasicAuth:
    """The login of a partner and its password."""

    login: str
    password: str = attrs.field(repr=False)

    def signs(self, request: Request) -> bool:
        """Return whether a request carries the login and its password by HTTP Basic (RFC 7617)."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        try:
            name, _, password = b64decode(text, validate=True).decode().partition(":")
        except ValueError:
            return False
        known = compare_digest(name.encode(), self.login.encode())
        known &= compare_digest(password.encode(), self.password.encode())
        return known and scheme.lower() == "basic"
