"""Poll of one vehicle, for programs that have a scheduler of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import anyio
from anyio.abc import TaskGroup

from stellantis_hal.fleet.checkpoints.store import CheckpointStore, checked_store
from stellantis_hal.fleet.resume_state import ResumeStateStore
from stellantis_hal.fleet.server_clock import ServerClock
from stellantis_hal.fleet.stream import AcknowledgedStream, Acknowledgement
from stellantis_hal.fleet.targets import WatchedAccount, WatchedVehicle, id_of
from stellantis_hal.fleet.watching.options import PollOptions, checked_kinds, checked_late, checked_since
from stellantis_hal.fleet.watching.poller import KINDS, Poller
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.validation import require_clock, require_flags, require_type

__all__ = ["Poll", "poll"]

_OVERLAP = timedelta(hours=6).total_seconds()
_DEEP_EVERY = timedelta(days=1).total_seconds()


class Poll(AcknowledgedStream):
    """What is new of one vehicle: iterate over it inside ``async with``. Made by :func:`poll`.

    Leaving the block without an exception acknowledges the updates that were taken out of it, together. After an
    exception none is: the next poll delivers them again, with the same ids.
    """

    def __init__(
        self,
        vehicle: Vehicle,
        id_: str,
        kinds: tuple[str, ...],
        options: PollOptions,
        *,
        store: CheckpointStore,
        name: str,
        buffer: int,
        clock: Callable[[], datetime] | None,
    ) -> None:
        super().__init__(store, name=f"{name}/{id_}", size=buffer)
        self._vehicle = vehicle
        self._kinds = kinds
        wall_clock = vehicle.require_resource().require_context().clock if clock is None else clock
        self._target = WatchedVehicle(id_, WatchedAccount(f"vehicle:{id_}", None, 0.0, store.fenced(id_)), vehicle, 1.0)
        self._records = ResumeStateStore(store, name, wall_clock=wall_clock, level=lambda: None)
        self._wall_clock = wall_clock
        self._poller = Poller(
            options, name=name, clock=ServerClock(wall_clock), counts=self._counts, offer=self._emit_update
        )
        self._taken: dict[str, Acknowledgement] = {}

    def _start(self, tasks: TaskGroup) -> None:
        tasks.start_soon(self._run_guarded, self._read)

    async def _read(self) -> None:
        target = self._target
        now = anyio.current_time()
        record = (await self._records.load_vehicles(target.account.store, [target.id])).get(target.id)
        if record is not None and record.deep_at is not None:
            target.deep_scan_at = now + record.deep_at - self._wall_clock().timestamp()
        for what in self._kinds:
            await self._poller.poll(target, self._vehicle, what, now=now)
        self._records.polled(target, now)
        self._buffer.close()

    async def _acknowledge(self) -> None:
        """Remember what the last update acknowledges, until the block is left."""
        delivery, self._unacknowledged = self._unacknowledged, None
        if delivery is not None and delivery.acknowledgement is not None:
            self._taken[delivery.acknowledgement.key] = delivery.acknowledgement
            self._counts.acknowledged += 1

    async def _on_leaving(self) -> None:
        for taken in self._taken.values():  # of one vehicle: one key
            await taken.store.save(taken.key, taken.state.dump())
        await self._records.flush()


def poll(
    vehicle: Vehicle,
    *,
    what: Iterable[str] = ("status", "trips"),
    checkpoints: CheckpointStore | None = None,
    name: str = "poll",
    since: datetime | None = None,
    repeats: bool = False,
    late: timedelta = timedelta(days=14),
    buffer: int = 256,
    clock: Callable[[], datetime] | None = None,
) -> Poll:
    """Poll one vehicle once, and return what is new: ``async with poll(vehicle, checkpoints=…) as updates: …``.

    For programs that have a scheduler or a task engine of their own; :func:`watch` has one. Failures are raised by the
    iteration, as they are by ``vehicle.status()``, so that the engine can repeat the task. A second poll of the vehicle
    at the same time is refused: ``CheckpointsInUseError``.

    Args:
        vehicle: the vehicle, as an account returned it; its priority and longest wait are used.
        what: kinds of data to poll, of "status", "maintenance", "position", "trips". Default: status and trips.
        checkpoints: store for what was acknowledged; None (default): in memory, so that nothing counts as known.
        name: name of these polls in the store. Default: "poll".
        since: start of the trips to report, an aware datetime; None (default): trips that appear after the first poll.
        repeats: whether unchanged snapshots are reported too. Default: False.
        late: how far before the newest trip to look for trips that the API adds late, a timedelta of at least 6 hours;
            all of it is read once a day. Default: 14 days.
        buffer: number of updates that may wait for the consumer. Default: 256.
        clock: wall clock that returns an aware datetime; None (default): the client's.

    Raises:
        ValueError: an option is out of bounds, or the vehicle has neither id nor links.
        TypeError: an option has the wrong type.
    """
    require_type("vehicle", vehicle, Vehicle)
    require_type("name", name, str)
    require_flags(repeats=repeats)
    if clock is not None:
        require_clock(clock)
    id_ = id_of(vehicle)
    if id_ is None or vehicle.resource is None:
        raise ValueError("a vehicle without id or links cannot be polled: read it by an account")
    options = PollOptions(
        since=checked_since(since),
        overlap=_OVERLAP,
        lookback=checked_late(late, at_least=_OVERLAP),
        deep_every=_DEEP_EVERY,
        repeats=repeats,
        adapt=None,
    )
    store = checked_store(checkpoints)
    return Poll(vehicle, id_, checked_kinds(what, KINDS), options, store=store, name=name, buffer=buffer, clock=clock)
