"""OAuth2 authorization server: codes, access tokens and rotating refresh tokens.

A refresh retires the refresh token that was used. Using a retired token revokes the whole grant.
"""

from __future__ import annotations

import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from urllib.parse import quote, unquote_plus, urlencode

import attrs

from stellantis_hal.simulator.api.http_messages import ClockReading, Request, Response, json_response
from stellantis_hal.simulator.world.entities import BRANDS, SCOPES, Account
from stellantis_hal.simulator.world.seeded import hex_digits
from stellantis_hal.simulator.world.world import World

__all__ = ["IdentityServer", "IssuedToken"]

_CODE_LIFE = 120.0
_LOCALE = re.compile(r"[a-z]{2,3}([-_][A-Za-z]{2,4})*")


@attrs.frozen(kw_only=True)
class IssuedToken:
    """An issued pair of tokens; ``expires_at`` is the access token's expiry by the simulator's wall clock."""

    access_token: str = attrs.field(repr=False)
    refresh_token: str = attrs.field(repr=False)
    expires_at: datetime
    scope: tuple[str, ...]


@attrs.define
class _Grant:
    account: Account
    scope: tuple[str, ...]
    alive: bool = True


@attrs.define
class _Access:
    grant: _Grant
    expires: float


@attrs.define
class _Refresh:
    grant: _Grant
    fresh: bool = True


@attrs.define
class _Code:
    grant: _Grant
    redirect_uri: str
    challenge: str
    method: str
    expires: float
    used: bool = False


class IdentityServer:
    """The authorization server of all brands."""

    def __init__(
        self,
        world: World,
        *,
        client_id: str,
        client_secret: str,
        lifetime: float = 3599.0,
        rotates: bool = True,
        errors_have_state: bool = True,
    ) -> None:
        self._world = world
        self._client_id = client_id
        self._client_secret = client_secret
        self._lifetime = lifetime
        self._rotates = rotates
        self._errors_have_state = errors_have_state
        self._issued = 0
        self._access: dict[str, _Access] = {}
        self._refresh: dict[str, _Refresh] = {}
        self._codes: dict[str, _Code] = {}
        self.renewals: int = 0

    # ------------------------------------------------------------------ used by the API and by tests

    def grant(self, account: str, now: ClockReading, *, scope: tuple[str, ...] = SCOPES) -> IssuedToken:
        """Issue tokens for an account, as after its owner's consent. Raises KeyError."""
        return self._issue(_Grant(self._world.account(account), scope), now)

    def token_owner(self, token: str, now: ClockReading) -> tuple[Account, tuple[str, ...]] | None:
        """Return the account and the scopes of a valid access token, otherwise None."""
        access = self._access.get(token)
        if access is None or not access.grant.alive or now.tick >= access.expires:
            return None
        return access.grant.account, access.grant.scope

    def expire(self, token: str) -> None:
        """Expire an access token; its refresh token stays valid."""
        self._access.pop(token, None)

    def expire_all(self) -> None:
        """Expire every access token; refresh tokens stay valid."""
        self._access.clear()

    def authenticates(self, request: Request) -> bool:
        """Return whether a request has the client id and secret by HTTP Basic (RFC 6749 section 2.3.1)."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        try:
            name, _, secret = b64decode(text, validate=True).decode().partition(":")
        except ValueError:
            return False
        known = compare_digest(unquote_plus(name).encode(), self._client_id.encode())
        known &= compare_digest(unquote_plus(secret).encode(), self._client_secret.encode())
        return known and scheme.lower() == "basic"

    # ------------------------------------------------------------------ endpoints

    def respond(self, request: Request, address: str, now: ClockReading) -> Response:
        """Return the response of ``authorize``, ``access_token`` or ``token/revoke``."""
        if address == "authorize" and request.method == "GET":
            return self._authorize(request, now)
        if address == "access_token" and request.method == "POST":
            return self._token(request, now) if self.authenticates(request) else _invalid_client()
        if address == "token/revoke" and request.method == "POST":
            return self._revoke(request) if self.authenticates(request) else _invalid_client()
        return _error(404, "not_found", "Unknown endpoint.")

    def _authorize(self, request: Request, now: ClockReading) -> Response:
        def value(name: str) -> str:
            return unquote_plus(request.raw(name) or "")

        redirect = value("redirect_uri")
        if value("client_id") != self._client_id or not redirect:
            return _error(400, "invalid_client", "client_id or redirect_uri is missing or unknown.")
        parameters: dict[str, str] = {}
        asked = tuple(value("scope").replace(",", " ").split())
        granted = tuple(scope for scope in asked if scope in SCOPES)
        try:
            account = self._world.account(value("login_hint") or "account-0000")
        except KeyError:
            return _error(400, "login_required", "login_hint must be an account's key, e.g. account-0000.")
        refusal = self._refuse_authorization(value, asked, granted)
        if refusal is not None:
            parameters["error"], parameters["error_description"] = refusal
        else:
            code = hex_digits(self._world.seed, "code", self._count(), size=16)
            self._codes[code] = _Code(
                grant=_Grant(account, granted),
                redirect_uri=redirect,
                challenge=value("code_challenge"),
                method=value("code_challenge_method") or "plain",
                expires=now.tick + _CODE_LIFE,
            )
            parameters["code"] = code
            parameters["scope"] = " ".join(granted)
        if value("state") and (refusal is None or self._errors_have_state):
            parameters["state"] = value("state")
        place = quote(redirect, safe="%:/?#[]@!$&'()*+,;=~")
        target = f"{place}{'&' if '?' in place else '?'}{urlencode(parameters, quote_via=quote)}"
        return Response(status=302, headers=(("Location", target),), kind="authorize")

    def _refuse_authorization(
        self, value: Callable[[str], str], asked: tuple[str, ...], granted: tuple[str, ...]
    ) -> tuple[str, str] | None:
        """Return the error and the description with which a consent ends at once, or None."""
        if value("response_type") != "code":
            return "unsupported_response_type", "response_type must be code."
        if value("code_challenge") and value("code_challenge_method") not in {"S256", "plain", ""}:
            return "invalid_request", "code_challenge_method must be S256 or plain."
        for name in ("locale", "local"):
            if value(name) and _LOCALE.fullmatch(value(name)) is None:
                return "invalid_request", f"{name} must look like fr-FR."
        if asked and not granted:
            return "invalid_scope", f"Unknown scope: {', '.join(asked)}."
        return None

    def _token(self, request: Request, now: ClockReading) -> Response:
        form = request.form
        kind = form.get("grant_type")
        if kind == "authorization_code":
            return self._exchange(form, now)
        if kind == "refresh_token":
            return self._renew(form, request.value("realm"), now)
        return _error(400, "unsupported_grant_type", "grant_type is missing or unknown.")

    def _exchange(self, form: dict[str, str], now: ClockReading) -> Response:
        code = self._codes.get(form.get("code", ""))
        if code is None or now.tick >= code.expires or form.get("redirect_uri") != code.redirect_uri:
            return _error(400, "invalid_grant", "The code is unknown, expired or for another redirect URI.")
        if code.used:
            code.grant.alive = False
            return _error(400, "invalid_grant", "The code was used before.")
        if code.challenge and not compare_digest(
            _challenge(form.get("code_verifier", ""), code.method), code.challenge
        ):
            return _error(400, "invalid_grant", "The code verifier does not fit the challenge.")
        code.used = True
        return self._token_response(self._issue(code.grant, now), "access_token")

    def _renew(self, form: dict[str, str], realm: str | None, now: ClockReading) -> Response:
        held = self._refresh.get(form.get("refresh_token", ""))
        if held is None or not held.grant.alive:
            return _error(400, "invalid_grant", "The refresh token is unknown or revoked.")
        if realm not in BRANDS[held.grant.account.brand].realms:
            return _error(400, "invalid_request", "The realm is missing or not the user's.")
        if not held.fresh:
            held.grant.alive = False
            return _error(400, "invalid_grant", "The refresh token was used before; the grant is revoked.")
        self.renewals += 1
        if not self._rotates:
            return self._token_response(
                self._issue(held.grant, now, refresh=form["refresh_token"]), "renewal", rotated=False
            )
        held.fresh = False
        return self._token_response(self._issue(held.grant, now), "renewal")

    def _revoke(self, request: Request) -> Response:
        form = request.form
        token = form.get("token") or form.get("refresh_token") or ""
        if token in self._refresh:
            self._refresh[token].grant.alive = False
        self._access.pop(token, None)
        return json_response(200, {}, kind="revocation")

    # ------------------------------------------------------------------ tokens

    def _count(self) -> int:
        self._issued += 1
        return self._issued

    def _issue(self, grant: _Grant, now: ClockReading, *, refresh: str | None = None) -> IssuedToken:
        number = self._count()
        access = f"at.{hex_digits(self._world.seed, 'access', number, size=20)}"
        if refresh is None:
            refresh = f"rt.{hex_digits(self._world.seed, 'refresh', number, size=20)}"
            self._refresh[refresh] = _Refresh(grant)
        self._access[access] = _Access(grant, now.tick + self._lifetime)
        return IssuedToken(
            access_token=access,
            refresh_token=refresh,
            expires_at=now.wall + timedelta(seconds=self._lifetime),
            scope=grant.scope,
        )

    def _token_response(self, issued: IssuedToken, kind: str, *, rotated: bool = True) -> Response:
        body = {
            "access_token": issued.access_token,
            "token_type": "Bearer",
            "expires_in": int(self._lifetime),
            "scope": " ".join(issued.scope),
            "id_token": f"{hex_digits(issued.access_token)}.{hex_digits(issued.refresh_token)}.simulated",
        }
        if rotated:
            body["refresh_token"] = issued.refresh_token
        return json_response(200, body, kind=kind).with_headers(("Cache-Control", "no-store"))


def _challenge(verifier: str, method: str) -> str:
    if method == "plain":
        return verifier
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _invalid_client() -> Response:
    refusal = _error(401, "invalid_client", "Client authentication failed.")
    return refusal.with_headers(("WWW-Authenticate", 'Basic realm="oauth2"'))


def _error(status: int, error: str, description: str) -> Response:
    return json_response(status, {"error": error, "error_description": description}, kind="oauth-error")
