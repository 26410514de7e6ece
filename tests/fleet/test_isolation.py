"""Failures of one vehicle or account, and outages of all."""

from datetime import timedelta

import anyio
import pytest

from stellantis_hal.errors import (
    BudgetExhaustedError,
    ConsentRequiredError,
    ForbiddenError,
    HalError,
    NotFoundError,
    NotHalError,
    RateLimitedError,
    ServerError,
    UnauthorizedError,
)
from stellantis_hal.fleet import AccountLost, Outage, Recovered, Update, VehicleUnavailable, watch
from stellantis_hal.simulator import (
    Faults,
    FaultWindow,
    Latency,
    RandomFault,
    ScriptedFault,
    ServerFault,
    SubscriptionLimits,
    TooManyRequests,
)
from stellantis_hal.simulator.faults import kinds
from stellantis_hal.transport.rate_limit.protocol import RateLimits
from stellantis_hal.transport.retry import RetryPolicy
from tests.fleet.fleets import Fleet, a_fleet, until, updates_of
from tests.support.profiles import deep

pytestmark = pytest.mark.anyio
EVERY = timedelta(minutes=5)
ONCE = RetryPolicy(attempts=1)


def requests(fleet: Fleet) -> int:
    return fleet.simulator.statistics.requests


# ------------------------------------------------------------------------------------------- accounts


@pytest.mark.unmeasured
@pytest.mark.long
async def test_a_revoked_consent_is_reported_once() -> None:
    """Other accounts are polled on."""
    async with a_fleet(vehicles=4, accounts=2) as fleet, watch(fleet.accounts, every=EVERY) as updates:
        await updates_of(updates, 900)
        await fleet.lose_consent("account-0000")
        events = await updates_of(updates, 6 * 3_600)
        assert [type(event) for event in events] == [AccountLost]
        lost = events[0]
        assert isinstance(lost, AccountLost)
        assert lost.account == "account-0000"
        assert isinstance(lost.error, ConsentRequiredError)
        statistics = updates.statistics
        assert (statistics.accounts_lost, statistics.vehicles) == (1, 4)
        fleet.world.add_trip(fleet.vehicles[2])
        assert (await until(updates, Update)).account == "account-0001"


@pytest.mark.long
@pytest.mark.unmeasured
async def test_an_account_added_with_a_new_token_recovers_at_once() -> None:
    async with a_fleet(vehicles=4, accounts=2) as fleet, watch(fleet.accounts, every=EVERY) as updates:
        await updates_of(updates, 900)
        await fleet.lose_consent("account-0000")
        await until(updates, AccountLost)
        updates.add(fleet.account("account-0000"))
        recovered = await until(updates, Recovered, within=60)
        assert (recovered.account, recovered.vehicle) == ("account-0000", None)
        fleet.world.add_trip(fleet.vehicles[0])
        assert (await until(updates, Update)).account == "account-0000"


@pytest.mark.unmeasured
async def test_a_new_token_in_the_store_recovers_an_account() -> None:
    async with a_fleet(vehicles=4, accounts=2) as fleet, watch(fleet.accounts, every=EVERY) as updates:
        await updates_of(updates, 900)
        await fleet.lose_consent("account-0000")
        lost = await until(updates, AccountLost)
        await fleet.consent("account-0000")
        recovered = await until(updates, Recovered, account=lost.account, within=24 * 3_600)
        assert recovered.after >= lost.again_in


@pytest.mark.long
@pytest.mark.unmeasured
async def test_a_lost_account_is_retried_at_the_reported_time() -> None:
    slow = Faults(latency=Latency(1.0))
    async with (
        a_fleet(vehicles=12, accounts=1, faults=slow) as fleet,
        watch(fleet.accounts, every=None, what="status", budget=RateLimits(20, None)) as updates,
    ):
        await updates_of(updates, 30)
        await fleet.lose_consent("account-0000")
        lost = await until(updates, AccountLost)
        await updates_of(updates, 30)  # polls in progress included
        await fleet.consent("account-0000")
        recovered = await until(updates, Recovered, within=24 * 3_600)
        assert lost.again_in == 900.0
        assert lost.again_in <= recovered.after <= lost.again_in + 10


@pytest.mark.unmeasured
async def test_an_account_lost_from_the_start_is_reported() -> None:
    async with a_fleet(vehicles=4, accounts=2) as fleet:
        await fleet.lose_consent("account-0001")
        async with watch(fleet.accounts, every=EVERY) as updates:
            assert (await until(updates, AccountLost)).account == "account-0001"
            await updates_of(updates, 3_600)
            assert updates.statistics.vehicles == 2


@pytest.mark.long
@pytest.mark.unmeasured
@pytest.mark.parametrize("fault", [kinds.VanishedFields(("vehicles", "vehicle")), kinds.ForeignLink("vehicles")])
async def test_an_account_recovers_when_its_entry_point_has_a_link(fault: kinds.Fault) -> None:
    """An entry point without a valid vehicles link is read again."""
    async with a_fleet(vehicles=2, accounts=1) as fleet:
        fleet.simulator.script(ScriptedFault(fault=fault, path="/user$"))
        async with watch(fleet.accounts, every=EVERY) as updates:
            lost = await until(updates, AccountLost)
            assert isinstance(lost.error, HalError)
            assert (await until(updates, Recovered)).after <= lost.again_in + 10
            await updates_of(updates, 600)
            assert updates.statistics.vehicles == 2


async def test_a_single_vehicle_recovers_after_its_account_was_lost() -> None:
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        vehicle = await fleet.accounts[0].vehicles().first()
        assert vehicle is not None
        async with watch([vehicle], every=EVERY) as updates:
            await updates_of(updates, 900)
            fleet.simulator.script(
                ScriptedFault(fault=kinds.OAuthFault("invalid_grant", 400), path="access_token", times=2)
            )
            fleet.simulator.expire_tokens()
            assert (await until(updates, AccountLost)).account is None
            recovered = await until(updates, Recovered, within=24 * 3_600)
            assert recovered.vehicle == vehicle
            fleet.world.add_trip(fleet.vehicles[0])
            await until(updates, Update)


@pytest.mark.long
@pytest.mark.unmeasured
async def test_occasional_401_responses_do_not_lose_an_account() -> None:
    async with a_fleet() as fleet, watch(fleet.accounts, every=EVERY) as updates:
        await updates_of(updates, 900)
        fleet.simulator.script(
            ScriptedFault(fault=ServerFault(401, 40100), path=f"{fleet.vehicles[0]}/status", times=2)
        )
        assert await updates_of(updates, 3_600) == []
        assert updates.statistics.errors == {"UnauthorizedError": 1}


@pytest.mark.unmeasured
async def test_repeated_401_responses_lose_an_account() -> None:
    async with a_fleet() as fleet, watch(fleet.accounts, every=EVERY) as updates:
        await updates_of(updates, 900)
        fleet.simulator.script(ScriptedFault(fault=ServerFault(401, 40100), path=fleet.vehicles[0], times=1_000))
        lost = await until(updates, AccountLost)
        assert isinstance(lost.error, UnauthorizedError)


@pytest.mark.long
@pytest.mark.unmeasured
async def test_token_refreshes_cause_no_event() -> None:
    async with a_fleet(token_lifetime=600.0) as fleet, watch(fleet.accounts, every=EVERY) as updates:
        await updates_of(updates, 900)
        assert await updates_of(updates, 2 * 3_600) == []
        assert fleet.simulator.statistics.renewals > 20
        assert updates.statistics.errors == {}


# ------------------------------------------------------------------------------------------- vehicles


@pytest.mark.long
@pytest.mark.unmeasured
async def test_a_forbidden_vehicle_backs_off_alone_and_recovers() -> None:
    async with a_fleet(vehicles=4, accounts=1) as fleet:
        broken = fleet.vehicles[1]
        fleet.simulator.script(ScriptedFault(fault=ServerFault(403, 40300), path=f"{broken}/status", times=4))
        async with watch(fleet.accounts, every=EVERY, adapt=None) as updates:
            event = await until(updates, VehicleUnavailable)
            assert (event.vehicle.id, event.what, event.account) == (broken, "status", "account-0000")
            assert isinstance(event.error, ForbiddenError)
            assert event.again_in == 300.0
            assert updates.statistics.unavailable == 1
            recovered = await until(updates, Recovered, within=24 * 3_600)
            assert (recovered.vehicle.id, recovered.what) == (broken, "status")
            assert 300 + 600 + 1_200 + 2_400 <= recovered.after <= 300 + 600 + 1_200 + 2_400 + 4 * 300
            assert updates.statistics.unavailable == 0


async def test_other_kinds_of_data_of_a_vehicle_are_polled_on() -> None:
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        fleet.simulator.script(ScriptedFault(fault=ServerFault(404, 1001), path="/status", times=1_000))
        async with watch(fleet.accounts, every=EVERY) as updates:
            assert isinstance((await until(updates, VehicleUnavailable)).error, NotFoundError)
            await updates_of(updates, 3_600)
            fleet.world.add_trip(fleet.vehicles[0])
            assert (await until(updates, Update, within=900)).what == "trips"


@pytest.mark.unmeasured
@pytest.mark.long
async def test_an_unavailable_vehicle_is_polled_less_and_less_often() -> None:
    async with a_fleet(vehicles=2, accounts=1) as fleet:
        broken = fleet.vehicles[0]
        fleet.simulator.script(
            ScriptedFault(fault=ServerFault(403, 40300), path=f"{broken}/(status|trips)", times=10_000)
        )
        async with watch(fleet.accounts, every=EVERY) as updates:
            await updates_of(updates, 24 * 3_600)
            assert fleet.simulator.statistics.by_status[403] <= 20


@pytest.mark.unmeasured
@pytest.mark.long
async def test_server_errors_of_one_vehicle_are_no_outage() -> None:
    async with a_fleet(vehicles=6, accounts=1, retry=ONCE) as fleet:
        broken = fleet.vehicles[3]
        fleet.simulator.script(ScriptedFault(fault=ServerFault(500, 50038), path=f"{broken}/trips", times=10_000))
        async with watch(fleet.accounts, every=EVERY) as updates:
            events = [event for event in await updates_of(updates, 2 * 3_600) if not isinstance(event, Update)]
            assert [type(event) for event in events] == [VehicleUnavailable]
            assert isinstance(events[0], VehicleUnavailable)
            assert isinstance(events[0].error, ServerError)
            assert updates.statistics.errors["ServerError"] >= 3


@pytest.mark.long
@pytest.mark.unmeasured
async def test_a_single_server_error_is_not_reported() -> None:
    async with a_fleet(vehicles=6, accounts=1, retry=ONCE) as fleet:
        fleet.simulator.script(ScriptedFault(fault=ServerFault(502), path="/status", times=1))
        async with watch(fleet.accounts, every=EVERY) as updates:
            events = await updates_of(updates, 3_600)
            assert all(isinstance(event, Update) for event in events)
            assert updates.statistics.errors == {"ServerError": 1}


# ------------------------------------------------------------------------------------------- outages


@pytest.mark.unmeasured
@pytest.mark.long
async def test_an_outage_is_reported_once_probed_and_ends() -> None:
    outage = Faults(windows=[FaultWindow(fault=ServerFault(503), since=3_600.0, until=4 * 3_600.0)])
    async with (
        a_fleet(vehicles=12, faults=outage, retry=ONCE, token_lifetime=1e6) as fleet,
        watch(fleet.accounts, every=EVERY) as updates,
    ):
        await updates_of(updates, 3_500)
        started = await until(updates, Outage)
        assert isinstance(started.error, ServerError)
        during = requests(fleet)
        fleet.world.add_trip(fleet.vehicles[5])
        assert updates.statistics.outage is not None
        recovered = await until(updates, Recovered, within=4 * 3_600)
        assert (recovered.account, recovered.vehicle) == (None, None)
        assert 3 * 3_600 - 400 <= recovered.after <= 3 * 3_600 + 400
        assert requests(fleet) - during <= 3 * 3_600 / 300 + 15
        update = await until(updates, Update, within=900)
        assert update.vehicle.id == fleet.vehicles[5]
        assert updates.statistics.outage is None


@pytest.mark.unmeasured
@pytest.mark.long
async def test_an_outage_from_the_start_loses_no_account() -> None:
    outage = Faults(windows=[FaultWindow(fault=kinds.ConnectionRefused(), since=0.0, until=3_600.0)])
    async with (
        a_fleet(vehicles=6, accounts=6, faults=outage, retry=ONCE) as fleet,
        watch(fleet.accounts, every=EVERY) as updates,
    ):
        await until(updates, Outage)
        await until(updates, Recovered, within=2 * 3_600)
        await updates_of(updates, 2 * 3_600)
        assert updates.statistics.vehicles == 6


@pytest.mark.long
@pytest.mark.unmeasured
async def test_html_responses_are_an_outage_and_lose_no_account() -> None:
    maintenance = Faults(windows=[FaultWindow(fault=kinds.HtmlError(200), since=3_600.0, until=5 * 3_600.0)])
    async with (
        a_fleet(vehicles=3, accounts=1, faults=maintenance, retry=ONCE, token_lifetime=1e6) as fleet,
        watch(fleet.accounts, every=EVERY, relist=timedelta(hours=1)) as updates,
    ):
        await updates_of(updates, 3_500)
        events = await updates_of(updates, 5 * 3_600)
        assert [type(event) for event in events] == [Outage, Recovered]
        assert isinstance(events[0], Outage)
        assert isinstance(events[0].error, NotHalError)


async def test_an_error_response_of_the_api_ends_an_outage() -> None:
    outage = FaultWindow(fault=kinds.ConnectionRefused(), since=0.0, until=3_600.0)
    after = FaultWindow(fault=ServerFault(403, 40300), since=3_600.0, until=1e9)
    async with (
        a_fleet(faults=Faults(windows=[outage, after]), accounts=1, retry=ONCE, token_lifetime=1e6) as fleet,
        watch(fleet.accounts, every=EVERY) as updates,
    ):
        events = await updates_of(updates, 2 * 3_600)
        assert [type(event) for event in events] == [Outage, Recovered, AccountLost]


@pytest.mark.long
@pytest.mark.unmeasured
async def test_a_vehicle_that_always_fails_does_not_prolong_an_outage() -> None:
    outage = Faults(windows=[FaultWindow(fault=ServerFault(503), since=3_600.0, until=2 * 3_600.0)])
    async with a_fleet(vehicles=6, faults=outage, retry=ONCE) as fleet:
        for broken in fleet.vehicles[:2]:
            fleet.simulator.script(ScriptedFault(fault=ServerFault(500, 50038), path=broken, times=100_000))
        async with watch(fleet.accounts, every=EVERY) as updates:
            await until(updates, Outage, within=2 * 3_600)
            await until(updates, Recovered, vehicle=None, within=2 * 3_600)


@pytest.mark.unmeasured
@pytest.mark.parametrize("what", [("maintenance", "status"), ("status", "maintenance")])
@pytest.mark.long
async def test_a_missing_link_does_not_end_an_outage(what: tuple[str, ...]) -> None:
    outage = Faults(windows=[FaultWindow(fault=kinds.ConnectionRefused(), since=3_600.0, until=25 * 3_600.0)])
    async with a_fleet(vehicles=6, accounts=1, faults=outage, retry=ONCE, token_lifetime=1e6) as fleet:
        fleet.simulator.script(ScriptedFault(fault=kinds.VanishedFields(("maintenance",)), path="/user/vehicles$"))
        async with watch(fleet.accounts, every=2 * EVERY, what=what, adapt=None) as updates:
            await updates_of(updates, 1_800)
            assert updates.statistics.errors["LinkNotFoundError"] >= 6
            events = await updates_of(updates, 24 * 3_600)
            assert [type(event) for event in events] == [Outage]


@pytest.mark.long
@pytest.mark.unmeasured
async def test_an_exhausted_budget_is_an_outage() -> None:
    limits = SubscriptionLimits(per_second=100, per_day=300)
    async with (
        a_fleet(vehicles=4, limits=limits, rate_limits=RateLimits(100, 300)) as fleet,
        watch(fleet.accounts, every=timedelta(hours=1), what="status", repeats=True) as updates,
    ):
        await until(updates, Update)
        while (fleet.client.limiter.statistics.free_today or 0) > 0:
            await fleet.accounts[0].get(f"{fleet.simulator.url}/user")
        outage = await until(updates, Outage, within=4 * 3_600)
        assert isinstance(outage.error, BudgetExhaustedError)
        await until(updates, Recovered, within=25 * 3_600)
        assert fleet.simulator.statistics.refused == 0


@pytest.mark.long
@pytest.mark.unmeasured
async def test_a_retry_after_of_hours_is_respected() -> None:
    """Nothing is sent to the API; tokens that live on need no renewal, which would go to the identity server."""
    async with a_fleet(vehicles=4, token_lifetime=1e6) as fleet, watch(fleet.accounts, every=EVERY) as updates:
        await updates_of(updates, 900)
        fleet.simulator.script(ScriptedFault(fault=TooManyRequests(retry_after="7200")))
        outage = await until(updates, Outage)
        assert isinstance(outage.error, RateLimitedError)
        before = requests(fleet)
        await updates_of(updates, 6_000)
        assert requests(fleet) == before
        await until(updates, Recovered)


@pytest.mark.long
@pytest.mark.unmeasured
@pytest.mark.parametrize("fault", [kinds.CutBody(), kinds.HtmlError(200)])
@pytest.mark.parametrize("trips", [3, deep(12)])
async def test_random_faults_lose_no_trip(fault: kinds.Fault, trips: int) -> None:
    faults = Faults(random=[RandomFault(fault=fault, rate=0.3, path="/connectedcar/")], seed=3)
    async with a_fleet(vehicles=3, accounts=1, faults=faults) as fleet:
        driven, found = list[str](), list[str | None]()
        async with watch(fleet.accounts, every=EVERY, what="trips") as updates:
            await updates_of(updates, trips / 4 * 3_600)
            for number in range(trips):
                driven.append(fleet.world.add_trip(fleet.vehicles[number % 3]).id)
                found += [
                    event.trip.id
                    for event in await updates_of(updates, 900)
                    if isinstance(event, Update) and event.trip is not None
                ]
            found += [
                event.trip.id
                for event in await updates_of(updates, trips * 3_600)
                if isinstance(event, Update) and event.trip is not None
            ]
        assert sorted(filter(None, found)) == sorted(driven)


async def test_leaving_during_an_outage_does_not_wait() -> None:
    async with a_fleet(
        faults=Faults(windows=[FaultWindow(fault=kinds.ConnectionRefused(), since=0.0, until=1e9)])
    ) as fleet:
        with anyio.fail_after(700):
            async with watch(fleet.accounts, every=EVERY) as updates:
                await anyio.sleep(600)
                assert updates.statistics.vehicles == 0


# ------------------------------------------------------------------------------------------- removed during a failure


async def test_an_account_removed_while_its_listing_fails_is_gone() -> None:
    slow = Faults(latency=Latency(30.0), windows=[FaultWindow(fault=ServerFault(503), since=0.0, until=1e9)])
    async with a_fleet(faults=slow, retry=ONCE) as fleet, watch(fleet.accounts, every=EVERY) as updates:
        await anyio.sleep(20)
        assert updates.remove("account-0000")
        await updates_of(updates, 600)
        assert updates.statistics.accounts == 1


@pytest.mark.long
async def test_an_account_removed_while_it_fails_is_not_reported() -> None:
    async with (
        a_fleet(faults=Faults(latency=Latency(8.0))) as fleet,
        watch(fleet.accounts, every=EVERY) as updates,
    ):
        await updates_of(updates, 900)
        await fleet.lose_consent("account-0000")
        updates.poll_now(fleet.vehicles[0])
        await anyio.sleep(4)
        assert updates.remove("account-0000")
        assert await updates_of(updates, 3_600) == []


async def test_vehicles_without_id_and_link_are_listed_again() -> None:
    vanished = kinds.VanishedFields(("id", "self"))
    async with a_fleet(vehicles=2, accounts=1) as fleet:
        fleet.simulator.script(ScriptedFault(fault=vanished, path="/user/vehicles$"))
        async with watch(fleet.accounts, every=EVERY) as updates:
            await updates_of(updates, 10)
            assert updates.statistics.vehicles == 0
            await updates_of(updates, 10)
            assert updates.statistics.vehicles == 2
