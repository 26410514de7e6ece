"""Processes that share a ledger, and the strict server they send to, in a time of their own."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator

import attrs

from stellantis_hal.transport.rate_limit.process_grants import ProcessGrants, RequestGrant
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota, ReportedWindow
from stellantis_hal.transport.rate_limit.shared_ledger import LedgerReply, LedgerRequest

__all__ = ["Player", "Scene", "StrictWindow"]


class StrictWindow:
    """A server that counts requests on arrival and refuses those beyond its limit within any second."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.arrivals: deque[float] = deque()
        self.served = 0
        self.refused = 0

    def arrive(self, at: float) -> bool:
        while self.arrivals and self.arrivals[0] <= at - 1.0:
            self.arrivals.popleft()
        if len(self.arrivals) >= self.limit:
            self.refused += 1
            return False
        self.arrivals.append(at)
        self.served += 1
        return True


@attrs.define(eq=False)
class Player:
    """One process: its book, what it wants, and what of it is under way."""

    name: str
    book: ProcessGrants
    wants: int = 0
    background: int = 0
    next_turn: float = 0.0
    is_dead: bool = False
    grants: list[RequestGrant] = attrs.Factory(list[RequestGrant])


class Scene:
    """A simulation in steps of a millisecond; each request takes some milliseconds to the server and back.

    Args:
        take: an exchange at the ledger; gets the exchange and the instant in microseconds. None: the ledger is away.
        seed: of what happens.
        processes: their number.
        limits: of each of them.
        delays: least and most seconds of one way.
    """

    def __init__(
        self,
        take: Callable[[LedgerRequest, int], LedgerReply | None],
        *,
        seed: int = 0,
        processes: int = 4,
        limits: RateLimits | None = None,
        delays: tuple[float, float] = (0.015, 0.035),
        server_limit: int = 20,
    ) -> None:
        self.random = random.Random(seed)
        self.take = take
        self.now = 1_000.0
        self.expected = processes
        limits = RateLimits(server_limit, None) if limits is None else limits
        self.players = [self.player(f"process{index}", limits) for index in range(processes)]
        self.server = StrictWindow(server_limit)
        self.delays = delays
        self.sent = 0
        self._events: list[tuple[float, int, Callable[[], None]]] = []

    def player(self, name: str, limits: RateLimits) -> Player:
        return Player(name, ProcessGrants(name, limits, 0.1, self.expected))

    def clock(self) -> int:
        return round(self.now * 1_000_000)

    def later(self, seconds: float, function: Callable[[], None]) -> None:
        self._events.append((self.now + seconds, len(self._events), function))

    def run(self, seconds: float) -> Iterator[float]:
        """Advance; yield each millisecond, so that the caller can interfere."""
        end = self.now + seconds
        while self.now < end:
            self.now += 0.001
            due = sorted(event for event in self._events if event[0] <= self.now)
            self._events = [event for event in self._events if event[0] > self.now]
            for _, _, function in due:
                function()
            for player in self.players:
                if not player.is_dead:
                    self.play(player)
            yield self.now

    def play(self, player: Player) -> None:
        """Let a process send what it may, and make its exchange when one is due."""
        for grant in [each for each in player.grants if each.at <= self.now]:
            player.grants.remove(grant)
            if player.book.is_stale(grant, self.now):
                player.book.unused(grant)
                player.wants += 1
            else:
                self.send(player, grant)
        if self.now >= min(player.next_turn, player.book.due_at()):
            self.exchange(player)

    def exchange(self, player: Player, *, pause: float = 0.0, leaving: bool = False) -> LedgerReply | None:
        """Make an exchange of a process."""
        wants = 0 if leaving else player.wants, 0 if leaving else player.background
        exchange = player.book.exchange(
            self.now, interactive=wants[0], background=wants[1], pause=pause, leaving=leaving
        )
        reply = self.take(exchange, self.clock())
        if reply is None:
            player.next_turn = self.now + 0.05
            return None
        grants = player.book.apply(exchange, reply, taken_at=self.now, now=self.now)
        if reply.status != "ok":
            player.next_turn = self.now
            return reply
        player.wants -= min(player.wants, reply.interactive)
        player.background -= min(player.background, reply.background)
        player.grants += grants
        player.next_turn = self.now + (1.0 if reply.again_in < 0 else reply.again_in / 1_000_000)
        return reply

    def send(self, player: Player, grant: RequestGrant) -> None:
        """Send a request; it is counted on arrival, and answered later."""
        self.sent += 1
        player.book.sent(grant, self.now)
        there, back = self.random.uniform(*self.delays), self.random.uniform(*self.delays)

        def arrive() -> None:
            is_served = self.server.arrive(self.now)
            left = self.server.limit - len(self.server.arrivals)
            quota = ReportedQuota(burst=ReportedWindow(self.server.limit, left), refused=not is_served)
            self.later(back, lambda: self.answer(player, grant, quota))

        self.later(there, arrive)

    def answer(self, player: Player, grant: RequestGrant, quota: ReportedQuota) -> None:
        """Book an answer."""
        if not player.is_dead:
            player.book.answered(grant, self.now, quota)
            player.wants += 1
