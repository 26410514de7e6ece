"""OAuth2 messages: requests to an authorization server, and the meaning of its responses (RFC 6749, 7009, 7636)."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urlsplit

import attrs

from stellantis_hal.credentials.basic import encode_basic
from stellantis_hal.credentials.pasted_redirects import describe_paste, find_redirect, is_same
from stellantis_hal.credentials.token import Token, parse_scope
from stellantis_hal.errors import (
    ApiError,
    AuthError,
    ConfigurationError,
    ConsentRequiredError,
    LoginRedirectError,
    NetworkError,
    QuotaError,
    StellantisError,
)
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.hal.json import MAX_VALUES, count_values
from stellantis_hal.hal.redaction import excerpt, mask_repr, mask_url, redacted_repr
from stellantis_hal.navigation.fetch_protocol import Request, Response
from stellantis_hal.transport.api_errors import parse_error_body
from stellantis_hal.transport.conventions import TRANSIENT_ERRORS
from stellantis_hal.validation import require_flags, require_type

__all__ = [
    "AuthorizationRequest",
    "AuthorizationResponse",
    "OAuth2Registration",
    "client_credentials_request",
    "exchange_request",
    "is_final",
    "pkce_challenge",
    "read_refusal",
    "read_renewed_token",
    "read_token",
    "renewal_request",
    "revocation_request",
    "to_auth_error",
    "with_query",
]

_MAX_LIFETIME = 366 * 24 * 3600.0
"""Seconds; a longer ``expires_in`` is treated as missing."""
_MAX_WORDS = 200
"""Characters of a server's words in a message."""
_REFUSED_CONSENT = frozenset({"access_denied", "consent_required", "login_required", "interaction_required"})
_CONFIGURATION_ERRORS = frozenset(
    {
        "invalid_client",
        "invalid_request",  # the form is the same for each account of a brand and realm
        "invalid_scope",
        "redirect_uri_mismatch",
        "unauthorized_client",
        "unsupported_grant_type",
        "unsupported_response_type",
    }
)
_RESERVED = {
    "client_id": "OAuth2Registration(client_id=…)",
    "code_challenge": "pkce=True",
    "code_challenge_method": "pkce=True",
    "redirect_uri": "redirect_uri=…",
    "response_type": "nothing: it is always code",
    "scope": "scope=…",
    "state": "state=…",
}
"""Parameters of the log-in page that are not free, and what to pass instead."""


@attrs.frozen(kw_only=True)
class OAuth2Registration:
    """A client that is registered with an authorization server (RFC 6749 section 2).

    Args:
        client_id: the public id.
        client_secret: None for a public client, which sends its id in the body of token requests.
        auth_method: how the secret is sent to the server: "basic" (HTTP Basic) or "post" (in the form).
        token_url: the address that exchanges codes and renews tokens.
        renewal_url: the address that renews tokens, where it is another one.
        authorize_url: the page where users log in and consent; empty where no consent is asked for.
        revocation_url: the address that revokes tokens (RFC 7009); empty where none are revoked.
        advice: what to check when the server refuses the client, for the message of ``ConfigurationError``.

    Example:
        >>> OAuth2Registration(client_id="my-id", client_secret="my-secret", token_url="https://login.example.com/token")
        OAuth2Registration(client_id='my-id', token_url='https://login.example.com/token')
    """

    client_id: str
    client_secret: str | None = attrs.field(default=None, repr=False)
    auth_method: Literal["basic", "post"] = attrs.field(
        default="basic", repr=False, validator=attrs.validators.in_(("basic", "post"))
    )
    token_url: str
    renewal_url: str | None = attrs.field(default=None, repr=False)
    authorize_url: str = attrs.field(default="", repr=False)
    revocation_url: str = attrs.field(default="", repr=False)
    advice: str = attrs.field(default="check its id, secret and redirect URI", repr=False)

    def __attrs_post_init__(self) -> None:
        require_type("client_id", self.client_id, str)
        require_type("client_secret", self.client_secret, str, None)
        require_type("token_url", self.token_url, str)

    def authorization(self) -> str | None:
        """Return the ``Authorization`` header for a token endpoint; None for a public client, or a secret in the form.

        Id and secret are form-encoded before they are joined (RFC 6749 section 2.3.1).
        """
        if self.client_secret is None or self.auth_method == "post":
            return None
        return encode_basic(quote_plus(self.client_id), quote_plus(self.client_secret))


@attrs.frozen(kw_only=True)
class AuthorizationResponse:
    """The parameters of the redirect URL with which the server ends a consent.

    Attributes:
        code: the authorization code; valid once, for about a minute.
        scope: the scopes that the user granted; empty where the redirect does not name them.
    """

    __repr__ = redacted_repr

    code: str = attrs.field(repr=False)
    scope: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class AuthorizationRequest:
    """A consent in progress: the page to show, and what the redirect is checked against.

    It has to outlive the visit to the browser: keep it in the user's session on the server, never in the page.
    It pickles.

    Attributes:
        url: the page to open in a browser.
        redirect_uri: the registered address that the browser returns to.
        scope: the requested scopes.
        state: the secret that ties the redirect to this request.
        verifier: the PKCE code verifier (RFC 7636); None without PKCE.
    """

    __repr__ = redacted_repr

    url: str = attrs.field(repr=False)
    redirect_uri: str
    scope: tuple[str, ...] = attrs.field(default=(), converter=parse_scope)  # a session may have kept a list
    state: str = attrs.field(repr=False)
    verifier: str | None = attrs.field(default=None, repr=False)

    @classmethod
    def begin(
        cls,
        client: OAuth2Registration,
        *,
        redirect_uri: str,
        scope: str | Iterable[str],
        state: str | None = None,
        pkce: bool = True,
        separator: str = " ",
        parameters: Mapping[str, str] | None = None,
    ) -> AuthorizationRequest:
        """Build the address of the page where a user logs in and consents.

        Args:
            client: the client, with its ``authorize_url``.
            redirect_uri: one that is registered for the client; custom schemes too.
            scope: the scopes to ask for.
            state: a secret of your own; None: a random one.
            pkce: whether to use PKCE (RFC 7636, S256).
            separator: between scopes: a blank (RFC 6749 section 3.3); some servers want a comma.
            parameters: more parameters of the query, as the server documents them (``prompt``, ``login_hint``).

        Raises:
            ValueError: a parameter has a name that another argument sets, or the redirect URI is empty.
            TypeError: a parameter is not text.

        Example:
            >>> client = OAuth2Registration(
            ...     client_id="my-id",
            ...     authorize_url="https://login.example.com/authorize",
            ...     token_url="https://login.example.com/token",
            ... )
            >>> authorization = AuthorizationRequest.begin(client, redirect_uri="app://back", scope="data:trip")
            >>> authorization.url
            'https://login.example.com/authorize?client_id=my-id&response_type=code&redirect_uri=app%3A...'
            >>> authorization.read(f"app://back?code=abc&state={authorization.state}&scope=data:trip")
            AuthorizationResponse(scope=('data:trip',))
        """
        require_type("redirect_uri", redirect_uri, str)
        if not redirect_uri:
            raise ValueError("redirect_uri must not be empty: pass one that is registered for the client")
        require_type("scope", scope, str, Iterable, instead='"openid data:trip"')
        require_type("state", state, str, None)
        require_flags(pkce=pkce)
        state = secrets.token_urlsafe(32) if state is None else state
        verifier = secrets.token_urlsafe(48) if pkce else None
        requested = parse_scope(scope)
        _check_parameters(parameters or {})
        query = {
            "client_id": client.client_id,
            "response_type": "code",
            "redirect_uri": redirect_uri,
            "scope": separator.join(requested),
            "state": state,
            **(parameters or {}),
        }
        if verifier is not None:
            query["code_challenge"] = pkce_challenge(verifier)
            query["code_challenge_method"] = "S256"
        url = with_query(client.authorize_url, query)
        return cls(url=url, redirect_uri=redirect_uri, scope=requested, state=state, verifier=verifier)

    def read(self, redirect_url: str) -> AuthorizationResponse:
        """Read the redirect URL that the browser was sent to, alone or in any text that it was pasted with.

        Raises:
            ConsentRequiredError: the user did not consent.
            LoginRedirectError: the text has no redirect URL of this request, or a part of one: ask for it again.
            ConfigurationError: the server refuses the application.
            AuthError: the redirect URL reports another error, which the message shows, or was tampered with.
            TypeError: it is not text.
        """
        require_type("the redirect URL", redirect_url, str, instead="str(url)")
        url = find_redirect(redirect_url, self.redirect_uri, state=self.state)
        if url is None:
            raise LoginRedirectError(
                f"no redirect to {mask_url(self.redirect_uri)} was found: "
                f"{describe_paste(redirect_url, self.url)}. Paste the complete URL from the browser's address bar"
            )
        query = parse_qsl(url.partition("?")[2], keep_blank_values=True)
        values = dict(query)
        repeated = {name for name in ("state", "code", "error") if sum(name == other for other, _ in query) > 1}
        if repeated:
            raise AuthError(
                f"the redirect URL has {' and '.join(f'`{name}`' for name in sorted(repeated))} more than once, so it "
                "was tampered with: start the log-in again"
            )
        state = values.get("state")
        if state is not None or "error" not in values:
            self._check_state(state)
        if "error" in values:
            raise _refusal(values["error"], values.get("error_description", ""))
        return self._response(values.get("code", ""), parse_scope(values.get("scope")))

    def accept(self, *, code: str, state: str) -> AuthorizationResponse:
        """Check the parameters of a redirect that the program has parsed itself.

        Raises:
            LoginRedirectError: they belong to another request, or the code is empty.
        """
        self._check_state(state)
        return self._response(code, ())

    def is_answered_by(self, redirect_url: str) -> bool:
        """Return whether a URL carries the state of this request: any page can send a browser to a redirect URI.

        Raises:
            AuthError: it is no URL.
        """
        return any(name == "state" and is_same(value, self.state) for name, value in _parse_query(redirect_url))

    def _check_state(self, state: str | None) -> None:
        if state is None:
            raise LoginRedirectError("the redirect URL has no `state`: paste the complete URL from the browser")
        if not is_same(state, self.state):
            raise LoginRedirectError(
                "the redirect URL belongs to another log-in, or its end is missing (its `state` differs): paste the "
                "complete URL of this log-in, or start the log-in again"
            )

    def _response(self, code: str, scope: tuple[str, ...]) -> AuthorizationResponse:
        if not code:
            raise LoginRedirectError("the redirect URL has no `code`: paste the complete URL from the browser")
        return AuthorizationResponse(code=code, scope=scope)


def read_refusal(redirect_url: str) -> str:
    """Return the error that a redirect URL reports, with or without a state; empty where it reports none.

    Raises:
        AuthError: it is no URL.
    """
    values = dict(_parse_query(redirect_url))
    return _reason(values["error"], values.get("error_description", "")) if "error" in values else ""


def pkce_challenge(verifier: str) -> str:
    """Return the S256 challenge of a code verifier (RFC 7636 section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode("ascii")


def exchange_request(client: OAuth2Registration, authorization: AuthorizationRequest, code: str) -> Request:
    """Build the request that exchanges an authorization code for a token (RFC 6749 section 4.1.3)."""
    form = {"grant_type": "authorization_code", "redirect_uri": authorization.redirect_uri, "code": code}
    if authorization.verifier is not None:
        form["code_verifier"] = authorization.verifier
    return _post(client, client.token_url, form)


def renewal_request(client: OAuth2Registration, token: Token) -> Request:
    """Build the request that renews a token (RFC 6749 section 6); it may be sent again where no response arrived."""
    form = {"grant_type": "refresh_token", "refresh_token": token.refresh_token or ""}
    return _post(client, client.renewal_url or client.token_url, form, repeatable=True)


def client_credentials_request(
    client: OAuth2Registration, scope: Iterable[str] = (), parameters: Mapping[str, str] | None = None
) -> Request:
    """Build the request for a token of the client itself (RFC 6749 section 4.4); it may be sent again.

    Args:
        client: the client.
        scope: the scopes to ask for; empty: the server's.
        parameters: more fields of the form.
    """
    named = " ".join(scope)
    form = {**(parameters or {}), **({"scope": named} if named else {}), "grant_type": "client_credentials"}
    return _post(client, client.token_url, form, repeatable=True)


def revocation_request(client: OAuth2Registration, token: Token, *, parameter: str = "token") -> Request:
    """Build the request that revokes a token: its refresh token where it has one, and with it its access tokens.

    Args:
        client: the client that the token was issued to.
        token: what to revoke.
        parameter: the name of the form field; some servers differ from RFC 7009.
    """
    return _post(client, client.revocation_url, {parameter: token.refresh_token or token.access_token})


def read_token(
    content: bytes, *, now: datetime, previous: Token | None = None, scope: Iterable[str] = (), key: str | None = None
) -> Token:
    """Read the response of a token endpoint.

    Args:
        content: its body.
        now: when it was received, by the wall clock.
        previous: the token that was renewed; its refresh token and scope are kept where the response has none.
        scope: the requested scopes, taken where the response names none (RFC 6749 section 5.1).
        key: the account, for the error.

    Raises:
        AuthError: the response has no access token.
    """
    try:
        # Not orjson: it refuses a body for one huge number, and the new refresh token would be lost.
        body: Any = None if count_values(content) > MAX_VALUES else json.loads(content, parse_int=float)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, Mapping):
        raise AuthError(
            f"the token endpoint's response is no JSON object, so it has no token{_words(content)}", key=key
        )
    access_token = body.get("access_token")
    if not isinstance(access_token, str) or not access_token.strip():
        raise AuthError(f"the token endpoint's response has no access_token{_words(content)}", key=key)
    refresh_token = body.get("refresh_token")
    if not isinstance(refresh_token, str) or not refresh_token:
        refresh_token = None if previous is None else previous.refresh_token
    granted = _read_scope(body.get("scope")) or (tuple(scope) if previous is None else previous.scope)
    return Token(access_token, refresh_token, _read_expiry(body.get("expires_in"), now), granted)


def read_renewed_token(response: Response, *, now: datetime, previous: Token, key: str) -> Token:
    """Read the response to a renewal.

    Raises:
        ApiError: it is an OAuth2 error, although its status is a success.
        NetworkError: it has no token: the response of a proxy, a maintenance page, or a server that fails.
    """
    try:
        return read_token(response.content, now=now, previous=previous, key=key)
    except AuthError as error:
        words = _words(response.content)
        name = parse_error_body(response.content).error
        if not name:
            raise _foreign_response(response.url, response.status, "has no token, so it", words=words) from error
        raise ApiError(
            f"the response {response.status} at {mask_url(response.url)} is an error{words}",
            status=response.status,
            url=response.url,
            is_transient=name in TRANSIENT_ERRORS,
            oauth_error=name,
        ) from error


def is_final(error: ApiError) -> bool:
    """Return whether a renewal that failed with this error must not be repeated.

    Faults of the server are transient. A rate limit is final here, for the caller waits as long as the server says.
    """
    return isinstance(error, QuotaError) or not (error.is_transient or error.oauth_error in TRANSIENT_ERRORS)


def to_auth_error(error: ApiError, client: OAuth2Registration, *, key: str | None) -> StellantisError:
    """Return the error to raise for a refusal of the authorization server (RFC 6749 section 5.2).

    The given error is returned where there is no better one: a server that fails, or is asked too often, refuses
    nothing, although its body may say so.
    """
    if error.is_transient or error.status >= 500 or isinstance(error, QuotaError):
        return error
    if error.oauth_error == "invalid_grant":
        return ConsentRequiredError(
            f"the identity server no longer accepts the token or code of account {mask_repr(key)} "
            f"({_reason('invalid_grant', error.description)}): ask for consent again",
            key=key,
        )
    if error.oauth_error in _CONFIGURATION_ERRORS:
        reason = _reason(error.oauth_error, error.description)
        return ConfigurationError(
            f"the identity server refuses the application at {mask_url(error.url)} ({reason}): {client.advice}",
            key=key,
            more_information=str(error),
        )
    if not error.oauth_error and error.status >= 300:
        words = excerpt(error.description, _MAX_WORDS)
        return _foreign_response(error.url, error.status, words=f" (it says: {words})" if words else "")
    return error


def _foreign_response(url: str, status: int, reason: str = "", *, words: str) -> NetworkError:
    return NetworkError(
        f"the response {status} at {mask_url(url)} {reason}{' ' if reason else ''}is not from an OAuth2 server: the "
        f"address of the identity server is wrong, or a proxy or a maintenance page is in between{words}",
        url=url,
        sent=True,
    )


def with_query(url: str, parameters: Mapping[str, str]) -> str:
    """Return a URL without a query with parameters added, blanks as ``%20``."""
    return f"{url}?{urlencode(parameters, quote_via=quote)}"


def _post(client: OAuth2Registration, url: str, form: Mapping[str, str], *, repeatable: bool | None = None) -> Request:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    authorization = client.authorization()
    if authorization is None:
        form = {**form, "client_id": client.client_id}
        if client.client_secret is not None:
            form["client_secret"] = client.client_secret
    else:
        headers["Authorization"] = authorization
    content = urlencode(form, errors="surrogatepass").encode("ascii")  # a refresh token may be any text
    # Headers, not a dict: its repr shows names only.
    return Request(method="POST", url=url, headers=Headers(headers), content=content, repeatable=repeatable)


def _read_expiry(expires_in: Any, now: datetime) -> datetime | None:
    """Read ``expires_in``; None where it is missing, zero, negative, absurd or no number."""
    if not isinstance(expires_in, float | str):
        return None
    try:
        seconds = float(expires_in)
        return now.astimezone(UTC) + timedelta(seconds=seconds) if 0 < seconds <= _MAX_LIFETIME else None
    except (ValueError, OverflowError):  # the latter: a wall clock near the year 9999
        return None


def _read_scope(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return parse_scope(value)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _parse_query(url: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(urlsplit(url.strip()).query, keep_blank_values=True)
    except ValueError:
        raise AuthError("the redirect URL is no URL: paste the complete URL from the browser") from None


def _check_parameters(parameters: Mapping[str, str]) -> None:
    require_type("parameters", parameters, Mapping, instead="{'prompt': 'login'}")
    for name, value in parameters.items():
        if (instead := _RESERVED.get(name.lower())) is not None:
            raise ValueError(f"parameters must not have {name!r}, which begin() sets: pass {instead}")
        if not name:
            raise ValueError("parameters must have names, as in {'prompt': 'login'}")
        require_type(f"the parameter {name!r}", value, str)


def _refusal(error: str, description: str) -> AuthError:
    """Return the error for a redirect that reports one (RFC 6749 section 4.1.2.1)."""
    name, reason = _error_name(error), _reason(error, description)
    if name in _REFUSED_CONSENT:
        return ConsentRequiredError(f"the account holder did not consent ({reason})")
    kind = ConfigurationError if name in _CONFIGURATION_ERRORS else AuthError
    return kind(f"the identity server refused the authorization request: {reason}")


def _reason(error: str, description: str) -> str:
    """Return an error and the server's words, for a message."""
    words = excerpt(description, _MAX_WORDS).strip(". ")
    return f"{_error_name(error)}: {words}" if words else _error_name(error)


def _words(content: bytes) -> str:
    """Return what a body without a token says, after a colon; empty where it says nothing."""
    body = parse_error_body(content)
    words = excerpt(" ".join(part for part in (body.error, body.message) if part), _MAX_WORDS).strip(". ")
    return f": {words}" if words else ""


def _error_name(text: str) -> str:
    """Return an error's name for a message: short, with the characters of RFC 6749 section 4.1.2.1 only."""
    name = "".join(sign for sign in text if sign.isascii() and (sign.isalnum() or sign == "_"))[:40]
    return name or "no reason given"
