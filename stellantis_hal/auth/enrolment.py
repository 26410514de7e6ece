"""Enrolment: an account holder's consent, and its withdrawal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
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

__all__ = ["Enrolment"]

T = TypeVar("T")

_TIMEOUT = 60.0
"""Seconds for exchanging a code or revoking a token, storing included."""


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
        local: str | None = None,
        separator: str = " ",
    ) -> AuthorizationRequest:
        """Return the page to show, and what its redirect is checked against.

        Args:
            redirect_uri: one that the application registered; custom schemes too.
            scope: what to ask for (:class:`~stellantis_hal.Scope`).
            state: a secret of your own; None: a random one.
            pkce: whether to use PKCE (RFC 7636, S256).
            local: the language of the page (``fr-FR``); the vendor spells its parameter like this.
            separator: between scopes: a blank (RFC 6749 section 3.3), or the comma of the vendor's example.
        """
        return AuthorizationRequest.begin(
            self._client,
            redirect_uri=redirect_uri,
            scope=scope,
            state=state,
            pkce=pkce,
            separator=separator,
            parameters=None if local is None else {"local": local},
        )

    async def complete(self, authorization: AuthorizationRequest, redirect_url: str, *, key: str = "default") -> Token:
        """Check the redirect, exchange its code, and store the token under ``key``.

        Raises:
            ConsentRequiredError: the account holder refused, or the code has been used or has expired: begin again.
            AuthError: the redirect does not belong to this authorization, or has no code.
            ConfigurationError: the identity server refuses the application.
            TokenStoreError: the token could not be stored.
            NetworkError: the identity server could not be reached.
            ApiError: it failed, or refused for another reason.
        """
        granted = authorization.read(redirect_url)
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
