"""Deliveries of events to webhooks: retries, batches, and faults to order."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, Protocol

import anyio
import httpx
from anyio.abc import TaskGroup

from stellantis_hal.simulator.api.http_messages import ClockReading
from stellantis_hal.simulator.notifications.outbox import Outbox, PendingEvent
from stellantis_hal.simulator.notifications.requests import (
    DeliveryRequest,
    Target,
    is_envelope,
    push_message,
    request_of,
)

__all__ = ["Deliveries", "DeliveryFault", "DeliveryFaults", "DeliveryStatistics", "EventProducer"]

RETRY_DELAY = 10.0
KEPT = timedelta(hours=72)
BATCH = 100
_WINDOW = 60.0
_RETRIES = 3

DeliveryFault = Literal["duplicate", "reorder", "delay", "cut", "give up", "literal", "lose headers"]
"""A fault of one delivery.

- ``duplicate``: it is sent twice at once.
- ``reorder``: it is sent after the next one, where another waits.
- ``delay``: it is sent a minute later.
- ``cut``: the connection breaks within the body.
- ``give up``: the sender does not wait for the response, and repeats it later.
- ``literal``: variables such as ``$vin`` arrive as they were written.
- ``lose headers``: header attributes are lost.
"""


@dataclass(frozen=True)
class DeliveryFaults:
    """Probabilities of faults, each from 0 to 1; see :data:`DeliveryFault`."""

    duplicate: float = 0.0
    reorder: float = 0.0
    delay: float = 0.0
    cut: float = 0.0
    give_up: float = 0.0
    literal: float = 0.0
    lose_headers: float = 0.0

    def __post_init__(self) -> None:
        for name, chance in vars(self).items():
            if not 0 <= chance <= 1:
                raise ValueError(f"{name} must be a probability from 0 to 1, not {chance}")

    def draw(self, rng: random.Random) -> frozenset[DeliveryFault]:
        """Return the faults of the next delivery."""
        chances: dict[DeliveryFault, float] = {
            "duplicate": self.duplicate,
            "reorder": self.reorder,
            "delay": self.delay,
            "cut": self.cut,
            "give up": self.give_up,
            "literal": self.literal,
            "lose headers": self.lose_headers,
        }
        return frozenset(fault for fault, chance in chances.items() if chance and rng.random() < chance)


@dataclass
class DeliveryStatistics:
    """Counters of deliveries.

    Attributes:
        requests: requests that were sent.
        responses: their responses by status; 0 where there was none.
        delivered: events that were answered by 2xx.
        dropped: events that were given up: after 72 hours, by the retry policy, or because their callback is paused.
    """

    requests: int = 0
    responses: Counter[int] = field(default_factory=Counter[int])
    delivered: int = 0
    dropped: int = 0


class EventProducer(Protocol):
    """What goes on with the clock and raises events."""

    on_started: list[Callable[[], None]]

    @property
    def next_due(self) -> float | None:
        """The tick of the next step; None where none is to come."""
        ...

    def advance(self) -> None:
        """Take every step that is due."""
        ...


@dataclass
class _DeliveryState:
    """State of the deliveries of one callback."""

    changed: anyio.Event = field(default_factory=anyio.Event)
    is_lagging: bool = False
    failures: int = 0

    def wake(self) -> None:
        changed, self.changed = self.changed, anyio.Event()
        changed.set()


class Deliveries:
    """The vendor's deliveries, made while a block of ``simulator.delivering()`` runs.

    Attributes:
        statistics: counters.
        pushed: push messages to devices, which are not sent anywhere.
    """

    def __init__(
        self,
        outbox: Outbox,
        find_target: Callable[[str], Target | None],
        now: Callable[[], ClockReading],
        *,
        transport: httpx.AsyncBaseTransport,
        timeout: float | None,
        faults: DeliveryFaults,
        seed: int,
    ) -> None:
        self._outbox = outbox
        self._find_target = find_target
        self._now = now
        self._transport = transport
        self._timeout = timeout
        self._faults = faults
        self._random = random.Random(seed)
        self._ordered: deque[frozenset[DeliveryFault]] = deque()
        self._states: dict[str, _DeliveryState] = {}
        self._tasks: TaskGroup | None = None
        self.statistics: DeliveryStatistics = DeliveryStatistics()
        self.pushed: list[dict[str, Any]] = []

    def order(self, *faults: DeliveryFault | Sequence[DeliveryFault]) -> None:
        """Order faults of the next deliveries: one, or several at once, for each."""
        self._ordered.extend(frozenset({each} if isinstance(each, str) else each) for each in faults)

    async def settle(self) -> None:
        """Wait until no event waits to be delivered."""
        while len(self._outbox):
            await self._outbox.emptied.wait()

    @asynccontextmanager
    async def running(self, courses: Sequence[EventProducer]) -> AsyncGenerator[Deliveries, None]:
        """Make deliveries while the block runs."""
        failure: BaseException | None = None
        stop_listening = self._outbox.listen(lambda event: self._notify(event.callback_id))
        try:
            async with anyio.create_task_group() as self._tasks:
                for each in courses:
                    self._tasks.start_soon(self._follow, each)
                for callback_id in list(self._outbox.pending):
                    self._notify(callback_id)
                try:
                    yield self
                except anyio.get_cancelled_exc_class():
                    raise
                except BaseException as error:  # noqa: BLE001 - raised below, outside the task group, which would wrap it
                    failure = error
                finally:
                    self._tasks.cancel_scope.cancel()
        finally:
            self._tasks = None
            stop_listening()
        if failure is not None:
            raise failure

    async def _follow(self, courses: EventProducer) -> None:
        """Take the steps of courses at their times."""
        started = anyio.Event()

        def wake() -> None:
            started.set()

        courses.on_started.append(wake)
        try:
            while True:
                courses.advance()
                due = courses.next_due
                with anyio.move_on_after(float("inf") if due is None else max(0.0, due - self._now().tick)):
                    await started.wait()
                if started.is_set():
                    started = anyio.Event()
                await anyio.lowlevel.checkpoint()
        finally:
            courses.on_started.remove(wake)

    def _notify(self, callback_id: str) -> None:
        state = self._states.get(callback_id)
        if state is not None:
            state.wake()
        else:
            assert self._tasks is not None  # noqa: S101 - the outbox is listened to while they run
            self._states[callback_id] = state = _DeliveryState()
            self._tasks.start_soon(self._serve, callback_id, state)

    # ------------------------------------------------------------------ one callback

    async def _serve(self, callback_id: str, state: _DeliveryState) -> None:
        """Deliver the events of a callback, and wait for others."""
        while True:
            waiting = self._outbox.pending.get(callback_id)
            if not waiting:
                state.is_lagging, state.failures = False, 0
                await state.changed.wait()
                continue
            target = self._find_target(callback_id)
            if target is None or target.status != "Running" or (target.kind == "webhook" and target.url is None):
                self._drop(list(waiting))
                continue
            if target.kind != "webhook":
                self.pushed += [push_message(target, event) for event in waiting if target.kind == "pushnotif"]
                self._outbox.remove(list(waiting))
                continue
            expired = [event for event in waiting if self._now().wall - event.raised_at > KEPT]
            if expired:
                self._drop(expired)
                continue
            wait = self._seconds_until_due(target, waiting)
            if wait > 0:
                with anyio.move_on_after(wait):
                    await state.changed.wait()
                continue
            await self._deliver_next(target, state, waiting)

    def _seconds_until_due(self, target: Target, waiting: Sequence[PendingEvent]) -> float:
        """Return how long a batch of a fleet owner still waits for more events."""
        policy = _batch_of(target)
        if policy is None or len(waiting) >= policy[0] or not is_envelope(waiting[0]):
            return 0.0
        return policy[1] - (self._now().wall - waiting[0].raised_at).total_seconds()

    async def _deliver_next(self, target: Target, state: _DeliveryState, waiting: list[PendingEvent]) -> None:
        faults = self._ordered.popleft() if self._ordered else self._faults.draw(self._random)
        size = self._batch_size(target, state, waiting[0])
        if state.is_lagging and len(waiting) > 1:
            self._random.shuffle(waiting)
        elif "reorder" in faults and len(waiting) > 1:
            waiting[0], waiting[1] = waiting[1], waiting[0]
        events = waiting[:size]
        if "delay" in faults:
            await anyio.sleep(_WINDOW)
        request = request_of(
            target,
            events,
            is_batch=len(events) > 1,
            literal="literal" in faults,
            loses_headers="lose headers" in faults,
        )
        if await self._send(target, request, faults):
            self.statistics.delivered += len(events)
            self._outbox.remove(events)
            state.failures = 0
            return
        await self._wait_after_failure(target, state, events)

    def _batch_size(self, target: Target, state: _DeliveryState, event: PendingEvent) -> int:
        if is_envelope(event):
            policy = _batch_of(target)
            return 1 if policy is None else policy[0]
        return BATCH if state.is_lagging else 1

    async def _wait_after_failure(self, target: Target, state: _DeliveryState, events: Sequence[PendingEvent]) -> None:
        state.failures += 1
        state.is_lagging = True
        delay = RETRY_DELAY
        if target.retry is not None:
            policy = target.retry.get("policy")
            tries = {"None": 0, "Bounded": int(target.retry.get("retryNumber", _RETRIES))}.get(str(policy))
            delay = float(target.retry.get("retryDelay", RETRY_DELAY))
            if tries is not None and state.failures > tries:
                self._drop(events)
                state.failures = 0
                return
        waiting = self._outbox.pending[events[0].callback_id]
        full = float("inf") if is_envelope(events[0]) else (len(waiting) // BATCH + 1) * BATCH
        with anyio.move_on_after(delay):
            while len(waiting) < full:  # a full batch is sent at once
                await state.changed.wait()

    def _drop(self, events: Sequence[PendingEvent]) -> None:
        self.statistics.dropped += len(events)
        self._outbox.remove(list(events))

    # ------------------------------------------------------------------ one request

    async def _send(self, target: Target, request: DeliveryRequest, faults: frozenset[DeliveryFault]) -> bool:
        """Send a request; return whether it was answered by 2xx."""
        assert self._tasks is not None  # noqa: S101 - it runs in them
        if "duplicate" in faults or "give up" in faults:
            self._tasks.start_soon(self._exchange, target, request, False)
        if "give up" in faults:
            return False
        return await self._exchange(target, request, "cut" in faults)

    async def _exchange(self, target: Target, request: DeliveryRequest, cut: bool) -> bool:
        self.statistics.requests += 1
        try:
            with anyio.fail_after(self._timeout):
                status = await self._post(target.url or "", request, cut)
        except Exception:  # noqa: BLE001 - a failure of the receiver, or of the way to it
            self.statistics.responses[0] += 1
            return False
        self.statistics.responses[status] += 1
        return 200 <= status < 300

    async def _post(self, url: str, request: DeliveryRequest, cut: bool) -> int:
        """Send a request by the transport itself: three days of retries are 26,000 requests."""
        response = await self._transport.handle_async_request(
            httpx.Request(
                "POST",
                url,
                params=request.query or None,
                headers={**request.headers, "Content-Length": str(len(request.body))},
                content=_cut(request.body) if cut else request.body,
            )
        )
        try:
            await response.aread()
        finally:
            await response.aclose()
        return response.status_code


def _batch_of(target: Target) -> tuple[int, float] | None:
    """Return the size and the time window of a fleet owner's batches; None where each event is sent alone."""
    if target.batch is None or any(place == "Query" and key == "vin" for place, key, _ in target.attributes):
        return None
    return max(1, int(target.batch.get("size", 1))), float(target.batch.get("timeWindow", _WINDOW))


async def _cut(body: bytes) -> AsyncIterator[bytes]:
    yield body[: len(body) // 2]
    raise httpx.WriteError("the connection broke within the body")
