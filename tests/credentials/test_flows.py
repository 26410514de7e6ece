"""OAuth2 credentials of any server, in clients."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx
import pytest

from stellantis_hal import (
    AuthError,
    ConfigurationError,
    ConsentRequiredError,
    HalClient,
    LoginRedirectError,
    MemoryCache,
    MemoryTokenStore,
    NetworkError,
    OAuth2AuthorizationCode,
    OAuth2ClientCredentials,
    RetryPolicy,
    ServerError,
    Token,
    UntrustedOriginError,
)
from tests.transport.doubles import wall

pytestmark = pytest.mark.anyio

API, LOGIN = "https://api.test/", "https://login.test"
BACK = "app://back"


class World(httpx.AsyncBaseTransport):
    """An API that wants the present token, and its authorization server."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.forms: list[dict[str, str]] = []
        self.valid: set[str] = set()
        self.refresh: str | None = None
        self.serial = 0
        self.lifetime = 3600
        self.fault: httpx.Response | Exception | None = None
        self.challenge = ""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.host == "login.test":
            await anyio.sleep(0.5)
            return self.identity(request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.valid:
            return httpx.Response(401, json={})
        links = {"self": {"href": "/"}, "foreign": {"href": "https://evil.test/"}}
        headers = {"cache-control": "max-age=60"}
        return httpx.Response(200, json={"serial": self.serial, "_links": links}, headers=headers)

    def identity(self, request: httpx.Request) -> httpx.Response:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        self.forms.append(form)
        if isinstance(self.fault, Exception):
            raise self.fault
        if self.fault is not None:
            return self.fault
        if request.url.path == "/revoke":
            self.refresh = None
            return httpx.Response(200)
        if form["grant_type"] == "refresh_token" and form["refresh_token"] != self.refresh:
            return httpx.Response(400, json={"error": "invalid_grant"})
        self.serial += 1
        self.valid = {f"token-{self.serial}"}
        body: dict[str, Any] = {"access_token": f"token-{self.serial}", "expires_in": self.lifetime}
        if form["grant_type"] != "client_credentials":
            self.refresh = body["refresh_token"] = f"refresh-{self.serial}"
        return httpx.Response(200, json=body)

    def client(self, auth: Any, **options: Any) -> HalClient:
        return HalClient(API, auth=auth, transport=self, clock=wall, retry=RetryPolicy(attempts=1), **options)


def of_client(**options: Any) -> OAuth2ClientCredentials:
    return OAuth2ClientCredentials(f"{LOGIN}/token", "my-id", "my secret", **options)


def of_user(**options: Any) -> OAuth2AuthorizationCode:
    defaults: dict[str, Any] = {
        "authorize_url": f"{LOGIN}/authorize",
        "token_url": f"{LOGIN}/token",
        "redirect_uri": BACK,
        "scope": "read write",
    }
    return OAuth2AuthorizationCode("my-id", **(defaults | options))


def redirect(url: str, **more: str) -> str:
    """Return where the browser goes after consent."""
    state = parse_qs(urlsplit(url).query)["state"][0]
    return f"{BACK}?code=abc&state={state}" + "".join(f"&{name}={value}" for name, value in more.items())


# ------------------------------------------------------------------------------------------------- client credentials


async def test_client_credentials_get_a_token_and_send_it() -> None:
    world = World()
    auth = of_client(scope="read", parameters={"audience": "api"})
    async with world.client(auth) as client:
        assert (await client.root())["serial"] == 1
        await client.get(API)
    assert world.forms == [{"grant_type": "client_credentials", "scope": "read", "audience": "api"}]
    assert world.requests[0].headers["authorization"].startswith("Basic ")
    assert [request.url.host for request in world.requests] == ["login.test", "api.test", "api.test"]


async def test_a_secret_can_be_sent_in_the_form() -> None:
    world = World()
    async with world.client(of_client(auth_method="post")) as client:
        await client.root()
    assert world.forms == [{"grant_type": "client_credentials", "client_id": "my-id", "client_secret": "my secret"}]
    assert "authorization" not in world.requests[0].headers


def test_other_methods_are_refused() -> None:
    with pytest.raises(ValueError, match="auth_method"):
        of_client(auth_method="jwt")


async def test_a_token_is_renewed_before_it_expires() -> None:
    world = World()
    world.lifetime = 100
    async with world.client(of_client()) as client:
        await client.root()
        await anyio.sleep(50)
        await client.get(API)
        assert world.serial == 1
        await anyio.sleep(45)
        await client.get(API)
        assert world.serial == 2


@pytest.mark.unmeasured
async def test_many_tasks_share_one_renewal() -> None:
    world = World()
    async with world.client(of_client()) as client:
        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(client.get, API)
        assert world.serial == 1
        world.valid = set()
        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(client.get, API)
        assert world.serial == 2


async def test_a_wrong_secret_is_a_configuration_error() -> None:
    world = World()
    world.fault = httpx.Response(401, json={"error": "invalid_client"})
    async with world.client(of_client()) as client:
        with pytest.raises(ConfigurationError, match="invalid_client"):
            await client.root()


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("fault", "kind"), [(httpx.Response(503), ServerError), (httpx.ConnectError("refused"), NetworkError)]
)
async def test_faults_of_the_identity_server_are_named(
    fault: httpx.Response | Exception, kind: type[ServerError] | type[NetworkError]
) -> None:
    world = World()
    world.fault = fault
    async with world.client(of_client()) as client:
        with pytest.raises(kind) as caught:
            await client.root()
        assert caught.value.identity_server == "login.test"
        world.fault = None
        await anyio.sleep(60)
        assert (await client.root())["serial"] == 1


async def test_tokens_are_kept_in_a_store() -> None:
    world, store = World(), MemoryTokenStore()
    for _ in range(2):
        async with world.client(of_client(store=store, key="app")) as client:
            await client.root()
    assert world.serial == 1
    assert await store.keys() == ("app",)


@pytest.mark.parametrize("make", [of_client, lambda: of_user(store=Token("token-1", "r"))])
async def test_tokens_go_to_trusted_origins_only(make: Callable[[], Any]) -> None:
    world = World()
    world.valid = {"token-1"}
    async with world.client(make()) as client:
        root = await client.root()
        with pytest.raises(UntrustedOriginError):
            await root.follow("foreign")
    assert {request.url.host for request in world.requests} <= {"api.test", "login.test"}


async def test_client_credentials_name_their_part_of_a_cache() -> None:
    world, cache = World(), MemoryCache()
    hits = []
    for auth in (of_client(), of_client(), of_client(scope="x"), of_client(parameters={"audience": "x"})):
        async with world.client(auth, cache=cache) as client:
            hits.append((await client.root()).from_cache)
    assert hits == [False, True, False, False]


# ------------------------------------------------------------------------------------------------- a user's consent


async def test_a_user_consents_and_the_token_is_sent() -> None:
    world, login = World(), of_user(client_secret="my secret", parameters={"prompt": "login"})
    async with world.client(login) as client:
        assert not await login.is_authorized()
        with pytest.raises(ConsentRequiredError):
            await client.root()
        url = login.authorization_url()
        asked = parse_qs(urlsplit(url).query)
        assert (asked["scope"], asked["prompt"], asked["code_challenge_method"]) == (
            ["read write"],
            ["login"],
            ["S256"],
        )
        token = await login.complete(f"It says: <{redirect(url)}> and no more.")
        assert token.scope == ("read", "write")
        assert await login.is_authorized()
        assert (await client.root())["serial"] == 1
    assert world.forms[0]["code"] == "abc"
    assert len(world.forms[0]["code_verifier"]) > 40


async def test_a_parsed_redirect_and_a_request_of_another_process() -> None:
    world, login = World(), of_user()
    begun = of_user().begin(state="of my own")
    async with world.client(login):
        await login.complete(code="abc", state="of my own", authorization=begun)
        url = login.authorization_url(state="another")
        await login.complete(code="def", state="another")
        assert "state=another" in url
    assert [form["code"] for form in world.forms] == ["abc", "def"]


async def test_each_of_the_last_log_ins_can_be_completed() -> None:
    world, login = World(), of_user()
    async with world.client(login):
        urls = [login.authorization_url() for _ in range(17)]
        await login.complete(redirect(urls[1]))
        await login.complete(redirect(urls[16]))
        for url in (urls[0], urls[1]):
            with pytest.raises(LoginRedirectError):
                await login.complete(redirect(url))
        with pytest.raises(ValueError, match="both code= and state="):
            await login.complete(code="abc")
    assert world.serial == 2


async def test_a_log_in_has_to_begin() -> None:
    world, login = World(), of_user()
    with pytest.raises(ConfigurationError, match=r"pass it to a client first.*HalClient\(url, auth=…\)"):
        await login.complete(redirect(login.authorization_url()))
    async with world.client(of_user()) as _, world.client(login := of_user()):
        with pytest.raises(LoginRedirectError, match="no log-in was begun"):
            await login.complete("app://back?code=a&state=b")
        url = login.authorization_url()
        with pytest.raises(AuthError, match="access_denied"):
            await login.complete(redirect(url, error="access_denied").replace("code=abc&", ""))


async def test_a_users_token_is_renewed_once_for_two_clients() -> None:
    world = World()
    login = of_user()
    async with world.client(login) as one, world.client(login) as other:
        await login.complete(redirect(login.authorization_url()))
        await anyio.sleep(timedelta(hours=1).total_seconds())
        async with anyio.create_task_group() as tasks:
            for client in (one, other):
                tasks.start_soon(client.get, API)
    assert [form["grant_type"] for form in world.forms] == ["authorization_code", "refresh_token"]


async def test_withdrawal_revokes_and_removes() -> None:
    world, login = World(), of_user(revocation_url=f"{LOGIN}/revoke")
    async with world.client(login) as client:
        await login.complete(redirect(login.authorization_url()))
        assert await login.withdraw()
        assert not await login.withdraw()
        assert world.refresh is None
        with pytest.raises(ConsentRequiredError):
            await client.root()


async def test_without_an_address_withdrawal_only_removes() -> None:
    world, login = World(), of_user(store=Token("token-1", "refresh"))
    async with world.client(login):
        assert await login.withdraw()
        assert not await login.is_authorized()
    assert world.requests == []


async def test_another_log_in_under_a_key_sees_nothing_cached() -> None:
    world, login = World(), of_user(store=MemoryTokenStore())
    async with world.client(login, cache=MemoryCache()) as client, world.client(login, cache=MemoryCache()) as other:
        await login.complete(redirect(login.authorization_url()))
        for each in (client, other):
            assert (await each.get(API))["serial"] == 1
            assert (await each.get(API)).from_cache
        await login.complete(redirect(login.authorization_url()))
        for each in (client, other):
            assert (await each.get(API))["serial"] == 2
        await login.withdraw()
        world.valid = set()
        with pytest.raises(ConsentRequiredError):
            await client.get(API)


def test_secrets_are_not_shown() -> None:
    shown = repr(of_client()) + repr(of_user(client_secret="my secret")) + repr(of_user(store=Token("my secret")))
    assert "my secret" not in shown
    assert "my-id" in shown
