"""Wall clocks that are ahead or behind: no trip is lost, and what an earlier run remembered wrongly is repaired."""

import logging
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

import anyio
import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.fleet import MemoryCheckpoints, Update, backfill, watch
from stellantis_hal.fleet.deduplication import Checkpoint, TripDedupFacts, admit, record_trip, repair
from stellantis_hal.fleet.server_clock import ServerClock
from stellantis_hal.hal.document import HalDocument
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.lazy_body import LazyResponseBody
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.navigation.response_snapshot import ResponseSnapshot
from stellantis_hal.simulator import Fault, Faults, FaultWindow, Response, ScriptedFault, ServerFault
from tests.fleet.fleets import EPOCH, ChangedBody, Fleet, a_fleet, trips_in, updates_of

pytestmark = pytest.mark.anyio
DAY = 86_400.0
EVERY = timedelta(minutes=5)
WRONG = [timedelta(hours=8), timedelta(days=400), timedelta(hours=-8), timedelta(days=-9_000)]


@attrs.frozen
class Dateless(Fault):
    """A response without a ``Date``."""

    def alter(self, response: Response) -> Response:
        return attrs.evolve(response, headers=tuple(pair for pair in response.headers if pair[0] != "Date"))


WITHOUT_DATE = Faults(windows=[FaultWindow(fault=Dateless(), since=0.0, until=1e9)])


async def drive(fleet: Fleet, updates: Any, trips: int, seconds: float = 600.0) -> tuple[list[Any], list[Any]]:
    """Drive so many trips, one each ten minutes; return their ids and those delivered."""
    driven, delivered = list[Any](), list[Any]()
    for _ in range(trips):
        driven.append(fleet.world.add_trip(fleet.vehicles[0], km=2.0, at=fleet.simulator.now()).id)
        delivered += trips_in(await updates_of(updates, seconds))
    return driven, delivered


@pytest.mark.unmeasured
@pytest.mark.parametrize("ahead", WRONG, ids=str)
@pytest.mark.parametrize("what", ["trips", ["status", "trips"]], ids=str)
@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.long
async def test_a_wrong_clock_at_the_first_look_loses_no_trip(ahead: timedelta, what: Any, dated: bool) -> None:
    if not dated and (what == "trips" or ahead < timedelta()):
        pytest.skip("nothing but the wall clock tells the time")
    async with a_fleet(vehicles=1, accounts=1, trips=0, faults=Faults() if dated else WITHOUT_DATE) as fleet:
        store = MemoryCheckpoints()
        fleet.simulator.script(ScriptedFault(fault=ServerFault(404, 40400), path="/trips$"))
        options: dict[str, Any] = {"every": 3 * EVERY, "what": what, "checkpoints": store, "adapt": None}
        async with watch(fleet.accounts, clock=lambda: fleet.simulator.now() + ahead, **options) as updates:
            await updates_of(updates, 700)
            driven, delivered = await drive(fleet, updates, 6, 1_800)
        async with watch(fleet.accounts, **options) as updates:
            more, later = await drive(fleet, updates, 6, 1_800)
        assert delivered + later == driven + more


@pytest.mark.unmeasured
@pytest.mark.parametrize("ahead", [timedelta(hours=8), timedelta(days=400)], ids=str)
@pytest.mark.long
async def test_since_by_a_clock_that_is_ahead_loses_no_trip(ahead: timedelta) -> None:
    """``since=datetime.now(UTC)`` of a machine whose clock is wrong."""
    async with a_fleet(vehicles=1, accounts=1, trips=0) as fleet:
        store = MemoryCheckpoints()

        def now() -> datetime:
            return fleet.simulator.now() + ahead

        options: dict[str, Any] = {"every": EVERY, "what": "trips", "checkpoints": store}
        async with watch(fleet.accounts, clock=now, since=now(), **options) as updates:
            await updates_of(updates, 700)
            driven, delivered = await drive(fleet, updates, 10)
        async with watch(fleet.accounts, since=fleet.simulator.now(), **options) as updates:
            more, later = await drive(fleet, updates, 10)
        assert delivered + later == driven + more


@pytest.mark.unmeasured
async def test_since_may_lie_in_the_future() -> None:
    async with a_fleet(vehicles=1, accounts=1, trips=0) as fleet:
        since = EPOCH + timedelta(hours=2)
        async with watch(fleet.accounts, every=EVERY, what="trips", since=since) as updates:
            driven, delivered = await drive(fleet, updates, 24)
        assert delivered == driven[12:]


@pytest.mark.unmeasured
@pytest.mark.parametrize("stored", [{"since": 400 * DAY}, {"newest_start": 400 * DAY}, {"since": 0.3 * DAY}])
@pytest.mark.parametrize("key", ["watch/{}", "watch/{}#met"])
@pytest.mark.long
async def test_a_checkpoint_from_the_future_is_repaired(
    stored: dict[str, Any], key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An earlier version wrote it under a clock that was ahead."""
    async with a_fleet(vehicles=1, accounts=1, trips=0) as fleet:
        instants: dict[str, Any] = {name: EPOCH.timestamp() + value for name, value in stored.items()}
        checkpoint = Checkpoint(is_initialized=True, **instants)
        store = MemoryCheckpoints()
        await store.save(key.format(fleet.vehicles[0]), checkpoint.dump())
        async with watch(fleet.accounts, every=EVERY, what="trips", checkpoints=store) as updates:
            driven, delivered = await drive(fleet, updates, 10, 700)
        assert delivered == driven
        assert caplog.text.count("lies in the future") == 1
        assert fleet.vehicles[0] not in caplog.text


async def test_a_checkpoint_is_repaired_once_a_response_has_the_time(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock is ahead of the checkpoint, and the first responses do not say what time it is."""
    observe = ServerClock.observe

    def observe_trips(clock: ServerClock, resource: HalResource | None) -> None:
        if resource is not None and "/trips" in resource.url:
            observe(clock, resource)

    monkeypatch.setattr(ServerClock, "observe", observe_trips)
    async with a_fleet(vehicles=1, accounts=1, trips=0) as fleet:
        checkpoint = Checkpoint(is_initialized=True, newest_start=EPOCH.timestamp() + 0.3 * DAY)
        store = MemoryCheckpoints()
        await store.save(f"watch/{fleet.vehicles[0]}", checkpoint.dump())

        def clock() -> datetime:
            return fleet.simulator.now() + timedelta(days=1)

        async with watch(fleet.accounts, every=EVERY, what="trips", checkpoints=store, clock=clock) as updates:
            driven, delivered = await drive(fleet, updates, 10, 700)
        assert delivered == driven
        assert caplog.text.count("lies in the future") == 1


@pytest.mark.unmeasured
@pytest.mark.parametrize("ahead", WRONG, ids=str)
async def test_ages_in_a_watch_are_by_the_servers_time(ahead: timedelta) -> None:
    """The client's clock is wrong: the ages of updates, of their parts and the pace are not."""
    started = anyio.current_time()

    def clock() -> datetime:
        return EPOCH + timedelta(seconds=anyio.current_time() - started) + ahead

    async with a_fleet(vehicles=1, accounts=1, trips=0, clock=clock, token_lifetime=10 * DAY) as fleet:
        trip = fleet.world.add_trip(fleet.vehicles[0], at=EPOCH + timedelta(minutes=1))
        await anyio.sleep(7_200)
        async with watch(fleet.accounts, every=EVERY, since=EPOCH - timedelta(days=1)) as updates:
            [status, driven] = [event for event in await updates_of(updates, 300) if isinstance(event, Update)]
        at = (status.resource.require_resource().fetched_at - ahead - trip.stopped_at).total_seconds()
        assert status.status is not None
        assert status.status.energies[0].updated_at is not None
        energy = status.status.energies[0]
        assert status.age == pytest.approx(at, abs=5)
        assert energy.age == pytest.approx(status.status.age, abs=5)
        assert driven.age == pytest.approx(at, abs=5)


@pytest.mark.unmeasured
async def test_a_backfill_under_a_wrong_clock_leaves_nothing_out() -> None:
    """One vehicle's clock was ahead too, so that a trip claims to be of next summer."""
    ahead, odd = timedelta(days=400), list[str]()

    def postpone(body: Any) -> None:
        for trip in body["_embedded"]["trips"]:
            if trip["id"] in odd:
                trip["startedAt"] = trip["createdAt"] = "2026-07-20T00:00:00Z"

    faults = Faults(windows=[FaultWindow(fault=ChangedBody(postpone), since=0.0, until=1e9, path="/trips$")])
    async with a_fleet(vehicles=1, accounts=1, trips=30, faults=faults) as fleet:
        store, delivered = MemoryCheckpoints(), list[Any]()
        odd.append(fleet.world.trip_ids(fleet.vehicles[0])[-1])
        for clock in (lambda: fleet.simulator.now() + ahead, None, None):
            async with backfill(fleet.accounts, checkpoints=store, newer=True, clock=clock) as updates:
                delivered += trips_in([event async for event in updates])
            await anyio.sleep(3_600)
            fleet.world.add_trip(fleet.vehicles[0], km=2.0, at=fleet.simulator.now())
        assert sorted(delivered) == sorted(fleet.world.trip_ids(fleet.vehicles[0])[:-1])


@pytest.mark.parametrize("stored", [{"since": 400 * DAY}, {"newest_start": 400 * DAY}])
@pytest.mark.parametrize("initialized", [True, False])
async def test_a_backfill_from_the_future_is_repaired(stored: dict[str, Any], initialized: bool) -> None:
    async with a_fleet(vehicles=1, accounts=1, trips=0) as fleet:
        instants: dict[str, Any] = {name: EPOCH.timestamp() + value for name, value in stored.items()}
        store = MemoryCheckpoints()
        content = Checkpoint(is_initialized=initialized, **instants).dump()
        await store.save(f"backfill/{fleet.vehicles[0]}", content)
        trip = fleet.world.add_trip(fleet.vehicles[0])
        await anyio.sleep(3_600)
        async with backfill(fleet.accounts, checkpoints=store, newer=True) as updates:
            assert trips_in([event async for event in updates]) == [trip.id]


async def test_a_backfill_takes_the_clients_clock(caplog: pytest.LogCaptureFixture) -> None:
    """A client whose clock agrees with the server's, years from the system's, is not warned of it."""
    async with a_fleet(vehicles=1, accounts=1, trips=2) as fleet, backfill(fleet.accounts) as updates:
        assert len([event async for event in updates]) == 2
    assert "wall clock" not in caplog.text


# ------------------------------------------------------------------------------------------- parts


def response(date: str | None, *, fetched_at: datetime = EPOCH, clock: Any = None, **headers: str) -> HalResource:
    fields = {**headers, **({} if date is None else {"date": date})}
    snapshot = ResponseSnapshot(
        url="https://api.example/",
        status=200,
        headers=Headers(fields),
        fetched_at=fetched_at,
        content=LazyResponseBody.of(HalDocument({})),
    )
    context = ResourceContext(fetch=None, clock=clock or (lambda: fetched_at))  # type: ignore[arg-type]
    return HalResource(snapshot, None, context)


def dated(**difference: float) -> str:
    return format_datetime((EPOCH + timedelta(**difference)).replace(microsecond=0), usegmt=True)


@pytest.mark.parametrize(
    ("difference", "time", "now"),
    [
        ({"seconds": 59}, 0, 0),
        ({"seconds": -59}, 0, 0),
        ({"hours": 8}, 8 * 3_600, 0),
        ({"hours": -8}, -8 * 3_600, -8 * 3_600),
    ],
)
def test_clocks_that_differ_by_a_minute_agree(difference: dict[str, float], time: float, now: float) -> None:
    clock = ServerClock()
    clock.observe(response(dated(**difference)))
    assert clock.is_checked
    assert clock.is_wrong == bool(time)
    assert (clock.wall_time(), clock.time(), clock.now()) == (
        EPOCH,
        EPOCH + timedelta(seconds=time),
        EPOCH + timedelta(seconds=now),
    )


@pytest.mark.parametrize("date", [None, "", "yesterday", "Thu, 99 Jan 2026 00:00:00 GMT"])
def test_without_a_date_the_wall_clock_counts(date: str | None) -> None:
    clock = ServerClock(lambda: EPOCH + timedelta(days=1))
    clock.observe(None)
    clock.observe(response(date))
    assert not clock.is_checked
    assert clock.now() == clock.time() == EPOCH + timedelta(days=1)


def test_the_age_of_a_cached_response_counts() -> None:
    clock = ServerClock()
    clock.observe(response(dated(hours=-1), age="3600"))
    assert not clock.is_wrong
    clock.observe(response(dated(hours=-1), age="old"))
    assert clock.is_wrong


def test_a_date_that_is_a_century_away_is_not_believed(caplog: pytest.LogCaptureFixture) -> None:
    """Two seconds later, the time by it would have been beyond the calendar."""
    clock = ServerClock(lambda: EPOCH + timedelta(seconds=2))
    for _ in range(2):
        clock.observe(response("Fri, 31 Dec 9999 23:59:59 GMT", age="9"))
    assert not clock.is_checked
    assert clock.now() == clock.time() == EPOCH + timedelta(seconds=2)
    assert caplog.messages == [
        "the server says 9999-12-31T23:59:59+00:00, which is not believed: trips and ages go by the wall clock"
    ]


def test_a_resource_without_a_client_says_nothing() -> None:
    clock = ServerClock(lambda: EPOCH)
    bare = response(dated(hours=8))
    clock.observe(HalResource(bare.snapshot, None, None))
    assert not clock.is_checked


def test_a_copy_from_the_clients_own_cache_says_nothing() -> None:
    """It was received earlier: its ``Date`` and ``Age`` do not tell the present time."""
    clock = ServerClock(lambda: EPOCH)
    old = response(dated(hours=-8), age="28800")
    clock.observe(HalResource(attrs.evolve(old.snapshot, from_cache=True), old.document, old.context))
    assert not clock.is_checked


def test_a_wrong_clock_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    clock = ServerClock()
    for _ in range(3):
        clock.observe(response(dated(hours=-8)))
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(
        "the wall clock says 2026-01-01T00:00:00+00:00, and the server 2025-12-31T16:"
    )


def test_a_start_that_was_asked_for_is_bounded() -> None:
    clock = ServerClock()
    clock.observe(response(dated(hours=-8)))
    now = EPOCH.timestamp()
    assert clock.bound(now - 9 * 3_600) == now - 9 * 3_600
    assert clock.bound(now) == now - 8 * 3_600
    assert clock.bound(now + 1) == now + 1


def trip_facts(start: float, *, now: float, reported_at: float | None = None) -> TripDedupFacts:
    return TripDedupFacts(
        identity=f"{start} {reported_at}",
        start=min(start, now),
        is_done=True,
        stated_start=start,
        reported_at=reported_at,
    )


def test_a_trip_from_the_future_counts_from_its_report() -> None:
    """The vehicle's clock and this one are ahead; the API says when it was told of the trip."""
    trip = trip_facts(400 * DAY, now=500 * DAY, reported_at=100 * DAY)
    assert record_trip(Checkpoint(), trip, lookback=14 * DAY).newest_start == 100 * DAY


@pytest.mark.parametrize(("since", "expected"), [(400 * DAY, 400 * DAY), (600 * DAY, 486 * DAY), (None, 486 * DAY)])
def test_a_repair_keeps_a_start_in_the_past(since: float | None, expected: float) -> None:
    """The newest trip lies in the future; the earliest start to deliver changes only if it does, too."""
    checkpoint = Checkpoint(is_initialized=True, since=since, newest_start=700 * DAY)
    repaired = repair(checkpoint, now=500 * DAY, lookback=14 * DAY)
    assert (repaired.since, repaired.newest_start) == (expected, None)


@pytest.mark.unmeasured
@given(
    since=st.none() | st.floats(0, 1_000 * DAY),
    newest_start=st.none() | st.floats(0, 1_000 * DAY),
    starts=st.lists(st.floats(0, 1_000 * DAY), max_size=5),
    asked_for=st.none() | st.floats(0, 1_000 * DAY),
)
def test_a_repaired_checkpoint_admits_the_trips_of_today(
    since: float | None, newest_start: float | None, starts: list[float], asked_for: float | None
) -> None:
    now, lookback = 500 * DAY, 14 * DAY
    checkpoint = Checkpoint(is_initialized=True)
    for start in starts:
        checkpoint = record_trip(checkpoint, trip_facts(start, now=2_000 * DAY), lookback=2_000 * DAY)
    checkpoint = attrs.evolve(checkpoint, since=since, newest_start=newest_start)
    repaired = repair(checkpoint, now=now, lookback=lookback, since=asked_for)
    assert repair(repaired, now=now, lookback=lookback, since=asked_for) is repaired
    assert repaired.finished == checkpoint.finished
    today = max(now + 301.0, asked_for or 0.0)
    reason, _ = admit(repaired, trip_facts(today, now=2_000 * DAY, reported_at=today), lookback=lookback)
    assert reason is not None
    if max(since or 0.0, newest_start or 0.0) <= now:
        assert repaired is checkpoint
