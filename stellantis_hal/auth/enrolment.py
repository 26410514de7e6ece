"""Enrolling an account holder, and letting one go.

Knows the order of the acts. Must not know how requests are sent, or how the redirect comes back from the browser.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

from stellantis_hal.auth.application import Application
from stellantis_hal.auth.identity import IdentityProvider
from stellantis_hal.credentials.oauth2 import AuthorizationRequest, exchange, read_token, revocation
from stellantis_hal.credentials.refusals import to_auth_error
from stellantis_hal.credentials.shielded import shielded
from stellantis_hal.credentials.stores.memory import TokenStore
from stellantis_hal.credentials.token import Token
from stellantis_hal.errors import ApiError, AuthError, BadRequestError, ConsentRequiredError, NotHalError
from stellantis_hal.hal.clock import utc_now
from stellantis_hal.hal.json import decode
from stellantis_hal.navigation.fetch import Fetch, Request

__all__ = ["PARTNER_URL", "Enrolment", "capabilities"]

T = TypeVar("T")

PARTNER_URL = "https://api-cert.groupe-psa.com/connectedcar/v3"
"""The API for partners (B2B), where a car's abilities are asked for."""

_WITHIN = 60.0
"""Seconds for exchanging a code or revoking a token, storing included."""


class Enrolment:
    """Ask account holders of one brand for their consent, and give it back.

    Args:
        application: who asks.
        identity: whom.
        fetch: sends to the identity server, without credentials of its own.
        store: where tokens go; None: whoever calls keeps them.
        clock: the wall clock.

    Example::

        authorization = enrolment.begin(redirect_uri="https://example.org/back", scope=[Scope.TRIP, Scope.POSITION])
        ...  # show authorization.url, get the address that the browser came back to
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
        self._application = application
        self._identity = identity
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
        """Give the page to show and what to hold its redirect against; see :meth:`AuthorizationRequest.begin`."""
        return AuthorizationRequest.begin(
            self._application,
            self._identity,
            redirect_uri=redirect_uri,
            scope=scope,
            state=state,
            pkce=pkce,
            local=local,
            separator=separator,
        )

    async def complete(self, authorization: AuthorizationRequest, redirect_url: str, *, key: str = "default") -> Token:
        """Check the redirect, exchange its code, and store the token under ``key``.

        Raises:
            ConsentRequiredError: the account holder refused, or the code was used before or has expired: start again.
            AuthError: the redirect does not belong to this consent, or has no code.
            ConfigurationError: the identity server refuses the application.
            TokenStoreError: the token could not be stored.
            NetworkError: the identity server could not be reached.
            ApiError: it failed, or refused for a reason of its own.
        """
        redirect = authorization.read(redirect_url)
        request = exchange(self._application, self._identity, authorization, redirect.code)

        async def exchange_and_keep() -> Token:
            response = await self._fetch(request)
            token = read_token(
                response.content, now=self._clock(), scope=redirect.scope or authorization.scope, key=key
            )
            if self._store is not None:
                await self._store.save(key, token)
            return token

        return await self._locked(exchange_and_keep, key)

    async def withdraw(self, key: str = "default") -> bool:
        """Revoke the token under ``key`` and forget it; False where there is none.

        It is forgotten only once it is revoked, so that a failure can be mended by asking again.

        Raises:
            TokenStoreError: the store failed.
            StellantisError: as :meth:`revoke`.
        """
        store = self._store
        if store is None:
            raise AuthError("this enrolment has no store: revoke the token itself", key=key)

        async def revoke_and_forget() -> bool:
            token = await store.load(key)
            if token is None:
                return False
            with suppress(ConsentRequiredError):  # it was dead already
                await self.revoke(token)
            await store.save(key, None)
            return True

        return await self._locked(revoke_and_forget, key)

    async def revoke(self, token: Token) -> None:
        """Revoke a token: its refresh token where it has one, which takes the access tokens made from it along.

        Raises:
            ConfigurationError: the identity server refuses the application.
            NetworkError: it could not be reached.
            ApiError: it failed, or refused for a reason of its own.
        """
        try:
            try:
                await self._fetch(revocation(self._application, self._identity, token))
            except BadRequestError as error:
                if error.oauth_error != "invalid_request":
                    raise
                await self._fetch(revocation(self._application, self._identity, token, parameter="refresh_token"))
        except ApiError as error:
            raise to_auth_error(error, key=None) from error

    async def _locked(self, act: Callable[[], Awaitable[T]], key: str) -> T:
        try:
            if self._store is None:
                return await shielded(act, within=_WITHIN)
            async with self._store.lock(key):
                return await shielded(act, within=_WITHIN)
        except ApiError as error:
            raise to_auth_error(error, key=key) from error


async def capabilities(fetch: Fetch, vin: str, *, url: str = PARTNER_URL) -> Mapping[str, Any]:
    """Ask what a car can do before its owner is asked for consent.

    Args:
        fetch: sends with a partner's credentials.
        vin: the car's.
        url: the API for partners.

    Returns:
        The body: ``vin``, ``motorization``, and what the car is able to under ``_embedded.extension``.

    Raises:
        NotHalError: the answer is no JSON object.
        NotFoundError: the vendor does not know the car.
        StellantisError: whatever else ``fetch`` raises.
    """
    address = f"{url.rstrip('/')}/vehicles/{quote(vin.strip(), safe='')}?extension=onboardCapabilities"
    response = await fetch(Request(url=address, headers={"Accept": "application/hal+json"}))
    try:
        body = decode(response.content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise NotHalError(
            "the answer about a car's abilities is no JSON object",
            url=response.url,
            content_type=response.headers.get("Content-Type", ""),
        )
    return body
