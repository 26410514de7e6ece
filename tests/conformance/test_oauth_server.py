"""Credentials with a certified OAuth2 server, oidc-provider, over sockets.

Needs Node and, at ``STELLANTIS_HAL_NODE_MODULES``, a folder ``node_modules`` with ``oidc-provider``.
"""

import os
import shutil
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import urljoin

import anyio
import anyio.to_thread
import httpx
import pytest

from stellantis_hal import (
    Application,
    AuthorizationRequest,
    Brand,
    EnrolmentFlow,
    FileTokenStore,
    HalClient,
    MemoryTokenStore,
    OAuth2AuthorizationCode,
    OAuth2ClientCredentials,
    RenewingBearerCredentials,
    Scope,
    Token,
)
from stellantis_hal.auth.identity_provider import IdentityProvider
from stellantis_hal.errors import AuthError, ConfigurationError, ConsentRequiredError
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.navigation.fetch_protocol import Fetch
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport.retry import RetryPolicy
from stellantis_hal.transport.session import Session
from tests.conformance.processes import announced
from tests.support.responses import REFUSED

MODULES = os.environ.get("STELLANTIS_HAL_NODE_MODULES", "")
NODE = shutil.which("node")

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.wall_clock,
    pytest.mark.skipif(NODE is None, reason="Node is not installed"),
    pytest.mark.skipif(
        not (Path(MODULES) / "oidc-provider").is_dir(),
        reason="STELLANTIS_HAL_NODE_MODULES must be a folder with oidc-provider (npm install oidc-provider@9)",
    ),
]

PHONE = Application("phone", "s3cret")
WEB = Application("web:app", "s3cret +%&:/=")
BACK = "mymap://oauth2redirect/fr"
WEB_BACK = "https://127.0.0.1:9999/back"
SCOPES = ("openid", Scope.TRIP, Scope.POSITION)


@contextmanager
def serving(folder: Path, **settings: str) -> Generator[IdentityProvider, None, None]:
    """Run the server without a shell, so that terminating the process ends it."""
    shutil.copy(Path(__file__).parent / "oauth-server" / "server.mjs", folder)
    (folder / "node_modules").symlink_to(Path(MODULES).resolve())
    assert NODE is not None
    with announced([NODE, "server.mjs"], folder=folder, environment=settings) as address:
        yield IdentityProvider.of(Brand.PEUGEOT, url=f"{address}/am/oauth2")


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IdentityProvider]:
    with serving(tmp_path_factory.mktemp("oauth"), ACCESS_TTL="300") as running:
        yield running


@pytest.fixture
async def fetch(identity: IdentityProvider) -> AsyncIterator[Fetch]:
    async with Session(Origins(identity.url)) as session:
        yield session.pipeline(limited=False, retry=RetryPolicy(attempts=1))


def browse(url: str, *, consent: bool = True) -> str:
    """Log in and consent or refuse as the account holder; return the redirect URL."""
    with httpx.Client(timeout=30) as browser:
        page = browser.get(url)
        for _ in range(10):
            assert page.status_code < 400, page.text
            location: str | None = page.headers.get("location")
            if location is None:
                form = {"prompt": "login", "login": "alice", "password": "x"}
                if 'value="consent"' in page.text:
                    form = {"prompt": "consent"}
                page = browser.post(str(page.url), data=form) if consent else browser.get(f"{page.url}/abort")
                continue
            target: str = urljoin(str(page.url), location)
            if not target.startswith(url.partition("/am/")[0]):
                return target
            page = browser.get(target)
    raise AssertionError("no redirect after 10 pages")


async def redirect_url(authorization: AuthorizationRequest, *, consent: bool = True) -> str:
    return await anyio.to_thread.run_sync(lambda: browse(authorization.url, consent=consent))


async def enrol(fetch: Fetch, identity: IdentityProvider, store: FileTokenStore | MemoryTokenStore) -> Token:
    enrolment = EnrolmentFlow(PHONE, identity, fetch=fetch, store=store)
    authorization = enrolment.begin(redirect_uri=BACK, scope=SCOPES, local="fr-FR")
    return await enrolment.complete(authorization, await redirect_url(authorization), key="alice")


async def is_active(identity: IdentityProvider, token: str | None) -> bool:
    async with httpx.AsyncClient() as client:
        response = await client.post(
            f"{identity.url}/introspect", data={"token": token or ""}, auth=("phone", "s3cret")
        )
    return bool(response.json()["active"])


# ------------------------------------------------------------------------------------------------- enrolment


async def test_consent_with_pkce_returns_a_token(fetch: Fetch, identity: IdentityProvider) -> None:
    store = MemoryTokenStore()
    token = await enrol(fetch, identity, store)
    assert token.refresh_token
    assert token.expires_at is not None
    assert set(token.scope) == set(SCOPES)
    assert await is_active(identity, token.access_token)
    assert await store.load("alice") == token


async def test_special_characters_pass_http_basic(fetch: Fetch, identity: IdentityProvider) -> None:
    enrolment = EnrolmentFlow(WEB, identity, fetch=fetch)
    authorization = enrolment.begin(redirect_uri=WEB_BACK, scope=SCOPES)
    assert (await enrolment.complete(authorization, await redirect_url(authorization))).access_token


async def test_wrong_secret_is_a_configuration_error(fetch: Fetch, identity: IdentityProvider) -> None:
    wrong = EnrolmentFlow(Application("phone", "wrong"), identity, fetch=fetch)
    authorization = wrong.begin(redirect_uri=BACK, scope=SCOPES)
    with pytest.raises(ConfigurationError, match="invalid_client"):
        await wrong.complete(authorization, await redirect_url(authorization))


async def test_code_is_invalid_with_another_verifier(fetch: Fetch, identity: IdentityProvider) -> None:
    enrolment = EnrolmentFlow(PHONE, identity, fetch=fetch)
    ours, theirs = (enrolment.begin(redirect_uri=BACK, scope=SCOPES, state="one state") for _ in range(2))
    with pytest.raises(ConsentRequiredError):
        await enrolment.complete(ours, await redirect_url(theirs))


async def test_code_works_once(fetch: Fetch, identity: IdentityProvider) -> None:
    enrolment = EnrolmentFlow(PHONE, identity, fetch=fetch)
    authorization = enrolment.begin(redirect_uri=BACK, scope=SCOPES)
    redirect = await redirect_url(authorization)
    await enrolment.complete(authorization, redirect)
    with pytest.raises(ConsentRequiredError):
        await enrolment.complete(authorization, redirect)


async def test_code_expires(tmp_path: Path) -> None:
    with serving(tmp_path, CODE_TTL="1") as identity:
        async with Session(Origins(identity.url)) as session:
            enrolment = EnrolmentFlow(PHONE, identity, fetch=session.pipeline(limited=False))
            authorization = enrolment.begin(redirect_uri=BACK, scope=SCOPES)
            redirect = await redirect_url(authorization)
            await anyio.sleep(2.1)
            with pytest.raises(ConsentRequiredError):
                await enrolment.complete(authorization, redirect)


async def test_account_holder_can_refuse(fetch: Fetch, identity: IdentityProvider) -> None:
    authorization = EnrolmentFlow(PHONE, identity, fetch=fetch).begin(redirect_uri=BACK, scope=SCOPES)
    with pytest.raises(ConsentRequiredError, match="access_denied"):
        authorization.read(await redirect_url(authorization, consent=False))


async def test_server_requires_pkce_in_the_redirect(fetch: Fetch, identity: IdentityProvider) -> None:
    authorization = EnrolmentFlow(PHONE, identity, fetch=fetch).begin(redirect_uri=BACK, scope=SCOPES, pkce=False)
    with pytest.raises(AuthError, match="invalid_request"):
        authorization.read(await redirect_url(authorization))


# ------------------------------------------------------------------------------------------------- renewal


async def test_refresh_rotates_and_stores_the_new_pair(
    fetch: Fetch, identity: IdentityProvider, tmp_path: Path
) -> None:
    store = FileTokenStore(tmp_path / "tokens")
    first = await enrol(fetch, identity, store)
    credentials = RenewingBearerCredentials(identity.oauth2_client(PHONE), store, fetch=fetch, key="alice")
    for _ in range(3):
        assert await credentials.refused(REFUSED, await credentials.headers())
    kept = await store.load("alice")
    assert kept is not None
    assert kept.refresh_token != first.refresh_token
    assert set(kept.scope) == set(SCOPES)
    assert await is_active(identity, kept.access_token)
    assert (await credentials.headers())["Authorization"] == f"Bearer {kept.access_token}"


async def test_fifty_tasks_refused_at_once_keep_the_session(
    fetch: Fetch, identity: IdentityProvider, tmp_path: Path
) -> None:
    store = FileTokenStore(tmp_path / "tokens")
    first = await enrol(fetch, identity, store)
    clients = [
        RenewingBearerCredentials(identity.oauth2_client(PHONE), store, fetch=fetch, key="alice") for _ in range(2)
    ]
    sent = [await credentials.headers() for credentials in clients]
    mended: list[bool] = []

    async def request(credentials: RenewingBearerCredentials, fields: Headers) -> None:
        mended.append(await credentials.refused(REFUSED, fields))

    async with anyio.create_task_group() as tasks:
        for credentials, fields in zip(clients, sent, strict=True):
            for _ in range(25):
                tasks.start_soon(request, credentials, Headers(fields))
    assert mended == [True] * 50
    kept = await store.load("alice")
    assert kept is not None
    assert kept.access_token != first.access_token
    for credentials in clients:
        assert (await credentials.headers())["Authorization"] == f"Bearer {kept.access_token}"
    assert await is_active(identity, kept.refresh_token), "one refresh token shown twice would have killed the grant"


async def test_reused_refresh_token_requires_consent(fetch: Fetch, identity: IdentityProvider) -> None:
    store = MemoryTokenStore()
    first = await enrol(fetch, identity, store)
    credentials = RenewingBearerCredentials(identity.oauth2_client(PHONE), store, fetch=fetch, key="alice")
    assert await credentials.refused(REFUSED, await credentials.headers())
    thief = RenewingBearerCredentials(identity.oauth2_client(PHONE), MemoryTokenStore(first), fetch=fetch, key="thief")
    with pytest.raises(ConsentRequiredError) as caught:
        await thief.refused(REFUSED, await thief.headers())
    assert caught.value.key == "thief"
    with pytest.raises(ConsentRequiredError) as caught:
        await credentials.refused(REFUSED, await credentials.headers())
    assert caught.value.key == "alice"


# ------------------------------------------------------------------------------------------------- revocation


async def test_revoked_account_is_inactive_and_deleted(fetch: Fetch, identity: IdentityProvider) -> None:
    store = MemoryTokenStore()
    token = await enrol(fetch, identity, store)
    assert await EnrolmentFlow(PHONE, identity, fetch=fetch, store=store).withdraw("alice")
    assert await store.load("alice") is None
    assert not await is_active(identity, token.access_token)
    lingering = RenewingBearerCredentials(
        identity.oauth2_client(PHONE), MemoryTokenStore(token), fetch=fetch, key="alice"
    )
    with pytest.raises(ConsentRequiredError):
        await lingering.refused(REFUSED, await lingering.headers())


async def test_revoking_twice_succeeds(fetch: Fetch, identity: IdentityProvider) -> None:
    enrolment = EnrolmentFlow(PHONE, identity, fetch=fetch)
    token = await enrol(fetch, identity, MemoryTokenStore())
    await enrolment.revoke(token)
    await enrolment.revoke(token)


# ------------------------------------------------------------------------------------------------- any server


class Api(httpx.AsyncBaseTransport):
    """An API that asks the authorization server whether a token is active; other requests go to that server."""

    def __init__(self, identity: IdentityProvider) -> None:
        self.identity = identity
        self.inner = httpx.AsyncHTTPTransport()
        self.active: list[bool] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host != "api.test":
            return await self.inner.handle_async_request(request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.active.append(await is_active(self.identity, token))
        return httpx.Response(200 if self.active[-1] else 401, json={})

    async def aclose(self) -> None:
        await self.inner.aclose()


@pytest.mark.parametrize("method", ["basic", "post"])
async def test_client_credentials_of_a_client(method: Literal["basic", "post"], tmp_path: Path) -> None:
    with serving(tmp_path, ACCESS_TTL="300", AUTH_METHOD=f"client_secret_{method}") as identity:
        auth = OAuth2ClientCredentials(identity.token_url, "robot", "s3cret", auth_method=method)
        async with Api(identity) as api, HalClient("https://api.test/", auth=auth, transport=api) as client:
            await client.root()
            assert api.active == [True]
        wrong = OAuth2ClientCredentials(identity.token_url, "robot", "wrong", auth_method=method)
        async with Api(identity) as api, HalClient("https://api.test/", auth=wrong, transport=api) as client:
            with pytest.raises(ConfigurationError, match="invalid_client"):
                await client.root()


@pytest.mark.parametrize(("client_id", "secret"), [("phone", "s3cret"), ("public", None)])
async def test_consent_of_a_user_to_a_client(identity: IdentityProvider, client_id: str, secret: str | None) -> None:
    """With PKCE, for a client with a secret and a public one: consent, requests, one renewal, withdrawal."""
    store = MemoryTokenStore()
    login = OAuth2AuthorizationCode(
        client_id,
        secret,
        authorize_url=identity.authorize_url,
        token_url=identity.token_url,
        revocation_url=identity.revocation_url,
        redirect_uri=BACK,
        scope=SCOPES,
        store=store,
    )
    async with Api(identity) as api, HalClient("https://api.test/", auth=login, transport=api) as client:
        url = login.authorization_url()
        token = await login.complete(await anyio.to_thread.run_sync(lambda: browse(url)))
        await client.root()
        await store.save("default", Token("expired", token.refresh_token, datetime(2026, 1, 1, tzinfo=UTC)))
        renewed = OAuth2AuthorizationCode(
            client_id,
            secret,
            authorize_url=identity.authorize_url,
            token_url=identity.token_url,
            redirect_uri=BACK,
            store=store,
        )
        async with HalClient("https://api.test/", auth=renewed, transport=api) as other:
            await other.root()
        assert api.active == [True, True]
        assert await login.withdraw()
        assert await store.load("default") is None
