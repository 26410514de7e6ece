"""Test doubles of the transport layer: a wall clock, a session over a scripted transport, counting credentials."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio

from stellantis_hal.navigation.fetch import Request, Response
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport.pipeline import RequestPipeline
from stellantis_hal.transport.session import Session
from tests.support.transports import Act, ScriptedTransport

__all__ = ["API", "Badge", "call", "get", "session", "wall"]

API = "https://api.test"
_START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def wall() -> datetime:
    """Give a wall clock that leaps as the backend's clock leaps."""
    return _START + timedelta(seconds=anyio.current_time())


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


def session(*acts: Act, trusted: Iterable[str] = (API,), **options: Any) -> tuple[Session, ScriptedTransport]:
    """Make a session over a scripted transport."""
    transport = ScriptedTransport(*acts)
    return Session(Origins(*trusted), transport=transport, clock=wall, **options), transport


async def get(pipeline: RequestPipeline, path: str = "/user", **fields: Any) -> Response:
    """Ask for an address of the API."""
    return await pipeline(Request(url=f"{API}{path}", **fields))


async def call(*acts: Act, path: str = "/user", **options: Any) -> Response:
    """Open a session over a script, and ask once."""
    opened, _ = session(*acts, **options)
    async with opened:
        return await get(opened.pipeline(), path)
