"""HTTP Basic credentials."""

import base64

import pytest

from stellantis_hal.credentials.basic import Basic
from stellantis_hal.errors import ConfigurationError
from tests.support.responses import REFUSED


@pytest.mark.anyio
async def test_user_name_and_password_are_sent_as_they_are() -> None:
    credentials = Basic("user", "päss:word+%", query="key=1")
    scheme, _, encoded = (await credentials.headers())["Authorization"].partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(encoded).decode() == "user:päss:word+%"
    assert credentials.query == "key=1"


@pytest.mark.anyio
async def test_refused_basic_credentials_have_no_others() -> None:
    credentials = Basic("user", "password")
    assert not await credentials.refused(REFUSED, await credentials.headers())
    assert credentials.query == ""


def test_a_user_name_with_a_colon_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="colon"):
        Basic("us:er", "password")


@pytest.mark.anyio
async def test_repr_shows_neither_user_name_nor_password() -> None:
    credentials = Basic("user", "password")
    shown = repr(credentials) + repr(await credentials.headers())
    assert "user" not in shown
    assert "password" not in shown
    assert "Basic" in shown
