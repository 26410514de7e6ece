"""The brands: where their users log in, and what their users' directory is called.

Knows names that the vendor chose. Must not know tokens or requests.
"""

from __future__ import annotations

import enum

import attrs

from stellantis_hal.errors import ConfigurationError
from stellantis_hal.hal.headers import is_sendable

__all__ = ["IDENTITY_URL", "Brand", "IdentityProvider"]

IDENTITY_URL = "https://idpcvs.{domain}/am/oauth2"
"""Where a brand's users log in; ``{domain}`` is the brand's."""


class Brand(enum.Enum):
    """A brand of cars, by which its users' accounts are kept apart; ``Brand("Citroën")`` finds one by its name.

    Example:
        >>> Brand.DS.domain, Brand.DS.realm
        ('driveds.com', 'clientsB2CDS')
    """

    PEUGEOT = "peugeot"
    CITROEN = "citroen"
    DS = "ds"
    OPEL = "opel"
    VAUXHALL = "vauxhall"

    @classmethod
    def _missing_(cls, value: object) -> Brand:
        name = value.strip().casefold().replace("ë", "e") if isinstance(value, str) else ""
        for brand in cls:
            if brand.value == name:
                return brand
        raise ValueError(f"{value!r:.80} is no brand; there are {', '.join(brand.value for brand in cls)}")

    @property
    def domain(self) -> str:
        """Give the domain of the brand's identity host."""
        return _BRANDS[self][0]

    @property
    def realm(self) -> str:
        """Give the realm that works in the field; an application may be registered for another."""
        return _BRANDS[self][1]


_BRANDS = {
    Brand.PEUGEOT: ("peugeot.com", "clientsB2CPeugeot"),
    Brand.CITROEN: ("citroen.com", "clientsB2CCitroen"),
    Brand.DS: ("driveds.com", "clientsB2CDS"),
    Brand.OPEL: ("opel.com", "clientsB2COpel"),
    Brand.VAUXHALL: ("vauxhall.co.uk", "clientsB2CVauxhall"),
}


def _sendable(_: IdentityProvider, field: attrs.Attribute[str], value: str) -> None:
    if not is_sendable(value):
        raise ConfigurationError(
            f"the identity server's {field.name} must be visible ASCII without blanks or line breaks"
        )


def _without_slash(url: str) -> str:
    return url.rstrip("/")


@attrs.frozen
class IdentityProvider:
    """The server that vouches for one brand's users.

    Args:
        url: its address, without a slash at the end (``https://idpcvs.peugeot.com/am/oauth2``).
        realm: its users' directory.

    Raises:
        ConfigurationError: one of them could not be sent in a header.

    Example:
        >>> IdentityProvider.of(Brand.OPEL, realm="OTPOpel").token_url
        'https://idpcvs.opel.com/am/oauth2/access_token'
    """

    url: str = attrs.field(converter=_without_slash, validator=_sendable)
    realm: str = attrs.field(validator=_sendable)

    @classmethod
    def of(cls, brand: Brand | str, *, realm: str | None = None, url: str = IDENTITY_URL) -> IdentityProvider:
        """Give a brand's identity server.

        Args:
            brand: whose users they are; its name will do.
            realm: another one than the brand's usual; None: the usual.
            url: its address, in which ``{domain}`` stands for the brand's domain.
        """
        brand = Brand(brand)
        return cls(url.replace("{domain}", brand.domain), brand.realm if realm is None else realm)

    @property
    def authorize_url(self) -> str:
        """Give the page where users log in and consent."""
        return f"{self.url}/authorize"

    @property
    def token_url(self) -> str:
        """Give the address that exchanges codes and renews tokens."""
        return f"{self.url}/access_token"

    @property
    def revocation_url(self) -> str:
        """Give the address that revokes tokens."""
        return f"{self.url}/token/revoke"
