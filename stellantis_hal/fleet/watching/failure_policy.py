"""Failure policy of a watch: back off, emit events, fail over, recover."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

import anyio

from stellantis_hal.errors import (
    ApiError,
    BudgetExhaustedError,
    ConsentRequiredError,
    LinkNotFoundError,
    NotFoundError,
    QuotaError,
    RateLimitedError,
    StellantisError,
    UnauthorizedError,
)
from stellantis_hal.fleet.counters import Counts
from stellantis_hal.fleet.events import (
    AccountEmpty,
    AccountLost,
    Outage,
    Recovered,
    VehicleRemoved,
    VehicleUnavailable,
    WatchEvent,
    loss_id,
    outage_id,
)
from stellantis_hal.fleet.failure_scopes import back_off, scope_of
from stellantis_hal.fleet.targets import PollTarget, WatchedAccount, WatchedVehicle, account_of
from stellantis_hal.fleet.watching.account_outages import AccountOutage, AccountOutages
from stellantis_hal.fleet.watching.identity_server_outages import IdentityOutages, IdentityServerOutage
from stellantis_hal.fleet.watching.kind_outages import KindOutages
from stellantis_hal.fleet.watching.outage_detector import OutageDetector
from stellantis_hal.fleet.watching.registry import Registry
from stellantis_hal.hal.uri import host_of
from stellantis_hal.resources.typed_requests import is_absent

__all__ = ["FailurePolicy"]

_TOLERATED = 4
"""Failures in a row of one kind of data before a transient failure is reported."""

_ACCOUNT_RETRY = 900.0
_LISTINGS = "vehicles"
"""The kind of data that an outage of listings names."""
_COUNTED_LISTINGS = 3
"""Failures in a row from which on an account counts among those whose listings fail."""
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
        emit_loss: the same with the loss of an account at an instant, whose acknowledgement saves it.

    Attributes:
        outage_detector: failures in a row of all vehicles.
        identity_outages: failed renewals of tokens.
        kind_outages: kinds of data that fail for all vehicles.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        counts: Counts,
        emit: Callable[[WatchEvent], Awaitable[None]],
        emit_loss: Callable[[WatchedAccount, AccountLost, datetime], Awaitable[None]],
    ) -> None:
        self.outage_detector: OutageDetector = OutageDetector()
        self._renewal_reports = AccountOutages(registry.accounts.__contains__)
        self._listing_reports = AccountOutages(registry.accounts.__contains__)
        self.identity_outages: IdentityOutages = IdentityOutages(registry.is_watched, self._renewal_reports)
        self.kind_outages: KindOutages = KindOutages(registry.vehicles, registry.is_watched)
        self._server: str | None = None  # the one whose outage was reported
        self._is_reported = True  # the present outage of all
        self._is_refused_alone: bool | None = None  # listings by a 429, while others are served; None: they are not
        self._registry = registry
        self._pacing = registry.pacing
        self._counts = counts
        self._emit = emit
        self._emit_loss = emit_loss

    def kind_outage_ages(self, now: float) -> Mapping[str, float]:
        """Return the seconds since the present outages of one kind of data, or of listings, began, by that kind."""
        ages = dict(self.kind_outages.ages(now))
        several = self._listing_reports.of_several.values()
        if several:
            ages[_LISTINGS] = now - min(outage.since for outage in several)
        return MappingProxyType(ages)

    # ------------------------------------------------------------------------------------------- vehicles

    async def poll_succeeded(self, watched_vehicle: WatchedVehicle, what: str, *, found: bool) -> None:
        """Record that a kind of data was read; ``found`` is false where the API has none."""
        now = anyio.current_time()
        self._counts.read_at = now
        await self._responded(now, what, is_readable=found)
        account = watched_vehicle.account
        account.rejections = 0
        self.identity_outages.read(account)
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
        if scope == "identity":
            await self._renewal_failed(account, error)
            return False
        if scope == "account":
            await self._renewal_refused(account, error)
            return await self._account_failed(watched_vehicle, what, error, account)
        if scope == "vehicle":
            if isinstance(error, ApiError):  # the API responded; an invalid document is found without a request
                await self._responded(anyio.current_time(), what, is_readable=False)
            await self._back_off(watched_vehicle, what, error, report_after=1)
            if isinstance(error, LinkNotFoundError):  # a new vehicle gets its links in its first minutes
                watched_vehicle.failure_state(what, anyio.current_time()).missing_rel = error.rel
                if not watched_vehicle.account.is_standalone:
                    self._pacing.relist_soon(watched_vehicle.account, anyio.current_time())
            return True
        may_be_kind = scope == "everything" or isinstance(error, RateLimitedError) or self.kind_outages.is_out(what)
        if may_be_kind and await self._detect_kind_outage(watched_vehicle, what, error):
            return True
        if not (isinstance(error, RateLimitedError) and self.kind_outages.is_partial(what)):
            await self._detect_outage(watched_vehicle.id, error, what)
        if self.outage_detector.since is not None:
            return False
        await self._back_off(watched_vehicle, what, error, report_after=_TOLERATED)
        return True

    def decides(self, watched_vehicle: WatchedVehicle, what: str) -> bool:
        """Return whether a read decides if all is out, or another kind of data only: it is made before it is due."""
        if not self.outage_detector.is_suspected or self.kind_outages.is_out(what):
            return False
        return what not in (watched_vehicle.failures or ())

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
        state.missing_rel = None
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

    async def listing_succeeded(self, account: WatchedAccount, *, empty_since: float | None) -> None:
        """Record that an account's vehicles were listed; ``empty_since`` is the account's before that listing."""
        now = anyio.current_time()
        again_in = self._pacing.schedule_listing(account, now)
        self.identity_outages.read(account)
        await self._responded(now, None)
        account.failures = 0
        account.listing_failing_since = None
        self._retry_listings(account, now)
        await self._report_ends(self._listing_reports, account.name, now, _LISTINGS)
        if account.lost_at is not None:
            self._registry.reschedule_vehicles(account, now)
            await self._end_account_failure(account, Recovered(account=account.key, after=now - account.lost_at))
        if account.empty_since is not None and empty_since is None:
            assert account.key is not None  # noqa: S101 - only accounts are listed
            await self._emit(AccountEmpty(account=account.key, again_in=again_in))
        elif account.empty_since is None and empty_since is not None:
            await self._emit(Recovered(account=account.key, after=now - empty_since))

    async def vehicles_removed(self, account: WatchedAccount, gone: Iterable[WatchedVehicle]) -> None:
        """Report vehicles that an account has no more, unless it has none at all."""
        if account.empty_since is None:
            for watched_vehicle in gone:
                await self._emit(VehicleRemoved(account=account.key, vehicle=watched_vehicle.vehicle))

    async def listing_failed(self, account: WatchedAccount, error: StellantisError) -> None:
        """Record that an account's vehicles could not be listed."""
        self._counts.errors[type(error).__name__] += 1
        scope = scope_of(error)
        if scope == "identity":
            await self._renewal_failed(account, error)
            if self._registry.is_watched(account):
                self._pacing.queue.put(account, anyio.current_time())
            return
        if scope in {"account", "vehicle"}:
            await self._renewal_refused(account, error)
            if isinstance(error, ApiError):
                await self._responded(anyio.current_time(), None)
            await self._lose_account(account, error)
            return
        now = anyio.current_time()
        is_refused = isinstance(error, RateLimitedError)
        is_alone = scope == "everything" or (is_refused and self.are_listings_refused)
        if is_refused and self._is_refused_alone is None:
            self._is_refused_alone = False
        if not (is_refused and is_alone):
            await self._detect_outage(account.name, error)
        if not self._registry.is_watched(account):
            return
        delay = back_off(account.failures, _LISTING_RETRY, _LONGEST_LISTING_RETRY)
        account.failures += 1
        self._pacing.queue.put(account, anyio.current_time() + delay)
        if account.listing_failing_since is None:
            account.listing_failing_since = now
        counted, due = (1, 2) if is_refused else (_COUNTED_LISTINGS, self.outage_detector.needed + 1)
        if not is_alone or self.outage_detector.since is not None or account.failures < counted:
            return
        is_due = account.failures >= due
        server, since = _server_of(error), account.listing_failing_since
        outage = self._listing_reports.failed(account.name, server, since, key=account.key, is_due=is_due)
        if outage is not None:
            await self._emit(self._begin_of(outage, now, error, _LISTINGS))

    def _retry_listings(self, account: WatchedAccount, now: float) -> None:
        """Let all accounts whose listings failed together try again, as one of them has succeeded."""
        queue = self._pacing.queue
        for name in self._listing_reports.to_retry(account.name, now):
            other = self._registry.accounts.get(name)
            if other is not None and other in queue:
                queue.put(other, now)

    @property
    def are_listings_refused(self) -> bool:
        """Whether the API limits listings by a 429 and serves other requests."""
        return self._is_refused_alone is True

    def is_empty(self, account: WatchedAccount, error: StellantisError) -> bool:
        """Return whether a failed listing says that there are no data for a new account yet."""
        is_new = not (account.vehicles or account.shared) and account.lost_at is None
        return is_new and isinstance(error, NotFoundError) and is_absent(error)

    async def _lose_account(self, account: WatchedAccount, error: StellantisError) -> None:
        """Stop polling by an account, fail over its vehicles, and emit `AccountLost` once."""
        now = anyio.current_time()
        self.identity_outages.leave(account)
        await self._end_reports(account, now)
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
            wall = self._pacing.wall_clock()
            owner = next(iter(account.vehicles), "") if account.key is None else account.key
            event = AccountLost(id=loss_id(owner, wall), account=account.key, error=error, again_in=delay)
            await self._emit_loss(account, event, wall)

    async def _end_account_failure(self, account: WatchedAccount, event: Recovered) -> None:
        account.lost_at, account.failures = None, 0
        await self._emit(event)

    async def _end_reports(self, account: WatchedAccount, now: float) -> None:
        """End the outages that were reported of an account, as it is lost: its server has decided."""
        await self._report_ends(self._renewal_reports, account.name, now)
        await self._report_ends(self._listing_reports, account.name, now, _LISTINGS)

    async def _report_ends(self, reports: AccountOutages, name: str, now: float, several: str | None = None) -> None:
        """Emit the ends of the outages that are over as the account of a name is served, or lost."""
        for outage in reports.ended(name):
            await self._emit(self._end_of(outage, now, several))

    # ------------------------------------------------------------------------------------------- identity servers

    def held_until(self, target: PollTarget, now: float) -> float | None:
        """Return the instant until which a target waits for an identity server; None where it may be polled."""
        return self.identity_outages.held_until(target, account_of(target), now)

    def begin_poll(self, target: PollTarget) -> None:
        """Record that a target is polled now."""
        self.identity_outages.begin_poll(target, account_of(target))

    async def must_wait(self, account: WatchedAccount) -> bool:
        """Return whether an account waits from now on: its token has expired, and the identity server is down."""
        outages = self.identity_outages
        outage = outages.outage_of(account)
        if outage is None or account.credentials is None:
            return False
        try:
            needs_renewal = await account.credentials.needs_renewal()
        except StellantisError:
            return False  # the poll raises it too
        if not needs_renewal or outages.outage_of(account) is not outage:
            return False
        outages.join(account, outage)
        return True

    async def poll_ended(self, account: WatchedAccount) -> None:
        """Record the end of a poll: the account may have a new token."""
        now = anyio.current_time()
        for outage in self.identity_outages.poll_ended(account, now):
            await self._release(outage, now)

    async def _renewal_failed(self, account: WatchedAccount, error: StellantisError) -> None:
        if error.identity_server is None or not self._registry.is_watched(account):
            return
        now = anyio.current_time()
        hold = error.retry_after if isinstance(error, QuotaError) else None
        outage = self.identity_outages.failed(account, error.identity_server, now, hold=hold)
        if outage is not None:
            await self._emit(self._begin_of(outage, now, error))

    async def _renewal_refused(self, account: WatchedAccount, error: StellantisError) -> None:
        """Record a definite refusal: the identity server works."""
        if isinstance(error, ConsentRequiredError) and error.identity_server is not None:
            now = anyio.current_time()
            for outage in self.identity_outages.refused(account, now):
                await self._release(outage, now)

    async def _release(self, outage: IdentityServerOutage, now: float) -> None:
        """Poll at once what waited for an identity server."""
        queue = self._pacing.queue
        for target in outage.held:
            if target in queue:
                queue.put(target, now)
        if outage.is_reported:
            await self._emit(Recovered(after=now - outage.since, server=outage.server))
        if outage.account is not None:
            await self._report_ends(self._renewal_reports, outage.account.name, now)

    # ------------------------------------------------------------------------------------------- outages

    async def budget_exhausted(self) -> None:
        """Record that nothing is left of the day's budget."""
        budget = self._pacing.budget()
        error = BudgetExhaustedError(
            f"{budget.free_today:.0f} of {budget.per_day:.0f} requests per day are left for this watch: polls continue "
            "as requests become available; poll less often, or make fewer other requests"
        )
        await self._detect_outage("", error)

    async def _responded(self, now: float, what: str | None, *, is_readable: bool = True) -> None:
        """Record a response of the API to a read of a kind of data, or to another request (None)."""
        if self._is_refused_alone is not None:
            self._is_refused_alone = None if what is None else True
        length = self.outage_detector.succeeded(now)
        if length is not None and self._is_reported:
            await self._emit(Recovered(after=length, server=self._server))
        outage = self.kind_outages.responded(what, is_readable=is_readable)
        if outage is not None:
            for watched_vehicle in outage.held:
                self._retry(watched_vehicle, outage.what, now, now)
            await self._emit(Recovered(what=what, after=now - outage.since, server=outage.server))

    async def _detect_kind_outage(self, watched_vehicle: WatchedVehicle, what: str, error: StellantisError) -> bool:
        """Record a failure of a kind of data; emit `Outage` where it is out from now on, and return whether it is."""
        now = anyio.current_time()
        outages = self.kind_outages
        begins = not outages.is_out(what)
        is_refused = isinstance(error, RateLimitedError)
        if not begins:
            outages.outage_of(what).hold(watched_vehicle, now)
        elif outages.failed(watched_vehicle, what, now, server=_server_of(error), is_refused=is_refused):
            self.outage_detector.ignore(what)
        else:
            suspect = outages.next_suspect(what)
            if suspect is not None:
                self._retry(suspect, what, now, now)
            return False
        outage = outages.outage_of(what)
        if isinstance(error, RateLimitedError):
            outage.postpone(now, error.retry_after or 0.0)
        first = outages.next_probe(what) or watched_vehicle  # one that was removed meanwhile is not put into the queue
        self._retry(first, what, outage.probe_at, now)
        if begins:
            since = self._pacing.wall_clock() - timedelta(seconds=now - outage.since)
            await self._emit(
                Outage(
                    id=outage_id(outage.server, None, since, what),
                    error=error,
                    since=since,
                    server=outage.server,
                    what=what,
                )
            )
        return True

    def _retry(self, watched_vehicle: WatchedVehicle, what: str, at: float, now: float) -> None:
        """Poll a kind of data that was held, at an instant; the vehicle's other kinds are polled as they are due."""
        state = watched_vehicle.failure_state(what, now)
        state.is_held, state.is_transient, state.retry_at = False, True, at
        queue = self._pacing.queue
        due = queue.due_of(watched_vehicle)
        if due is not None and due > at:  # one that is being polled is scheduled after that
            if watched_vehicle.regular_due is None:
                watched_vehicle.regular_due = due
            queue.put(watched_vehicle, at)

    async def _detect_outage(self, key: str, error: StellantisError, what: str | None = None) -> None:
        """Record a failure that may concern all vehicles, and emit `Outage` where one begins."""
        now = anyio.current_time()
        hold = (error.retry_after or _DEFAULT_HOLD) if isinstance(error, QuotaError) else None
        follows = self._follows_from_reported(error)
        if self.outage_detector.since is not None and not (self._is_reported or follows):
            self.outage_detector.succeeded(now)  # only the limit was known
        vehicles, kinds = len(self._registry.vehicles), len(self.kind_outages.working)
        if self.outage_detector.failed(key, now, vehicles=vehicles, what=what, kinds=kinds, hold=hold):
            began = now if self.outage_detector.since is None else self.outage_detector.since
            since = self._pacing.wall_clock() - timedelta(seconds=now - began)
            self._server, self._is_reported = _server_of(error), not follows
            if not follows:
                await self._emit(self._outage(error, since, self._server, None))

    def _follows_from_reported(self, error: StellantisError) -> bool:
        """Return whether requests wait because the API limits some of them by a 429, of which `Outage` was emitted."""
        if not isinstance(error, BudgetExhaustedError) or self._pacing.budget().free_today < 1:
            return False
        return self.kind_outages.is_any_refused or self.are_listings_refused

    def _begin_of(
        self, outage: AccountOutage, now: float, error: StellantisError, several: str | None = None
    ) -> Outage:
        """Return the event of an outage of one account, or of several, with the kind of data that theirs names."""
        since = self._pacing.wall_clock() - timedelta(seconds=now - outage.since)
        if outage.accounts is None:
            return self._outage(error, since, outage.server, outage.account)
        return Outage(
            id=outage_id(outage.server, None, since, several),
            error=error,
            since=since,
            server=outage.server,
            what=several,
            accounts=outage.accounts,
        )

    def _end_of(self, outage: AccountOutage, now: float, several: str | None = None) -> Recovered:
        what = None if outage.accounts is None else several
        return Recovered(account=outage.account, after=now - outage.since, server=outage.server, what=what)

    def _outage(self, error: StellantisError, since: datetime, server: str | None, account: str | None) -> Outage:
        return Outage(id=outage_id(server, account, since), error=error, since=since, server=server, account=account)


def _server_of(error: StellantisError) -> str | None:
    """Return the host that an error is about; None where it names none."""
    return host_of(getattr(error, "url", "")) or None
