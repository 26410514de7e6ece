"""The registered application: who asks, whichever account it asks for.

Knows the client's id, secret and certificate, and how they become a header. Must not know tokens,
accounts or addresses.
"""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote, quote_plus

import attrs

from stellantis_hal.errors import ConfigurationError
from stellantis_hal.hal.headers import is_sendable
from stellantis_hal.transport.tls import Certificate

__all__ = ["Application"]


def _client_id(_: Any, __: Any, value: str) -> None:
    if not is_sendable(value):
        raise ConfigurationError("client_id must be visible ASCII without blanks or line breaks: copy it again")


@attrs.frozen
class Application:
    """Name an application as the vendor registered it: one id, one secret, one certificate for all of its accounts.

    Args:
        client_id: the public id; it travels in the query of every request.
        client_secret: None for an application that has none (it then names itself in the body of token requests).
        certificate: what the mutual-TLS hosts ask for; its own secrets stay out of ``repr`` too.

    Raises:
        ConfigurationError: the id is empty, or holds what no header may hold.

    Example:
        >>> Application("my-id", "my-secret", certificate=("cert.pem", "key.pem"))
        Application(client_id='my-id')
    """

    client_id: str = attrs.field(validator=_client_id)
    client_secret: str | None = attrs.field(default=None, repr=False)
    certificate: Certificate | None = attrs.field(default=None, kw_only=True, repr=False)

    @property
    def query(self) -> str:
        """Give the text that every API request carries in its query."""
        return f"client_id={quote(self.client_id, safe='')}"

    def oauth_basic(self) -> str | None:
        """Give the header value that names the application to a token endpoint; None where there is no secret.

        Id and secret are form-encoded before they are joined (RFC 6749 section 2.3.1).
        """
        if self.client_secret is None:
            return None
        return _basic(quote_plus(self.client_id), quote_plus(self.client_secret))

    def partner_basic(self) -> str:
        """Give the header value that names a partner to the API itself, as it stands (RFC 7617).

        Raises:
            ConfigurationError: there is no secret, or the id holds a colon, which this scheme cannot carry.
        """
        if self.client_secret is None:
            raise ConfigurationError("a partner signs in with HTTP Basic: Application needs a client_secret")
        if ":" in self.client_id:
            raise ConfigurationError("HTTP Basic cannot carry a client_id with a colon in it")
        return _basic(self.client_id, self.client_secret)


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
