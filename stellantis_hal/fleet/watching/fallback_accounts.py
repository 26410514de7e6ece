"""Fallback accounts of vehicles that several accounts have."""

from __future__ import annotations

from stellantis_hal.fleet.targets import WatchedAccount
from stellantis_hal.resources.vehicle import Vehicle

__all__ = ["FallbackAccounts"]


class FallbackAccounts:
    """The accounts that can take over a vehicle which another one polls, by the vehicle's id."""

    __slots__ = ("_accounts",)

    def __init__(self) -> None:
        self._accounts: dict[str, list[WatchedAccount]] = {}

    def add(self, id_: str, account: WatchedAccount, vehicle: Vehicle) -> None:
        """Record that an account has a vehicle too.

        Args:
            id_: the vehicle's id.
            account: the account.
            vehicle: the vehicle as that account sees it.
        """
        others = [other for other in self._accounts.get(id_, ()) if other is not account and id_ in other.shared]
        self._accounts[id_] = [*others, account]
        account.shared[id_] = vehicle

    def forget(self, id_: str) -> None:
        """Remove a vehicle."""
        for account in self._accounts.pop(id_, ()):
            account.shared.pop(id_, None)

    def first(self, id_: str) -> WatchedAccount | None:
        """Return the first account that works and has the vehicle in its ``shared``; None where there is none."""
        candidates = self._accounts.get(id_, ())
        return next((account for account in candidates if account.lost_at is None and id_ in account.shared), None)
