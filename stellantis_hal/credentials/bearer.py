"""Credentials of one account holder: the bearer token, and who keeps it alive.

Knows when a token is due, that one renewal serves everybody, and what its failure means. Must not know how requests are
sent, how a store keeps tokens, or what the API says.

What is promised: a refresh token is spent under its account's lock only, after a second look at the store; the answer
is stored before anybody uses it; and no cancellation, an asyncio task's own included, gets between the two. What is
left is a process that dies, or a network that breaks, between the server's decision and our disk: there the server has
forgotten the old refresh token and nobody has the new one. No client can close that gap. A store that fails at that
very moment does not open it: the new token stays in memory, unused, and is stored first thing at the next request.
"""

from __future__ import annotations

import copy
import logging
import math
import random
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

import anyio
import attrs

from stellantis_hal.auth.application import Application
from stellantis_hal.auth.identity import IdentityProvider
from stellantis_hal.credentials.oauth2 import read_token, renewal
from stellantis_hal.credentials.refusals import is_final, to_auth_error
from stellantis_hal.credentials.shielded import shielded
from stellantis_hal.credentials.stores.memory import TokenStore
from stellantis_hal.credentials.token import Token
from stellantis_hal.errors import (
    ApiError,
    AuthError,
    ConfigurationError,
    ConsentRequiredError,
    NetworkError,
    QuotaError,
    StellantisError,
    TokenStoreError,
)
from stellantis_hal.hal.clock import utc_now
from stellantis_hal.hal.headers import Headers, is_sendable
from stellantis_hal.hal.redaction import mask_text
from stellantis_hal.navigation.fetch import Fetch, Request, Response
from stellantis_hal.navigation.single_flight import SingleFlight

__all__ = ["BearerCredentials"]

_log = logging.getLogger("stellantis_hal")

_EARLY = 60.0
"""Seconds before its expiry at which a token is renewed: longer than a request takes, time-outs aside."""
_EARLY_SHARE = 0.1
"""Of a token just obtained, the share of its life that counts as its end: a short life is used for most of it."""
_ATTEMPTS = 4
_MARGIN = 1.1  # seconds: the transport waits up to one longer than the server asks
_ATTEMPTS_WITHIN = 45.0
"""Seconds after which no further attempt is begun."""
_BACK_OFF = 1.0
"""Seconds before the second attempt at a renewal that met a passing fault; doubled before each further one."""
_ANSWER_WITHIN = 30.0
"""Seconds for one attempt, storing included: as long may a cancellation have to wait."""
_REMEMBER_PASSING = 5.0
_REMEMBER_LASTING = 60.0
"""Seconds in which a failed renewal is not tried again with the same refresh token."""
_RENEWALS, _WITHIN = 8, 60.0
"""At most so many renewals in so many seconds, whatever clocks and servers say: nothing sane needs more."""


@attrs.frozen(kw_only=True)
class _RefreshFailure:
    """A renewal that failed: of which token, how, when (backend's clock), and how long that is the answer."""

    token: Token
    error: StellantisError
    at: float
    lasting: float

    @classmethod
    def of(cls, error: StellantisError, token: Token) -> _RefreshFailure:
        lasting = _REMEMBER_LASTING if isinstance(error, AuthError) else _REMEMBER_PASSING
        # A copy has no traceback, and so keeps no frame with a secret in it alive.
        return cls(token=token, error=copy.copy(error), at=anyio.current_time(), lasting=lasting)


@attrs.frozen(kw_only=True)
class _PendingSave:
    """A token that the store did not take, and the one that it replaces."""

    spent: Token
    token: Token


def _is_within(seconds: float, *, since: float) -> bool:
    """Tell whether an instant of the backend's clock is recent; one of another event loop's clock means nothing."""
    return 0 <= anyio.current_time() - since < seconds


class BearerCredentials:
    """Send an account's bearer token, and keep it fresh for any number of tasks at once.

    Args:
        application: who asks.
        identity: who issued the token, and the realm it is checked in.
        store: where the token is kept.
        fetch: sends to the identity server, without credentials of its own.
        key: the account's key in the store.
        clock: the wall clock; it only decides when a token is due early. A wrong one costs renewals, never a session.

    Raises:
        ConfigurationError: the realm cannot be sent in a header.
    """

    def __init__(
        self,
        application: Application,
        identity: IdentityProvider,
        store: TokenStore,
        *,
        fetch: Fetch,
        key: str = "default",
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._application = application
        self._identity = identity
        self._store = store
        self._fetch = fetch
        self._key = key
        self._clock = clock
        self._flight = SingleFlight[Token]()
        self._token: Token | None = None
        self._sent: tuple[Token, Headers] | None = None
        self._early = _EARLY
        self._unsaved: _PendingSave | None = None
        self._failure: _RefreshFailure | None = None
        self._renewals: deque[float] = deque(maxlen=_RENEWALS)

    @property
    def query(self) -> str:
        """Give the application's id."""
        return self._application.query

    async def headers(self) -> Mapping[str, str]:
        """Give the token and the realm, after renewing a token that is about to expire.

        Raises:
            ConsentRequiredError: there is no token under this key, or the refresh token is no longer accepted.
            ConfigurationError: the application is refused, or the token could not be sent in a header.
            TokenStoreError: the store failed.
            NetworkError: the identity server could not be reached, and the token has expired.
            ApiError: it failed, or refused for a reason of its own, and the token has expired.
        """
        token = self._token
        if token is None or self._unsaved is not None or self._is_due(token):
            try:
                token = await self._flight.run(partial(self._replace, token))
            except (NetworkError, ApiError, QuotaError) as error:
                token = self._token
                if token is None or self._has_expired(token):
                    raise
                _log.warning(
                    "account %s: token not renewed yet, the old one still serves (%s)", mask_text(self._key), error
                )
        return self._fields(token)

    async def refused(self, response: Response, sent: Mapping[str, str], /) -> bool:
        """Get another token than the one refused, if there is one to be had.

        Raises:
            AuthError: the renewal was refused, or the store failed.
            NetworkError: the identity server could not be reached.
            ApiError: it failed, or refused for a reason of its own.
        """
        if "insufficient_scope" in response.headers.get("WWW-Authenticate", ""):
            return False  # RFC 6750 section 3.1: the token is good, but not for this
        present = self._token
        if present is not None and not self._is_in(present, sent):
            return True  # it has been replaced meanwhile
        return not self._is_in(await self._flight.run(partial(self._replace, present)), sent)

    def __repr__(self) -> str:
        return f"BearerCredentials({self._application!r}, {self._identity!r}, {self._store!r}, key={self._key!r})"

    # ---------------------------------------------------------------------------------------------- what we have

    def _fields(self, token: Token) -> Headers:
        if self._sent is not None and self._sent[0] is token:
            return self._sent[1]
        # Blanks around a token come from copying it; they are no part of a field's value anyway.
        if not is_sendable(token.access_token.strip()):
            raise ConfigurationError(
                f"the access token of account {self._key!r} is empty, or has blanks, line breaks or other signs in it "
                "that cannot be sent: copy it again, or log in again",
                key=self._key,
            )
        # Headers, and not a dict, for its repr tells names only.
        fields = Headers(
            {"Authorization": f"Bearer {token.access_token.strip()}", "x-introspect-realm": self._identity.realm}
        )
        self._sent = (token, fields)
        return fields

    def _is_in(self, token: Token, sent: Mapping[str, str]) -> bool:
        return Headers(sent).get("Authorization") == self._fields(token)["Authorization"]

    def _left(self, token: Token) -> float | None:
        """Give the seconds until a token expires; None where nobody knows."""
        return None if token.expires_at is None else (token.expires_at - self._clock()).total_seconds()

    def _has_expired(self, token: Token) -> bool:
        left = self._left(token)
        return not token.access_token or (left is not None and left <= 0)

    def _is_due(self, token: Token) -> bool:
        left = self._left(token)
        due = not token.access_token or (left is not None and left <= self._early)
        return due and token.refresh_token is not None and not self._is_spent()

    def _is_spent(self) -> bool:
        return len(self._renewals) == _RENEWALS and _is_within(_WITHIN, since=self._renewals[0])

    def _adopt(self, token: Token, *, at_first: bool = False) -> Token:
        """Take a token from now on; at first sight it may be old, so that its remaining life says little."""
        left = self._left(token)
        self._early = _EARLY if at_first or left is None else min(_EARLY, left * _EARLY_SHARE)
        self._token = token
        return token

    # ---------------------------------------------------------------------------------------------- replacing it

    async def _replace(self, stale: Token | None) -> Token:
        """Give another token than ``stale``, or the same where no other is to be had.

        Never runs twice at once in this object.
        """
        if self._unsaved is not None:
            return await self._make_up(self._unsaved)
        if self._token not in (None, stale) and not self._is_due(self._token):
            return self._token  # the task that was at it was cancelled after it was done
        stored = await self._load()
        stale = self._token
        if stale is None:
            self._adopt(stored, at_first=True)
            if not self._is_due(stored):
                return stored
            stale = stored
        if self._serves(stored, stale):
            return self._adopt(stored)
        async with self._store.lock(self._key):
            stored = await self._load()
            if self._serves(stored, stale):
                return self._adopt(stored)
            try:
                return await self._renew(stored)
            except TokenStoreError:
                raise  # the token is there, only not stored yet
            except StellantisError as error:
                if isinstance(error, AuthError):
                    error.key = self._key  # the transport, which knows a gateway's refusal, knows no accounts
                self._failure = _RefreshFailure.of(error, stored)
                raise

    def _serves(self, stored: Token, stale: Token) -> bool:
        """Tell whether what is stored has to do, without a renewal.

        Raises:
            StellantisError: a renewal is needed, and has failed just now.
        """
        if stored.access_token != stale.access_token and not self._has_expired(stored):
            return True  # somebody else has renewed it
        if stored.refresh_token is None or self._is_spent():
            return True
        failure = self._failure
        if (
            failure is not None
            and failure.token.refresh_token == stored.refresh_token
            and _is_within(failure.lasting, since=failure.at)
        ):
            raise copy.copy(failure.error)
        return False

    async def _load(self) -> Token:
        token = await self._store.load(self._key)
        if token is None:
            self._token = None
            raise ConsentRequiredError(f"nobody is logged in as {self._key!r}: ask for consent first", key=self._key)
        return token

    async def _renew(self, stored: Token) -> Token:
        request = renewal(self._application, self._identity, stored)
        attempt, pause, until = 1, _BACK_OFF, anyio.current_time() + _ATTEMPTS_WITHIN
        while True:
            try:
                return await shielded(partial(self._ask_and_keep, request, stored), within=_ANSWER_WITHIN)
            except QuotaError as error:
                wait = math.inf if error.retry_after is None else error.retry_after + _MARGIN
                if anyio.current_time() + wait >= min(until, anyio.current_effective_deadline()):
                    raise
                await anyio.sleep(wait)
                continue
            except ApiError as error:
                if is_final(error) or attempt == _ATTEMPTS or anyio.current_time() >= until:
                    failure = to_auth_error(error, key=self._key)
                    if not isinstance(failure, ConsentRequiredError):
                        raise failure from error
                    again = await self._load()
                    if again.refresh_token == stored.refresh_token:
                        raise failure from error
                    return self._adopt(again)  # a store whose lock excludes nobody: someone else was faster
            except NetworkError:
                if attempt == _ATTEMPTS or anyio.current_time() >= until:
                    raise
            await anyio.sleep(pause * (1 + random.random()))  # noqa: S311 - spreads attempts, guards nothing
            attempt, pause = attempt + 1, pause * 2

    async def _ask_and_keep(self, request: Request, stored: Token) -> Token:
        response = await self._fetch(request)
        token = read_token(response.content, now=self._clock(), previous=stored, key=self._key)
        self._renewals.append(anyio.current_time())
        self._unsaved = _PendingSave(spent=stored, token=token)
        return await self._keep(token)

    async def _make_up(self, unsaved: _PendingSave) -> Token:
        """Store what could not be stored when it came, unless somebody has logged in or out since."""
        async with self._store.lock(self._key):
            stored = await self._store.load(self._key)
            if stored is not None and stored.refresh_token == unsaved.spent.refresh_token:
                return await shielded(partial(self._keep, unsaved.token), within=_ANSWER_WITHIN)
        self._unsaved = None
        return self._adopt(await self._load())

    async def _keep(self, token: Token) -> Token:
        await self._store.save(self._key, token)
        self._unsaved = None
        return self._adopt(token)
