"""The client for one registered application: it puts the floors together, and does nothing else.

Knows which part serves which. Must not hold a rule of its own: what is hard is decided below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

import httpx

from stellantis_hal.auth.application import Application
from stellantis_hal.auth.enrolment import Enrolment
from stellantis_hal.auth.identity import IDENTITY_URL, Brand, IdentityProvider
from stellantis_hal.client.account import Account
from stellantis_hal.client.base import Client, origins_of, timeouts_of
from stellantis_hal.credentials.bearer import BearerCredentials
from stellantis_hal.credentials.stores.memory import TokenStore, store_of
from stellantis_hal.credentials.token import Token, TokenLike
from stellantis_hal.hal.clock import utc_now
from stellantis_hal.navigation.fetch import Fetch
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.structuring.converter import TypedConverter
from stellantis_hal.transport.exchange import Timeouts
from stellantis_hal.transport.hooks import Hooks
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimiter, RateLimits
from stellantis_hal.transport.retry import RetryPolicy
from stellantis_hal.transport.session import Session
from stellantis_hal.transport.tls import Tls
from stellantis_hal.validation import require_type
from stellantis_hal.vendor.scopes import required_scopes

__all__ = ["API_URL", "CERTIFICATE_API_URL", "StellantisClient"]

API_URL = "https://api.groupe-psa.com/connectedcar/v4"
"""Where applications without a client certificate are served."""

CERTIFICATE_API_URL = "https://api-cert.groupe-psa.com/connectedcar/v4"
"""Where mutual TLS is asked for."""


class StellantisClient(Client):
    """One registered application: one subscription, one limiter, any number of accounts.

    Args:
        application: who asks.
        base_url: the API; None: the mutual-TLS host where the application has a certificate, else the other.
        identity_url: where tokens are renewed; ``{domain}`` stands for the brand's domain.
        trusted_origins: other origins of the same API, by any address on them.
        rate_limits: what the subscription allows at most; None: whatever the server's headers say.
        limiter: another limiter, instead of one made of ``rate_limits``.
        retry: for connections that fail, time-outs and 5xx of the API; the renewal of a token has four attempts of its
            own, within a minute.
        timeout: seconds without a byte, or without a connection; or bounds for each phase.
        transport: any of httpx's, borrowed; None makes one at the first request.
        tls: other authorities; for a transport of its own only. The certificate is the application's.
        hooks: who is told of answers, waits and retries.
        strict: whether a body in which anything cannot be read is refused.
        keep_document: whether typed values keep a way to the bytes that they were read from.
        clock: the wall clock, aware.

    Raises:
        ValueError: an address has no http or https origin.
    """

    def __init__(
        self,
        application: Application,
        *,
        base_url: str | None = None,
        identity_url: str = IDENTITY_URL,
        trusted_origins: Iterable[str] | str = (),
        rate_limits: RateLimits | None = None,
        limiter: RateLimiter | None = None,
        retry: RetryPolicy | None = None,
        timeout: float | Timeouts | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        tls: Tls | None = None,
        hooks: Hooks | None = None,
        strict: bool = False,
        keep_document: bool = True,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        require_type("application", application, Application, instead="Application(client_id, client_secret)")
        require_type("rate_limits", rate_limits, RateLimits, None, instead="RateLimits(per_second=…, per_day=…)")
        if base_url is None:
            base_url = API_URL if application.certificate is None else CERTIFICATE_API_URL
        if tls is None:
            tls = Tls(certificate=application.certificate)
        self._application = application
        self._base_url = base_url.rstrip("/")
        self._identity_url = identity_url
        self._identity_fetches: dict[tuple[str, float], Fetch] = {}  # one for each brand, however many accounts
        self._reader = TypedConverter(strict=strict, keep_document=keep_document, clock=clock)
        self._clock = clock
        self._session = Session(
            origins_of(base_url, trusted_origins),
            transport=transport,
            limiter=TokenBucketLimiter(rate_limits, clock=clock) if limiter is None else limiter,
            retry=retry,
            timeouts=timeouts_of(timeout),
            tls=tls,
            scopes=required_scopes,
            hooks=hooks,
            clock=clock,
        )

    def account(
        self,
        token_or_store: Token | TokenLike | TokenStore,
        *,
        brand: Brand | str,
        key: str = "default",
        realm: str | None = None,
    ) -> Account:
        """Act for one account holder.

        Args:
            token_or_store: where the token is kept; or the token itself, which is then renewed in memory only, by this
                account alone: two accounts made of one token spend each other's refresh token.
            brand: the brand of the account's cars, or its name.
            key: the account's key in the store.
            realm: another realm than the brand's usual.

        Raises:
            ConfigurationError: the realm or the identity server's address cannot be sent in a header.
        """
        identity = self._identity(brand, realm)
        credentials = BearerCredentials(
            self._application,
            identity,
            store_of(token_or_store),
            fetch=self._identity_fetch(
                identity, max_wait=0.0
            ),  # a renewal waits by itself, so that it can be cancelled
            key=key,
            clock=self._clock,
        )
        return Account(self._session, credentials, self._reader, f"{self._base_url}/user", key=key)

    def enrolment(self, *, brand: Brand | str, store: TokenStore | None = None, realm: str | None = None) -> Enrolment:
        """Ask account holders of a brand for their consent, and give it back; tokens go to the store.

        Raises:
            ConfigurationError: the realm or the identity server's address cannot be sent in a header.
        """
        identity = self._identity(brand, realm)
        fetch = self._identity_fetch(identity)
        return Enrolment(self._application, identity, fetch=fetch, store=store, clock=self._clock)

    def _identity(self, brand: Brand | str, realm: str | None) -> IdentityProvider:
        return IdentityProvider.of(brand, realm=realm, url=self._identity_url)

    def _identity_fetch(self, identity: IdentityProvider, *, max_wait: float = 60.0) -> Fetch:
        """Send to an identity server: unlimited, without credentials, each time once, for renewing has retries."""
        fetch = self._identity_fetches.get((identity.url, max_wait))
        if fetch is None:
            origins, once = Origins(identity.url), RetryPolicy(attempts=1)
            fetch = self._session.pipeline(origins=origins, limited=False, retry=once, max_wait=max_wait)
            self._identity_fetches[identity.url, max_wait] = fetch
        return fetch
