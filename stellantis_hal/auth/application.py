"""The registered application: client id, secret and certificate."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import attrs

from stellantis_hal.errors import ConfigurationError
from stellantis_hal.hal.header_mapping import is_sendable
from stellantis_hal.transport.tls import Certificate
from stellantis_hal.vendor.gateway import CLIENT_ID_PARAMETER

__all__ = ["Application", "require_client_id"]


def require_client_id(_: Any, __: Any, value: Any) -> None:
    """Validate the id of an application.

    Raises:
        ConfigurationError: it is no text, is empty, or cannot be sent.
    """
    if not isinstance(value, str):
        raise ConfigurationError(f"client_id must be str, not {type(value).__name__}: is it in your configuration?")
    if not is_sendable(value):
        raise ConfigurationError("client_id must be visible ASCII without blanks or line breaks: copy it again")


def _require_secret(_: Any, __: Any, value: Any) -> None:
    if not isinstance(value, str | None):
        raise ConfigurationError(f"client_secret must be str or None, not {type(value).__name__}")


@attrs.frozen
class Application:
    """An application as the vendor registered it: one id, one secret, one certificate for all of its accounts.

    Args:
        client_id: the public id; it is sent in the query of every request.
        client_secret: None for an application that has none (token requests then carry the id in their body).
        certificate: the client certificate for the mutual-TLS hosts; hidden in ``repr``, as the secret is.

    Raises:
        ConfigurationError: the id is empty or cannot be sent in a header, or the id or the secret is no text.

    Example:
        >>> Application("my-id", "my-secret", certificate=("cert.pem", "key.pem"))
        Application(client_id='my-id')
    """

    client_id: str = attrs.field(validator=require_client_id)
    client_secret: str | None = attrs.field(default=None, repr=False, validator=_require_secret)
    certificate: Certificate | None = attrs.field(default=None, kw_only=True, repr=False)

    @property
    def query(self) -> str:
        """The text that every API request carries in its query."""
        return f"{CLIENT_ID_PARAMETER}={quote(self.client_id, safe='')}"
