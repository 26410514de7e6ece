"""OAuth2 bearer credentials: one account's token, renewed for any number of tasks.

A refresh token is spent under its account's lock only, after a second read of the store. The new token is stored before
it is used, and no cancellation, of an asyncio task too, comes between the two. One gap is left that a client cannot
close: where the process or the network fails between the server's decision and the write to the store, the server has
dropped the old refresh token and the new one is lost. A store that fails at that moment does no harm: the new token
stays in memory, unused, and is stored before anything else at the next request.
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

from stellantis_hal.credentials.account_partition import account_partition
from stellantis_hal.credentials.grants import Grant, RefreshTokenGrant
from stellantis_hal.credentials.oauth2_messages import (
    OAuth2Registration,
    is_final,
    read_renewed_token,
    to_auth_error,
)
from stellantis_hal.credentials.renewal_breaker import RenewalBreaker
from stellantis_hal.credentials.shielded import run_shielded
from stellantis_hal.credentials.stores.entries import require_key
from stellantis_hal.credentials.stores.protocol import TokenStore
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
from stellantis_hal.hal.header_mapping import Headers, is_sendable
from stellantis_hal.hal.redaction import mask_repr, mask_text
from stellantis_hal.hal.uri import host_of
from stellantis_hal.navigation.cache.partition import Partition
from stellantis_hal.navigation.fetch_protocol import Fetch, Request, Response
from stellantis_hal.navigation.single_flight import SingleFlight

__all__ = ["RenewingBearerCredentials"]

_log = logging.getLogger("stellantis_hal")

_MAX_LEEWAY = 60.0
"""Seconds before its expiry at which a token is renewed: longer than a request takes, its timeouts aside."""
_LEEWAY_SHARE = 0.1
"""The leeway of a new token, as a share of its lifetime: a short lifetime is used for most of it."""
_LAST_SECONDS = 10.0
"""Seconds before its expiry at which a token may be of no use: a request takes a while."""
_MAX_ATTEMPTS = 4
_RETRY_AFTER_MARGIN = 1.1  # seconds: the transport waits up to one second longer than the server says
_ATTEMPTS_PERIOD = 45.0
"""Seconds after which no further attempt is begun."""
_FIRST_BACKOFF = 1.0
"""Seconds before the second attempt after a transient fault; doubled before each further one."""
_LONGEST_BACKOFF = 8.0
"""Seconds before the last attempt at most: the third back-off, with its random part."""
_ATTEMPT_TIMEOUT = 30.0
"""Seconds for one attempt, storing included; a cancellation may have to wait as long."""
_PROBING_PERIOD = 900.0
"""Seconds after a failed renewal in which the next one makes a single attempt: the server was down a moment ago."""
_TRANSIENT_FAILURE_TTL = 5.0
_LASTING_FAILURE_TTL = 60.0
"""Seconds in which a failed renewal is not repeated with the same refresh token."""
_MAX_RENEWALS, _RENEWALS_PERIOD = 8, 60.0
"""At most 8 renewals in 60 seconds of tokens that have not lived as long as the server said: a wrong clock or server
must not cause a renewal for each request."""
_SHORTEST_LIFE = 0.5
"""Seconds that a token is used at least before its renewal is one that does not count."""


@attrs.frozen(kw_only=True)
class _RefreshFailure:
    """A failed renewal.

    Attributes:
        token: the token that was not renewed.
        error: the failure.
        failed_at: its instant, by the backend's clock.
        ttl: seconds in which it is raised again.
        duration: seconds that the renewal took.
    """

    token: Token
    error: StellantisError
    failed_at: float
    ttl: float
    duration: float

    @classmethod
    def of(cls, error: StellantisError, token: Token, *, began: float) -> _RefreshFailure:
        now = anyio.current_time()
        ttl = _LASTING_FAILURE_TTL if isinstance(error, AuthError) else _TRANSIENT_FAILURE_TTL
        # A copy has no traceback, and so keeps no frame with a secret in it alive.
        return cls(token=token, error=copy.copy(error), failed_at=now, ttl=ttl, duration=now - began)

    def is_of(self, token: Token, period: float) -> bool:
        """Return whether this token was not renewed within a period of seconds before now."""
        return self.token.refresh_token == token.refresh_token and _is_recent(self.failed_at, period)


@attrs.frozen(kw_only=True)
class _PendingSave:
    """A token that could not be stored yet, and the token that it replaces."""

    replaced: Token
    token: Token


def _is_recent(instant: float, period: float) -> bool:
    """Return whether an instant lies at most ``period`` seconds back; one of another event loop's clock never does."""
    return 0 <= anyio.current_time() - instant < period


class RenewingBearerCredentials:
    """Send an account's bearer token, and renew it for any number of tasks at once.

    Args:
        client: the client that the token was issued to, and the addresses of its authorization server.
        store: where the token is kept.
        fetch: sends requests to the authorization server, without credentials of its own.
        key: the account's key in the store.
        headers: more header fields of each request.
        query: text for the query of each request, encoded; empty for none.
        clock: the wall clock; it only decides when a token is renewed early. A wrong one costs renewals, never a
            session.
        breaker: remembers failures of the identity server, for all accounts that share it; None: one of its own.
        grant: how a new token is asked for; None: by the refresh token.
        partition: the part of a cache that belongs to the account; None: that of the store and the key.
        on_renewed: called with each token that was renewed and stored; it must not raise.
    """

    def __init__(
        self,
        client: OAuth2Registration,
        store: TokenStore,
        *,
        fetch: Fetch,
        key: str = "default",
        headers: Mapping[str, str] | None = None,
        query: str = "",
        clock: Callable[[], datetime] = utc_now,
        breaker: RenewalBreaker | None = None,
        grant: Grant | None = None,
        partition: Partition | None = None,
        on_renewed: Callable[[Token], None] | None = None,
    ) -> None:
        require_key(key)
        self._client = client
        self._grant: Grant = RefreshTokenGrant(client) if grant is None else grant
        self._partition = partition
        self._store = store
        self._fetch = fetch
        self._key = key
        self._more_headers = Headers(headers or {})
        self._query = query
        self._clock = clock
        self._replacement = SingleFlight[Token]()
        self._identity_server = host_of(client.renewal_url or client.token_url)
        self._token: Token | None = None
        self._replaced_at = -math.inf
        self._used_since = -math.inf
        self._lifetime = math.inf
        self._built: tuple[Token, Headers] | None = None
        self._leeway = _MAX_LEEWAY
        self._pending: _PendingSave | None = None
        self._failure: _RefreshFailure | None = None
        self._breaker = RenewalBreaker() if breaker is None else breaker
        self._failing_since: float | None = None
        self._on_renewed = on_renewed
        self._renewals: deque[float] = deque(maxlen=_MAX_RENEWALS)

    @property
    def query(self) -> str:
        """The text that is added to the query of each request."""
        return self._query

    @property
    def identity_server(self) -> str:
        """The host of the authorization server, with its port where one is given."""
        return self._identity_server

    @property
    def replaced_at(self) -> float:
        """The instant (backend's clock) since which the present token is used; ``-inf`` for the first one."""
        return self._replaced_at

    @property
    def is_renewing(self) -> bool:
        """Whether the token is being renewed, so that a request would wait for it."""
        return self._replacement.is_running

    async def is_renewal_due(self) -> bool:
        """Return whether the next request renews the token first, because it is about to expire. Sends nothing.

        Raises:
            TokenStoreError: the store failed.
        """
        token = self._token or await self._store.load(self._key) or self._grant.first
        return token is not None and self._is_due(token)

    @property
    def partition(self) -> Partition:
        """The part of a cache that belongs to the account; it lasts where the store has an ``identity``."""
        if self._partition is not None:
            return self._partition
        client, fields = self._client, self._more_headers
        return account_partition(
            self._store, self._key, client_id=client.client_id, token_url=client.token_url, headers=fields
        )

    async def needs_renewal(self) -> bool:
        """Return whether no request can be sent before the token is renewed: it has expired, here and in the store.

        Nothing is sent.

        Raises:
            TokenStoreError: the store failed.
        """
        token = self._token
        if self._pending is not None or (token is not None and not self._has_expired(token)):
            return False
        stored = await self._store.load(self._key) or self._grant.first
        return stored is not None and self._grant.can_renew(stored) and self._has_expired(stored)

    async def headers(self) -> Mapping[str, str]:
        """Return the header fields with the token, renewing it first where it is about to expire.

        Raises:
            ConsentRequiredError: there is no token under this key, or the refresh token is no longer accepted.
            ConfigurationError: the client is refused, or the token cannot be sent in a header.
            TokenStoreError: the store failed.
            NetworkError: the authorization server could not be reached, and the token has expired.
            ApiError: it failed, or refused for another reason, and the token has expired.
        """
        token = self._token
        if token is None or self._pending is not None or self._is_due(token):
            try:
                token = await self._replacement.run(partial(self._replace, token))
            except (NetworkError, ApiError, QuotaError) as error:
                token = self._token
                if token is None or self._has_expired(token):
                    raise
                _log.warning(
                    "account %s: the token was not renewed; the old one is used until it expires (%s)",
                    mask_text(self._key),
                    error,
                )
        return self._build_headers(token)

    def current_headers(self) -> Mapping[str, str] | None:
        """Return the header fields with the present token; None where `headers` has to renew, load or save one first.

        Nothing is awaited: the token may have expired since `headers` returned.
        """
        token = self._token
        if token is None or self._pending is not None or (self._has_expired(token) and self._is_due(token)):
            return None
        built = self._built
        return built[1] if built is not None and built[0] is token else self._build_headers(token)

    async def refused(self, response: Response, sent: Mapping[str, str], /) -> bool:
        """Return whether there is another token than the refused one, after renewing it where needed.

        Raises:
            AuthError: the renewal was refused, or the store failed.
            NetworkError: the authorization server could not be reached.
            ApiError: it failed, or refused for another reason.
        """
        if "insufficient_scope" in response.headers.get("WWW-Authenticate", ""):
            return False  # RFC 6750 section 3.1: the token is valid, but its scope does not suffice
        present = self._token
        if present is not None and not self._was_sent(present, sent):
            return True  # another task has replaced it
        return not self._was_sent(await self._replacement.run(partial(self._replace, present)), sent)

    def __repr__(self) -> str:
        return f"RenewingBearerCredentials({self._client!r}, {self._store!r}, key={mask_repr(self._key)})"

    # ---------------------------------------------------------------------------------------------- the token at hand

    def _build_headers(self, token: Token) -> Headers:
        if self._built is not None and self._built[0] is token:
            return self._built[1]
        # Blanks around a token come from copying it, and are no part of a header's value.
        if not is_sendable(token.access_token.strip()):
            raise ConfigurationError(
                f"the access token of account {mask_repr(self._key)} is empty, or has blanks, line breaks or other "
                "characters that cannot be sent in a header: copy it again, or log in again",
                key=self._key,
            )
        # Headers, not a dict: its repr shows names only.
        headers = Headers({"Authorization": f"Bearer {token.access_token.strip()}", **self._more_headers})
        self._built = (token, headers)
        return headers

    def _was_sent(self, token: Token, sent: Mapping[str, str]) -> bool:
        return Headers(sent).get("Authorization") == self._build_headers(token)["Authorization"]

    def _lifetime_left(self, token: Token) -> float | None:
        """Return the seconds until a token expires; None where that is not known."""
        return None if token.expires_at is None else (token.expires_at - self._clock()).total_seconds()

    def _has_expired(self, token: Token) -> bool:
        expires_at = token.expires_at
        return not token.access_token or (expires_at is not None and expires_at <= self._clock())

    def _is_due(self, token: Token) -> bool:
        left = self._lifetime_left(token)
        if left is not None and left > self._leeway and token.access_token:
            return False
        due = not token.access_token or (left is not None and left <= self._leeway and not self._would_outlast(token))
        return due and self._grant.can_renew(token) and not self._has_renewed_too_often()

    def _would_outlast(self, token: Token) -> bool:
        """Return whether a renewal that fails as slowly as the last one would cost the rest of the token's life."""
        left, failure = self._lifetime_left(token), self._failure
        if failure is None or left is None or not failure.is_of(token, _PROBING_PERIOD):
            return False
        return 0 < left <= failure.duration

    def _has_renewed_too_often(self) -> bool:
        return len(self._renewals) == _MAX_RENEWALS and _is_recent(self._renewals[0], _RENEWALS_PERIOD)

    def _has_lived(self, token: Token) -> bool:
        """Return whether a token was used here for as long as the server said, by the backend's clock."""
        age = anyio.current_time() - self._used_since
        return token == self._token and age >= max(_SHORTEST_LIFE, self._lifetime * (1 - _LEEWAY_SHARE) - 0.1)

    def _use(self, token: Token, *, is_new: bool = True) -> Token:
        """Use a token from now on. One that was found in the store may be old: its lifetime is not known."""
        if self._token is not None and token != self._token:
            self._replaced_at = anyio.current_time()
        left = self._lifetime_left(token)
        if token != self._token:
            self._used_since = anyio.current_time()
            self._lifetime = left if is_new and left is not None else math.inf
        self._leeway = min(_MAX_LEEWAY, left * _LEEWAY_SHARE) if is_new and left is not None else _MAX_LEEWAY
        self._token = token
        return token

    # ---------------------------------------------------------------------------------------------- replacing it

    async def _replace(self, stale: Token | None) -> Token:
        """Return another token than ``stale``, or the same where there is no other.

        Never runs twice at once in this object.
        """
        if self._pending is not None:
            return await self._save_pending(self._pending)
        if self._token not in (None, stale) and not self._is_due(self._token):
            return self._token  # replaced by a task that was cancelled afterwards
        stored = await self._load()
        stale = self._token
        if stale is None:
            self._use(stored, is_new=False)
            if not self._is_due(stored):
                return stored
            stale = stored
        if self._suffices(stored, stale):
            return self._use(stored)
        async with self._store.lock(self._key):
            stored = await self._load()
            if self._suffices(stored, stale):
                return self._use(stored)
            self._breaker.admit(self)
            began = anyio.current_time()
            try:
                return await self._renew(stored)
            except TokenStoreError:
                raise  # the token is there, only not stored yet
            except StellantisError as error:
                if isinstance(error, AuthError):
                    error.key = self._key  # an error that the transport made does not name the account
                error.identity_server = self._identity_server
                self._failure = _RefreshFailure.of(error, stored, began=began)
                self._failing_since = began if self._failing_since is None else self._failing_since
                is_early = not self._has_expired(stored)
                self._breaker.failed(self, error, failing_since=self._failing_since, is_early=is_early)
                raise
            finally:
                self._breaker.leave(self)

    def _suffices(self, stored: Token, stale: Token) -> bool:
        """Return whether the stored token is to be used without a renewal.

        Raises:
            StellantisError: a renewal is needed, and has just failed.
        """
        if stored.access_token != stale.access_token and not self._has_expired(stored):
            return True  # renewed by another process
        if not self._grant.can_renew(stored) or self._has_renewed_too_often():
            return True
        failure = self._failure
        if failure is not None and failure.is_of(stored, failure.ttl):
            raise copy.copy(failure.error)
        return False

    async def _load(self) -> Token:
        token = await self._store.load(self._key) or self._grant.first
        if token is None:
            self._token = None
            raise ConsentRequiredError(
                f"the store has no token for account {mask_repr(self._key)}{_place_of(self._store)}: check the key and "
                "the store, or ask the account holder for consent first",
                key=self._key,
            )
        return token

    async def _renew(self, stored: Token) -> Token:
        request = self._grant.request(stored)
        attempt, attempts, backoff = 1, self._allowed_attempts(stored), _FIRST_BACKOFF
        began = anyio.current_time()
        last_start = began + min(_ATTEMPTS_PERIOD, self._spare_time(stored))
        while True:
            try:
                return await run_shielded(partial(self._send_and_save, request, stored), timeout=_ATTEMPT_TIMEOUT)
            except QuotaError as error:
                wait = math.inf if error.retry_after is None else error.retry_after + _RETRY_AFTER_MARGIN
                if anyio.current_time() + wait >= min(last_start, anyio.current_effective_deadline()):
                    raise
                await anyio.sleep(wait)
                continue
            except ApiError as error:
                if is_final(error) or attempt == attempts or anyio.current_time() >= last_start:
                    failure = to_auth_error(error, self._client, key=self._key)
                    if not isinstance(failure, ConsentRequiredError):
                        raise failure from error
                    reloaded = await self._load()
                    if reloaded.refresh_token == stored.refresh_token:
                        raise failure from error
                    return self._use(reloaded)  # another process was faster: the store's lock excludes none
            except NetworkError:
                if attempt == attempts or anyio.current_time() >= last_start:
                    raise
            await anyio.sleep(backoff * (1 + random.random()))  # noqa: S311 - spreads attempts, guards nothing
            self._breaker.raise_failure_since(began)
            attempt, backoff = attempt + 1, backoff * 2

    def _allowed_attempts(self, stored: Token) -> int:
        failure = self._failure
        has_failed = failure is not None and failure.is_of(stored, _PROBING_PERIOD)
        return 1 if has_failed or self._breaker.is_open else _MAX_ATTEMPTS

    def _spare_time(self, token: Token) -> float:
        """Return the seconds in which further attempts may begin: the old token must outlive the last one.

        It is ``inf`` for a token that has expired, or is about to.
        """
        left = self._lifetime_left(token)
        if left is None or left < _LAST_SECONDS or not token.access_token:
            return math.inf
        return left - _ATTEMPT_TIMEOUT - _LONGEST_BACKOFF

    async def _send_and_save(self, request: Request, stored: Token) -> Token:
        response = await self._fetch(request)
        token = read_renewed_token(response, now=self._clock(), previous=stored, key=self._key)
        self._failure = self._failing_since = None
        self._breaker.worked()
        if not self._has_lived(stored):
            self._renewals.append(anyio.current_time())
        self._pending = _PendingSave(replaced=stored, token=token)
        used = await self._save(token)
        if self._on_renewed is not None:
            self._on_renewed(used)
        return used

    async def _save_pending(self, pending: _PendingSave) -> Token:
        """Save the token that could not be stored before, unless the account has logged in or out since."""
        async with self._store.lock(self._key):
            stored = await self._store.load(self._key) or self._grant.first
            if stored is not None and stored.refresh_token == pending.replaced.refresh_token:
                return await run_shielded(partial(self._save, pending.token), timeout=_ATTEMPT_TIMEOUT)
        self._pending = None
        return self._use(await self._load())

    async def _save(self, token: Token) -> Token:
        await self._store.save(self._key, token)
        self._pending = None
        return self._use(token)


def _place_of(store: TokenStore) -> str:
    """Return where a store keeps its tokens, in brackets; nothing where it does not say."""
    identity: object = getattr(store, "identity", None)
    return f" ({identity})" if isinstance(identity, str) else ""
