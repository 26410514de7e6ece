"""Watch: updates, intervals, budget, control."""

import inspect
import math
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import pytest

from stellantis_hal.client.account import Account
from stellantis_hal.fleet import (
    BudgetWarning,
    CheckpointError,
    MemoryCheckpoints,
    Recovered,
    Removed,
    Update,
    ValueChange,
    VehicleUnavailable,
    Watch,
    by_activity,
    quiet,
    watch,
)
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.navigation.context import HalDeprecationWarning, ResourceContext
from stellantis_hal.navigation.fetch_protocol import Request, Response
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.simulator import Fault, Faults, Latency, ScriptedFault, ServerFault, SubscriptionLimits
from stellantis_hal.simulator import Response as SimulatedResponse
from stellantis_hal.structuring.converter import TypedConverter, read
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from tests.fleet.fleets import EPOCH, ChangedBody, Fleet, a_fleet, trips_in, until, updates_of
from tests.support.profiles import deep, scenario

pytestmark = pytest.mark.anyio
MINUTE = timedelta(minutes=1)


# ------------------------------------------------------------------------------------------- updates


@pytest.mark.unmeasured
async def test_every_vehicle_of_every_account_is_watched() -> None:
    async with a_fleet(vehicles=7, accounts=3) as fleet, watch(fleet.accounts, every=5 * MINUTE) as updates:
        events = await updates_of(updates, 600)
        assert {event.vehicle.id for event in events if isinstance(event, Update)} == set(fleet.vehicles)
        assert updates.statistics.vehicles == 7
        assert updates.statistics.accounts == 3


async def test_an_update_has_account_vehicle_changes_and_age() -> None:
    async with a_fleet(vehicles=1, accounts=1) as fleet, watch(fleet.accounts, every=5 * MINUTE) as updates:
        await until(updates, Update, what="status")
        fleet.world.update_status(
            fleet.vehicles[0],
            battery={"createdAt": "2026-01-01T00:00:30Z", "voltage": 50},
            createdAt="2026-01-01T00:00:30Z",
        )
        await anyio.sleep(600)
        update = await until(updates, Update, what="status")
        assert update.account == "account-0000"
        assert update.vehicle.id == fleet.vehicles[0]
        assert ValueChange("battery.voltage", 91.5, 50.0) in update.changes
        assert update.status is update.resource
        assert update.status.battery.voltage == 50.0
        assert update.trip is None
        assert 0 < update.age <= (fleet.simulator.now() - EPOCH).total_seconds() - 30


@pytest.mark.unmeasured
@pytest.mark.long
async def test_unchanged_data_gives_no_update() -> None:
    async with a_fleet() as fleet, watch(fleet.accounts, every=5 * MINUTE) as updates:
        await updates_of(updates, 900)
        assert await updates_of(updates, 6 * 3_600) == []
        assert updates.statistics.unchanged > 100


async def test_repeats_reports_unchanged_snapshots() -> None:
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        async with watch(fleet.accounts, every=5 * MINUTE, what="status", repeats=True) as updates:
            events = await updates_of(updates, 3_600)
        assert len(events) >= 11
        assert len({event.id for event in events if isinstance(event, Update)}) == len(events)


async def test_an_older_snapshot_is_not_reported() -> None:
    async with (
        a_fleet(vehicles=1, accounts=1) as fleet,
        watch(fleet.accounts, every=5 * MINUTE, what=["status"]) as updates,
    ):
        await until(updates, Update)
        earlier = "2025-12-01T00:00:00Z"
        fleet.world.update_status(fleet.vehicles[0], createdAt=earlier, updatedAt=earlier)
        assert await updates_of(updates, 3_600) == []
        assert updates.statistics.older > 0


@pytest.mark.unmeasured
async def test_a_snapshot_from_the_future_does_not_block_later_ones() -> None:
    """Later snapshots are reported, also after a restart."""

    def change(body: Any) -> None:
        body["createdAt"] = body["updatedAt"] = "2036-01-01T00:00:00Z"

    store = MemoryCheckpoints()
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        fleet.simulator.script(ScriptedFault(fault=ChangedBody(change), path="/status$"))
        counts = list[int]()
        for _ in range(3):
            async with watch(fleet.accounts, every=5 * MINUTE, what="status", checkpoints=store) as updates:
                counts.append(len(await updates_of(updates, 3_600)))
            fleet.world.update_status(fleet.vehicles[0], createdAt=fleet.simulator.now().isoformat())
        assert counts == [2, 1, 1]


async def test_maintenance_and_position_can_be_watched() -> None:
    async with (
        a_fleet(vehicles=6, accounts=1) as fleet,
        watch(fleet.accounts, every=5 * MINUTE, what=("maintenance", "position")) as updates,
    ):
        events = await updates_of(updates, 900)
    assert {event.what for event in events if isinstance(event, Update)} == {"maintenance", "position"}


async def test_single_vehicles_can_be_watched() -> None:
    async with a_fleet() as fleet:
        vehicle = await fleet.accounts[0].with_options(priority="background").vehicles().first()
        assert vehicle is not None
        async with watch([vehicle, vehicle], every=5 * MINUTE) as updates:
            update = await until(updates, Update)
            assert (update.account, update.vehicle.id) == (None, vehicle.id)
            updates.poll_now(vehicle)
            await updates_of(updates, 60)
            assert updates.statistics.vehicles == 1
            assert updates.remove(vehicle)
            assert updates.statistics.vehicles == 0


async def test_single_vehicles_are_polled_soon() -> None:
    """A day's interval does not delay the first polls where the rate limit has room for all of them."""
    async with a_fleet(vehicles=6, accounts=1) as fleet:
        vehicles = await fleet.accounts[0].with_options(priority="background").vehicles().collect()
        async with watch(vehicles, every=timedelta(days=1), what="status", adapt=None) as updates:
            events = await updates_of(updates, 60)
            assert {event.vehicle.id for event in events if isinstance(event, Update)} == set(fleet.vehicles)
            polls = updates.statistics.polls
            await updates_of(updates, 24 * 3_600 + 60)
            assert 6 <= updates.statistics.polls - polls <= 12  # their second polls are spread over the day


async def test_a_vehicle_without_links_is_rejected() -> None:
    async with watch([read({"id": "a"}, Vehicle)], every=MINUTE) as updates:
        with pytest.raises(ValueError, match="without id or links"):
            await anext(updates)


@pytest.mark.unmeasured
async def test_single_vehicles_use_the_given_clock() -> None:
    moments = list[datetime]()

    def clock() -> datetime:
        return datetime(2030, 1, 1, tzinfo=UTC)

    def rhythm(moment: datetime) -> float:
        moments.append(moment)
        return 1.0

    async with a_fleet() as fleet:
        vehicles = await fleet.accounts[0].vehicles().collect()
        async with watch(vehicles, every=5 * MINUTE, rhythm=rhythm, clock=clock) as updates:
            await updates_of(updates, 600)
        assert set(moments) == {clock()}
        moments.clear()
        async with watch(vehicles, every=5 * MINUTE, rhythm=rhythm) as updates:
            await updates_of(updates, 600)
        assert moments[0].year < 2030 or moments[0] > clock()


# ------------------------------------------------------------------------------------------- intervals


@pytest.mark.unmeasured
@pytest.mark.long
async def test_each_vehicle_is_polled_at_the_interval() -> None:
    async with a_fleet(vehicles=4, accounts=1) as fleet:
        async with watch(fleet.accounts, every=10 * MINUTE, what="status", adapt=None) as updates:
            await updates_of(updates, 24 * 3_600)
        polls = fleet.simulator.statistics.by_kind["status"]
        assert 4 * 144 - 4 <= polls <= 4 * 144 + 8


@pytest.mark.unmeasured
@pytest.mark.parametrize(("adapt", "reads"), [(None, 1), (by_activity, 3)])
async def test_an_identical_body_is_structured_at_most_once_an_hour(
    adapt: Any, reads: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A status in the same bytes is structured once; with ``adapt``, once an hour."""
    caplog.set_level("DEBUG", "stellantis_hal")
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        fleet.world.update_status(next(iter(fleet.world.vehicles)).id, battery={"voltage": "unreadable"})
        async with watch(fleet.accounts, every=10 * MINUTE, what="status", adapt=adapt) as updates:
            await updates_of(updates, 3 * 3_600)
            assert updates.statistics.unchanged >= 10
    reported = [record for record in caplog.records if "voltage" in record.getMessage()]
    assert len(reported) == reads


async def test_by_activity_returns_less_for_active_vehicles() -> None:
    """Active vehicles are polled twice as often; those with an old status less often."""
    moving = read({"kinetic": {"moving": True}}, Status)
    charging = read(
        {"energies": [{"type": "Electric", "extension": {"electric": {"charging": {"status": "InProgress"}}}}]}, Status
    )
    vehicle = read({}, Vehicle)
    assert by_activity(vehicle, moving) == by_activity(vehicle, charging) == 0.5
    assert by_activity(vehicle, read({}, Status)) == 1.0
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        found = await fleet.accounts[0].vehicles().first()
        assert found is not None
        factors = list[float]()
        for days in (0.5, 2, 10):
            created = (fleet.simulator.now() - timedelta(days=days)).isoformat()
            for moves in (False, True):
                said: dict[str, Any] = {"energies": None, "kinetic": {"moving": moves}}
                fleet.world.update_status(found.id or "", createdAt=created, updatedAt=created, **said)
                status = await found.status()
                assert status is not None
                factors.append(by_activity(found, status))
        assert factors == [1.0, 0.5, 2.0, 2.0, 4.0, 4.0]


def zero(*_: object) -> float:
    return 0.0


def negative(*_: object) -> float:
    return -1.0


def infinite(*_: object) -> float:
    return float("inf")


@pytest.mark.unmeasured
@pytest.mark.long
async def test_adapt_sets_the_interval() -> None:
    async with a_fleet(vehicles=2, accounts=1) as fleet:
        first = fleet.vehicles[0]

        def factor(vehicle: Vehicle, status: Status) -> float:
            return 0.2 if vehicle.id == first else 2.0

        polls = await count_polls(fleet, hours=12, adapt=factor)
        assert polls[first] >= 8 * polls[fleet.vehicles[1]]


@pytest.mark.unmeasured
@pytest.mark.long
async def test_weight_multiplies_the_polls_of_a_vehicle() -> None:
    async with a_fleet(vehicles=2, accounts=1) as fleet:
        first = fleet.vehicles[0]

        def weight(vehicle: Vehicle) -> float:
            return 3.0 if vehicle.id == first else 1.0

        polls = await count_polls(fleet, hours=12, adapt=None, weight=weight)
        assert 2.5 <= polls[first] / polls[fleet.vehicles[1]] <= 3.5


async def test_quiet_hours_reduce_the_polls() -> None:
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        polls = await count_polls(fleet, hours=6, adapt=None, rhythm=quiet(time(0), time(6), factor=4.0))
        assert 7 <= polls[fleet.vehicles[0]] <= 12


async def count_polls(fleet: Any, *, hours: float, **options: Any) -> dict[str, int]:
    polls = dict.fromkeys(fleet.vehicles, 0)
    async with watch(fleet.accounts, every=10 * MINUTE, what="status", repeats=True, **options) as updates:
        for event in await updates_of(updates, hours * 3_600):
            assert isinstance(event, Update)
            polls[event.vehicle.id or ""] += 1
    return polls


@pytest.mark.parametrize(
    "options",
    [
        {"adapt": zero},
        {"rhythm": negative},
        {"weight": infinite},
    ],
)
async def test_an_invalid_factor_ends_the_watch(options: Any) -> None:
    async with a_fleet() as fleet, watch(fleet.accounts, every=MINUTE, **options) as updates:
        with pytest.raises(ValueError, match="must return a finite number more than 0"):
            await updates_of(updates, 600)


@pytest.mark.parametrize(
    "options",
    [
        {"every": timedelta(0)},
        {"what": ("status", "weather")},
        {"what": ()},
        {"since": datetime(2026, 1, 1)},  # noqa: DTZ001 - the point of it
        {"concurrency": 0},
        {"late": timedelta(hours=1)},
        {"buffer": 0},
    ],
)
async def test_options_out_of_bounds_are_rejected(options: Any) -> None:
    merged: dict[str, Any] = {"every": MINUTE, **options}
    with pytest.raises(ValueError, match=r"."):
        watch([], **merged)


# ------------------------------------------------------------------------------------------- the budget


async def test_a_warning_states_the_shortest_interval_that_fits() -> None:
    async with (
        a_fleet(vehicles=20, rate_limits=RateLimits(100, 1_000)) as fleet,
        watch(fleet.accounts, every=5 * MINUTE) as updates,
    ):
        with pytest.warns(BudgetWarning, match=r"that fits is 1:0[0-9]:.., every=timedelta\(seconds=[34]\d\d\d\)"):
            await updates_of(updates, 120)
        plan = updates.statistics.plan
        assert plan is not None
        assert not plan.fits
        assert plan.fitting >= timedelta(hours=1)


@pytest.mark.long
@pytest.mark.unmeasured
async def test_single_vehicles_above_the_budget_cause_a_warning() -> None:
    async with a_fleet(vehicles=20, accounts=1, rate_limits=RateLimits(100, 1_000)) as fleet:
        *vehicles, last = await fleet.accounts[0].vehicles().collect()
        async with watch(vehicles, every=40 * MINUTE, what="status") as updates:
            await updates_of(updates, 3_600)
            assert updates.statistics.plan is not None
            assert updates.statistics.plan.fits
        async with watch(vehicles, every=31 * MINUTE, what="status") as updates:
            await updates_of(updates, 3_600)
            updates.add(last)
            with pytest.warns(BudgetWarning, match="20 vehicles .* that fits is 0:32:00"):
                await updates_of(updates, 3_600)


@pytest.mark.unmeasured
@pytest.mark.parametrize("trips", [1_000, deep(4_000)])
@pytest.mark.long
async def test_a_long_first_poll_does_not_raise_the_average_cost(trips: int) -> None:
    limits, long_ago = RateLimits(None, 2_000), EPOCH - timedelta(days=3_650)
    options: dict[str, Any] = {"what": "trips", "since": long_ago, "budget": limits, "adapt": None, "buffer": 10_000}
    async with (
        a_fleet(vehicles=4, accounts=1, trips=trips) as fleet,
        watch(fleet.accounts, every=5 * MINUTE, relist=timedelta(hours=1), **options) as updates,
    ):
        assert len(await updates_of(updates, 6 * 3_600)) == trips
        assert updates.statistics.plan is not None
        assert updates.statistics.plan.cost == 1.0


@pytest.mark.unmeasured
@pytest.mark.warnings_as_errors
async def test_no_watch_ends_by_a_warning_that_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged with the level ERROR instead."""
    async with (
        a_fleet(vehicles=20, rate_limits=RateLimits(100, 1_000)) as fleet,
        watch(fleet.accounts, every=5 * MINUTE) as updates,
    ):
        await updates_of(updates, 600)
        polls = updates.statistics.polls
        assert await updates_of(updates, 3_600)
        assert updates.statistics.polls > polls
    assert [record.levelname for record in caplog.records if "shortest interval" in record.message] == ["ERROR"]


@pytest.mark.unmeasured
async def test_the_budget_warning_points_at_the_program() -> None:
    async with a_fleet(vehicles=20, rate_limits=RateLimits(100, 1_000)) as fleet:
        updates = watch(fleet.accounts, every=5 * MINUTE)
        line = inspect.stack()[0].lineno - 1
        with pytest.warns(BudgetWarning) as caught:
            async with updates:
                await updates_of(updates, 600)
    assert [(warning.filename, warning.lineno) for warning in caught] == [(__file__, line)]


class Sunset(Fault):
    """Every response says that its resource will go."""

    def alter(self, response: SimulatedResponse) -> SimulatedResponse:
        return response.with_headers(("Sunset", "Sun, 01 Mar 2026 00:00:00 GMT"))


@pytest.mark.unmeasured
@pytest.mark.warnings_as_errors
async def test_no_watch_ends_by_a_deprecation_that_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    faults = Faults(script=[ScriptedFault(fault=Sunset(), path="/user", times=1_000_000)])
    async with (
        a_fleet(vehicles=3, accounts=1, faults=faults) as fleet,
        watch(fleet.accounts, every=5 * MINUTE) as updates,
    ):
        assert {event.vehicle.id for event in await updates_of(updates, 600) if isinstance(event, Update)} == set(
            fleet.vehicles
        )
        assert not updates.statistics.errors
    assert "ERROR" in {record.levelname for record in caplog.records if "stops responding" in record.message}


@pytest.mark.unmeasured
async def test_a_deprecation_in_a_watch_points_at_the_program() -> None:
    """The request is made by a task of the library."""
    faults = Faults(script=[ScriptedFault(fault=Sunset(), path="/user", times=1_000_000)])
    async with a_fleet(vehicles=3, accounts=1, faults=faults) as fleet:
        with pytest.warns(HalDeprecationWarning) as caught:
            async with watch(fleet.accounts, every=5 * MINUTE) as updates:
                await updates_of(updates, 600)
    assert {warning.filename for warning in caught} == {__file__}


@pytest.mark.unmeasured
@pytest.mark.filterwarnings("ignore::stellantis_hal.fleet.watching.watch.BudgetWarning")
@pytest.mark.parametrize(("vehicles", "per_day"), [(3, 400), deep(12, 1_500)])
@pytest.mark.long
async def test_the_budget_is_used_kept_and_shared_evenly(vehicles: int, per_day: int) -> None:
    """At least 95 % of the budget is used, nothing is refused, and no vehicle starves."""
    limits = SubscriptionLimits(per_second=5, per_day=per_day)
    async with a_fleet(vehicles=vehicles, accounts=3, limits=limits, rate_limits=RateLimits(5, per_day)) as fleet:
        async with watch(fleet.accounts, every=MINUTE, what="status", repeats=True) as updates:
            events = await updates_of(updates, 24 * 3_600)
        statistics = fleet.simulator.statistics
        assert statistics.refused == 0
        assert 0.9 * 0.95 * per_day <= statistics.requests - statistics.renewals <= 0.9 * per_day + 2
        polls = [
            sum(isinstance(event, Update) and event.vehicle.id == vehicle for event in events)
            for vehicle in fleet.vehicles
        ]
        assert min(polls) >= 0.5 * max(polls)


@pytest.mark.unmeasured
@pytest.mark.long
async def test_no_interval_uses_the_whole_limit_of_a_second() -> None:
    limits = SubscriptionLimits(per_second=10, per_day=1_000_000)
    async with a_fleet(vehicles=6, accounts=1, limits=limits, rate_limits=RateLimits(10, 1_000_000)) as fleet:
        async with watch(fleet.accounts, every=None, what="status", repeats=True, adapt=None) as updates:
            await updates_of(updates, 100)
        statistics = fleet.simulator.statistics
        assert statistics.refused == 0
        assert 850 <= statistics.by_kind["status"] <= 910


@pytest.mark.unmeasured
@pytest.mark.long
async def test_a_budget_option_limits_the_watch() -> None:
    async with a_fleet(vehicles=6, accounts=1) as fleet:
        async with watch(
            fleet.accounts, every=None, what="status", repeats=True, budget=RateLimits(None, 1_200)
        ) as updates:
            await updates_of(updates, 6 * 3_600)
        assert 250 <= fleet.simulator.statistics.by_kind["status"] <= 330


# ------------------------------------------------------------------------------------------- control


@pytest.mark.unmeasured
async def test_pause_stops_polls_and_resume_continues_them() -> None:
    async with a_fleet() as fleet, watch(fleet.accounts, every=5 * MINUTE) as updates:
        await updates_of(updates, 900)
        updates.pause()
        await updates_of(updates, 60)
        before = updates.statistics.polls
        await updates_of(updates, 3_600)
        assert updates.statistics.polls == before
        assert updates.statistics.paused
        updates.resume()
        await updates_of(updates, 600)
        assert before + 4 <= updates.statistics.polls <= before + 12


@pytest.mark.unmeasured
async def test_accounts_can_be_added_and_removed() -> None:
    async with a_fleet(vehicles=4, accounts=2) as fleet, watch(fleet.accounts[:1], every=5 * MINUTE) as updates:
        await updates_of(updates, 600)
        assert updates.statistics.vehicles == 2
        updates.add(fleet.accounts[1])
        updates.add(fleet.accounts[1])
        assert len(await updates_of(updates, 600)) == 2
        assert updates.statistics.vehicles == 4
        assert updates.remove(fleet.accounts[0])
        assert not updates.remove("account-0000")
        assert not updates.remove(read({}, Vehicle))
        assert updates.remove("account-0001")
        before = updates.statistics.polls
        await updates_of(updates, 3_600)
        assert updates.statistics.polls == before


@pytest.mark.unmeasured
async def test_a_listing_does_not_add_a_removed_vehicle() -> None:
    async with (
        a_fleet(vehicles=2, accounts=1) as fleet,
        watch(fleet.accounts, every=5 * MINUTE, relist=timedelta(hours=1)) as updates,
    ):
        await updates_of(updates, 600)
        assert updates.remove(fleet.vehicles[0])
        await updates_of(updates, 3 * 3_600)
        assert updates.statistics.vehicles == 1


async def test_a_vehicle_removed_during_a_poll_is_not_polled_again() -> None:
    async with a_fleet(vehicles=1, accounts=1) as fleet, watch(fleet.accounts, every=5 * MINUTE, buffer=1) as updates:
        update = await until(updates, Update)
        updates.poll_now(update.vehicle)
        assert updates.remove(update.vehicle)
        await updates_of(updates, 3_600)
        assert updates.statistics.vehicles == 0
        with pytest.raises(KeyError):
            updates.poll_now(update.vehicle)


async def remove_and_add_again(fleet: Fleet, updates: Watch) -> None:
    """Remove the vehicle and add it again as a single one, while its updates wait in the buffer."""
    vehicle = await fleet.accounts[0].vehicles().first()
    assert vehicle is not None
    await anyio.sleep(3_600)
    assert updates.remove(vehicle)
    updates.add(vehicle)
    await anyio.sleep(3_600)


@pytest.mark.long
@pytest.mark.parametrize("buffer", [1, 256])
async def test_a_vehicle_added_again_repeats_no_buffered_update(buffer: int) -> None:
    async with (
        a_fleet(vehicles=1, accounts=1) as fleet,
        watch(fleet.accounts, every=5 * MINUTE, since=EPOCH - timedelta(days=1_000), buffer=buffer) as updates,
    ):
        await remove_and_add_again(fleet, updates)
        events = await updates_of(updates, 3_600)
        ids = [event.id for event in events if isinstance(event, Update)]
        assert len(ids) == len(set(ids)) == 41
        assert trips_in(events) == fleet.world.trip_ids(fleet.vehicles[0])


@pytest.mark.unmeasured
async def test_a_vehicle_added_again_repeats_no_buffered_status() -> None:
    async with a_fleet(vehicles=1, accounts=1) as fleet, watch(fleet.accounts, every=5 * MINUTE) as updates:
        await remove_and_add_again(fleet, updates)
        assert [event.what for event in await updates_of(updates, 3_600) if isinstance(event, Update)] == ["status"]
        trip = fleet.world.add_trip(fleet.vehicles[0])
        assert trips_in(await updates_of(updates, 3_600)) == [trip.id]


@pytest.mark.unmeasured
async def test_a_replaced_account_repeats_no_buffered_update() -> None:
    async with (
        a_fleet(vehicles=1, accounts=1) as fleet,
        watch(fleet.accounts, every=5 * MINUTE, since=EPOCH - timedelta(days=1_000)) as updates,
    ):
        key = fleet.world.accounts[0].key
        await anyio.sleep(3_600)
        await fleet.lose_consent(key)
        await anyio.sleep(3_600)
        updates.add(fleet.account(key))
        await anyio.sleep(3_600)
        events = await updates_of(updates, 3_600)
        ids = [event.id for event in events if isinstance(event, Update)]
        assert len(ids) == len(set(ids)) == 41


async def test_an_account_removed_during_its_listing_adds_nothing() -> None:
    async with a_fleet() as fleet, watch([], every=5 * MINUTE) as updates:
        updates.add(fleet.accounts[0])
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
        assert updates.remove(fleet.accounts[0])
        await updates_of(updates, 600)
        assert updates.statistics.vehicles == 0


@pytest.mark.unmeasured
@pytest.mark.long
async def test_a_source_may_add_and_remove_accounts() -> None:
    async with a_fleet(vehicles=4, accounts=2) as fleet:

        async def source() -> AsyncIterator[Account | Vehicle | Removed]:
            yield fleet.accounts[0]
            await anyio.sleep(3_600)
            yield fleet.accounts[1]
            await anyio.sleep(3_600)
            yield Removed("account-0000")
            await anyio.sleep(3_600)
            yield Removed(fleet.accounts[1])

        async with watch(source(), every=5 * MINUTE) as updates:
            counts = list[int]()
            for _ in range(4):
                await updates_of(updates, 3_000)
                counts.append(updates.statistics.vehicles)
                await updates_of(updates, 600)
        assert counts == [2, 4, 2, 0]


async def test_a_source_is_closed_where_an_item_is_rejected() -> None:
    closed = list[bool]()
    async with a_fleet(vehicles=2, accounts=2) as fleet:

        async def source() -> AsyncIterator[Account]:
            try:
                yield fleet.accounts[0]
                yield fleet.account(fleet.accounts[0].key)
                yield fleet.accounts[1]
            finally:
                await anyio.sleep(1)
                closed.append(True)

        async with watch(source(), every=5 * MINUTE) as updates:
            with pytest.raises(ValueError, match="a key of its own"):
                await updates_of(updates, 600)
        assert closed == [True]


async def test_a_source_may_be_a_stream_that_its_owner_closes() -> None:
    send, receive = anyio.create_memory_object_stream[Account](1)
    async with a_fleet(vehicles=1, accounts=1) as fleet, send, receive, watch(receive, every=5 * MINUTE) as updates:
        await send.send(fleet.accounts[0])
        assert (await until(updates, Update)).account == "account-0000"


@pytest.mark.unmeasured
@pytest.mark.long
async def test_a_listing_adds_and_removes_vehicles() -> None:
    async with a_fleet(vehicles=2, accounts=1) as fleet:
        made = fleet.world.generator
        async with watch(fleet.accounts, every=5 * MINUTE, relist=timedelta(hours=1)) as updates:
            await updates_of(updates, 600)
            made.vehicles = 3
            await updates_of(updates, 2 * 3_600)
            assert updates.statistics.vehicles == 3
            made.vehicles = 1
            await updates_of(updates, 2 * 3_600)
            assert updates.statistics.vehicles == 1


async def test_an_error_of_the_source_is_raised_unchanged() -> None:
    def source() -> Iterator[Account]:
        yield from ()
        raise KeyError("no database")

    with pytest.raises(KeyError, match="no database"):
        async with watch(source(), every=MINUTE) as updates:
            await anext(updates)


async def test_a_consumer_that_is_always_behind_receives_an_error() -> None:
    """Polling stops, the buffer is delivered, then the error is raised."""

    class Unreadable(MemoryCheckpoints):
        async def load(self, key: str) -> bytes | None:
            if key.endswith(broken):
                raise CheckpointError("no such disk")
            return await super().load(key)

    async def take_slowly(updates: Watch) -> None:
        for _ in range(20):
            await anext(updates)
            await anyio.sleep(90)  # slower than updates are produced

    async with a_fleet(vehicles=6, accounts=1) as fleet:
        broken = fleet.vehicles[0]
        options: dict[str, Any] = {"what": "status", "repeats": True, "checkpoints": Unreadable(), "buffer": 4}
        async with watch(fleet.accounts, every=5 * MINUTE, **options) as updates:
            with pytest.raises(CheckpointError, match="no such disk"):
                await take_slowly(updates)
        assert fleet.simulator.statistics.requests <= 30


async def test_an_error_of_the_block_is_raised_unchanged() -> None:
    async def run() -> None:
        async with a_fleet() as fleet, watch(fleet.accounts, every=MINUTE) as updates:
            await anext(updates)
            raise KeyError("in the block")

    with pytest.raises(KeyError, match="in the block"):
        await run()


async def test_accounts_of_two_clients_are_rejected() -> None:
    async with (
        a_fleet() as fleet,
        a_fleet() as other,
        watch([*fleet.accounts, *other.accounts], every=MINUTE) as updates,
    ):
        with pytest.raises(ValueError, match="another client"):
            await updates_of(updates, 600)


async def test_two_accounts_with_one_key_are_rejected() -> None:
    async with a_fleet() as fleet, watch(fleet.accounts, every=MINUTE) as updates:
        await anext(updates)
        with pytest.raises(ValueError, match="a key of its own"):
            updates.add(fleet.account("account-0000"))


@pytest.mark.unmeasured
async def test_poll_now_ignores_interval_and_pause() -> None:
    async with a_fleet() as fleet, watch(fleet.accounts, every=timedelta(hours=12), what="status") as updates:
        await updates_of(updates, 24 * 3_600)
        updates.pause()
        fleet.world.update_status(fleet.vehicles[2], battery={"voltage": 12}, createdAt="2026-01-02T00:00:00Z")
        updates.poll_now(fleet.vehicles[2], fleet.vehicles[2])
        update = await until(updates, Update, within=5)
        assert update.vehicle.id == fleet.vehicles[2]


@pytest.mark.long
@pytest.mark.unmeasured
async def test_poll_now_uses_the_interactive_share() -> None:
    async with (
        a_fleet(rate_limits=RateLimits(100, 20)) as fleet,
        watch(fleet.accounts, every=timedelta(hours=12), what="status") as updates,
    ):
        await updates_of(updates, 23 * 3_600)  # within two rounds, and between two polls
        while fleet.client.limiter.statistics.free_today != 2:
            await fleet.accounts[0].get(fleet.simulator.url + "/user")
        updates.poll_now(fleet.vehicles[2])
        before = updates.statistics.polls
        await updates_of(updates, 5)
        assert updates.statistics.polls == before + 1
        assert fleet.client.limiter.statistics.free_today == 1


@pytest.mark.unmeasured
async def test_poll_now_comes_after_a_poll_that_waits_for_the_buffer() -> None:
    async with a_fleet(vehicles=1, accounts=1) as fleet, watch(fleet.accounts, every=5 * MINUTE, buffer=1) as updates:
        await anyio.sleep(600)
        updates.poll_now(fleet.vehicles[0])
        fleet.world.add_trip(fleet.vehicles[0])
        events = await updates_of(updates, 30)
        assert trips_in(events) == [fleet.world.trip_ids(fleet.vehicles[0])[-1]]


async def until_polled(updates: Watch) -> None:
    """Wait until a vehicle is being polled."""
    while not updates.statistics.vehicles or not updates.statistics.running:  # noqa: ASYNC110 - there is no event to wait for
        await anyio.sleep(1)


async def test_poll_now_during_a_poll_polls_once_more_after_it() -> None:
    async with (
        a_fleet(vehicles=1, accounts=1, faults=Faults(latency=Latency(20.0))) as fleet,
        watch(fleet.accounts, every=timedelta(hours=10), what="status") as updates,
    ):
        await until_polled(updates)
        updates.poll_now(fleet.vehicles[0])
        await updates_of(updates, 100)
        assert updates.statistics.polls == 3
        assert fleet.simulator.statistics.by_kind["status"] == 2


@pytest.mark.unmeasured
async def test_an_error_of_adapt_in_poll_now_ends_the_watch() -> None:
    failing = False

    def factor(vehicle: Vehicle, status: Status) -> float:
        if failing:
            raise KeyError("in adapt")
        return 1.0

    async with (
        a_fleet(vehicles=1, accounts=1) as fleet,
        watch(fleet.accounts, every=5 * MINUTE, adapt=factor) as updates,
    ):
        await updates_of(updates, 600)
        failing = True
        fleet.world.update_status(fleet.vehicles[0], battery={"voltage": 11.5})
        updates.poll_now(fleet.vehicles[0])
        with pytest.raises(KeyError, match="in adapt"):
            await anext(updates)


async def test_stop_waits_for_a_poll_in_progress() -> None:
    async with (
        a_fleet(vehicles=1, accounts=1, faults=Faults(latency=Latency(4.0))) as fleet,
        watch(fleet.accounts, every=5 * MINUTE, what="status") as updates,
    ):
        await until_polled(updates)
        updates.stop()
        assert len([event async for event in updates]) == 1


async def test_a_watch_without_anything_to_watch_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async with a_fleet() as fleet:
        async with watch([], every=MINUTE) as updates:
            updates.add(fleet.accounts[0])
            await updates_of(updates, 60)
        assert caplog.messages == []
        async with watch([], every=MINUTE) as updates:
            await updates_of(updates, 60)
    assert caplog.messages == [
        "the source of the watch has ended, and nothing is watched: it waits for add() or stop()"
    ]


async def test_poll_now_of_an_unwatched_vehicle_raises_key_error() -> None:
    async with watch([], every=MINUTE) as updates:
        with pytest.raises(KeyError):
            updates.poll_now("unknown")
        with pytest.raises(KeyError):
            updates.poll_now(read({}, Vehicle))


# ------------------------------------------------------------------------------------------- the end of the stream


@pytest.mark.unmeasured
async def test_stop_delivers_the_buffer_and_ends_the_stream() -> None:
    async with a_fleet(vehicles=8) as fleet, watch(fleet.accounts, every=5 * MINUTE) as updates:
        await anyio.sleep(900)
        updates.stop()
        events = [event async for event in updates]
        assert len(events) == updates.statistics.acknowledged == 8


async def test_stop_is_bounded_while_the_buffer_is_full() -> None:
    async with a_fleet(vehicles=8) as fleet, watch(fleet.accounts, every=5 * MINUTE, buffer=1) as updates:
        await anyio.sleep(900)
        updates.stop(within=20)
        await anyio.sleep(30)
        with anyio.fail_after(1):
            assert len([event async for event in updates]) >= 1


async def test_an_ended_watch_rejects_add_and_poll_now() -> None:
    """Calling ``stop`` again does nothing."""
    async with a_fleet(vehicles=2, accounts=2) as fleet:
        async with watch(fleet.accounts[:1], every=5 * MINUTE) as updates:
            await until(updates, Update)
            updates.stop()
            updates.stop()
            await expect_ended(updates, fleet)
            assert [event async for event in updates] == []
        updates.stop()
        async with watch(fleet.accounts[:1], every=5 * MINUTE) as updates:
            await until(updates, Update)
        updates.stop()
        await expect_ended(updates, fleet)


async def expect_ended(updates: Watch, fleet: Fleet) -> None:
    with pytest.raises(RuntimeError, match="has ended"):
        updates.poll_now(fleet.vehicles[0])
    with pytest.raises(RuntimeError, match="has ended"):
        updates.add(fleet.accounts[1])


async def test_a_source_may_continue_after_stop() -> None:
    async with a_fleet(vehicles=2, accounts=2) as fleet:

        async def source() -> AsyncIterator[Account]:
            yield fleet.accounts[0]
            await anyio.sleep(600)
            yield fleet.accounts[1]

        async with watch(source(), every=5 * MINUTE, buffer=1, what="status") as updates:
            await anyio.sleep(599)
            updates.stop()
            await anyio.sleep(10)
            assert len([event async for event in updates]) == 1


async def test_a_watch_can_be_stopped_before_it_starts() -> None:
    updates = watch([], every=MINUTE)
    updates.stop()
    async with updates:
        with pytest.raises(StopAsyncIteration):
            await anext(updates)


async def test_a_watch_is_used_inside_its_block_and_entered_once() -> None:
    updates = watch([], every=MINUTE)
    with pytest.raises(RuntimeError, match="was not entered: use `async with watch"):
        await anext(updates)
    async with updates:
        with pytest.raises(RuntimeError, match="entered before: make a new one"):
            await updates.__aenter__()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anext, updates)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(RuntimeError, match="another task waits for the next event"):
                await anext(updates)
            tasks.cancel_scope.cancel()
    with pytest.raises(RuntimeError, match="ended with its block: take events inside"):
        await anext(updates)


async def test_leaving_the_block_cancels_polls_and_releases_slots() -> None:
    async with a_fleet(faults=Faults(latency=Latency(60.0))) as fleet:
        with anyio.fail_after(300):
            async with watch(fleet.accounts, every=5 * MINUTE) as updates:
                await anyio.sleep(200)
                assert updates.statistics.running > 0
        assert fleet.client.limiter.statistics.in_flight == 0
        assert fleet.client.limiter.statistics.waiting == 0


async def test_a_slow_consumer_slows_down_the_polls() -> None:
    """Neither the buffer nor the polls in progress exceed their bounds."""
    async with (
        a_fleet(vehicles=30, accounts=1) as fleet,
        watch(fleet.accounts, every=MINUTE, what="status", repeats=True, buffer=4, concurrency=3) as updates,
    ):
        taken = 0
        async for _ in updates:
            taken += 1
            await anyio.sleep(600)
            assert updates.statistics.waiting <= 4
            assert updates.statistics.running <= 3
            if taken == 20:
                break
        assert updates.statistics.polls <= 20 + 4 + 3 + 1


@pytest.mark.long
@pytest.mark.unmeasured
async def test_statistics_are_frozen_counters_and_state() -> None:
    async with a_fleet(vehicles=4) as fleet, watch(fleet.accounts, every=5 * MINUTE) as updates:
        assert updates.statistics.lateness_p99 == 0.0
        await updates_of(updates, 3_600)
        statistics = updates.statistics
        with pytest.raises(AttributeError):
            statistics.polls = 0  # type: ignore[misc]  # the point of it
        assert statistics.polls > 40
        assert statistics.requests >= 2 * statistics.polls - 10
        assert statistics.delivered == statistics.updates == 4
        assert statistics.acknowledged == 4
        assert (statistics.waiting, statistics.running, statistics.unavailable, statistics.errors) == (0, 0, 0, {})
        assert statistics.outage is None
        assert statistics.budget.per_second == 90
        assert statistics.budget.per_day == 90_000
        assert statistics.lateness <= statistics.lateness_p99 <= statistics.lateness_most
        assert statistics.plan is not None
        assert statistics.plan.fits


@pytest.mark.unmeasured
async def test_the_given_checkpoint_store_is_used() -> None:
    store = MemoryCheckpoints()
    async with (
        a_fleet(vehicles=1, accounts=1) as fleet,
        watch(fleet.accounts, every=5 * MINUTE, checkpoints=store) as updates,
    ):
        await updates_of(updates, 600)
    assert await store.load(f"watch/{fleet.vehicles[0]}") is not None


@pytest.mark.unmeasured
@pytest.mark.long
async def test_a_vehicle_without_data_backs_off_and_recovers() -> None:
    async with a_fleet(vehicles=2, accounts=1) as fleet:
        fleet.world.hide_status(fleet.vehicles[0])
        async with watch(fleet.accounts, every=5 * MINUTE, what="status", adapt=None) as updates:
            event = await until(updates, VehicleUnavailable)
            assert (event.vehicle.id, event.what, event.error) == (fleet.vehicles[0], "status", None)
            before = fleet.simulator.statistics.by_kind
            await updates_of(updates, 12 * 3_600)
            polls = fleet.simulator.statistics.by_status[404]
            assert polls <= 9, before
            fleet.world.show_status(fleet.vehicles[0])
            recovered = await until(updates, Recovered, within=24 * 3_600)
            assert (recovered.vehicle.id, recovered.what) == (fleet.vehicles[0], "status")
            assert recovered.after > 12 * 3_600


@pytest.mark.long
@pytest.mark.parametrize(("seconds", "least"), [(60, 30), scenario(600, 350)])
async def test_concurrency_bounds_the_polls_at_a_time(seconds: int, least: int) -> None:
    faults = Faults(latency=Latency(3.0))
    async with (
        a_fleet(vehicles=12, accounts=1, faults=faults) as fleet,
        watch(fleet.accounts, every=timedelta(seconds=15), what="status", repeats=True, concurrency=2) as updates,
    ):
        events = await updates_of(updates, seconds)
        assert {event.vehicle.id for event in events if isinstance(event, Update)} == set(fleet.vehicles)
        assert len(events) > least
        assert fleet.simulator.statistics.peak == 2


async def test_an_added_empty_block_is_no_update() -> None:
    async with (
        a_fleet(vehicles=1, accounts=1) as fleet,
        watch(fleet.accounts, every=MINUTE, what="status") as updates,
    ):
        await until(updates, Update, what="status")
        fleet.world.update_status(fleet.vehicles[0], mood=[])
        assert await updates_of(updates, 600) == []
        assert updates.statistics.unchanged > 5


@pytest.mark.unmeasured
async def test_single_vehicles_are_polled_within_the_budget() -> None:
    """Their polls have background priority."""
    async with a_fleet(vehicles=2, accounts=1, rate_limits=RateLimits(50, 100)) as fleet:
        vehicles = await fleet.accounts[0].vehicles().collect()
        async with watch(vehicles, every=None, what="status") as updates:
            await updates_of(updates, 6 * 3_600)
            assert updates.statistics.budget.per_day == 90
        assert fleet.client.limiter.statistics.free_today is not None
        assert fleet.client.limiter.statistics.free_today >= 10
        spend = RateLimits(1, 10)
        async with watch(vehicles, every=None, what="status", budget=spend) as updates:
            assert (updates.statistics.budget.per_second, updates.statistics.budget.per_day) == (math.inf, math.inf)
            await updates_of(updates, 60)
            assert (updates.statistics.budget.per_second, updates.statistics.budget.per_day) == (1, 10)


async def test_vehicles_of_two_clients_are_rejected() -> None:
    async with a_fleet(vehicles=1, accounts=1) as fleet, a_fleet(vehicles=1, accounts=1) as other:
        [mine] = await fleet.accounts[0].vehicles().collect()
        [others] = await other.accounts[0].vehicles().collect()
        others = attrs.evolve(others, id="another")
        sources: list[list[Account | Vehicle]] = [[mine, others], [mine, other.accounts[0]]]
        for source in sources:
            async with watch(source, every=MINUTE) as updates:
                with pytest.raises(ValueError, match="another client"):
                    await anext(updates)


async def test_a_vehicle_with_its_own_fetch_has_no_budget() -> None:
    async def fetch(request: Request, /) -> Response:
        content = b'{"createdAt":"2026-01-01T00:00:00Z","odometer":{"mileage":1}}'
        return Response(url=request.url, status=200, headers=Headers({}), content=content, received_at=EPOCH)

    body = b'{"id":"v","_links":{"status":{"href":"/status"},"trips":{"href":"/trips"}}}'
    answer = Response(url="https://a.example/v", status=200, headers=Headers({}), content=body, received_at=EPOCH)
    vehicle = TypedConverter().structure(HalResource.of(answer, ResourceContext(fetch=fetch)), Vehicle)
    async with watch([vehicle], every=MINUTE) as updates:
        assert (await until(updates, Update)).vehicle == vehicle
        updates.poll_now(vehicle)
        await updates_of(updates, 5)
        assert updates.statistics.budget.per_day == math.inf


@pytest.mark.long
async def test_an_empty_listing_is_believed_after_several() -> None:
    async with (
        a_fleet(vehicles=2, accounts=1) as fleet,
        watch(fleet.accounts, every=5 * MINUTE, relist=timedelta(hours=1), what="status") as updates,
    ):
        await updates_of(updates, 900)
        fleet.simulator.script(ScriptedFault(fault=ServerFault(404, 40400), path="/user/vehicles", times=1))
        await updates_of(updates, 2 * 3_600)
        assert updates.statistics.vehicles == 2
        fleet.simulator.script(ScriptedFault(fault=ServerFault(404, 40400), path="/user/vehicles", times=50))
        await updates_of(updates, 4 * 3_600)
        assert updates.statistics.vehicles == 0


@pytest.mark.parametrize("options", [{"relist": timedelta()}, {"relist": -MINUTE}, {"max_wait": -MINUTE}])
def test_invalid_time_spans_are_rejected(options: Any) -> None:
    [option] = options
    with pytest.raises(ValueError, match=f"{option} must be"):
        watch([], every=MINUTE, **options)


@pytest.mark.parametrize("value", [float("nan"), 8.0, "8"])
def test_numbers_of_polls_and_events_are_whole(value: Any) -> None:
    for option in ("concurrency", "buffer"):
        with pytest.raises(TypeError, match="must be int"):
            watch([], every=MINUTE, **{option: value})


def test_a_stop_without_a_bound_is_refused() -> None:
    updates, wrong = watch([], every=MINUTE), "5"
    with pytest.raises(ValueError, match="not NaN, which would wait without a bound"):
        updates.stop(within=float("nan"))
    with pytest.raises(TypeError, match="within must be int or float"):
        updates.stop(within=wrong)  # type: ignore[arg-type]
