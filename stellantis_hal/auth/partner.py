"""Partners (B2B): fleet owners' access to the API."""

from __future__ import annotations

import os
import ssl
from typing import Any
from urllib.parse import quote

import attrs

from stellantis_hal.auth.application import require_client_id
from stellantis_hal.credentials.basic import Basic
from stellantis_hal.errors import ConfigurationError
from stellantis_hal.transport.tls import Certificate, Tls, with_certificate
from stellantis_hal.vendor.gateway import CLIENT_ID_PARAMETER

__all__ = ["Partner"]


def _require_text(_: Any, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ConfigurationError(
            f"the partner's {field.name} must be text without line breaks, as the vendor sent it: copy it again"
        )


def _require_login(partner: Any, field: attrs.Attribute[Any], value: str) -> None:
    _require_text(partner, field, value)
    if ":" in value:
        raise ConfigurationError("HTTP Basic cannot carry a login with a colon in it: copy the partner's login again")


@attrs.frozen
class Partner:
    """A partner of the vendor: the id of its application, and the login that its requests are signed with.

    These are two names. The client id is that of the application and stands in the query of each request; the login
    (``MZP…``) and its password are the partner's, and are sent by HTTP Basic.

    Args:
        client_id: the application's public id.
        login: the partner's login.
        password: the password of the login.
        certificate: the client certificate for mutual TLS; None only where a transport or session of the program has
            it.
        authority: a PEM file or a folder of the certificate authorities that signed the server's certificate, as the
            vendor sent it; None: the usual ones.

    Raises:
        ConfigurationError: a value is empty, cannot be sent, or ``authority`` stands beside a certificate that is a
            ``ssl.SSLContext``, which has its own.

    Example:
        >>> Partner("my-id", login="MZP123456", password="my-password")
        Partner(client_id='my-id')
    """

    client_id: str = attrs.field(validator=require_client_id)
    login: str = attrs.field(kw_only=True, repr=False, validator=_require_login)
    password: str = attrs.field(kw_only=True, repr=False, validator=_require_text)
    certificate: Certificate | None = attrs.field(default=None, kw_only=True, repr=False)
    authority: str | os.PathLike[str] | None = attrs.field(default=None, kw_only=True, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.authority is not None and isinstance(self.certificate, ssl.SSLContext):
            raise ConfigurationError(
                "authority has no effect on a certificate that is a ssl.SSLContext: load it there, as in "
                "context.load_verify_locations(cafile=…)"
            )

    @property
    def query(self) -> str:
        """The text that every request carries in its query."""
        return f"{CLIENT_ID_PARAMETER}={quote(self.client_id, safe='')}"

    @property
    def tls(self) -> Tls:
        """The settings of connections: the client certificate and the server's authority."""
        return with_certificate(Tls(authorities=self.authority), self.certificate)

    def credentials(self) -> Basic:
        """Return what each request is sent with: the login and its password, and the client id in the query."""
        return Basic(self.login, self.password, query=self.query)
