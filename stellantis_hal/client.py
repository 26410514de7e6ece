"""The clients: they put the floors together, and do nothing else.

Know which part serves which. Must not hold a rule of their own: what is hard is decided below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import httpx

from stellantis_hal.auth.application import Application
from stellantis_hal.auth.bearer import BearerCredentials
from stellantis_hal.auth.brands import IDENTITY_URL, Brand, Identity
from stellantis_hal.auth.enrolment import Enrolment
from stellantis_hal.auth.scopes import required_scopes
from stellantis_hal.auth.stores import TokenStore, store_of
from stellantis_hal.auth.token import Token, TokenLike
from stellantis_hal.errors import ApiError
from stellantis_hal.hal.uri import append_query, join_segment
from stellantis_hal.navigation.binding import Binding, utc_now
from stellantis_hal.navigation.entry import Entry
from stellantis_hal.navigation.fetch import Fetch
from stellantis_hal.navigation.follow import Follow
from stellantis_hal.navigation.hop import Params, query_of
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.navigation.paginator import IndexRanges, Paginator
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.resources.filters import choices
from stellantis_hal.resources.filters import index_range as checked_range
from stellantis_hal.resources.filters import page_size as checked_size
from stellantis_hal.resources.reader import Reader
from stellantis_hal.resources.user import User
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.resources.verbs import is_absent
from stellantis_hal.transport.credentials import Credentials
from stellantis_hal.transport.exchange import Timeouts
from stellantis_hal.transport.hooks import Hooks
from stellantis_hal.transport.limiter import Priority, RateLimiter, TokenBucketLimiter
from stellantis_hal.transport.limits import RateLimits
from stellantis_hal.transport.quota import Quota
from stellantis_hal.transport.retry import RetryPolicy
from stellantis_hal.transport.session import Session
from stellantis_hal.transport.tls import Tls

__all__ = ["API_URL", "CERTIFICATE_API_URL", "Account", "HalClient", "StellantisClient"]

API_URL = "https://api.groupe-psa.com/connectedcar/v4"
"""Where applications without a client certificate are served."""

CERTIFICATE_API_URL = "https://api-cert.groupe-psa.com/connectedcar/v4"
"""Where mutual TLS is asked for."""


class _Client:
    """What both clients have: a session, opened and closed with them."""

    _session: Session

    @property
    def quota(self) -> Quota:
        """What the server said last is left: ``quota.day.remaining``, ``quota.burst.remaining``; None before that."""
        return self._session.quota

    @property
    def limiter(self) -> RateLimiter:
        """The limiter that every request passes; its ``statistics`` tell what it did."""
        return self._session.limiter

    async def aclose(self) -> None:
        """Close what the client opened; a transport that was given stays its owner's."""
        await self._session.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


class HalClient(_Client, Entry):
    """A client for any HAL API.

    Args:
        entry_url: where to start; its own origin is trusted.
        auth: what identifies the caller, on trusted origins only: any ``httpx.Auth``, or credentials of one's own.
        trusted_origins: other origins of the same API, by any address on them.
        limiter: what requests wait for; None counts nothing, and pauses everybody after a 429 all the same.
        retry: for connections that fail, time-outs and 5xx.
        timeout: seconds without a byte, or bounds for each phase.
        transport: any of httpx's, borrowed; None makes one at the first request.
        tls: a client certificate, other authorities; for a transport of its own only.
        hooks: who is told of answers, waits and retries.
        structure: makes a value of a resource, for ``Rel("orders", Order)``.
        priority: "background" leaves a share of the limits to "interactive".
        max_wait: seconds that one call may wait for the limits.
        clock: the wall clock, aware.

    Raises:
        ValueError: an address has no http or https origin.
    """

    def __init__(
        self,
        entry_url: str,
        *,
        auth: httpx.Auth | Credentials | None = None,
        trusted_origins: Iterable[str] = (),
        limiter: RateLimiter | None = None,
        retry: RetryPolicy | None = None,
        timeout: float | Timeouts | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        tls: Tls | None = None,
        hooks: Hooks | None = None,
        structure: Callable[[HalResource, type[Any]], Any] | None = None,
        priority: Priority = "interactive",
        max_wait: float = 60.0,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._session = Session(
            Origins(entry_url, *trusted_origins),
            transport=transport,
            limiter=limiter,
            retry=retry,
            timeouts=_timeouts(timeout),
            tls=tls,
            hooks=hooks,
            clock=clock,
        )
        fetch = self._session.caller(credentials=auth, priority=priority, max_wait=max_wait)
        binding = Binding(fetch=fetch, clock=clock) if structure is None else Binding(fetch, clock, structure)
        Entry.__init__(self, entry_url, binding)


class StellantisClient(_Client):
    """One registered application: one subscription, one limiter, any number of accounts.

    Args:
        application: who asks.
        base_url: the API; None: the mutual-TLS host where the application has a certificate, else the other.
        identity_url: where tokens are renewed; ``{domain}`` stands for the brand's domain.
        trusted_origins: other origins of the same API, by any address on them.
        rate_limits: what the subscription allows at most; None: whatever the server's headers say.
        limiter: another limiter, instead of one made of ``rate_limits``.
        retry: for connections that fail, time-outs and 5xx.
        timeout: seconds without a byte, or bounds for each phase.
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
        trusted_origins: Iterable[str] = (),
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
        if base_url is None:
            base_url = API_URL if application.certificate is None else CERTIFICATE_API_URL
        if tls is None:
            tls = Tls(certificate=application.certificate)
        self._application = application
        self._base_url = base_url.rstrip("/")
        self._identity_url = identity_url
        self._identity_fetches: dict[str, Fetch] = {}  # one for each brand, however many accounts
        self._reader = Reader(strict=strict, keep_document=keep_document, clock=clock)
        self._clock = clock
        self._session = Session(
            Origins(base_url, *trusted_origins),
            transport=transport,
            limiter=TokenBucketLimiter(rate_limits, clock=clock) if limiter is None else limiter,
            retry=retry,
            timeouts=_timeouts(timeout),
            tls=tls,
            scopes=required_scopes,
            hooks=hooks,
            clock=clock,
        )

    def account(
        self,
        token_or_store: Token | TokenLike | TokenStore,
        *,
        brand: Brand,
        key: str = "default",
        realm: str | None = None,
    ) -> Account:
        """Act for one account holder.

        Args:
            token_or_store: where the token is kept; or the token itself, which is then renewed in memory only.
            brand: the brand of the account's cars.
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
            fetch=self._identity_fetch(identity),
            key=key,
            clock=self._clock,
        )
        return Account(self._session, credentials, self._reader, f"{self._base_url}/user", key=key)

    def enrolment(self, *, brand: Brand, store: TokenStore | None = None, realm: str | None = None) -> Enrolment:
        """Ask account holders of a brand for their consent, and give it back; tokens go to the store.

        Raises:
            ConfigurationError: the realm or the identity server's address cannot be sent in a header.
        """
        identity = self._identity(brand, realm)
        fetch = self._identity_fetch(identity)
        return Enrolment(self._application, identity, fetch=fetch, store=store, clock=self._clock)

    def _identity(self, brand: Brand, realm: str | None) -> Identity:
        return Identity.of(brand, realm=realm, url=self._identity_url)

    def _identity_fetch(self, identity: Identity) -> Fetch:
        """Send to an identity server: unlimited, without credentials, each time once, for renewing has retries."""
        fetch = self._identity_fetches.get(identity.url)
        if fetch is None:
            fetch = self._session.caller(origins=Origins(identity.url), limited=False, retry=RetryPolicy(attempts=1))
            self._identity_fetches[identity.url] = fetch
        return fetch


class Account(Entry):
    """One account holder, as the application sees them. Made by :meth:`StellantisClient.account`."""

    def __init__(
        self,
        session: Session,
        credentials: Credentials,
        reader: Reader,
        url: str,
        *,
        key: str,
        priority: Priority = "interactive",
        max_wait: float = 60.0,
    ) -> None:
        fetch = session.caller(credentials=credentials, priority=priority, max_wait=max_wait)
        super().__init__(url, Binding(fetch, reader.clock, reader.read))
        self._session = session
        self._credentials = credentials
        self._reader = reader
        self._priority: Priority = priority
        self._max_wait = max_wait
        self.key = key

    def __repr__(self) -> str:
        return f"<Account {self.key!r} {self._priority}>"

    def with_options(self, *, priority: Priority | None = None, max_wait: float | None = None) -> Account:
        """Give the same account with another priority, or another bound on waiting for the limits.

        Args:
            priority: "background" leaves a share of the limits to "interactive".
            max_wait: seconds that one call may wait; beyond that ``BudgetExhaustedError`` comes at once.
        """
        other = Account(
            self._session,
            self._credentials,
            self._reader,
            self._url,
            key=self.key,
            priority=self._priority if priority is None else priority,
            max_wait=self._max_wait if max_wait is None else max_wait,
        )
        other.adopt(self)
        return other

    async def user(self) -> User:
        """Read the account holder's own resource, anew."""
        return self._reader.read(await self.reread(), User)

    def vehicles(
        self,
        *,
        locale: str | None = None,
        extensions: Iterable[str] | str = (),
        vin_prefix: str | None = None,
        country: str | None = None,
        index_range: tuple[int, int | None] | None = None,
        page_size: int | None = None,
    ) -> Paginator[Vehicle]:
        """Walk the account's vehicles.

        Args:
            locale: of labels (``fr-FR``).
            extensions: more of each vehicle: ``onboardCapabilities``, ``branding``, ``pictures``.
            vin_prefix: only VINs that begin so.
            country: CL, BR or AR, where their back ends differ.
            index_range: first and last index, both included; None: open.
            page_size: 1 to 60.

        Raises:
            ValueError: a bound does not hold; nothing was sent.
        """
        params: Params = {
            "locale": locale,
            "extension": choices("extensions", extensions or None),
            "vinPrefix": vin_prefix,
            "country": country,
            "indexRange": checked_range(index_range),
            "pageSize": checked_size(page_size),
        }
        ranges = IndexRanges() if index_range is None else None
        walk = Paginator.over(_Vehicles(self, params), "vehicles", absent=self._has_no_vehicles, ranges=ranges)
        return walk.map(lambda resource: self._reader.read(resource, Vehicle))

    async def vehicle(
        self, id_: str, *, locale: str | None = None, extensions: Iterable[str] | str = (), country: str | None = None
    ) -> Vehicle:
        """Read one vehicle by the API's own id (which is not its VIN).

        Raises:
            NotFoundError: there is none; the API says so of an existing one too, now and then.
            ValueError: the id cannot be part of a path.
        """
        collection = await _Vehicles(self, {}).locate({})
        params = {"locale": locale, "extension": choices("extensions", extensions or None), "country": country}
        resource = await self.get(append_query(join_segment(collection, id_), query_of(params)))
        return self._reader.read(resource, Vehicle)

    def _has_no_vehicles(self, error: ApiError) -> bool:
        # Of the entry resource a 404 says nothing about vehicles.
        return is_absent(error) and error.url.partition("?")[0] != self._url


class _Vehicles:
    """The collection behind the entry's link to vehicles, whichever generation of the API names it."""

    def __init__(self, account: Account, params: Params) -> None:
        self._account = account
        self._params = params

    async def _step(self) -> Follow[HalResource]:
        root = await self._account.root()
        rel = "vehicle" if "vehicle" in root.links and "vehicles" not in root.links else "vehicles"
        return root.follow(rel, params=self._params, embedded="never")

    async def reopened(self) -> HalResource:
        return await (await self._step()).reopened()

    async def locate(self, params: Params) -> str:
        return await (await self._step()).locate(params)

    async def visit(self, url: str) -> HalResource:
        return await self._account.get(url)


def _timeouts(timeout: float | Timeouts | None) -> Timeouts | None:
    return Timeouts(read=timeout, total=max(timeout, Timeouts().total)) if isinstance(timeout, int | float) else timeout
