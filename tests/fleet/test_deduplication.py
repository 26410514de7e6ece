"""Deduplication of trips."""

import math
import struct
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.fleet.deduplication import Checkpoint, TripDedupFacts, admit, query_start, record_trip
from stellantis_hal.fleet.snapshot_diff import SnapshotState
from stellantis_hal.hal.json import encode
from stellantis_hal.resources.trip import Trip
from stellantis_hal.structuring.converter import read

HOUR = 3_600.0
LOOKBACK = 14 * 24 * HOUR


def facts(name: str, hour: float, *, done: bool = True, now: float = math.inf) -> TripDedupFacts:
    """Return a trip with a stated start, read at the time ``now``, both in hours."""
    return TripDedupFacts(identity=name, start=min(hour, now) * HOUR, is_done=done, stated_start=hour * HOUR)


def facts_without_timestamps(name: str, *, now: float) -> TripDedupFacts:
    return TripDedupFacts.from_trip(read({"id": name}, Trip), now * HOUR)


def admit_all(trips: list[TripDedupFacts], checkpoint: Checkpoint | None = None) -> tuple[list[str], Checkpoint]:
    checkpoint, delivered = checkpoint or Checkpoint(is_initialized=True), list[str]()
    for trip in trips:
        reason, checkpoint = admit(checkpoint, trip, lookback=LOOKBACK)
        if reason is not None:
            delivered.append(f"{trip.identity} {reason}")
    return delivered, checkpoint


def test_a_trip_is_delivered_once() -> None:
    delivered, _ = admit_all([facts("a", 1), facts("a", 1), facts("b", 2), facts("a", 1)])
    assert delivered == ["a new", "b new"]


def test_an_unfinished_trip_is_delivered_again_when_it_finishes() -> None:
    unfinished, finished = facts("a", 1, done=False), facts("a", 1)
    delivered, _ = admit_all([unfinished, unfinished, finished, finished, unfinished])
    assert delivered == ["a new", "a finished"]


def test_a_late_trip_is_delivered_as_late() -> None:
    delivered, checkpoint = admit_all([facts("b", 30), facts("a", 2), facts("a", 2)])
    assert delivered == ["b new", "a late"]
    assert checkpoint.newest_start == 30 * HOUR


def test_a_trip_before_the_lookback_is_not_delivered() -> None:
    delivered, _ = admit_all([facts("b", 1_000), facts("a", 1_000 - 14 * 24 - 1)])
    assert delivered == ["b new"]


def test_a_trip_before_since_is_not_delivered() -> None:
    delivered, _ = admit_all([facts("a", 1), facts("b", 3)], Checkpoint(is_initialized=True, since=2 * HOUR))
    assert delivered == ["b new"]


def test_a_trip_without_timestamps_makes_no_other_too_old() -> None:
    delivered, checkpoint = admit_all([facts("a", 1), facts_without_timestamps("b", now=10_000), facts("c", 2)])
    assert delivered == ["a new", "b new", "c new"]
    assert checkpoint.newest_start == 2 * HOUR


def test_a_trip_without_timestamps_may_be_the_first() -> None:
    delivered, checkpoint = admit_all([facts_without_timestamps("a", now=10_000), facts("b", 1)])
    assert delivered == ["a new", "b new"]
    assert checkpoint.newest_start == 1 * HOUR


def test_a_trip_without_timestamps_is_delivered_once() -> None:
    delivered, _ = admit_all(
        [trip for day in range(60) for trip in (facts_without_timestamps("a", now=24 * day), facts(f"{day}", 24 * day))]
    )
    assert delivered.count("a new") == 1
    assert len(delivered) == 61


def test_a_trip_from_the_future_is_delivered_once() -> None:
    delivered, checkpoint = admit_all(
        [trip for day in range(60) for trip in (facts("a", 90_000, now=24 * day), facts(f"{day}", 24 * day))]
    )
    assert delivered.count("a new") == 1
    assert len(delivered) == 61
    assert checkpoint.newest_start == 59 * 24 * HOUR


def test_correcting_a_slow_clock_delivers_no_trip_again() -> None:
    trips = [24 * day for day in range(10_000, 10_040)]
    delivered, checkpoint = admit_all([facts(str(hour), hour, now=5.0) for hour in trips])
    assert (len(delivered), checkpoint.newest_start) == (40, 5 * HOUR)
    assert admit_all([facts("new", trips[-1] + 1), *(facts(str(hour), hour) for hour in trips)], checkpoint)[0] == [
        "new new"
    ]


@pytest.mark.unmeasured
def test_the_size_of_a_checkpoint_is_bounded() -> None:
    _, checkpoint = admit_all([facts(f"trip-{number}", number * 6, done=number % 7 > 0) for number in range(2_000)])
    assert len(checkpoint.finished) + len(checkpoint.unfinished) <= 16 * (14 * 4 + 1)


@pytest.mark.parametrize("done", [True, False])
def test_trips_without_timestamps_are_bounded(done: bool) -> None:
    """The last 10,000 are remembered; dated trips are not forgotten for them."""
    checkpoint = record_trip(Checkpoint(is_initialized=True), facts("dated", 1, done=done), lookback=LOOKBACK)
    undated = [attrs.evolve(facts_without_timestamps(str(number), now=1), is_done=done) for number in range(10_001)]
    records = b"".join(struct.pack(">d8s", math.inf, trip.digest) for trip in undated[:-2])
    remembered: dict[str, Any] = {
        "finished" if done else "unfinished": records + (checkpoint.finished or checkpoint.unfinished)
    }
    checkpoint = attrs.evolve(checkpoint, **remembered)
    for trip in undated[-2:]:
        reason, checkpoint = admit(checkpoint, trip, lookback=LOOKBACK)
        assert reason == "new"
    assert len(checkpoint.finished or checkpoint.unfinished) == 16 * 10_001
    assert admit(checkpoint, facts("dated", 1, done=done), lookback=LOOKBACK)[0] is None
    assert admit(checkpoint, undated[1], lookback=LOOKBACK)[0] is None
    assert admit(checkpoint, undated[0], lookback=LOOKBACK)[0] == "new"


def test_the_id_of_an_update_is_stable() -> None:
    assert facts("a", 1).update_id == facts("a", 1).update_id == "a/finished"
    assert facts("a", 1, done=False).update_id == "a/open"


def test_a_digest_across_two_records_is_not_found() -> None:
    checkpoint = attrs.evolve(Checkpoint(is_initialized=True), finished=b"\0" * 4 + facts("a", 1).digest + b"\0" * 4)
    assert admit_all([facts("a", 1)], checkpoint)[0] == ["a new"]


# ------------------------------------------------------------------------------------------- queries


def test_before_the_first_trip_all_are_requested() -> None:
    assert query_start(Checkpoint(is_initialized=True), overlap=HOUR, lookback=LOOKBACK, deep=False) is None
    assert query_start(Checkpoint(is_initialized=True, since=5.0), overlap=HOUR, lookback=LOOKBACK, deep=False) == 5.0


def test_a_regular_query_starts_before_the_newest_trip() -> None:
    _, checkpoint = admit_all([facts("a", 100)])
    assert query_start(checkpoint, overlap=HOUR, lookback=LOOKBACK, deep=False) == 99 * HOUR


def test_a_deep_query_covers_the_lookback() -> None:
    _, checkpoint = admit_all([facts("a", 1_000)])
    assert query_start(checkpoint, overlap=HOUR, lookback=LOOKBACK, deep=True) == 1_000 * HOUR - LOOKBACK


def test_no_query_starts_before_since() -> None:
    _, checkpoint = admit_all([facts("a", 1_000)], Checkpoint(is_initialized=True, since=999.5 * HOUR))
    assert query_start(checkpoint, overlap=HOUR, lookback=LOOKBACK, deep=False) == 999.5 * HOUR
    assert query_start(checkpoint, overlap=HOUR, lookback=LOOKBACK, deep=True) == 999.5 * HOUR


def test_a_query_covers_an_unfinished_trip() -> None:
    _, checkpoint = admit_all([facts("a", 98.5, done=False), facts("b", 100)])
    assert query_start(checkpoint, overlap=HOUR, lookback=LOOKBACK, deep=False) == 98.5 * HOUR


def test_a_trip_unfinished_for_long_is_left_to_deep_queries() -> None:
    _, checkpoint = admit_all([facts("a", 90, done=False), facts("b", 100)])
    assert query_start(checkpoint, overlap=HOUR, lookback=LOOKBACK, deep=False) == 99 * HOUR


# ------------------------------------------------------------------------------------------- facts


def test_done_decides_whether_a_trip_has_finished() -> None:
    assert TripDedupFacts.from_trip(
        read({"id": "a", "done": True, "faults": [{"fault": "Unfinished"}]}, Trip), 0.0
    ).is_done
    assert not TripDedupFacts.from_trip(read({"id": "a", "done": False}, Trip), 0.0).is_done


def test_without_done_the_fault_unfinished_decides() -> None:
    assert TripDedupFacts.from_trip(read({"id": "a"}, Trip), 0.0).is_done
    assert not TripDedupFacts.from_trip(read({"id": "a", "faults": [{"fault": "Unfinished"}]}, Trip), 0.0).is_done


def test_without_started_at_created_at_counts() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    trip = read({"id": "a", "createdAt": moment.isoformat()}, Trip)
    assert TripDedupFacts.from_trip(trip, math.inf).start == moment.timestamp()
    assert TripDedupFacts.from_trip(read({"id": "a"}, Trip), 7.0).start == 7.0


def test_a_start_in_the_future_counts_as_now() -> None:
    trip = read({"id": "a", "startedAt": "2099-01-01T00:00:00Z"}, Trip)
    assert TripDedupFacts.from_trip(trip, 1_000.0).start == 1_000.0


def test_a_trip_without_an_id_is_identified_by_its_body() -> None:
    one, other = read({"distance": 1.0}, Trip), read({"distance": 2.0}, Trip)
    assert (
        TripDedupFacts.from_trip(one, 0.0).identity
        == TripDedupFacts.from_trip(one, 1.0).identity
        != TripDedupFacts.from_trip(other, 0.0).identity
    )


# ------------------------------------------------------------------------------------------- dump and load

states = st.builds(
    SnapshotState,
    timestamps=st.none() | st.tuples(st.floats(0, 1e9), st.floats(0, 1e9)),
    digest=st.binary(min_size=8, max_size=8),
    serial=st.integers(1, 1_000),
    leaves=st.dictionaries(st.text(max_size=3), st.integers(-9, 9), max_size=3).map(encode).map(zlib.compress),
)
checkpoints = st.builds(
    Checkpoint,
    is_initialized=st.booleans(),
    since=st.none() | st.floats(0, 1e9),
    newest_start=st.none() | st.floats(0, 1e9),
    finished=st.binary(min_size=32, max_size=32),
    unfinished=st.binary(min_size=16, max_size=16),
    snapshots=st.dictionaries(st.sampled_from(["status", "maintenance"]), states),
)


@pytest.mark.unmeasured
@given(checkpoints)
def test_a_checkpoint_survives_dump_and_load(checkpoint: Checkpoint) -> None:
    assert Checkpoint.load(checkpoint.dump()) == checkpoint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "."),
        (b"7", "is not a checkpoint"),
        (b"{}", "."),
        (b'[2,true,null,null,"","",{}]', "the checkpoint has format 2, expected 1"),
        (b'[1,true,null,null,"AAAA","",{}]', "is truncated: its records must be 16 bytes each"),
        (b'[1,true,null,null,"!","",{}]', "is not a checkpoint"),
        (b'[1,true,null,null,"","",{"status":3}]', "is not a checkpoint"),
        (b'[1,true,null,null,"","",3]', "is not a checkpoint"),
        (b'[1,1,null,null,"","",{}]', "is not a checkpoint"),
        (b'[1,true,"5",null,"","",{}]', "is not a checkpoint"),
        (b'[1,true,null,true,"","",{}]', "is not a checkpoint"),
        (b'[1,true,null,1e999,"","",{}]', "."),
        (b"[1,true,null,1" + b"0" * 400 + b',"","",{}]', "."),
        (b'[1,true,null,null,"","",{"status":[null,"00",1,"AAAA"]}]', "is not a checkpoint"),
        (b'[1,true,null,null,"","",{"status":[null,"00",1,"eJwzBAAAMgAy"]}]', "is not a checkpoint"),
        (b'[1,true,null,null,"","",{"status":[[1],"00",1,"eJyrrgUAAXUA+Q=="]}]', "."),
        (b'[1,true,null,null,"","",{"status":[null,"00","1","eJyrrgUAAXUA+Q=="]}]', "is not a checkpoint"),
        (b'[1,true,null,null,"","",{"status":[null,5,1,"eJyrrgUAAXUA+Q=="]}]', "is not a checkpoint"),
    ],
)
def test_other_content_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Checkpoint.load(content)


# ------------------------------------------------------------------------------------------- crashes and restarts

actions = st.lists(
    st.one_of(
        st.tuples(st.just("drive"), st.integers(0, 40)),
        st.tuples(st.just("set out"), st.integers(0, 40)),
        st.tuples(st.just("arrive"), st.integers(0, 3)),
        st.tuples(st.just("poll"), st.integers(0, 5)),
        st.tuples(st.just("consume"), st.integers(1, 5)),
        st.tuples(st.just("crash"), st.just(0)),
        st.tuples(st.just("leave"), st.just(0)),
    ),
    max_size=40,
)


class World:
    """Trips that start and finish, polls that buffer them, a consumer that acknowledges, leaves and crashes."""

    def __init__(self) -> None:
        self.trips: dict[str, TripDedupFacts] = {}
        self.saved = Checkpoint(is_initialized=True)
        self.offered = self.saved
        self.buffer: list[tuple[str, Checkpoint]] = []
        self.unacknowledged: tuple[str, Checkpoint] | None = None
        self.delivered: list[str] = []
        self.acknowledged: list[str] = []
        self.crashes = 0

    def drive(self, hour: int, *, done: bool) -> None:
        name = f"trip-{len(self.trips)}"
        self.trips[name] = facts(name, hour + len(self.trips), done=done)

    def arrive(self, number: int) -> None:
        unfinished = [trip for trip in self.trips.values() if not trip.is_done]
        if unfinished:
            trip = unfinished[number % len(unfinished)]
            self.trips[trip.identity] = attrs.evolve(trip, is_done=True)

    def poll(self, _: int) -> None:
        for trip in sorted(self.trips.values(), key=lambda trip: trip.start):
            reason, after = admit(self.offered, trip, lookback=LOOKBACK)
            if reason is not None:
                self.buffer.append((trip.update_id, after))
                self.offered = after

    def acknowledge(self) -> None:
        if self.unacknowledged is not None:
            self.acknowledged.append(self.unacknowledged[0])
            self.saved = Checkpoint.load(self.unacknowledged[1].dump())
            self.unacknowledged = None

    def consume(self, number: int) -> None:
        for _ in range(number):
            self.acknowledge()
            if self.buffer:
                self.unacknowledged = self.buffer.pop(0)
                self.delivered.append(self.unacknowledged[0])

    def crash(self, _: int) -> None:
        self.crashes += self.unacknowledged is not None
        self.unacknowledged = None
        self.restart()

    def leave(self, _: int) -> None:
        self.acknowledge()
        self.restart()

    def restart(self) -> None:
        self.buffer.clear()
        self.offered = self.saved


@pytest.mark.unmeasured
@given(actions)
def test_each_trip_is_acknowledged_once_despite_crashes(
    actions: list[tuple[str, int]],
) -> None:
    world = World()
    methods: dict[str, Callable[[int], None]] = {
        "drive": lambda hour: world.drive(hour, done=True),
        "set out": lambda hour: world.drive(hour, done=False),
        "arrive": world.arrive,
        "poll": world.poll,
        "consume": world.consume,
        "crash": world.crash,
        "leave": world.leave,
    }
    for action, number in actions:
        methods[action](number)
    world.poll(0)
    world.consume(len(world.buffer) + 1)
    assert len(set(world.acknowledged)) == len(world.acknowledged)
    assert {name for name in world.acknowledged if name.endswith("/finished")} == {
        trip.update_id for trip in world.trips.values() if trip.is_done
    }
    assert len(world.delivered) - len(world.acknowledged) == world.crashes
    assert set(world.delivered) >= {trip.update_id for trip in world.trips.values()}


def test_a_trip_recorded_without_delivery_is_not_delivered() -> None:
    checkpoint = record_trip(Checkpoint(is_initialized=True), facts("a", 1, done=False), lookback=LOOKBACK)
    assert admit_all([facts("a", 1, done=False), facts("a", 1)], checkpoint)[0] == ["a finished"]
