"""Backfill: all trips of a fleet, resumable."""

import inspect
import itertools
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import anyio
import pytest

from stellantis_hal import HalClient, Rel
from stellantis_hal.client.account import Account
from stellantis_hal.errors import BudgetExhaustedError, ClosedClientError, ForbiddenError, ServerError
from stellantis_hal.fleet import (
    AccountLost,
    MemoryCheckpoints,
    Progress,
    Update,
    VehicleUnavailable,
    backfill,
)
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.simulator import (
    BackendVariant,
    Faults,
    FaultWindow,
    ScriptedFault,
    ServerFault,
    SubscriptionLimits,
    World,
)
from stellantis_hal.structuring.converter import read
from stellantis_hal.transport.credentials import Anonymous
from stellantis_hal.transport.rate_limit.limiter import TokenBucketLimiter
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.retry import RetryPolicy
from tests.fleet.fleets import (
    EPOCH,
    ChangedBody,
    Fleet,
    a_fleet,
    a_fleet_newest_first,
    trips_in,
    updates_of,
    without_instants,
)
from tests.support.profiles import deep

pytestmark = pytest.mark.anyio
ONCE = RetryPolicy(attempts=1)


def by_vehicle(events: list[Any]) -> dict[str, list[str | None]]:
    found = dict[str, list[str | None]]()
    for event in events:
        found.setdefault(event.vehicle.id, []).append(event.trip.id)
    return found


def all_trips(fleet: Fleet) -> dict[str, list[str]]:
    return {vehicle: fleet.world.trip_ids(vehicle) for vehicle in fleet.vehicles}


@pytest.mark.unmeasured
@pytest.mark.parametrize("pages", [1, 4])
@pytest.mark.long
async def test_every_trip_is_delivered_once_and_in_order(pages: int) -> None:
    async with a_fleet(vehicles=5, accounts=2, trips=900) as fleet:
        async with backfill(fleet.accounts, pages=pages, clock=fleet.simulator.now) as trips:
            events = [event async for event in trips]
        assert by_vehicle(events) == all_trips(fleet)


@pytest.mark.long
@pytest.mark.unmeasured
async def test_every_generation_of_back_ends_is_read_in_order() -> None:
    for variant in (BackendVariant(newest_first=True), BackendVariant(pages_by_range=True)):
        async with (
            a_fleet(vehicles=2, accounts=1, trips=300, variant=variant) as fleet,
            backfill(fleet.accounts, clock=fleet.simulator.now) as trips,
        ):
            assert by_vehicle([event async for event in trips]) == all_trips(fleet)


@pytest.mark.long
@pytest.mark.parametrize("left", [0, 1])
async def test_an_order_not_shown_by_the_first_page_is_detected(left: int) -> None:
    async with (
        a_fleet_newest_first(left) as fleet,
        backfill(fleet.accounts, clock=fleet.simulator.now) as trips,
    ):
        *older, newest = fleet.world.trip_ids(fleet.vehicles[0])
        assert trips_in([event async for event in trips]) == older[:240] + [newest] * left


@pytest.mark.long
async def test_a_trip_without_timestamps_costs_no_other_trip() -> None:
    async with a_fleet(vehicles=1, accounts=1, trips=300) as fleet:
        ids = fleet.world.trip_ids(fleet.vehicles[0])
        bare = ChangedBody(without_instants(ids[70]))
        fleet.simulator.script(ScriptedFault(fault=bare, path="/trips$", times=100))
        async with backfill(fleet.accounts, clock=fleet.simulator.now) as trips:
            found = trips_in([event async for event in trips])
        assert [id_ for id_ in found if id_ != ids[70]] == ids[:70] + ids[71:]
        assert found.count(ids[70]) == 1


@pytest.mark.unmeasured
async def test_since_and_until_bound_the_trips() -> None:
    since, until = EPOCH - timedelta(days=20), EPOCH - timedelta(days=5)
    async with a_fleet(vehicles=2, accounts=1, trips=300) as fleet:
        async with backfill(fleet.accounts, since=since, until=until, clock=fleet.simulator.now) as trips:
            found = by_vehicle([event async for event in trips])
        assert found == {
            vehicle: [trip.id for trip in fleet.world.trips(vehicle) if since <= trip.started_at <= until]
            for vehicle in fleet.vehicles
        }


@pytest.mark.long
@pytest.mark.unmeasured
async def test_it_can_be_left_and_resumed_anywhere() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=3, accounts=1, trips=300) as fleet:
        events, left = list[Any](), 0
        while True:
            async with backfill(fleet.accounts, checkpoints=store, clock=fleet.simulator.now) as trips:
                before = len(events)
                async for event in trips:
                    events.append(event)
                    if len(events) - before == 37 + left:
                        left += 1
                        break
                else:
                    break
        assert left >= 5
        assert by_vehicle(events) == all_trips(fleet)


@pytest.mark.unmeasured
async def test_after_a_crash_only_the_last_update_is_repeated() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=2, accounts=1, trips=200) as fleet:
        ids = list[str]()

        async def run() -> None:
            async with backfill(fleet.accounts, checkpoints=store, clock=fleet.simulator.now) as trips:
                async for event in trips:
                    assert isinstance(event, Update)
                    ids.append(event.id)
                    if len(ids) == 90:
                        raise KeyError("crashed")

        with pytest.raises(KeyError):
            await run()
        async with backfill(fleet.accounts, checkpoints=store, clock=fleet.simulator.now) as trips:
            ids += [event.id async for event in trips if isinstance(event, Update)]
        assert len(ids) == 201
        assert len(set(ids)) == 200
        assert ids.count(ids[89]) == 2


@pytest.mark.long
@pytest.mark.unmeasured
async def test_a_complete_history_costs_no_request_for_trips() -> None:
    store = MemoryCheckpoints()
    events = list[Any]()
    async with a_fleet(vehicles=3, accounts=1, trips=300) as fleet:
        for _ in range(2):
            async with backfill(fleet.accounts, checkpoints=store, clock=fleet.simulator.now) as trips:
                events = [event async for event in trips]
        before = fleet.simulator.statistics.by_kind["trips"]
        assert events == []
        async with backfill(fleet.accounts, checkpoints=store, clock=fleet.simulator.now) as trips:
            assert [event async for event in trips] == []
        assert fleet.simulator.statistics.by_kind["trips"] == before


async def test_complete_histories_that_are_not_read_are_told(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryCheckpoints()
    caplog.set_level("INFO")
    async with a_fleet(vehicles=3, accounts=1, trips=30) as fleet:
        for _ in range(2):
            assert not any("complete before" in message for message in caplog.messages)
            async with backfill(fleet.accounts, checkpoints=store, clock=fleet.simulator.now) as trips:
                async for _ in trips:
                    pass
    [message] = [message for message in caplog.messages if "complete before" in message]
    assert message.startswith("the histories of 3 vehicles were complete before and were not read again: newer=True")


@pytest.mark.long
@pytest.mark.unmeasured
@pytest.mark.parametrize("variant", [BackendVariant(), BackendVariant(newest_first=True)])
async def test_newer_trips_are_added_to_a_complete_history(variant: BackendVariant) -> None:
    store = MemoryCheckpoints()
    events = list[Any]()
    async with a_fleet(vehicles=2, accounts=1, trips=150, variant=variant) as fleet:

        async def run(leave_after: int = 1_000) -> None:
            async with backfill(fleet.accounts, checkpoints=store, newer=True, clock=fleet.simulator.now) as trips:
                async for event in trips:
                    events.append(event)
                    leave_after -= 1
                    if not leave_after:
                        break

        await run()
        assert by_vehicle(events) == all_trips(fleet)
        for _ in range(5):
            fleet.world.add_trip(fleet.vehicles[0])
        fleet.world.start_trip(fleet.vehicles[1])
        for _ in range(3):
            await run(leave_after=2)
        assert by_vehicle(events) == all_trips(fleet)
        fleet.world.finish_trip(fleet.vehicles[1])
        await run()
        assert events[-1].trip.id == all_trips(fleet)[fleet.vehicles[1]][-1]
        assert [change.path for change in events[-1].changes] == ["done"]
        assert len(events) == 150 + 5 + 2
        before = fleet.simulator.statistics.by_kind["trips"]
        await run()
        assert len(events) == 157
        assert fleet.simulator.statistics.by_kind["trips"] - before <= 4


async def test_newer_trips_than_a_limit_are_not_asked_for() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=1, accounts=1, trips=30) as fleet:
        async with backfill(fleet.accounts, checkpoints=store, clock=fleet.simulator.now) as trips:
            assert len([event async for event in trips]) == 30
        before = fleet.simulator.statistics.by_kind["trips"]
        until = EPOCH - timedelta(days=100)
        options: dict[str, Any] = {"checkpoints": store, "until": until, "clock": fleet.simulator.now}
        async with backfill(fleet.accounts, newer=True, **options) as trips:
            assert [event async for event in trips] == []
        assert fleet.simulator.statistics.by_kind["trips"] == before


async def test_a_vehicle_without_trips_is_complete() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=1, accounts=1, trips=0) as fleet:
        for _ in range(2):
            async with backfill(fleet.accounts, checkpoints=store, clock=fleet.simulator.now) as trips:
                assert [event async for event in trips] == []
        assert fleet.simulator.statistics.by_status[404] == 1


@pytest.mark.long
async def test_a_backfill_of_another_name_starts_again() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=1, accounts=1, trips=30) as fleet:
        for name in ("first", "second"):
            async with backfill(fleet.accounts, checkpoints=store, name=name, clock=fleet.simulator.now) as trips:
                assert len([event async for event in trips]) == 30


@pytest.mark.long
@pytest.mark.unmeasured
async def test_progress_is_reported() -> None:
    reports = list[Progress]()
    async with (
        a_fleet(vehicles=5, accounts=2, trips=900) as fleet,
        backfill(fleet.accounts, progress=reports.append, clock=fleet.simulator.now) as trips,
    ):
        assert trips.progress.trips == 0
        async for _ in trips:
            pass
        assert trips.progress.done == 5
    last = reports[-1]
    assert (last.vehicles, last.done, last.failed, last.trips, last.is_complete) == (5, 5, 0, 900, True)
    assert last.pages >= 15
    assert all(before.trips <= after.trips for before, after in itertools.pairwise(reports))


@pytest.mark.long
@pytest.mark.unmeasured
async def test_a_slow_consumer_slows_the_backfill() -> None:
    async with (
        a_fleet(vehicles=20, accounts=1, trips=5_000) as fleet,
        backfill(fleet.accounts, buffer=10, vehicles=2, pages=2, clock=fleet.simulator.now) as trips,
    ):
        await anext(trips)
        await anyio.sleep(3_600)
        assert trips.progress.trips <= 11 + 2
        assert fleet.simulator.statistics.by_kind["trips"] <= 2 * (1 + 2 + 2)


async def test_a_vehicle_of_two_accounts_is_read_once() -> None:
    async with (
        a_fleet(vehicles=2, accounts=1, trips=60) as fleet,
        backfill(fleet.accounts * 2, clock=fleet.simulator.now) as trips,
    ):
        assert by_vehicle([event async for event in trips]) == all_trips(fleet)


async def test_vehicles_may_come_from_an_asynchronous_source() -> None:
    async with a_fleet(vehicles=2, accounts=1, trips=60) as fleet:
        first, second = await fleet.accounts[0].vehicles().collect()

        async def source() -> AsyncIterator[Account | Vehicle]:
            yield first
            yield second
            yield read({}, Vehicle)

        async with backfill(source(), clock=fleet.simulator.now) as trips:
            assert by_vehicle([event async for event in trips]) == all_trips(fleet)


async def test_a_lost_account_is_reported_and_stops_no_other() -> None:
    async with a_fleet(vehicles=4, accounts=2, trips=80) as fleet:
        await fleet.lose_consent("account-0000")
        async with backfill(fleet.accounts, clock=fleet.simulator.now) as trips:
            events = [event async for event in trips]
            assert trips.progress.failed == 1
        lost = [event for event in events if isinstance(event, AccountLost)]
        assert [event.account for event in lost] == ["account-0000"]
        assert len(events) == 1 + sum(fleet.world.trip_count(vehicle) for vehicle in fleet.vehicles[2:])


async def test_a_refused_vehicle_is_reported_and_read_by_the_next_run() -> None:
    store = MemoryCheckpoints()
    async with a_fleet(vehicles=2, accounts=1, trips=80) as fleet:
        fleet.simulator.script(ScriptedFault(fault=ServerFault(403, 40300), path=f"{fleet.vehicles[0]}/trips"))
        async with backfill(fleet.accounts, checkpoints=store, clock=fleet.simulator.now) as trips:
            events = [event async for event in trips]
        refused = [event for event in events if isinstance(event, VehicleUnavailable)]
        assert [event.vehicle.id for event in refused] == [fleet.vehicles[0]]
        assert isinstance(refused[0].error, ForbiddenError)
        async with backfill(fleet.accounts, checkpoints=store, clock=fleet.simulator.now) as trips:
            assert by_vehicle([event async for event in trips]) == {
                fleet.vehicles[0]: fleet.world.trip_ids(fleet.vehicles[0])
            }


@pytest.mark.unmeasured
@pytest.mark.long
async def test_an_outage_of_minutes_is_waited_out() -> None:
    outage = Faults(windows=[FaultWindow(fault=ServerFault(503), since=0.0, until=200.0)])
    async with (
        a_fleet(vehicles=2, accounts=1, trips=200, faults=outage, retry=ONCE) as fleet,
        backfill(fleet.accounts, clock=fleet.simulator.now) as trips,
    ):
        assert by_vehicle([event async for event in trips]) == all_trips(fleet)


@pytest.mark.parametrize(("vehicles", "per_day"), [(3, 10), deep(12, 40)])
@pytest.mark.long
async def test_an_exhausted_daily_limit_is_waited_for(vehicles: int, per_day: int) -> None:
    async with a_fleet(
        vehicles=vehicles,
        accounts=3,
        trips=300 * vehicles,
        rate_limits=RateLimits(100, per_day),
        limits=SubscriptionLimits(per_day=per_day),
    ) as fleet:
        began = fleet.simulator.now()
        async with backfill(fleet.accounts, clock=fleet.simulator.now) as trips:
            assert by_vehicle([event async for event in trips]) == all_trips(fleet)
        assert fleet.simulator.now() - began >= timedelta(hours=23)
        assert trips.progress.failed == 0
        assert fleet.simulator.statistics.refused == 0


class ExhaustedLimiter(TokenBucketLimiter):
    """A limiter without capacity that does not know when it will have some."""

    def slot(self, **_: Any) -> Any:
        raise BudgetExhaustedError("the daily limit is reached")


async def test_a_limit_without_an_end_loses_the_account() -> None:
    async with a_fleet(vehicles=1, accounts=1, limiter=ExhaustedLimiter()) as fleet, backfill(fleet.accounts) as trips:
        with anyio.fail_after(3_600):
            [event] = [event async for event in trips]
    assert isinstance(event, AccountLost)
    assert isinstance(event.error, BudgetExhaustedError)


@pytest.mark.long
@pytest.mark.unmeasured
async def test_failures_with_progress_between_them_are_retried() -> None:
    async with a_fleet(vehicles=1, accounts=1, trips=1_500, retry=ONCE) as fleet:
        for page in range(3, 20, 2):
            fleet.simulator.script(ScriptedFault(fault=ServerFault(503), path="trips", skip=page))
        async with backfill(fleet.accounts, pages=1, clock=fleet.simulator.now) as trips:
            assert by_vehicle([event async for event in trips]) == all_trips(fleet)


@pytest.mark.unmeasured
@pytest.mark.long
async def test_an_outage_in_the_middle_of_a_history_is_waited_out() -> None:
    async with a_fleet(vehicles=2, accounts=1, trips=400, retry=ONCE) as fleet:
        fleet.simulator.script(ScriptedFault(fault=ServerFault(503), path="trips", skip=3, times=4))
        async with backfill(fleet.accounts, clock=fleet.simulator.now) as trips:
            assert by_vehicle([event async for event in trips]) == all_trips(fleet)


async def test_an_outage_without_end_makes_a_vehicle_unavailable() -> None:
    async with a_fleet(vehicles=1, accounts=1, trips=80, retry=ONCE) as fleet:
        fleet.simulator.script(ScriptedFault(fault=ServerFault(503), path="trips", times=1_000))
        async with backfill(fleet.accounts, clock=fleet.simulator.now) as trips:
            events = [event async for event in trips]
        assert [type(event) for event in events] == [VehicleUnavailable]
        assert isinstance(events[0], VehicleUnavailable)
        assert isinstance(events[0].error, ServerError)


async def test_an_error_of_the_source_reaches_the_consumer() -> None:
    def source() -> Iterator[Account]:
        yield from ()
        raise KeyError("no database")

    async with backfill(source()) as trips:
        with pytest.raises(KeyError, match="no database"):
            await updates_of(trips, 10)  # type: ignore[arg-type]  # any stream


async def test_a_backfill_whose_source_failed_is_not_complete() -> None:
    async def source() -> AsyncIterator[Account]:
        yield fleet.accounts[0]
        await anyio.sleep(1_800)
        raise KeyError("no database")

    async def walk() -> None:
        async for _ in trips:
            await anyio.sleep(60)

    reports = list[Progress]()
    async with (
        a_fleet(vehicles=1, accounts=1, trips=80) as fleet,
        backfill(source(), progress=reports.append, clock=fleet.simulator.now) as trips,
    ):
        with pytest.raises(KeyError, match="no database"):
            await walk()
    assert reports[-1].done == reports[-1].vehicles == 1
    assert not any(progress.is_complete for progress in reports)


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", [Account, Vehicle])
async def test_a_single_target_is_read(kind: type[Any]) -> None:
    async with a_fleet(vehicles=1, accounts=1, trips=80) as fleet:
        vehicle = await fleet.accounts[0].vehicle(fleet.vehicles[0])
        alone = fleet.accounts[0] if kind is Account else vehicle
        async with backfill(alone, clock=fleet.simulator.now) as trips:
            assert by_vehicle([event async for event in trips]) == all_trips(fleet)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"since": "2026-01-01"}, "since must be datetime or None, not str"),
        ({"until": 5}, "until must be datetime or None, not int"),
        ({"max_wait": 600}, r"max_wait must be timedelta, not int: timedelta\(seconds="),
    ],
)
def test_options_of_the_wrong_type_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        backfill([], **options)


async def test_an_item_of_the_wrong_type_is_refused() -> None:
    closed = list[bool]()

    async def source() -> AsyncIterator[Any]:
        try:
            yield "alice"
        finally:
            closed.append(True)

    async with backfill(source()) as trips:
        with pytest.raises(TypeError, match="the source's item must be Account or Fleet or Vehicle, not str"):
            await anext(trips)
        assert closed == [True]


async def test_a_fleet_without_vehicles_has_no_trips() -> None:
    world = World(seed=1, accounts=1, vehicles=0, epoch=EPOCH)
    async with a_fleet(world=world) as fleet, backfill(fleet.accounts) as trips:
        assert trips_in([event async for event in trips]) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vehicles": 0}, "vehicles and pages must be at least 1, such as 8 and 4, not 0 and 4"),
        ({"pages": 0}, "vehicles and pages must be at least 1, such as 8 and 4, not 8 and 0"),
        ({"buffer": 0}, "must be at least one item, such as 256, not 0"),
        ({"since": datetime(2026, 1, 1)}, "since must be aware, such as"),  # noqa: DTZ001 - the point of it
        ({"until": datetime(2026, 1, 1), "since": EPOCH}, "until must be aware"),  # noqa: DTZ001 - the point of it
    ],
)
def test_options_out_of_bounds_are_refused(options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        backfill([], **options)
    with pytest.raises(TypeError, match="vehicles must be int"):
        backfill([], vehicles=1.5)  # type: ignore[arg-type]


def test_the_help_names_the_default_of_every_option() -> None:
    arguments = inspect.getdoc(backfill).split("Args:")[1].split("Raises:")[0]  # type: ignore[union-attr]  # it has one
    for name, parameter in list(inspect.signature(backfill).parameters.items())[1:]:
        words = re.split(r"\n    \w+: ", arguments.split(f"    {name}: ")[1])[0]
        assert "Default" in words
        if isinstance(parameter.default, int | str):
            assert str(parameter.default) in words


async def test_a_closed_client_ends_a_backfill() -> None:
    """While it lists accounts, and while it reads vehicles; nothing would go on."""
    async with a_fleet(vehicles=1, accounts=1, trips=2) as fleet:
        [vehicle] = [vehicle async for vehicle in fleet.accounts[0].vehicles()]
        await fleet.client.aclose()
        for source in (fleet.accounts, [vehicle]):
            async with backfill(source) as trips:
                with pytest.raises(ClosedClientError):
                    await anext(trips)


class Issued(Anonymous):
    """Credentials that nothing renews."""

    def __init__(self, fleet: Fleet) -> None:
        account = fleet.world.accounts[0]
        self.query = f"client_id={fleet.simulator.client_id}"
        self._fields = {
            "Authorization": f"Bearer {fleet.simulator.token_for(account).access_token}",
            "x-introspect-realm": account.realm,
        }

    async def headers(self) -> Mapping[str, str]:
        return self._fields


async def test_a_vehicle_without_an_identity_server_is_read() -> None:
    async with a_fleet(vehicles=1, accounts=1, trips=2) as fleet:
        url, transport = f"{fleet.simulator.url}/user", fleet.simulator.transport()
        async with HalClient(url, auth=Issued(fleet), transport=transport) as client:
            vehicle = await client.follow(Rel("vehicles", Vehicle)).items().first()
            assert vehicle is not None
            async with backfill(vehicle) as trips:
                assert len([event async for event in trips]) == 2
