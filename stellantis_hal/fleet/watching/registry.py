"""Who is watched, when each is due, and what may be spent on them.

Knows members, intervals and budgets. Must not start, wait for or ask anything: instants are handed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime

from stellantis_hal.client import Account
from stellantis_hal.fleet.targets import WatchedAccount, WatchedVehicle, id_of, limiter_of, rebind
from stellantis_hal.fleet.watching.due_queue import DueQueue
from stellantis_hal.fleet.watching.failover import FallbackAccounts
from stellantis_hal.fleet.watching.intervals import fraction_of, next_due
from stellantis_hal.fleet.watching.options import WatchOptions
from stellantis_hal.fleet.watching.pacing_budget import Budget, CapacityPlan, Pacer, budget_of
from stellantis_hal.hal.clock import utc_now
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.transport.rate_limit.protocol import RateLimiter
from stellantis_hal.validation import require_type

__all__ = ["LISTING_COST", "Registry", "Turn"]

LISTING_COST = 2.0
"""Requests that a look at an account's vehicles costs: the entry, and the first page."""

_DAY = 86_400.0
_TOO_SHORT = 0.1
_LEARNING = 0.02
_BUDGET_EVERY = 30.0
_SAMPLE = 20
_BELIEVED = 4
_EMPTY_AGAIN = 30.0

Turn = WatchedVehicle | WatchedAccount


class Registry:
    """Accounts and vehicles, each with the instant at which its turn comes.

    Args:
        orders: how they are to be polled.
        clock: the wall clock; None: that of the first client.
    """

    def __init__(self, orders: WatchOptions, clock: Callable[[], datetime] | None) -> None:
        self.orders = orders
        self.agenda: DueQueue[Turn] = DueQueue()
        self.accounts: dict[str, WatchedAccount] = {}
        self.vehicles: dict[str, WatchedVehicle] = {}
        self._heirs = FallbackAccounts()
        self._unwanted: set[str] = set()
        self.has_grown: bool = False  # vehicles by themselves came since it was planned for the last time
        self._cost = float(len(orders.what))
        self._allowance: Pacer | None = None
        self._budget_at = -math.inf
        self._first_account: Account | None = None
        self._limiter: RateLimiter | None = None
        self._clock = clock

    def wall_clock(self) -> datetime:
        """Read the wall clock."""
        return utc_now() if self._clock is None else self._clock()

    # ------------------------------------------------------------------------------------------- who

    def add(self, who: Account | Vehicle, now: float) -> None:
        """Watch an account's vehicles, or one vehicle, from now on.

        Raises:
            ValueError: it belongs to another client, or another account has the same key, or it has no links.
            TypeError: it is neither.
        """
        require_type("what is watched", who, Account, Vehicle)
        if isinstance(who, Account):
            self._add_account(who, now)
        else:
            self._add_vehicle(who, now)

    def _add_account(self, account: Account, now: float) -> None:
        if self._first_account is None:
            self._first_account = account
            if self._limiter not in (None, account.limiter):
                raise ValueError("this account belongs to another client than the vehicles: watch them apart")
            self._limiter = account.limiter
            self._clock = self._clock or account.clock
        elif not account.shares_client(self._first_account):
            raise ValueError("this account belongs to another client: watch the accounts of each client by themselves")
        name = f"account:{account.key}"
        known = self.accounts.get(name)
        if known is not None and known.lost_at is None:
            if known.account is not None and known.account.shares_credentials(account):
                return
            if not known.was_lost:  # by mistake, most likely: nobody said that it needs a new token
                raise ValueError(
                    f"another account is watched by the key {account.key!r}: give each a key of its own, or remove "
                    "that one first"
                )
        watched_account = self.accounts[name] = WatchedAccount(name, account, self.orders.max_wait)
        if known is not None:
            self._succeed(known, watched_account)
        self.agenda.put(watched_account, now)

    def _succeed(self, known: WatchedAccount, watched_account: WatchedAccount) -> None:
        """Let an account take the place of one of the same key: its vehicles stay, with all that is known of them."""
        self.agenda.drop(known)
        watched_account.lost_at, watched_account.was_lost, watched_account.failures = (
            known.lost_at,
            known.was_lost,
            known.failures,
        )
        assert watched_account.background is not None  # noqa: S101 - only accounts have successors
        known.shared.clear()
        for watched_vehicle in list(known.vehicles.values()):
            self._hand(watched_vehicle, watched_account, rebind(watched_account.background, watched_vehicle.vehicle))

    def _add_vehicle(self, vehicle: Vehicle, now: float) -> None:
        id_ = id_of(vehicle)
        if id_ is None or vehicle.resource is None:
            raise ValueError("a vehicle without id or links cannot be watched: read it by an account")
        self._unwanted.discard(id_)
        if id_ not in self.vehicles:
            limiter = limiter_of(vehicle)
            if self._limiter is None:
                self._limiter, self._clock = limiter, self._clock or vehicle.require_resource().require_context().clock
            elif limiter is not self._limiter:
                raise ValueError("this vehicle belongs to another client: watch the vehicles of each client apart")
            vehicle = vehicle.with_options(priority="background", max_wait=self.orders.max_wait)
            watched_account = WatchedAccount(f"vehicle:{id_}", None, self.orders.max_wait)
            self.accounts[watched_account.name] = watched_account
            self._enter(watched_account, id_, vehicle, now)
            self.has_grown = True

    def _enter(self, watched_account: WatchedAccount, id_: str, vehicle: Vehicle, now: float) -> None:
        weight = 1.0 if self.orders.weight is None else self.orders.weight(vehicle)
        if not 0 < weight < math.inf:
            raise ValueError(f"weight has to give a number more than 0, not {weight!r}")
        watched_vehicle = WatchedVehicle(id_, watched_account, vehicle, weight)
        self.vehicles[id_] = watched_account.vehicles[id_] = watched_vehicle
        self._put_apart(watched_vehicle, now)

    def _put_apart(self, watched_vehicle: WatchedVehicle, now: float) -> None:
        """Give a newcomer its first turn: not all at once, but within as long as all of them take, or an interval."""
        every = spread = self.orders.every
        if every > 0 and self._allowance is not None:
            pace = self._allowance.budget.pace
            spread = min(every, self._expected() * self._cost / pace if pace > 0 else math.inf)
            watched_vehicle.spread = spread / every
        self.agenda.put(watched_vehicle, now + fraction_of(watched_vehicle.id) * spread)

    def remove(self, who: Account | Vehicle | str, now: float) -> bool:
        """Watch an account, or a vehicle, no more; gives whether it was."""
        key = who.key if isinstance(who, Account) else who if isinstance(who, str) else id_of(who) or ""
        watched_vehicle = None if isinstance(who, Account) else self.vehicles.get(key)
        if watched_vehicle is not None:
            self._unwanted.add(key)
            self.dismiss(watched_vehicle)
            return True
        watched_account = self.accounts.pop(f"account:{key}", None)
        if watched_account is not None:
            self.agenda.drop(watched_account)
            watched_account.shared.clear()
            for watched_vehicle in list(watched_account.vehicles.values()):
                if not self.hand_over(watched_vehicle, now):
                    self.dismiss(watched_vehicle)
        return watched_account is not None

    def dismiss(self, watched_vehicle: WatchedVehicle) -> None:
        """Watch a vehicle no more."""
        watched_vehicle.is_removed = True
        self.agenda.drop(watched_vehicle)
        self._release(watched_vehicle)
        del self.vehicles[watched_vehicle.id]
        self._heirs.forget(watched_vehicle.id)

    def _release(self, watched_vehicle: WatchedVehicle) -> None:
        del watched_vehicle.account.vehicles[watched_vehicle.id]
        if watched_vehicle.account.is_standalone:
            del self.accounts[watched_vehicle.account.name]

    def hand_over(self, watched_vehicle: WatchedVehicle, now: float) -> bool:
        """Let another account go on with a vehicle that its own cannot read any more; tells whether one has it."""
        heir = self._heirs.of(watched_vehicle.id)
        if heir is not None:
            self._hand(watched_vehicle, heir, heir.shared.pop(watched_vehicle.id))
            self._rouse(watched_vehicle, now)
        return heir is not None

    def _hand(self, watched_vehicle: WatchedVehicle, watched_account: WatchedAccount, vehicle: Vehicle) -> None:
        self._release(watched_vehicle)
        watched_vehicle.account, watched_vehicle.vehicle = watched_account, vehicle
        watched_account.vehicles[watched_vehicle.id] = watched_vehicle

    def _rouse(self, watched_vehicle: WatchedVehicle, now: float) -> None:
        """Give a vehicle that was left alone its turns again; one that is being polled gets its next after that."""
        if watched_vehicle not in self.agenda and not watched_vehicle.is_busy:
            self._put_apart(watched_vehicle, now)

    def rouse(self, watched_account: WatchedAccount, now: float) -> None:
        """Give the vehicles of an account that was lost their turns again."""
        for watched_vehicle in watched_account.vehicles.values():
            self._rouse(watched_vehicle, now)

    def watches(self, turn: Turn) -> bool:
        """Tell whether somebody is watched still."""
        if isinstance(turn, WatchedAccount):
            return self.accounts.get(turn.name) is turn
        return self.vehicles.get(turn.id) is turn

    def listed(self, watched_account: WatchedAccount, found: Mapping[str, Vehicle], now: float) -> None:
        """Take over which vehicles an account has by now."""
        watched_account.is_listed = True
        if not found and watched_account.vehicles and watched_account.empty_listings < _BELIEVED:
            # The API says "no vehicles" of accounts that have some, now and then.
            watched_account.empty_listings += 1
            self.agenda.put(
                watched_account, now + min(self.orders.relist, _EMPTY_AGAIN * 2**watched_account.empty_listings)
            )
            return
        watched_account.empty_listings = 0
        for gone in [watched_account.vehicles[id_] for id_ in watched_account.vehicles if id_ not in found]:
            if not self.hand_over(gone, now):
                self.dismiss(gone)
        watched_account.shared.clear()
        for id_, vehicle in found.items():
            watched_vehicle = self.vehicles.get(id_)
            if watched_vehicle is None:
                if id_ not in self._unwanted:
                    self._enter(watched_account, id_, vehicle, now)
            elif watched_vehicle.account is watched_account:
                watched_vehicle.vehicle = vehicle
            elif watched_vehicle.account.lost_at is not None and not watched_vehicle.account.is_standalone:
                self._hand(watched_vehicle, watched_account, vehicle)
                self._rouse(watched_vehicle, now)
            else:
                self._heirs.note(id_, watched_account, vehicle)
                if watched_vehicle.account.lost_at is not None and not watched_vehicle.is_busy:
                    self.agenda.put(watched_vehicle, now)  # by itself once more, and by this account if that fails
        self.agenda.put(watched_account, now + self.orders.relist * (0.75 + 0.5 * fraction_of(watched_account.name)))

    # ------------------------------------------------------------------------------------------- when

    def reenter(self, watched_vehicle: WatchedVehicle, due: float, now: float) -> None:
        """Enter the next turn of a vehicle that was due, and has been polled."""
        regular = watched_vehicle.regular_due
        if regular is None:
            interval = self.interval(watched_vehicle)
            if watched_vehicle.spread < 1:  # those that started close together move apart, all over the interval
                interval *= watched_vehicle.spread + (1 - watched_vehicle.spread) * fraction_of(
                    watched_vehicle.id, "again"
                )
                watched_vehicle.spread = 1.0
            regular = next_due(due, now, interval)
        if watched_vehicle.failures is not None and len(watched_vehicle.failures) == len(self.orders.what):
            regular = max(regular, min(state.retry_at for state in watched_vehicle.failures.values()))
        again = watched_vehicle.retry_at
        watched_vehicle.regular_due = regular if again < regular else None
        self.agenda.put(watched_vehicle, min(again, regular))

    def interval(self, watched_vehicle: WatchedVehicle) -> float:
        """Tell how many seconds lie between two polls of a vehicle at present."""
        rhythm = 1.0 if self.orders.rhythm is None else self.orders.rhythm(self.wall_clock())
        if not 0 < rhythm < math.inf:
            raise ValueError(f"rhythm has to give a number more than 0, not {rhythm!r}")
        every = self.orders.every if self.orders.every > 0 else self._fastest()
        return every * watched_vehicle.interval_factor * rhythm / watched_vehicle.weight

    def _fastest(self) -> float:
        """Give an interval that nobody can keep, so that there is always somebody due; the budget sets the pace."""
        daily = math.inf if self._allowance is None else self._allowance.budget.daily
        return _TOO_SHORT * len(self.vehicles) * self._cost * _DAY / max(daily, 1.0)

    # ------------------------------------------------------------------------------------------- how much

    def wait(self, turn: Turn, now: float) -> float:
        """Tell for how many seconds the budget lets somebody wait; where that is 0, it is spent."""
        if self._limiter is None:
            return 0.0
        if self._allowance is None or now - self._budget_at >= _BUDGET_EVERY:
            self._budget_at = now
            if self._allowance is None:
                self._allowance = Pacer(self.budget(), now)
            else:
                self._allowance.adjust(self.budget(), now)
        cost = self._cost if isinstance(turn, WatchedVehicle) else LISTING_COST
        wait = self._allowance.wait(now, cost)
        if wait > 0:
            return min(wait, _BUDGET_EVERY)
        self._allowance.spend(now, cost)
        return 0.0

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left of the day's budget."""
        return self._allowance is not None and self._allowance.budget.free_today < 1

    def learn(self, watched_vehicle: WatchedVehicle, now: float) -> None:
        """Note what a poll did cost; the first look at a vehicle, which may go far back, says nothing of the others."""
        extra = watched_vehicle.requests - self._cost
        if extra:
            if self._allowance is not None:
                self._allowance.settle(now, extra)
            if watched_vehicle.is_initialized:
                self._cost += _LEARNING * extra
        watched_vehicle.is_initialized = watched_vehicle.deep_scan_at > -math.inf or "trips" not in self.orders.what

    def budget(self) -> Budget:
        """Tell what may be spent, as the limiter has it now."""
        if self._limiter is None:
            return Budget()
        return budget_of(self._limiter, self.orders.spend)

    def plan(self) -> CapacityPlan | None:
        """Tell whether the interval fits the budget, by as many vehicles as there will be, going by those known so far.

        None before every account was listed, or as many as make a fair sample.
        """
        listed = sum(watched_account.is_listed for watched_account in self.accounts.values())
        if listed < min(len(self.accounts), _SAMPLE):
            return None
        return CapacityPlan(
            vehicles=self._expected(), cost=self._cost, every=self.orders.every, budget=self.budget().daily
        )

    def _expected(self) -> int:
        """Guess how many vehicles there will be once every account was listed."""
        listed = sum(watched_account.is_listed for watched_account in self.accounts.values())
        return round(len(self.vehicles) * len(self.accounts) / max(1, listed))
