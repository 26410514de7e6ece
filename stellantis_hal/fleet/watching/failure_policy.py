"""What becomes of failures: who is left alone, for how long, and who is told.

Knows what a failure means for whom. Must not ask for anything, nor decide whose turn it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import anyio

from stellantis_hal.errors import ApiError, BudgetExhaustedError, QuotaError, StellantisError, UnauthorizedError
from stellantis_hal.fleet.counters import Counts
from stellantis_hal.fleet.events import AccountLost, Outage, Recovered, VehicleUnavailable, WatchEvent
from stellantis_hal.fleet.failures import back_off, scope_of
from stellantis_hal.fleet.targets import WatchedAccount, WatchedVehicle
from stellantis_hal.fleet.watching.outage_detector import OutageDetector
from stellantis_hal.fleet.watching.registry import Registry

__all__ = ["FailurePolicy"]

_PATIENCE = 4
_ACCOUNT_AGAIN = 900.0
_LISTING_AGAIN = 15.0
_LONGEST_LISTING = 900.0
_LONGEST_REST = 86_400.0
_LEAST_EVERY = 60.0
_HOLD = 60.0


class FailurePolicy:
    """Judges failures and successes.

    Args:
        roster: who there is.
        counts: what is counted.
        say: hands an event over; waits while there is no room.
    """

    def __init__(self, roster: Registry, *, counts: Counts, say: Callable[[WatchEvent], Awaitable[None]]) -> None:
        self.health: OutageDetector = OutageDetector()
        self._roster = roster
        self._counts = counts
        self._say = say

    # ------------------------------------------------------------------------------------------- vehicles

    async def answered(self, watched_vehicle: WatchedVehicle, what: str, *, found: bool) -> None:
        """Note that one thing about a vehicle could be had, or that there are no data of it."""
        now = anyio.current_time()
        await self._works(now)
        watched_account = watched_vehicle.account
        watched_account.rejections = 0
        if watched_account.is_standalone and watched_account.lost_at is not None:
            await self._found(
                watched_account, Recovered(vehicle=watched_vehicle.vehicle, after=now - watched_account.lost_at)
            )
        if not found:
            await self._leave_alone(watched_vehicle, what, None, tell_after=1)
            return
        state = watched_vehicle.clear_failure(what)
        if state is not None and state.is_reported:
            await self._say(
                Recovered(
                    account=watched_account.key, vehicle=watched_vehicle.vehicle, what=what, after=now - state.since
                )
            )

    async def failed(
        self, watched_vehicle: WatchedVehicle, what: str, error: StellantisError, *, by: WatchedAccount
    ) -> bool:
        """Judge a failure of asking by an account; gives whether to go on with the vehicle's other things."""
        self._counts.errors[type(error).__name__] += 1
        scope = scope_of(error)
        if scope == "account":
            if by is not watched_vehicle.account:
                return False  # another account, or a new token, has taken over meanwhile
            if by.lost_at is not None and not by.is_standalone:
                return False  # under way when it was lost: its listing is what tries again
            watched_vehicle.account.rejections += 1
            if isinstance(error, UnauthorizedError) and watched_vehicle.account.rejections < _PATIENCE:
                await self._leave_alone(watched_vehicle, what, error, tell_after=_PATIENCE)  # another token may do
                return True
            await self._lose(watched_vehicle.account, error)
            return False
        if scope == "vehicle":
            if isinstance(error, ApiError):  # an answer; what is wrong with a document is found without one
                await self._works(anyio.current_time())
            await self._leave_alone(watched_vehicle, what, error, tell_after=1)
            return True
        await self._blame(watched_vehicle.id, error)
        if self.health.since is not None:
            return False
        await self._leave_alone(watched_vehicle, what, error, tell_after=_PATIENCE)
        return True

    async def _leave_alone(
        self, watched_vehicle: WatchedVehicle, what: str, error: StellantisError | None, *, tell_after: int
    ) -> None:
        now = anyio.current_time()
        state = watched_vehicle.failure_state(what, now)
        state.failures += 1
        state.is_transient = tell_after > 1
        usual = max(_LEAST_EVERY, self._roster.interval(watched_vehicle))
        if state.is_transient:  # what may pass in a moment is tried again before its next turn
            rest = back_off(state.failures - 1, _LEAST_EVERY, usual)
        else:
            rest = back_off(state.failures - 1, usual, _LONGEST_REST)
        state.retry_at = now + rest
        if state.failures >= tell_after and not state.is_reported:
            state.is_reported = True
            await self._say(
                VehicleUnavailable(
                    account=watched_vehicle.account.key,
                    vehicle=watched_vehicle.vehicle,
                    what=what,
                    error=error,
                    again_in=rest,
                )
            )

    # ------------------------------------------------------------------------------------------- accounts

    async def listed(self, watched_account: WatchedAccount) -> None:
        """Note that an account's vehicles could be listed."""
        now = anyio.current_time()
        await self._works(now)
        watched_account.failures = 0
        if watched_account.lost_at is not None:
            self._roster.rouse(watched_account, now)
            await self._found(
                watched_account, Recovered(account=watched_account.key, after=now - watched_account.lost_at)
            )

    async def not_listed(self, watched_account: WatchedAccount, error: StellantisError) -> None:
        """Judge why an account's vehicles could not be listed."""
        self._counts.errors[type(error).__name__] += 1
        if scope_of(error) in {"account", "vehicle"}:
            if isinstance(error, ApiError):
                await self._works(anyio.current_time())
            await self._lose(watched_account, error)
            return
        await self._blame(watched_account.name, error)
        if self._roster.watches(watched_account):
            watched_account.failures += 1
            again = back_off(watched_account.failures, _LISTING_AGAIN, _LONGEST_LISTING)
            self._roster.agenda.put(watched_account, anyio.current_time() + again)

    async def _lose(self, watched_account: WatchedAccount, error: StellantisError) -> None:
        """Leave an account alone, and tell so once."""
        now = anyio.current_time()
        if not self._roster.watches(watched_account):
            return
        agenda = self._roster.agenda
        again = back_off(watched_account.failures, _ACCOUNT_AGAIN, _LONGEST_REST)
        since, watched_account.was_lost = watched_account.lost_at, True
        watched_account.lost_at = now if since is None else since
        for watched_vehicle in list(watched_account.vehicles.values()):
            if self._roster.hand_over(watched_vehicle, now):
                if watched_account.is_standalone and since is not None:
                    await self._say(Recovered(vehicle=watched_vehicle.vehicle, after=now - since))
                continue
            agenda.drop(watched_vehicle)
            if watched_account.is_standalone:
                agenda.put(watched_vehicle, now + again)
        if not self._roster.watches(watched_account):
            return  # a vehicle by itself, which an account that has it reads from now on
        if not watched_account.is_standalone:
            agenda.put(watched_account, now + again)
        watched_account.failures += 1
        if since is None:
            await self._say(AccountLost(account=watched_account.key, error=error, again_in=again))

    async def _found(self, watched_account: WatchedAccount, event: Recovered) -> None:
        watched_account.lost_at, watched_account.failures = None, 0
        await self._say(event)

    # ------------------------------------------------------------------------------------------- everything

    async def spent(self) -> None:
        """Note that nothing is left of the day's budget."""
        error = BudgetExhaustedError(
            "nothing is left of the day's budget for this watch: polls go on when there is; ask less often, or spend "
            "less elsewhere",
        )
        await self._blame("", error)

    async def _works(self, now: float) -> None:
        lasted = self.health.succeeded(now)
        if lasted is not None:
            await self._say(Recovered(after=lasted))

    async def _blame(self, key: str, error: StellantisError) -> None:
        """Count a failure that may be everybody's."""
        now = anyio.current_time()
        hold = (error.retry_after or _HOLD) if isinstance(error, QuotaError) else None
        if self.health.failed(key, now, vehicles=len(self._roster.vehicles), hold=hold):
            began = now if self.health.since is None else self.health.since
            since = self._roster.wall_clock() - timedelta(seconds=now - began)
            await self._say(Outage(error=error, since=since))
