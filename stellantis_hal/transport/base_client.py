"""The base of the clients: a session, closed with the client."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from stellantis_hal.navigation.fetch_protocol import Fetch
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport.bounded_backend import Timeouts
from stellantis_hal.transport.retry import RetryPolicy
from stellantis_hal.validation import require_type

if TYPE_CHECKING:
    from stellantis_hal.transport.rate_limit.protocol import RateLimiter
    from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota
    from stellantis_hal.transport.session import Session

__all__ = ["BaseClient", "identity_fetch", "to_origins", "to_timeouts"]


class BaseClient:
    """A client that owns a session: ``async with`` closes it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def quota(self) -> ReportedQuota:
        """The quota that the server stated last (``quota.day.remaining``, ``quota.burst.remaining``); None before."""
        return self._session.quota

    @property
    def limiter(self) -> RateLimiter:
        """The limiter that every request passes; see its ``statistics``."""
        return self._session.limiter

    async def aclose(self) -> None:
        """Close what the client opened; a transport that was passed in stays open."""
        await self._session.aclose()

    async def __aenter__(self) -> Self:
        """Return the client.

        Raises:
            ClosedClientError: it was closed.
            WrongLoopError: it was used before in another event loop, thread or process.
        """
        self._session.check_use()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def identity_fetch(session: Session, urls: tuple[str, ...], max_wait: float) -> Fetch:
    """Return the pipeline to an identity server: no limiter, no credentials, no retries (a renewal has its own)."""
    return session.pipeline(origins=Origins(*urls), limited=False, retry=RetryPolicy(attempts=1), max_wait=max_wait)


def to_origins(url: str, trusted: Iterable[str] | str) -> Origins:
    """Return the origin of an address and those of the trusted addresses; a ``str`` is one address.

    Raises:
        ValueError: an address has no http or https origin.
    """
    return Origins(url, *([trusted] if isinstance(trusted, str) else trusted))


def to_timeouts(timeout: float | Timeouts | None) -> Timeouts | None:
    """Return bounds for each phase, where a number bounds the silence of the server and the time to connect.

    Raises:
        TypeError: it is neither a number nor ``Timeouts``.
    """
    require_type("timeout", timeout, int, float, Timeouts, None)
    if not isinstance(timeout, int | float):
        return timeout
    default = Timeouts()
    return Timeouts(read=timeout, connect=min(timeout, default.connect), total=max(timeout, default.total))
