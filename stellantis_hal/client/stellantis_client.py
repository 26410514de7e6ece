"""The client for one registered application."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from stellantis_hal.auth.application import Application
from stellantis_hal.auth.identity_provider import IdentityProvider
from stellantis_hal.credentials.renewal_breaker import RenewalBreaker
from stellantis_hal.credentials.stores.protocol import TokenStore
from stellantis_hal.credentials.token import Token, TokenLike
from stellantis_hal.hal.clock import utc_now
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.hal.uri import host_of
from stellantis_hal.navigation.origins import origin_of
from stellantis_hal.navigation.request_headers import default_headers
from stellantis_hal.resources.control.control_dependencies import ControlDependencies
from stellantis_hal.transport.backends.session_detection import HostSession
from stellantis_hal.transport.base_client import BaseClient, identity_fetch, to_origins, to_timeouts
from stellantis_hal.transport.bounded_backend import Timeouts
from stellantis_hal.transport.hooks import Hooks, TokenRecord, call_hook
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimiter, RateLimits
from stellantis_hal.transport.retry import RetryPolicy
from stellantis_hal.transport.session import MAX_BODY, MAX_REDIRECTS, Session
from stellantis_hal.transport.tls import Tls, with_certificate
from stellantis_hal.validation import require_type
from stellantis_hal.vendor.brands import Brand
from stellantis_hal.vendor.gateway import GATEWAY
from stellantis_hal.vendor.hosts import API_URL, CERTIFICATE_API_URL, IDENTITY_URL

if TYPE_CHECKING:
    import cattrs
    import httpx

    from stellantis_hal.auth.enrolment import EnrolmentFlow
    from stellantis_hal.client.account import Account
    from stellantis_hal.navigation.cache.store import CacheStore
    from stellantis_hal.navigation.fetch_protocol import Fetch
    from stellantis_hal.resources.control.receiver_protocol import EventReceiver
    from stellantis_hal.resources.control.remote_policy import RemotePolicy
    from stellantis_hal.storage.key_value_store import StateStore


__all__ = ["StellantisClient"]

_logger = logging.getLogger("stellantis_hal")


class StellantisClient(BaseClient):
    """The client for one registered application: one subscription, one limiter, any number of accounts.

    Args:
        application: id, secret and certificate, as the vendor registered them.
        base_url: the address of the API. None: the mutual-TLS host where the application has a certificate, else the
            other host.
        identity_url: the address of the identity servers; ``{domain}`` stands for the brand's domain.
        trusted_origins: other origins of the same API, each given by any address on it.
        rate_limits: ceilings of the subscription; None: the limits that the server's headers state.
        limiter: a limiter of your own, instead of one made of ``rate_limits``.
        retry: the retry policy for failed connections, timeouts and 5xx of the API. The renewal of a token has four
            attempts of its own, within a minute.
        timeout: seconds without a byte, or without a connection; or bounds for each phase.
        transport: any ``httpx.AsyncBaseTransport``, which stays open; None: one is made at the first request. A
            transport of your own may give a stray response on a kept connection to the next request, of any account.
        session: an ``aiohttp.ClientSession`` or an ``httpx.AsyncClient`` of the program, instead of ``transport``; it
            stays open. Its connections, proxies and TLS settings are used, with its client certificate (that of the
            application then only chooses the host of the API); its cookies, headers and redirects are not.
        tls: other authorities, beside the application's certificate; or a context that is used unchanged. Not beside
            ``transport`` or ``session``.
        proxy: the URL of a proxy, ``http://user:password@host:3128``, https or socks5 (extra ``socks``); None: that of
            the environment (``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``, ``NO_PROXY``); False or "direct": none. Not
            beside ``transport`` or ``session``.
        hooks: callbacks for requests, responses, waits, retries, failures and renewed tokens.
        converter: a cattrs converter from ``make_converter()``, with classes and hooks of your own; None: the default.
        headers: header fields of every request to the API, such as ``{"Accept-Language": "fr"}``.
        strict: whether to raise ``StructureError`` for a body of which a value cannot be read.
        keep_document: whether typed values keep the bytes that they were read from.
        max_body: bytes that a body may have, decompressed, downloads aside. Decoding is one call, in which no other
            task runs: 0.1 s at most for 1 MiB, about 0.3 s at 8 MiB. Bodies of more than 200,000 values are refused.
        connections: how many requests may be under way at once; a transport or session of your own must have as many.
            None: a number that fits the limiter, at most 500.
        max_redirects: redirects that a GET or HEAD follows.
        clock: the wall clock, aware.
        cache: where responses are stored while they are fresh, or can be validated: ``MemoryCache(32_000_000)``, or
            ``SQLiteCache(path)``, which stays open; None: nowhere. Accounts never share responses.
        policy: what may be sent to a car, and when; None: the default ``RemotePolicy()``.
        state: where the policy's state is kept: ``SQLiteState(path)``, which processes may share and which stays open;
            None: in memory, which ends with the client.
        receiver: feeds operations with the events that it receives; None: they are polled.

    Raises:
        ValueError: an address has no http or https origin; a bound is too small; ``proxy`` is not the URL of a proxy;
            ``proxy`` or ``tls`` stands beside ``transport`` or ``session``; ``tls`` and the application have two
            client certificates.
        ConfigurationError: ``proxy`` needs the extra ``socks``, which is not installed.

    Example::

        async with StellantisClient(Application("my-id", "my-secret")) as client:
            account = client.account(FileTokenStore("tokens"), brand=Brand.PEUGEOT, key="alice")
            async for vehicle in account.vehicles():
                print(vehicle.vin, await vehicle.status())
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
        session: HostSession | None = None,
        tls: Tls | None = None,
        proxy: str | Literal[False] | None = None,
        hooks: Hooks | None = None,
        converter: cattrs.Converter | None = None,
        headers: Mapping[str, str] | None = None,
        strict: bool = False,
        keep_document: bool = True,
        max_body: int = MAX_BODY,
        connections: int | None = None,
        max_redirects: int = MAX_REDIRECTS,
        clock: Callable[[], datetime] = utc_now,
        cache: CacheStore | None = None,
        policy: RemotePolicy | None = None,
        state: StateStore | None = None,
        receiver: EventReceiver | None = None,
    ) -> None:
        from stellantis_hal.structuring.converter import TypedConverter

        require_type("application", application, Application, instead="Application(client_id, client_secret)")
        require_type("rate_limits", rate_limits, RateLimits, None, instead="RateLimits(per_second=…, per_day=…)")
        self._services = ControlDependencies.of(policy, state, receiver)
        if base_url is None:
            base_url = API_URL if application.certificate is None else CERTIFICATE_API_URL
        if session is None and transport is None:
            tls = with_certificate(tls, application.certificate)
        elif application.certificate is not None:
            _logger.warning(
                "the certificate of the application is not used: the client certificate of the borrowed %s counts; "
                "load it there, as in aiohttp.TCPConnector(ssl=Tls(certificate=…).make_context()) or "
                "httpx.AsyncHTTPTransport(verify=…)",
                "transport" if session is None else "session",
            )
        if origin_of(base_url) is None:
            raise ValueError(
                f"base_url must be an http or https URL with a host, such as {API_URL!r}, not {mask_url(base_url)!r}"
            )
        self._headers = default_headers(headers)
        self._application = application
        self._base_url = base_url.rstrip("/")
        self._identity_url = identity_url
        self._identity_fetches: dict[tuple[str, float], Fetch] = {}  # one for each brand, shared by its accounts
        self._breakers = defaultdict[str, RenewalBreaker](RenewalBreaker)  # by the address of an identity server
        self._converter = TypedConverter(converter, strict=strict, keep_document=keep_document, clock=clock)
        self._clock = clock
        self._hooks = hooks
        own_session = Session(
            to_origins(base_url, trusted_origins),
            transport=transport,
            host_session=session,
            limiter=TokenBucketLimiter(rate_limits, clock=clock) if limiter is None else limiter,
            retry=retry,
            timeouts=to_timeouts(timeout),
            tls=tls,
            proxy=proxy,
            conventions=GATEWAY,
            hooks=hooks,
            max_body=max_body,
            connections=connections,
            max_redirects=max_redirects,
            clock=clock,
            cache=cache,
        )
        super().__init__(own_session)

    def account(
        self,
        token_or_store: Token | TokenLike | TokenStore,
        *,
        brand: Brand | str,
        key: str = "default",
        realm: str | None = None,
        partition: str | None = None,
    ) -> Account:
        """Return an account: the client on behalf of one account holder.

        Args:
            token_or_store: the store of the account's token; or the token itself, which is then renewed in memory
                only, for this account alone: two accounts made of one token spend each other's refresh token.
            brand: the brand of the account's cars, or its name.
            key: the account's key in the store.
            realm: None: the brand's usual realm.
            partition: names the account whose responses the client's cache stores; None: the store of tokens, as far
                as it has an ``identity``, with the key. Only for a client with a cache.

        Raises:
            ConfigurationError: the realm or the identity server's address cannot be sent in a header; or the cache
                outlives the process, and nothing names the account.
            ValueError: ``partition`` is empty, or there is no cache.
        """
        from stellantis_hal.client.account import Account
        from stellantis_hal.credentials.renewing_bearer import RenewingBearerCredentials
        from stellantis_hal.credentials.stores.memory import as_token_store

        identity = self._identity(brand, realm)
        credentials = RenewingBearerCredentials(
            identity.oauth2_client(self._application),
            as_token_store(token_or_store),
            fetch=self._identity_fetch(
                identity, max_wait=0.0
            ),  # renewals wait on their own, where they can be cancelled
            key=key,
            headers=identity.headers,
            query=self._application.query,
            clock=self._clock,
            breaker=self._breakers[identity.url],
            on_renewed=self._renewal_hook(key, host_of(identity.url)),
        )
        return Account(
            self._session,
            credentials,
            self._converter,
            f"{self._base_url}/user",
            key=key,
            partition=partition,
            headers=self._headers,
            services=self._services,
        )

    def _renewal_hook(self, key: str, server: str) -> Callable[[Token], None] | None:
        hooks = self._hooks
        hook = None if hooks is None else hooks.on_token_renewed
        if hooks is None or hook is None:
            return None
        return lambda token: call_hook(
            hooks, "on_token_renewed", hook, TokenRecord(account=key, server=server, expires_at=token.expires_at)
        )

    def enrolment(
        self, *, brand: Brand | str, store: TokenStore | None = None, realm: str | None = None
    ) -> EnrolmentFlow:
        """Return the enrolment of a brand: account holders' consent and its withdrawal, with tokens in the store.

        Raises:
            ConfigurationError: the realm or the identity server's address cannot be sent in a header.
        """
        from stellantis_hal.auth.enrolment import EnrolmentFlow
        from stellantis_hal.credentials.account_partition import account_partition

        identity = self._identity(brand, realm)
        fetch = self._identity_fetch(identity)
        client = identity.oauth2_client(self._application)

        async def clear_cache(key: str) -> None:
            partition = account_partition(
                store, key, client_id=client.client_id, token_url=client.token_url, headers=identity.headers
            )
            await self._session.clear_cache(partition)

        return EnrolmentFlow(
            self._application, identity, fetch=fetch, store=store, clock=self._clock, on_change=clear_cache
        )

    def _identity(self, brand: Brand | str, realm: str | None) -> IdentityProvider:
        return IdentityProvider.of(brand, realm=realm, url=self._identity_url)

    def _identity_fetch(self, identity: IdentityProvider, *, max_wait: float = 60.0) -> Fetch:
        """Return the pipeline to an identity server: no limiter, no credentials, no retries (a renewal has its own)."""
        fetch = self._identity_fetches.get((identity.url, max_wait))
        if fetch is None:
            fetch = identity_fetch(self._session, (identity.url,), max_wait)
            self._identity_fetches[identity.url, max_wait] = fetch
        return fetch
