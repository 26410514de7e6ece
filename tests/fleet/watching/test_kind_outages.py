"""Outages of one kind of data: told once, ended once, and nothing else is affected."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import anyio
import pytest

from stellantis_hal.fleet import Outage, Recovered, Update, VehicleUnavailable, Watch, WatchEvent, watch
from stellantis_hal.fleet.targets import WatchedAccount, WatchedVehicle
from stellantis_hal.fleet.watching.kind_outages import KindOutages
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.simulator import ConnectionRefused, Fault, Faults, FaultWindow, HtmlError, RandomFault, ServerFault
from stellantis_hal.simulator.faults import kinds
from stellantis_hal.transport.retry import RetryPolicy
from tests.fleet.fleets import EPOCH, Fleet, a_fleet
from tests.support.profiles import scenario

pytestmark = pytest.mark.anyio
EVERY = timedelta(minutes=10)
HOUR = 3_600.0
BEGAN, ENDED = 0.5 * HOUR, 4.5 * HOUR
API = "api.groupe-psa.com"
ONCE = RetryPolicy(attempts=1)


def failing(path: str, fault: Fault | None = None, *, since: float = BEGAN, until: float = ENDED) -> FaultWindow:
    return FaultWindow(fault=fault or ServerFault(500), since=since, until=until, path=path)


def elapsed(fleet: Fleet) -> float:
    return (fleet.simulator.now() - EPOCH).total_seconds()


async def follow(updates: Watch, fleet: Fleet, *, until: float) -> list[tuple[float, WatchEvent]]:
    """Return the events until an instant, with theirs in seconds since the start."""
    events: list[tuple[float, WatchEvent]] = []
    with anyio.move_on_after(until - elapsed(fleet)):
        async for event in updates:
            events.append((elapsed(fleet), event))  # noqa: PERF401 - events before the timeout are kept
    return events


def told(events: Iterable[tuple[float, WatchEvent]]) -> list[tuple[Any, ...]]:
    """Return what the events tell of failures."""
    return [
        (type(event), getattr(event, "what", None), getattr(event, "vehicle", None) is not None)
        for _, event in events
        if not isinstance(event, Update)
    ]


# ------------------------------------------------------------------------------------------- scenarios


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("fault", "kind", "what"),
    [
        (ServerFault(500), "trips", ("status", "trips")),
        (HtmlError(200), "trips", ("trips", "status")),
        scenario(ConnectionRefused(), "trips", ("status", "trips")),
        scenario(ServerFault(503, retry_after="60"), "status", ("status", "trips")),
        scenario(kinds.Delay(3_600), "trips", ("status", "trips", "position")),
    ],
)
@pytest.mark.long
async def test_one_failing_kind_of_all_vehicles_is_one_outage(fault: Fault, kind: str, what: tuple[str, ...]) -> None:
    """The other kind is polled as ever, and no trip is lost."""
    async with (
        a_fleet(vehicles=3, accounts=3, faults=Faults(windows=[failing(f"/{kind}", fault)]), retry=ONCE) as fleet,
        watch(fleet.accounts, every=EVERY, what=what, relist=timedelta(hours=1), adapt=None) as updates,
    ):
        before = await follow(updates, fleet, until=ENDED - 60)
        [(at, outage)] = [(at, event) for at, event in before if isinstance(event, Outage)]
        assert told(before) == [(Outage, kind, False)]
        assert outage.account is None
        assert outage.server is not None
        assert at - BEGAN <= 2 * EVERY.total_seconds()
        assert timedelta(seconds=BEGAN) <= outage.since - EPOCH <= timedelta(seconds=BEGAN) + EVERY
        assert f"{kind}/outage/" in outage.id
        statistics = updates.statistics
        assert (statistics.outage, statistics.unavailable) == (None, 3)
        assert statistics.kind_outages == {kind: pytest.approx(ENDED - 60 - (outage.since - EPOCH).total_seconds())}
        assert statistics.lateness_p99 < 60
        for vehicle in fleet.vehicles:
            fleet.world.add_trip(vehicle)
        after = await follow(updates, fleet, until=ENDED + HOUR)
        assert told(after) == [(Recovered, kind, False)]
        [(at, recovered)] = [(at, event) for at, event in after if isinstance(event, Recovered)]
        assert recovered.server == outage.server
        assert at - ENDED <= 300
        trips = [event for _, event in after if isinstance(event, Update) and event.trip is not None]
        assert sorted(str(event.vehicle.id) for event in trips) == sorted(fleet.vehicles)
        assert updates.statistics.unavailable == 0
        assert updates.statistics.kind_outages == {}


@pytest.mark.long
@pytest.mark.unmeasured
async def test_one_failing_kind_of_one_vehicle_is_no_outage() -> None:
    windows = list[FaultWindow]()
    async with a_fleet(vehicles=3, accounts=1, faults=Faults(windows=windows), retry=ONCE) as fleet:
        windows.append(failing(f"{fleet.vehicles[1]}/trips"))
        async with watch(fleet.accounts, every=EVERY, adapt=None) as updates:
            events = await follow(updates, fleet, until=ENDED + HOUR)
            assert told(events) == [(VehicleUnavailable, "trips", True), (Recovered, "trips", True)]


async def test_the_only_vehicle_is_unavailable_and_no_outage() -> None:
    faults = Faults(windows=[failing("/trips")])
    async with (
        a_fleet(vehicles=1, accounts=1, faults=faults, retry=ONCE) as fleet,
        watch(fleet.accounts, every=2 * EVERY, adapt=None) as updates,
    ):
        events = await follow(updates, fleet, until=ENDED + HOUR)
        assert told(events) == [(VehicleUnavailable, "trips", True), (Recovered, "trips", True)]


@pytest.mark.long
@pytest.mark.unmeasured
async def test_two_kinds_in_turn_are_two_outages() -> None:
    windows = [
        failing("/trips", until=2 * HOUR),
        failing("/status", since=2.5 * HOUR, until=4 * HOUR),
        failing("/trips", since=4.5 * HOUR, until=6 * HOUR),
    ]
    async with (
        a_fleet(vehicles=3, accounts=1, faults=Faults(windows=windows), retry=ONCE) as fleet,
        watch(fleet.accounts, every=EVERY, adapt=None) as updates,
    ):
        events = await follow(updates, fleet, until=7 * HOUR)
        assert told(events) == [
            (kind, what, False) for what in ("trips", "status", "trips") for kind in (Outage, Recovered)
        ]


@pytest.mark.long
@pytest.mark.unmeasured
async def test_reads_that_fail_now_and_then_are_no_outage() -> None:
    """Every other read of the trips fails."""
    faults = Faults(random=[RandomFault(fault=ServerFault(500), rate=0.5, path="/trips")], seed=3)
    async with (
        a_fleet(vehicles=4, accounts=1, faults=faults, retry=ONCE) as fleet,
        watch(fleet.accounts, every=EVERY, adapt=None) as updates,
    ):
        events = await follow(updates, fleet, until=4 * HOUR)
        assert [event for event in told(events) if event[0] is Outage] == []
        assert updates.statistics.errors["ServerError"] > 20


@pytest.mark.long
@pytest.mark.unmeasured
async def test_a_kind_that_is_out_does_not_hide_an_outage() -> None:
    """An outage of all begins and ends while one kind is out, which stays out."""
    windows = [failing("/trips"), failing("", since=2 * HOUR, until=3 * HOUR)]
    async with (
        a_fleet(vehicles=3, accounts=1, faults=Faults(windows=windows), retry=ONCE, token_lifetime=1e6) as fleet,
        watch(fleet.accounts, every=EVERY, what=("trips", "status"), adapt=None) as updates,
    ):
        events = await follow(updates, fleet, until=ENDED + HOUR)
        assert told(events) == [
            (Outage, "trips", False),
            (Outage, None, False),
            (Recovered, None, False),
            (Recovered, "trips", False),
        ]


@pytest.mark.long
@pytest.mark.parametrize("what", [("status", "trips"), ("trips", "status")])
@pytest.mark.unmeasured
async def test_an_outage_that_leaves_one_kind_out_ends(what: tuple[str, ...]) -> None:
    windows = [failing("", until=2 * HOUR), failing("/trips", since=2 * HOUR)]
    async with (
        a_fleet(vehicles=3, accounts=1, faults=Faults(windows=windows), retry=ONCE, token_lifetime=1e6) as fleet,
        watch(fleet.accounts, every=EVERY, what=what, adapt=None) as updates,
    ):
        events = await follow(updates, fleet, until=ENDED + HOUR)
        assert told(events) == [
            (Outage, None, False),
            (Recovered, None, False),
            (Outage, "trips", False),
            (Recovered, "trips", False),
        ]


@pytest.mark.long
@pytest.mark.unmeasured
async def test_listings_tell_that_the_only_kind_fails_alone() -> None:
    """A watch of one kind cannot see that by its polls; the next listing shows it."""
    async with (
        a_fleet(vehicles=3, accounts=1, faults=Faults(windows=[failing("/trips")]), retry=ONCE) as fleet,
        watch(fleet.accounts, every=EVERY, what="trips", relist=timedelta(hours=1), adapt=None) as updates,
    ):
        events = await follow(updates, fleet, until=ENDED + HOUR)
        assert told(events) == [
            (Outage, None, False),
            (Recovered, None, False),
            (Outage, "trips", False),
            (Recovered, "trips", False),
        ]


@pytest.mark.long
async def test_an_identity_outage_meanwhile_is_told_apart() -> None:
    """The tokens expire after an hour, while the trips fail and the identity server is down."""
    windows = [failing("/trips"), failing("access_token", kinds.Delay(3_600), since=HOUR, until=3 * HOUR)]
    async with (
        a_fleet(vehicles=3, accounts=3, faults=Faults(windows=windows), retry=ONCE) as fleet,
        watch(fleet.accounts, every=EVERY, adapt=None) as updates,
    ):
        events = await follow(updates, fleet, until=ENDED + HOUR)
        outages = [event for _, event in events if isinstance(event, Outage)]
        recovered = [event for _, event in events if isinstance(event, Recovered)]
        assert len(told(events)) == len(outages) + len(recovered)
        assert sorted((o.server, o.what) for o in outages) == sorted((r.server, r.what) for r in recovered)
        assert [outage.what for outage in outages].count("trips") == 1
        assert len({outage.server for outage in outages}) == len(outages)


@pytest.mark.long
@pytest.mark.unmeasured
async def test_vehicles_that_wait_take_turns_to_probe() -> None:
    """One vehicle's trips go on failing after the outage; another one's success ends it in time."""
    windows = [failing("/trips")]
    async with a_fleet(vehicles=3, accounts=1, faults=Faults(windows=windows), retry=ONCE) as fleet:
        windows.append(failing(f"{fleet.vehicles[0]}/trips", until=8 * HOUR))
        async with watch(fleet.accounts, every=timedelta(hours=1), adapt=None) as updates:
            events = await follow(updates, fleet, until=9 * HOUR)
            ends = [(at, event) for at, event in events if isinstance(event, Recovered) and event.vehicle is None]
            assert len(ends) == 1
            assert ends[0][0] - ENDED <= 600
            assert updates.statistics.unavailable == 0


@pytest.mark.long
@pytest.mark.unmeasured
async def test_a_removed_vehicle_is_no_probe() -> None:
    faults = Faults(windows=[failing("/trips")])
    async with (
        a_fleet(vehicles=3, accounts=1, faults=faults, retry=ONCE) as fleet,
        watch(fleet.accounts, every=EVERY, adapt=None) as updates,
    ):
        await follow(updates, fleet, until=2 * HOUR)
        assert "trips" in updates.statistics.kind_outages
        for id_ in fleet.vehicles[:2]:
            updates.remove(id_)
        events = await follow(updates, fleet, until=ENDED + HOUR)
        assert told(events) == [(Recovered, "trips", False)]
        assert updates.statistics.unavailable == 0


@pytest.mark.long
async def test_a_vehicle_that_is_retried_keeps_its_regular_time() -> None:
    """Its status fails, and is due again later than its trips, which the end of an outage makes due at once."""
    account = "[0-9a-f]+0/status"
    faults = Faults(windows=[failing("/trips"), failing(account, since=BEGAN + 2 * HOUR, until=1e9)])
    async with (
        a_fleet(vehicles=3, accounts=1, faults=faults, retry=ONCE) as fleet,
        watch(fleet.accounts, every=EVERY, what=("status", "trips"), adapt=None) as updates,
    ):
        events = await follow(updates, fleet, until=ENDED + HOUR)
        assert [event for event in told(events) if not event[2]] == [
            (Outage, "trips", False),
            (Recovered, "trips", False),
        ]


# ------------------------------------------------------------------------------------------- decisions


def some(number: int) -> dict[str, WatchedVehicle]:
    account = WatchedAccount("account:a", None, 60.0)
    return {str(n): WatchedVehicle(str(n), account, Vehicle(), 1.0) for n in range(number)}


def outages_of(vehicles: dict[str, WatchedVehicle]) -> KindOutages:
    return KindOutages(vehicles, lambda target: target in vehicles.values())


def fail_all(outages: KindOutages, vehicles: Iterable[WatchedVehicle], *, until: int = 6) -> list[bool]:
    return [
        outages.failed(vehicle, "trips", float(number), server=API)
        for number, vehicle in zip(range(until), [*vehicles] * until, strict=False)
    ]


def test_failures_without_another_response_are_undecided() -> None:
    vehicles = some(2)
    outages = outages_of(vehicles)
    assert not any(fail_all(outages, vehicles.values(), until=20))
    outages.responded("status")
    assert outages.failed(vehicles["0"], "trips", 20.0, server=API)
    assert outages.outage_of("trips").since == 0.0


def test_a_vehicle_that_did_not_fail_prevents_an_outage() -> None:
    vehicles = some(3)
    outages = outages_of(vehicles)
    fail_all(outages, list(vehicles.values())[:2])
    outages.responded(None)
    assert not any(fail_all(outages, list(vehicles.values())[:2], until=20))


def test_a_vehicle_that_is_not_read_prevents_no_outage() -> None:
    vehicles = some(4)
    outages = outages_of(vehicles)
    lost, refused = vehicles["2"], vehicles["3"]
    lost.account = WatchedAccount("account:b", None, 60.0)
    lost.account.lost_at = 0.0
    refused.failure_state("trips", 0.0).failures = 1
    fail_all(outages, list(vehicles.values())[:2])
    outages.responded(None)
    assert outages.failed(vehicles["0"], "trips", 7.0, server=API)
    assert not outages.may_read(refused, "trips", 1_000.0)
    assert not outages.outage_of("trips").held.keys() & {lost, refused}


def test_a_hundred_vehicles_are_enough_at_the_first_time() -> None:
    """Where some of a large fleet may work, as many again are needed each time."""
    vehicles = some(401)
    outages = outages_of(vehicles)
    for needed in (100, 200, 400):
        outages.failed(vehicles["0"], "trips", 0.0, server=API)
        outages.responded("status")
        begun = [outages.failed(vehicles[str(n)], "trips", float(n), server=API) for n in range(1, needed)]
        assert begun == [False] * (needed - 2) + [True]
        assert outages.responded("trips") is not None


def test_a_refusal_ends_an_outage_and_makes_a_kind_unreadable() -> None:
    vehicles = some(2)
    outages = outages_of(vehicles)
    outages.responded("status")
    fail_all(outages, vehicles.values())
    outages.responded("status")
    assert outages.failed(vehicles["1"], "trips", 9.0, server=API)
    assert set(outages.working) == {"status"}
    assert outages.responded("trips", is_readable=False) is not None
    assert outages.readable == {"status"}
    assert not outages.is_out("trips")


def test_probes_of_a_kind_come_at_growing_intervals() -> None:
    vehicles = some(2)
    outages = outages_of(vehicles)
    fail_all(outages, vehicles.values())
    outages.responded(None)
    outages.failed(vehicles["1"], "trips", 0.0, server=API)
    gaps, now = list[float](), 0.0
    for _ in range(8):
        before, now = now, outages.outage_of("trips").probe_at
        gaps.append(now - before)
        assert not outages.may_read(vehicles["0"], "trips", now - 0.1)
        assert outages.may_read(vehicles["1"], "trips", now)
        assert not outages.may_read(vehicles["0"], "trips", now)
    assert gaps == [15.0, 15.0, 30.0, 60.0, 120.0, 240.0, 240.0, 240.0]
    vehicles.clear()
    assert outages.next_probe("trips") is None
