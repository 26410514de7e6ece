"""Session: one backend, one limiter and one set of options for any number of callers."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self
from weakref import WeakValueDictionary

import attrs

from stellantis_hal.__version__ import __version__
from stellantis_hal.errors import StellantisError
from stellantis_hal.hal.clock import utc_now
from stellantis_hal.navigation.cache.fetch import CachedFetch
from stellantis_hal.navigation.cache.partition import Partition, choose_partition
from stellantis_hal.navigation.cache.partition_responses import PartitionResponses
from stellantis_hal.navigation.cache.store import CacheStore
from stellantis_hal.navigation.fetch_protocol import Fetch, Request, Response
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport.api_errors import ErrorFactory, make_error
from stellantis_hal.transport.backends.session_detection import HostSession, connections_of, is_host_session
from stellantis_hal.transport.bounded_backend import BoundedBackend, Timeouts
from stellantis_hal.transport.conventions import ApiConventions
from stellantis_hal.transport.credentials import Anonymous, Credentials, is_httpx_auth
from stellantis_hal.transport.decoding import ACCEPTED
from stellantis_hal.transport.hooks import Hooks
from stellantis_hal.transport.pipeline import PipelineContext, PipelineOptions, RequestPipeline
from stellantis_hal.transport.proxies import DIRECT, ProxySettings
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import Priority, RateLimiter, RateLimits
from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota
from stellantis_hal.transport.retry import RetryPolicy
from stellantis_hal.transport.tls import Tls
from stellantis_hal.validation import require_clock, require_type

if TYPE_CHECKING:
    import httpx

__all__ = ["MAX_BODY", "MAX_REDIRECTS", "Session"]

MAX_BODY = 8 * 1024 * 1024
"""Bytes, decompressed, that a body may have by default."""

MAX_REDIRECTS = 5
"""Redirects that a GET or HEAD follows by default."""

_CONNECTIONS = 100
_MAX_CONNECTIONS = 500
_SLOW_RESPONSE = 60
"""Seconds that a response may take; some gateways end a request after 60."""
_UNLIMITED = RateLimits(None, None)


class Session:
    """One backend, one limiter and one set of options, for any number of callers.

    ::

        limiter = TokenBucketLimiter(RateLimits(per_second=10, per_day=10_000))
        async with Session(Origins("https://api.example.com"), limiter=limiter) as session:
            fetch = session.pipeline(priority="background", max_wait=600)
            response = await fetch(Request(url="https://api.example.com/things"))

    Args:
        origins: the trusted origins, unless a pipeline has its own.
        transport: any of httpx's, borrowed: its owner closes it. None makes one at the first request.
        host_session: an ``aiohttp.ClientSession`` or an ``httpx.AsyncClient`` of the program instead, borrowed too: its
            connections, proxies and TLS settings, with its client certificate, are used.
        limiter: shared by all pipelines, entered and left by its owner. None counts nothing, but still pauses all
            requests after a 429.
        retry: for connections that fail, timeouts and 5xx.
        timeouts: of each attempt.
        tls: the client certificate and the authorities trusted, or a context; only for a transport that the session
            makes.
        proxy: the URL of a proxy, ``http://user:password@host:3128``, https or socks5 (extra ``socks``); None: that of
            the environment (``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``, ``NO_PROXY``), read now; False or "direct":
            none. Only for a transport that the session makes.
        connections: how many requests may be under way at once; an injected transport must have as many. None: 60
            for each request that the limiter grants in a second (a response may take a minute), at most 500; 100 where
            the limiter has no such limit. Connections are made as they are needed.
        max_body: bytes, decompressed.
        max_redirects: hops of a GET or HEAD.
        conventions: the API's header names, phrases, advice and scopes; None for the defaults.
        hooks: called on responses, waits and retries.
        clock: the wall clock, aware.
        cache: where :meth:`fetch` stores responses; None: nowhere.

    Raises:
        ValueError: connections or max_body is less than 1, or max_redirects less than 0; or
            ``proxy`` is not the URL of a proxy; or it or ``tls`` stands beside ``transport`` or ``host_session``.
        TypeError: an argument has another type.
        ConfigurationError: ``proxy`` needs the extra ``socks``, which is not installed.
    """

    def __init__(
        self,
        origins: Origins,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        host_session: HostSession | None = None,
        limiter: RateLimiter | None = None,
        retry: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        tls: Tls | None = None,
        proxy: str | Literal[False] | None = None,
        connections: int | None = None,
        max_body: int = MAX_BODY,
        max_redirects: int = MAX_REDIRECTS,
        conventions: ApiConventions | None = None,
        hooks: Hooks | None = None,
        clock: Callable[[], datetime] = utc_now,
        cache: CacheStore | None = None,
    ) -> None:
        require_clock(clock)
        for name, bound, least in (
            ("connections", connections, 1),
            ("max_body", max_body, 1),
            ("max_redirects", max_redirects, 0),
        ):
            if bound is None and name == "connections":
                continue
            if not isinstance(bound, int) or isinstance(bound, bool):
                raise TypeError(f"{name} must be a whole number, not {type(bound).__name__}")
            if bound < least:
                raise ValueError(f"{name} must be at least {least}, not {bound}")
        if transport is not None:
            import httpx

            require_type(
                "transport", transport, httpx.AsyncBaseTransport, None, instead="httpx.AsyncHTTPTransport(), or none"
            )
        require_type("retry", retry, RetryPolicy, None, instead="RetryPolicy(attempts=…)")
        require_type("tls", tls, Tls, None)
        require_type("hooks", hooks, Hooks, None, instead="Hooks(on_response=…)")
        require_type("conventions", conventions, ApiConventions, None)
        if limiter is not None and not hasattr(limiter, "slot"):
            kind = type(limiter).__name__
            raise TypeError(f"limiter must be RateLimiter or None, not {kind}: TokenBucketLimiter(RateLimits(…))")
        _check_borrowed(transport, host_session, tls, proxy)
        is_borrowed = transport is not None or host_session is not None
        if cache is not None and not hasattr(cache, "is_persistent"):
            raise TypeError(f"cache must be a CacheStore or None, not {type(cache).__name__}: MemoryCache(32_000_000)")
        self._origins = origins
        self._cache = cache
        self._copies: WeakValueDictionary[str, PartitionResponses] = WeakValueDictionary()
        self._clock = clock
        self._conventions = ApiConventions() if conventions is None else conventions
        self._retry = RetryPolicy() if retry is None else retry
        self._limiter = TokenBucketLimiter(_UNLIMITED) if limiter is None else limiter
        self._quota = ReportedQuota()
        self._exchange = BoundedBackend(
            transport,
            ssl_context=(Tls() if tls is None else tls).make_context,
            connections=_connections_for(self._limiter, host_session) if connections is None else connections,
            timeouts=Timeouts() if timeouts is None else timeouts,
            max_body=max_body,
            quota_headers=self._conventions.quota_headers,
            clock=clock,
            proxies=DIRECT if is_borrowed else ProxySettings.of(proxy, os.environ),
            host_session=host_session,
        )
        self._context = PipelineContext(
            exchange=self._exchange,
            headers={
                "accept": "application/hal+json, application/json;q=0.9",
                "accept-encoding": ACCEPTED,
                "user-agent": f"stellantis_hal/{__version__}",
            },
            max_redirects=max_redirects,
            hooks=Hooks() if hooks is None else hooks,
            record_quota=self._record_quota,
        )

    @property
    def quota(self) -> ReportedQuota:
        """What is left by the latest responses; None for each number that none has stated yet."""
        return self._quota

    @property
    def connections(self) -> int:
        """How many requests may be under way at once."""
        return self._exchange.connections

    @property
    def limiter(self) -> RateLimiter:
        """The limiter that the pipelines share."""
        return self._limiter

    def pipeline(
        self,
        *,
        credentials: Credentials | httpx.Auth | None = None,
        priority: Priority = "interactive",
        max_wait: float = 60.0,
        origins: Origins | None = None,
        retry: RetryPolicy | None = None,
        make_error: ErrorFactory | None = None,
        limited: bool = True,
        account: str | None = None,
    ) -> RequestPipeline:
        """Return a pipeline that sends requests for one caller; it costs next to nothing.

        Args:
            credentials: of the caller; None for none.
            priority: "background" leaves a share of the limits to "interactive".
            max_wait: seconds that one call may wait for the limits, all its attempts together.
            origins: which origins may see these credentials; None for the session's.
            retry: None for the session's.
            make_error: returns the error that a response stands for; None for
                :func:`~stellantis_hal.transport.api_errors.make_error`.
            limited: False for requests that do not count against the subscription (those to an identity server): a 429
                there pauses this pipeline alone, and as many connections as the API has are its own.
            account: key of the account, for hooks and log lines; None without one.

        Raises:
            TypeError: the credentials have another type.
        """
        own, auth = _split(credentials)
        return RequestPipeline(
            self._context
            if limited
            else attrs.evolve(self._context, record_quota=_ignore, queue=self._exchange.queue()),
            PipelineOptions(
                origins=self._origins if origins is None else origins,
                limiter=self._limiter if limited else TokenBucketLimiter(_UNLIMITED),
                retry=self._retry if retry is None else retry,
                credentials=own,
                make_error=self._make_error if make_error is None else make_error,
                priority=priority,
                max_wait=max_wait,
                account=account,
                auth=auth,
            ),
        )

    def fetch(
        self,
        *,
        credentials: Credentials | httpx.Auth | None = None,
        priority: Priority = "interactive",
        max_wait: float = 60.0,
        partition: str | None = None,
        account: str | None = None,
    ) -> Fetch:
        """Return a pipeline, with the session's cache around it where there is one.

        Args:
            credentials: of the caller; None for none.
            priority: "background" leaves a share of the limits to "interactive".
            max_wait: seconds that one call may wait for the limits, all its attempts together.
            partition: names the account whose responses are stored; None: as the credentials state.
            account: key of the account, for hooks and log lines; None without one.

        Raises:
            TypeError: the credentials have another type.
            ConfigurationError: nothing names the account, although what is stored outlives the process.
            ValueError: ``partition`` is empty, or there is no cache.
        """
        pipeline = self.pipeline(credentials=credentials, priority=priority, max_wait=max_wait, account=account)
        if self._cache is None:
            if partition is not None:
                raise ValueError("partition= names the account whose responses are cached: pass cache= too")
            return pipeline
        chosen = choose_partition(credentials, partition, must_last=self._cache.is_persistent)
        return CachedFetch(pipeline, self._copies_of(self._cache, chosen), self._origins, self._clock)

    async def clear_cache(self, partition: Partition) -> None:
        """Remove an account's responses from the cache, if there is one."""
        if self._cache is not None:
            await self._copies_of(self._cache, partition).clear()

    def _copies_of(self, cache: CacheStore, partition: Partition) -> PartitionResponses:
        copies = self._copies.get(partition.prefix)
        if copies is None:
            copies = self._copies[partition.prefix] = PartitionResponses(cache, partition.prefix)
        return copies

    def _make_error(self, request: Request, response: Response) -> StellantisError | None:
        return make_error(request, response, now=self._clock(), conventions=self._conventions)

    def _record_quota(self, quota: ReportedQuota) -> None:
        self._quota = self._quota.updated(quota)

    async def aclose(self) -> None:
        """Close the transport if the session made it; a second time does nothing."""
        await self._exchange.aclose()

    def check_use(self) -> None:
        """Check that requests can be sent from here.

        Raises:
            ClosedClientError: it was closed.
            WrongLoopError: it was used before in another event loop, thread or process.
        """
        self._exchange.check_use()

    async def __aenter__(self) -> Self:
        self.check_use()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def _split(credentials: Credentials | httpx.Auth | None) -> tuple[Credentials, httpx.Auth | None]:
    """Return credentials, and the flow of httpx that signs requests instead of them.

    Raises:
        TypeError: they are neither.
    """
    if credentials is None:
        return Anonymous(), None
    if is_httpx_auth(credentials):
        return Anonymous(), credentials
    if not hasattr(credentials, "headers"):
        raise TypeError(
            "credentials must be an httpx.Auth, or an object with the methods of Credentials, not "
            f"{type(credentials).__name__}: Bearer(token), or Basic(user, password)"
        )
    own: Any = credentials  # no TypeGuard says that it is not an httpx.Auth
    return own, None


def _check_borrowed(
    transport: httpx.AsyncBaseTransport | None,
    host_session: HostSession | None,
    tls: Tls | None,
    proxy: str | Literal[False] | None,
) -> None:
    """Raise where an option has no effect on what the program brought itself."""
    if host_session is not None and not is_host_session(host_session):
        raise TypeError(
            f"session must be an aiohttp.ClientSession or an httpx.AsyncClient, not {type(host_session).__name__}; a "
            "transport of httpx is passed as transport="
        )
    if host_session is not None and transport is not None:
        raise ValueError("session= and transport= both say how requests are sent: pass one of them")
    if proxy is not None and transport is not None:
        raise ValueError(
            "proxy= has no effect on a transport of your own: leave it out, and give the proxy to the transport, "
            "as in httpx.AsyncHTTPTransport(proxy=…)"
        )
    if proxy is not None and host_session is not None:
        raise ValueError(
            "proxy= has no effect on a session of your own: leave it out, and give the proxy to the session, as in "
            "aiohttp.ClientSession(proxy=…) or httpx.AsyncClient(proxy=…)"
        )
    if tls is not None and transport is not None:
        raise ValueError(
            "tls= has no effect on a transport of your own: leave it out, and give its context to the transport, as in "
            "httpx.AsyncHTTPTransport(verify=Tls(certificate=…).make_context())"
        )
    if tls is not None and host_session is not None:
        raise ValueError(
            "tls= has no effect on a session of your own: leave it out, and give its context to the session, as in "
            "aiohttp.TCPConnector(ssl=Tls(certificate=…).make_context()) or httpx.AsyncClient(verify=…)"
        )


def _connections_for(limiter: RateLimiter, host_session: HostSession | None) -> int:
    """Return a pool size that holds all requests that a limiter grants while slow responses are awaited."""
    per_second = limiter.limits.per_second
    suitable = _CONNECTIONS if per_second is None else min(_MAX_CONNECTIONS, _SLOW_RESPONSE * per_second)
    allowed = connections_of(host_session)
    return suitable if allowed is None else min(suitable, allowed)


def _ignore(quota: ReportedQuota) -> None:
    """Drop an identity server's quota: it is not the API's."""
