"""OAuth2 as values: what to ask an identity server, and what its answers say.

Knows RFC 6749, 7009 and 7636 and where the vendor departs from them. Must not know how anything is sent or kept: no I/O
here, and the wall clock is handed in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import attrs

from stellantis_hal.auth.application import Application
from stellantis_hal.auth.identity import IdentityProvider
from stellantis_hal.credentials.token import Token, scopes_of
from stellantis_hal.errors import AuthError, ConsentRequiredError
from stellantis_hal.hal.headers import Headers
from stellantis_hal.navigation.fetch import Request

__all__ = ["AuthorizationRequest", "AuthorizationResponse", "exchange", "read_token", "renewal", "revocation"]

_LONGEST_LIFE = 366 * 24 * 3600.0
"""Seconds; an access token that claims to live longer has an unknown life."""


@attrs.frozen(kw_only=True)
class AuthorizationResponse:
    """What the identity server handed back through the browser.

    Attributes:
        code: to be exchanged once, within a minute or so.
        scope: what the account holder granted; empty where the redirect does not say.
    """

    code: str = attrs.field(repr=False)
    scope: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class AuthorizationRequest:
    """A consent under way: what to show the account holder, and what to hold the redirect against.

    It has to outlive the visit to the browser: keep it in the user's session on the server, never in
    the page. It pickles.

    Attributes:
        url: the page to open in a browser.
        redirect_uri: where the browser comes back to, as it was registered.
        scope: what is asked for.
        state: ties the redirect to this very consent.
        verifier: proves at the exchange that it is we who asked (RFC 7636); None without PKCE.
    """

    url: str = attrs.field(repr=False)
    redirect_uri: str
    scope: tuple[str, ...] = ()
    state: str = attrs.field(repr=False)
    verifier: str | None = attrs.field(default=None, repr=False)

    @classmethod
    def begin(
        cls,
        application: Application,
        identity: IdentityProvider,
        *,
        redirect_uri: str,
        scope: str | Iterable[str],
        state: str | None = None,
        pkce: bool = True,
        local: str | None = None,
        separator: str = " ",
    ) -> AuthorizationRequest:
        """Make the address of the page where an account holder logs in and consents.

        Args:
            application: who asks.
            identity: whom.
            redirect_uri: one that the application registered; custom schemes too.
            scope: what to ask for (:class:`~stellantis_hal.auth.Scope`).
            state: a secret of your own; None: a random one.
            pkce: prove at the exchange that it is we who asked (RFC 7636, S256).
            local: the page's language, ``fr-FR`` style; the vendor spells its parameter like this.
            separator: between scopes: a blank (RFC 6749 section 3.3), or the comma of the vendor's example.

        Example:
            >>> from stellantis_hal.auth import Brand
            >>> application, identity = Application("my-id"), IdentityProvider.of(Brand.DS)
            >>> consent = AuthorizationRequest.begin(application, identity, redirect_uri="app://back", scope="data:trip")
            >>> consent.url
            'https://idpcvs.driveds.com/am/oauth2/authorize?client_id=my-id&response_type=code&redirect_uri=app%3A...'
            >>> consent.read(f"app://back?code=abc&state={consent.state}&scope=data:trip")
            AuthorizationResponse(scope=('data:trip',))
        """
        state = secrets.token_urlsafe(32) if state is None else state
        verifier = secrets.token_urlsafe(48) if pkce else None
        asked = scopes_of(scope)
        query = {
            "client_id": application.client_id,
            "response_type": "code",
            "redirect_uri": redirect_uri,
            "scope": separator.join(asked),
            "state": state,
        }
        if local is not None:
            query["local"] = local
        if verifier is not None:
            query["code_challenge"] = challenge(verifier)
            query["code_challenge_method"] = "S256"
        url = f"{identity.authorize_url}?{urlencode(query, quote_via=quote)}"
        return cls(url=url, redirect_uri=redirect_uri, scope=asked, state=state, verifier=verifier)

    def read(self, redirect_url: str) -> AuthorizationResponse:
        """Read the address that the browser came back to.

        Raises:
            ConsentRequiredError: the account holder did not consent.
            AuthError: the redirect answers another consent than this one, reports an error, or has no code. Its message
                shows none of what was in the address but the error's name.
        """
        query = _query(redirect_url)
        values = dict(query)
        repeated = {name for name in ("state", "code", "error") if sum(name == other for other, _ in query) > 1}
        if repeated:
            raise AuthError(f"the redirect says {' and '.join(sorted(repeated))} more than once: it was tampered with")
        if "state" not in values:
            raise AuthError("that answers no log-in, for it has no state: copy the whole address from the browser")
        if not self._is_ours(values["state"]):
            raise AuthError("the redirect answers another log-in than this one (its state differs): start again")
        if "error" in values:
            name = _word(values["error"])
            if name in {"access_denied", "consent_required", "login_required", "interaction_required"}:
                raise ConsentRequiredError(f"the account holder did not consent ({name})")
            raise AuthError(f"the identity server refused to ask for consent: {name}")
        if not values.get("code"):
            raise AuthError("the redirect has no code: copy the whole address from the browser")
        return AuthorizationResponse(code=values["code"], scope=scopes_of(values.get("scope")))

    def is_answered_by(self, redirect_url: str) -> bool:
        """Tell whether an address says this consent's state: any page can send a browser to a redirect URI.

        Raises:
            AuthError: it is no address.
        """
        return any(name == "state" and self._is_ours(value) for name, value in _query(redirect_url))

    def _is_ours(self, state: str) -> bool:
        return hmac.compare_digest(_bytes(state), _bytes(self.state))


def challenge(verifier: str) -> str:
    """Give the S256 challenge of a verifier (RFC 7636 section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode("ascii")


def exchange(
    application: Application, identity: IdentityProvider, authorization: AuthorizationRequest, code: str
) -> Request:
    """Ask for the token that a code stands for."""
    form = {"grant_type": "authorization_code", "redirect_uri": authorization.redirect_uri, "code": code}
    if authorization.verifier is not None:
        form["code_verifier"] = authorization.verifier
    return _post(application, identity.token_url, form)


def renewal(application: Application, identity: IdentityProvider, token: Token) -> Request:
    """Ask for a new token by the refresh token of an old one; may be asked again when no answer came."""
    form = {"grant_type": "refresh_token", "refresh_token": token.refresh_token or ""}
    return _post(application, _with_realm(identity.token_url, identity), form, repeatable=True)


def revocation(
    application: Application, identity: IdentityProvider, token: Token, *, parameter: str = "token"
) -> Request:
    """Ask to revoke a token: its refresh token where it has one, which takes the access tokens made from it along.

    Args:
        application: whose token it is.
        identity: who issued it.
        token: what to revoke.
        parameter: the vendor's table calls it ``token`` (as RFC 7009 does), its example ``refresh_token``.
    """
    return _post(
        application,
        _with_realm(identity.revocation_url, identity),
        {parameter: token.refresh_token or token.access_token},
    )


def read_token(
    content: bytes, *, now: datetime, previous: Token | None = None, scope: Iterable[str] = (), key: str | None = None
) -> Token:
    """Read a token endpoint's answer.

    Args:
        content: its body.
        now: by the wall clock, when it was received.
        previous: the token that was renewed: its refresh token and scope hold where the answer has none of its own.
        scope: what was asked for, which holds where the answer does not say what was granted (RFC 6749 section 5.1).
        key: the account, for the error.

    Raises:
        AuthError: there is no access token in it.
    """
    try:
        # Not by the faster reader: it refuses an answer for one absurd number, and the refresh token would be lost.
        body: Any = json.loads(content, parse_int=float)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, Mapping):
        raise AuthError("the token endpoint answered something that is no token", key=key)
    access_token = body.get("access_token")
    if not isinstance(access_token, str) or not access_token.strip():
        raise AuthError("the token endpoint's answer has no access_token", key=key)
    refresh_token = body.get("refresh_token")
    if not isinstance(refresh_token, str) or not refresh_token:
        refresh_token = None if previous is None else previous.refresh_token
    granted = _scope(body.get("scope")) or (tuple(scope) if previous is None else previous.scope)
    return Token(access_token, refresh_token, _expiry(body.get("expires_in"), now), granted)


def _post(application: Application, url: str, form: Mapping[str, str], *, repeatable: bool | None = None) -> Request:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    basic = application.oauth_basic()
    if basic is None:
        form = {**form, "client_id": application.client_id}
    else:
        headers["Authorization"] = basic
    content = urlencode(form, errors="surrogatepass").encode("ascii")  # a refresh token may be any server's text
    # Headers, and not a dict, for its repr tells names only.
    return Request(method="POST", url=url, headers=Headers(headers), content=content, repeatable=repeatable)


def _with_realm(url: str, identity: IdentityProvider) -> str:
    return f"{url}?realm={quote(identity.realm, safe='')}"


def _expiry(expires_in: Any, now: datetime) -> datetime | None:
    """Read ``expires_in``; None where it is missing, zero, negative, absurd or no number."""
    if not isinstance(expires_in, float | str):
        return None
    try:
        seconds = float(expires_in)
        return now.astimezone(UTC) + timedelta(seconds=seconds) if 0 < seconds <= _LONGEST_LIFE else None
    except (ValueError, OverflowError):  # the latter: a wall clock at the end of time
        return None


def _scope(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return scopes_of(value)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _query(address: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(urlsplit(address.strip()).query, keep_blank_values=True)
    except ValueError:
        raise AuthError("that is no address: copy all of it from the browser") from None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _word(text: str) -> str:
    """Give an error's name for a message: short, and nothing but the signs of RFC 6749 section 4.1.2.1's names."""
    name = "".join(sign for sign in text if sign.isascii() and (sign.isalnum() or sign == "_"))[:40]
    return name or "no reason given"
