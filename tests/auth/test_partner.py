"""Partners: what their requests are sent with."""

import base64
import pickle
import ssl
from typing import Any

import pytest

from stellantis_hal import Partner
from stellantis_hal.errors import ConfigurationError
from tests.support.responses import REFUSED


def partner(**changes: Any) -> Partner:
    values: dict[str, Any] = {"client_id": "my-app", "login": "MZP123456", "password": "s3cret+%ü"}
    return Partner(**(values | changes))


@pytest.mark.anyio
async def test_a_partner_signs_with_its_login_and_not_the_client_id() -> None:
    credentials = partner().credentials()
    scheme, _, encoded = (await credentials.headers())["Authorization"].partition(" ")
    assert (scheme, base64.b64decode(encoded).decode()) == ("Basic", "MZP123456:s3cret+%ü")
    assert credentials.query == "client_id=my-app"


@pytest.mark.anyio
async def test_a_refused_partner_has_no_other_credentials() -> None:
    credentials = partner().credentials()
    assert not await credentials.refused(REFUSED, await credentials.headers())


def test_the_client_id_is_encoded_in_the_query() -> None:
    assert partner(client_id="a&b=c").query == "client_id=a%26b%3Dc"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("client_id", value) for value in ("", "a b", "a\r\nX-Evil: 1", "é", None)],
        *[("login", value) for value in ("", "a:b", "a\nb", None)],
        *[("password", value) for value in ("", "a\nb", None)],
    ],
)
def test_what_cannot_be_sent_is_refused(name: str, value: str | None) -> None:
    with pytest.raises(ConfigurationError, match=name):
        partner(**{name: value})


def test_secrets_and_the_certificate_are_hidden_in_repr() -> None:
    value = partner(certificate=("cert.pem", "key.pem", "passw0rd"), authority="/home/mallory/ca.pem")
    assert repr(value) == "Partner(client_id='my-app')"
    assert "s3cret" not in repr(value.credentials())


def test_a_partner_pickles() -> None:
    value = partner(certificate=("cert.pem", "key.pem"))
    assert pickle.loads(pickle.dumps(value)) == value


def test_certificate_and_authority_are_those_of_connections() -> None:
    tls = partner(certificate=("cert.pem", "key.pem"), authority="ca.pem").tls
    assert (tls.certificate, tls.authorities, tls.context) == (("cert.pem", "key.pem"), "ca.pem", None)
    assert (partner().tls.certificate, partner().tls.authorities) == (None, None)


def test_a_certificate_may_be_a_context() -> None:
    context = ssl.create_default_context()
    assert partner(certificate=context).tls.context is context
    with pytest.raises(ConfigurationError, match="load_verify_locations"):
        partner(certificate=context, authority="ca.pem")
