"""Failure policy of a watch: back off, emit events, fail over, recover."""

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

_TOLERATED = 4
"""Failures in a row of one kind of data before a transient failure is reported."""

_ACCOUNT_RETRY = 900.0
_LISTING_RETRY = 15.0
_LONGEST_LISTING_RETRY = 900.0
_LONGEST_RETRY = 86_400.0
_SHORTEST_RETRY = 60.0
_DEFAULT_HOLD = 60.0


class FailurePolicy:
    """Decides what follows from failures and successes of polls.

    Args:
        registry: the watched accounts and vehicles.
        counts: counters of the watch.
        emit: puts an event into the buffer; waits while it is full.

    Attributes:
        outage_detector: failures in a row of all vehicles.
    """

    def __init__(self, registry: Registry, *, counts: Counts, emit: Callable[[WatchEvent], Awaitable[None]]) -> None:
        self.outage_detector: OutageDetector = OutageDetector()
        self._registry = registry
        self._pacing = registry.pacing
        self._counts = counts
        self._emit = emit

    # ------------------------------------------------------------------------------------------- vehicles

    async def poll_succeeded(self, watched_vehicle: WatchedVehicle, what: str, *, found: bool) -> None:
        """Record that a kind of data was read; ``found`` is false where the API has none."""
        now = anyio.current_time()
        await self._end_outage(now)
        account = watched_vehicle.account
        account.rejections = 0
        if account.is_standalone and account.lost_at is not None:
            await self._end_account_failure(
                account, Recovered(vehicle=watched_vehicle.vehicle, after=now - account.lost_at)
            )
        if not found:
            await self._back_off(watched_vehicle, what, None, report_after=1)
            return
        state = watched_vehicle.clear_failure(what)
        if state is not None and state.is_reported:
            await self._emit(
                Recovered(account=account.key, vehicle=watched_vehicle.vehicle, what=what, after=now - state.since)
            )

    async def poll_failed(
        self, watched_vehicle: WatchedVehicle, what: str, error: StellantisError, *, account: WatchedAccount
    ) -> bool:
        """Record that a kind of data could not be read; return whether to poll the vehicle's other kinds.

        Args:
            watched_vehicle: the vehicle.
            what: the kind of data.
            error: the failure.
            account: the account that the poll began with.
        """
        self._counts.errors[type(error).__name__] += 1
        scope = scope_of(error)
        if scope == "account":
            return await self._account_failed(watched_vehicle, what, error, account)
        if scope == "vehicle":
            if isinstance(error, ApiError):  # the API responded; an invalid document is found without a request
                await self._end_outage(anyio.current_time())
            await self._back_off(watched_vehicle, what, error, report_after=1)
            return True
        await self._detect_outage(watched_vehicle.id, error)
        if self.outage_detector.since is not None:
            return False
        await self._back_off(watched_vehicle, what, error, report_after=_TOLERATED)
        return True

    async def _account_failed(
        self, watched_vehicle: WatchedVehicle, what: str, error: StellantisError, account: WatchedAccount
    ) -> bool:
        if account is not watched_vehicle.account:
            return False  # another account, or one with a new token, took over during the poll
        if account.lost_at is not None and not account.is_standalone:
            return False  # the poll began before the account was lost: the next listing retries it
        account.rejections += 1
        if isinstance(error, UnauthorizedError) and account.rejections < _TOLERATED:
            await self._back_off(watched_vehicle, what, error, report_after=_TOLERATED)  # a new token may be accepted
            return True
        await self._lose_account(account, error)
        return False

    async def _back_off(
        self, watched_vehicle: WatchedVehicle, what: str, error: StellantisError | None, *, report_after: int
    ) -> None:
        now = anyio.current_time()
        state = watched_vehicle.failure_state(what, now)
        state.failures += 1
        state.is_transient = report_after > 1
        interval = max(_SHORTEST_RETRY, self._pacing.interval(watched_vehicle))
        if state.is_transient:  # retried before the next regular poll
            delay = back_off(state.failures - 1, _SHORTEST_RETRY, interval)
        else:
            delay = back_off(state.failures - 1, interval, _LONGEST_RETRY)
        state.retry_at = now + delay
        if state.failures >= report_after and not state.is_reported:
            state.is_reported = True
            await self._emit(
                VehicleUnavailable(
                    account=watched_vehicle.account.key,
                    vehicle=watched_vehicle.vehicle,
                    what=what,
                    error=error,
                    again_in=delay,
                )
            )

    # ------------------------------------------------------------------------------------------- accounts

    async def listing_succeeded(self, account: WatchedAccount) -> None:
        """Record that an account's vehicles were listed."""
        now = anyio.current_time()
        await self._end_outage(now)
        account.failures = 0
        if account.lost_at is not None:
            self._registry.reschedule_vehicles(account, now)
            await self._end_account_failure(account, Recovered(account=account.key, after=now - account.lost_at))

    async def listing_failed(self, account: WatchedAccount, error: StellantisError) -> None:
        """Record that an account's vehicles could not be listed."""
        self._counts.errors[type(error).__name__] += 1
        if scope_of(error) in {"account", "vehicle"}:
            if isinstance(error, ApiError):
                await self._end_outage(anyio.current_time())
            await self._lose_account(account, error)
            return
        await self._detect_outage(account.name, error)
        if self._registry.is_watched(account):
            account.failures += 1
            delay = back_off(account.failures, _LISTING_RETRY, _LONGEST_LISTING_RETRY)
            self._pacing.queue.put(account, anyio.current_time() + delay)

    async def _lose_account(self, account: WatchedAccount, error: StellantisError) -> None:
        """Stop polling by an account, fail over its vehicles, and emit `AccountLost` once."""
        now = anyio.current_time()
        if not self._registry.is_watched(account):
            return
        queue = self._pacing.queue
        delay = back_off(account.failures, _ACCOUNT_RETRY, _LONGEST_RETRY)
        since, account.was_lost = account.lost_at, True
        account.lost_at = now if since is None else since
        for watched_vehicle in list(account.vehicles.values()):
            if self._registry.fail_over(watched_vehicle, now):
                if account.is_standalone and since is not None:
                    await self._emit(Recovered(vehicle=watched_vehicle.vehicle, after=now - since))
                continue
            queue.drop(watched_vehicle)
            if account.is_standalone:
                queue.put(watched_vehicle, now + delay)
        if not self._registry.is_watched(account):
            return  # a standalone vehicle that an account polls from now on
        if not account.is_standalone:
            queue.put(account, now + delay)
        account.failures += 1
        if since is None:
            await self._emit(AccountLost(account=account.key, error=error, again_in=delay))

    async def _end_account_failure(self, account: WatchedAccount, event: Recovered) -> None:
        account.lost_at, account.failures = None, 0
        await self._emit(event)

    # ------------------------------------------------------------------------------------------- outages

    async def budget_exhausted(self) -> None:
        """Record that nothing is left of the day's budget."""
        budget = self._pacing.budget()
        error = BudgetExhaustedError(
            f"{budget.free_today:.0f} of {budget.per_day:.0f} requests per day are left for this watch: polls continue "
            "as requests become available; poll less often, or make fewer other requests"
        )
        await self._detect_outage("", error)

    async def _end_outage(self, now: float) -> None:
        length = self.outage_detector.succeeded(now)
        if length is not None:
            await self._emit(Recovered(after=length))

    async def _detect_outage(self, key: str, error: StellantisError) -> None:
        """Record a failure that may concern all vehicles, and emit `Outage` where one begins."""
        now = anyio.current_time()
        hold = (error.retry_after or _DEFAULT_HOLD) if isinstance(error, QuotaError) else None
        if self.outage_detector.failed(key, now, vehicles=len(self._registry.vehicles), hold=hold):
            began = now if self.outage_detector.since is None else self.outage_detector.since
            since = self._pacing.wall_clock() - timedelta(seconds=now - began)
            await self._emit(Outage(error=error, since=since))
