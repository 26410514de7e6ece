"""OAuth2 messages: authorization pages, redirects, requests, responses."""

import base64
import hashlib
import json
import pickle
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal import Application, AuthorizationRequest, Scope, Token
from stellantis_hal.credentials.oauth2_messages import (
    OAuth2Registration,
    exchange_request,
    read_refusal,
    read_token,
    renewal_request,
    revocation_request,
)
from stellantis_hal.errors import AuthError, ConfigurationError, ConsentRequiredError, LoginRedirectError
from stellantis_hal.hal.json import encode
from tests.credentials.doubles import CLIENT, IDENTITY, NOON, form_of
from tests.support.clocks import Autumn
from tests.support.profiles import few_examples

BACK = "mymap://oauth2redirect/fr"


def begin(**options: Any) -> AuthorizationRequest:
    options = {"redirect_uri": BACK, "scope": [Scope.TRIP, Scope.POSITION], "state": "st1", **options}
    return AuthorizationRequest.begin(CLIENT, **options)


def query_of(authorization: AuthorizationRequest) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(authorization.url).query).items()}


# ------------------------------------------------------------------------------------------------- authorization pages


def test_the_page_to_open_asks_for_a_code() -> None:
    authorization = begin()
    assert authorization.url.startswith("https://idpcvs.peugeot.com/am/oauth2/authorize?")
    query = query_of(authorization)
    assert query["client_id"] == "my-app"
    assert query["response_type"] == "code"
    assert query["redirect_uri"] == BACK
    assert query["scope"] == "data:trip data:position"
    assert query["state"] == "st1"


def test_a_blank_between_scopes_is_percent_encoded() -> None:
    assert "scope=data%3Atrip%20data%3Aposition" in begin().url


def test_scopes_can_be_joined_as_the_vendor_s_example_does() -> None:
    assert query_of(begin(separator=","))["scope"] == "data:trip,data:position"


def test_the_challenge_is_the_digest_of_the_verifier() -> None:
    authorization = begin()
    assert authorization.verifier is not None
    assert 43 <= len(authorization.verifier) <= 128
    digest = hashlib.sha256(authorization.verifier.encode()).digest()
    query = query_of(authorization)
    assert query["code_challenge"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert query["code_challenge_method"] == "S256"


def test_pkce_can_be_switched_off() -> None:
    authorization = begin(pkce=False)
    assert authorization.verifier is None
    assert "code_challenge" not in authorization.url


def test_more_parameters_are_added_to_the_query() -> None:
    assert query_of(begin(parameters={"local": "fr-FR"}))["local"] == "fr-FR"
    assert "local" not in query_of(begin())


@pytest.mark.parametrize(
    "name", ["client_id", "code_challenge", "code_challenge_method", "redirect_uri", "response_type", "scope", "STATE"]
)
def test_a_reserved_parameter_is_refused_in_words(name: str) -> None:
    with pytest.raises(ValueError, match=f"parameters must not have {name!r}, which begin.. sets: pass "):
        begin(parameters={name: "x"})


def test_a_parameter_must_have_a_name_and_a_text() -> None:
    with pytest.raises(ValueError, match="must have names"):
        begin(parameters={"": "x"})
    with pytest.raises(TypeError, match="the parameter 'max_age' must be str, not int"):
        begin(parameters={"max_age": 5})


def test_each_authorization_request_has_its_own_secrets() -> None:
    first, second = begin(state=None), begin(state=None)
    assert first.state != second.state
    assert first.verifier != second.verifier
    assert len(first.state) >= 43


def test_an_authorization_request_pickles_and_hides_secrets() -> None:
    authorization = begin()
    assert pickle.loads(pickle.dumps(authorization)) == authorization
    assert "st1" not in repr(authorization)
    assert str(authorization.verifier) not in repr(authorization)


# ------------------------------------------------------------------------------------------------- the client


def basic(client_id: str, client_secret: str) -> str:
    client = OAuth2Registration(client_id=client_id, client_secret=client_secret, token_url="https://login.test/token")
    value = client.authorization()
    assert value is not None
    assert value.isascii()
    assert value.isprintable()
    scheme, _, encoded = value.partition(" ")
    assert scheme == "Basic"
    return base64.b64decode(encoded).decode()


def test_id_and_secret_are_form_encoded_for_basic() -> None:
    assert basic("my:app", "s3cret+%&:/=") == "my%3Aapp:s3cret%2B%25%26%3A%2F%3D"


def test_a_blank_in_a_secret_is_encoded_as_a_plus() -> None:
    assert basic("my-app", "two words") == "my-app:two+words"


def test_a_public_client_has_no_authorization_header() -> None:
    assert OAuth2Registration(client_id="my-app", token_url="https://login.test/token").authorization() is None


@pytest.mark.unmeasured
@few_examples()
@given(st.text(min_size=1))
def test_no_secret_can_break_out_of_its_header(secret: str) -> None:
    with suppress(UnicodeEncodeError):
        assert basic("my-app", secret)


def test_a_client_hides_its_secret_in_repr() -> None:
    client = OAuth2Registration(client_id="my-app", client_secret="s3cret", token_url="https://login.test/token")
    assert repr(client) == "OAuth2Registration(client_id='my-app', token_url='https://login.test/token')"


def test_a_token_is_renewed_at_the_token_url_by_default() -> None:
    client = OAuth2Registration(client_id="my-app", token_url="https://login.test/token")
    assert renewal_request(client, Token("a", "r")).url == "https://login.test/token"


# ------------------------------------------------------------------------------------------------- the redirect


def test_a_redirect_carries_code_and_granted_scopes() -> None:
    redirect = begin().read(f" {BACK}?code=abc%2Bdef&state=st1&scope=data%3Atrip \n")
    assert redirect.code == "abc+def"
    assert redirect.scope == ("data:trip",)
    assert "abc" not in repr(redirect)


def test_a_redirect_may_omit_the_granted_scopes() -> None:
    assert begin().read(f"{BACK}?code=abc&state=st1").scope == ()


@pytest.mark.parametrize("state", ["", "st2", "ST1", "+st1", "st%00", "é", "%ED%A0%80"])
def test_a_redirect_with_another_state_is_refused(state: str) -> None:
    with pytest.raises(AuthError, match="`state` differs"):
        begin().read(f"{BACK}?code=secret-code&state={state}")


def test_a_redirect_without_a_state_is_refused() -> None:
    with pytest.raises(AuthError, match="has no `state`: paste the complete URL"):
        begin().read(f"{BACK}?code=abc")


@pytest.mark.parametrize("query", ["code=abc&state=st2&state=st1", "code=abc&code=def&state=st1"])
def test_a_redirect_with_a_repeated_parameter_is_refused(query: str) -> None:
    with pytest.raises(AuthError, match="more than once"):
        begin().read(f"{BACK}?{query}")


@pytest.mark.parametrize("query", ["state=st1", "state=st1&code="])
def test_a_redirect_without_a_code_is_refused(query: str) -> None:
    with pytest.raises(AuthError, match="no `code`"):
        begin().read(f"{BACK}?{query}")


def test_a_refused_consent_is_a_consent_required_error() -> None:
    with pytest.raises(ConsentRequiredError, match="access_denied"):
        begin().read(f"{BACK}?error=access_denied&state=st1")


@pytest.mark.parametrize("state", ["&state=st1", ""])
def test_the_server_s_reason_in_a_redirect_is_shown(state: str) -> None:
    description = "The%20requested+scope%20is%20invalid."
    with pytest.raises(ConfigurationError, match=r"request: invalid_scope: The requested scope is invalid$"):
        begin().read(f"{BACK}?error=invalid_scope&error_description={description}{state}")


def test_the_reason_for_a_refused_consent_is_shown() -> None:
    with pytest.raises(ConsentRequiredError, match=r"did not consent \(access_denied: The user said no\)"):
        begin().read(f"{BACK}?error=access_denied&error_description=The+user+said+no&state=st1")


def test_the_server_s_reason_is_masked_and_cut_to_one_line() -> None:
    words = f"%1b[31mred%0Ame@example.org%20{'x' * 500}"
    with pytest.raises(AuthError) as caught:
        begin().read(f"{BACK}?error=server_error%3Cscript%3E&error_description={words}&state=st1")
    said = str(caught.value)
    assert said.startswith(
        "the identity server refused the authorization request: server_errorscript: \ufffd[31mred ***"
    )
    assert said.isprintable()
    assert len(said) < 300


def test_an_error_of_another_log_in_is_not_taken() -> None:
    with pytest.raises(LoginRedirectError, match="`state` differs"):
        begin().read(f"{BACK}?error=access_denied&state=st2")


def test_an_error_without_a_name_says_so() -> None:
    with pytest.raises(AuthError, match="no reason given"):
        begin().read(f"{BACK}?error=&state=st1")


def test_a_text_without_a_redirect_says_what_was_found() -> None:
    authorization = begin()
    with pytest.raises(LoginRedirectError) as caught:
        authorization.read(authorization.url)
    assert str(caught.value) == (
        "no redirect to mymap://oauth2redirect/fr was found: the text has only an address of "
        "https://idpcvs.peugeot.com (the log-in page, not where it leads at its end). Paste the complete URL from the "
        "browser's address bar"
    )
    with pytest.raises(LoginRedirectError, match="the text has only an address of http://\\[oops"):
        authorization.read("http://[oops")


def test_a_pasted_text_with_a_redirect_is_read() -> None:
    line = f"Failed to launch '{BACK}?code=abc&state=st1' because the scheme does not have a registered handler."
    assert begin().read(line).code == "abc"


def test_a_redirect_must_be_text() -> None:
    url: Any = urlsplit(f"{BACK}?code=abc&state=st1")
    with pytest.raises(TypeError, match=r"the redirect URL must be str, not SplitResult: str\(url\)"):
        begin().read(url)


def test_a_redirect_parsed_by_the_program_is_accepted() -> None:
    assert begin().accept(code="abc", state="st1").code == "abc"
    with pytest.raises(LoginRedirectError, match="`state` differs"):
        begin().accept(code="abc", state="st2")
    with pytest.raises(LoginRedirectError, match="no `code`"):
        begin().accept(code="", state="st1")


def test_the_error_of_a_redirect_is_read_without_its_state() -> None:
    assert read_refusal(f"{BACK}?error=invalid_scope&error_description=No.") == "invalid_scope: No"
    assert read_refusal(f"{BACK}?code=abc") == ""
    with pytest.raises(AuthError, match="no URL"):
        read_refusal("http://[oops")


@pytest.mark.unmeasured
@given(st.text())
def test_no_text_passes_for_a_redirect(text: str) -> None:
    authorization = begin(state="a long and secret state")
    for address in (text, f"{BACK}?{text}", f"{BACK}?state={text}&code=abc"):
        with pytest.raises(AuthError):
            authorization.read(address)


# ------------------------------------------------------------------------------------------------- requests


def test_a_code_is_exchanged_with_the_verifier() -> None:
    """The request may not be sent twice."""
    authorization = begin()
    request = exchange_request(CLIENT, authorization, "abc")
    assert (request.method, request.url) == ("POST", "https://idpcvs.peugeot.com/am/oauth2/access_token")
    assert not request.repeatable
    assert request.headers["Authorization"].startswith("Basic ")
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert form_of(request) == {
        "grant_type": "authorization_code",
        "code": "abc",
        "redirect_uri": BACK,
        "code_verifier": authorization.verifier,
    }


def test_without_pkce_no_verifier_is_sent() -> None:
    assert "code_verifier" not in form_of(exchange_request(CLIENT, begin(pkce=False), "abc"))


def test_a_renewal_has_the_realm_in_its_query() -> None:
    """The request may be sent again."""
    request = renewal_request(CLIENT, Token("a", "re fresh+&"))
    assert request.url == "https://idpcvs.peugeot.com/am/oauth2/access_token?realm=clientsB2CPeugeot"
    assert request.repeatable
    assert form_of(request) == {"grant_type": "refresh_token", "refresh_token": "re fresh+&"}


def test_a_revocation_takes_the_refresh_token() -> None:
    request = revocation_request(CLIENT, Token("a", "r"))
    assert request.url == "https://idpcvs.peugeot.com/am/oauth2/token/revoke?realm=clientsB2CPeugeot"
    assert form_of(request) == {"token": "r"}


def test_a_token_without_refresh_token_is_revoked_itself() -> None:
    assert form_of(revocation_request(CLIENT, Token("a"), parameter="refresh_token")) == {"refresh_token": "a"}


def test_a_public_client_sends_its_id_in_the_body() -> None:
    request = renewal_request(IDENTITY.oauth2_client(Application("public-app")), Token("a", "r"))
    assert "Authorization" not in request.headers
    assert form_of(request)["client_id"] == "public-app"


def test_requests_hide_their_secrets_in_repr() -> None:
    shown = repr(renewal_request(CLIENT, Token("a", "refresh-secret")))
    assert "refresh-secret" not in shown
    assert "Basic" not in shown


# ------------------------------------------------------------------------------------------------- responses


def read(body: Any, **options: Any) -> Token:
    return read_token(encode(body), now=NOON, **options)


def test_a_response_becomes_a_token() -> None:
    token = read({"access_token": "a", "refresh_token": "r", "expires_in": 3599, "scope": "data:trip data:position"})
    assert token == Token("a", "r", NOON + timedelta(seconds=3599), ("data:trip", "data:position"))


def test_a_lifetime_is_right_at_the_end_of_summer_time() -> None:
    now = datetime(2026, 10, 25, 2, 30, tzinfo=Autumn())
    content = b'{"access_token": "a", "expires_in": 3600}'
    assert read_token(content, now=now).expires_at == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize("expires_in", [3600, 3600.0, "3600", " 3600 ", "3.6e3"])
def test_a_lifetime_is_read_in_any_spelling(expires_in: Any) -> None:
    assert read({"access_token": "a", "expires_in": expires_in}).expires_at == NOON + timedelta(hours=1)


@pytest.mark.parametrize(
    "expires_in",
    [None, 0, "0", -5, "soon", "", "inf", "nan", "1e300", 10**400, 10**12, True, [], {}, "9" * 400, 0.0, "-0"],
)
def test_an_invalid_lifetime_is_unknown(expires_in: Any) -> None:
    assert read({"access_token": "a", "expires_in": expires_in}).expires_at is None


def test_a_missing_lifetime_is_unknown() -> None:
    assert read({"access_token": "a"}).expires_at is None


def test_a_wall_clock_near_year_9999_makes_lifetimes_unknown() -> None:
    late = datetime.max.replace(tzinfo=UTC)
    assert read_token(b'{"access_token": "a", "expires_in": 3600}', now=late).expires_at is None


@pytest.mark.parametrize("refresh_token", [None, "", 5, []])
def test_a_response_without_refresh_token_keeps_the_old_one(refresh_token: Any) -> None:
    previous = Token("old", "r", scope=("data:trip",))
    token = read({"access_token": "a", "refresh_token": refresh_token}, previous=previous)
    assert token == Token("a", "r", scope=("data:trip",))


def test_requested_scopes_are_the_fallback() -> None:
    assert read({"access_token": "a"}, scope=("data:trip",)).scope == ("data:trip",)
    assert read({"access_token": "a", "scope": None}, scope=("data:trip",)).scope == ("data:trip",)


def test_granted_scopes_may_come_as_a_list_or_joined_by_commas() -> None:
    assert read({"access_token": "a", "scope": ["data:trip", 5]}).scope == ("data:trip",)
    assert read({"access_token": "a", "scope": "data:trip,data:alert"}).scope == ("data:trip", "data:alert")


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"[]", b"null", b'"a"', b"{}", b'{"access_token": 5}', b"\xff", b"[" * 100_000]
)
def test_a_response_without_an_access_token_is_refused(content: bytes) -> None:
    with pytest.raises(AuthError) as caught:
        read_token(content, now=NOON, key="alice")
    assert caught.value.key == "alice"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<html><title>Maintenance</title><p>We are back at 18:00.</p>", ": Maintenance We are back at 18:00$"),
        (
            b'{"error": "invalid_grant", "error_description": "The code was used."}',
            ": invalid_grant The code was used$",
        ),
        (b"{}", "no access_token$"),
        (b"", "no token$"),
    ],
)
def test_a_response_without_an_access_token_is_quoted(content: bytes, words: str) -> None:
    with pytest.raises(AuthError, match=words):
        read_token(content, now=NOON)


def test_a_blank_access_token_is_refused() -> None:
    with pytest.raises(AuthError, match="no access_token"):
        read({"access_token": "  ", "refresh_token": "r"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=5,
)


@pytest.mark.unmeasured
@few_examples()
@given(st.dictionaries(st.sampled_from(["access_token", "refresh_token", "expires_in", "scope", "id_token"]), JSON))
def test_any_json_is_a_token_or_refused(body: dict[str, Any]) -> None:
    try:
        content = encode(body)
    except ValueError:
        return
    try:
        token = read_token(content, now=NOON, previous=Token("old", "r"))
    except AuthError:
        return
    assert token.refresh_token
    assert token.expires_at is None or token.expires_at > NOON


@pytest.mark.unmeasured
@given(st.binary())
def test_any_bytes_are_a_token_or_refused(content: bytes) -> None:
    with pytest.raises(AuthError):
        read_token(content, now=NOON)


def test_a_redirect_is_recognized_by_its_state() -> None:
    consent = begin(state="s1")
    assert consent.is_answered_by("http://127.0.0.1/?state=s1&error=access_denied")
    assert not consent.is_answered_by("http://127.0.0.1/?code=c&state=s2")
    assert not consent.is_answered_by("http://127.0.0.1/?code=c")


def test_a_lone_surrogate_in_a_refresh_token_is_sent() -> None:
    request = renewal_request(CLIENT, Token("a", "r\ud800"))
    assert isinstance(request.content, bytes)
    assert request.content.endswith(b"refresh_token=r%ED%A0%80")


def test_an_authorization_request_survives_a_session_of_json() -> None:
    authorization = begin()
    saved = json.loads(json.dumps(attrs.asdict(authorization)))
    assert AuthorizationRequest(**saved) == authorization


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"redirect_uri": None}, "redirect_uri must be str, not NoneType"),
        ({"scope": None}, 'scope must be str or Iterable, not NoneType: "openid data:trip"'),
        ({"state": 3}, "state must be str or None, not int"),
    ],
    ids=["redirect", "scope", "state"],
)
def test_arguments_of_a_request_are_texts(options: dict[str, Any], message: str) -> None:
    """A redirect URI that a configuration lacked was sent as None."""
    given: dict[str, Any] = {"redirect_uri": "app://back", "scope": "openid", **options}
    with pytest.raises(TypeError, match=f"^{message}$"):
        AuthorizationRequest.begin(CLIENT, **given)


def test_an_empty_redirect_uri_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^redirect_uri must not be empty"):
        AuthorizationRequest.begin(CLIENT, redirect_uri="", scope="openid")
