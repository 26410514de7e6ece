"""One thing about one vehicle: ask for it, and say what is new.

Knows how snapshots and trips are read. Must not know when, or what to do about failures: they are raised.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from weakref import WeakValueDictionary

import attrs

from stellantis_hal.fleet.changes import is_known, judge
from stellantis_hal.fleet.checkpoints.store import CheckpointError, CheckpointStore
from stellantis_hal.fleet.counters import Counts
from stellantis_hal.fleet.deduplication import Checkpoint, TripFacts, TripVerdict, admit, facts_of, noted, window
from stellantis_hal.fleet.events import Change, Update
from stellantis_hal.fleet.targets import WatchedVehicle
from stellantis_hal.navigation.pagination.paginator import Paginator
from stellantis_hal.resources.latest import LAST_POSITION, MAINTENANCE, STATUS
from stellantis_hal.resources.queries import OptionalEndpoint
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.structuring.typed_resource import TypedResource

__all__ = ["KINDS", "PollOptions", "Poller", "TripOrder", "in_time", "stored", "trip_update"]

SNAPSHOTS: dict[str, OptionalEndpoint[Any]] = {"status": STATUS, "maintenance": MAINTENANCE, "position": LAST_POSITION}
KINDS = (*SNAPSHOTS, "trips")

_ADAPT_EVERY = 3600.0
"""Seconds after which a status that has not changed is judged again: it has become older."""

Adapt = Callable[[Vehicle, Status], float]
_Found = list[tuple[TripFacts, Trip]]


@attrs.frozen(kw_only=True)
class PollOptions:
    """What is wanted of vehicles.

    Attributes:
        since: trips that started before are not wanted; None: those that come after the first look.
        overlap: seconds before the newest trip that every look goes back.
        reach: seconds before the newest trip that late ones are looked for in.
        deep_every: seconds between two looks that go back so far.
        repeats: whether snapshots without news are wanted too.
        adapt: how much longer or shorter intervals are, by the vehicle's status; asked when that changed, and hourly.
    """

    since: float | None
    overlap: float
    reach: float
    deep_every: float
    repeats: bool
    adapt: Adapt | None


class Poller:
    """Asks, and offers what is new.

    Args:
        terms: what is wanted.
        store: where checkpoints are.
        name: of the watch that they are kept for.
        clock: the wall clock.
        counts: what is counted.
        offer: hands an update over, with what is known once it was acknowledged; waits while there is no room.
    """

    def __init__(
        self,
        terms: PollOptions,
        *,
        store: CheckpointStore,
        name: str,
        clock: Callable[[], datetime],
        counts: Counts,
        offer: Callable[[Update, str, Checkpoint], Awaitable[None]],
    ) -> None:
        self._terms = terms
        self._store = store
        self._name = name
        self._clock = clock
        self._counts = counts
        self._offer = offer
        # The last that was offered of each vehicle, for as long as it is not acknowledged: the store has it then.
        self._offered: WeakValueDictionary[str, Checkpoint] = WeakValueDictionary()

    async def recall(self, member: WatchedVehicle) -> Checkpoint:
        """Give what is known of a vehicle, from the store where it is not at hand.

        It is at hand, too, when a vehicle that was removed comes back while updates of it wait for the consumer.

        Raises:
            CheckpointError: the store fails, or has something else than a checkpoint.
        """
        if member.checkpoint is None:
            known = self._offered.get(member.id) or await stored(self._store, self._key(member)) or Checkpoint()
            met = None if known.met else await stored(self._store, self._key_of_first_look(member))
            member.checkpoint = known if met is None else attrs.evolve(met, kept=known.kept)
        return member.checkpoint

    def _key(self, member: WatchedVehicle) -> str:
        """Tell under which key is kept what was acknowledged of a vehicle."""
        return f"{self._name}/{member.id}"

    def _key_of_first_look(self, member: WatchedVehicle) -> str:
        """Tell under which key the first look at its trips is kept, until an acknowledgement tells of it."""
        return f"{self._key(member)}#met"

    async def ask(self, member: WatchedVehicle, vehicle: Vehicle, what: str, *, now: float) -> bool:
        """Ask for one thing and offer what is new; gives whether there are any data.

        Raises:
            StellantisError: it cannot be had.
        """
        if what == "trips":
            await self._trips(member, vehicle, now)
            return True
        self._asks(member)
        single = SNAPSHOTS[what]
        found = await single.look(vehicle._bound())
        if found is None:
            return False
        if not self._is_read_anyway(member, what, now) and is_known((await self.recall(member)).kept.get(what), found):
            self._counts.same += 1  # and nothing is read of it: most polls are of vehicles that sleep
            return True
        snapshot: TypedResource = single.read(found)
        if isinstance(snapshot, Status) and self._terms.adapt is not None:
            member.factor = self._terms.adapt(vehicle, snapshot)
            if not 0 < member.factor < float("inf"):
                raise ValueError(f"adapt has to give a number more than 0, not {member.factor!r}")
            member.adapted_at = now
        await self._snapshot(member, what, snapshot)
        return True

    # ------------------------------------------------------------------------------------------- snapshots

    def _is_read_anyway(self, member: WatchedVehicle, what: str, now: float) -> bool:
        adapts = what == "status" and self._terms.adapt is not None and now - member.adapted_at >= _ADAPT_EVERY
        return self._terms.repeats or adapts

    async def _snapshot(self, member: WatchedVehicle, what: str, snapshot: TypedResource) -> None:
        checkpoint = await self.recall(member)
        news = judge(checkpoint.kept.get(what), snapshot, now=self._clock().timestamp())
        kept = news.kept
        if news.verdict == "older":
            self._counts.older += 1
            return
        if news.verdict == "same":
            self._counts.same += 1
            if not self._terms.repeats:
                if kept is not checkpoint.kept.get(what):
                    member.checkpoint = checkpoint.keeping(what, kept)
                return
            kept = attrs.evolve(kept, serial=kept.serial + 1)
        update = Update(
            id=f"{member.id}/{what}/{kept.serial}-{kept.digest.hex()}",
            account=member.holding.key,
            vehicle=member.vehicle,
            what=what,
            changes=news.changes,
            resource=snapshot,
            age=snapshot.age,
        )
        await self._give(member, update, checkpoint.keeping(what, kept))

    async def _give(self, member: WatchedVehicle, update: Update, after: Checkpoint) -> None:
        if member.left:  # while it was polled; whoever watches it by now goes on from what was offered before
            return
        self._offered[member.id] = after
        await self._offer(update, self._key(member), after)
        member.checkpoint = after

    # ------------------------------------------------------------------------------------------- trips

    async def _trips(self, member: WatchedVehicle, vehicle: Vehicle, now: float) -> None:
        checkpoint = await self.recall(member)
        if not checkpoint.met:
            checkpoint = await self._meet(member, vehicle, checkpoint)
            if self._terms.since is None:
                member.deep_at = now + self._terms.deep_every
                return
        deep = now >= member.deep_at
        terms = self._terms
        since = window(checkpoint, overlap=terms.overlap, reach=terms.reach, deep=deep)
        wanted = None if since is None else datetime.fromtimestamp(max(0.0, since), UTC)
        direction = TripOrder()
        async for page in vehicle.trips(since=wanted).pages():
            self._asks(member)
            found = direction.take(self._read(page.items), more=page.token is not None)
            if direction.falls:
                await self._backwards(member, vehicle.trips(since=wanted, newest_first=True))
                break
            await self._admit(member, found)
        if deep:
            member.deep_at = now + terms.deep_every

    async def _backwards(self, member: WatchedVehicle, trips: Paginator[Trip]) -> None:
        """Walk a collection that has the newest first from its end, so that trips come in order all the same."""
        async for page in trips.pages():
            self._asks(member)
            await self._admit(member, self._read(page.items))

    async def _admit(self, member: WatchedVehicle, found: _Found) -> None:
        for facts, trip in in_time(found):
            checkpoint = await self.recall(member)
            verdict, after = admit(checkpoint, facts, reach=self._terms.reach)
            if verdict is None:
                continue
            update = trip_update(member, trip, facts, verdict)
            await self._give(member, update, after)

    def _asks(self, member: WatchedVehicle) -> None:
        self._counts.requests += 1
        member.asked += 1

    async def _meet(self, member: WatchedVehicle, vehicle: Vehicle, checkpoint: Checkpoint) -> Checkpoint:
        """Look at a vehicle's trips for the first time: those that are there are no news, unless they were asked for.

        It is saved at once, so that what comes between now and the first acknowledgement is news after a crash too; and
        by itself, for it acknowledges nothing, and no acknowledgement of what was offered before may undo it.
        """
        checkpoint = attrs.evolve(checkpoint, met=True, since=self._terms.since)
        if self._terms.since is None:
            for facts, _ in in_time(await self._newest(member, vehicle)):
                checkpoint = noted(checkpoint, facts, reach=self._terms.reach)
            if checkpoint.started is None:
                # The API says "no data" of vehicles that have some, now and then: their old trips are no news then.
                checkpoint = attrs.evolve(checkpoint, since=self._clock().timestamp() - self._terms.overlap)
        await self._store.save(self._key_of_first_look(member), attrs.evolve(checkpoint, kept={}).dump())
        member.checkpoint = checkpoint
        return checkpoint

    async def _newest(self, member: WatchedVehicle, vehicle: Vehicle) -> _Found:
        """Read the newest trips, as far back as they are remembered, whichever end of the collection they are at."""
        found: _Found = []
        self._asks(member)  # the walk backwards begins with a look at the first page
        falling: bool | None = None
        async for page in vehicle.trips(newest_first=True).pages():
            self._asks(member)
            found += self._read(page.items)
            if falling is None and page.token is not None:
                falling = _falls(found)
                if falling is False:
                    break
            if self._reached(found):
                return found
        if falling is not False:
            return found
        found.clear()
        async for page in vehicle.trips().pages():
            self._asks(member)
            found += self._read(page.items)
            if self._reached(found):
                break
        return found

    def _reached(self, found: _Found) -> bool:
        starts = [facts.started for facts, _ in found if facts.said is not None]
        return bool(starts) and min(starts) < max(starts) - self._terms.reach

    def _read(self, trips: tuple[Trip, ...]) -> _Found:
        now = self._clock().timestamp()
        return [(facts_of(trip, now), trip) for trip in trips]


def trip_update(member: WatchedVehicle, trip: Trip, facts: TripFacts, verdict: TripVerdict) -> Update:
    """Tell of a trip."""
    return Update(
        id=f"{member.id}/trips/{facts.update_id}",
        account=member.holding.key,
        vehicle=member.vehicle,
        what="trips",
        changes=(Change("done", False, True) if verdict == "finished" else Change("trips", None, trip.id),),
        resource=trip,
        age=trip.age,
        late=verdict == "late",
    )


async def stored(store: CheckpointStore, key: str) -> Checkpoint | None:
    """Give the checkpoint under a key; None where there is none.

    Raises:
        CheckpointError: the store fails, or has something else than a checkpoint.
    """
    content = await store.load(key)
    try:
        return None if content is None else Checkpoint.load(content)
    except ValueError as error:
        raise CheckpointError(f"the checkpoint {key} cannot be read: {error}") from error


def in_time(found: list[tuple[TripFacts, Trip]]) -> list[tuple[TripFacts, Trip]]:
    """Put trips in the order in which they began."""
    return sorted(found, key=lambda each: each[0].order)


def _falls(found: list[tuple[TripFacts, Trip]]) -> bool | None:
    """Tell whether these have the newest trip first; None where they do not say."""
    said = [facts.said for facts, _ in found if facts.said is not None]
    return said[0] > said[-1] if said and said[0] != said[-1] else None


class TripOrder:
    """Which end of a collection its newest trip is at.

    Pages may be empty, or hold a single trip: trips are held back until two of them tell.

    Attributes:
        falls: whether it has the newest first, so that it is to be walked from its end.
    """

    def __init__(self) -> None:
        self.falls: bool = False
        self._held: list[tuple[TripFacts, Trip]] | None = []

    def take(self, found: list[tuple[TripFacts, Trip]], *, more: bool) -> list[tuple[TripFacts, Trip]]:
        """Take the trips of the next page, and give those that can be dealt with: none before the order is known.

        Args:
            found: the trips.
            more: whether there are more pages: all trips at once can be put in order, whichever they come in.
        """
        if self._held is None:
            return found
        held = self._held = self._held + found
        falls = _falls(held) if more else False
        if falls is None:
            return []
        self._held = None
        self.falls = falls
        return [] if falls else held
