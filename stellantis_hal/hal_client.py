"""The client for any HAL API: the navigator over a session.

Knows which part serves which. Must not know Stellantis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import httpx

from stellantis_hal.client.base import Client, origins_of, timeouts_of
from stellantis_hal.hal.clock import utc_now
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.entry_point import EntryPoint
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.transport.credentials import Credentials
from stellantis_hal.transport.exchange import Timeouts
from stellantis_hal.transport.hooks import Hooks
from stellantis_hal.transport.rate_limit.protocol import Priority, RateLimiter
from stellantis_hal.transport.retry import RetryPolicy
from stellantis_hal.transport.session import Session
from stellantis_hal.transport.tls import Tls

__all__ = ["HalClient"]


class HalClient(Client, EntryPoint):
    """A client for any HAL API.

    Args:
        entry_url: where to start; its own origin is trusted.
        auth: what identifies the caller, on trusted origins only: any ``httpx.Auth``, or credentials of one's own.
        trusted_origins: other origins of the same API, by any address on them.
        limiter: what requests wait for; None counts nothing, and pauses everybody after a 429 all the same.
        retry: for connections that fail, time-outs and 5xx.
        timeout: seconds without a byte, or without a connection; or bounds for each phase.
        transport: any of httpx's, borrowed; None makes one at the first request.
        tls: a client certificate, other authorities; for a transport of its own only.
        hooks: who is told of answers, waits and retries.
        structure: makes a value of a resource, for ``Rel("orders", Order)``.
        priority: "background" leaves a share of the limits to "interactive".
        max_wait: seconds that one call may wait for the limits.
        clock: the wall clock, aware.

    Raises:
        ValueError: an address has no http or https origin.
    """

    def __init__(
        self,
        entry_url: str,
        *,
        auth: httpx.Auth | Credentials | None = None,
        trusted_origins: Iterable[str] | str = (),
        limiter: RateLimiter | None = None,
        retry: RetryPolicy | None = None,
        timeout: float | Timeouts | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        tls: Tls | None = None,
        hooks: Hooks | None = None,
        structure: Callable[[HalResource, type[Any]], Any] | None = None,
        priority: Priority = "interactive",
        max_wait: float = 60.0,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._session = Session(
            origins_of(entry_url, trusted_origins),
            transport=transport,
            limiter=limiter,
            retry=retry,
            timeouts=timeouts_of(timeout),
            tls=tls,
            hooks=hooks,
            clock=clock,
        )
        fetch = self._session.pipeline(credentials=auth, priority=priority, max_wait=max_wait)
        context = (
            ResourceContext(fetch=fetch, clock=clock) if structure is None else ResourceContext(fetch, clock, structure)
        )
        EntryPoint.__init__(self, entry_url, context)
