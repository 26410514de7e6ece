"""Traces of tasks that wait for slots: when each is served, or why it is refused, and what a limiter counts."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

import anyio
import attrs

from stellantis_hal.errors import NetworkError, StellantisError
from stellantis_hal.transport.rate_limit.ledger_client import OnOutage
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import REFUSAL, Priority, RateLimits, Slot
from stellantis_hal.transport.rate_limit.quota_headers import ReportedQuota, ReportedWindow
from stellantis_hal.transport.rate_limit.shared_ledger import LedgerReply, LedgerRequest, SharedLedger
from stellantis_hal.transport.rate_limit.shared_limiter import SharedLimiter
from tests.support.clocks import jumping
from tests.support.shared_ledgers import MemoryLedger
from tests.transport.rate_limit.shared_traces import stated_fields
from tests.transport.rate_limit.trace_steps import Trace, in_parts, step_of, text_of

__all__ = ["TASK_TRACES"]

Limiter = TokenBucketLimiter | SharedLimiter


def _wall() -> datetime:
    return datetime.fromtimestamp(1_700_000_000 + round(anyio.current_time(), 3), UTC)


class _Recorder(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(f"{record.levelname.lower()}: {record.getMessage()}")


class _Recording(MemoryLedger):
    """A ledger in memory whose exchanges and replies are recorded."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines
        self._names: dict[str, str] = {}

    async def take(self, exchange: LedgerRequest) -> LedgerReply:
        name = self._names.setdefault(exchange.process, f"process{len(self._names)}")  # its own is drawn at random
        exchange = attrs.evolve(exchange, process=name)
        self._lines.append(f"{anyio.current_time():.10g} {text_of(stated_fields(exchange))}")
        reply = await super().take(exchange)
        self._lines.append(f"{anyio.current_time():.10g} {text_of(stated_fields(reply))}")
        return reply


class _Tasks:
    """Tasks that want slots of one or several limiters."""

    def __init__(self, seed: int, limiters: list[Limiter], lines: list[str]) -> None:
        self.random = Random(seed)
        self.limiters = limiters
        self.lines = lines
        self.scopes: list[anyio.CancelScope] = []
        self.are_over = anyio.Event()

    async def request(self, number: int, limiter: Limiter) -> None:
        """Want a slot, and another one after a refusal; stay to the end, because a limiter knows tasks by their id."""
        while await self.request_once(number, limiter):
            pass
        await self.are_over.wait()

    async def request_once(self, number: int, limiter: Limiter) -> bool:
        """Use a slot in one of several ways, and record how that ends; return whether the response was a refusal."""
        random = self.random
        priority: Priority = random.choice(["interactive", "interactive", "background"])
        max_wait = random.choice([0.0, 0.25, 1.0, 2.5, 10.0, 60.0, math.inf])
        deadline = anyio.current_time() + random.choice([0.5, 3.0, math.inf, math.inf, math.inf])
        plan = random.randrange(12), random.choice([0.0, 0.0, 0.25]), random.choice([0.0625, 0.0625, 0.25, 1.5])
        start, end = anyio.current_time(), "cancelled"
        quota = self.quota(random)
        with anyio.CancelScope(deadline=deadline) as scope:
            self.scopes.append(scope)
            try:
                async with limiter.slot(priority=priority, max_wait=max_wait) as slot:
                    served = anyio.current_time() - start
                    end = f"cancelled after {served:.10g}"
                    await self.use(slot, *plan, quota)
                    end = f"served after {served:.10g}"
            except StellantisError as error:
                end = f"{type(error).__name__}: {error}"
                if retry_after := getattr(error, "retry_after", None):
                    end += f" ({retry_after:.10g})"
        self.scopes.remove(scope)
        self.lines.append(f"{number} {priority} {max_wait}: {anyio.current_time():.10g} {end}")
        return quota is not None and quota.refused

    async def use(self, slot: Slot, kind: int, before: float, trip: float, quota: ReportedQuota | None) -> None:
        await anyio.sleep(before)
        if kind == 0:
            return
        slot.sent()
        slot.sent()
        await anyio.sleep(trip)
        if kind == 1:
            raise NetworkError("nothing was sent", sent=False)
        if kind == 2:
            raise NetworkError("no answer", sent=True)
        slot.answered(quota)
        slot.answered(quota)

    def quota(self, random: Random) -> ReportedQuota | None:
        """Return what a response states."""
        kind = random.randrange(16)
        if kind == 0:
            return ReportedQuota(refused=True)
        if kind == 1:
            return ReportedQuota(
                day=ReportedWindow(random.choice([None, 40]), random.choice([None, 15, 15, 15, 0])),
                burst=ReportedWindow(random.choice([None, 2, 4, 4]), random.choice([None, 0, 1])),
            )
        return None

    async def play(self, steps: int) -> None:
        """Start tasks, cancel some of them, pause, and record statistics."""
        random = self.random
        async with anyio.create_task_group() as group:
            for number in range(steps):
                await anyio.sleep(random.choice([0.0, 0.0, 0.0, 0.0625, 0.125, 0.5, 1.0]))
                limiter = random.choice(self.limiters)
                kind = random.randrange(20)
                if kind < 14:
                    group.start_soon(self.request, number, limiter)
                elif kind < 16 and self.scopes:
                    random.choice(self.scopes).cancel()
                elif kind == 16 and random.randrange(3) == 0:
                    limiter.pause(
                        random.choice([0.0, 0.25, 0.5, 2.0, 2.0, 5.0, 5.0, 700.0]),
                        random.choice(["", "a fault", REFUSAL]),
                    )
                elif kind == 17:
                    await anyio.sleep(random.choice([1.0, 2.5, 59.0]) if random.randrange(2) else 0.0)
                self.lines.append(self.state(number))
            await anyio.sleep(30.0)
            group.cancel_scope.cancel()
        self.lines.append(self.state(steps))

    def state(self, number: int) -> str:
        return step_of(
            f"{number}",
            anyio.current_time(),
            *(
                (
                    attrs.astuple(limiter.statistics),
                    attrs.astuple(limiter.limits),
                    [attrs.astuple(limiter.capacity(priority)) for priority in ("interactive", "background")],
                )
                for limiter in self.limiters
            ),
        )


def _recorded(main: Callable[[list[str]], Any]) -> Iterator[str]:
    """Run a coroutine function by the jumping clock; return what it recorded, and what was logged."""
    lines: list[str] = []
    logger, handler = logging.getLogger("stellantis_hal"), _Recorder(lines)
    backend, options = jumping("asyncio")
    logger.addHandler(handler)
    try:
        anyio.run(main, lines, backend=backend, backend_options=dict(options))
    finally:
        logger.removeHandler(handler)
    yield from lines


def _single(seed: int, limits: RateLimits | None, *, steps: int = 50, **options: Any) -> Trace:
    async def main(lines: list[str]) -> None:
        limiter = TokenBucketLimiter(limits, clock=_wall, **options)
        await _Tasks(seed, [limiter], lines).play(steps)

    return lambda: _recorded(main)


def _shared(
    seed: int,
    limits: RateLimits | None,
    *,
    steps: int = 50,
    on_outage: OnOutage = "share",
    processes: int = 2,
) -> Trace:
    async def main(lines: list[str]) -> None:
        ledger = _Recording(lines)
        limiters: list[Limiter] = [
            SharedLimiter(ledger, limits, processes=processes, on_outage=on_outage, interactive_share=0.25)
            for _ in range(2)
        ]
        async with AsyncExitStack() as stack:
            for limiter in limiters:
                await stack.enter_async_context(limiter)
            async with anyio.create_task_group() as group:
                group.start_soon(_fail_at_times, ledger, Random(seed + 1), lines)
                await _Tasks(seed, limiters, lines).play(steps)
                group.cancel_scope.cancel()
        lines.append(text_of(ledger.ledger.dump()["scalars"]))

    return lambda: _recorded(main)


async def _fail_at_times(ledger: _Recording, random: Random, lines: list[str]) -> None:
    """Let a ledger go away for a while, lose replies, be slow, or lose its state."""
    while True:
        await anyio.sleep(random.choice([1.5, 4.0, 10.0]))
        kind = random.randrange(7)
        if kind < 2:
            ledger.is_away = True
            await anyio.sleep(random.choice([0.25, 2.0, 3.0]))
            ledger.is_away = False
        elif kind == 2:
            ledger.cuts = random.choice([1, 2, 4])
        elif kind == 3:
            ledger.delay = random.choice([0.001, 0.125])
        elif kind == 4:
            ledger.ledger = SharedLedger()
        lines.append(f"fault {kind}")


TASK_TRACES: Final[dict[str, Trace]] = {
    **in_parts(
        "tasks, 4 a second and 60 a day",
        lambda seed: _single(seed, RateLimits(4, 60), interactive_share=0.25),
        seed=51,
        parts=6,
    ),
    **in_parts("tasks, 2 a second", lambda seed: _single(seed, RateLimits(2, None)), seed=52, parts=4),
    **in_parts(
        "tasks, 40 a day", lambda seed: _single(seed, RateLimits(None, 40), interactive_share=0.5), seed=53, parts=4
    ),
    **in_parts("tasks without given limits", lambda seed: _single(seed, None), seed=54, parts=4),
    **in_parts("tasks of two processes, 4 a second", lambda seed: _shared(seed, RateLimits(4, 60)), seed=55, parts=4),
    **in_parts(
        "tasks of two processes, 3 a second",
        lambda seed: _shared(seed, RateLimits(3, None), processes=5),
        seed=56,
        parts=4,
    ),
    **in_parts(
        "tasks of two processes that refuse",
        lambda seed: _shared(seed, RateLimits(4, 100), on_outage="refuse"),
        seed=57,
        parts=3,
    ),
    **in_parts(
        "tasks of two processes that wait",
        lambda seed: _shared(seed, RateLimits(None, 100), on_outage="wait", processes=1),
        seed=58,
        parts=3,
    ),
}
