"""A wall clock in step with the jumping one, a transport that follows a script, credentials that keep count."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx

from stellantis_hal.navigation.fetch import Request, Response
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport.pipeline import RequestPipeline
from stellantis_hal.transport.session import Session

__all__ = ["API", "Badge", "Scripted", "call", "get", "session", "wall"]

API = "https://api.test"
_START = datetime(2026, 3, 1, 12, tzinfo=UTC)

Act = httpx.Response | BaseException | Callable[[httpx.Request], httpx.Response | Awaitable[httpx.Response]]


def wall() -> datetime:
    """Give a wall clock that leaps as the backend's clock leaps."""
    return _START + timedelta(seconds=anyio.current_time())


class Scripted(httpx.AsyncBaseTransport):
    """Answers with one act after the other, the last one for ever; keeps what it was sent and when."""

    def __init__(self, *acts: Act) -> None:
        self.acts = list(acts)
        self.requests: list[httpx.Request] = []
        self.times: list[float] = []
        self.closed = False
        self.inside = 0
        self.most_inside = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.times.append(anyio.current_time())
        act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            if isinstance(act, BaseException):
                raise act
            if isinstance(act, httpx.Response):
                return httpx.Response(act.status_code, headers=act.headers, content=act.content)
            answer = act(request)
            return answer if isinstance(answer, httpx.Response) else await answer
        finally:
            self.inside -= 1

    async def aclose(self) -> None:
        self.closed = True


class Badge:
    """Credentials that renew themselves when told to."""

    def __init__(self, query: str = "client_id=app", *, renewals: int = 0) -> None:
        self.query = query
        self.renewals = renewals
        self.serial = 1
        self.refusals: list[tuple[Response, Mapping[str, str]]] = []

    async def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer token-{self.serial}"}

    async def refused(self, answer: Response, sent: Mapping[str, str], /) -> bool:
        self.refusals.append((answer, sent))
        if self.renewals == 0:
            return False
        self.renewals -= 1
        self.serial += 1
        return True


def session(*acts: Act, trusted: Iterable[str] = (API,), **options: Any) -> tuple[Session, Scripted]:
    """Make a session over a scripted transport."""
    transport = Scripted(*acts)
    return Session(Origins(*trusted), transport=transport, clock=wall, **options), transport


async def get(pipeline: RequestPipeline, path: str = "/user", **fields: Any) -> Response:
    """Ask for an address of the API."""
    return await pipeline(Request(url=f"{API}{path}", **fields))


async def call(*acts: Act, path: str = "/user", **options: Any) -> Response:
    """Open a session over a script, and ask once."""
    opened, _ = session(*acts, **options)
    async with opened:
        return await get(opened.pipeline(), path)
