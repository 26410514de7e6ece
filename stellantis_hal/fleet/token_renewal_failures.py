"""Outages of identity servers during a backfill, as token renewals that fail show them."""

from __future__ import annotations

from stellantis_hal.fleet.failure_scopes import back_off
from stellantis_hal.fleet.probe_intervals import FIRST_PROBE, LONGEST_PROBE

__all__ = ["TokenRenewalFailures"]

_NEEDED = 3
"""Failed renewals in a row that are an outage."""
_LONGEST_OUTAGE = 21_600.0
"""Seconds after which a backfill waits no longer: the next run goes on."""


class _Failing:
    """Failures in a row at one server."""

    __slots__ = ("count", "is_reported", "since", "tried_at")

    def __init__(self, now: float) -> None:
        self.since: float = now
        self.tried_at: float = now
        self.count: int = 0
        self.is_reported: bool = False


class TokenRenewalFailures:
    """Counts the renewals in a row that failed at each identity server, whichever account they were for."""

    __slots__ = ("_by_server",)

    def __init__(self) -> None:
        self._by_server: dict[str, _Failing] = {}

    def failed(self, server: str, now: float) -> float | None:
        """Record a failed renewal; return the instant of the first one where an outage is to be reported now."""
        failing = self._by_server.setdefault(server, _Failing(now))
        if failing.count == 0 or now > failing.tried_at:  # others that waited for the same renewal fail with it
            failing.count, failing.tried_at = failing.count + 1, now
        if failing.count < _NEEDED or failing.is_reported:
            return None
        failing.is_reported = True
        return failing.since

    def wait(self, server: str, now: float) -> float | None:
        """Return the seconds to wait before the next attempt; None where the outage has lasted too long."""
        failing = self._by_server[server]
        if now - failing.since > _LONGEST_OUTAGE:
            return None
        return back_off(failing.count - 1, FIRST_PROBE, LONGEST_PROBE)

    def renewed(self, server: str, replaced_at: float, now: float) -> float | None:
        """Record that a token was read or renewed; return the length of the reported outage that is over.

        Args:
            server: the identity server.
            replaced_at: the instant since which the account's present token is used.
            now: the present instant.
        """
        failing = self._by_server.get(server)
        if failing is None or not failing.since <= replaced_at <= now:
            return None
        del self._by_server[server]
        return now - failing.since if failing.is_reported else None
