"""Who polls: one task that decides who is next, and short-lived ones that ask.

Knows members, turns and failures. Must not know the consumer, nor what is new in what comes.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import anyio
import attrs
from anyio.abc import TaskGroup

from stellantis_hal.client import Account
from stellantis_hal.errors import StellantisError
from stellantis_hal.fleet.budget import budget_of
from stellantis_hal.fleet.checkpoints import CheckpointError
from stellantis_hal.fleet.events import AccountLost, Event, Outage, Recovered, VehicleUnavailable
from stellantis_hal.fleet.health import Health, scope_of
from stellantis_hal.fleet.members import Holding, Member, name_of, rebound
from stellantis_hal.fleet.polling import Poller
from stellantis_hal.fleet.schedule import Agenda, Allowance, Budget, Plan, back_off, fraction_of, next_due
from stellantis_hal.fleet.statistics import Counts
from stellantis_hal.navigation.binding import utc_now
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.transport.limits import RateLimits
from stellantis_hal.transport.session import Session

__all__ = ["Crew", "Orders"]

_DAY = 86_400.0
_TOO_SHORT = 0.1
_LISTING = 2.0
_LEARNING = 0.02
_BUDGET_EVERY = 30.0
_URGENT = 8
_PATIENCE = 3
_ACCOUNT_AGAIN = 900.0
_LONGEST_REST = 86_400.0
_LEAST_EVERY = 60.0
_FIRST_SHARE = 0.25

Turn = Member | Holding


@attrs.frozen(kw_only=True)
class Orders:
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


class Crew:
    """Keeps a fleet polled.

    Args:
        orders: how.
        poller: makes what asks for one thing and offers what is new.
        counts: what is counted.
        clock: the wall clock; None: that of the first client.
        say: hands an event over; waits while there is no room.
        is_full: tells whether there is no room.
        settled: is called once the plan is known, and whenever it changed.
        failed: is told of what ends the watch.
    """

    def __init__(
        self,
        orders: Orders,
        poller: Callable[[Crew], Poller],
        *,
        counts: Counts,
        clock: Callable[[], datetime] | None,
        say: Callable[[Event], Awaitable[None]],
        is_full: Callable[[], bool],
        settled: Callable[[Plan], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self.orders = orders
        self.agenda: Agenda[Turn] = Agenda()
        self.health = Health()
        self.holdings: dict[str, Holding] = {}
        self.members: dict[str, Member] = {}
        self.allowance: Allowance | None = None
        self.running = 0
        self.paused = False
        self.plan: Plan | None = None
        self._poller = poller(self)
        self._counts = counts
        self._clock = clock
        self._say = say
        self._is_full = is_full
        self._settled = settled
        self._failed = failed
        self._session: Session | None = None
        self._urgent: deque[Member] = deque()
        self._urgent_running = 0
        self._probing = False
        self._stopped = False
        self._cost = float(len(orders.what))
        self._budget_at = -math.inf
        self._wake = anyio.Event()
        self._ended = anyio.Event()

    # ------------------------------------------------------------------------------------------- who

    def add(self, who: Account | Vehicle) -> None:
        """Watch an account's vehicles, or one vehicle, from now on.

        Raises:
            ValueError: it belongs to another client, or another account has the same key.
        """
        now = anyio.current_time()
        if isinstance(who, Account):
            self._add_account(who, now)
        else:
            self._add_vehicle(who, now)
        self.wake()

    def now(self) -> datetime:
        """Read the wall clock."""
        return utc_now() if self._clock is None else self._clock()

    def _add_account(self, account: Account, now: float) -> None:
        if self._session is None:
            self._session = account._session
            self._clock = self._clock or account._reader.clock
        elif self._session is not account._session:
            raise ValueError("this account belongs to another client: watch the accounts of each client by themselves")
        name = f"account:{account.key}"
        known = self.holdings.get(name)
        if known is not None and known.lost is None:
            if known.account is not None and known.account._credentials is account._credentials:
                return
            raise ValueError(f"another account is watched by the key {account.key!r}: give each a key of its own")
        holding = Holding(name, account, self.orders.max_wait)
        if known is not None:
            self._forget(known)
            holding.lost, holding.failures = known.lost, known.failures
        self.holdings[name] = holding
        self.agenda.put(holding, now)

    def _add_vehicle(self, vehicle: Vehicle, now: float) -> None:
        id_ = name_of(vehicle)
        if id_ is None or vehicle.resource is None:
            raise ValueError("a vehicle without id or links cannot be watched: read it by an account")
        if id_ in self.members:
            return
        holding = Holding(f"vehicle:{id_}", None, self.orders.max_wait)
        self.holdings[holding.name] = holding
        self._enter(holding, id_, vehicle, now)

    def _enter(self, holding: Holding, id_: str, vehicle: Vehicle, now: float) -> None:
        weight = 1.0 if self.orders.weight is None else self.orders.weight(vehicle)
        if not 0 < weight < math.inf:
            raise ValueError(f"weight has to give a number more than 0, not {weight!r}")
        member = Member(id_, holding, vehicle, weight)
        self.members[id_] = holding.members[id_] = member
        self.agenda.put(member, now + fraction_of(id_) * self._spread())

    def _spread(self) -> float:
        """Tell within how many seconds newcomers have their first turn: as long as all of them take, or an interval."""
        if self.orders.every <= 0 or self.allowance is None:
            return self.orders.every
        pace = self.allowance.budget.pace
        all_of_them = len(self.members) * self._cost / pace if pace > 0 else math.inf
        return min(self.orders.every, all_of_them)

    def remove(self, who: Account | Vehicle | str) -> bool:
        """Watch an account, or a vehicle, no more; gives whether it was."""
        if isinstance(who, Account):
            holding = self.holdings.pop(f"account:{who.key}", None)
        else:
            id_ = who if isinstance(who, str) else name_of(who)
            member = self.members.get(id_ or "")
            if member is not None:
                self._dismiss(member)
                return True
            holding = self.holdings.pop(f"account:{id_}", None)
        if holding is None:
            return False
        self._forget(holding)
        return True

    def _forget(self, holding: Holding) -> None:
        self.agenda.drop(holding)
        for member in list(holding.members.values()):
            self._dismiss(member)

    def _dismiss(self, member: Member) -> None:
        self.agenda.drop(member)
        member.holding.members.pop(member.id, None)
        if self.members.get(member.id) is member:
            del self.members[member.id]
        if member.holding.account is None:
            self.holdings.pop(member.holding.name, None)

    def urge(self, id_: str) -> bool:
        """Poll a vehicle now, from the share of interactive requests; gives whether it is watched."""
        member = self.members.get(id_)
        if member is None:
            return False
        if not member.urgent:
            member.urgent = True
            self._urgent.append(member)
            self.wake()
        return True

    # ------------------------------------------------------------------------------------------- when

    def wake(self) -> None:
        """Look again who is next: something changed."""
        self._wake.set()

    def stop(self) -> None:
        """Start no more polls."""
        self._stopped = True
        self.wake()

    async def rest(self) -> None:
        """Wait until no poll is under way."""
        while self.running or self._urgent_running:
            self._ended = anyio.Event()
            await self._ended.wait()

    async def work(self, tasks: TaskGroup) -> None:
        """Start polls as they come due, for ever."""
        while not self._stopped:
            self._wake = anyio.Event()
            wait = self._start_next(tasks)
            if wait > 0:
                with anyio.move_on_after(wait):
                    await self._wake.wait()
            else:
                await anyio.lowlevel.checkpoint()

    def _start_next(self, tasks: TaskGroup) -> float:
        """Start whoever is next, and give 0; else the seconds until there may be somebody."""
        now = anyio.current_time()
        if self._urgent and self._urgent_running < _URGENT and self._start_urgent(tasks):
            return 0.0
        if self.paused or self._probing or self.running >= self.orders.concurrency or self._is_full():
            return math.inf
        first = self.agenda.first()
        if first is None:
            return math.inf
        wait = max(first.due, self.health.probe_at) - now
        if wait > 0:
            return wait
        cost = self._cost if isinstance(first.key, Member) else _LISTING
        allowance = self._allowed(now)
        if allowance is not None:
            wait = allowance.wait(now, cost)
            if wait > 0:
                return min(wait, _BUDGET_EVERY)
            allowance.spend(now, cost)
        self.agenda.take()
        self._counts.began(now - first.due)
        self._probing = self.health.since is not None
        first.key.busy = True
        self.running += 1
        tasks.start_soon(self._take_turn, first.key, first.due, self._probing)
        return 0.0

    def _start_urgent(self, tasks: TaskGroup) -> bool:
        for _ in range(len(self._urgent)):
            member = self._urgent.popleft()
            if member.busy:
                self._urgent.append(member)
                continue
            member.urgent = False
            if self.members.get(member.id) is not member:
                continue
            self.agenda.drop(member)
            member.busy = True
            self._urgent_running += 1
            tasks.start_soon(self._take_urgent_turn, member)
            return True
        return False

    def _allowed(self, now: float) -> Allowance | None:
        if self._session is None:
            return None
        if self.allowance is None:
            self.allowance = Allowance(self.budget(), now)
            self._budget_at = now
        elif now - self._budget_at >= _BUDGET_EVERY:
            self.allowance.adjust(self.budget(), now)
            self._budget_at = now
        return self.allowance

    def budget(self) -> Budget:
        """Tell what may be spent, as the limiter has it now."""
        if self._session is None:
            return Budget()
        return budget_of(self._session.limiter, self._session.quota, self.orders.spend)

    # ------------------------------------------------------------------------------------------- turns

    async def _take_turn(self, turn: Turn, due: float, probing: bool) -> None:
        try:
            if isinstance(turn, Holding):
                await self._list(turn)
            else:
                await self._poll(turn, turn.vehicle, due, urgent=False)
        except Exception as error:  # noqa: BLE001 - the consumer gets it, as it is
            self._failed(error)
        finally:
            turn.busy = False
            self.running -= 1
            if probing:
                self._probing = False
            self._ended.set()
            self.wake()

    async def _take_urgent_turn(self, member: Member) -> None:
        account = member.holding.account
        vehicle = member.vehicle if account is None else rebound(account, member.vehicle)
        try:
            await self._poll(member, vehicle, anyio.current_time(), urgent=True)
        except Exception as error:  # noqa: BLE001 - the consumer gets it, as it is
            self._failed(error)
        finally:
            member.busy = False
            self._urgent_running -= 1
            self._ended.set()
            self.wake()

    async def _poll(self, member: Member, vehicle: Vehicle, due: float, *, urgent: bool) -> None:
        self._counts.polls += 1
        member.asked = 0
        asked = True
        for what in self.orders.what:
            if not urgent and member.rests(what, anyio.current_time()):
                continue
            try:
                found = await self._poller.ask(member, vehicle, what, now=anyio.current_time())
            except CheckpointError:
                raise
            except StellantisError as error:
                asked = await self._trouble(member, what, error)
                if not asked:
                    break
            else:
                await self._fine(member, what, found=found)
        if asked and not member.troubles:
            self._cost += _LEARNING * (member.asked - self._cost)
        self._reenter(member, due, asked=asked)

    def _reenter(self, member: Member, due: float, *, asked: bool) -> None:
        if self.members.get(member.id) is not member or (member.holding.lost is not None and member.holding.account):
            return
        now = anyio.current_time()
        if not asked and member.holding.lost is None:
            self.agenda.put(member, due)
            return
        interval = self._interval(member)
        if member.fresh:
            member.fresh = False
            interval *= _FIRST_SHARE + (1 - _FIRST_SHARE) * fraction_of(member.id, "again")
        following = next_due(due, now, interval)
        if member.troubles is not None and len(member.troubles) == len(self.orders.what):
            following = max(following, min(trouble.until for trouble in member.troubles.values()))
        self.agenda.put(member, following)

    def _interval(self, member: Member) -> float:
        rhythm = 1.0 if self.orders.rhythm is None else self.orders.rhythm(self.now())
        if not 0 < rhythm < math.inf:
            raise ValueError(f"rhythm has to give a number more than 0, not {rhythm!r}")
        every = self.orders.every if self.orders.every > 0 else self._fastest()
        return every * member.factor * rhythm / member.weight

    def _fastest(self) -> float:
        """Give an interval that nobody can keep, so that there is always somebody due; the budget sets the pace."""
        daily = math.inf if self.allowance is None else self.allowance.budget.daily
        return _TOO_SHORT * len(self.members) * self._cost * _DAY / max(daily, 1.0)

    # ------------------------------------------------------------------------------------------- accounts

    async def _list(self, holding: Holding) -> None:
        """Look which vehicles an account has by now."""
        assert holding.background is not None  # noqa: S101 - only accounts are listed
        self._counts.polls += 1
        self._counts.requests += int(_LISTING)
        found: dict[str, Vehicle] = {}
        try:
            async for vehicle in holding.background.vehicles():
                id_ = name_of(vehicle)
                if id_ is not None:
                    found[id_] = rebound(holding.background, vehicle)
        except StellantisError as error:
            await self._listing_failed(holding, error)
            return
        finally:
            first, holding.listed = not holding.listed, True
        now = anyio.current_time()
        await self._works(now)
        if self.holdings.get(holding.name) is not holding:
            return
        for id_ in [id_ for id_ in holding.members if id_ not in found]:
            self._dismiss(holding.members[id_])
        for id_, vehicle in found.items():
            if id_ not in self.members:
                self._enter(holding, id_, vehicle, now)
        lost, holding.lost, holding.failures = holding.lost, None, 0
        if lost is not None:
            for member in holding.members.values():
                if member not in self.agenda and not member.busy:
                    self.agenda.put(member, now + fraction_of(member.id) * self._spread())
            await self._say(Recovered(account=holding.key, after=now - lost))
        self.agenda.put(holding, now + self.orders.relist * (0.75 + 0.5 * fraction_of(holding.name)))
        if first:
            self._check_plan()

    async def _listing_failed(self, holding: Holding, error: StellantisError) -> None:
        now = anyio.current_time()
        self._counts.errors[type(error).__name__] += 1
        scope = scope_of(error)
        if scope in {"account", "vehicle"}:
            await self._works(now)
            await self._lose(holding, error)
            return
        await self._blame(holding.name, error, scope == "budget")
        if self.holdings.get(holding.name) is holding:
            holding.failures += 1
            self.agenda.put(holding, now + (0.0 if self.health.since else back_off(holding.failures, 15.0, 900.0)))

    async def _lose(self, holding: Holding, error: StellantisError) -> None:
        """Leave an account alone, and tell so once."""
        now = anyio.current_time()
        if self.holdings.get(holding.name) is not holding:
            return
        holding.failures += 1
        again = back_off(holding.failures, _ACCOUNT_AGAIN, _LONGEST_REST)
        told = holding.lost is not None
        if not told:
            holding.lost = now
        for member in holding.members.values():
            self.agenda.drop(member)
        if holding.account is None:
            for member in holding.members.values():
                self.agenda.put(member, now + again)
        else:
            self.agenda.put(holding, now + again)
        if not told:
            await self._say(AccountLost(account=holding.key, error=error, again_in=again))

    def _check_plan(self) -> None:
        if all(holding.listed for holding in self.holdings.values()):
            self.replan()

    def replan(self) -> None:
        """See whether the interval fits the budget."""
        budget = self.budget()
        plan = Plan(vehicles=len(self.members), cost=self._cost, every=self.orders.every, budget=budget.daily)
        self.plan = plan
        self._settled(plan)

    # ------------------------------------------------------------------------------------------- what works, what not

    async def _works(self, now: float) -> None:
        lasted = self.health.succeeded(now)
        if lasted is not None:
            await self._say(Recovered(after=lasted))

    async def _fine(self, member: Member, what: str, *, found: bool) -> None:
        now = anyio.current_time()
        await self._works(now)
        holding = member.holding
        if holding.account is None and holding.lost is not None:
            lost, holding.lost, holding.failures = holding.lost, None, 0
            await self._say(Recovered(vehicle=member.vehicle, after=now - lost))
        if not found:
            await self._leave_alone(member, what, None, tell_after=1)
            return
        trouble = member.mended(what)
        if trouble is not None and trouble.told:
            await self._say(
                Recovered(account=holding.key, vehicle=member.vehicle, what=what, after=now - trouble.since)
            )

    async def _trouble(self, member: Member, what: str, error: StellantisError) -> bool:
        """Judge a failure; gives whether to go on with the vehicle's other things."""
        self._counts.errors[type(error).__name__] += 1
        scope = scope_of(error)
        if scope == "account":
            await self._lose(member.holding, error)
            return False
        if scope == "vehicle":
            await self._works(anyio.current_time())
            await self._leave_alone(member, what, error, tell_after=1)
            return True
        await self._blame(member.id, error, scope == "budget")
        if self.health.since is not None:
            return False
        await self._leave_alone(member, what, error, tell_after=_PATIENCE)
        return True

    async def _blame(self, key: str, error: StellantisError, budget: bool) -> None:
        """Count a failure that may be everybody's."""
        now = anyio.current_time()
        hold: float | None = getattr(error, "retry_after", None) or 60.0 if budget else None
        if self.health.failed(key, now, vehicles=len(self.members), hold=hold):
            since = self.now() - timedelta(seconds=now - (self.health.since or now))
            await self._say(Outage(error=error, since=since))

    async def _leave_alone(self, member: Member, what: str, error: StellantisError | None, *, tell_after: int) -> None:
        now = anyio.current_time()
        trouble = member.trouble(what, now)
        trouble.failures += 1
        base = max(_LEAST_EVERY, self._interval(member))
        rest = back_off(trouble.failures - 1, base, max(base, _LONGEST_REST))
        trouble.until = now + rest
        if trouble.failures >= tell_after and not trouble.told:
            trouble.told = True
            await self._say(
                VehicleUnavailable(
                    account=member.holding.key, vehicle=member.vehicle, what=what, error=error, again_in=rest
                )
            )
