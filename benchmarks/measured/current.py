"""The package of this tree."""

from __future__ import annotations

import functools
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from stellantis_hal import (
    Account,
    HalDocument,
    HalResource,
    RateLimiter,
    RateLimits,
    ReportedQuota,
    ReportedWindow,
    TokenBucketLimiter,
)
from stellantis_hal.credentials.stores.file_format import serialize_tokens
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.hal.json import decode, encode
from stellantis_hal.hal.uri import append_query, resolve
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.fetch_protocol import Fetch, Request, Response
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.structuring.converter import TypedConverter, read
from stellantis_hal.transport.rate_limit.day_window import DayWindow
from stellantis_hal.transport.rate_limit.single_process_ledger import QuotaLedger
from stellantis_hal.transport.session import Session

__all__ = [
    "Fetch",
    "HalDocument",
    "ReportedQuota",
    "ReportedWindow",
    "Request",
    "Response",
    "append_query",
    "decode",
    "dispatch_all",
    "encode",
    "fetch_of",
    "from_url",
    "make_reader",
    "make_resource",
    "make_response",
    "open_fetch",
    "read",
    "resolve",
    "serialize_tokens",
    "take_day_tokens",
    "take_tokens",
]

_HEADERS = Headers({"content-type": "application/hal+json", "x-ratelimit-remaining-2": "99"})


def make_response(url: str, content: bytes) -> Response:
    """Return a response as a session would."""
    return Response(url=url, status=200, headers=_HEADERS, content=content, received_at=datetime.now(UTC))


async def _refuse(request: Request, /) -> Response:
    raise AssertionError(f"{request.url} was requested")


def make_resource(url: str, content: bytes, fetch: Any = _refuse) -> HalResource:
    """Return a resource of a body; without ``fetch``, nothing may be fetched."""
    return HalResource.of(make_response(url, content), _context_of(fetch))


@functools.cache
def _context_of(fetch: Any) -> ResourceContext:
    """Return the context of all resources of one fetch, as those of an account have one."""
    return ResourceContext(fetch=fetch)


async def from_url(url: str, fetch: Fetch) -> HalResource:
    """Return the resource that a fetch returns for a URL."""
    return await HalResource.from_url(url, ResourceContext(fetch=fetch))


def make_reader(*, keep_document: bool = True) -> Callable[[HalResource, Any], Any]:
    """Return a function that makes a typed value of a resource, bound to it."""
    return TypedConverter(keep_document=keep_document).structure


def fetch_of(account: Account) -> Fetch:
    """Return the fetch of an account: all layers below the resources."""
    return account._context.fetch


@asynccontextmanager
async def open_fetch(url: str, limiter: RateLimiter) -> AsyncGenerator[tuple[Fetch, Fetch]]:
    """Open a session; yield a fetch that waits for the limiter up to an hour, and one without a limit."""
    async with Session(Origins(url), limiter=limiter) as session:
        yield session.pipeline(max_wait=3600.0), session.pipeline(limited=False)


def take_tokens(turns: int) -> float:
    """Take and account for tokens of both windows; return the CPU time of one in microseconds."""
    ledger = QuotaLedger(RateLimits(1_000_000, 100_000_000), interactive_share=0.1)
    start = time.process_time()
    for turn in range(turns):
        now = turn * 0.001
        ledger.advance(now)
        minute = ledger.take(now, background=False)
        sending = ledger.burst.sent(now)
        ledger.advance(now)
        ledger.answered(now, minute, 0.01, sending)
    return (time.process_time() - start) / turns * 1e6


def take_day_tokens(turns: int) -> float:
    """Take tokens of the day window alone; return the CPU time of one in microseconds."""
    window = DayWindow(100_000_000)
    start = time.process_time()
    for turn in range(turns):
        window.advance(turn * 0.01)
        if window.available() >= 1:
            window.take()
    return (time.process_time() - start) / turns * 1e6


def dispatch_all(limiter: TokenBucketLimiter) -> float:
    """End the pause of a limiter and let all that wait go; return the CPU time of it in seconds."""
    limiter._ledger.paused_until = 0.0
    now = limiter._queue.advance()
    start = time.process_time()
    limiter._queue._dispatch(now)
    return time.process_time() - start
