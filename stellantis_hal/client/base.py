"""What every client has: a session, opened and closed with it.

Knows a session. Must not know what is asked through it.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from stellantis_hal.navigation.origins import Origins
from stellantis_hal.transport.exchange import Timeouts
from stellantis_hal.transport.rate_limit.protocol import RateLimiter
from stellantis_hal.transport.rate_limit.quota import Quota
from stellantis_hal.transport.session import Session
from stellantis_hal.validation import require_type

__all__ = ["Client", "origins_of", "timeouts_of"]


class Client:
    """A session, opened and closed with its client."""

    _session: Session

    @property
    def quota(self) -> Quota:
        """What the server said last is left: ``quota.day.remaining``, ``quota.burst.remaining``; None before that."""
        return self._session.quota

    @property
    def limiter(self) -> RateLimiter:
        """The limiter that every request passes; its ``statistics`` tell what it did."""
        return self._session.limiter

    async def aclose(self) -> None:
        """Close what the client opened; a transport that was given stays its owner's."""
        await self._session.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def origins_of(url: str, trusted: Iterable[str] | str) -> Origins:
    """Trust an address's own origin, and those named; a text is one of them.

    Raises:
        ValueError: an address has no http or https origin.
    """
    return Origins(url, *([trusted] if isinstance(trusted, str) else trusted))


def timeouts_of(timeout: float | Timeouts | None) -> Timeouts | None:
    """Read a number as the seconds that a server may be silent, before there is a connection, too.

    Raises:
        TypeError: it is neither that nor bounds.
    """
    require_type("timeout", timeout, int, float, Timeouts, None)
    if not isinstance(timeout, int | float):
        return timeout
    usual = Timeouts()
    return Timeouts(read=timeout, connect=min(timeout, usual.connect), total=max(timeout, usual.total))
