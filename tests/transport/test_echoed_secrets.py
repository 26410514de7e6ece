"""Secrets of a request that its error repeats."""

import base64
from typing import Any

import httpx
import pytest

from stellantis_hal import Basic, Bearer, ConfigurationError, HalClient, OAuth2ClientCredentials, RetryPolicy
from stellantis_hal.errors import ApiError, StellantisError
from stellantis_hal.transport.echoed_secrets import hide_echoed_secrets, secrets_of

pytestmark = pytest.mark.anyio

SECRET = "n3w-acc3ss"
BASIC = f"Basic {base64.b64encode(b'me:a%20pass').decode()}"
OF_A_FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


def _client(auth: Any, status: int, message: str) -> HalClient:
    transport = httpx.MockTransport(
        lambda _: httpx.Response(status, json={"message": message, "error": "invalid_client"})
    )
    return HalClient("https://api.test/", auth=auth, transport=transport, retry=RetryPolicy(attempts=1))


@pytest.mark.parametrize("status", [401, 403, 422, 500])
@pytest.mark.parametrize(
    "auth", [Bearer("n3w-acc3ss"), Basic("user", "n3w-acc3ss"), httpx.BasicAuth("user", "n3w-acc3ss")]
)
async def test_a_secret_without_its_name_is_masked(auth: Any, status: int) -> None:
    """Patterns cannot recognise it; what the server sent stays readable in ``document``."""
    async with _client(auth, status, "n3w-acc3ss is unknown") as client:
        with pytest.raises(ApiError) as caught:
            await client.root()
    error = caught.value
    assert "*** is unknown" in str(error)
    assert "n3w-acc3ss" not in f"{error!r} {vars(error)}"
    assert (error.document["message"], error.url) == ("n3w-acc3ss is unknown", "https://api.test/")


async def test_the_secret_of_an_application_is_masked() -> None:
    auth = OAuth2ClientCredentials("https://login.test/token", "my-id", "app s3cret")
    async with _client(auth, 401, "no app s3cret here") as client:
        with pytest.raises(ConfigurationError) as caught:
            await client.root()
    assert "s3cret" not in f"{caught.value!r} {vars(caught.value)}"


@pytest.mark.parametrize(
    ("headers", "content", "expected"),
    [
        ({"Authorization": "Bearer t0ken"}, None, ("t0ken",)),
        ({"Authorization": "t0ken"}, None, ("t0ken",)),
        ({"Authorization": "Basic ???"}, None, ()),
        ({"Authorization": "Basic bWU6cDRzc3dvcmQ=!"}, None, ("bWU6cDRzc3dvcmQ=!",)),
        ({"Authorization": BASIC}, None, ("bWU6YSUyMHBhc3M=", "a%20pass", "a pass")),
        ({"Accept": "text/plain"}, b"password=s3cret", ()),
        (OF_A_FORM, b"password=s3cret&grant_type=password&code=abc", ("s3cret",)),
        (OF_A_FORM, b"password=s3cret" + b"x" * 70_000, ()),
        ({"AUTHORIZATION": "Bearer abcdef"}, None, ("abcdef",)),
        ({"Cookie": "sid=one twos"}, None, ("twos",)),
        ({"X-API-Key": "abcd", "Proxy-Authorization": "key longer"}, None, ("longer", "abcd")),
        ({"X-API-Key": "abc"}, None, ()),
        ({"X-Other": "abcdef"}, None, ()),
        ({"Authorization": "BASIC bWU6YSUyRmJjZA=="}, None, ("bWU6YSUyRmJjZA==", "a%2Fbcd", "a/bcd")),
        ({"Authorization": "Basic not?base64"}, None, ("not?base64",)),
        (OF_A_FORM, b"client_secret=one1&code=two22&grant_type=password&other=word", ("two22", "one1")),
        (OF_A_FORM, b"password=" + b"x" * 65_527, ("x" * 65_527,)),
        (OF_A_FORM, b"password=" + b"x" * 65_528, ()),
        ({"Content-Type": "text/plain"}, b"password=secret", ()),
        ({"X-Form": "application/x-www-form-urlencoded"}, b"password=secret", ()),
        ({**OF_A_FORM, "Accept": "*/*"}, b"password=\xffsecret", ("\ufffdsecret",)),
        (OF_A_FORM, None, ()),
    ],
)
def test_what_is_secret_in_a_request(headers: dict[str, str], content: bytes | None, expected: Any) -> None:
    assert secrets_of(headers, content) == expected


def test_only_whole_words_are_masked() -> None:
    error = StellantisError("pass the password: pass", 7)
    hide_echoed_secrets(error, ("pass",))
    assert error.args == ("*** the password: ***", 7)
    hide_echoed_secrets(error, ())
