"""Failures that concern many accounts, or one kind of request only: reported once, ended once."""

from collections import Counter
from datetime import timedelta
from typing import Any

import anyio
import pytest

from stellantis_hal.errors import RateLimitedError
from stellantis_hal.fleet import AccountLost, Outage, Recovered, Update, VehicleUnavailable, Watch, WatchEvent, watch
from stellantis_hal.simulator import Fault, Faults, FaultWindow, ServerFault
from stellantis_hal.simulator.faults import kinds
from stellantis_hal.transport.retry import RetryPolicy
from tests.fleet.fleets import EPOCH, Fleet, a_fleet
from tests.support.profiles import scenario

pytestmark = pytest.mark.anyio
EVERY = timedelta(minutes=10)
HOUR = 3_600.0
BEGAN, ENDED = 0.5 * HOUR, 4.5 * HOUR
LISTINGS = "/user/vehicles$"
ONCE = RetryPolicy(attempts=1)


def failing(path: str, fault: Fault, *, since: float = BEGAN, until: float = ENDED) -> FaultWindow:
    return FaultWindow(fault=fault, since=since, until=until, path=path)


async def follow(updates: Watch, fleet: Fleet, *, until: float) -> list[WatchEvent]:
    """Return the events until an instant, in seconds since the start."""
    events: list[WatchEvent] = []
    with anyio.move_on_after(until - (fleet.simulator.now() - EPOCH).total_seconds()):
        async for event in updates:
            events.append(event)  # noqa: PERF401 - events before the timeout are kept
    return events


def told(events: list[WatchEvent]) -> list[tuple[Any, ...]]:
    """Return what the events tell of failures: their class, kind of data, and account."""
    return [
        (type(event), getattr(event, "what", None), getattr(event, "account", None))
        for event in events
        if not isinstance(event, Update)
    ]


# ------------------------------------------------------------------------------------------- 429


@pytest.mark.unmeasured
@pytest.mark.long
@pytest.mark.parametrize("wait", ["1", scenario(None), scenario("60")])
async def test_a_429_on_one_kind_is_an_outage_of_it_once(wait: str | None) -> None:
    """The first 429 may concern all; once statuses are served in spite of it, the trips alone are out."""
    faults = Faults(windows=[failing("/trips", ServerFault(429, retry_after=wait))])
    async with (
        a_fleet(vehicles=3, accounts=3, faults=faults, retry=ONCE, token_lifetime=1e6) as fleet,
        watch(fleet.accounts, every=EVERY, what=("trips", "status"), adapt=None) as updates,
    ):
        before = await follow(updates, fleet, until=ENDED - 60)
        assert updates.statistics.kind_outages.keys() == {"trips"}
        assert updates.statistics.outage is None
        counted = Counter(told(before))
        assert counted[Outage, "trips", None] == 1
        assert counted[Outage, None, None] == counted[Recovered, None, None] <= 2
        assert counted.keys() == {(Outage, "trips", None), (Outage, None, None), (Recovered, None, None)}
        [outage] = [event for event in before if isinstance(event, Outage) and event.what]
        assert isinstance(outage.error, RateLimitedError)
        for vehicle in fleet.vehicles:
            fleet.world.add_trip(vehicle)
        after = await follow(updates, fleet, until=ENDED + HOUR)
        assert told(after) == [(Recovered, "trips", None)]
        trips = [event for event in after if isinstance(event, Update) and event.trip is not None]
        assert sorted(str(event.vehicle.id) for event in trips) == sorted(fleet.vehicles)


@pytest.mark.long
@pytest.mark.unmeasured
async def test_waits_after_the_429_of_one_kind_are_no_outage() -> None:
    """The server demands a quarter of an hour each time, in which nothing is sent: the cause was told."""
    faults = Faults(windows=[failing("/trips", ServerFault(429, retry_after="900"))])
    async with (
        a_fleet(vehicles=3, accounts=3, faults=faults, retry=ONCE, token_lifetime=1e6) as fleet,
        watch(fleet.accounts, every=EVERY, what=("trips", "status"), adapt=None) as updates,
    ):
        events = await follow(updates, fleet, until=ENDED + HOUR)
        counted = Counter(told(events))
        assert counted[Outage, "trips", None] == counted[Recovered, "trips", None] == 1
        assert counted[Outage, None, None] == counted[Recovered, None, None] <= 3
        assert counted[VehicleUnavailable, "status", None] == 0


async def test_an_outage_of_all_is_told_beside_a_429_of_one_kind() -> None:
    """The server fails whole while the client waits because of the trips."""
    windows = [
        failing("", ServerFault(500), since=3.1 * HOUR, until=3.9 * HOUR),
        failing("/trips", ServerFault(429, retry_after="900")),
    ]
    async with (
        a_fleet(vehicles=3, accounts=3, faults=Faults(windows=windows), retry=ONCE, token_lifetime=1e6) as fleet,
        watch(fleet.accounts, every=EVERY, what=("trips", "status"), adapt=None) as updates,
    ):
        before = Counter(told(await follow(updates, fleet, until=3.1 * HOUR)))
        during = told(await follow(updates, fleet, until=3.9 * HOUR))
        after = Counter(told(await follow(updates, fleet, until=ENDED + 2 * HOUR)))
        assert before[Outage, None, None] == before[Recovered, None, None]
        assert during == [(Outage, None, None)]
        counted = before + Counter(during) + after
        for what in (None, "trips"):
            assert counted[Outage, what, None] == counted[Recovered, what, None] >= 1


@pytest.mark.long
async def test_a_429_on_listings_alone_is_no_repeated_outage() -> None:
    faults = Faults(windows=[failing(LISTINGS, ServerFault(429, retry_after="1"))])
    async with (
        a_fleet(vehicles=6, accounts=6, faults=faults, retry=ONCE, token_lifetime=1e6) as fleet,
        watch(fleet.accounts, every=EVERY, relist=timedelta(hours=1), adapt=None) as updates,
    ):
        events = await follow(updates, fleet, until=ENDED + HOUR)
        counted = Counter(event[:2] for event in told(events))
        assert counted[Outage, "vehicles"] == counted[Recovered, "vehicles"] <= 1
        assert counted[Outage, None] == counted[Recovered, None] <= 5
        assert sum(counted.values()) <= 12


# ------------------------------------------------------------------------------------------- listings


@pytest.mark.unmeasured
@pytest.mark.long
@pytest.mark.parametrize("fault", [ServerFault(500), scenario(kinds.HtmlError(200))])
async def test_listings_of_many_accounts_that_fail_are_one_outage(fault: Fault) -> None:
    """The vehicles are polled as ever, and all accounts are listed soon after the end."""
    accounts, ended = 30, 2 * HOUR
    faults = Faults(windows=[failing(LISTINGS, fault, until=ended)])
    async with (
        a_fleet(vehicles=accounts, accounts=accounts, faults=faults, retry=ONCE, token_lifetime=1e6) as fleet,
        watch(fleet.accounts, every=3 * EVERY, what="status", relist=timedelta(hours=1), adapt=None) as updates,
    ):
        before = await follow(updates, fleet, until=ended - 60)
        assert told(before) == [(Outage, "vehicles", None)]
        assert updates.statistics.kind_outages.keys() == {"vehicles"}
        [outage] = [event for event in before if isinstance(event, Outage)]
        assert outage.accounts is not None
        assert outage.accounts >= 3
        assert outage.server is not None
        assert outage.id.startswith(f"{outage.server}/vehicles/outage/")
        after = await follow(updates, fleet, until=ended + 1_000)
        assert told(after) == [(Recovered, "vehicles", None)]
        [recovered] = [event for event in after if isinstance(event, Recovered)]
        assert recovered.server == outage.server
        assert updates.statistics.kind_outages == {}
        rest = await follow(updates, fleet, until=ended + 1.5 * HOUR)
        assert told(rest) == []


async def test_an_account_removed_during_an_outage_is_not_listed() -> None:
    faults = Faults(windows=[failing(LISTINGS, ServerFault(500), until=2 * HOUR)])
    async with (
        a_fleet(vehicles=4, accounts=4, faults=faults, retry=ONCE, token_lifetime=1e6) as fleet,
        watch(fleet.accounts, every=3 * EVERY, what="status", relist=timedelta(hours=1), adapt=None) as updates,
    ):
        assert told(await follow(updates, fleet, until=2 * HOUR - 60)) == [(Outage, "vehicles", None)]
        assert updates.statistics.kind_outages.keys() == {"vehicles"}
        assert updates.remove(fleet.accounts[0])
        assert told(await follow(updates, fleet, until=2 * HOUR + 1_000)) == [(Recovered, "vehicles", None)]
        assert updates.statistics.accounts == updates.statistics.vehicles == 3


@pytest.mark.unmeasured
async def test_a_lost_account_ends_its_outage() -> None:
    """Its consent is withdrawn while its vehicles cannot be listed."""
    faults = Faults(windows=[failing(LISTINGS, ServerFault(500))])
    async with (
        a_fleet(vehicles=2, accounts=2, faults=faults, retry=ONCE) as fleet,
        watch(fleet.accounts, every=EVERY, what="status", relist=timedelta(minutes=30), adapt=None) as updates,
    ):
        first, second = (account.key for account in fleet.accounts)
        before = told(await follow(updates, fleet, until=2 * HOUR))
        assert sorted(before) == [(Outage, None, first), (Outage, None, second)]
        await fleet.lose_consent(first)
        after = told(await follow(updates, fleet, until=ENDED + HOUR))
        assert after == [(Recovered, None, first), (AccountLost, None, first), (Recovered, None, second)]


# ------------------------------------------------------------------------------------------- identity servers


@pytest.mark.parametrize(("accounts", "hours"), [(4, 2), scenario(15, 5)])
@pytest.mark.long
async def test_renewals_that_fail_for_all_but_one_are_one_outage(accounts: int, hours: int) -> None:
    """The server renews the tokens of one brand only; those of the others fail for hours."""
    url = "https://idpcvs.peugeot.com.simulator.test/{domain}/am/oauth2"
    windows: list[FaultWindow] = []
    async with a_fleet(vehicles=accounts, accounts=accounts, identity_url=url, faults=Faults(windows=windows)) as fleet:
        served = fleet.world.accounts[0].domain
        windows.append(
            failing(rf"^/(?!{served}/)[^/]+/.*access_token", kinds.OAuthFault(), since=0.0, until=hours * HOUR)
        )
        async with watch(fleet.accounts, every=EVERY, what="status", adapt=None) as updates:
            before = await follow(updates, fleet, until=hours * HOUR - 60)
            assert list(updates.statistics.identity_outages) == ["idpcvs.peugeot.com.simulator.test"]
            after = await follow(updates, fleet, until=(hours + 1) * HOUR)
            events = [event for event in before + after if isinstance(event, Outage | Recovered)]
            assert len(told(before + after)) == len(events)
            assert {event.server for event in events} == {"idpcvs.peugeot.com.simulator.test"}
            several = [event for event in events if isinstance(event, Outage) and event.accounts is not None]
            assert len(several) == 1
            kinds_of = [(type(event), event.account) for event in events]
            assert kinds_of[-2:] == [(Outage, None), (Recovered, None)]
            assert kinds_of[:-2] in ([], [(Outage, None), (Recovered, None)])
            assert updates.statistics.identity_outages == {}
            assert updates.statistics.unavailable == updates.statistics.accounts_lost == 0


@pytest.mark.long
@pytest.mark.unmeasured
async def test_an_account_refused_at_last_ends_its_outage() -> None:
    """Its renewals alone fail for an hour; then the server says that its consent was withdrawn."""
    url = "https://idpcvs.peugeot.com.simulator.test/{domain}/am/oauth2"
    windows: list[FaultWindow] = []
    async with a_fleet(vehicles=4, accounts=4, identity_url=url, faults=Faults(windows=windows)) as fleet:
        alone = fleet.world.accounts[0]
        path = f"{alone.domain}/.*access_token"
        windows.append(failing(path, kinds.OAuthFault(), since=0.0, until=3 * HOUR))
        async with watch(fleet.accounts, every=EVERY, what="status", adapt=None) as updates:
            before = told(await follow(updates, fleet, until=3 * HOUR - 60))
            assert before[-1] == (Outage, None, alone.key)
            await fleet.lose_consent(alone.key)
            after = told(await follow(updates, fleet, until=4 * HOUR))
            assert after == [(Recovered, None, alone.key), (AccountLost, None, alone.key)]
