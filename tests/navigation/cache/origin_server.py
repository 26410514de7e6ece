"""A server behind a cache: answers by URL, raises errors as the pipeline does, records requests, has a clock."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import anyio
import attrs

from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.navigation.cache.fetch import CachedFetch
from stellantis_hal.navigation.cache.memory import MemoryCache
from stellantis_hal.navigation.cache.partition_responses import PartitionResponses
from stellantis_hal.navigation.cache.store import CacheStore
from stellantis_hal.navigation.fetch_protocol import Request, Response
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport.api_errors import make_error
from stellantis_hal.transport.conventions import ApiConventions

__all__ = ["NOON", "URL", "OriginServer", "answer_of", "get"]

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
URL = "https://api.example/orders"

Answer = Any
"""A response, an error to raise, or a function of the request that returns either."""


def answer_of(content: bytes | str = b"{}", *, url: str = URL, status: int = 200, **fields: Any) -> Response:
    """Return a response; header fields are written with ``_`` for ``-``."""
    body = content.encode() if isinstance(content, str) else content
    headers = Headers({name.replace("_", "-"): str(value) for name, value in fields.items()})
    return Response(url=url, status=status, headers=headers, content=body, received_at=NOON)


@attrs.define(eq=False)
class OriginServer:
    """A server with an answer for each URL.

    Attributes:
        answers: by URL.
        now: the time of the server and of the client.
        requests: what was received.
        latency: seconds, by the backend's clock, until an answer.
        dated: whether responses have a ``Date``.
    """

    answers: dict[str, Answer] = attrs.field(factory=dict)
    now: datetime = NOON
    requests: list[Request] = attrs.field(factory=list)
    latency: float = 0.0
    dated: bool = True

    def clock(self) -> datetime:
        """Return the time."""
        return self.now

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def answer(self, content: bytes | str = b"{}", *, url: str = URL, status: int = 200, **fields: Any) -> None:
        """Answer a URL with a response from now on; header fields are written with ``_`` for ``-``."""
        self.answers[url] = answer_of(content, url=url, status=status, **fields)

    def cached(self, store: CacheStore | None = None, *, account: str = "alice") -> CachedFetch:
        """Return a cache around the server."""
        copies = PartitionResponses(MemoryCache() if store is None else store, account)
        return CachedFetch(self, copies, Origins(URL, "https://other.example"), self.clock)

    @property
    def sent(self) -> int:
        """The number of requests."""
        return len(self.requests)

    def last(self, name: str) -> str | None:
        """Return a field of the last request."""
        return Headers(self.requests[-1].headers).get(name)

    async def __call__(self, request: Request, /) -> Response:
        self.requests.append(request)
        answer: Any = self.answers[request.url.partition("#")[0]]
        await anyio.sleep(self.latency)
        if callable(answer):
            answer = answer(request)
            if isinstance(answer, Awaitable):
                answer = await answer
        if isinstance(answer, BaseException):
            raise answer
        date = {"date": format_datetime(self.now, usegmt=True)} if self.dated else {}
        given: Response = attrs.evolve(answer, headers=Headers({**date, **answer.headers}), received_at=self.now)
        error = make_error(request, given, now=self.now, conventions=ApiConventions())
        if error is not None:
            raise error
        return given


async def get(cache: Callable[[Request], Awaitable[Response]], url: str = URL, **fields: str) -> Response:
    """Send a GET to a cache; header fields are written with ``_`` for ``-``."""
    return await cache(Request(url=url, headers={name.replace("_", "-"): value for name, value in fields.items()}))
