"""Enrolment: consent, and its withdrawal."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest

from stellantis_hal import EnrolmentFlow, MemoryTokenStore, Scope, Token, TokenStore
from stellantis_hal.credentials.oauth2_messages import pkce_challenge
from stellantis_hal.errors import (
    ApiError,
    AuthError,
    BadRequestError,
    ConfigurationError,
    ConsentRequiredError,
    LoginRedirectError,
    StellantisError,
    TokenStoreError,
)
from stellantis_hal.navigation.fetch_protocol import Request, Response
from tests.credentials.doubles import APPLICATION, IDENTITY, NOON, form_of, oauth_refusal
from tests.support.responses import make_response

pytestmark = pytest.mark.anyio

BACK = "https://example.org/back"


class Grants:
    """An identity server with one authorization code, which is valid once and for its own request."""

    def __init__(self, *, body: dict[str, Any] | None = None) -> None:
        self.challenge = ""
        self.codes = {"code-1"}
        self.revoked: list[dict[str, str]] = []
        self.faults: list[Exception] = []
        self.body = body or {"access_token": "a", "refresh_token": "r", "expires_in": 3600}

    def consent(self, url: str) -> str:
        query = parse_qs(urlsplit(url).query)
        self.challenge = query["code_challenge"][0]
        return f"{BACK}?code=code-1&state={query['state'][0]}"

    async def __call__(self, request: Request, /) -> Response:
        await anyio.sleep(1)
        if self.faults:
            raise self.faults.pop(0)
        form = form_of(request)
        if request.url.partition("?")[0].endswith("/revoke"):
            self.revoked.append(form)
            return make_response({})
        if form["code"] not in self.codes or pkce_challenge(form["code_verifier"]) != self.challenge:
            raise oauth_refusal("invalid_grant")
        self.codes.remove(form["code"])
        return make_response(self.body)


def enrolment(server: Grants, store: TokenStore | None = None) -> EnrolmentFlow:
    return EnrolmentFlow(APPLICATION, IDENTITY, fetch=server, store=store, clock=lambda: NOON)


async def test_a_consent_becomes_a_stored_token() -> None:
    server, store = Grants(), MemoryTokenStore()
    consent = enrolment(server, store)
    authorization = consent.begin(redirect_uri=BACK, scope=[Scope.TRIP])
    token = await consent.complete(authorization, server.consent(authorization.url), key="alice")
    assert (token.access_token, token.refresh_token, token.scope) == ("a", "r", ("data:trip",))
    assert await store.load("alice") == token


async def test_the_scopes_that_were_granted_are_kept() -> None:
    server = Grants(body={"access_token": "a", "scope": "data:alert"})
    consent = enrolment(server)
    authorization = consent.begin(redirect_uri=BACK, scope=[Scope.TRIP, Scope.ALERT])
    token = await consent.complete(authorization, server.consent(authorization.url) + "&scope=data:trip")
    assert token.scope == ("data:alert",)


async def test_scopes_of_the_redirect_are_the_fallback() -> None:
    server = Grants()
    consent = enrolment(server)
    authorization = consent.begin(redirect_uri=BACK, scope=[Scope.TRIP, Scope.ALERT])
    token = await consent.complete(authorization, server.consent(authorization.url) + "&scope=data:trip")
    assert token.scope == ("data:trip",)


async def test_a_replayed_or_expired_code_needs_a_new_consent() -> None:
    server, store = Grants(), MemoryTokenStore()
    consent = enrolment(server, store)
    authorization = consent.begin(redirect_uri=BACK, scope="data:trip")
    redirect = server.consent(authorization.url)
    await consent.complete(authorization, redirect, key="alice")
    with pytest.raises(ConsentRequiredError) as caught:
        await consent.complete(authorization, redirect, key="alice")
    assert caught.value.key == "alice"
    assert await store.load("alice") is not None


async def test_a_code_of_another_request_is_refused() -> None:
    server = Grants()
    consent = enrolment(server)
    ours, theirs = (consent.begin(redirect_uri=BACK, scope="data:trip", state="same") for _ in range(2))
    with pytest.raises(ConsentRequiredError):
        await consent.complete(ours, server.consent(theirs.url))


async def test_a_tampered_redirect_sends_nothing() -> None:
    server = Grants()
    consent = enrolment(server)
    authorization = consent.begin(redirect_uri=BACK, scope="data:trip")
    with pytest.raises(AuthError, match="state"):
        await consent.complete(authorization, f"{BACK}?code=code-1&state=forged")
    assert server.codes == {"code-1"}


@pytest.mark.parametrize(
    "paste",
    [
        "'{}'",
        "Failed to launch '{}' because the scheme does not have a registered handler.",
        "curl '{}' -H 'accept: text/html'",
        "<{}>",
    ],
)
async def test_the_redirect_is_found_in_what_was_pasted(paste: str) -> None:
    server = Grants()
    consent = enrolment(server)
    authorization = consent.begin(redirect_uri=BACK, scope="data:trip")
    token = await consent.complete(authorization, paste.format(server.consent(authorization.url)))
    assert token.access_token == "a"


@pytest.mark.parametrize(
    ("redirect", "missing"),
    [
        ("", "no redirect to https://example.org/back was found: the text is empty"),
        ("code-1", "the text has 6 characters and no address"),
        (f"{BACK}?code=code-1", "has no `state`"),
        (f"{BACK}?state=ours", "has no `code`"),
        (f"{BACK}?code=code-1&state=another", "its `state` differs"),
    ],
)
async def test_what_is_missing_is_named_and_nothing_is_sent(redirect: str, missing: str) -> None:
    server = Grants()
    consent = enrolment(server)
    authorization = consent.begin(redirect_uri=BACK, scope="data:trip", state="ours")
    with pytest.raises(LoginRedirectError, match=missing) as caught:
        await consent.complete(authorization, redirect, key="alice")
    assert caught.value.key == "alice"
    assert ("`state` differs" in str(caught.value)) == ("another" in redirect)
    assert server.codes == {"code-1"}


async def test_a_program_may_parse_the_redirect_itself() -> None:
    server, store = Grants(), MemoryTokenStore()
    consent = enrolment(server, store)
    authorization = consent.begin(redirect_uri=BACK, scope="data:trip")
    server.consent(authorization.url)
    with pytest.raises(LoginRedirectError, match="`state` differs"):
        await consent.complete(authorization, code="code-1", state="forged")
    token = await consent.complete(authorization, code="code-1", state=authorization.state, key="alice")
    assert token.scope == ("data:trip",)
    assert await store.load("alice") == token


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((), {}),
        ((), {"code": "code-1"}),
        ((), {"state": "ours"}),
        ((f"{BACK}?code=code-1&state=ours",), {"code": "code-1", "state": "ours"}),
    ],
)
async def test_complete_takes_a_redirect_or_its_parts(arguments: tuple[str, ...], options: dict[str, str]) -> None:
    server = Grants()
    consent = enrolment(server)
    authorization = consent.begin(redirect_uri=BACK, scope="data:trip", state="ours")
    with pytest.raises(ValueError, match=r"pass the redirect URL, as in .*, or both code= and state="):
        await consent.complete(authorization, *arguments, **options)
    assert server.codes == {"code-1"}


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({}, {}),
        ({"locale": "fr-FR"}, {"locale": "fr-FR", "local": "fr-FR"}),
        ({"local": "fr-FR"}, {"locale": "fr-FR", "local": "fr-FR"}),
        ({"locale": "fr-FR", "local": "fr"}, {"locale": "fr-FR", "local": "fr"}),
        ({"parameters": {"prompt": "login"}}, {"prompt": "login"}),
        ({"locale": "fr-FR", "parameters": {"local": "de"}}, {"locale": "fr-FR", "local": "de"}),
    ],
)
def test_language_and_parameters_of_the_page_are_sent(options: dict[str, Any], sent: dict[str, str]) -> None:
    authorization = enrolment(Grants()).begin(redirect_uri=BACK, scope="data:trip", **options)
    query = parse_qs(urlsplit(authorization.url).query)
    names = ("locale", "local", "prompt")
    assert {name: query[name][0] for name in names if name in query} == sent


def test_a_reserved_parameter_of_the_page_is_refused() -> None:
    with pytest.raises(ValueError, match="'redirect_uri'"):
        enrolment(Grants()).begin(redirect_uri=BACK, scope="data:trip", parameters={"redirect_uri": "x"})


async def test_a_page_instead_of_a_token_is_quoted() -> None:
    async def maintenance(request: Request, /) -> Response:
        return make_response(b"<html><h1>Maintenance</h1><p>Back at 18:00</p></html>", content_type="text/html")

    consent = EnrolmentFlow(APPLICATION, IDENTITY, fetch=maintenance, clock=lambda: NOON)
    authorization = consent.begin(redirect_uri=BACK, scope="data:trip")
    with pytest.raises(StellantisError, match="Maintenance Back at 18:00"):
        await consent.complete(authorization, code="code-1", state=authorization.state)


@pytest.mark.parametrize("error", ["invalid_grant", "invalid_scope", "invalid_client", ""])
async def test_the_server_s_words_are_in_the_error(error: str) -> None:
    server = Grants()
    server.faults = [BadRequestError("400", status=400, oauth_error=error or None, description="Because of this.")]
    consent = enrolment(server)
    authorization = consent.begin(redirect_uri=BACK, scope="data:trip")
    with pytest.raises(StellantisError, match=f"{error}.*Because of this"):
        await consent.complete(authorization, code="code-1", state=authorization.state)


async def test_a_refused_application_is_a_configuration_error() -> None:
    server = Grants()
    server.faults = [oauth_refusal("invalid_client", 401)]
    consent = enrolment(server)
    authorization = consent.begin(redirect_uri=BACK, scope="data:trip")
    with pytest.raises(ConfigurationError, match="invalid_client"):
        await consent.complete(authorization, server.consent(authorization.url))


async def test_a_cancelled_exchange_is_stored() -> None:
    server, store = Grants(), MemoryTokenStore()
    consent = enrolment(server, store)
    authorization = consent.begin(redirect_uri=BACK, scope="data:trip")
    with anyio.move_on_after(0.5) as scope:
        await consent.complete(authorization, server.consent(authorization.url), key="alice")
    assert scope.cancelled_caught
    assert await store.load("alice") is not None


# ------------------------------------------------------------------------------------------------- withdrawal


async def test_withdraw_revokes_the_refresh_token_and_removes_it() -> None:
    server, store = Grants(), MemoryTokenStore()
    await store.save("alice", Token("a", "r"))
    assert await enrolment(server, store).withdraw("alice")
    assert server.revoked == [{"token": "r"}]
    assert await store.load("alice") is None


async def test_withdraw_of_an_unknown_account_returns_false() -> None:
    server = Grants()
    assert not await enrolment(server, MemoryTokenStore()).withdraw("alice")
    assert server.revoked == []


async def test_a_token_is_kept_until_it_is_revoked() -> None:
    server, store = Grants(), MemoryTokenStore(Token("a", "r"))
    server.faults = [BadRequestError("500", status=400, oauth_error="server_error")]
    with pytest.raises(ApiError):
        await enrolment(server, store).withdraw("alice")
    assert await store.load("alice") is not None


async def test_withdraw_removes_a_token_that_is_no_longer_valid() -> None:
    server, store = Grants(), MemoryTokenStore(Token("a", "r"))
    server.faults = [oauth_refusal("invalid_grant")]
    assert await enrolment(server, store).withdraw("alice")
    assert await store.load("alice") is None


async def test_revocation_tries_the_other_parameter_name() -> None:
    server = Grants()
    server.faults = [oauth_refusal("invalid_request")]
    await enrolment(server).revoke(Token("a", "r"))
    assert server.revoked == [{"refresh_token": "r"}]


async def test_an_unauthorized_revocation_is_a_configuration_error() -> None:
    server = Grants()
    server.faults = [oauth_refusal("unauthorized_client")]
    with pytest.raises(ConfigurationError):
        await enrolment(server).revoke(Token("a", "r"))


async def test_withdraw_needs_a_store() -> None:
    with pytest.raises(AuthError, match="store"):
        await enrolment(Grants()).withdraw("alice")


async def test_an_error_of_the_store_is_raised() -> None:
    class Broken(MemoryTokenStore):
        async def load(self, key: str) -> Token | None:
            raise TokenStoreError("gone", key=key)

    with pytest.raises(TokenStoreError, match="gone"):
        await enrolment(Grants(), Broken()).withdraw("alice")


async def test_what_is_no_store_is_refused_before_a_code_is_spent() -> None:
    store: Any = "tokens"
    with pytest.raises(TypeError, match=r"^store must be a TokenStore or None, not str: FileTokenStore\(path\)$"):
        enrolment(Grants(), store)


async def test_what_begin_did_not_return_is_refused() -> None:
    server, store = Grants(), MemoryTokenStore()
    flow = enrolment(server, store)
    request = flow.begin(redirect_uri=BACK, scope="openid")
    swapped: Any = server.consent(request.url)
    with pytest.raises(
        TypeError, match=r"^authorization must be AuthorizationRequest, not str: what begin\(\) returned$"
    ):
        await flow.complete(swapped, request.url)
