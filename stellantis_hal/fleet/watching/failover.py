"""Vehicles that several accounts have: who goes on with one when the account that reads it cannot.

Knows accounts, and what each has besides what it reads. Must not know when anybody is polled.
"""

from __future__ import annotations

from stellantis_hal.fleet.targets import WatchedAccount
from stellantis_hal.resources.vehicle import Vehicle

__all__ = ["FallbackAccounts"]


class FallbackAccounts:
    """The accounts that have a vehicle which is read by another one, or by itself."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[str, list[WatchedAccount]] = {}

    def note(self, id_: str, watched_account: WatchedAccount, vehicle: Vehicle) -> None:
        """Remember that an account has a vehicle too, as seen by it."""
        others = [other for other in self._known.get(id_, ()) if other is not watched_account and id_ in other.shared]
        self._known[id_] = [*others, watched_account]
        watched_account.shared[id_] = vehicle

    def forget(self, id_: str) -> None:
        """Remember no more who has a vehicle."""
        for watched_account in self._known.pop(id_, ()):
            watched_account.shared.pop(id_, None)

    def of(self, id_: str) -> WatchedAccount | None:
        """Give an account that can go on with a vehicle: what it has is in its ``shared``."""
        return next((heir for heir in self._known.get(id_, ()) if heir.lost_at is None and id_ in heir.shared), None)
