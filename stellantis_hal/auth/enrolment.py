"""Enrolment: an account holder's consent, and its withdrawal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from stellantis_hal.auth.application import Application
from stellantis_hal.auth.identity import IdentityProvider
from stellantis_hal.credentials.oauth2 import (
    AuthorizationRequest,
    exchange_request,
    read_token,
    revocation_request,
    to_auth_error,
)
from stellantis_hal.credentials.shielded import run_shielded
from stellantis_hal.credentials.stores.protocol import TokenStore
from stellantis_hal.credentials.token import Token
from stellantis_hal.errors import ApiError, AuthError, BadRequestError, ConsentRequiredError
from stellantis_hal.hal.clock import utc_now
from stellantis_hal.navigation.fetch import Fetch

__all__ = ["Enrolment", "locale_parameters"]

T = TypeVar("T")

_TIMEOUT = 60.0
"""Seconds for exchanging a code or revoking a token, storing included."""


def locale_parameters(locale: str | None, local: str | None = None) -> dict[str, str]:
    """Return the parameters of the log-in page that name its language; the servers read ``locale`` or ``local``."""
    values = {"locale": local if locale is None else locale, "local": locale if local is None else local}
    return {name: value for name, value in values.items() if value is not None}


class Enrolment:
    """Ask account holders of one brand for their consent, and withdraw it.

    Args:
        application: the application that the account holders enrol in.
        identity: the brand's identity server.
        fetch: sends requests to the identity server, without credentials of its own.
        store: where tokens are stored; None: the caller keeps them.
        clock: the wall clock.

    Example::

        authorization = enrolment.begin(redirect_uri="https://example.org/back", scope=[Scope.TRIP, Scope.POSITION])
        ...  # show authorization.url, get the redirect URL from the browser
        token = await enrolment.complete(authorization, redirect_url, key="alice")
    """

    def __init__(
        self,
        application: Application,
        identity: IdentityProvider,
        *,
        fetch: Fetch,
        store: TokenStore | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._client = identity.oauth2_client(application)
        self._fetch = fetch
        self._store = store
        self._clock = clock

    def begin(
        self,
        *,
        redirect_uri: str,
        scope: str | Iterable[str],
        state: str | None = None,
        pkce: bool = True,
        locale: str | None = None,
        local: str | None = None,
        separator: str = " ",
        parameters: Mapping[str, str] | None = None,
    ) -> AuthorizationRequest:
        """Return the page to show, and what its redirect is checked against.

        Args:
            redirect_uri: one that the application registered; custom schemes too.
            scope: what to ask for (:class:`~stellantis_hal.Scope`).
            state: a secret of your own; None: a random one.
            pkce: whether to use PKCE (RFC 7636, S256).
            locale: the language of the page (``fr-FR``). It is sent as ``locale``, which the servers read, and as
                ``local``, which the vendor documents.
            local: the same, or another value for the parameter ``local`` alone.
            separator: between scopes: a blank (RFC 6749 section 3.3), or the comma of the vendor's example.
            parameters: more parameters of the page; they replace those of ``locale``.

        Raises:
            ValueError: a parameter has a name that another argument sets, such as ``state``.
            TypeError: a parameter is not text.
        """
        return AuthorizationRequest.begin(
            self._client,
            redirect_uri=redirect_uri,
            scope=scope,
            state=state,
            pkce=pkce,
            separator=separator,
            parameters={**locale_parameters(locale, local), **(parameters or {})},
        )

    async def complete(
        self,
        authorization: AuthorizationRequest,
        redirect_url: str | None = None,
        *,
        code: str | None = None,
        state: str | None = None,
        key: str = "default",
    ) -> Token:
        """Check the redirect, exchange its code, and store the token under ``key``.

        Args:
            authorization: what :meth:`begin` returned.
            redirect_url: the URL that the browser was sent to, alone or in any text that it was pasted with.
            code: the code, where the program has parsed the redirect itself; with ``state``.
            state: the state of that redirect.
            key: the account's key in the store.

        Raises:
            ValueError: neither the redirect URL nor both its code and its state were passed; nothing was sent.
            ConsentRequiredError: the account holder refused, or the code has been used or has expired: begin again.
            RedirectError: the text has no redirect of this authorization; the message names what is missing.
            AuthError: the redirect reports an error, or the response has no token.
            ConfigurationError: the identity server refuses the application.
            TokenStoreError: the token could not be stored.
            NetworkError: the identity server could not be reached.
            ApiError: it failed, or refused for another reason.
        """
        try:
            if redirect_url is not None and code is None and state is None:
                granted = authorization.read(redirect_url)
            elif redirect_url is None and code is not None and state is not None:
                granted = authorization.accept(code=code, state=state)
            else:
                raise ValueError("pass the redirect URL, as in complete(authorization, url), or both code= and state=")
        except AuthError as error:
            error.key = key
            raise
        request = exchange_request(self._client, authorization, granted.code)

        async def exchange_and_save() -> Token:
            response = await self._fetch(request)
            token = read_token(response.content, now=self._clock(), scope=granted.scope or authorization.scope, key=key)
            if self._store is not None:
                await self._store.save(key, token)
            return token

        return await self._run_locked(exchange_and_save, key)

    async def withdraw(self, key: str = "default") -> bool:
        """Revoke the token under ``key`` and remove it from the store; False where there is none.

        It is removed only after it was revoked, so that a call that failed can be repeated.

        Raises:
            TokenStoreError: the store failed.
            StellantisError: any error of :meth:`revoke`.
        """
        store = self._store
        if store is None:
            raise AuthError("this enrolment has no store: call revoke(token)", key=key)

        async def revoke_and_remove() -> bool:
            token = await store.load(key)
            if token is None:
                return False
            with suppress(ConsentRequiredError):  # it is not valid any more
                await self.revoke(token)
            await store.save(key, None)
            return True

        return await self._run_locked(revoke_and_remove, key)

    async def revoke(self, token: Token) -> None:
        """Revoke a token: its refresh token where it has one, and with it the access tokens made from it.

        Raises:
            ConfigurationError: the identity server refuses the application.
            NetworkError: it could not be reached.
            ApiError: it failed, or refused for another reason.
        """
        try:
            try:
                await self._fetch(revocation_request(self._client, token))
            except BadRequestError as error:
                if error.oauth_error != "invalid_request":
                    raise
                # The vendor's table calls the parameter "token", as RFC 7009 does; its example "refresh_token".
                await self._fetch(revocation_request(self._client, token, parameter="refresh_token"))
        except ApiError as error:
            raise to_auth_error(error, self._client, key=None) from error

    async def _run_locked(self, call: Callable[[], Awaitable[T]], key: str) -> T:
        try:
            if self._store is None:
                return await run_shielded(call, timeout=_TIMEOUT)
            async with self._store.lock(key):
                return await run_shielded(call, timeout=_TIMEOUT)
        except ApiError as error:
            raise to_auth_error(error, self._client, key=key) from error
