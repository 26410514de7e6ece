"""Request pipeline: retries, then redirects, then credentials, then the limiter, then the exchange."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Literal

import anyio
import attrs

from stellantis_hal.errors import (
    ApiError,
    BudgetExhaustedError,
    LimiterSlotExpiredError,
    NetworkError,
    RateLimitedError,
    StellantisError,
    TooManyRedirectsError,
    UnauthorizedError,
)
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.hal.uri import resolve, to_ascii
from stellantis_hal.navigation.fetch_protocol import Request, Response, StreamedResponse
from stellantis_hal.navigation.origins import ANY_ORIGIN, Origins
from stellantis_hal.navigation.partial_responses import PARTIAL, require_whole
from stellantis_hal.navigation.streamed_request_bodies import Content, StreamedRequestBody
from stellantis_hal.transport.api_errors import ErrorFactory
from stellantis_hal.transport.bounded_backend import BoundedBackend, OutgoingRequest
from stellantis_hal.transport.credentials import Anonymous, Credentials, add_client_id, remove_client_id
from stellantis_hal.transport.echoed_secrets import hide_echoed_secrets, secrets_of
from stellantis_hal.transport.hooks import CallReporter, Hooks, takes_responses
from stellantis_hal.transport.rate_limit.protocol import REFUSAL, Priority, RateLimiter, Slot
from stellantis_hal.transport.rate_limit.quota_headers import UNREADABLE, ReportedQuota
from stellantis_hal.transport.retry import RetryPolicy, repeat_failed
from stellantis_hal.transport.semaphore import TimedSemaphore
from stellantis_hal.transport.streamed_response_bodies import StreamedBodyHolder

if TYPE_CHECKING:
    import httpx

__all__ = ["PipelineContext", "PipelineOptions", "RequestPipeline"]

_random = random.SystemRandom()
_ANONYMOUS = Anonymous()
_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEPING_METHOD = frozenset({307, 308})
_NO_HEADERS: Mapping[str, str] = {}
_SHORTEST_WAIT = 0.001
"""Seconds from which on the limiter has made a request wait."""
_FIRST_PAUSE = 0.1
_LONGEST_MINIMUM = 10.0
_MAX_STALE_SLOTS = 10
_MAX_RENEWALS = 3
"""Slots of one attempt that are given back because the credentials expired during the wait."""


@attrs.frozen(kw_only=True)
class PipelineContext:
    """What all pipelines of one session share.

    Attributes:
        exchange: sends.
        headers: of every request, by lower-case name.
        max_redirects: hops.
        hooks: called on responses, waits and retries.
        record_quota: called with each quota that a response states.
        queue: where its requests wait for a connection; None for that of the API.
    """

    exchange: BoundedBackend
    headers: Mapping[str, str]
    max_redirects: int
    hooks: Hooks
    record_quota: Callable[[ReportedQuota], None]
    queue: TimedSemaphore | None = None


@attrs.frozen(kw_only=True)
class PipelineOptions:
    """What one pipeline sends with.

    Attributes:
        origins: the trusted origins.
        limiter: what each attempt waits for.
        retry: the policy.
        credentials: of the caller; anonymous ones beside ``auth``.
        make_error: returns the error that a response stands for.
        priority: of its requests.
        max_wait: seconds that one call may wait for the limiter, all its attempts together.
        account: key of the account, for hooks and log lines; None without one.
        auth: a flow of httpx that signs the requests instead of ``credentials``; None for none.
    """

    origins: Origins
    limiter: RateLimiter
    retry: RetryPolicy
    credentials: Credentials
    make_error: ErrorFactory
    priority: Priority
    max_wait: float
    account: str | None = None
    auth: httpx.Auth | None = None


class RequestPipeline:
    """Implements :class:`~stellantis_hal.navigation.fetch_protocol.Fetch`; made by :meth:`Session.pipeline`."""

    __slots__ = ("_context", "_options")

    def __init__(self, context: PipelineContext, options: PipelineOptions) -> None:
        self._context = context
        self._options = options

    @property
    def limiter(self) -> RateLimiter:
        """The limiter that its requests wait for."""
        return self._options.limiter

    @property
    def credentials(self) -> Credentials | httpx.Auth:
        """The credentials that its requests are sent with."""
        return self._options.credentials if self._options.auth is None else self._options.auth

    def with_options(self, *, priority: Priority | None = None, max_wait: float | None = None) -> RequestPipeline:
        """Return the same pipeline with another priority, or another bound on waiting for the limiter, in seconds."""
        priority = self._options.priority if priority is None else priority
        max_wait = self._options.max_wait if max_wait is None else max_wait
        return RequestPipeline(self._context, attrs.evolve(self._options, priority=priority, max_wait=max_wait))

    def __call__(self, request: Request, /) -> CoroutineType[Any, Any, Response]:
        """Send a request, return its response.

        Raises:
            ClosedClientError: the session was closed.
            WrongLoopError: the session was used before in another event loop, thread or process.
            UntrustedOriginError: it, or a redirect, leads off the trusted origins; nothing was sent there.
            NetworkError: no complete response arrived.
            ApiError: the response is an error.
            QuotaError: the wait for the limiter would be longer than allowed.
            AuthError: there are no credentials that the server accepts.
        """
        call = _Call(self._context, self._options, request)
        return call.run()  # type: ignore[return-value]  # the same by mypy's name and by pyright's

    @asynccontextmanager
    async def stream(
        self, request: Request, /, *, limit: int, credentials: bool = True
    ) -> AsyncGenerator[StreamedResponse]:
        """Send a GET request; return its response, whose body is read piece by piece.

        It is sent again, as by a call, until its headers have arrived, and never afterwards.

        Args:
            request: the request.
            limit: bytes, decompressed, at most.
            credentials: False: nothing that identifies the caller is sent, and any origin may be asked, except that a
                redirect from https to http, or from elsewhere to this machine or network, is not followed.

        Raises:
            UntrustedOriginError: it, or a redirect, leads off the trusted origins; nothing was sent there.
            NetworkError: no headers arrived.
            ApiError: the response is an error.
            QuotaError: the wait for the limiter would be longer than allowed.
            AuthError: there are no credentials that the server accepts.
        """
        options = self._options
        if not credentials:
            options = attrs.evolve(options, credentials=_ANONYMOUS, auth=None, origins=ANY_ORIGIN)
        receiver = StreamedBodyHolder(limit)
        try:
            call = _Call(self._context, options, request, receiver, api=self._options.origins)
            response = await call.run()
            yield StreamedResponse(
                url=response.url,
                status=response.status,
                headers=response.headers,
                received_at=response.received_at,
                chunks=receiver.body,
            )
        finally:
            await receiver.aclose()


class _Call:
    """The state of one call: its attempts, its waits, its last refusals."""

    # What changes in few calls is set in those only.
    _attempt = 0
    _jitter = 0.0
    _pauses = 0
    _resume_at = -math.inf
    _renewed = False
    _rate_limited: RateLimitedError | None = None
    _granted_at = 0.0
    _credential_headers: Mapping[str, str] = _NO_HEADERS
    _sent_headers: Mapping[str, str] = _NO_HEADERS
    _quota: ReportedQuota | None = None

    def __init__(
        self,
        context: PipelineContext,
        options: PipelineOptions,
        request: Request,
        receiver: StreamedBodyHolder | None = None,
        api: Origins | None = None,
    ) -> None:
        self._context = context
        self._options = options
        self._request = request
        self._receiver = receiver
        self._api = api
        self._request_id = context.hooks.next_request_id()
        self._wait_left = options.max_wait

    @property
    def _observer(self) -> CallReporter:
        options = self._options
        return CallReporter(
            self._context.hooks, self._request_id, self._request.method, options.account, options.priority
        )

    async def run(self) -> Response:
        """Send, again where the policy allows it; report how the call ended."""
        exchange = self._context.exchange
        started = exchange.now()
        try:
            exchange.check_use()
            response: Response | None = None
            failures: list[NetworkError | ApiError] = []
            try:
                response = await self._make_attempt()
            except (NetworkError, ApiError) as error:
                failures.append(error)
            if response is None:
                response = await self._repeat(failures, started)
        except BaseException as error:
            self._report_end(started, error)
            raise
        if self._context.hooks.on_end is not None:
            self._report_end(started, None)
        return response

    def _repeat(self, failures: list[NetworkError | ApiError], started: float) -> Awaitable[Response]:
        return repeat_failed(
            failures,
            self._make_attempt,
            self._options.retry,
            repeatable=self._is_repeatable,
            on_retry=self._report_retry,
            waited=self._waited,
            is_spent=self._is_spent,
            now=self._context.exchange.now,
            started=started,
        )

    @property
    def _is_repeatable(self) -> bool:
        request = self._request
        return request.method in _REPEATABLE if request.repeatable is None else request.repeatable

    async def _make_attempt(self) -> Response:
        """Send until neither the limits nor the credentials call for another try."""
        self._attempt += 1
        options, request = self._options, self._request
        url = request.url
        while True:
            options.origins.check(url)
            if options.auth is None:
                response = await self._send(url, options.credentials)
            else:
                response = await self._send_by_flow(url, options.auth)
            self._record_response(url, response)
            if response.status in _REDIRECTS:
                response = await self._follow_redirects(response)
            error = options.make_error(request, response)
            if error is None:
                if response.status == PARTIAL:
                    self._require_whole(response)
                return response
            hide_echoed_secrets(error, secrets_of({**request.headers, **self._sent_headers}, request.content))
            if isinstance(error, RateLimitedError):
                self._pause(error)
                if self._is_spent():
                    raise error
                continue
            self._rate_limited = None
            if isinstance(error, UnauthorizedError) and not self._renewed:
                renewed = options.auth is None and await options.credentials.refused(response, self._credential_headers)
                self._renewed = True  # not before: a renewal that raises may be tried again by the next attempt
                if renewed and not self._is_spent():
                    continue
            raise error

    def _require_whole(self, response: Response) -> None:
        if self._receiver is None and not any(name.lower() == "range" for name in self._request.headers):
            require_whole(response.url, response.headers, is_document=True)

    def _is_spent(self) -> bool:
        """Return whether the body was read once and cannot be read again."""
        content = self._request.content
        return isinstance(content, StreamedRequestBody) and content.is_spent

    def _waited(self) -> float:
        """Return the seconds spent waiting for the limiter."""
        return self._options.max_wait - self._wait_left

    def _report_retry(self, error: StellantisError, wait: float, attempt: int) -> None:
        """Report that a failed attempt will be followed by another."""
        self._observer.on_retry(self._request.url, error, wait=wait, attempt=attempt)

    def _report_end(self, started: float, error: BaseException | None) -> None:
        """Report how the call ended."""
        url, attempt, observer = self._request.url, self._attempt, self._observer
        seconds, waited = self._context.exchange.now() - started, self._waited()
        if isinstance(error, StellantisError):
            observer.on_failure(url, error, seconds=seconds, waited=waited, attempt=attempt)
            outcome: Literal["response", "error", "cancelled"] = "error"
        else:
            outcome = "response" if error is None else "cancelled"
        observer.on_end(url, outcome, seconds=seconds, waited=waited, attempt=attempt)

    def _pause(self, error: RateLimitedError) -> None:
        """Pause the limiter until the server's instant, and a random moment more, to spread the load.

        Each time that a server refuses again after no wait, the shortest pause doubles.
        """
        now = self._context.exchange.now()
        if self._api is not None and not self._api.trusts(error.url):
            raise error  # the limits of another host are not those of the API
        if now < self._resume_at:  # without this, a limiter that does not pause would make a loop
            raise error
        minimum = min(_FIRST_PAUSE * 2**self._pauses, _LONGEST_MINIMUM)
        self._pauses += 1
        asked = UNREADABLE if error.retry_after is None else error.retry_after
        seconds = max(asked, minimum)
        jitter = _random.uniform(0.0, min(1.0, 0.05 + 0.05 * seconds))
        room = min(self._wait_left, anyio.current_effective_deadline() - now) - seconds
        if room >= 0:  # the jitter must not make impossible what the server's wait allows
            jitter = min(jitter, room / 2)
        self._jitter = jitter
        seconds += jitter
        self._observer.on_pause(self._request.url, seconds, attempt=self._attempt)
        self._rate_limited = error
        self._resume_at = now + seconds
        self._options.limiter.pause(seconds, REFUSAL)

    async def _follow_redirects(self, response: Response) -> Response:
        """Return the response at the end of the redirects, or the redirect that is not followed."""
        options, request = self._options, self._request
        url = request.url
        for hops_left in range(self._context.max_redirects, -1, -1):
            location = response.headers.by_lower_name.get("location") if response.status in _REDIRECTS else None
            if location is None or not self._is_followed(response.status):
                return response
            target = resolve(url, to_ascii(location)).partition("#")[0]
            options.origins.check_redirect(url, target)
            url = target
            if hops_left:
                if options.auth is None:
                    response = await self._send(url, options.credentials)
                else:
                    response = await self._send_by_flow(url, options.auth)
                self._record_response(url, response)
        raise TooManyRedirectsError(
            f"{request.method} {mask_url(request.url)}: more than {self._context.max_redirects} redirects, "
            f"the next one to {mask_url(url)}",
            url=url,
            sent=True,
            is_transient=False,
        )

    def _is_followed(self, status: int) -> bool:
        """Return whether the redirect is followed: of a write only one that keeps its method and its body."""
        return self._request.method in {"GET", "HEAD"} or (status in _KEEPING_METHOD and not self._is_spent())

    async def _send(self, url: str, credentials: Credentials, signed: OutgoingRequest | None = None) -> Response:
        """Wait for the credentials, then for a slot of the limiter, then send.

        Args:
            url: without credentials.
            credentials: ready before a slot is taken, which a renewal would hold; those that have expired when it is
                granted are renewed without it.
            signed: the request to send; None for the call's own, with these credentials.
        """
        options, context = self._options, self._context
        exchange = context.exchange
        stale_slots = renewals = 0
        headers = await credentials.headers()
        while True:
            started = exchange.now()
            try:
                async with options.limiter.slot(priority=options.priority, max_wait=self._wait_left) as slot:
                    self._granted_at = granted_at = exchange.now()
                    if granted_at - started >= _SHORTEST_WAIT:
                        self._record_wait(url, granted_at - started)
                    current = headers if renewals == _MAX_RENEWALS else _current_headers(credentials, headers)
                    if current is not None:
                        outgoing = self._authorized(url, credentials, current) if signed is None else signed
                        hook = context.hooks.on_request
                        if hook is not None:
                            size = _size_of(self._request.content)
                            self._observer.on_request(hook, url, attempt=self._attempt, size=size)
                        if self._request.on_sending is not None:
                            self._request.on_sending()
                        if self._api is None or self._api.trusts(url):
                            response, self._quota = await exchange.send(outgoing, slot, context.queue, self._receiver)
                        else:
                            foreign = _ForeignSlot(slot)
                            response, _ = await exchange.send(outgoing, foreign, context.queue, self._receiver)
                            self._quota = None
                        return response
            except BudgetExhaustedError as error:
                raise self._refused(error) from error
            except LimiterSlotExpiredError:
                stale_slots += 1
                if stale_slots == _MAX_STALE_SLOTS:  # a limiter without any other would make a loop
                    raise
                continue
            renewals += 1
            headers = await credentials.headers()

    def _authorized(self, url: str, credentials: Credentials, headers: Mapping[str, str]) -> OutgoingRequest:
        self._credential_headers, query = headers, credentials.query
        self._sent_headers = headers
        return OutgoingRequest(
            self._request.method,
            add_client_id(url, query),
            self._headers(headers),
            self._request.content,
            remove_client_id(url, query),
        )

    async def _send_by_flow(self, url: str, auth: httpx.Auth) -> Response:
        from stellantis_hal.transport.httpx_auth_runner import send_with_auth

        request = self._request
        unsigned = OutgoingRequest(request.method, url, self._headers({}), request.content, url)
        return await send_with_auth(auth, unsigned, self._send_signed)

    async def _send_signed(self, signed: OutgoingRequest) -> Response:
        self._options.origins.check(signed.url)
        self._sent_headers = signed.headers
        return await self._send(signed.url, _ANONYMOUS, signed)

    def _headers(self, credentials: Mapping[str, str]) -> dict[str, str]:
        headers = dict(self._context.headers)
        for name, value in self._request.headers.items():
            headers[name.lower()] = value
        if isinstance(credentials, Headers):
            headers.update(credentials.by_lower_name)
        else:
            for name, value in credentials.items():
                headers[name.lower()] = value
        return headers

    def _refused(self, error: BudgetExhaustedError) -> StellantisError:
        """Return the 429 that cannot be waited for, where there was one: the server refused, not the limiter."""
        if self._rate_limited is None:
            return error
        left = error.retry_after
        # The server's wait, without the jitter.
        self._rate_limited.retry_after = None if left is None else max(0.0, left - self._jitter)
        return self._rate_limited

    def _record_wait(self, url: str, seconds: float) -> None:
        self._wait_left = max(0.0, self._wait_left - seconds)
        self._observer.on_wait(url, seconds, attempt=self._attempt)

    def _record_response(self, url: str, response: Response) -> None:
        if self._quota is not None:
            self._context.record_quota(self._quota)
        if takes_responses(self._context.hooks):
            seconds = self._context.exchange.now() - self._granted_at
            size = len(response.content)
            self._observer.on_response(
                url, response.status, seconds, attempt=self._attempt, size=size, quota=self._quota
            )


def _current_headers(credentials: Credentials, headers: Mapping[str, str]) -> Mapping[str, str] | None:
    """Return the headers to send now; None where these have expired during the wait."""
    look: Callable[[], Mapping[str, str] | None] | None = getattr(credentials, "current_headers", None)
    return headers if look is None else look()


def _size_of(content: Content | None) -> int | None:
    """Return the bytes of a body; None where they are not known before it is sent."""
    return content.length if isinstance(content, StreamedRequestBody) else len(content or b"")


class _ForeignSlot:
    """A slot whose request goes to another host than the API's: the quota stated there is not the API's."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot

    def sent(self) -> None:
        self._slot.sent()

    def answered(self, quota: ReportedQuota | None = None) -> None:
        self._slot.answered()
