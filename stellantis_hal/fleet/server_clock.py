"""Server clock: the wall clock, checked against the ``Date`` of responses."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import datetime, timedelta

from stellantis_hal.hal.clock import utc_now
from stellantis_hal.hal.http_dates import parse_http_date
from stellantis_hal.navigation.resource import HalResource

__all__ = ["ServerClock"]

_log = logging.getLogger("stellantis_hal")

_TOLERANCE = timedelta(minutes=1)
"""Difference up to which clocks agree: a ``Date`` has whole seconds, and a response takes a while."""
_BELIEVED = timedelta(days=36_525)
"""Difference, a century, up to which a server's clock is believed."""
_AGE = re.compile(r"\d{1,9}", re.ASCII)


class ServerClock:
    """The wall clock, and what the ``Date`` of responses says about it.

    A wall clock that is ahead would make today's trips look old tomorrow: what is remembered is bounded by :meth:`now`.

    Args:
        clock: the wall clock; None: that of the client whose response was observed last.
    """

    __slots__ = ("_ahead", "_client_clock", "_clock", "_is_reported")

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        self._clock = clock
        self._client_clock: Callable[[], datetime] = utc_now
        self._ahead: timedelta | None = None
        self._is_reported = False

    def use_client(self, clock: Callable[[], datetime]) -> None:
        """Take a client's clock, before any of its responses."""
        self._client_clock = clock

    def observe(self, resource: HalResource | None) -> None:
        """Compare the client's clock with the server's by a response.

        One without a ``Date``, with one that is a century away, or from the client's own cache changes nothing.
        """
        if resource is None or resource.context is None or resource.from_cache:
            return
        self._client_clock = resource.context.clock
        date = parse_http_date(resource.headers.get("date", ""))
        if date is None:
            return
        age = resource.headers.get("age", "")  # of a response from a cache
        ahead = resource.fetched_at - date - timedelta(seconds=int(age) if _AGE.fullmatch(age) else 0)
        if abs(ahead) > _BELIEVED:
            if not self._is_reported:
                self._is_reported = True
                _log.warning(
                    "the server says %s, which is not believed: trips and ages go by the wall clock",
                    date.isoformat(timespec="seconds"),
                )
            return
        self._ahead = ahead
        own, present = self._read()
        if own != present and not self._is_reported:
            self._is_reported = True
            _log.warning(
                "the wall clock says %s, and the server %s: trips and ages go by the server's; set the clock",
                own.isoformat(timespec="seconds"),
                present.isoformat(timespec="seconds"),
            )

    def wall_time(self) -> datetime:
        """Return the present time by the wall clock."""
        return self._read()[0]

    def time(self) -> datetime:
        """Return the present time: the server's where it is known and the wall clock's differs from it."""
        return self._read()[1]

    def now(self) -> datetime:
        """Return the earlier of both times: what is remembered by it never lies in the future."""
        return min(self._read())

    def bound(self, since: float) -> float:
        """Return a start that was asked for, in seconds since the epoch: at most the server's time, if it was past.

        One that is to come by the wall clock too was meant so.
        """
        own, present = self._read()
        return since if since > own.timestamp() else min(since, present.timestamp())

    @property
    def is_checked(self) -> bool:
        """Whether the server's time is known."""
        return self._ahead is not None

    @property
    def is_wrong(self) -> bool:
        """Whether the wall clock differs from the server's by more than a minute."""
        own, present = self._read()
        return own != present

    def _read(self) -> tuple[datetime, datetime]:
        own = self._client_clock() if self._clock is None else self._clock()
        if self._ahead is None:
            return own, own
        server = self._client_clock() - self._ahead
        return own, own if abs(own - server) <= _TOLERANCE else server
