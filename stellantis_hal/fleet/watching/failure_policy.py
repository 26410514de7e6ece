"""What becomes of failures: who is left alone, for how long, and who is told.

Knows what a failure means for whom. Must not ask for anything, nor decide whose turn it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import anyio

from stellantis_hal.errors import ApiError, BudgetExhaustedError, QuotaError, StellantisError, UnauthorizedError
from stellantis_hal.fleet.counters import Counts
from stellantis_hal.fleet.events import AccountLost, Event, Outage, Recovered, VehicleUnavailable
from stellantis_hal.fleet.targets import WatchedAccount, WatchedVehicle
from stellantis_hal.fleet.watching.due_queue import back_off
from stellantis_hal.fleet.watching.outage_detector import OutageDetector, scope_of
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

    def __init__(self, roster: Registry, *, counts: Counts, say: Callable[[Event], Awaitable[None]]) -> None:
        self.health: OutageDetector = OutageDetector()
        self._roster = roster
        self._counts = counts
        self._say = say

    # ------------------------------------------------------------------------------------------- vehicles

    async def answered(self, member: WatchedVehicle, what: str, *, found: bool) -> None:
        """Note that one thing about a vehicle could be had, or that there are no data of it."""
        now = anyio.current_time()
        await self._works(now)
        holding = member.holding
        holding.refusals = 0
        if holding.account is None and holding.lost is not None:
            await self._found(holding, Recovered(vehicle=member.vehicle, after=now - holding.lost))
        if not found:
            await self._leave_alone(member, what, None, tell_after=1)
            return
        trouble = member.mended(what)
        if trouble is not None and trouble.told:
            await self._say(
                Recovered(account=holding.key, vehicle=member.vehicle, what=what, after=now - trouble.since)
            )

    async def failed(self, member: WatchedVehicle, what: str, error: StellantisError, *, by: WatchedAccount) -> bool:
        """Judge a failure of asking by an account; gives whether to go on with the vehicle's other things."""
        self._counts.errors[type(error).__name__] += 1
        scope = scope_of(error)
        if scope == "account":
            if by is not member.holding:
                return False  # another account, or a new token, has taken over meanwhile
            if by.lost is not None and by.account is not None:
                return False  # under way when it was lost: its listing is what tries again
            member.holding.refusals += 1
            if isinstance(error, UnauthorizedError) and member.holding.refusals < _PATIENCE:
                await self._leave_alone(member, what, error, tell_after=_PATIENCE)  # another token may do
                return True
            await self._lose(member.holding, error)
            return False
        if scope == "vehicle":
            if isinstance(error, ApiError):  # an answer; what is wrong with a document is found without one
                await self._works(anyio.current_time())
            await self._leave_alone(member, what, error, tell_after=1)
            return True
        await self._blame(member.id, error)
        if self.health.since is not None:
            return False
        await self._leave_alone(member, what, error, tell_after=_PATIENCE)
        return True

    async def _leave_alone(
        self, member: WatchedVehicle, what: str, error: StellantisError | None, *, tell_after: int
    ) -> None:
        now = anyio.current_time()
        trouble = member.trouble(what, now)
        trouble.failures += 1
        trouble.passing = tell_after > 1
        usual = max(_LEAST_EVERY, self._roster.interval(member))
        if trouble.passing:  # what may pass in a moment is tried again before its next turn
            rest = back_off(trouble.failures - 1, _LEAST_EVERY, usual)
        else:
            rest = back_off(trouble.failures - 1, usual, _LONGEST_REST)
        trouble.until = now + rest
        if trouble.failures >= tell_after and not trouble.told:
            trouble.told = True
            await self._say(
                VehicleUnavailable(
                    account=member.holding.key, vehicle=member.vehicle, what=what, error=error, again_in=rest
                )
            )

    # ------------------------------------------------------------------------------------------- accounts

    async def listed(self, holding: WatchedAccount) -> None:
        """Note that an account's vehicles could be listed."""
        now = anyio.current_time()
        await self._works(now)
        holding.failures = 0
        if holding.lost is not None:
            self._roster.rouse(holding, now)
            await self._found(holding, Recovered(account=holding.key, after=now - holding.lost))

    async def not_listed(self, holding: WatchedAccount, error: StellantisError) -> None:
        """Judge why an account's vehicles could not be listed."""
        self._counts.errors[type(error).__name__] += 1
        if scope_of(error) in {"account", "vehicle"}:
            if isinstance(error, ApiError):
                await self._works(anyio.current_time())
            await self._lose(holding, error)
            return
        await self._blame(holding.name, error)
        if self._roster.watches(holding):
            holding.failures += 1
            again = back_off(holding.failures, _LISTING_AGAIN, _LONGEST_LISTING)
            self._roster.agenda.put(holding, anyio.current_time() + again)

    async def _lose(self, holding: WatchedAccount, error: StellantisError) -> None:
        """Leave an account alone, and tell so once."""
        now = anyio.current_time()
        if not self._roster.watches(holding):
            return
        agenda = self._roster.agenda
        again = back_off(holding.failures, _ACCOUNT_AGAIN, _LONGEST_REST)
        since, holding.was_lost = holding.lost, True
        holding.lost = now if since is None else since
        for member in list(holding.members.values()):
            if self._roster.hand_over(member, now):
                if holding.account is None and since is not None:
                    await self._say(Recovered(vehicle=member.vehicle, after=now - since))
                continue
            agenda.drop(member)
            if holding.account is None:
                agenda.put(member, now + again)
        if not self._roster.watches(holding):
            return  # a vehicle by itself, which an account that has it reads from now on
        if holding.account is not None:
            agenda.put(holding, now + again)
        holding.failures += 1
        if since is None:
            await self._say(AccountLost(account=holding.key, error=error, again_in=again))

    async def _found(self, holding: WatchedAccount, event: Recovered) -> None:
        holding.lost, holding.failures = None, 0
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
        if self.health.failed(key, now, vehicles=len(self._roster.members), hold=hold):
            began = now if self.health.since is None else self.health.since
            since = self._roster.wall_clock() - timedelta(seconds=now - began)
            await self._say(Outage(error=error, since=since))
