"""Tokens: authorization codes, refresh with rotation, revocation."""

from base64 import urlsafe_b64encode
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx
import pytest

from stellantis_hal.simulator import BackendVariant, Simulator, World
from tests.simulator.api_client import ApiClient

pytestmark = pytest.mark.anyio

BACK = "https://app.test/back?x=1"
VERIFIER = "v" * 50
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def api() -> ApiClient:
    return ApiClient(Simulator(World(seed=4, accounts=3, vehicles=3, trips=9)))


def authorize(api: ApiClient, **changes: str) -> dict[str, str]:
    params = {
        "client_id": api.simulator.client_id,
        "response_type": "code",
        "scope": "data:trip,data:position,invented",
        "redirect_uri": BACK,
        "state": "s t",
        **changes,
    }
    return {name: value for name, value in params.items() if value}


async def redirected(api: ApiClient, **changes: str) -> dict[str, str]:
    response = await api.call_identity("authorize", None, **authorize(api, **changes))
    assert response.status_code == 302, response.text
    location = response.headers["Location"]
    assert location.startswith(BACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def exchange_code(code: str, **changes: str) -> dict[str, str]:
    return {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, **changes}


async def renew(api: ApiClient, token: str, *, realm: str | None = None) -> httpx.Response:
    form = {"grant_type": "refresh_token", "refresh_token": token}
    return await api.call_identity("access_token", form, realm=realm or api.account.realm)


async def is_good(api: ApiClient, access_token: str) -> bool:
    return (await api.get("/user", Authorization=f"Bearer {access_token}")).status_code == 200


async def test_consent_redirects_with_code_state_and_granted_scopes(api: ApiClient) -> None:
    parameters = await redirected(api)
    assert (parameters["state"], parameters["scope"]) == ("s t", "data:trip data:position")
    assert parameters["code"]


async def test_code_is_exchanged_for_tokens(api: ApiClient) -> None:
    code = (await redirected(api))["code"]
    response = await api.call_identity("access_token", exchange_code(code))
    body = response.json()
    assert response.status_code == 200
    assert set(body) == {"access_token", "refresh_token", "id_token", "token_type", "expires_in", "scope"}
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 3599, "data:trip data:position")
    assert await is_good(api, body["access_token"])


async def test_login_hint_selects_the_account(api: ApiClient) -> None:
    code = (await redirected(api, login_hint="account-0002"))["code"]
    token = (await api.call_identity("access_token", exchange_code(code))).json()["access_token"]
    owner = api.simulator.world.account("account-0002")
    response = await api.get("/user", Authorization=f"Bearer {token}", x_introspect_realm=owner.realm)
    assert response.json()["email"] == owner.email


async def test_without_state_none_is_returned(api: ApiClient) -> None:
    assert "state" not in await redirected(api, state="")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": "x", "code_challenge_method": "S1"}, "invalid_request"),
        ({"locale": "french"}, "invalid_request"),
        ({"local": "fr_fr_"}, "invalid_request"),
        ({"scope": "invented"}, "invalid_scope"),
    ],
)
async def test_invalid_request_redirects_with_an_error(api: ApiClient, changes: dict[str, str], error: str) -> None:
    parameters = await redirected(api, **changes)
    assert (parameters["error"], "code" in parameters) == (error, False)
    assert parameters["error_description"].endswith(".")
    assert parameters["state"] == "s t"


@pytest.mark.parametrize("changes", [{"locale": "fr-FR", "local": "fr-FR"}, {"locale": "de"}, {"scope": ""}])
async def test_languages_and_missing_scopes_are_accepted(api: ApiClient, changes: dict[str, str]) -> None:
    assert "error" not in await redirected(api, **changes)


async def test_errors_may_lack_the_state() -> None:
    api = ApiClient(Simulator(World(seed=4), variant=BackendVariant(errors_have_state=False)))
    assert "state" not in await redirected(api, scope="invented")
    assert (await redirected(api))["state"] == "s t"


@pytest.mark.parametrize("changes", [{"client_id": "other"}, {"redirect_uri": ""}, {"login_hint": "nobody"}])
async def test_invalid_redirect_request_is_400(api: ApiClient, changes: dict[str, str]) -> None:
    assert (await api.call_identity("authorize", None, **authorize(api, **changes))).status_code == 400


async def test_redirect_uri_without_query_gets_one(api: ApiClient) -> None:
    response = await api.call_identity("authorize", None, **authorize(api, redirect_uri="mymap://back"))
    assert response.headers["Location"].startswith("mymap://back?code=")


async def test_redirect_uri_cannot_inject_headers(api: ApiClient) -> None:
    response = await api.call_identity(
        "authorize", None, **authorize(api, redirect_uri="https://app.test/ü\r\nX-Evil: 1")
    )
    assert response.headers["Location"].startswith("https://app.test/%C3%BC%0D%0AX-Evil:%201?code=")


async def test_reused_code_revokes_its_tokens(api: ApiClient) -> None:
    code = (await redirected(api))["code"]
    token = (await api.call_identity("access_token", exchange_code(code))).json()
    again = await api.call_identity("access_token", exchange_code(code))
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert not await is_good(api, token["access_token"])


async def test_code_expires(api: ApiClient) -> None:
    code = (await redirected(api))["code"]
    await anyio.sleep(121)
    assert (await api.call_identity("access_token", exchange_code(code))).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("changes", [{"code": "invented"}, {"redirect_uri": "https://other.test/"}])
async def test_unknown_code_or_redirect_uri_is_invalid_grant(api: ApiClient, changes: dict[str, str]) -> None:
    code = (await redirected(api))["code"]
    response = await api.call_identity("access_token", {**exchange_code(code), **changes})
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
async def test_code_verifier_must_match_the_challenge(
    api: ApiClient, challenge: str, method: str, verifier: str, status: int
) -> None:
    code = (await redirected(api, code_challenge=challenge, code_challenge_method=method))["code"]
    assert (await api.call_identity("access_token", exchange_code(code, code_verifier=verifier))).status_code == status


async def test_refresh_issues_a_pair_and_retires_the_old_token(api: ApiClient) -> None:
    body = (await renew(api, api.token.refresh_token)).json()
    assert body["refresh_token"] != api.token.refresh_token
    assert await is_good(api, body["access_token"])
    assert api.simulator.statistics.renewals == 1


async def test_reused_refresh_token_revokes_the_grant(api: ApiClient) -> None:
    body = (await renew(api, api.token.refresh_token)).json()
    again = await renew(api, api.token.refresh_token)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert not await is_good(api, body["access_token"])
    assert (await renew(api, body["refresh_token"])).status_code == 400


async def test_without_rotation_the_refresh_token_stays_valid() -> None:
    api = ApiClient(Simulator(World(seed=4), rotates_tokens=False))
    for _ in range(3):
        body = (await renew(api, api.token.refresh_token)).json()
        assert "refresh_token" not in body
        assert await is_good(api, body["access_token"])


async def test_refresh_in_another_realm_is_refused_and_spends_nothing(api: ApiClient) -> None:
    assert (await renew(api, api.token.refresh_token, realm="clientsB2CDS")).json()["error"] == "invalid_request"
    assert (await renew(api, api.token.refresh_token)).status_code == 200


async def test_unknown_refresh_token_is_invalid_grant(api: ApiClient) -> None:
    assert (await renew(api, "invented")).json()["error"] == "invalid_grant"


async def test_unknown_grant_type_is_refused(api: ApiClient) -> None:
    response = await api.call_identity("access_token", {"grant_type": "password"})
    assert (response.status_code, response.json()["error"]) == (400, "unsupported_grant_type")


@pytest.mark.parametrize("field", ["token", "refresh_token"])
async def test_revoking_a_refresh_token_revokes_its_access_tokens(api: ApiClient, field: str) -> None:
    response = await api.call_identity("token/revoke", {field: api.token.refresh_token}, realm=api.account.realm)
    assert response.status_code == 200
    assert not await is_good(api, api.token.access_token)


async def test_revoking_an_access_token_leaves_the_refresh_token(api: ApiClient) -> None:
    await api.call_identity("token/revoke", {"token": api.token.access_token})
    assert not await is_good(api, api.token.access_token)
    assert (await renew(api, api.token.refresh_token)).status_code == 200


@pytest.mark.parametrize("authorization", ["", "Basic !!", "Basic Zm9vOmJhcg==", "Bearer x"])
@pytest.mark.parametrize("address", ["access_token", "token/revoke"])
async def test_unauthenticated_client_is_refused(api: ApiClient, address: str, authorization: str) -> None:
    url = f"{api.simulator.identity_url.format(domain='peugeot.com')}/{address}"
    headers = {"Authorization": authorization} if authorization else {}
    response = await api.transport.handle_async_request(httpx.Request("POST", url, headers=headers))
    await response.aread()
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    assert response.headers["WWW-Authenticate"].startswith("Basic")


async def test_unknown_identity_endpoint_is_404(api: ApiClient) -> None:
    assert (await api.call_identity("nothing")).status_code == 404


async def test_access_token_expires_by_the_event_loops_clock(api: ApiClient) -> None:
    assert await is_good(api, api.token.access_token)
    await anyio.sleep(3598)
    assert await is_good(api, api.token.access_token)
    await anyio.sleep(2)
    assert not await is_good(api, api.token.access_token)


async def test_stated_expiry_is_enforced(api: ApiClient) -> None:
    assert (api.token.expires_at - api.simulator.now()).total_seconds() == pytest.approx(3599, abs=1)
    await anyio.sleep(4000)
    assert api.simulator.now() > api.token.expires_at


async def test_all_access_tokens_can_be_expired(api: ApiClient) -> None:
    api.simulator.expire_tokens()
    assert not await is_good(api, api.token.access_token)
    assert (await renew(api, api.token.refresh_token)).status_code == 200


def test_issued_token_hides_its_secrets(api: ApiClient) -> None:
    assert api.token.access_token not in repr(api.token)
    assert api.token.refresh_token not in repr(api.token)


def test_tokens_are_issued_by_account_or_key(api: ApiClient) -> None:
    account = api.simulator.world.accounts[1]
    assert api.simulator.token_for(account).scope == api.simulator.token_for(account.key).scope


def test_token_for_an_unknown_account_raises_key_error(api: ApiClient) -> None:
    with pytest.raises(KeyError):
        api.simulator.token_for("nobody")
