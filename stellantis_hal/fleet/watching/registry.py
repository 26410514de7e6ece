"""Who is watched, when each is due, and what may be spent on them.

Knows members, intervals and budgets. Must not start, wait for or ask anything: instants are handed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime

import attrs

from stellantis_hal.client import Account
from stellantis_hal.fleet.targets import WatchedAccount, WatchedVehicle, limiter_of, name_of, rebound, with_priority
from stellantis_hal.fleet.watching.due_queue import Budget, CapacityPlan, DueQueue, Pacer, fraction_of, next_due
from stellantis_hal.fleet.watching.failover import FallbackAccounts
from stellantis_hal.fleet.watching.pacing_budget import budget_of
from stellantis_hal.navigation.context import utc_now
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.transport.rate_limit.limits import RateLimits
from stellantis_hal.transport.rate_limit.protocol import RateLimiter
from stellantis_hal.transport.rate_limit.quota import Quota
from stellantis_hal.validation import require_type

__all__ = ["LISTING_COST", "Registry", "Turn", "WatchOptions"]

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


@attrs.frozen(kw_only=True)
class WatchOptions:
    """How a fleet is to be polled.

    Attributes:
        every: seconds between two polls of a vehicle; 0: as fast as the budget allows.
        what: the kinds of things to ask for.
        concurrency: polls at a time.
        relist: seconds between two looks at an account's vehicles.
        max_wait: seconds that a poll may wait for the limiter.
        spend: what may be spent at most; None: what the limiter leaves to background requests.
        rhythm: how much longer intervals are at an instant.
        weight: how much more often a vehicle is polled than others.
    """

    every: float
    what: tuple[str, ...]
    concurrency: int
    relist: float
    max_wait: float
    spend: RateLimits | None
    rhythm: Callable[[datetime], float] | None
    weight: Callable[[Vehicle], float] | None


class Registry:
    """Accounts and vehicles, each with the instant at which its turn comes.

    Args:
        orders: how they are to be polled.
        clock: the wall clock; None: that of the first client.
    """

    def __init__(self, orders: WatchOptions, clock: Callable[[], datetime] | None) -> None:
        self.orders = orders
        self.agenda: DueQueue[Turn] = DueQueue()
        self.holdings: dict[str, WatchedAccount] = {}
        self.members: dict[str, WatchedVehicle] = {}
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
        known = self.holdings.get(name)
        if known is not None and known.lost is None:
            if known.account is not None and known.account.shares_credentials(account):
                return
            if not known.was_lost:  # by mistake, most likely: nobody said that it needs a new token
                raise ValueError(
                    f"another account is watched by the key {account.key!r}: give each a key of its own, or remove "
                    "that one first"
                )
        holding = self.holdings[name] = WatchedAccount(name, account, self.orders.max_wait)
        if known is not None:
            self._succeed(known, holding)
        self.agenda.put(holding, now)

    def _succeed(self, known: WatchedAccount, holding: WatchedAccount) -> None:
        """Let an account take the place of one of the same key: its vehicles stay, with all that is known of them."""
        self.agenda.drop(known)
        holding.lost, holding.was_lost, holding.failures = known.lost, known.was_lost, known.failures
        assert holding.background is not None  # noqa: S101 - only accounts have successors
        known.shared.clear()
        for member in list(known.members.values()):
            self._hand(member, holding, rebound(holding.background, member.vehicle))

    def _add_vehicle(self, vehicle: Vehicle, now: float) -> None:
        id_ = name_of(vehicle)
        if id_ is None or vehicle.resource is None:
            raise ValueError("a vehicle without id or links cannot be watched: read it by an account")
        self._unwanted.discard(id_)
        if id_ not in self.members:
            limiter = limiter_of(vehicle)
            if self._limiter is None:
                self._limiter, self._clock = limiter, self._clock or vehicle._bound().reader.clock
            elif limiter is not self._limiter:
                raise ValueError("this vehicle belongs to another client: watch the vehicles of each client apart")
            vehicle = with_priority(vehicle, "background", self.orders.max_wait)
            holding = WatchedAccount(f"vehicle:{id_}", None, self.orders.max_wait)
            self.holdings[holding.name] = holding
            self._enter(holding, id_, vehicle, now)
            self.has_grown = True

    def _enter(self, holding: WatchedAccount, id_: str, vehicle: Vehicle, now: float) -> None:
        weight = 1.0 if self.orders.weight is None else self.orders.weight(vehicle)
        if not 0 < weight < math.inf:
            raise ValueError(f"weight has to give a number more than 0, not {weight!r}")
        member = WatchedVehicle(id_, holding, vehicle, weight)
        self.members[id_] = holding.members[id_] = member
        self._put_apart(member, now)

    def _put_apart(self, member: WatchedVehicle, now: float) -> None:
        """Give a newcomer its first turn: not all at once, but within as long as all of them take, or an interval."""
        every = spread = self.orders.every
        if every > 0 and self._allowance is not None:
            pace = self._allowance.budget.pace
            spread = min(every, self._expected() * self._cost / pace if pace > 0 else math.inf)
            member.spread = spread / every
        self.agenda.put(member, now + fraction_of(member.id) * spread)

    def remove(self, who: Account | Vehicle | str, now: float) -> bool:
        """Watch an account, or a vehicle, no more; gives whether it was."""
        key = who.key if isinstance(who, Account) else who if isinstance(who, str) else name_of(who) or ""
        member = None if isinstance(who, Account) else self.members.get(key)
        if member is not None:
            self._unwanted.add(key)
            self.dismiss(member)
            return True
        holding = self.holdings.pop(f"account:{key}", None)
        if holding is not None:
            self.agenda.drop(holding)
            holding.shared.clear()
            for member in list(holding.members.values()):
                if not self.hand_over(member, now):
                    self.dismiss(member)
        return holding is not None

    def dismiss(self, member: WatchedVehicle) -> None:
        """Watch a vehicle no more."""
        member.left = True
        self.agenda.drop(member)
        self._release(member)
        del self.members[member.id]
        self._heirs.forget(member.id)

    def _release(self, member: WatchedVehicle) -> None:
        del member.holding.members[member.id]
        if member.holding.account is None:
            del self.holdings[member.holding.name]

    def hand_over(self, member: WatchedVehicle, now: float) -> bool:
        """Let another account go on with a vehicle that its own cannot read any more; tells whether one has it."""
        heir = self._heirs.of(member.id)
        if heir is not None:
            self._hand(member, heir, heir.shared.pop(member.id))
            self._rouse(member, now)
        return heir is not None

    def _hand(self, member: WatchedVehicle, holding: WatchedAccount, vehicle: Vehicle) -> None:
        self._release(member)
        member.holding, member.vehicle = holding, vehicle
        holding.members[member.id] = member

    def _rouse(self, member: WatchedVehicle, now: float) -> None:
        """Give a vehicle that was left alone its turns again; one that is being polled gets its next after that."""
        if member not in self.agenda and not member.busy:
            self._put_apart(member, now)

    def rouse(self, holding: WatchedAccount, now: float) -> None:
        """Give the vehicles of an account that was lost their turns again."""
        for member in holding.members.values():
            self._rouse(member, now)

    def watches(self, turn: Turn) -> bool:
        """Tell whether somebody is watched still."""
        if isinstance(turn, WatchedAccount):
            return self.holdings.get(turn.name) is turn
        return self.members.get(turn.id) is turn

    def listed(self, holding: WatchedAccount, found: Mapping[str, Vehicle], now: float) -> None:
        """Take over which vehicles an account has by now."""
        holding.listed = True
        if not found and holding.members and holding.empty < _BELIEVED:
            # The API says "no vehicles" of accounts that have some, now and then.
            holding.empty += 1
            self.agenda.put(holding, now + min(self.orders.relist, _EMPTY_AGAIN * 2**holding.empty))
            return
        holding.empty = 0
        for gone in [holding.members[id_] for id_ in holding.members if id_ not in found]:
            if not self.hand_over(gone, now):
                self.dismiss(gone)
        holding.shared.clear()
        for id_, vehicle in found.items():
            member = self.members.get(id_)
            if member is None:
                if id_ not in self._unwanted:
                    self._enter(holding, id_, vehicle, now)
            elif member.holding is holding:
                member.vehicle = vehicle
            elif member.holding.lost is not None and member.holding.account is not None:
                self._hand(member, holding, vehicle)
                self._rouse(member, now)
            else:
                self._heirs.note(id_, holding, vehicle)
                if member.holding.lost is not None and not member.busy:
                    self.agenda.put(member, now)  # by itself once more, and by this account if that fails
        self.agenda.put(holding, now + self.orders.relist * (0.75 + 0.5 * fraction_of(holding.name)))

    # ------------------------------------------------------------------------------------------- when

    def reenter(self, member: WatchedVehicle, due: float, now: float) -> None:
        """Enter the next turn of a vehicle that was due, and has been polled."""
        regular = member.regular
        if regular is None:
            interval = self.interval(member)
            if member.spread < 1:  # those that started close together move apart, all over the interval
                interval *= member.spread + (1 - member.spread) * fraction_of(member.id, "again")
                member.spread = 1.0
            regular = next_due(due, now, interval)
        if member.troubles is not None and len(member.troubles) == len(self.orders.what):
            regular = max(regular, min(trouble.until for trouble in member.troubles.values()))
        again = member.again_at
        member.regular = regular if again < regular else None
        self.agenda.put(member, min(again, regular))

    def interval(self, member: WatchedVehicle) -> float:
        """Tell how many seconds lie between two polls of a vehicle at present."""
        rhythm = 1.0 if self.orders.rhythm is None else self.orders.rhythm(self.wall_clock())
        if not 0 < rhythm < math.inf:
            raise ValueError(f"rhythm has to give a number more than 0, not {rhythm!r}")
        every = self.orders.every if self.orders.every > 0 else self._fastest()
        return every * member.factor * rhythm / member.weight

    def _fastest(self) -> float:
        """Give an interval that nobody can keep, so that there is always somebody due; the budget sets the pace."""
        daily = math.inf if self._allowance is None else self._allowance.budget.daily
        return _TOO_SHORT * len(self.members) * self._cost * _DAY / max(daily, 1.0)

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

    def learn(self, member: WatchedVehicle, now: float) -> None:
        """Note what a poll did cost; the first look at a vehicle, which may go far back, says nothing of the others."""
        extra = member.asked - self._cost
        if extra:
            if self._allowance is not None:
                self._allowance.settle(now, extra)
            if member.was_met:
                self._cost += _LEARNING * extra
        member.was_met = member.deep_at > -math.inf or "trips" not in self.orders.what

    def budget(self) -> Budget:
        """Tell what may be spent, as the limiter has it now."""
        if self._limiter is None:
            return Budget()
        return budget_of(
            self._limiter, Quota() if self._first_account is None else self._first_account.quota, self.orders.spend
        )

    def plan(self) -> CapacityPlan | None:
        """Tell whether the interval fits the budget, by as many vehicles as there will be, going by those known so far.

        None before every account was listed, or as many as make a fair sample.
        """
        listed = sum(holding.listed for holding in self.holdings.values())
        if listed < min(len(self.holdings), _SAMPLE):
            return None
        return CapacityPlan(
            vehicles=self._expected(), cost=self._cost, every=self.orders.every, budget=self.budget().daily
        )

    def _expected(self) -> int:
        """Guess how many vehicles there will be once every account was listed."""
        listed = sum(holding.listed for holding in self.holdings.values())
        return round(len(self.members) * len(self.holdings) / max(1, listed))
