"""Exchanges that one process makes at a ledger shared by several: when, for whom, and what to do while it is away."""

from __future__ import annotations

import logging
import math
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import Literal, Protocol, Self, TypeAlias

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from stellantis_hal.errors import BudgetExhaustedError, ClosedClientError, ConfigurationError, LimiterSlotExpiredError
from stellantis_hal.storage.entering_task import EnteringTask
from stellantis_hal.storage.errors import StorageError
from stellantis_hal.storage.run_to_completion import run_to_completion
from stellantis_hal.transport.loop_binding import LoopBinding
from stellantis_hal.transport.loop_handle import loop_time
from stellantis_hal.transport.rate_limit.effective_limit import LAPSE
from stellantis_hal.transport.rate_limit.fallback_ledger import FixedShareLedger, share_of
from stellantis_hal.transport.rate_limit.grant_queue import GrantQueue, Waiter
from stellantis_hal.transport.rate_limit.process_grants import ProcessGrants, RequestGrant
from stellantis_hal.transport.rate_limit.protocol import (
    REFUSAL,
    Capacity,
    LimiterStatistics,
    Priority,
    RateLimits,
)
from stellantis_hal.transport.rate_limit.quota_headers import LONGEST_PAUSE, ReportedQuota
from stellantis_hal.transport.rate_limit.shared_ledger import ALIVE, SECOND, UNLIMITED, LedgerReply, LedgerRequest
from stellantis_hal.validation import require_type

__all__ = ["LedgerClient", "LedgerConnection", "OnOutage"]

OnOutage: TypeAlias = Literal["share", "refuse", "wait"]
"""What a process does while the ledger is away: use a fixed share, refuse requests at once, or let them wait."""

_logger = logging.getLogger("stellantis_hal")
_HEARTBEAT = ALIVE / SECOND / 3
_PROBE_EVERY = 0.2
_EMPTY_WINDOW = 1.05
"""Seconds: the window, and a margin for what was sent late."""
_UNTIL_PAUSED = 0.1
"""Seconds without a grant after a refusal, until the caller has read how long to pause."""
_TRIES = 3
_CUT_WITHIN = 0.5
"""Seconds: a call that fails sooner was cut off, and is tried again at once."""
_LONG = 600.0


class LedgerConnection(Protocol):
    """How a process reaches the ledger."""

    @property
    def place(self) -> str:
        """Where it is, for messages: a noun phrase."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    async def take(self, exchange: LedgerRequest) -> LedgerReply:
        """Make an exchange, within a bounded time.

        Raises:
            StorageError: the ledger is away; the exchange may have been made all the same.
        """
        ...

    async def check(self) -> None:
        """Return where the ledger can be reached.

        Raises:
            StorageError: it cannot.
        """
        ...


class LedgerClient:
    """Hands tasks what the exchanges of this process are granted.

    One task takes them, each for everything that has gathered; it runs between entering and leaving.

    Args:
        ledger: where the processes meet.
        limits: ceilings, which the server's headers may lower. Where processes give different ones, the smallest count.
        processes: how many processes share the limits at most: each may use so many parts of them in an outage.
        on_outage: what to do while the ledger is away.
        interactive_share: the part (0 to 1) of each window that background requests may not use.
    """

    def __init__(
        self,
        ledger: LedgerConnection,
        limits: RateLimits | None = None,
        *,
        processes: int,
        on_outage: OnOutage = "share",
        interactive_share: float = 0.1,
    ) -> None:
        require_type("limits", limits, RateLimits, None, instead="RateLimits(per_second=…, per_day=…)")
        given: object = processes
        if not isinstance(given, int) or isinstance(given, bool):
            raise TypeError(f"processes must be an int, for example 4, not {given!r}")
        if processes < 1:
            raise ValueError(f"processes must be at least 1, the number of processes that share it, not {processes}")
        if on_outage not in {"share", "refuse", "wait"}:
            raise ValueError(f'on_outage must be "share", "refuse" or "wait", not {on_outage!r}')
        require_type("interactive_share", interactive_share, int, float)
        if not 0 <= interactive_share < 1:
            raise ValueError(
                f"interactive_share must be at least 0 and less than 1, for example 0.1, not {interactive_share}"
            )
        self._ledger: LedgerConnection = ledger
        self._limits: RateLimits = RateLimits() if limits is None else limits
        self._processes: int = processes
        self._on_outage: OnOutage = on_outage
        self._interactive_share = interactive_share
        self._binding = LoopBinding("this limiter")
        self._task = EnteringTask("this limiter")
        self._queue = GrantQueue()
        self._group: TaskGroup | None = None
        self._is_open = self._was_entered = False
        self._outages = 0
        self._warned: set[str] = set()
        self._granted = self._given_back = self._refused = self._waited = self._pauses = 0
        self._seconds_waited = self._seen_at = 0.0
        self._reset()

    def _reset(self) -> None:
        """Forget instants: another event loop has another clock."""
        name = f"{os.getpid()}-{secrets.token_hex(6)}"
        self._book = ProcessGrants(name, self._limits, self._interactive_share, self._processes)
        self._wake = anyio.Event()
        self._is_fresh = True
        self._asks_again_at = math.inf
        self._last_exchange = -math.inf
        self._pause_until = self._handed_pause = self._paused_until = -math.inf
        self._pause_reason = ""
        self._day_blocked_until = [-math.inf, -math.inf]
        self._away_since: float | None = None
        self._away_because: str  # these two are set where the ledger goes away
        self._is_reachable: bool
        self._private: FixedShareLedger | None = None

    # -------------------------------------------------------------------------------------------- life cycle

    async def enter(self) -> None:
        """Begin to make exchanges; an idle limiter may be entered again, in another event loop too.

        A ledger that is away is no error: what ``on_outage`` says applies.

        Raises:
            RuntimeError: it is entered already.
            ConfigurationError: what the ledger needs is not installed.
        """
        if self._group is not None:
            raise RuntimeError(
                "this limiter is entered already: enter it once, around all clients that share it "
                "(`async with limiter: …`)"
            )
        self._binding.release()
        self._binding.check()
        self._task.enter()
        self._reset()
        group = anyio.create_task_group()
        self._group = group
        try:
            await self._ledger.__aenter__()
        except BaseException:
            self._group = None
            raise
        await group.__aenter__()  # it waits for nothing
        self._is_open = self._was_entered = True
        group.start_soon(self._pump)

    async def leave(self) -> None:
        """Refuse tasks that wait, make a last exchange, and leave the ledger; nothing where it is not entered."""
        group, self._group = self._group, None
        if group is None:
            return
        self._is_open = False
        for waiter in list(self._queue):
            self._queue.refuse(waiter, _closed())
        with self._task.leaving():
            try:
                group.cancel_scope.cancel()
                await group.__aexit__(None, None, None)  # without the error, which it would wrap in a group
            finally:
                try:
                    await self._take_leave()
                finally:
                    await self._ledger.__aexit__(None, None, None)

    async def _take_leave(self) -> None:
        """Make a last exchange; without it the ledger finds out after some seconds that this process is gone.

        In an outage it is tried all the same, so that what was sent in it counts.
        """
        exchange = self._book.exchange if self._away_since is None else self._exchange_of_return
        with anyio.CancelScope(shield=True), suppress(StorageError):  # bounded by the ledger
            await run_to_completion(lambda: self._take(lambda now: exchange(now, leaving=True)))

    # ---------------------------------------------------------------------------------------------- protocol

    def check_loop(self) -> None:
        """Raise WrongLoopError where it was entered in another event loop, thread or process."""
        if self._is_open:
            self._binding.check()

    def pause(self, seconds: float, reason: str = "") -> None:
        """Send nothing in any process for this many seconds; see :class:`RateLimiter`."""
        if seconds <= 0:
            return
        now = self._now()
        self._pauses += 1
        seconds = min(seconds, LONGEST_PAUSE)
        self._hold_back(now + (LAPSE if seconds >= LONGEST_PAUSE else seconds), reason)
        self._refuse_impatient()

    def _hold_back(self, until: float, reason: str) -> None:
        if until > self._pause_until:
            self._pause_until = until
            self._pause_reason = reason
        self._paused_until = max(self._paused_until, until)
        self._wake_pump()

    @property
    def limits(self) -> RateLimits:
        """The limits known now: the smallest that a process was given, as lowered by the server's headers."""
        latest = self._book.latest
        if latest is None or self._private is not None:
            return self._limits
        return RateLimits(_finite(latest.per_second), _finite(latest.per_day))

    def capacity(self, priority: Priority) -> Capacity:
        """Return what requests of a priority may use in this process.

        The day is divided among the processes that use background requests, so that each can plan its part. The burst
        window is not: it is shared as needed, except in an outage.
        """
        latest, limits = self._book.latest, self.limits
        share = self._interactive_share if priority == "background" else 0.0
        sharers = 1 if latest is None or priority == "interactive" else latest.sharers
        per_second = math.inf if limits.per_second is None else limits.per_second - int(limits.per_second * share)
        if limits.per_day is None:
            return Capacity(per_second=per_second)
        keep = int(limits.per_day * share)
        free = limits.per_day if latest is None else latest.day_free
        return Capacity(
            per_second=per_second,
            per_day=(limits.per_day - keep) / sharers,
            free_today=max(0, free - keep) / sharers,
        )

    @property
    def statistics(self) -> LimiterStatistics:
        """Counters and state; free tokens and the pause as the latest exchange has found them."""
        latest = self._book.latest
        smallest = self._book.round_trips.smallest
        return LimiterStatistics(
            granted=self._granted,
            given_back=self._given_back,
            refused=self._refused,
            waited=self._waited,
            seconds_waited=self._seconds_waited,
            waiting=len(self._queue),
            in_flight=self._book.out,
            pauses=self._pauses,
            paused_for=max(0.0, self._paused_until - self._now()),
            free_this_second=None if latest is None or _finite(latest.per_second) is None else latest.free,
            free_today=None if latest is None or _finite(latest.per_day) is None else latest.day_free,
            smallest_round_trip=None if smallest == math.inf else smallest,
        )

    @property
    def is_away(self) -> bool:
        """Whether the ledger cannot be reached now, so that what ``on_outage`` says applies."""
        return self._away_since is not None

    def _away_for(self, now: float) -> float:
        return 0.0 if self._away_since is None else now - self._away_since

    def _now(self) -> float:
        """Return the time of the event loop; in other threads, and where none runs, that of the latest exchange."""
        if not self._binding.is_elsewhere:
            with suppress(RuntimeError):  # no event loop runs
                self._seen_at = loop_time()
        return self._seen_at

    # ------------------------------------------------------------------------------------------ waiting tasks

    async def acquire(self, background: bool, max_wait: float) -> RequestGrant:
        """Wait for a grant, and until its instant."""
        if self._group is None or not self._is_open:
            raise self._not_entered()
        now = anyio.current_time()
        latest = min(now + max_wait, anyio.current_effective_deadline())
        grant_at = self._estimate(background, now, len(self._queue) if background else self._queue.counts()[0])
        if grant_at > max(latest, now):
            self._refused += 1
            await anyio.lowlevel.checkpoint()  # a task that asks again at once must not starve all others
            raise self._exhausted(background, grant_at - now, now)
        waiter = Waiter(background, latest)
        is_first = not self._queue.counts()[background]
        self._queue.add(waiter)
        if is_first or self._asks_again_at == math.inf:
            self._is_fresh = True
            self._wake_pump()
        try:
            with anyio.CancelScope(deadline=now + max_wait):
                await waiter.event.wait()
            if waiter.grant is None:
                self._refused += 1
                raise waiter.error or self._exhausted(background, 0.0, anyio.current_time())
            await anyio.sleep_until(waiter.grant.at)
        except BaseException:
            self._queue.discard(waiter)
            if waiter.grant is not None:
                self._book.unused(waiter.grant)
                self._wake_pump()
            raise
        self._granted += 1
        waited = anyio.current_time() - now
        if waited >= 0.001:
            self._waited += 1
            self._seconds_waited += waited
        return waiter.grant

    def _not_entered(self) -> ConfigurationError | ClosedClientError:
        if self._was_entered:
            return _closed()
        return ConfigurationError(
            "nothing was sent: this limiter is shared by several processes and is not entered. Write "
            "`async with limiter:` around the clients that use it."
        )

    def _estimate(self, background: bool, now: float, ahead: int) -> float:
        """Estimate when a request can be sent after so many others of this process."""
        if self._away_since is not None and self._on_outage == "refuse":
            return math.inf
        blocked_until = max(now, self._paused_until, self._day_blocked_until[background])
        latest = self._book.latest
        if latest is None:
            return blocked_until
        queued = max(0, ahead + 1 - latest.free) * max(1, latest.waiting)
        return blocked_until + queued // latest.per_second

    def _exhausted(self, background: bool, wait: float, now: float) -> BudgetExhaustedError:
        latest = self._book.latest
        if wait == math.inf:
            return BudgetExhaustedError(
                f"nothing was sent: {self._ledger.place} has been away for {self._away_for(now):.3g} s "
                f'({self._away_because}), and on_outage is "refuse"'
            )
        limits = self.limits
        if self._day_blocked_until[background] > max(now, self._paused_until):
            cause = f"daily limit of {limits.per_day or UNLIMITED:,} reached by all processes together"
        elif self._paused_until > now:
            cause = f"paused for {self._paused_until - now:.3g} s" + (
                f" after {self._pause_reason}" if self._pause_reason else ""
            )
        elif self._away_since is not None:
            cause = f"{self._ledger.place} has been away for {self._away_for(now):.3g} s ({self._away_because})"
        else:
            cause = f"limit of {limits.per_second or UNLIMITED:,} requests per second reached by all processes together"
        if latest is not None and len(self._queue):
            cause += f", {len(self._queue):,} queued in this process, {latest.ahead:,} in others"
        span = f"{wait:.3g} s" if wait < _LONG else f"{wait:.0f} s ({timedelta(seconds=round(wait))} h:mm:ss)"
        return BudgetExhaustedError(
            f"nothing was sent: {cause}. Retry after {span}, or raise max_wait and the deadline.", retry_after=wait
        )

    def _refuse_impatient(self) -> None:
        """Refuse tasks that cannot wait as long as nothing is granted."""
        now = self._now()
        for waiter in list(self._queue):
            until = max(self._paused_until, self._day_blocked_until[waiter.background])
            if self._away_since is not None and self._on_outage == "refuse":
                until = math.inf
            if until > now and waiter.latest < until:
                self._queue.refuse(waiter, self._exhausted(waiter.background, until - now, now))

    # ---------------------------------------------------------------------------------------------- requests

    def check(self, grant: RequestGrant) -> None:
        """Raise LimiterSlotExpiredError where another process may use a grant's token meanwhile."""
        if self._book.is_stale(grant, anyio.current_time()):
            raise LimiterSlotExpiredError(
                f"nothing was sent: the slot was held for {anyio.current_time() - grant.at:.3g} s, or this process "
                "stood still, so that its token may be another process's by now: take a new slot"
            )

    def sent(self, grant: RequestGrant) -> None:
        """Book a request as sent."""
        self._book.sent(grant, anyio.current_time())

    def answered(self, grant: RequestGrant, quota: ReportedQuota | None) -> None:
        """Book a request as answered."""
        now = anyio.current_time()
        self._book.answered(grant, now, quota)
        if quota is not None and quota.refused:
            self._hold_back(now + _UNTIL_PAUSED, REFUSAL)
        self._wake_pump()

    def give_up(self, grant: RequestGrant) -> None:
        """Book a request as sent and never answered."""
        self._book.answered(grant, anyio.current_time(), is_complete=False)
        self._wake_pump()

    def give_back(self, grant: RequestGrant) -> None:
        """Return a grant, because nothing was sent."""
        self._granted -= 1
        self._given_back += 1
        self._book.unused(grant)
        self._wake_pump()

    # ---------------------------------------------------------------------------------------------- the exchanges

    def _wake_pump(self) -> None:
        self._wake.set()

    def _due_at(self) -> float:
        """Return when the next exchange is to be made."""
        if self._away_since is not None and (self._is_reachable or self._private is None):
            return -math.inf if self._is_reachable else math.inf
        if (self._queue and self._is_fresh) or self._pause_until > self._handed_pause:
            return -math.inf
        due = min(self._last_exchange + _HEARTBEAT, self._book.due_at())
        return min(due, self._asks_again_at) if self._queue else due

    async def _pump(self) -> None:
        """Make exchanges until cancelled."""
        while True:
            while True:
                self._wake = anyio.Event()
                due = self._due_at()
                if due <= anyio.current_time():
                    break
                with anyio.CancelScope(deadline=due):
                    await self._wake.wait()
            await anyio.lowlevel.checkpoint()  # other tasks that run now add what they want
            if self._away_since is None:
                await self._take_shared()
            elif self._is_reachable or self._private is None:
                await self._come_back()
            else:
                self._take_private(self._private)

    def _pause_left(self, now: float) -> float:
        self._handed_pause = self._pause_until
        return max(0.0, self._pause_until - now)

    async def _take(self, make: Callable[[float], LedgerRequest]) -> tuple[LedgerRequest, LedgerReply, float]:
        """Make an exchange, again at once where its connection was cut; return it, its reply, and when it was taken.

        Raises:
            StorageError: the ledger is away.
        """
        attempt = 0
        while True:
            attempt += 1
            now = loop_time()
            exchange = make(now)
            try:
                return exchange, await self._ledger.take(exchange), now
            except StorageError:
                if attempt == _TRIES or loop_time() - now > _CUT_WITHIN:
                    raise

    async def _take_shared(self) -> None:
        handed_before = self._handed_pause

        def make(now: float) -> LedgerRequest:
            interactive, background = self._queue.counts()
            self._is_fresh = False
            return self._book.exchange(now, interactive=interactive, background=background, pause=self._pause_left(now))

        try:
            exchange, reply, taken_at = await self._take(make)
        except StorageError as error:
            self._handed_pause = handed_before
            self._lose(error)
        else:
            self._apply(exchange, reply, taken_at=taken_at)

    def _take_private(self, private: FixedShareLedger) -> None:
        now = anyio.current_time()
        interactive, background = self._queue.counts()
        exchange = self._book.exchange(now, interactive=interactive, background=background, pause=self._pause_left(now))
        self._is_fresh = False
        self._apply(exchange, private.take(exchange, now), taken_at=now)

    def _apply(self, exchange: LedgerRequest, reply: LedgerReply, *, taken_at: float) -> None:
        now = self._last_exchange = anyio.current_time()
        grants = self._book.apply(exchange, reply, taken_at=taken_at, now=now)
        if reply.status != "ok":
            if reply.status == "introduce" and reply.epoch not in {exchange.former, exchange.epoch}:
                self._warn(
                    "%s lost the state of the limiter: nothing is sent for one window, and the day's count is restored "
                    "from what its processes know",
                    self._ledger.place,
                )
            self._is_fresh = True
            self._last_exchange = -math.inf
            return
        for index, grant in enumerate(grants):
            if not self._queue.grant(grant, background=index >= reply.interactive):
                self._book.unused(grant)
        self._asks_again_at = math.inf if reply.again_in < 0 else now + reply.again_in / SECOND
        if self._queue and reply.again_in < 0:
            self._is_fresh = True  # it came during the exchange
        self._paused_until = max(self._pause_until, now + reply.paused_for / SECOND)
        self._note_day(exchange, reply, now)
        if self._private is None:
            self._compare(reply)
        if self._queue and (reply.paused_for or reply.is_day):
            self._refuse_impatient()

    def _note_day(self, exchange: LedgerRequest, reply: LedgerReply, now: float) -> None:
        until = now + reply.blocked_for / SECOND if reply.is_day else -math.inf
        is_interactive = exchange.interactive > reply.interactive
        if reply.is_day or exchange.interactive + exchange.background > 0:
            self._day_blocked_until = [until if is_interactive else -math.inf, until]

    def _compare(self, reply: LedgerReply) -> None:
        mine = self._limits.per_second or UNLIMITED, self._limits.per_day or UNLIMITED
        if reply.agreed_per_second < mine[0] or reply.agreed_per_day < mine[1]:
            self._warn(
                "another process of this subscription was given lower limits: %s per second, %s per day apply to all",
                _finite(reply.agreed_per_second),
                _finite(reply.agreed_per_day),
            )
        if reply.processes > self._processes:
            self._warn(
                "%d processes share this limiter, and processes=%d was given: raise it, because an outage divides the "
                "limits by it",
                reply.processes,
                self._processes,
            )

    def _warn(self, message: str, *values: object) -> None:
        """Log a message, the first time only."""
        if message not in self._warned:
            self._warned.add(message)
            _logger.warning(message, *values)

    # ---------------------------------------------------------------------------------------------- outages

    def _lose(self, error: StorageError) -> None:
        """Use what ``on_outage`` says from now on."""
        now = anyio.current_time()
        self._away_since = now
        self._away_because = str(error)
        self._is_reachable = False
        self._outages += 1
        consequence = {"refuse": "requests are refused", "wait": "requests wait"}.get(self._on_outage, "")
        if self._on_outage == "share":
            consequence = self._use_share(now)
        _logger.warning("the limiter's ledger is away (%s): %s until it is back", error, consequence)
        self._refuse_impatient()
        self._start_probe()

    def _use_share(self, now: float) -> str:
        """Use a fixed share after an empty window; return what that means."""
        latest, limits = self._book.latest, self.limits
        share = share_of(
            limits,
            max(self._processes, 1 if latest is None else latest.processes),
            day_free=(limits.per_day or UNLIMITED) if latest is None else latest.day_free,
            rank=self._processes if latest is None else latest.rank,
        )
        if share.per_second == 0:
            return f"other processes use all {limits.per_second} requests per second, and requests of this one wait"
        self._private = FixedShareLedger(share)
        self._book.change_ledger(is_shared=False)
        self._hold_back(now + _EMPTY_WINDOW, "the limiter's ledger went away")
        self._is_fresh = True
        if share.per_second is None:
            part = "without a limit" if share.per_day is None else f"at most {share.per_day} requests of the day"
        else:
            part = f"at most {share.per_second} of {limits.per_second} requests per second"
            part += "" if share.per_day is None else f", and {share.per_day} of the day"
        return f"after one window this process sends {part}"

    def _start_probe(self) -> None:
        if self._group is not None:
            self._group.start_soon(self._probe)

    async def _probe(self) -> None:
        """Find out when the ledger can be reached again."""
        while True:
            await anyio.sleep(_PROBE_EVERY)
            try:
                await self._ledger.check()
            except StorageError as error:
                self._away_because = str(error)
            else:
                self._is_reachable = True
                self._last_exchange = -math.inf
                self._wake_pump()
                return

    def _exchange_of_return(self, now: float, *, leaving: bool = False) -> LedgerRequest:
        """Return the exchange that hands in what was sent in an outage."""
        private = self._private
        self._book.change_ledger(is_shared=True)
        return self._book.exchange(
            now,
            pause=max(_EMPTY_WINDOW, self._pause_left(now)),
            used=() if private is None else private.used(now),
            returning=() if private is None else private.returning(now),
            outage=self._outages,
            leaving=leaving,
        )

    async def _come_back(self) -> None:
        """Introduce this process again, with all that was sent meanwhile; all processes wait for one window.

        What other processes have sent since the ledger came back is known only when they are back too.
        """
        try:
            exchange, reply, taken_at = await self._take(self._exchange_of_return)
        except StorageError as error:
            self._is_reachable = False
            self._away_because = str(error)
            self._handed_pause = -math.inf
            self._book.change_ledger(is_shared=self._private is None)
            self._start_probe()
            return
        _logger.warning("the limiter's ledger is back after %.3g s", self._away_for(taken_at))
        self._away_since = None
        self._private = None
        self._apply(exchange, reply, taken_at=taken_at)


def _closed() -> ClosedClientError:
    return ClosedClientError("nothing was sent: the limiter was left (`async with limiter:` has ended)")


def _finite(limit: int) -> int | None:
    return None if limit >= UNLIMITED else limit
