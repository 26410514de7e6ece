"""What goes wrong with one leaves the others alone; what goes wrong with all is told, and passes."""

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
    Subscription,
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


async def test_an_account_that_must_consent_again_is_told_once_and_the_rest_goes_on() -> None:
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


async def test_an_account_that_consented_again_comes_back_at_once_when_it_is_added() -> None:
    async with a_fleet(vehicles=4, accounts=2) as fleet, watch(fleet.accounts, every=EVERY) as updates:
        await updates_of(updates, 900)
        await fleet.lose_consent("account-0000")
        await until(updates, AccountLost)
        updates.add(fleet.account("account-0000"))
        recovered = await until(updates, Recovered, within=60)
        assert (recovered.account, recovered.vehicle) == ("account-0000", None)
        fleet.world.add_trip(fleet.vehicles[0])
        assert (await until(updates, Update)).account == "account-0000"


async def test_an_account_whose_store_gets_a_new_token_comes_back_by_itself() -> None:
    async with a_fleet(vehicles=4, accounts=2) as fleet, watch(fleet.accounts, every=EVERY) as updates:
        await updates_of(updates, 900)
        await fleet.lose_consent("account-0000")
        lost = await until(updates, AccountLost)
        await fleet.consent("account-0000")
        recovered = await until(updates, Recovered, account=lost.account, within=24 * 3_600)
        assert recovered.after >= lost.again_in


async def test_an_account_of_many_vehicles_is_tried_again_when_it_was_said() -> None:
    slow = Faults(latency=Latency(1.0))
    async with (
        a_fleet(vehicles=12, accounts=1, faults=slow) as fleet,
        watch(fleet.accounts, every=None, what="status", budget=RateLimits(50, None)) as updates,
    ):
        await updates_of(updates, 120)
        await fleet.lose_consent("account-0000")
        lost = await until(updates, AccountLost)
        await updates_of(updates, 60)  # and whatever was under way
        await fleet.consent("account-0000")
        recovered = await until(updates, Recovered, within=24 * 3_600)
        assert lost.again_in == 900.0
        assert lost.again_in <= recovered.after <= lost.again_in + 10


async def test_an_account_that_is_lost_from_the_start_is_told() -> None:
    async with a_fleet(vehicles=4, accounts=2) as fleet:
        await fleet.lose_consent("account-0001")
        async with watch(fleet.accounts, every=EVERY) as updates:
            assert (await until(updates, AccountLost)).account == "account-0001"
            await updates_of(updates, 3_600)
            assert updates.statistics.vehicles == 2


@pytest.mark.parametrize("fault", [kinds.VanishedFields(("vehicles", "vehicle")), kinds.ForeignLink("vehicles")])
async def test_an_account_whose_entry_led_nowhere_comes_back_when_it_leads_to_vehicles(fault: kinds.Fault) -> None:
    async with a_fleet(vehicles=2, accounts=1) as fleet:
        fleet.simulator.script(ScriptedFault(fault=fault, path="/user$"))
        async with watch(fleet.accounts, every=EVERY) as updates:
            lost = await until(updates, AccountLost)
            assert isinstance(lost.error, HalError)
            assert (await until(updates, Recovered)).after <= lost.again_in + 10
            await updates_of(updates, 600)
            assert updates.statistics.vehicles == 2


async def test_a_vehicle_by_itself_whose_account_is_lost_comes_back_by_itself() -> None:
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


async def test_a_token_refused_now_and_then_is_no_lost_account() -> None:
    async with a_fleet() as fleet, watch(fleet.accounts, every=EVERY) as updates:
        await updates_of(updates, 900)
        fleet.simulator.script(
            ScriptedFault(fault=ServerFault(401, 40100), path=f"{fleet.vehicles[0]}/status", times=2)
        )
        assert await updates_of(updates, 3_600) == []
        assert updates.statistics.errors == {"UnauthorizedError": 1}


async def test_tokens_refused_again_and_again_are_a_lost_account() -> None:
    async with a_fleet() as fleet, watch(fleet.accounts, every=EVERY) as updates:
        await updates_of(updates, 900)
        fleet.simulator.script(ScriptedFault(fault=ServerFault(401, 40100), path=fleet.vehicles[0], times=1_000))
        lost = await until(updates, AccountLost)
        assert isinstance(lost.error, UnauthorizedError)


async def test_renewed_tokens_disturb_nothing() -> None:
    async with a_fleet(token_lifetime=600.0) as fleet, watch(fleet.accounts, every=EVERY) as updates:
        await updates_of(updates, 900)
        assert await updates_of(updates, 6 * 3_600) == []
        assert fleet.simulator.statistics.renewals > 40
        assert updates.statistics.errors == {}


# ------------------------------------------------------------------------------------------- vehicles


async def test_a_vehicle_that_is_forbidden_backs_off_alone_and_comes_back() -> None:
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


async def test_what_else_there_is_about_a_vehicle_goes_on() -> None:
    async with a_fleet(vehicles=1, accounts=1) as fleet:
        fleet.simulator.script(ScriptedFault(fault=ServerFault(404, 1001), path="/status", times=1_000))
        async with watch(fleet.accounts, every=EVERY) as updates:
            assert isinstance((await until(updates, VehicleUnavailable)).error, NotFoundError)
            await updates_of(updates, 3_600)
            fleet.world.add_trip(fleet.vehicles[0])
            assert (await until(updates, Update, within=900)).what == "trips"


async def test_a_vehicle_that_is_unavailable_as_a_whole_is_asked_less_and_less_often() -> None:
    async with a_fleet(vehicles=2, accounts=1) as fleet:
        broken = fleet.vehicles[0]
        fleet.simulator.script(
            ScriptedFault(fault=ServerFault(403, 40300), path=f"{broken}/(status|trips)", times=10_000)
        )
        async with watch(fleet.accounts, every=EVERY) as updates:
            await updates_of(updates, 24 * 3_600)
            assert fleet.simulator.statistics.by_status[403] <= 20


async def test_one_vehicle_whose_server_fails_is_no_outage() -> None:
    async with a_fleet(vehicles=6, accounts=1, retry=ONCE) as fleet:
        broken = fleet.vehicles[3]
        fleet.simulator.script(ScriptedFault(fault=ServerFault(500, 50038), path=f"{broken}/trips", times=10_000))
        async with watch(fleet.accounts, every=EVERY) as updates:
            events = [event for event in await updates_of(updates, 2 * 3_600) if not isinstance(event, Update)]
            assert [type(event) for event in events] == [VehicleUnavailable]
            assert isinstance(events[0], VehicleUnavailable)
            assert isinstance(events[0].error, ServerError)
            assert updates.statistics.errors["ServerError"] >= 3


async def test_a_single_failure_of_a_server_is_not_worth_telling() -> None:
    async with a_fleet(vehicles=6, accounts=1, retry=ONCE) as fleet:
        fleet.simulator.script(ScriptedFault(fault=ServerFault(502), path="/status", times=1))
        async with watch(fleet.accounts, every=EVERY) as updates:
            events = await updates_of(updates, 3_600)
            assert all(isinstance(event, Update) for event in events)
            assert updates.statistics.errors == {"ServerError": 1}


# ------------------------------------------------------------------------------------------- everything


async def test_an_outage_of_hours_is_told_once_probed_and_passes() -> None:
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


async def test_an_outage_from_the_start_keeps_nobody_out() -> None:
    outage = Faults(windows=[FaultWindow(fault=kinds.Refused(), since=0.0, until=3_600.0)])
    async with (
        a_fleet(vehicles=6, accounts=6, faults=outage, retry=ONCE) as fleet,
        watch(fleet.accounts, every=EVERY) as updates,
    ):
        await until(updates, Outage)
        await until(updates, Recovered, within=2 * 3_600)
        await updates_of(updates, 2 * 3_600)
        assert updates.statistics.vehicles == 6


async def test_pages_for_people_instead_of_answers_are_an_outage_and_nobody_is_lost() -> None:
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


async def test_an_answer_that_says_no_ends_an_outage_too() -> None:
    outage = FaultWindow(fault=kinds.Refused(), since=0.0, until=3_600.0)
    after = FaultWindow(fault=ServerFault(403, 40300), since=3_600.0, until=1e9)
    async with (
        a_fleet(faults=Faults(windows=[outage, after]), accounts=1, retry=ONCE, token_lifetime=1e6) as fleet,
        watch(fleet.accounts, every=EVERY) as updates,
    ):
        events = await updates_of(updates, 2 * 3_600)
        assert [type(event) for event in events] == [Outage, Recovered, AccountLost]


async def test_a_vehicle_that_fails_for_ever_does_not_make_an_outage_last() -> None:
    outage = Faults(windows=[FaultWindow(fault=ServerFault(503), since=3_600.0, until=2 * 3_600.0)])
    async with a_fleet(vehicles=6, faults=outage, retry=ONCE) as fleet:
        for broken in fleet.vehicles[:2]:
            fleet.simulator.script(ScriptedFault(fault=ServerFault(500, 50038), path=broken, times=100_000))
        async with watch(fleet.accounts, every=EVERY) as updates:
            await until(updates, Outage, within=2 * 3_600)
            await until(updates, Recovered, vehicle=None, within=2 * 3_600)


@pytest.mark.parametrize("what", [("maintenance", "status"), ("status", "maintenance")])
async def test_a_link_that_is_missing_is_no_proof_that_the_network_works(what: tuple[str, ...]) -> None:
    outage = Faults(windows=[FaultWindow(fault=kinds.Refused(), since=3_600.0, until=25 * 3_600.0)])
    async with a_fleet(vehicles=6, accounts=1, faults=outage, retry=ONCE, token_lifetime=1e6) as fleet:
        fleet.simulator.script(ScriptedFault(fault=kinds.VanishedFields(("maintenance",)), path="/user/vehicles$"))
        async with watch(fleet.accounts, every=2 * EVERY, what=what, adapt=None) as updates:
            await updates_of(updates, 1_800)
            assert updates.statistics.errors["LinkNotFoundError"] >= 6
            events = await updates_of(updates, 24 * 3_600)
            assert [type(event) for event in events] == [Outage]


async def test_a_day_that_is_spent_is_an_outage_until_there_is_budget_again() -> None:
    limits = Subscription(per_second=100, per_day=300)
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


async def test_a_server_that_says_come_back_in_hours_is_believed() -> None:
    async with a_fleet(vehicles=4) as fleet, watch(fleet.accounts, every=EVERY) as updates:
        await updates_of(updates, 900)
        fleet.simulator.script(ScriptedFault(fault=TooManyRequests(retry_after="7200")))
        outage = await until(updates, Outage)
        assert isinstance(outage.error, RateLimitedError)
        before = requests(fleet)
        await updates_of(updates, 6_000)
        assert requests(fleet) == before
        await until(updates, Recovered)


@pytest.mark.parametrize("fault", [kinds.CutBody(), kinds.HtmlError(200)])
@pytest.mark.parametrize("trips", [3, deep(12)])
async def test_bad_weather_loses_no_trip(fault: kinds.Fault, trips: int) -> None:
    weather = Faults(random=[RandomFault(fault=fault, rate=0.3, path="/connectedcar/")], seed=3)
    async with a_fleet(vehicles=3, accounts=1, faults=weather) as fleet:
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


async def test_a_watch_waits_no_longer_than_it_has_to_after_leaving_in_an_outage() -> None:
    async with a_fleet(faults=Faults(windows=[FaultWindow(fault=kinds.Refused(), since=0.0, until=1e9)])) as fleet:
        with anyio.fail_after(700):
            async with watch(fleet.accounts, every=EVERY) as updates:
                await anyio.sleep(600)
                assert updates.statistics.vehicles == 0


# ------------------------------------------------------------------------------------------- removed meanwhile


async def test_an_account_removed_while_its_list_fails_is_gone() -> None:
    slow = Faults(latency=Latency(30.0), windows=[FaultWindow(fault=ServerFault(503), since=0.0, until=1e9)])
    async with a_fleet(faults=slow, retry=ONCE) as fleet, watch(fleet.accounts, every=EVERY) as updates:
        await anyio.sleep(20)
        assert updates.remove("account-0000")
        await updates_of(updates, 600)
        assert updates.statistics.accounts == 1


async def test_an_account_removed_while_it_is_being_lost_is_not_told_of() -> None:
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


async def test_vehicles_that_have_neither_id_nor_address_are_passed_over() -> None:
    vanished = kinds.VanishedFields(("id", "self"))
    async with a_fleet(vehicles=2, accounts=1) as fleet:
        fleet.simulator.script(ScriptedFault(fault=vanished, path="/user/vehicles$"))
        async with watch(fleet.accounts, every=EVERY, relist=timedelta(hours=1)) as updates:
            await updates_of(updates, 900)
            assert updates.statistics.vehicles == 0
            await updates_of(updates, 2 * 3_600)
            assert updates.statistics.vehicles == 2
