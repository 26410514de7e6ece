"""Events of a receiver as a source of a watch: statuses that need no poll, and rarer polls while they arrive."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

import anyio

from stellantis_hal.errors import StellantisError
from stellantis_hal.fleet.counters import Counts
from stellantis_hal.fleet.events import CallbackFailed
from stellantis_hal.fleet.targets import WatchedAccount, WatchedVehicle
from stellantis_hal.fleet.watching.registry import Registry
from stellantis_hal.hal.log_throttling import LogThrottle
from stellantis_hal.notifications.events import MonitorEvent, Notification, RemoteEvent
from stellantis_hal.resources.control.operation_step import OperationStatus
from stellantis_hal.resources.status import Status
from stellantis_hal.transport.loop_handle import LoopHandle

__all__ = ["RARER", "NotificationSource", "PushFeed"]

_log = logging.getLogger("stellantis_hal")

RARER = 4.0
"""Factor of the interval of snapshots while events of a vehicle arrive."""

_MAX_WAITING = 10_000
_SHORTEST_REFRESH = 30.0
_LISTED_FOR = 60.0


class NotificationSource(Protocol):
    """What a watch listens to: a :class:`~stellantis_hal.Receiver`."""

    def listen(self, listener: Callable[[Notification], None]) -> Callable[[], None]:
        """Call a function with each verified event that is new; return what ends this."""
        ...


class PushFeed:
    """Passes events to the scheduler, and reports callbacks that have fallen silent.

    Args:
        source: what is listened to.
        registry: the watched accounts and vehicles.
        interval: returns the seconds between two polls of a vehicle.
        refresh: seconds between two reminders of the monitors; None: learnt from reminders.
        reads_status: whether the watch reads statuses.
        offer: lets the scheduler report a status of a vehicle, or with None poll it now.
        emit: puts an event into the buffer; waits while it is full.
        counts: counters of the watch.
    """

    def __init__(
        self,
        source: NotificationSource,
        registry: Registry,
        *,
        interval: Callable[[WatchedVehicle], float],
        refresh: float | None,
        reads_status: bool,
        offer: Callable[[WatchedVehicle, Status | None], None],
        emit: Callable[[CallbackFailed], Awaitable[None]],
        counts: Counts,
    ) -> None:
        self._source = source
        self._registry = registry
        self._interval = interval
        self._refresh = refresh
        self._reads_status = reads_status
        self._offer = offer
        self._emit = emit
        self._counts = counts
        self._waiting: deque[Notification] = deque(maxlen=_MAX_WAITING)
        self._lost = LogThrottle()
        self._arrived = anyio.Event()
        self._fed: dict[WatchedVehicle, _Feed] = {}
        self._by_vin: dict[str, WatchedVehicle] = {}
        self._listed: dict[str, tuple[float, Mapping[str, str]]] = {}

    async def run(self) -> None:
        """Listen, until cancelled."""
        loop = LoopHandle()

        def take(event: Notification) -> None:  # in the loop of the server, which may be another one
            if len(self._waiting) == _MAX_WAITING:
                self._note_loss()
            self._waiting.append(event)
            loop.call_soon(self._arrived.set)

        stop_listening = self._source.listen(take)
        try:
            while True:
                if not self._waiting:
                    with anyio.move_on_after(self._next_silence() - anyio.current_time()):
                        await self._arrived.wait()
                self._arrived = anyio.Event()
                while self._waiting:
                    self._process(self._waiting.popleft())
                await self._report_silence()
        finally:
            stop_listening()

    def _note_loss(self) -> None:
        """Count a notification that gave way to a newer one."""
        if self._lost.is_told():
            _log.warning(
                "%d notifications were not reported so far: %d wait because the consumer is slow. The vehicles are "
                "polled all the same",
                self._lost.count,
                _MAX_WAITING,
            )

    # ------------------------------------------------------------------------------------------- events

    def _process(self, event: Notification) -> None:
        vehicle = self._find(event)
        if vehicle is None:
            return
        self._counts.pushed += 1
        if isinstance(event, MonitorEvent):
            self._note(vehicle, event)
            self._offer(vehicle, event.status if self._reads_status else None)
        elif isinstance(event, RemoteEvent) and event.status == OperationStatus.SUCCESS:
            self._offer(vehicle, None)

    def _find(self, event: Notification) -> WatchedVehicle | None:
        vehicles = self._registry.vehicles
        found = vehicles.get(event.vehicle_id or "")
        if found is not None or event.vin is None:
            return found
        found = self._by_vin.get(event.vin)
        if found is None or vehicles.get(found.id) is not found:
            self._by_vin = {each.vehicle.vin: each for each in vehicles.values() if each.vehicle.vin is not None}
            found = self._by_vin.get(event.vin)
        return found

    def _note(self, vehicle: WatchedVehicle, event: MonitorEvent) -> None:
        feed = self._fed.setdefault(vehicle, _Feed())
        now = anyio.current_time()
        feed.note(event, now)
        refresh = self._refresh or feed.refresh
        silence = RARER * self._interval(vehicle) if refresh is None else 2 * refresh
        vehicle.fed_until = now + silence

    # ------------------------------------------------------------------------------------------- silence

    def _next_silence(self) -> float:
        return min((vehicle.fed_until for vehicle in self._fed), default=math.inf)

    async def _report_silence(self) -> None:
        now = anyio.current_time()
        for vehicle, feed in [(each, feed) for each, feed in self._fed.items() if each.fed_until <= now]:
            del self._fed[vehicle]
            if vehicle.is_removed:
                continue
            self._offer(vehicle, None)
            status = await self._status_of(vehicle.account, feed.callback_id)
            # Reminders end with the condition of their monitor, as when a car parks: a learnt interval is no promise.
            is_expected = self._refresh is not None or (feed.refresh is not None and status != "Running")
            if is_expected or status not in {"Running", None}:
                await self._emit(
                    CallbackFailed(
                        account=vehicle.account.key,
                        vehicle=vehicle.vehicle,
                        callback_id=feed.callback_id,
                        status=status,
                        silent_for=now - feed.last,
                    )
                )

    async def _status_of(self, account: WatchedAccount, callback_id: str | None) -> str | None:
        """Return the status of a callback, "Deleted" where it is gone; None where that cannot be found out."""
        callbacks: Any = getattr(account.background, "callbacks", None)
        if callbacks is None or callback_id is None:
            return None
        now = anyio.current_time()
        listed_at, statuses = self._listed.get(account.name, (-math.inf, {}))
        if now - listed_at > _LISTED_FOR:
            try:
                found = [callback async for callback in callbacks()]
            except StellantisError as error:
                _log.warning("callbacks whose events have stopped could not be listed: %s", type(error).__name__)
                return None
            statuses = {str(callback.id): str(callback.status) for callback in found}
            self._listed[account.name] = (now, statuses)
        return statuses.get(callback_id, "Deleted")


class _Feed:
    """The events of one vehicle so far.

    Attributes:
        last: instant of the last one.
        callback_id: the callback of the last one.
        refresh: seconds between two reminders; None before two events of a monitor, of which the second is one.
    """

    def __init__(self) -> None:
        self.last: float = -math.inf
        self.callback_id: str | None = None
        self.refresh: float | None = None
        self._raised: dict[str | None, datetime] = {}

    def note(self, event: MonitorEvent, now: float) -> None:
        self.last = now
        self.callback_id = event.callback_id or self.callback_id
        if event.at is None:
            return
        before = self._raised.get(event.monitor_id)
        if before is not None and event.is_reminder:
            gap = (event.at - before).total_seconds()
            if gap >= _SHORTEST_REFRESH:
                self.refresh = gap if self.refresh is None else min(self.refresh, gap)
        self._raised[event.monitor_id] = event.at if before is None else max(event.at, before)
