"""The package of commit e0f4d8e, the "today" of the second table of targets.

Its modules have other names than those of this tree, so they are imported by name, and types are left out.
"""

from __future__ import annotations

import functools
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from stellantis_hal import HalDocument, HalResource, RateLimits

_package: Any = import_module("stellantis_hal")
_fetch: Any = import_module("stellantis_hal.navigation.fetch")
_json: Any = import_module("stellantis_hal.hal.json")
_uri: Any = import_module("stellantis_hal.hal.uri")
_reader: Any = import_module("stellantis_hal.resources.reader")
_Binding: Any = import_module("stellantis_hal.navigation.binding").Binding
_Session: Any = import_module("stellantis_hal.transport.session").Session
_Origins: Any = import_module("stellantis_hal.navigation.origins").Origins
_Books: Any = import_module("stellantis_hal.transport.books").Books
_DayWindow: Any = import_module("stellantis_hal.transport.bucket").DayWindow

ReportedQuota: Any = _package.Quota
ReportedWindow: Any = _package.Window
Request: Any = _fetch.Request
Response: Any = _fetch.Answer
Fetch: Any = _fetch.Fetch
decode: Any = _json.decode
encode: Any = _json.encode
append_query: Any = _uri.append_query
resolve: Any = _uri.resolve
read: Any = _reader.read
serialize_tokens: Any = import_module("stellantis_hal.auth.token_file").write_tokens

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

_HEADERS = _fetch.Headers({"content-type": "application/hal+json", "x-ratelimit-remaining-2": "99"})


def make_response(url: str, content: bytes) -> Any:
    """Return a response as a session would."""
    return Response(url=url, status=200, headers=_HEADERS, content=content, received_at=datetime.now(UTC))


async def _refuse(request: Any, /) -> Any:
    raise AssertionError(f"{request.url} was requested")


def make_resource(url: str, content: bytes, fetch: Any = _refuse) -> HalResource:
    """Return a resource of a body; without ``fetch``, nothing may be fetched."""
    of: Callable[..., HalResource] = HalResource.of
    return of(make_response(url, content), _binding_of(fetch))


@functools.cache
def _binding_of(fetch: Any) -> Any:
    """Return the binding of all resources of one fetch, as those of an account have one."""
    return _Binding(fetch=fetch)


async def from_url(url: str, fetch: Any) -> HalResource:
    """Return the resource that a fetch returns for a URL."""
    response = await fetch(Request(url=url))
    of: Callable[..., HalResource] = HalResource.of
    return of(response, _Binding(fetch=fetch))


def make_reader(*, keep_document: bool = True) -> Callable[[HalResource, Any], Any]:
    """Return a function that makes a typed value of a resource, bound to it."""
    made: Callable[[HalResource, Any], Any] = _reader.Reader(keep_document=keep_document).read
    return made


def fetch_of(account: Any) -> Any:
    """Return the fetch of an account: all layers below the resources."""
    return account._binding.fetch


@asynccontextmanager
async def open_fetch(url: str, limiter: Any) -> AsyncGenerator[tuple[Any, Any]]:
    """Open a session; yield a fetch that waits for the limiter up to an hour, and one without a limit."""
    async with _Session(_Origins(url), limiter=limiter) as session:
        yield session.caller(max_wait=3600.0), session.caller(limited=False)


def take_tokens(turns: int) -> float:
    """Take and account for tokens of both windows; return the CPU time of one in microseconds."""
    books = _Books(RateLimits(1_000_000, 100_000_000), interactive_share=0.1)
    start = time.process_time()
    for turn in range(turns):
        now = turn * 0.001
        books.settle(now, now)
        minute = books.take(now, background=False)
        books.settle(now, now)
        books.answered(now, minute, 0.01)
    return (time.process_time() - start) / turns * 1e6


def take_day_tokens(turns: int) -> float:
    """Take tokens of the day window alone; return the CPU time of one in microseconds."""
    window = _DayWindow(100_000_000)
    start = time.process_time()
    for turn in range(turns):
        window.settle(turn * 0.01)
        if window.available() >= 1:
            window.take()
    return (time.process_time() - start) / turns * 1e6


def dispatch_all(limiter: Any) -> float:
    """End the pause of a limiter and let all that wait go; return the CPU time of it in seconds."""
    limiter._books.paused_until = 0.0
    now, wall = limiter._settle()
    start = time.process_time()
    limiter._dispatch(now, wall)
    return time.process_time() - start
