"""Test doubles of the transport layer: a wall clock, a session over a scripted transport, counting credentials."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
import httpx

from stellantis_hal.errors import ApiError, NetworkError, StellantisError
from stellantis_hal.navigation.fetch_protocol import Request, Response
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport.conventions import ApiConventions
from stellantis_hal.transport.pipeline import RequestPipeline
from stellantis_hal.transport.rate_limit.quota_headers import QuotaHeaderNames
from stellantis_hal.transport.retry import RetryPolicy, repeat_failed
from stellantis_hal.transport.session import Session
from tests.support.transports import Act, ScriptedTransport

__all__ = [
    "API",
    "CONVENTIONS",
    "OK",
    "Badge",
    "WatchedBody",
    "call",
    "call_with_retries",
    "get",
    "redirect_to",
    "response_with",
    "session",
    "wall",
]

T = TypeVar("T")
API = "https://api.test"
CONVENTIONS = ApiConventions(
    quota_headers=QuotaHeaderNames(
        day_limit="X-RateLimit-Limit-1",
        day_remaining="X-RateLimit-Remaining-1",
        burst_limit="X-RateLimit-Limit-2",
        burst_remaining="X-RateLimit-Remaining-2",
    ),
    transaction_id_header="X-Global-Transaction-ID",
    misconfiguration_phrases=("not registered to plan", "invalid client id or secret"),
    misconfiguration_advice="Check the certificate and the plan that the application is registered to.",
    advice={403: "Often a scope that the account holder did not grant."},
)
"""Those of an API that states quotas, as the tests' servers do."""
OK = httpx.Response(200, json={"vin": "x"})
_START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def wall() -> datetime:
    """Return the time of a wall clock in step with the backend's clock."""
    return _START + timedelta(seconds=anyio.current_time())


class Badge:
    """Credentials with a number of renewals; records refusals."""

    def __init__(self, query: str = "client_id=app", *, renewals: int = 0) -> None:
        self.query = query
        self.renewals = renewals
        self.serial = 1
        self.refusals: list[tuple[Response, Mapping[str, str]]] = []

    async def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer token-{self.serial}"}

    async def refused(self, response: Response, sent: Mapping[str, str], /) -> bool:
        self.refusals.append((response, sent))
        if self.renewals == 0:
            return False
        self.renewals -= 1
        self.serial += 1
        return True


class WatchedBody(httpx.AsyncByteStream):
    """A body that breaks off with an error, or hangs, and records that it was closed."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"{"
        if self.error is not None:
            raise self.error
        await anyio.sleep(1000)

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.closed = True


def redirect_to(location: str, status: int = 302) -> httpx.Response:
    """Return a redirect."""
    return httpx.Response(status, headers={"Location": location})


def response_with(status: int, **headers: str) -> httpx.Response:
    """Return a response with these headers: ``Retry_After="7"``."""
    return httpx.Response(status, headers={name.replace("_", "-"): value for name, value in headers.items()})


def session(
    *acts: Act, trusted: Iterable[str] = (API,), conventions: ApiConventions = CONVENTIONS, **options: Any
) -> tuple[Session, ScriptedTransport]:
    """Make a session over a scripted transport."""
    transport = ScriptedTransport(*acts)
    return Session(Origins(*trusted), transport=transport, conventions=conventions, clock=wall, **options), transport


async def get(pipeline: RequestPipeline, path: str = "/user", **fields: Any) -> Response:
    """Send a GET of a path of the API."""
    return await pipeline(Request(url=f"{API}{path}", **fields))


async def call(*acts: Act, path: str = "/user", **options: Any) -> Response:
    """Open a session over a script, send one GET."""
    opened, _ = session(*acts, **options)
    async with opened:
        return await get(opened.pipeline(), path)


async def call_with_retries(
    attempt: Callable[[], Awaitable[T]],
    policy: RetryPolicy,
    *,
    repeatable: bool,
    on_retry: Callable[[StellantisError, float, int], None],
    waited: Callable[[], float] = lambda: 0.0,
    is_spent: Callable[[], bool] = lambda: False,
    now: Callable[[], float] = anyio.current_time,
    started: float | None = None,
) -> T:
    """Make a first attempt, and repeat it by the policy, as a pipeline does."""
    began = now() if started is None else started
    try:
        return await attempt()
    except (NetworkError, ApiError) as error:
        failures = [error]
    return await repeat_failed(
        failures,
        attempt,
        policy,
        repeatable=repeatable,
        on_retry=on_retry,
        waited=waited,
        is_spent=is_spent,
        now=now,
        started=began,
    )
