"""Consent of a user by the authorization code grant, and its withdrawal (RFC 6749 section 4.1, RFC 7009)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from stellantis_hal.credentials.oauth2_messages import (
    AuthorizationRequest,
    OAuth2Registration,
    exchange_request,
    read_token,
    revocation_request,
    to_auth_error,
)
from stellantis_hal.credentials.shielded import run_shielded
from stellantis_hal.credentials.stores.entries import require_key
from stellantis_hal.credentials.stores.protocol import TokenStore
from stellantis_hal.credentials.token import Token
from stellantis_hal.errors import ApiError, AuthError, BadRequestError, ConsentRequiredError
from stellantis_hal.hal.clock import utc_now
from stellantis_hal.navigation.fetch_protocol import Fetch
from stellantis_hal.validation import require_type

__all__ = ["AuthorizationCodeGrant"]

T = TypeVar("T")

_TIMEOUT = 60.0
"""Seconds for exchanging a code or revoking a token, storing included."""


async def _ignore(key: str) -> None:
    """Do nothing when the account under a key becomes another one."""


class AuthorizationCodeGrant:
    """Exchange the code of a user's consent for a token, and revoke it.

    Args:
        client: the client, with its addresses.
        fetch: sends requests to the authorization server, without credentials of its own.
        store: where tokens are stored; None: the caller keeps them.
        clock: the wall clock.
        revocation_parameters: the names of the form field with the token to revoke, tried in turn.
        on_change: called with a key whose token now belongs to another consent, or to none.
    """

    def __init__(
        self,
        client: OAuth2Registration,
        *,
        fetch: Fetch,
        store: TokenStore | None = None,
        clock: Callable[[], datetime] = utc_now,
        revocation_parameters: tuple[str, ...] = ("token",),
        on_change: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        if not (store is None or hasattr(store, "save")):
            raise TypeError(f"store must be a TokenStore or None, not {type(store).__name__}: FileTokenStore(path)")
        self._client = client
        self._fetch = fetch
        self._store = store
        self._clock = clock
        self._revocation_parameters = revocation_parameters
        self._on_change = _ignore if on_change is None else on_change

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
            authorization: the request that the page was opened with.
            redirect_url: the URL that the browser was sent to, alone or in any text that it was pasted with.
            code: the code, where the program has parsed the redirect itself; with ``state``.
            state: the state of that redirect.
            key: the account's key in the store.

        Raises:
            ValueError: neither the redirect URL nor both its code and its state were passed; nothing was sent.
            ConsentRequiredError: the account holder refused, or the code has been used or has expired: begin again.
            LoginRedirectError: the text has no redirect of this authorization; the message names what is missing.
            AuthError: the redirect reports an error, or the response has no token.
            ConfigurationError: the identity server refuses the application.
            TokenStoreError: the token could not be stored.
            NetworkError: the identity server could not be reached.
            ApiError: it failed, or refused for another reason.
        """
        require_type("authorization", authorization, AuthorizationRequest, instead="what begin() returned")
        require_key(key)  # before the code, which can be exchanged once, is spent
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
                await self._on_change(key)
            return token

        return await self._run_locked(exchange_and_save, key)

    async def withdraw(self, key: str = "default") -> bool:
        """Revoke the token under ``key`` and remove it from the store; False where there is none.

        It is removed only after it was revoked, so that a call that failed can be repeated.

        Raises:
            TokenStoreError: the store failed.
            StellantisError: any error of :meth:`revoke`.
        """
        require_key(key)
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
            await self._on_change(key)
            return True

        return await self._run_locked(revoke_and_remove, key)

    async def revoke(self, token: Token) -> None:
        """Revoke a token: its refresh token where it has one, and with it the access tokens made from it.

        Where the client has no address that revokes tokens, nothing is sent.

        Raises:
            ConfigurationError: the identity server refuses the application.
            NetworkError: it could not be reached.
            ApiError: it failed, or refused for another reason.
        """
        if not self._client.revocation_url:
            return
        *names, last = self._revocation_parameters
        try:
            for name in names:
                try:
                    await self._fetch(revocation_request(self._client, token, parameter=name))
                except BadRequestError as error:
                    if error.oauth_error != "invalid_request":
                        raise
                else:
                    return
            await self._fetch(revocation_request(self._client, token, parameter=last))
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
