"""Accounts that a server fails for while it serves others, and what of it was reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from stellantis_hal.fleet.probe_intervals import LONGEST_PROBE

__all__ = ["AccountOutage", "AccountOutages"]

_SEVERAL = 3
"""Accounts that fail at the same time and are one outage."""


@attrs.frozen(kw_only=True)
class AccountOutage:
    """An outage that was reported: of one account, of several at one server, or of a server.

    Attributes:
        server: its host; None where the failures name none.
        account: key of the account; None where it is not of one.
        since: instant of the first failure.
        accounts: number of accounts that had failed when it was reported, where it is of several; None otherwise.
    """

    server: str | None
    account: str | None
    since: float
    accounts: int | None = None


class _ServerFailures:
    """Accounts that one server fails for.

    Attributes:
        failing: instant of the first failure, by the account's name.
        reported: the outage that was reported for all of them; None where there is none.
        retry_at: instant from which all of them may try again together.
    """

    __slots__ = ("failing", "reported", "retry_at")

    def __init__(self) -> None:
        self.failing: dict[str, float] = {}
        self.reported: AccountOutage | None = None
        self.retry_at = 0.0


class AccountOutages:
    """What is reported of accounts that a server fails for.

    Where one or two fail, each is an outage of its own. Where three or more do, all are one outage, which is over as
    soon as fewer than three are left; these are reported one by one if they fail again.

    Args:
        is_watched: returns whether the account of a name is still watched.
    """

    def __init__(self, is_watched: Callable[[str], bool]) -> None:
        self._is_watched = is_watched
        self._servers: dict[str | None, _ServerFailures] = {}
        self._reported: dict[str, AccountOutage] = {}

    @property
    def of_several(self) -> Mapping[str | None, AccountOutage]:
        """The outages of several accounts, by server."""
        found = [(server, state.reported) for server, state in list(self._servers.items())]
        return {server: outage for server, outage in found if outage is not None}

    def failed(
        self, name: str, server: str | None, since: float, *, key: str | None, is_due: bool
    ) -> AccountOutage | None:
        """Record that a server fails for an account, and return the outage that is to be reported.

        Args:
            name: of the account, which stays when it gets a new token.
            server: host of the server.
            since: instant of the first failure of those in a row.
            key: the account's key.
            is_due: whether there were enough failures in a row to report them.

        Returns:
            None where nothing is to be reported: the failures are too few, or were reported.
        """
        state = self._servers.setdefault(server, _ServerFailures())
        state.failing.setdefault(name, since)
        if not is_due or state.reported is not None or name in self._reported:
            return None
        self._drop_unwatched(state)
        failing = state.failing
        if len(failing) < _SEVERAL:
            outage = self._reported[name] = AccountOutage(server=server, account=key, since=since)
            return outage
        state.reported = AccountOutage(server=server, account=None, since=min(failing.values()), accounts=len(failing))
        return state.reported

    def ended(self, name: str) -> list[AccountOutage]:
        """Record that an account is served, or lost, and return the reported outages that are over with it."""
        outage = self._reported.pop(name, None)
        over = [] if outage is None else [outage]
        for server, state in list(self._servers.items()):
            state.failing.pop(name, None)
            if state.reported is not None:
                self._drop_unwatched(state)
                if len(state.failing) < _SEVERAL:
                    over.append(state.reported)
                    state.reported = None
            if not state.failing:
                del self._servers[server]
        return over

    def to_retry(self, name: str, now: float) -> list[str]:
        """Return the names of the accounts that may try again now, as one that failed with them is served.

        Args:
            name: of the account that is served; not yet recorded by :meth:`ended`.
            now: the present instant.
        """
        found = list[str]()
        for state in self._servers.values():
            if name in state.failing and state.reported is not None and now >= state.retry_at:
                state.retry_at = now + LONGEST_PROBE
                found += [other for other in state.failing if other != name]
        return found

    def _drop_unwatched(self, state: _ServerFailures) -> None:
        state.failing = {name: since for name, since in state.failing.items() if self._is_watched(name)}
