"""Each trip is given once, whatever happens between: the rule by itself."""

import math
from collections.abc import Callable
from datetime import UTC, datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.fleet.changes import SnapshotState
from stellantis_hal.fleet.deduplication import Checkpoint, TripFacts, admit, facts_of, noted, window
from stellantis_hal.resources.trip import Trip
from stellantis_hal.structuring.converter import read

HOUR = 3_600.0
REACH = 14 * 24 * HOUR


def a_trip(name: str, hour: float, *, done: bool = True, now: float = math.inf) -> TripFacts:
    """A trip that says that it began at an hour, seen at another."""
    return TripFacts(identity=name, started=min(hour, now) * HOUR, done=done, said=hour * HOUR)


def a_trip_without_instants(name: str, *, now: float) -> TripFacts:
    return facts_of(read({"id": name}, Trip), now * HOUR)


def run(trips: list[TripFacts], checkpoint: Checkpoint | None = None) -> tuple[list[str], Checkpoint]:
    checkpoint, given_ = checkpoint or Checkpoint(met=True), list[str]()
    for trip in trips:
        verdict, checkpoint = admit(checkpoint, trip, reach=REACH)
        if verdict is not None:
            given_.append(f"{trip.identity} {verdict}")
    return given_, checkpoint


def test_a_trip_is_given_once() -> None:
    given_, _ = run([a_trip("a", 1), a_trip("a", 1), a_trip("b", 2), a_trip("a", 1)])
    assert given_ == ["a new", "b new"]


def test_an_unfinished_trip_is_given_again_when_it_finishes() -> None:
    under_way, over = a_trip("a", 1, done=False), a_trip("a", 1)
    given_, _ = run([under_way, under_way, over, over, under_way])
    assert given_ == ["a new", "a finished"]


def test_a_late_trip_is_given_and_says_so() -> None:
    given_, checkpoint = run([a_trip("b", 30), a_trip("a", 2), a_trip("a", 2)])
    assert given_ == ["b new", "a late"]
    assert checkpoint.started == 30 * HOUR


def test_what_began_further_back_than_is_remembered_is_taken_for_given() -> None:
    given_, _ = run([a_trip("b", 1_000), a_trip("a", 1_000 - 14 * 24 - 1)])
    assert given_ == ["b new"]


def test_a_trip_from_before_what_is_wanted_is_not_given() -> None:
    given_, _ = run([a_trip("a", 1), a_trip("b", 3)], Checkpoint(met=True, since=2 * HOUR))
    assert given_ == ["b new"]


def test_a_trip_without_any_instant_does_not_make_others_too_old() -> None:
    given_, checkpoint = run([a_trip("a", 1), a_trip_without_instants("b", now=10_000), a_trip("c", 2)])
    assert given_ == ["a new", "b new", "c new"]
    assert checkpoint.started == 2 * HOUR


def test_a_trip_without_any_instant_may_be_the_first() -> None:
    given_, checkpoint = run([a_trip_without_instants("a", now=10_000), a_trip("b", 1)])
    assert given_ == ["a new", "b new"]
    assert checkpoint.started == 1 * HOUR


def test_a_trip_without_any_instant_is_given_once_however_long_it_is_shown() -> None:
    given_, _ = run(
        [trip for day in range(60) for trip in (a_trip_without_instants("a", now=24 * day), a_trip(f"{day}", 24 * day))]
    )
    assert given_.count("a new") == 1
    assert len(given_) == 61


def test_a_trip_from_the_future_is_given_once_however_long_it_is_shown() -> None:
    given_, checkpoint = run(
        [trip for day in range(60) for trip in (a_trip("a", 90_000, now=24 * day), a_trip(f"{day}", 24 * day))]
    )
    assert given_.count("a new") == 1
    assert len(given_) == 61
    assert checkpoint.started == 59 * 24 * HOUR


def test_a_clock_that_was_behind_and_is_put_right_brings_no_trip_back() -> None:
    trips = [24 * day for day in range(10_000, 10_040)]
    given_, checkpoint = run([a_trip(str(hour), hour, now=5.0) for hour in trips])
    assert (len(given_), checkpoint.started) == (40, 5 * HOUR)
    assert run([a_trip("new", trips[-1] + 1), *(a_trip(str(hour), hour) for hour in trips)], checkpoint)[0] == [
        "new new"
    ]


def test_memory_is_bounded() -> None:
    _, checkpoint = run([a_trip(f"trip-{number}", number * 6, done=number % 7 > 0) for number in range(2_000)])
    assert len(checkpoint.given) + len(checkpoint.open) <= 16 * (14 * 4 + 1)


def test_an_update_is_called_the_same_however_often_it_is_delivered() -> None:
    assert a_trip("a", 1).update_id == a_trip("a", 1).update_id == "a/finished"
    assert a_trip("a", 1, done=False).update_id == "a/open"


def test_a_digest_is_not_mistaken_for_another_by_where_it_stands() -> None:
    checkpoint = attrs.evolve(Checkpoint(met=True), given=b"\0" * 4 + a_trip("a", 1).digest + b"\0" * 4)
    assert run([a_trip("a", 1)], checkpoint)[0] == ["a new"]


# ------------------------------------------------------------------------------------------- from when on


def test_before_the_first_trip_all_are_asked_for() -> None:
    assert window(Checkpoint(met=True), overlap=HOUR, reach=REACH, deep=False) is None
    assert window(Checkpoint(met=True, since=5.0), overlap=HOUR, reach=REACH, deep=False) == 5.0


def test_an_ordinary_look_goes_a_little_back() -> None:
    _, checkpoint = run([a_trip("a", 100)])
    assert window(checkpoint, overlap=HOUR, reach=REACH, deep=False) == 99 * HOUR


def test_a_deep_look_goes_as_far_back_as_is_remembered() -> None:
    _, checkpoint = run([a_trip("a", 1_000)])
    assert window(checkpoint, overlap=HOUR, reach=REACH, deep=True) == 1_000 * HOUR - REACH


def test_no_look_goes_back_to_what_is_not_wanted() -> None:
    _, checkpoint = run([a_trip("a", 1_000)], Checkpoint(met=True, since=999.5 * HOUR))
    assert window(checkpoint, overlap=HOUR, reach=REACH, deep=False) == 999.5 * HOUR
    assert window(checkpoint, overlap=HOUR, reach=REACH, deep=True) == 999.5 * HOUR


def test_a_look_begins_before_a_trip_that_is_not_over_yet() -> None:
    _, checkpoint = run([a_trip("a", 98.5, done=False), a_trip("b", 100)])
    assert window(checkpoint, overlap=HOUR, reach=REACH, deep=False) == 98.5 * HOUR


def test_one_that_is_not_over_for_long_is_left_to_the_deep_looks() -> None:
    _, checkpoint = run([a_trip("a", 90, done=False), a_trip("b", 100)])
    assert window(checkpoint, overlap=HOUR, reach=REACH, deep=False) == 99 * HOUR


# ------------------------------------------------------------------------------------------- facts


def test_a_trip_says_itself_whether_it_is_over() -> None:
    assert facts_of(read({"id": "a", "done": True, "faults": [{"fault": "Unfinished"}]}, Trip), 0.0).done
    assert not facts_of(read({"id": "a", "done": False}, Trip), 0.0).done


def test_a_trip_that_says_nothing_is_over_unless_it_lacks_its_end() -> None:
    assert facts_of(read({"id": "a"}, Trip), 0.0).done
    assert not facts_of(read({"id": "a", "faults": [{"fault": "Unfinished"}]}, Trip), 0.0).done


def test_a_trip_began_when_its_record_was_made_if_it_does_not_say() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    trip = read({"id": "a", "createdAt": moment.isoformat()}, Trip)
    assert facts_of(trip, math.inf).started == moment.timestamp()
    assert facts_of(read({"id": "a"}, Trip), 7.0).started == 7.0


def test_a_trip_from_the_future_is_not_believed() -> None:
    trip = read({"id": "a", "startedAt": "2099-01-01T00:00:00Z"}, Trip)
    assert facts_of(trip, 1_000.0).started == 1_000.0


def test_a_trip_without_an_id_is_known_by_what_it_says() -> None:
    one, other = read({"distance": 1.0}, Trip), read({"distance": 2.0}, Trip)
    assert facts_of(one, 0.0).identity == facts_of(one, 1.0).identity != facts_of(other, 0.0).identity


# ------------------------------------------------------------------------------------------- the store's bytes

kept_values = st.builds(
    SnapshotState,
    taken=st.none() | st.tuples(st.floats(0, 1e9), st.floats(0, 1e9)),
    digest=st.binary(min_size=8, max_size=8),
    serial=st.integers(1, 1_000),
    leaves=st.binary(max_size=20),
)
checkpoints = st.builds(
    Checkpoint,
    met=st.booleans(),
    since=st.none() | st.floats(0, 1e9),
    started=st.none() | st.floats(0, 1e9),
    given=st.binary(min_size=32, max_size=32),
    open=st.binary(min_size=16, max_size=16),
    kept=st.dictionaries(st.sampled_from(["status", "maintenance"]), kept_values),
)


@given(checkpoints)
def test_a_checkpoint_is_read_as_it_was_written(checkpoint: Checkpoint) -> None:
    assert Checkpoint.load(checkpoint.dump()) == checkpoint


@pytest.mark.parametrize(
    "content",
    [b"", b"7", b"{}", b'[2,true,null,null,"","",{}]', b'[1,true,null,null,"AAAA","",{}]',
     b'[1,true,null,null,"!","",{}]', b'[1,true,null,null,"","",{"status":3}]', b'[1,true,null,null,"","",3]'],
)  # fmt: skip
def test_other_bytes_are_no_checkpoint(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Checkpoint.load(content)


# ------------------------------------------------------------------------------------------- the law

acts = st.lists(
    st.one_of(
        st.tuples(st.just("drive"), st.integers(0, 40)),
        st.tuples(st.just("set out"), st.integers(0, 40)),
        st.tuples(st.just("arrive"), st.integers(0, 3)),
        st.tuples(st.just("poll"), st.integers(0, 5)),
        st.tuples(st.just("take"), st.integers(1, 5)),
        st.tuples(st.just("crash"), st.just(0)),
        st.tuples(st.just("leave"), st.just(0)),
    ),
    max_size=40,
)


class World:
    """Trips that come about, a poll that offers them, a consumer that takes, leaves and crashes."""

    def __init__(self) -> None:
        self.trips: dict[str, TripFacts] = {}
        self.saved = Checkpoint(met=True)
        self.offered = self.saved
        self.buffer: list[tuple[str, Checkpoint]] = []
        self.unacknowledged: tuple[str, Checkpoint] | None = None
        self.delivered: list[str] = []
        self.acknowledged: list[str] = []
        self.crashes = 0

    def drive(self, hour: int, *, done: bool) -> None:
        name = f"trip-{len(self.trips)}"
        self.trips[name] = a_trip(name, hour + len(self.trips), done=done)

    def arrive(self, number: int) -> None:
        under_way = [trip for trip in self.trips.values() if not trip.done]
        if under_way:
            trip = under_way[number % len(under_way)]
            self.trips[trip.identity] = attrs.evolve(trip, done=True)

    def poll(self, _: int) -> None:
        for trip in sorted(self.trips.values(), key=lambda trip: trip.started):
            verdict, after = admit(self.offered, trip, reach=REACH)
            if verdict is not None:
                self.buffer.append((trip.update_id, after))
                self.offered = after

    def acknowledge(self) -> None:
        if self.unacknowledged is not None:
            self.acknowledged.append(self.unacknowledged[0])
            self.saved = Checkpoint.load(self.unacknowledged[1].dump())
            self.unacknowledged = None

    def take(self, number: int) -> None:
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


@given(acts)
def test_under_any_interleaving_of_crashes_and_restarts_each_is_delivered_and_acknowledged_once(
    acts: list[tuple[str, int]],
) -> None:
    world = World()
    doing: dict[str, Callable[[int], None]] = {
        "drive": lambda hour: world.drive(hour, done=True),
        "set out": lambda hour: world.drive(hour, done=False),
        "arrive": world.arrive,
        "poll": world.poll,
        "take": world.take,
        "crash": world.crash,
        "leave": world.leave,
    }
    for act, number in acts:
        doing[act](number)
    world.poll(0)
    world.take(len(world.buffer) + 1)
    assert len(set(world.acknowledged)) == len(world.acknowledged)
    assert {name for name in world.acknowledged if name.endswith("/finished")} == {
        trip.update_id for trip in world.trips.values() if trip.done
    }
    assert len(world.delivered) - len(world.acknowledged) == world.crashes
    assert set(world.delivered) >= {trip.update_id for trip in world.trips.values()}


def test_what_is_noted_without_being_given_is_not_given_later() -> None:
    checkpoint = noted(Checkpoint(met=True), a_trip("a", 1, done=False), reach=REACH)
    assert run([a_trip("a", 1, done=False), a_trip("a", 1)], checkpoint)[0] == ["a finished"]
