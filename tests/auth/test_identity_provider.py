"""Brands and their identity servers."""

import pytest

from stellantis_hal import Brand
from stellantis_hal.auth.identity_provider import IdentityProvider
from stellantis_hal.errors import ConfigurationError


@pytest.mark.parametrize(
    ("brand", "domain", "realm"),
    [
        (Brand.PEUGEOT, "peugeot.com", "clientsB2CPeugeot"),
        (Brand.CITROEN, "citroen.com", "clientsB2CCitroen"),
        (Brand.DS, "driveds.com", "clientsB2CDS"),
        (Brand.OPEL, "opel.com", "clientsB2COpel"),
        (Brand.VAUXHALL, "vauxhall.co.uk", "clientsB2CVauxhall"),
    ],
)
def test_each_brand_has_its_domain_and_realm(brand: Brand, domain: str, realm: str) -> None:
    assert (brand.domain, brand.realm) == (domain, realm)


def test_addresses_of_an_identity_server_follow_from_the_brand() -> None:
    identity = IdentityProvider.of(Brand.VAUXHALL)
    assert identity.authorize_url == "https://idpcvs.vauxhall.co.uk/am/oauth2/authorize"
    assert identity.token_url == "https://idpcvs.vauxhall.co.uk/am/oauth2/access_token"
    assert identity.revocation_url == "https://idpcvs.vauxhall.co.uk/am/oauth2/token/revoke"


def test_realm_and_address_can_be_overridden() -> None:
    identity = IdentityProvider.of(Brand.OPEL, realm="OTPOpel", url="http://127.0.0.1:4211/am/oauth2/")
    assert identity == IdentityProvider("http://127.0.0.1:4211/am/oauth2", "OTPOpel")


@pytest.mark.parametrize("realm", ["", "a\r\nX-Evil: 1", "a b", "réalm", "a\tb", "a\x7f"])
def test_a_realm_that_could_break_a_header_is_refused(realm: str) -> None:
    with pytest.raises(ConfigurationError, match="realm"):
        IdentityProvider.of(Brand.DS, realm=realm)


def test_an_identity_address_with_a_line_break_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="url"):
        IdentityProvider("https://x.test/\nHost: y", "realm")
