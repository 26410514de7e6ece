"""Outages of identity servers in a watch, for hours of jumped time."""

import re
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any

import anyio
import attrs
import pytest

from stellantis_hal.credentials.stores.memory import MemoryTokenStore
from stellantis_hal.credentials.token import Token
from stellantis_hal.errors import ApiError, ConsentRequiredError, NetworkError, TokenStoreError
from stellantis_hal.fleet import AccountLost, Outage, Recovered, Update, Watch, WatchEvent, backfill, watch
from stellantis_hal.simulator import (
    ConnectionRefused,
    Delay,
    Fault,
    Faults,
    FaultWindow,
    HtmlError,
    ServerFault,
    SubscriptionLimits,
    World,
)
from stellantis_hal.simulator.faults import kinds
from tests.fleet.fleets import EPOCH, Fleet, a_fleet, updates_of
from tests.support.identity_faults import IDENTITY_FAULTS
from tests.support.profiles import deep, scenario
from tests.support.simulated import account_of, token_of

pytestmark = pytest.mark.anyio
EVERY = timedelta(minutes=5)
HOUR = 3_600.0
PROMISED = 300.0
"""Seconds from the recovery of an identity server to the polls of its accounts."""
ONE_SERVER = "https://idpcvs.peugeot.com.simulator.test/am/oauth2"
EACH_BRAND = "https://idpcvs.{domain}.simulator.test/{domain}/am/oauth2"


KINDS = ("html", "login page", "unauthorized", "refused", "silent", "server_error")
"""A page, a redirect, a status, no connection, no response and an error of OAuth: one fault of each kind."""


def down(fault: Fault, *, since: float, until: float, path: str = "access_token") -> Faults:
    return Faults(windows=[FaultWindow(fault=fault, since=since, until=until, path=path)])


@attrs.define
class Log:
    """Events of a watch and requests to the identity servers, in seconds since the start."""

    events: list[tuple[float, WatchEvent]] = attrs.field(factory=list)
    renewals: list[float] = attrs.field(factory=list)

    def of(self, kind: Any) -> list[Any]:
        return [event for _, event in self.events if isinstance(event, kind)]

    @property
    def failures(self) -> list[WatchEvent]:
        return [event for _, event in self.events if not isinstance(event, Update)]

    def first_update_after(self, instant: float) -> dict[str, float]:
        """Return the seconds after an instant at which each vehicle's first update came."""
        found: dict[str, float] = {}
        for at, event in self.events:
            if isinstance(event, Update) and at >= instant:
                found.setdefault(str(event.vehicle.id), at - instant)
        return found


def elapsed(fleet: Fleet) -> float:
    return (fleet.simulator.now() - EPOCH).total_seconds()


def log_of(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Log:
    log = Log()
    draw_fault = fleet.simulator.draw_fault

    def record(request: Any) -> tuple[Fault | None, float]:
        if "access_token" in request.path:
            log.renewals.append(elapsed(fleet))
        return draw_fault(request)

    monkeypatch.setattr(fleet.simulator, "draw_fault", record)
    return log


def paths_of(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list to which the path of each later request is added."""
    paths: list[str] = []
    draw_fault = fleet.simulator.draw_fault

    def record(request: Any) -> tuple[Fault | None, float]:
        paths.append(request.path)
        return draw_fault(request)

    monkeypatch.setattr(fleet.simulator, "draw_fault", record)
    return paths


async def follow(updates: Watch, fleet: Fleet, log: Log, *, until: float) -> None:
    """Record events until an instant."""
    with anyio.move_on_after(until - elapsed(fleet)):
        async for event in updates:
            log.events.append((elapsed(fleet), event))


def drive_all(fleet: Fleet) -> None:
    for vehicle in fleet.vehicles:
        fleet.world.add_trip(vehicle)


def inject(fleet: Fleet, window: FaultWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a fault by time to a simulator that runs already."""
    draw_fault = fleet.simulator.draw_fault

    def draw(request: Any) -> tuple[Fault | None, float]:
        if window.since <= elapsed(fleet) < window.until and re.search(window.path, request.path):
            return window.fault, 0.0
        return draw_fault(request)

    monkeypatch.setattr(fleet.simulator, "draw_fault", draw)


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("name", "hours"),
    [
        *((name, 0.3) for name in KINDS),
        *(scenario(name, 0.3) for name in IDENTITY_FAULTS if name not in KINDS),
        *(deep(name, 10.0) for name in IDENTITY_FAULTS),
    ],
)
@pytest.mark.long
async def test_an_identity_outage_is_reported_once_and_ends_in_time(
    name: str, hours: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tokens expire after 10 minutes of it; probes are few, and no vehicle or account is blamed."""
    began, ended = 3_000.0, 3_600.0 + hours * HOUR
    faults = down(IDENTITY_FAULTS[name], since=began, until=ended)
    async with (
        a_fleet(vehicles=3, accounts=3, faults=faults, identity_url=ONE_SERVER) as fleet,
        watch(fleet.accounts, every=EVERY, relist=timedelta(hours=1)) as updates,
    ):
        log = log_of(fleet, monkeypatch)
        await follow(updates, fleet, log, until=ended - 60)
        [outage] = log.failures
        assert isinstance(outage, Outage)
        assert (outage.server, outage.account) == ("idpcvs.peugeot.com.simulator.test", None)
        assert isinstance(outage.error, NetworkError | ApiError)
        assert outage.error.identity_server == outage.server
        assert timedelta(seconds=3_590) <= outage.since - EPOCH <= timedelta(seconds=3_599 + 400)
        statistics = updates.statistics
        assert (statistics.unavailable, statistics.accounts_lost, statistics.outage) == (0, 0, None)
        [age] = statistics.identity_outages.values()
        assert elapsed(fleet) - age == pytest.approx((outage.since - EPOCH).total_seconds())
        assert len(log.renewals) <= 3 * 4 + 3 * 12 + hours * 60 / 4 + 6
        probes = [at for at in log.renewals if at >= 3_600 + 1_200]
        assert all(60 <= later - earlier <= PROMISED for earlier, later in pairwise(probes))
        drive_all(fleet)
        await follow(updates, fleet, log, until=ended + HOUR / 2)
        [_, recovered] = log.failures
        assert isinstance(recovered, Recovered)
        assert (recovered.server, recovered.account, recovered.vehicle) == (outage.server, None, None)
        assert recovered.after == pytest.approx(ended - (outage.since - EPOCH).total_seconds(), abs=PROMISED)
        first = log.first_update_after(ended)
        assert set(first) == set(fleet.vehicles)
        assert max(first.values()) <= PROMISED
        assert updates.statistics.identity_outages == {}
        assert updates.statistics.unavailable == 0


@pytest.mark.unmeasured
@pytest.mark.long
async def test_a_living_token_serves_during_an_identity_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = down(HtmlError(200), since=600.0, until=3_598.0)
    async with (
        a_fleet(vehicles=2, accounts=1, faults=faults) as fleet,
        watch(fleet.accounts, every=timedelta(seconds=20)) as updates,
    ):
        log = log_of(fleet, monkeypatch)
        await follow(updates, fleet, log, until=3_550)
        drive_all(fleet)
        await follow(updates, fleet, log, until=3_800)
        assert log.failures == []
        assert updates.statistics.errors == {}
        assert set(log.first_update_after(3_550)) == set(fleet.vehicles)
        assert fleet.simulator.statistics.renewals == 1


@pytest.mark.unmeasured
@pytest.mark.long
async def test_accounts_of_other_identity_servers_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_fleet(vehicles=4, accounts=4, identity_url=EACH_BRAND) as fleet:
        domains = {account.key: account.domain for account in fleet.world.accounts}
        broken = domains["account-0000"]
        faults = FaultWindow(fault=kinds.OAuthFault(), since=HOUR / 2, until=6 * HOUR, path=f"{broken}/.*access_token")
        inject(fleet, faults, monkeypatch)
        async with watch(fleet.accounts, every=EVERY) as updates:
            log = log_of(fleet, monkeypatch)
            await follow(updates, fleet, log, until=4 * HOUR)
            drive_all(fleet)
            await follow(updates, fleet, log, until=6 * HOUR)
            on = {update.account for update in log.of(Update) if update.trip is not None}
            assert on == {key for key, domain in domains.items() if domain != broken}
            assert len(on) >= 2
            assert len(log.first_update_after(4 * HOUR)) == len(on)
            assert max(log.first_update_after(4 * HOUR).values()) <= 300 + 10
            await follow(updates, fleet, log, until=6 * HOUR + PROMISED)
            assert set(log.first_update_after(4 * HOUR)) == set(fleet.vehicles)
            [outage, recovered] = log.failures
            assert isinstance(outage, Outage)
            assert isinstance(recovered, Recovered)
            assert outage.server == recovered.server == f"idpcvs.{broken}.simulator.test"


@pytest.mark.long
@pytest.mark.unmeasured
@pytest.mark.parametrize(("refused", "concurrency"), [(False, 8), (True, 32), deep(False, 32), deep(True, 8)])
async def test_a_silent_identity_server_takes_no_places(
    refused: bool, concurrency: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tokens of 40 accounts have expired, or are refused, and their server accepts and says nothing."""
    world = World(seed=7, accounts=200, vehicles=200, trips=0, epoch=EPOCH)
    async with a_fleet(world=world, identity_url=EACH_BRAND, limits=SubscriptionLimits(100, 10_000_000)) as fleet:
        silent = FaultWindow(fault=Delay(1e5), since=0.0, until=1e6, path="peugeot.com/.*access_token")
        inject(fleet, silent, monkeypatch)
        sick = [account for account in fleet.accounts if account.key.endswith(("0", "5"))]
        healthy = [account for account in fleet.accounts if account.key.endswith(("1", "6"))][:5]
        if refused:
            fleet.simulator.expire_tokens()
        else:
            for account in sick:
                await fleet.stores[account.key].save(account.key, Token("old", "old", expires_at=EPOCH))
        options = {"what": ["status"], "repeats": True, "adapt": None, "concurrency": concurrency}
        async with watch([*sick, *healthy], every=timedelta(seconds=4), **options) as updates:  # type: ignore[arg-type]
            log = log_of(fleet, monkeypatch)
            await follow(updates, fleet, log, until=200)
        assert {update.account for update in log.of(Update)} == {account.key for account in healthy}
        assert len(log.of(Update)) >= 5 * 48
        assert {event.server for event in log.of(Outage)} <= {"idpcvs.peugeot.com.simulator.test"}
        assert log.of(AccountLost) == []


@pytest.mark.unmeasured
async def test_poll_now_of_a_silent_identity_server_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(seed=7, accounts=60, vehicles=60, trips=0, epoch=EPOCH)
    async with a_fleet(world=world, identity_url=EACH_BRAND) as fleet:
        sick = [account for account in fleet.accounts if account.key.endswith(("0", "5"))]
        healthy = fleet.accounts[1]
        async with watch([*sick, healthy], every=EVERY, what=["status"], repeats=True) as updates:
            log = log_of(fleet, monkeypatch)
            await follow(updates, fleet, log, until=400)
            silent = FaultWindow(fault=Delay(1e5), since=0.0, until=1e6, path="peugeot.com/.*access_token")
            inject(fleet, silent, monkeypatch)
            fleet.simulator.expire_tokens()
            log.events.clear()
            of = {account.key: fleet.world.vehicles_of(account.key)[0].id for account in [*sick, healthy]}
            updates.pause()
            updates.poll_now(*(of[account.key] for account in sick), of[healthy.key])
            await follow(updates, fleet, log, until=405)
            assert {update.account for update in log.of(Update)} == {healthy.key}


@pytest.mark.unmeasured
@pytest.mark.long
async def test_an_account_that_alone_is_not_renewed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the server has renewed the token of another account, its outage is over; the one account is told apart."""
    url = "https://idpcvs.peugeot.com.simulator.test/{domain}/am/oauth2"
    async with a_fleet(vehicles=4, accounts=4, identity_url=url) as fleet:
        [alone, *others] = fleet.world.accounts
        assert all(other.domain != alone.domain for other in others)
        faults = FaultWindow(fault=kinds.OAuthFault(), since=0, until=5 * HOUR, path=f"{alone.domain}/.*access_token")
        inject(fleet, faults, monkeypatch)
        async with watch(fleet.accounts, every=EVERY) as updates:
            log = log_of(fleet, monkeypatch)
            await follow(updates, fleet, log, until=4 * HOUR)
            drive_all(fleet)
            await follow(updates, fleet, log, until=5.5 * HOUR)
            server = "idpcvs.peugeot.com.simulator.test"
            named = [(type(event), event.server, event.account) for event in log.of(Outage | Recovered)]
            assert named[-2:] == [(Outage, server, alone.key), (Recovered, server, alone.key)]
            assert named[:-2] in ([], [(Outage, server, None), (Recovered, server, None)])
            assert len(log.failures) == len(named)
            first = log.first_update_after(4 * HOUR)
            assert max(first[id_] for id_ in fleet.vehicles[1:]) <= 310
            assert HOUR <= first[fleet.vehicles[0]] <= HOUR + PROMISED


@pytest.mark.long
@pytest.mark.unmeasured
async def test_a_token_refused_by_the_api_waits_for_its_renewal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token has not expired by the clock, but the API accepts it no longer."""
    faults = down(ServerFault(502), since=600.0, until=2 * HOUR)
    async with (
        a_fleet(vehicles=4, accounts=2, faults=faults, identity_url=ONE_SERVER, token_lifetime=1e6) as fleet,
        watch(fleet.accounts, every=EVERY) as updates,
    ):
        log = log_of(fleet, monkeypatch)
        await follow(updates, fleet, log, until=900)
        fleet.simulator.expire_tokens()
        await follow(updates, fleet, log, until=2 * HOUR)
        assert [type(event) for event in log.failures] == [Outage]
        assert updates.statistics.unavailable == 0
        drive_all(fleet)
        await follow(updates, fleet, log, until=2 * HOUR + PROMISED)
        assert [type(event) for event in log.failures] == [Outage, Recovered]
        assert set(log.first_update_after(2 * HOUR)) == set(fleet.vehicles)


@pytest.mark.long
async def test_a_token_that_is_accepted_again_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API refused a valid token for a while, and the identity server is still down."""
    refusals = FaultWindow(fault=ServerFault(401, 40100), since=900.0, until=HOUR, path="/connectedcar/")
    outage = FaultWindow(fault=ServerFault(502), since=600.0, until=1e9, path="access_token")
    async with (
        a_fleet(
            vehicles=4,
            accounts=2,
            faults=Faults(windows=[refusals, outage]),
            identity_url=ONE_SERVER,
            token_lifetime=1e6,
        ) as fleet,
        watch(fleet.accounts, every=EVERY) as updates,
    ):
        log = log_of(fleet, monkeypatch)
        await follow(updates, fleet, log, until=HOUR)
        drive_all(fleet)
        await follow(updates, fleet, log, until=2 * HOUR)
        assert [type(event) for event in log.failures] == [Outage, Recovered]
        assert max(log.first_update_after(HOUR).values()) <= PROMISED
        assert set(log.first_update_after(HOUR)) == set(fleet.vehicles)


@pytest.mark.long
async def test_a_lost_consent_shows_that_the_identity_server_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """The definite refusal shows that the server works again."""
    faults = down(ServerFault(503), since=HOUR / 2, until=4 * HOUR)
    async with (
        a_fleet(vehicles=2, accounts=1, faults=faults) as fleet,
        watch(fleet.accounts, every=EVERY) as updates,
    ):
        log = log_of(fleet, monkeypatch)
        await follow(updates, fleet, log, until=2 * HOUR)
        await fleet.lose_consent("account-0000")
        await follow(updates, fleet, log, until=5 * HOUR)
        assert [type(event) for event in log.failures] == [Outage, Recovered, AccountLost]
        assert isinstance(log.of(AccountLost)[0].error, ConsentRequiredError)


@pytest.mark.long
async def test_a_lost_account_recovers_after_an_identity_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = down(ServerFault(503), since=HOUR, until=4 * HOUR)
    async with (
        a_fleet(vehicles=2, accounts=1, faults=faults) as fleet,
        watch(fleet.accounts, every=EVERY) as updates,
    ):
        log = log_of(fleet, monkeypatch)
        await follow(updates, fleet, log, until=HOUR / 2)
        await fleet.lose_consent("account-0000")
        await follow(updates, fleet, log, until=HOUR + 600)
        issued = fleet.simulator.token_for("account-0000")
        await fleet.stores["account-0000"].save(
            "account-0000", Token("gone", issued.refresh_token, expires_at=EPOCH - timedelta(days=1))
        )
        await follow(updates, fleet, log, until=4 * HOUR)
        assert [type(event) for event in log.failures] == [AccountLost, Outage]
        drive_all(fleet)
        await follow(updates, fleet, log, until=4 * HOUR + PROMISED)
        assert [type(event) for event in log.failures] == [AccountLost, Outage, Recovered, Recovered]
        assert {event.account for event in log.of(Recovered)} == {None, "account-0000"}
        assert set(log.first_update_after(4 * HOUR)) == set(fleet.vehicles)


@pytest.mark.long
@pytest.mark.unmeasured
async def test_single_vehicles_wait_for_the_identity_server(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = down(kinds.OAuthFault(), since=HOUR / 2, until=6 * HOUR)
    async with a_fleet(vehicles=3, accounts=1, faults=faults) as fleet:
        vehicles = [vehicle async for vehicle in fleet.accounts[0].vehicles()]
        async with watch(vehicles, every=EVERY) as updates:
            log = log_of(fleet, monkeypatch)
            await follow(updates, fleet, log, until=6 * HOUR)
            assert [type(event) for event in log.failures] == [Outage]
            assert len(log.renewals) <= 4 + 6 * 15 + 6
            drive_all(fleet)
            await follow(updates, fleet, log, until=6 * HOUR + PROMISED)
            assert [type(event) for event in log.failures] == [Outage, Recovered]
            assert set(log.first_update_after(6 * HOUR)) == set(fleet.vehicles)


@pytest.mark.unmeasured
async def test_a_lost_single_vehicle_waits_for_the_identity_server(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = down(kinds.OAuthFault(), since=HOUR, until=3 * HOUR)
    async with a_fleet(vehicles=1, accounts=1, faults=faults) as fleet:
        vehicle = await fleet.accounts[0].vehicles().first()
        assert vehicle is not None
        async with watch(vehicle, every=EVERY) as updates:
            log = log_of(fleet, monkeypatch)
            await follow(updates, fleet, log, until=HOUR / 2)
            await fleet.lose_consent("account-0000")
            await follow(updates, fleet, log, until=HOUR + 60)
            issued = fleet.simulator.token_for("account-0000")
            expired = Token("gone", issued.refresh_token, expires_at=EPOCH - timedelta(days=1))
            await fleet.stores["account-0000"].save("account-0000", expired)
            await follow(updates, fleet, log, until=3 * HOUR + PROMISED)
            assert Counter(type(event) for event in log.failures) == {AccountLost: 1, Outage: 1, Recovered: 2}


@pytest.mark.unmeasured
@pytest.mark.long
async def test_expired_tokens_at_the_start_are_renewed_by_few_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """The accounts that have not failed yet wait for the probe of another one."""
    faults = down(ServerFault(503), since=0.0, until=5 * HOUR)
    async with a_fleet(vehicles=40, accounts=40, trips=40, faults=faults, identity_url=ONE_SERVER) as fleet:
        for key, store in fleet.stores.items():
            token = await store.load(key)
            assert token is not None
            await store.save(key, attrs.evolve(token, expires_at=EPOCH - timedelta(days=1)))
        async with watch(fleet.accounts, every=EVERY, concurrency=8) as updates:
            log = log_of(fleet, monkeypatch)
            await follow(updates, fleet, log, until=5 * HOUR)
            assert [type(event) for event in log.failures] == [Outage]
            assert len(log.renewals) <= 8 * 4 + 4 * (5 * 15 + 6)
            assert updates.statistics.budget is not None
            await follow(updates, fleet, log, until=5 * HOUR + PROMISED)
            assert [type(event) for event in log.failures] == [Outage, Recovered]
            assert updates.statistics.vehicles == 40


@pytest.mark.unmeasured
@pytest.mark.long
async def test_a_limit_of_the_identity_server_stops_its_accounts_only(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_fleet(vehicles=4, accounts=4, identity_url=EACH_BRAND) as fleet:
        broken = fleet.world.accounts[0].domain
        path = f"{broken}/.*access_token"
        fault = kinds.TooManyRequests(retry_after="1800")
        inject(fleet, FaultWindow(fault=fault, since=HOUR / 2, until=2 * HOUR, path=path), monkeypatch)
        async with watch(fleet.accounts, every=EVERY) as updates:
            log = log_of(fleet, monkeypatch)
            await follow(updates, fleet, log, until=2 * HOUR)
            drive_all(fleet)
            await follow(updates, fleet, log, until=2 * HOUR + 1_800 + PROMISED)
            servers = {event.server for event in log.of(Outage | Recovered)}
            assert servers <= {f"idpcvs.{broken}.simulator.test"}
            first = log.first_update_after(2 * HOUR)
            assert set(first) == set(fleet.vehicles)
            assert sum(seconds <= 310 for seconds in first.values()) >= 2
            assert len([at for at in log.renewals if at > HOUR]) <= 2 * 4 + 3 * 3


@pytest.mark.long
@pytest.mark.unmeasured
async def test_poll_now_ends_the_wait_once_the_identity_server_works(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = down(ServerFault(503), since=HOUR / 2, until=3 * HOUR)
    async with (
        a_fleet(vehicles=4, accounts=2, faults=faults, identity_url=ONE_SERVER) as fleet,
        watch(fleet.accounts, every=EVERY) as updates,
    ):
        log = log_of(fleet, monkeypatch)
        await follow(updates, fleet, log, until=2 * HOUR)
        updates.poll_now(*fleet.vehicles)
        drive_all(fleet)
        await follow(updates, fleet, log, until=3 * HOUR + 1)
        assert [type(event) for event in log.failures] == [Outage]
        updates.poll_now(fleet.vehicles[3])
        await follow(updates, fleet, log, until=3 * HOUR + 30)
        assert [type(event) for event in log.failures] == [Outage, Recovered]
        assert set(log.first_update_after(3 * HOUR)) == set(fleet.vehicles)


@pytest.mark.unmeasured
@pytest.mark.long
async def test_removed_accounts_do_not_hold_up_the_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = down(ServerFault(503), since=HOUR / 2, until=3 * HOUR)
    async with (
        a_fleet(vehicles=6, accounts=3, faults=faults, identity_url=ONE_SERVER) as fleet,
        watch(fleet.accounts, every=EVERY) as updates,
    ):
        log = log_of(fleet, monkeypatch)
        await follow(updates, fleet, log, until=2 * HOUR)
        updates.remove("account-0000")
        updates.remove("account-0001")
        await follow(updates, fleet, log, until=3 * HOUR)
        drive_all(fleet)
        await follow(updates, fleet, log, until=3 * HOUR + PROMISED)
        assert [type(event) for event in log.failures] == [Outage, Recovered]
        assert set(log.first_update_after(3 * HOUR)) == set(fleet.vehicles[4:])


@pytest.mark.unmeasured
@pytest.mark.long
async def test_an_outage_of_everything_names_each_server(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = down(ConnectionRefused(), since=HOUR / 2, until=4 * HOUR, path="")
    async with (
        a_fleet(vehicles=6, accounts=2, faults=faults, identity_url=ONE_SERVER) as fleet,
        watch(fleet.accounts, every=EVERY) as updates,
    ):
        log = log_of(fleet, monkeypatch)
        await follow(updates, fleet, log, until=4 * HOUR)
        drive_all(fleet)
        await follow(updates, fleet, log, until=4 * HOUR + 2 * PROMISED)
        servers = {"api.simulator.test", "idpcvs.peugeot.com.simulator.test"}
        assert {event.server for event in log.of(Outage)} == servers
        assert {event.server for event in log.of(Recovered)} == servers
        assert len(log.failures) == 4
        assert set(log.first_update_after(4 * HOUR)) == set(fleet.vehicles)


@pytest.mark.unmeasured
@pytest.mark.long
async def test_a_short_fault_of_the_identity_server_is_not_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = down(HtmlError(502), since=3_500.0, until=3_660.0)
    async with (
        a_fleet(vehicles=2, accounts=1, faults=faults) as fleet,
        watch(fleet.accounts, every=timedelta(minutes=1)) as updates,
    ):
        log = log_of(fleet, monkeypatch)
        await follow(updates, fleet, log, until=2 * HOUR)
        assert log.failures == []
        assert updates.statistics.errors


@pytest.mark.unmeasured
async def test_the_watch_ends_during_an_identity_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = down(Delay(200.0), since=HOUR / 2, until=1e9)
    async with a_fleet(vehicles=2, accounts=1, faults=faults) as fleet:
        with anyio.fail_after(3 * HOUR):
            async with watch(fleet.accounts, every=EVERY) as updates:
                log = log_of(fleet, monkeypatch)
                await follow(updates, fleet, log, until=2 * HOUR)
                updates.stop()
                assert [event async for event in updates] == []


@pytest.mark.parametrize("hours", [0.05, 0.3, 5.0])
@pytest.mark.parametrize("single", [False, True])
@pytest.mark.long
async def test_a_backfill_outlasts_an_outage_of_the_identity_server(hours: float, single: bool) -> None:
    """It is told once, and its end; no vehicle or account is blamed."""
    faults = down(kinds.OAuthFault(), since=0, until=hours * HOUR)
    async with a_fleet(vehicles=2, accounts=1, trips=20, faults=faults) as fleet:
        source = [vehicle async for vehicle in fleet.accounts[0].vehicles()] if single else fleet.accounts
        fleet.simulator.expire_tokens()
        async with backfill(source) as trips:
            events = [event async for event in trips]
        told = [event for event in events if not isinstance(event, Update)]
        assert len(events) - len(told) == 20
        if hours > 0.1:
            [outage, recovered] = told
            assert isinstance(outage, Outage)
            assert isinstance(recovered, Recovered)
            assert outage.server == recovered.server == fleet.accounts[0].identity_server
            assert abs((outage.since - EPOCH).total_seconds()) < 60
            assert hours * HOUR - 60 <= recovered.after <= hours * HOUR + PROMISED


@pytest.mark.long
async def test_a_backfill_gives_up_after_hours_of_an_outage() -> None:
    faults = down(kinds.OAuthFault(), since=0, until=1e9)
    async with a_fleet(vehicles=2, accounts=1, trips=20, faults=faults) as fleet:
        fleet.simulator.expire_tokens()
        with anyio.fail_after(8 * HOUR):
            async with backfill(fleet.accounts) as trips:
                events = [event async for event in trips]
        assert [type(event) for event in events] == [Outage, AccountLost]


@pytest.mark.long
@pytest.mark.unmeasured
@pytest.mark.parametrize("single", [False, True], ids=["accounts", "vehicles"])
@pytest.mark.parametrize("how", ["expired", "refused"])
async def test_a_silent_identity_server_holds_up_no_other_backfill(
    single: bool, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The accounts whose server accepts and says nothing come first, and are more than vehicles are read at a time."""
    world = World(seed=7, accounts=60, vehicles=60, trips=60, epoch=EPOCH)
    async with a_fleet(world=world, identity_url=EACH_BRAND) as fleet:
        sick = [account for account in fleet.accounts if account.key.endswith(("0", "5"))]
        healthy = fleet.accounts[1]
        expected = len([trip async for vehicle in healthy.vehicles() async for trip in vehicle.trips()])
        assert expected
        accounts = [*sick, healthy]
        source = [vehicle for account in accounts async for vehicle in account.vehicles()] if single else accounts
        silent = FaultWindow(fault=Delay(1e5), since=0.0, until=2 * HOUR, path="peugeot.com/.*access_token")
        inject(fleet, silent, monkeypatch)
        for account in sick:
            if how == "expired":
                await fleet.stores[account.key].save(account.key, Token("old", "old", expires_at=EPOCH))
        if how == "refused":
            fleet.simulator.expire_tokens()
        found = 0
        async with backfill(source) as trips:
            with anyio.fail_after(90 if how == "expired" else 400):
                while found < expected:
                    event = await anext(trips)
                    found += isinstance(event, Update)


class Refusing(MemoryTokenStore):
    """A store that fails while its disk is away."""

    is_away = False

    async def load(self, key: str) -> Token | None:
        if self.is_away:
            raise TokenStoreError("the disk is away", key=key)
        return await super().load(key)


@pytest.mark.long
async def test_a_store_that_fails_meanwhile_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether its account has to wait cannot be known."""
    faults = down(ServerFault(503), since=HOUR / 2, until=3 * HOUR)
    async with a_fleet(vehicles=4, accounts=2, faults=faults, identity_url=ONE_SERVER) as fleet:
        store = Refusing(
            attrs.evolve(token_of(fleet.simulator, "account-0001"), expires_at=EPOCH + timedelta(hours=1.5))
        )
        account = account_of(fleet.client, fleet.simulator, "account-0001", tokens=store)
        async with watch([fleet.accounts[0], account], every=EVERY) as updates:
            log = log_of(fleet, monkeypatch)
            await follow(updates, fleet, log, until=1.4 * HOUR)
            store.is_away = True
            await follow(updates, fleet, log, until=2 * HOUR)
            assert [type(event) for event in log.failures] == [Outage, AccountLost]
            assert isinstance(log.of(AccountLost)[0].error, TokenStoreError)


async def test_a_store_that_fails_ends_the_account_in_a_watch() -> None:
    async with a_fleet(vehicles=2, accounts=2, trips=4) as fleet:
        store = Refusing(token_of(fleet.simulator, "account-0001"))
        account = account_of(fleet.client, fleet.simulator, "account-0001", tokens=store)
        store.is_away = True
        async with watch([account, fleet.accounts[0]], every=EVERY) as updates:
            events = await updates_of(updates, 600)
    [lost] = [event for event in events if not isinstance(event, Update)]
    assert isinstance(lost, AccountLost)
    assert isinstance(lost.error, TokenStoreError)


async def test_a_store_that_fails_ends_the_account_in_a_backfill() -> None:
    async with a_fleet(vehicles=2, accounts=2, trips=4) as fleet:
        store = Refusing(token_of(fleet.simulator, "account-0001"))
        account = account_of(fleet.client, fleet.simulator, "account-0001", tokens=store)
        store.is_away = True
        async with backfill([account, fleet.accounts[0]]) as trips:
            events = [event async for event in trips]
    [lost] = [event for event in events if not isinstance(event, Update)]
    assert isinstance(lost, AccountLost)
    assert isinstance(lost.error, TokenStoreError)
    assert len(events) > 1  # the other account is read


@pytest.mark.unmeasured
async def test_an_account_removed_during_its_renewal_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = down(Delay(200.0), since=HOUR / 2, until=3 * HOUR)
    async with a_fleet(vehicles=2, accounts=1, faults=faults) as fleet:
        await fleet.stores["account-0000"].save(
            "account-0000", attrs.evolve(token_of(fleet.simulator), expires_at=EPOCH + timedelta(hours=1))
        )
        async with watch(fleet.accounts, every=EVERY, relist=timedelta(hours=1)) as updates:
            log = log_of(fleet, monkeypatch)
            await follow(updates, fleet, log, until=HOUR)
            while not any(at > HOUR for at in log.renewals):
                await follow(updates, fleet, log, until=elapsed(fleet) + 5)
            assert updates.remove("account-0000")
            await follow(updates, fleet, log, until=2 * HOUR)
            assert log.failures == []
            assert updates.statistics.identity_outages == {}


async def test_an_account_removed_during_its_first_renewal_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its listing fails after that, and is not repeated."""
    async with a_fleet(vehicles=2, accounts=1, faults=down(Delay(200.0), since=0.0, until=1e9)) as fleet:
        fleet.simulator.expire_tokens()
        async with watch(fleet.accounts, every=EVERY) as updates:
            log = log_of(fleet, monkeypatch)
            await follow(updates, fleet, log, until=5)
            assert len(log.renewals) == 1
            assert updates.remove("account-0000")
            await follow(updates, fleet, log, until=HOUR)
            assert sum(updates.statistics.errors.values()) == 1
            assert log.failures == []
            assert max(log.renewals) < HOUR / 4


class Slow(MemoryTokenStore):
    """A store whose disk becomes slow."""

    seconds = 0.0
    loading = 0

    async def load(self, key: str) -> Token | None:
        self.loading += 1
        await anyio.sleep(self.seconds)
        self.loading -= 1
        return await super().load(key)


@pytest.mark.long
async def test_an_account_removed_while_its_token_is_read_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The identity server is down, and the account would have had to wait for it."""
    faults = down(ServerFault(503), since=HOUR / 2, until=3 * HOUR)
    async with a_fleet(vehicles=4, accounts=2, faults=faults, identity_url=ONE_SERVER, token_lifetime=1e6) as fleet:
        first = attrs.evolve(token_of(fleet.simulator, "account-0000"), expires_at=EPOCH + timedelta(hours=1))
        await fleet.stores["account-0000"].save("account-0000", first)
        store = Slow(attrs.evolve(token_of(fleet.simulator, "account-0001"), expires_at=EPOCH + timedelta(hours=1.5)))
        account = account_of(fleet.client, fleet.simulator, "account-0001", tokens=store)
        async with watch([fleet.accounts[0], account], every=EVERY) as updates:
            log = log_of(fleet, monkeypatch)
            await follow(updates, fleet, log, until=1.5 * HOUR)
            assert [type(event) for event in log.failures] == [Outage]
            store.seconds = 60.0
            while not store.loading:
                await follow(updates, fleet, log, until=elapsed(fleet) + 5)
            assert updates.remove("account-0001")
            drive_all(fleet)
            await follow(updates, fleet, log, until=3 * HOUR + PROMISED)
            assert [type(event) for event in log.failures] == [Outage, Recovered]
            assert set(log.first_update_after(3 * HOUR)) == set(fleet.vehicles[:2])
            assert updates.statistics.vehicles == 2


@pytest.mark.long
async def test_vehicles_removed_while_they_wait_are_not_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The poll of one vehicle renews the token; of the others, which wait for it, some are removed."""
    async with a_fleet(vehicles=6, accounts=1, limits=SubscriptionLimits(100, 10_000_000)) as fleet:
        await fleet.stores["account-0000"].save(
            "account-0000", attrs.evolve(token_of(fleet.simulator), expires_at=EPOCH + timedelta(seconds=400))
        )
        inject(fleet, FaultWindow(fault=Delay(10.0), since=0.0, until=1e9, path="access_token"), monkeypatch)
        options = {"what": ["status"], "repeats": True, "adapt": None}
        async with watch(fleet.accounts, every=timedelta(seconds=4), **options) as updates:  # type: ignore[arg-type]
            log = log_of(fleet, monkeypatch)
            while not log.renewals:
                await follow(updates, fleet, log, until=elapsed(fleet) + 1)
            await follow(updates, fleet, log, until=log.renewals[0] + 8)
            assert {update.vehicle.id for update in log.of(Update)} == set(fleet.vehicles)
            assert [updates.remove(vehicle) for vehicle in fleet.vehicles[2:]] == [True] * 4
            log.events.clear()
            paths = paths_of(fleet, monkeypatch)
            await follow(updates, fleet, log, until=log.renewals[0] + 60)
            assert {update.vehicle.id for update in log.of(Update)} == set(fleet.vehicles[:2])
            assert [path for path in paths if any(vehicle in path for vehicle in fleet.vehicles[2:])] == []
            assert log.failures == []
            assert len(log.renewals) == 1
