"""Bulkhead: bounds on the polls that wait for identity servers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TypeVar

from stellantis_hal.fleet.targets import PollTarget, WatchedAccount

__all__ = ["Bulkhead"]

K = TypeVar("K")

_RENEWING_SHARE = 8
_WAITING_SHARE = 2


class Bulkhead:
    """Keep the accounts of one identity server from taking the places of all others.

    A poll whose token is about to expire renews it first, and a server that accepts and says nothing holds it for a
    minute. So one poll of each account renews, and at each server as many as an eighth of the places; the others wait
    without a place. A renewal that starts because the API refused a token is not expected: the polls that wait for it
    take no place, and where they are half as many as there are places, the other polls of their server wait.

    Args:
        places: largest number of polls at a time.
    """

    __slots__ = (
        "_by_account",
        "_by_server",
        "_places",
        "_renewing",
        "_renewing_at",
        "_running",
        "_running_at",
        "_total",
    )

    def __init__(self, places: int) -> None:
        self._places = places
        self._total = 0
        self._running: Counter[WatchedAccount] = Counter()
        self._running_at: Counter[str | None] = Counter()
        self._renewing: dict[WatchedAccount, PollTarget] = {}
        self._renewing_at: Counter[str | None] = Counter()
        self._by_account: dict[WatchedAccount, dict[PollTarget, None]] = {}
        self._by_server: dict[str | None, dict[PollTarget, None]] = {}

    def has_place(self) -> bool:
        """Return whether another poll may start."""
        return self._total < self._places or self._total - self._count_waiting(self._running) < self._places

    def enter(self, account: WatchedAccount) -> None:
        """Record that a poll of an account starts."""
        self._total += 1
        self._running[account] += 1
        self._running_at[_server_of(account)] += 1

    def leave(self, target: PollTarget, account: WatchedAccount) -> list[PollTarget]:
        """Record that a poll of an account has ended, and return the targets that need not wait any more."""
        server = _server_of(account)
        self._total -= 1
        _decrement(self._running, account)
        _decrement(self._running_at, server)
        by_account, by_server = self._by_account.get(account, {}), self._by_server.get(server, {})
        if target in by_account or target in by_server:
            return []  # it was not admitted: nothing has changed
        if self._renewing.get(account) is target:
            del self._renewing[account]
            _decrement(self._renewing_at, server)
        released = [] if self._has_renewal(account) else list(self._by_account.pop(account, ()))
        if by_server and not self._is_full(server) and not self._is_crowded(server):
            released.append(first := next(iter(by_server)))
            del by_server[first]
        return released

    def is_held(self, account: WatchedAccount) -> bool:
        """Return whether polls of an account wait: its token is being renewed, or too many wait for its server."""
        return self._has_renewal(account) or self._is_crowded(_server_of(account))

    async def admit(self, target: PollTarget, account: WatchedAccount) -> bool:
        """Return whether a target whose poll has started may go on; else it waits until :meth:`leave` returns it.

        Raises:
            TokenStoreError: the store failed.
        """
        credentials, server = account.credentials, _server_of(account)
        if credentials is None:
            return True
        self._by_account.get(account, {}).pop(target, None)
        self._by_server.get(server, {}).pop(target, None)
        if not self.is_held(account):
            if not await credentials.is_renewal_due():
                return True
            if not self._has_renewal(account) and not self._is_full(server):
                self._renewing[account] = target
                self._renewing_at[server] += 1
                return True
        if self._has_renewal(account):
            self._by_account.setdefault(account, {})[target] = None
        else:
            self._by_server.setdefault(server, {})[target] = None
        return False

    def _has_renewal(self, account: WatchedAccount) -> bool:
        return _is_renewing(account) or account in self._renewing

    def _is_full(self, server: str | None) -> bool:
        return self._renewing_at[server] >= max(1, self._places // _RENEWING_SHARE)

    def _is_crowded(self, server: str | None) -> bool:
        most = max(1, self._places // _WAITING_SHARE)
        if server is None or self._running_at[server] < most:
            return False
        return self._count_waiting(account for account in self._running if _server_of(account) == server) >= most

    def _count_waiting(self, accounts: Iterable[WatchedAccount]) -> int:
        return sum(self._running[account] for account in accounts if _is_renewing(account))


def _server_of(account: WatchedAccount) -> str | None:
    return None if account.credentials is None else account.credentials.identity_server


def _is_renewing(account: WatchedAccount) -> bool:
    return account.credentials is not None and account.credentials.is_renewing


def _decrement(counter: Counter[K], key: K) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
