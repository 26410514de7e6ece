"""A request carried through to its answer: retry, then the limiter, then credentials, then the network.

Knows in which order these act, and who may see credentials. Must not know what the answer means to whoever asked.
"""

from __future__ import annotations

import copy
import math
import random
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

import anyio
import attrs
import httpx

from stellantis_hal.errors import (
    AuthError,
    BudgetExhaustedError,
    RateLimitedError,
    StellantisError,
    TooManyRedirectsError,
    UnauthorizedError,
)
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.hal.uri import resolve, to_ascii
from stellantis_hal.navigation.fetch import Request, Response
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport.api_errors import Judge
from stellantis_hal.transport.credentials import Credentials, add_client_id, remove_client_id
from stellantis_hal.transport.exchange import Exchange, RawResponse
from stellantis_hal.transport.hooks import CallObserver, Hooks
from stellantis_hal.transport.network_errors import to_network_error
from stellantis_hal.transport.rate_limit.protocol import Priority, RateLimiter
from stellantis_hal.transport.rate_limit.quota import UNREADABLE, Quota
from stellantis_hal.transport.retry import RetryPolicy, insist

__all__ = ["PipelineContext", "RequestPipeline"]

_random = random.SystemRandom()
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_FOLLOWED = frozenset({301, 302, 303, 307, 308})
_NOTICEABLE = 0.001
_FIRST_FLOOR = 0.1
_HIGHEST_FLOOR = 10.0


@attrs.frozen(kw_only=True)
class PipelineContext:
    """What the callers of one session share.

    Attributes:
        exchange: the network.
        fields: of every header, by lower-case name.
        max_redirects: hops.
        hooks: who listens.
        clock: the wall clock.
        noted: is told of each quota that an answer states.
        number: gives each call its number.
    """

    exchange: Exchange
    fields: Mapping[str, str]
    max_redirects: int
    hooks: Hooks
    clock: Callable[[], datetime]
    noted: Callable[[Quota], None]
    number: Callable[[], int]


class RequestPipeline:
    """Implements :class:`~stellantis_hal.navigation.fetch.Fetch`; made by :meth:`Session.pipeline`."""

    __slots__ = ("_context", "_credentials", "_judge", "_limiter", "_max_wait", "_origins", "_priority", "_retry")

    def __init__(
        self,
        context: PipelineContext,
        *,
        origins: Origins,
        limiter: RateLimiter,
        retry: RetryPolicy,
        credentials: Credentials | httpx.Auth,
        judge: Judge,
        priority: Priority,
        max_wait: float,
    ) -> None:
        self._context = context
        self._origins = origins
        self._limiter = limiter
        self._retry = retry
        self._credentials = credentials
        self._judge = judge
        self._priority: Priority = priority
        self._max_wait = max_wait

    @property
    def limiter(self) -> RateLimiter:
        """What its requests wait for."""
        return self._limiter

    def with_options(self, *, priority: Priority, max_wait: float | None = None) -> RequestPipeline:
        """Give the same way to send with another priority, or another bound on waiting for the limits, in seconds."""
        other = copy.copy(self)
        other._priority = priority
        other._max_wait = self._max_wait if max_wait is None else max_wait
        return other

    async def __call__(self, request: Request, /) -> Response:
        """Send a request, give its answer.

        Raises:
            UntrustedOriginError: it, or a redirect, leads off the trusted origins; nothing was sent there.
            NetworkError: no complete answer arrived.
            ApiError: the answer is an error.
            QuotaError: the wait for the limit would be longer than allowed.
            AuthError: there are no credentials that the server accepts.
        """
        call = _CallState(self, request)
        repeatable = request.method in _REPEATABLE if request.repeatable is None else request.repeatable
        return await insist(
            call.attempt, self._retry, repeatable=repeatable, on_retry=call.retrying, waited=call.waited
        )


class _AttemptResult(NamedTuple):
    answer: Response
    error: StellantisError | None
    sent: Mapping[str, str]


class _CallState:
    """The state of one call: its attempts, its waits, what it was refused with."""

    __slots__ = (
        "_attempt",
        "_jitter",
        "_pauses",
        "_pipeline",
        "_renewed",
        "_report",
        "_request",
        "_resume_at",
        "_throttled",
        "_wait_left",
    )

    def __init__(self, pipeline: RequestPipeline, request: Request) -> None:
        self._pipeline = pipeline
        self._request = request
        self._report = CallObserver(pipeline._context.hooks, pipeline._context.number(), request.method)
        self._attempt = 0
        self._jitter = 0.0
        self._pauses = 0
        self._resume_at = -math.inf
        self._renewed = False
        self._throttled: RateLimitedError | None = None
        self._wait_left = pipeline._max_wait

    async def attempt(self) -> Response:
        """Send until the limits and the credentials let it through."""
        self._attempt += 1
        while True:
            answer, error, sent = await self._followed()
            if error is None:
                return answer
            if isinstance(error, RateLimitedError):
                self._pause(error)
                continue
            self._throttled = None
            if isinstance(error, UnauthorizedError) and not self._renewed:
                credentials = self._pipeline._credentials
                mended = not isinstance(credentials, httpx.Auth) and await credentials.refused(answer, sent)
                self._renewed = True  # not before: a renewal that failed is not one that did not help
                if mended:
                    continue
            raise error

    def waited(self) -> float:
        """Give the seconds that went by waiting for the limits."""
        return self._pipeline._max_wait - self._wait_left

    def retrying(self, error: StellantisError, wait: float, attempt: int) -> None:
        """Tell that a failed attempt will be followed by another."""
        self._report.retrying(self._request.url, error, wait=wait, attempt=attempt)

    def _pause(self, error: RateLimitedError) -> None:
        """Let everybody wait for the server's instant, and then a little, so that not all come at once.

        A server that says "now" again and again is taken at its word less and less.
        """
        now = anyio.current_time()
        if now < self._resume_at:  # a limiter that does not pause would make this a loop
            raise error
        floor = min(_FIRST_FLOOR * 2**self._pauses, _HIGHEST_FLOOR)
        self._pauses += 1
        asked = UNREADABLE if error.retry_after is None else error.retry_after
        seconds = max(asked, floor)
        jitter = _random.uniform(0.0, min(1.0, 0.05 + 0.05 * seconds))
        room = min(self._wait_left, anyio.current_effective_deadline() - now) - seconds
        if room >= 0:  # our own delay must not make impossible what the server's wait allows
            jitter = min(jitter, room / 2)
        self._jitter = jitter
        seconds += jitter
        self._report.paused(seconds)
        self._throttled = error
        self._resume_at = now + seconds
        self._pipeline._limiter.pause(seconds, "a 429")

    # ------------------------------------------------------------------------------------------- redirects

    async def _followed(self) -> _AttemptResult:
        pipeline, request = self._pipeline, self._request
        url = request.url
        pipeline._origins.check(url)
        for _ in range(pipeline._context.max_redirects + 1):
            answer, sent = await self._admitted(url)
            location = answer.headers.get("location") if answer.status in _FOLLOWED else None
            if location is None or request.method not in {"GET", "HEAD"}:
                return _AttemptResult(answer, pipeline._judge(request, answer), sent)
            target = resolve(url, to_ascii(location)).partition("#")[0]
            pipeline._origins.check_redirect(url, target)
            url = target
        raise TooManyRedirectsError(
            f"{request.method} {mask_url(request.url)}: more than {pipeline._context.max_redirects} redirects, "
            f"the next one to {mask_url(url)}",
            url=url,
            sent=True,
            is_transient=False,
        )

    # ------------------------------------------------------------------------------------------- the limiter

    async def _admitted(self, url: str) -> tuple[Response, Mapping[str, str]]:
        credentials = self._pipeline._credentials
        if isinstance(credentials, httpx.Auth):
            return await self._by_flow(url, credentials)
        started = anyio.current_time()
        try:
            async with self._pipeline._limiter.slot(
                priority=self._pipeline._priority, max_wait=self._wait_left
            ) as slot:
                admitted = anyio.current_time()
                if admitted - started >= _NOTICEABLE:
                    self._waited(admitted - started, url)
                sent = await credentials.headers()
                fields = self._fields(sent)
                received = await self._pipeline._context.exchange.send(
                    self._request.method,
                    add_client_id(url, credentials.query),
                    fields,
                    self._request.content,
                    slot=slot,
                    shown=url,
                )
        except BudgetExhaustedError as error:
            raise self._refused(error) from error
        return self._answer(url, credentials.query, received, admitted), sent

    def _refused(self, error: BudgetExhaustedError) -> StellantisError:
        """Give the 429 that cannot be waited for where there was one: the server said no, not our books."""
        if self._throttled is None:
            return error
        left = error.retry_after
        self._throttled.retry_after = None if left is None else max(0.0, left - self._jitter)  # the server's, not ours
        return self._throttled

    def _waited(self, seconds: float, url: str) -> None:
        self._wait_left = max(0.0, self._wait_left - seconds)
        self._report.waited(url, seconds, self._pipeline._priority)

    # ------------------------------------------------------------------------------------------- credentials

    def _fields(self, credentials: Mapping[str, str]) -> dict[str, str]:
        fields = dict(self._pipeline._context.fields)
        for given in (self._request.headers, credentials):
            for name, value in given.items():
                fields[name.lower()] = value
        return fields

    async def _by_flow(self, url: str, auth: httpx.Auth) -> tuple[Response, Mapping[str, str]]:
        """Let one of httpx's authentication flows send what it wants, each request by the same gates."""
        method, content = self._request.method, self._request.content
        pipeline = self._pipeline
        try:
            request = httpx.Request(method, url, headers=self._fields({}), content=content)
        except httpx.InvalidURL as error:
            raise to_network_error(error, url) from error
        flow = auth.async_auth_flow(request)
        try:
            wanted = await anext(flow)
            while True:
                target = str(wanted.url)
                pipeline._origins.check(target)
                started = anyio.current_time()
                try:
                    async with pipeline._limiter.slot(priority=pipeline._priority, max_wait=self._wait_left) as slot:
                        admitted = anyio.current_time()
                        if admitted - started >= _NOTICEABLE:
                            self._waited(admitted - started, target)
                        received = await pipeline._context.exchange.send(
                            wanted.method, target, dict(wanted.headers.items()), wanted.content, slot=slot, shown=url
                        )
                except BudgetExhaustedError as error:
                    raise self._refused(error) from error
                # As bytes, for httpx takes no text but ASCII, and a server may have sent anything.
                plain = [
                    (name.encode("utf-8", "surrogateescape"), value.encode("utf-8", "surrogateescape"))
                    for name, values in received.headers.items()
                    if name not in _HOP_FIELDS
                    for value in (_CHALLENGES.split(values) if name == "www-authenticate" else [values])
                ]
                response = httpx.Response(received.status, headers=plain, content=received.content, request=wanted)
                try:
                    wanted = await flow.asend(response)
                except StopAsyncIteration:
                    return self._answer(url, "", received, admitted), {}
                except (LookupError, ValueError, httpx.HTTPError) as error:  # httpx's own do this on odd challenges
                    raise AuthError(
                        f"{mask_url(url)} answered {received.status} with a challenge that {type(auth).__name__} does "
                        f"not understand ({type(error).__name__})"
                    ) from error
        finally:
            await flow.aclose()

    # ------------------------------------------------------------------------------------------- the answer

    def _answer(self, url: str, query: str, received: RawResponse, admitted: float) -> Response:
        context = self._pipeline._context
        if received.quota is not None:
            context.noted(received.quota)
        if self._report.is_heard:
            seconds = anyio.current_time() - admitted
            self._report.answered(url, received.status, seconds, attempt=self._attempt, quota=received.quota)
        return Response(
            url=remove_client_id(url, query),
            status=received.status,
            headers=received.headers,
            content=received.content,
            received_at=context.clock(),
        )


# Where one challenge ends and the next begins in fields that were joined (RFC 9110 section 11.6.1).
_CHALLENGES = re.compile(r",\s*(?=[A-Za-z][A-Za-z0-9_-]*\s+[A-Za-z0-9_-]+\s*=)")
# Fields that no longer describe the body once it is decompressed and whole.
_HOP_FIELDS = frozenset({"content-encoding", "content-length", "transfer-encoding"})
