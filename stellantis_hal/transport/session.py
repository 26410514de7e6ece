"""What a program opens once and sends everything through.

Knows how the parts of this floor fit together. Must not know accounts, tokens or what an API means.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Self

import attrs
import httpx

from stellantis_hal.__version__ import __version__
from stellantis_hal.errors import StellantisError
from stellantis_hal.hal.clock import utc_now
from stellantis_hal.navigation.fetch import Request, Response
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport.api_errors import Judge, Scopes, error_of
from stellantis_hal.transport.credentials import Anonymous, Credentials
from stellantis_hal.transport.decoding import ACCEPTED
from stellantis_hal.transport.exchange import Exchange, Timeouts
from stellantis_hal.transport.hooks import Hooks
from stellantis_hal.transport.pipeline import PipelineContext, RequestPipeline
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import Priority, RateLimiter, RateLimits
from stellantis_hal.transport.rate_limit.quota import Quota
from stellantis_hal.transport.retry import RetryPolicy
from stellantis_hal.transport.tls import Tls
from stellantis_hal.validation import require_type

__all__ = ["MAX_BODY", "Session"]

MAX_BODY = 64 * 1024 * 1024
"""Bytes, decompressed, that a body may have unless said otherwise."""

_CONNECTIONS = 100
_UNLIMITED = RateLimits(None, None)


class Session:
    """A network under control: one pool, one limiter, one set of rules, for any number of callers.

    ::

        limiter = TokenBucketLimiter(RateLimits(per_second=10, per_day=10_000))
        async with Session(Origins("https://api.example.com"), limiter=limiter) as session:
            fetch = session.caller(priority="background", max_wait=600)
            answer = await fetch(Request(url="https://api.example.com/things"))

    Args:
        origins: who may be talked to, unless a caller names its own.
        transport: any of httpx's, borrowed: its owner closes it. None makes one at the first request.
        limiter: shared by all callers. None counts nothing, but still pauses everybody after a 429.
        retry: for connections that fail, time-outs and 5xx.
        timeouts: of each attempt.
        tls: the client certificate and the authorities trusted; for a transport of our own only.
        connections: how many requests are on their way at once, at most; an injected transport has to have as many.
            None: ten for each request that the limiter lets through in a second (an answer may take ten seconds), but
            no more than 100.
        max_body: bytes, decompressed.
        max_redirects: hops of a GET or HEAD.
        scopes: tells which scopes the vendor documents for an address, for 403.
        hooks: who listens.
        clock: the wall clock, aware.

    Raises:
        ValueError: there is no connection.
        TypeError: a part is of another kind.
    """

    def __init__(
        self,
        origins: Origins,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        limiter: RateLimiter | None = None,
        retry: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        tls: Tls | None = None,
        connections: int | None = None,
        max_body: int = MAX_BODY,
        max_redirects: int = 5,
        scopes: Scopes | None = None,
        hooks: Hooks | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        if connections is not None and connections < 1:
            raise ValueError(f"a session needs at least one connection, not {connections}")
        require_type(
            "transport", transport, httpx.AsyncBaseTransport, None, instead="httpx.AsyncHTTPTransport(), or none"
        )
        require_type("retry", retry, RetryPolicy, None, instead="RetryPolicy(attempts=…)")
        require_type("tls", tls, Tls, None)
        if limiter is not None and not hasattr(limiter, "slot"):
            kind = type(limiter).__name__
            raise TypeError(f"limiter must be RateLimiter or None, not {kind}: TokenBucketLimiter(RateLimits(…))")
        self._origins = origins
        self._clock = clock
        self._scopes = scopes
        self._retry = RetryPolicy() if retry is None else retry
        self._limiter = TokenBucketLimiter(_UNLIMITED, clock=clock) if limiter is None else limiter
        self._quota = Quota()
        self._exchange = Exchange(
            transport,
            context=(Tls() if tls is None else tls).context,
            connections=_fitting(self._limiter) if connections is None else connections,
            timeouts=Timeouts() if timeouts is None else timeouts,
            max_body=max_body,
        )
        fields = {
            "accept": "application/hal+json, application/json;q=0.9",
            "accept-encoding": ACCEPTED,
            "user-agent": f"stellantis_hal/{__version__}",
        }
        self._context = PipelineContext(
            exchange=self._exchange,
            fields=fields,
            max_redirects=max_redirects,
            hooks=Hooks() if hooks is None else hooks,
            clock=clock,
            noted=self._note,
            number=partial(next, itertools.count(1)),
        )

    @property
    def quota(self) -> Quota:
        """What the latest answers said is left; its numbers are None before the first that said anything."""
        return self._quota

    @property
    def connections(self) -> int:
        """How many requests are on their way at once, at most."""
        return self._exchange.connections

    @property
    def limiter(self) -> RateLimiter:
        """The limiter that the callers share."""
        return self._limiter

    def pipeline(
        self,
        *,
        credentials: Credentials | httpx.Auth | None = None,
        priority: Priority = "interactive",
        max_wait: float = 60.0,
        origins: Origins | None = None,
        retry: RetryPolicy | None = None,
        judge: Judge | None = None,
        limited: bool = True,
    ) -> RequestPipeline:
        """Make a way to send requests in somebody's name; it costs next to nothing.

        Args:
            credentials: who asks; None for nobody in particular.
            priority: "background" leaves a share of the limits to "interactive".
            max_wait: seconds that one call may wait for the limits, all its attempts together.
            origins: who may see these credentials; None for the session's.
            retry: None for the session's.
            judge: makes errors of answers; None for :func:`~stellantis_hal.transport.api_errors.error_of`.
            limited: False for what does not spend the subscription (an identity server): a 429 there pauses
                this caller alone.

        Raises:
            TypeError: the credentials are none.
        """
        if not isinstance(credentials, httpx.Auth | None) and not hasattr(credentials, "headers"):
            raise TypeError(
                f"credentials have to be an httpx.Auth, or have its headers, not {type(credentials).__name__}: "
                "httpx.BasicAuth(user, password)"
            )
        return RequestPipeline(
            self._context if limited else attrs.evolve(self._context, noted=_ignored),
            origins=self._origins if origins is None else origins,
            limiter=self._limiter if limited else TokenBucketLimiter(_UNLIMITED, clock=self._clock),
            retry=self._retry if retry is None else retry,
            credentials=Anonymous() if credentials is None else credentials,
            judge=self._judged if judge is None else judge,
            priority=priority,
            max_wait=max_wait,
        )

    def _judged(self, request: Request, response: Response) -> StellantisError | None:
        if 200 <= response.status < 300:
            return None
        return error_of(request, response, now=self._clock(), scopes=self._scopes)

    def _note(self, quota: Quota) -> None:
        self._quota = self._quota.updated(quota)

    async def aclose(self) -> None:
        """Close the transport if it is the session's own; a second time does nothing."""
        await self._exchange.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def _fitting(limiter: RateLimiter) -> int:
    """Size the pool with the limiter: tasks wait there, and connections that it cannot fill are waste."""
    per_second = limiter.limits.per_second
    return _CONNECTIONS if per_second is None else min(_CONNECTIONS, 10 * per_second)


def _ignored(quota: Quota) -> None:
    """Let an identity server's limits be its own."""
