"""Tokens: enrolment, renewal with rotation, revocation."""

from base64 import urlsafe_b64encode
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx
import pytest

from stellantis_hal.simulator import Simulator, World
from tests.simulator.reader import Reader

pytestmark = pytest.mark.anyio

BACK = "https://app.test/back?x=1"
VERIFIER = "v" * 50
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def reader() -> Reader:
    return Reader(Simulator(World(seed=4, accounts=3, vehicles=3, trips=9)))


def consent(reader: Reader, **changes: str) -> dict[str, str]:
    params = {
        "client_id": reader.simulator.client_id,
        "response_type": "code",
        "scope": "data:trip,data:position,invented",
        "redirect_uri": BACK,
        "state": "s t",
        **changes,
    }
    return {name: value for name, value in params.items() if value}


async def redirected(reader: Reader, **changes: str) -> dict[str, str]:
    response = await reader.ask("authorize", None, **consent(reader, **changes))
    assert response.status_code == 302, response.text
    location = response.headers["Location"]
    assert location.startswith(BACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def exchange(code: str, **changes: str) -> dict[str, str]:
    return {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, **changes}


async def renew(reader: Reader, token: str, *, realm: str | None = None) -> httpx.Response:
    form = {"grant_type": "refresh_token", "refresh_token": token}
    return await reader.ask("access_token", form, realm=realm or reader.account.realm)


async def is_good(reader: Reader, access_token: str) -> bool:
    return (await reader.get("/user", Authorization=f"Bearer {access_token}")).status_code == 200


async def test_consent_redirects_with_code_state_and_granted_scopes(reader: Reader) -> None:
    answer = await redirected(reader)
    assert (answer["state"], answer["scope"]) == ("s t", "data:trip data:position")
    assert answer["code"]


async def test_a_code_is_exchanged_for_tokens(reader: Reader) -> None:
    code = (await redirected(reader))["code"]
    response = await reader.ask("access_token", exchange(code))
    body = response.json()
    assert response.status_code == 200
    assert set(body) == {"access_token", "refresh_token", "id_token", "token_type", "expires_in", "scope"}
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 3599, "data:trip data:position")
    assert await is_good(reader, body["access_token"])


async def test_a_hint_chooses_who_consents(reader: Reader) -> None:
    code = (await redirected(reader, login_hint="account-0002"))["code"]
    token = (await reader.ask("access_token", exchange(code))).json()["access_token"]
    owner = reader.simulator.world.account("account-0002")
    response = await reader.get("/user", Authorization=f"Bearer {token}", x_introspect_realm=owner.realm)
    assert response.json()["email"] == owner.email


async def test_without_state_none_comes_back(reader: Reader) -> None:
    assert "state" not in await redirected(reader, state="")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": "x", "code_challenge_method": "S1"}, "invalid_request"),
    ],
)
async def test_an_improper_request_redirects_with_an_error(reader: Reader, changes: dict[str, str], error: str) -> None:
    answer = await redirected(reader, **changes)
    assert (answer["error"], "code" in answer) == (error, False)


@pytest.mark.parametrize("changes", [{"client_id": "other"}, {"redirect_uri": ""}, {"login_hint": "nobody"}])
async def test_what_cannot_be_redirected_is_a_400(reader: Reader, changes: dict[str, str]) -> None:
    assert (await reader.ask("authorize", None, **consent(reader, **changes))).status_code == 400


async def test_a_redirect_address_without_query_gets_one(reader: Reader) -> None:
    response = await reader.ask("authorize", None, **consent(reader, redirect_uri="mymap://back"))
    assert response.headers["Location"].startswith("mymap://back?code=")


async def test_a_redirect_address_cannot_smuggle_header_fields(reader: Reader) -> None:
    response = await reader.ask("authorize", None, **consent(reader, redirect_uri="https://app.test/ü\r\nX-Evil: 1"))
    assert response.headers["Location"].startswith("https://app.test/%C3%BC%0D%0AX-Evil:%201?code=")


async def test_a_replayed_code_kills_what_it_gave(reader: Reader) -> None:
    code = (await redirected(reader))["code"]
    token = (await reader.ask("access_token", exchange(code))).json()
    again = await reader.ask("access_token", exchange(code))
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert not await is_good(reader, token["access_token"])


async def test_a_code_expires(reader: Reader) -> None:
    code = (await redirected(reader))["code"]
    await anyio.sleep(121)
    assert (await reader.ask("access_token", exchange(code))).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("changes", [{"code": "invented"}, {"redirect_uri": "https://other.test/"}])
async def test_a_foreign_code_or_address_is_an_invalid_grant(reader: Reader, changes: dict[str, str]) -> None:
    code = (await redirected(reader))["code"]
    response = await reader.ask("access_token", {**exchange(code), **changes})
    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("challenge", "method", "verifier", "status"),
    [
        (CHALLENGE, "S256", VERIFIER, 200),
        (CHALLENGE, "S256", "w" * 50, 400),
        (CHALLENGE, "S256", "", 400),
        (VERIFIER, "plain", VERIFIER, 200),
        (VERIFIER, "", VERIFIER, 200),
        (VERIFIER, "", CHALLENGE, 400),
    ],
)
async def test_the_verifier_must_fit_the_challenge(
    reader: Reader, challenge: str, method: str, verifier: str, status: int
) -> None:
    code = (await redirected(reader, code_challenge=challenge, code_challenge_method=method))["code"]
    assert (await reader.ask("access_token", exchange(code, code_verifier=verifier))).status_code == status


async def test_a_renewal_gives_a_new_pair_and_retires_the_old_refresh_token(reader: Reader) -> None:
    body = (await renew(reader, reader.token.refresh_token)).json()
    assert body["refresh_token"] != reader.token.refresh_token
    assert await is_good(reader, body["access_token"])
    assert reader.simulator.statistics.renewals == 1


async def test_showing_a_retired_refresh_token_kills_the_grant(reader: Reader) -> None:
    body = (await renew(reader, reader.token.refresh_token)).json()
    again = await renew(reader, reader.token.refresh_token)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert not await is_good(reader, body["access_token"])
    assert (await renew(reader, body["refresh_token"])).status_code == 400


async def test_without_rotation_the_refresh_token_stays() -> None:
    reader = Reader(Simulator(World(seed=4), rotates_tokens=False))
    for _ in range(3):
        body = (await renew(reader, reader.token.refresh_token)).json()
        assert "refresh_token" not in body
        assert await is_good(reader, body["access_token"])


async def test_a_renewal_in_a_foreign_realm_is_refused_and_spends_nothing(reader: Reader) -> None:
    assert (await renew(reader, reader.token.refresh_token, realm="clientsB2CDS")).json()["error"] == "invalid_request"
    assert (await renew(reader, reader.token.refresh_token)).status_code == 200


async def test_an_unknown_refresh_token_is_an_invalid_grant(reader: Reader) -> None:
    assert (await renew(reader, "invented")).json()["error"] == "invalid_grant"


async def test_an_unknown_grant_type_is_refused(reader: Reader) -> None:
    response = await reader.ask("access_token", {"grant_type": "password"})
    assert (response.status_code, response.json()["error"]) == (400, "unsupported_grant_type")


@pytest.mark.parametrize("field", ["token", "refresh_token"])
async def test_revoking_a_refresh_token_revokes_its_access_tokens(reader: Reader, field: str) -> None:
    response = await reader.ask("token/revoke", {field: reader.token.refresh_token}, realm=reader.account.realm)
    assert response.status_code == 200
    assert not await is_good(reader, reader.token.access_token)


async def test_revoking_an_access_token_leaves_the_refresh_token(reader: Reader) -> None:
    await reader.ask("token/revoke", {"token": reader.token.access_token})
    assert not await is_good(reader, reader.token.access_token)
    assert (await renew(reader, reader.token.refresh_token)).status_code == 200


@pytest.mark.parametrize("authorization", ["", "Basic !!", "Basic Zm9vOmJhcg==", "Bearer x"])
@pytest.mark.parametrize("address", ["access_token", "token/revoke"])
async def test_a_client_that_does_not_authenticate_is_refused(reader: Reader, address: str, authorization: str) -> None:
    url = f"{reader.simulator.identity_url.format(domain='peugeot.com')}/{address}"
    headers = {"Authorization": authorization} if authorization else {}
    response = await reader.transport.handle_async_request(httpx.Request("POST", url, headers=headers))
    await response.aread()
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    assert response.headers["WWW-Authenticate"].startswith("Basic")


async def test_other_identity_addresses_do_not_exist(reader: Reader) -> None:
    assert (await reader.ask("nothing")).status_code == 404


async def test_an_access_token_expires_by_the_backends_clock(reader: Reader) -> None:
    assert await is_good(reader, reader.token.access_token)
    await anyio.sleep(3598)
    assert await is_good(reader, reader.token.access_token)
    await anyio.sleep(2)
    assert not await is_good(reader, reader.token.access_token)


async def test_the_expiry_named_is_the_one_kept(reader: Reader) -> None:
    assert (reader.token.expires_at - reader.simulator.now()).total_seconds() == pytest.approx(3599, abs=1)
    await anyio.sleep(4000)
    assert reader.simulator.now() > reader.token.expires_at


async def test_every_access_token_can_be_made_to_expire_at_once(reader: Reader) -> None:
    reader.simulator.expire_tokens()
    assert not await is_good(reader, reader.token.access_token)
    assert (await renew(reader, reader.token.refresh_token)).status_code == 200


def test_an_issued_token_hides_its_secrets(reader: Reader) -> None:
    assert reader.token.access_token not in repr(reader.token)
    assert reader.token.refresh_token not in repr(reader.token)


def test_tokens_are_given_out_by_account_or_key(reader: Reader) -> None:
    account = reader.simulator.world.accounts[1]
    assert reader.simulator.token_for(account).scope == reader.simulator.token_for(account.key).scope


def test_nobody_has_no_token(reader: Reader) -> None:
    with pytest.raises(KeyError):
        reader.simulator.token_for("nobody")
