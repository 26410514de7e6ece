"""The OAuth2 server of a brand, with the realm of its users."""

from __future__ import annotations

import attrs

from stellantis_hal.auth.application import Application
from stellantis_hal.credentials.oauth2_messages import OAuth2Registration, with_query
from stellantis_hal.errors import ConfigurationError
from stellantis_hal.hal.header_mapping import is_sendable
from stellantis_hal.vendor.brands import Brand
from stellantis_hal.vendor.gateway import REALM_HEADER
from stellantis_hal.vendor.hosts import IDENTITY_URL

__all__ = ["IdentityProvider"]


def _require_sendable(_: IdentityProvider, field: attrs.Attribute[str], value: str) -> None:
    if not is_sendable(value):
        raise ConfigurationError(
            f"the identity server's {field.name} must be visible ASCII without blanks or line breaks"
        )


def _without_slash(url: str) -> str:
    return url.rstrip("/")


@attrs.frozen
class IdentityProvider:
    """The OAuth2 server that authenticates the users of one brand.

    Args:
        url: its address, without a slash at the end (``https://idpcvs.peugeot.com/am/oauth2``).
        realm: the directory of its users.

    Raises:
        ConfigurationError: the address or the realm cannot be sent in a header.

    Example:
        >>> IdentityProvider.of(Brand.OPEL, realm="OTPOpel").token_url
        'https://idpcvs.opel.com/am/oauth2/access_token'
    """

    url: str = attrs.field(converter=_without_slash, validator=_require_sendable)
    realm: str = attrs.field(validator=_require_sendable)

    @classmethod
    def of(cls, brand: Brand | str, *, realm: str | None = None, url: str = IDENTITY_URL) -> IdentityProvider:
        """Return the identity server of a brand.

        Args:
            brand: the brand, or its name.
            realm: None: the brand's usual realm.
            url: its address, in which ``{domain}`` stands for the brand's domain.
        """
        brand = Brand(brand)
        return cls(url.replace("{domain}", brand.domain), brand.realm if realm is None else realm)

    @property
    def authorize_url(self) -> str:
        """The page where users log in and consent."""
        return f"{self.url}/authorize"

    @property
    def token_url(self) -> str:
        """The address that exchanges codes and renews tokens."""
        return f"{self.url}/access_token"

    @property
    def revocation_url(self) -> str:
        """The address that revokes tokens."""
        return f"{self.url}/token/revoke"

    @property
    def headers(self) -> dict[str, str]:
        """The header that names the realm to the API, beside the bearer token."""
        return {REALM_HEADER: self.realm}

    def oauth2_client(self, application: Application) -> OAuth2Registration:
        """Return the application as a client of this server.

        The vendor wants the realm in the query of renewals and revocations, and not of code exchanges.
        """
        realm = {"realm": self.realm}
        return OAuth2Registration(
            client_id=application.client_id,
            client_secret=application.client_secret,
            authorize_url=self.authorize_url,
            token_url=self.token_url,
            renewal_url=with_query(self.token_url, realm),
            revocation_url=with_query(self.revocation_url, realm),
            advice="check its id, secret, redirect URI and realm, and that the brand is the account's",
        )
