"""Applications and partners' credentials."""

import base64
import pickle
import ssl

import pytest

from stellantis_hal import Application, PartnerCredentials
from stellantis_hal.errors import ConfigurationError
from tests.support.responses import REFUSED


def basic(value: str) -> str:
    scheme, _, encoded = value.partition(" ")
    assert scheme == "Basic"
    return base64.b64decode(encoded).decode()


def test_secrets_and_the_certificate_are_hidden_in_repr() -> None:
    text = repr(Application("my-app", "s3cret", certificate=("cert.pem", "key.pem", "passw0rd")))
    assert text == "Application(client_id='my-app')"


def test_a_certificate_may_be_a_context() -> None:
    context = ssl.create_default_context()
    assert Application("my-app", certificate=context).certificate is context


def test_an_application_pickles() -> None:
    application = Application("my-app", "s3cret", certificate=("cert.pem", "key.pem"))
    assert pickle.loads(pickle.dumps(application)) == application


def test_the_client_id_is_encoded_in_the_query() -> None:
    assert Application("a&b=c").query == "client_id=a%26b%3Dc"


@pytest.mark.parametrize("client_id", ["", "a b", "a\r\nX-Evil: 1", "é", "a\x00", None])
def test_an_unsendable_client_id_is_refused(client_id: str) -> None:
    with pytest.raises(ConfigurationError, match="client_id"):
        Application(client_id)


@pytest.mark.anyio
async def test_a_partner_sends_id_and_secret_unencoded() -> None:
    credentials = PartnerCredentials(Application("my-app", "s3cret+%"))
    assert basic((await credentials.headers())["Authorization"]) == "my-app:s3cret+%"
    assert credentials.query == "client_id=my-app"


@pytest.mark.anyio
async def test_a_refused_partner_has_no_other_credentials() -> None:
    credentials = PartnerCredentials(Application("my-app", "s3cret"))
    assert not await credentials.refused(REFUSED, await credentials.headers())


def test_a_partner_needs_a_secret() -> None:
    with pytest.raises(ConfigurationError, match="client_secret"):
        PartnerCredentials(Application("my-app"))


def test_a_partner_s_id_may_have_no_colon() -> None:
    with pytest.raises(ConfigurationError, match="colon"):
        PartnerCredentials(Application("my:app", "s3cret"))


def test_a_partner_s_repr_hides_the_secret() -> None:
    assert repr(PartnerCredentials(Application("my-app", "s3cret"))) == (
        "PartnerCredentials(Application(client_id='my-app'))"
    )
