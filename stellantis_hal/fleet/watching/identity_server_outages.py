"""Outages of identity servers: the accounts that wait for a renewal, and which of them probes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from stellantis_hal.fleet.probe_intervals import FIRST_PROBE, bounded_hold, next_interval
from stellantis_hal.fleet.targets import PollTarget, WatchedAccount
from stellantis_hal.fleet.watching.account_outages import AccountOutage, AccountOutages

__all__ = ["IdentityOutages", "IdentityServerOutage"]

_TURN = 15.0
"""Seconds that an account has to begin its probe, and that others wait for one that has begun."""
_NEEDED = 3
"""Failed renewals in a row that are an outage."""
_PARTIAL = 3_600.0
"""Seconds after a renewal in which a server that fails for some accounts is believed to work for others."""
_COUNTED = 2
"""Failed renewals in a row from which on an account counts among those that fail alone."""


class IdentityServerOutage:
    """Renewals at one identity server that fail: those of all its accounts, or of one only.

    Attributes:
        server: the host.
        account: the account whose renewals alone fail; None where it is the server's outage.
        since: instant of the first failure.
        failures: failed renewals in a row, those of one account at a time counted once.
        is_reported: whether `Outage` was emitted for the whole server.
        probe_at: instant of the next probe.
        probing: the account that probes now; None where none does.
        is_readable: whether that account's token was accepted.
        interval: seconds between two probes.
        waiting: accounts whose polls wait, in the order of their turns to probe.
        held: what waits of theirs, to be polled when the outage is over.
    """

    __slots__ = (
        "account",
        "failures",
        "held",
        "interval",
        "is_readable",
        "is_reported",
        "probe_at",
        "probing",
        "server",
        "since",
        "waiting",
    )

    def __init__(self, server: str, account: WatchedAccount | None, since: float) -> None:
        self.server: str = server
        self.account: WatchedAccount | None = account
        self.since: float = since
        self.failures: int = 0
        self.is_reported: bool = False
        self.interval: float = FIRST_PROBE
        self.probe_at: float = since
        self.probing: WatchedAccount | None = None
        self.is_readable: bool = False
        self.waiting: dict[WatchedAccount, None] = {}
        self.held: dict[PollTarget, None] = {}

    def postpone(self, now: float, hold: float | None) -> None:
        """Set the instant of the next probe."""
        self.probe_at = now + (self.interval if hold is None else bounded_hold(hold, self.interval))

    def end_turn(self, account: WatchedAccount) -> None:
        """End the probe of an account; the others have their turns before it."""
        self.probing = None
        self.waiting.pop(account, None)
        self.waiting[account] = None


class IdentityOutages:
    """Circuit breakers over renewals: one for each identity server, and for each account that fails alone.

    A renewal that fails makes its account wait, with all its polls; so does an expired token while the server is down.
    One of the waiting accounts at a time probes, at growing intervals of at most 240 s. A token that was replaced since
    the first failure shows that the server works again.

    An account whose renewals fail although the server has renewed a token of another one in between waits alone; so
    does one that fails within the next hour, while others wait alone.

    Args:
        is_watched: returns whether an account is still watched.
        reports: what is reported of accounts that fail alone.
    """

    def __init__(self, is_watched: Callable[[PollTarget], bool], reports: AccountOutages) -> None:
        self._is_watched = is_watched
        self._reports = reports
        self._by_server: dict[str, IdentityServerOutage] = {}
        self._alone: dict[WatchedAccount, IdentityServerOutage] = {}
        self._worked_at: dict[str, float] = {}

    def ages(self, now: float) -> Mapping[str, float]:
        """Return the seconds since the reported outages of servers, for all or several accounts, began, by host."""
        several = {server: now - outage.since for server, outage in self._reports.of_several.items() if server}
        whole = {server: now - outage.since for server, outage in list(self._by_server.items()) if outage.is_reported}
        return MappingProxyType({**several, **whole})

    # ------------------------------------------------------------------------------------------- waiting

    def outage_of(self, account: WatchedAccount) -> IdentityServerOutage | None:
        """Return the outage that concerns an account if its token has expired; None where it waits already."""
        if not self._by_server or account.identity_outage is not None or account.credentials is None:
            return None
        return self._by_server.get(account.credentials.identity_server)

    def join(self, account: WatchedAccount, outage: IdentityServerOutage) -> None:
        """Let an account wait for the end of an outage."""
        account.identity_outage = outage
        outage.waiting[account] = None

    def leave(self, account: WatchedAccount) -> None:
        """Let an account wait no longer: its token is accepted again, or the account was lost."""
        outage = account.identity_outage
        if outage is None:
            return
        account.identity_outage = account.renewal_failing_since = None
        outage.waiting.pop(account, None)
        if outage.probing is account:
            outage.probing = None
        if outage.account is account:
            del self._alone[account]
        elif not (outage.waiting or outage.is_reported):
            del self._by_server[outage.server]

    def held_until(self, target: PollTarget, account: WatchedAccount, now: float) -> float | None:
        """Return the instant until which a target waits; None where it may be polled, maybe as the probe."""
        outage = account.identity_outage
        if outage is None:
            return None
        until = self._turn_of(account, outage, now)
        if until is not None:
            outage.held[target] = None
        return until

    def _turn_of(self, account: WatchedAccount, outage: IdentityServerOutage, now: float) -> float | None:
        if outage.probing is not None:
            return now + _TURN
        if now < outage.probe_at:
            return outage.probe_at
        while now < outage.probe_at + _TURN and (first := next(iter(outage.waiting))) is not account:
            if self._is_watched(first):
                return outage.probe_at + _TURN  # it may have nothing due: then the others have their turn
            self.leave(first)
        return None

    def begin_poll(self, target: PollTarget, account: WatchedAccount) -> None:
        """Record that a target is polled now; where its account waits, this is the probe."""
        outage = account.identity_outage
        if outage is not None:
            outage.held.pop(target, None)
            outage.probing, outage.is_readable = account, False

    # ------------------------------------------------------------------------------------------- results

    def failed(self, account: WatchedAccount, server: str, now: float, *, hold: float | None) -> AccountOutage | None:
        """Record that the renewal of an account's token failed.

        Args:
            account: the account.
            server: the host of the identity server.
            now: the present instant.
            hold: seconds until the server allows requests again; None where it does not say.

        Returns:
            The outage that is to be reported now; None where none is.
        """
        if account.renewal_failing_since is None:
            account.renewal_failing_since = now
        outage = account.identity_outage
        if outage is None:
            outage = self._outage_for(account, server, now)
            self.join(account, outage)
            if not outage.failures:
                outage.postpone(now, hold)
        elif outage.probing is account:
            outage.interval = next_interval(outage.interval)
            outage.postpone(now, hold)
            outage.end_turn(account)
        else:
            return None  # the same renewal, or one that began before it failed
        outage.failures += 1
        is_due = outage.failures >= _NEEDED
        if outage.account is not None:
            whole = self._by_server.get(server)
            if outage.failures < _COUNTED:
                return None
            is_due = is_due and not (whole is not None and whole.is_reported)
            return self._reports.failed(account.name, server, outage.since, key=account.key, is_due=is_due)
        if not is_due or outage.is_reported or server in self._reports.of_several:
            return None
        outage.is_reported = True
        return AccountOutage(server=server, account=None, since=outage.since)

    def _outage_for(self, account: WatchedAccount, server: str, now: float) -> IdentityServerOutage:
        since = account.renewal_failing_since
        assert since is not None  # noqa: S101 - the caller has set it
        self._alone = {other: outage for other, outage in self._alone.items() if self._is_watched(other)}
        worked_at = self._worked_at.get(server, -math.inf)
        is_partial = now - worked_at < _PARTIAL and any(other.server == server for other in self._alone.values())
        if worked_at > since or is_partial:
            outage = self._alone[account] = IdentityServerOutage(server, account, since)
            return outage
        return self._by_server.setdefault(server, IdentityServerOutage(server, None, now))

    def read(self, account: WatchedAccount) -> None:
        """Record that an account's token was accepted."""
        outage = account.identity_outage
        if outage is None:
            account.renewal_failing_since = None
        elif outage.probing is account:
            outage.is_readable = True

    def poll_ended(self, account: WatchedAccount, now: float) -> list[IdentityServerOutage]:
        """Record the end of a poll, and return the outages that are over: nothing waits for them any more."""
        if not (self._by_server or self._alone):
            return []
        ended = list[IdentityServerOutage]()
        if account.credentials is not None:
            replaced_at = account.credentials.replaced_at
            candidates = (self._by_server.get(account.credentials.identity_server), self._alone.get(account))
            ended += [outage for outage in candidates if outage is not None and outage.since < replaced_at <= now]
        outage = account.identity_outage
        if outage is not None and outage not in ended and outage.probing is account:
            if outage.is_readable:  # the token that was refused is accepted again
                self.leave(account)
                if not outage.waiting:
                    ended.append(outage)
            else:
                outage.end_turn(account)
                outage.postpone(now, None)
        for over in ended:
            self._end(over, now)
        return ended

    def refused(self, account: WatchedAccount, now: float) -> list[IdentityServerOutage]:
        """Record that the server definitely refused to renew an account's token, and return the outage that is over."""
        outage = account.identity_outage
        self.leave(account)
        if outage is None or outage.account is account:
            return []
        self._end(outage, now)
        return [outage]

    def _end(self, outage: IdentityServerOutage, now: float) -> None:
        if outage.account is None:
            self._by_server.pop(outage.server, None)
            self._worked_at[outage.server] = now
        else:
            self._alone.pop(outage.account, None)
        for account in outage.waiting:
            account.identity_outage = None
        outage.waiting.clear()
        outage.probing = None
