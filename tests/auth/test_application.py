"""Applications."""

import pickle
import ssl

import pytest

from stellantis_hal import Application
from stellantis_hal.errors import ConfigurationError


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
