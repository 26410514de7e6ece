"""Events given to a function at once, instead of an inbox."""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime

import anyio

from stellantis_hal.notifications.cleaning_time import CleaningTime
from stellantis_hal.notifications.events import Notification
from stellantis_hal.notifications.inbox import MEMORY, EventVehicle, IncomingEvent, StoredEvent
from stellantis_hal.notifications.inbox_format import read_entry
from stellantis_hal.notifications.vehicle_registry import VehicleRegistry

__all__ = ["DeduplicatingHandler"]

_MAX_REMEMBERED = 100_000
_LONGEST_WAIT = 30.0  # seconds; the vendor repeats a delivery every 10 s

_Key = tuple[str, bool]


class DeduplicatingHandler:
    """Calls a function with each event once; repetitions are known for four days, or 100,000 events.

    Verified events are counted apart from others, so that a flood of the latter does not make them forgotten.
    """

    def __init__(self, handle: Callable[[Notification], Awaitable[None]], clock: Callable[[], datetime]) -> None:
        self._handle = handle
        self._clock = clock
        self._verified: OrderedDict[str, datetime] = OrderedDict()
        self._unverified: OrderedDict[str, datetime] = OrderedDict()
        self._running: dict[_Key, anyio.Event] = {}
        self._vehicles = VehicleRegistry()
        self._cleaning = CleaningTime()

    def register(self, source_id: str, owner: EventVehicle) -> None:
        """Record the vehicle of a monitor or an operation."""
        self._vehicles.register(source_id, owner)

    def forget(self, vins: Collection[str], vehicle_ids: Collection[str]) -> None:
        """Remove what is recorded of vehicles."""
        self._vehicles.forget(vins, vehicle_ids)

    async def deliver(self, entries: Sequence[IncomingEvent]) -> list[StoredEvent]:
        """Call the function with each event that it has not handled yet; return those.

        Raises:
            Exception: what the function raises; the events before it are not given again.
            TimeoutError: an earlier delivery of an event has been handled for 30 s, and its handling has not ended.
        """
        new: list[StoredEvent] = []
        for entry in entries:
            given = StoredEvent(number=0, entry=entry, owner=self._vehicles.find(entry.source_id), attempts=1)
            if await self._deliver_once(given):
                new.append(given)
        self._forget_old()
        return new

    async def _deliver_once(self, given: StoredEvent) -> bool:
        key = (given.entry.id, given.entry.is_verified)
        with anyio.move_on_after(_LONGEST_WAIT):
            while (running := self._running.get(key)) is not None:  # a repetition, while the first is being handled
                await running.wait()
        if key in self._running:
            raise TimeoutError(
                f"handle= has not returned for this event of an earlier delivery, waited for {_LONGEST_WAIT:g} s"
            )
        done = self._verified if given.entry.is_verified else self._unverified
        if given.entry.id in done:
            return False
        self._running[key] = anyio.Event()
        try:
            handling = self._handle(read_entry(given))
            if not inspect.isawaitable(handling):
                raise TypeError("handle= must be an async function: a plain one cannot be awaited")
            await handling
            done[given.entry.id] = given.entry.received_at
        finally:
            self._running.pop(key).set()
        return True

    def _forget_old(self) -> None:
        bound = self._cleaning.bound(self._clock())
        for done in (self._verified, self._unverified):
            while len(done) > _MAX_REMEMBERED:
                done.popitem(last=False)
            while bound is not None and done and next(iter(done.values())) <= bound - MEMORY:
                done.popitem(last=False)
