"""Fleet owners: their fleets, whose view of the data is read, and what is refused."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from stellantis_hal import (
    AuthError,
    ConfigurationError,
    DetachedResourceError,
    Fleet,
    FleetOwnerClient,
    HalDeprecationWarning,
    LinkNotFoundError,
    MemoryCache,
    NotFoundError,
    Partner,
    Profile,
    RetryPolicy,
    StellantisError,
    UnauthorizedError,
    Vehicle,
    make_converter,
)
from stellantis_hal.simulator import Simulator, World
from stellantis_hal.testing import simulated_fleet_owner
from tests.support.simulated import account_of, client_of
from tests.support.transports import ScriptedTransport

pytestmark = pytest.mark.anyio


class Recorder(httpx.AsyncBaseTransport):
    """Passes requests on, and records them."""

    def __init__(self, simulator: Simulator) -> None:
        self._inner = simulator.transport()
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return await self._inner.handle_async_request(request)


def a_simulator(*, vehicles: int = 3, trips: int = 60) -> Simulator:
    world = World(seed=7, vehicles=vehicles, trips=trips)
    return Simulator(world, epoch=world.epoch + timedelta(days=1))


async def listed(items: Any) -> list[Any]:
    return [item async for item in items]


async def first_vehicle(client: FleetOwnerClient) -> Vehicle:
    fleet = (await listed(client.fleets()))[0]
    vehicle: Vehicle = (await listed(fleet.vehicles()))[0]
    return vehicle


# ------------------------------------------------------------------------------------------------- credentials


async def test_requests_carry_login_and_client_id() -> None:
    recorder = Recorder(simulator := a_simulator())
    async with simulated_fleet_owner(simulator, transport=recorder) as client:
        vehicle = await first_vehicle(client)
        await vehicle.status()
    expected = httpx.BasicAuth(simulator.partner_login, simulator.partner_password)
    signed = next(expected.auth_flow(httpx.Request("GET", "https://any.test"))).headers["authorization"]
    assert {request.headers["authorization"] for request in recorder.requests} == {signed}
    assert {request.url.params["client_id"] for request in recorder.requests} == {simulator.client_id}
    assert not [request for request in recorder.requests if "x-introspect-realm" in request.headers]


WRONG: Mapping[str, Callable[[Simulator], Partner]] = {
    "client id and secret": lambda at: Partner(at.client_id, login=at.client_id, password=at.client_secret),
    "another login": lambda at: Partner(at.client_id, login="MZP999999", password=at.partner_password),
    "another password": lambda at: Partner(at.client_id, login=at.partner_login, password="wrong"),
}


@pytest.mark.parametrize("partner", WRONG.values(), ids=WRONG)
async def test_a_wrong_pair_is_refused(partner: Callable[[Simulator], Partner]) -> None:
    simulator = a_simulator()
    async with simulated_fleet_owner(simulator, partner(simulator)) as client:
        with pytest.raises(UnauthorizedError) as caught:
            await listed(client.fleets())
    assert "the login is another name than the client id" in str(caught.value)
    assert simulator.partner_password not in str(caught.value)


async def test_another_client_id_is_a_configuration_error() -> None:
    simulator = a_simulator()
    partner = Partner("other-app", login=simulator.partner_login, password=simulator.partner_password)
    async with simulated_fleet_owner(simulator, partner) as client:
        with pytest.raises(ConfigurationError, match="login, password and certificate of the partner"):
            await listed(client.fleets())


async def test_a_session_of_the_program_has_its_own_certificate(caplog: pytest.LogCaptureFixture) -> None:
    simulator = a_simulator()
    partner = Partner(
        simulator.client_id,
        login=simulator.partner_login,
        password=simulator.partner_password,
        certificate=("cert.pem", "key.pem"),
    )
    async with httpx.AsyncClient(transport=simulator.transport()) as session:
        with caplog.at_level(logging.WARNING, "stellantis_hal"):
            client = FleetOwnerClient(partner, base_url=simulator.partner_url, session=session, clock=simulator.now)
        async with client:
            assert len(await listed(client.fleets())) == 1
    assert "certificate of the partner is not used" in caplog.text


async def test_certificate_and_authority_are_read_at_the_first_request(tmp_path: Path) -> None:
    partner = Partner("my-app", login="MZP1", password="secret", authority=tmp_path / "missing.pem")
    async with FleetOwnerClient(partner, base_url="https://127.0.0.1:1/v3", retry=RetryPolicy(attempts=1)) as client:
        with pytest.raises(ConfigurationError, match="CA bundle"):
            await listed(client.fleets())


def test_a_partner_is_no_application() -> None:
    with pytest.raises(TypeError, match="Partner"):
        FleetOwnerClient("my-app")  # type: ignore[arg-type]


def test_a_client_shows_no_secrets() -> None:
    assert repr(simulated_fleet_owner(a_simulator())) == "<FleetOwnerClient>"


# ------------------------------------------------------------------------------------------------- fleets, vehicles


@pytest.mark.unmeasured
async def test_vehicles_are_paged_by_token_only() -> None:
    recorder = Recorder(simulator := a_simulator(vehicles=130, trips=0))
    async with simulated_fleet_owner(simulator, transport=recorder) as client:
        fleet = (await listed(client.fleets(page_size=1)))[0]
        vehicles = await listed(fleet.vehicles(page_size=50))
        async with fleet.vehicles().pages().concurrent(4) as pages:  # without ranges, one page after the other
            again = [vehicle.id async for page in pages for vehicle in page.items]
    assert [vehicle.vin for vehicle in vehicles] == [vehicle.vin for vehicle in simulator.world.vehicles]
    assert again == [vehicle.id for vehicle in vehicles]
    assert not [request for request in recorder.requests if "indexRange" in request.url.params]


async def test_an_empty_fleet_has_no_vehicles() -> None:
    simulator = a_simulator()
    fleet = simulator.world.fleets.add("empty")
    async with simulated_fleet_owner(simulator) as client:
        found = await client.fleet(fleet.id)
        assert (found.name, await listed(found.vehicles())) == ("empty", [])


async def test_a_partner_may_have_no_fleets() -> None:
    nothing = httpx.Response(404, json={"code": 40400, "message": "No data", "uuid": "u", "timestamp": "t"})
    partner = Partner("my-app", login="MZP1", password="secret")
    async with FleetOwnerClient(partner, transport=ScriptedTransport(nothing)) as client:
        assert await listed(client.fleets()) == []


async def test_a_vehicle_may_be_in_several_fleets() -> None:
    simulator = a_simulator()
    both = simulator.world.vehicles[0]
    other = simulator.world.fleets.add("other", vehicles=[both.id])
    async with simulated_fleet_owner(simulator) as client:
        found = [vehicle async for fleet in client.fleets() async for vehicle in fleet.vehicles()]
        of_other = [vehicle for vehicle in found if vehicle.identity.account == other.id]
    assert [vehicle.vin for vehicle in found].count(both.vin) == 2
    assert [vehicle.vin for vehicle in of_other] == [both.vin]


async def test_an_unknown_fleet_is_not_found() -> None:
    async with simulated_fleet_owner(a_simulator()) as client:
        with pytest.raises(NotFoundError) as caught:
            await client.fleet("0a123bc5d1e873066454b4d9")
        with pytest.raises(ValueError, match="id"):
            await client.fleet("")
    assert (caught.value.code, bool(caught.value.uuid), caught.value.timestamp is not None) == (40400, True, True)


@pytest.mark.parametrize("in_capitals", [True, False])
async def test_a_vehicle_is_found_by_its_vin(in_capitals: bool) -> None:
    simulator = a_simulator()
    vin = simulator.world.vehicles[1].vin
    async with simulated_fleet_owner(simulator) as client:
        fleet = (await listed(client.fleets()))[0]
        vehicle = await fleet.vehicle(vin=vin if in_capitals else vin.lower())
        assert (vehicle.vin, vehicle.extension) == (vin, None)
        whole = await fleet.vehicle(vin=vin, extensions="onboardCapabilities")
        assert whole.capabilities.has("remote:stolen")
        assert (await fleet.vehicle(vehicle.id, extensions=["branding"])).branding is not None


async def test_a_vin_of_another_fleet_is_not_found() -> None:
    simulator = a_simulator()
    fleet = simulator.world.fleets.add("other", vehicles=[simulator.world.vehicles[0].id])
    async with simulated_fleet_owner(simulator) as client:
        with pytest.raises(NotFoundError, match=r"the fleet has no vehicle.*added to this fleet") as caught:
            await (await client.fleet(fleet.id)).vehicle(vin=simulator.world.vehicles[1].vin)
    assert simulator.world.vehicles[1].vin not in str(caught.value)


async def test_capabilities_are_not_listed() -> None:
    async with simulated_fleet_owner(a_simulator()) as client:
        fleet = (await listed(client.fleets()))[0]
        with pytest.raises(ValueError, match=r"client\.capabilities"):
            fleet.vehicles(extensions=["onboardCapabilities"])
        branded = await listed(fleet.vehicles(extensions=["branding", "pictures"]))
    assert branded[0].branding is not None
    assert branded[0].pictures


async def test_what_is_read_knows_its_fleet() -> None:
    async with simulated_fleet_owner(a_simulator()) as client:
        fleet = (await listed(client.fleets()))[0]
        vehicle = await first_vehicle(client)
        trip = (await listed(vehicle.trips()))[0]
        assert trip.vehicle_identity == attrs.evolve(vehicle.identity, label=None)
        assert vehicle.identity.account == fleet.id
        assert (await vehicle.fleet()) == fleet
        with pytest.raises(LinkNotFoundError):
            await vehicle.user()


async def test_alarms_of_listed_vehicles_need_no_link() -> None:
    """The vendor's list of vehicles has no link to alarms, a single vehicle has."""
    async with simulated_fleet_owner(a_simulator(vehicles=1)) as client:
        vehicle = await first_vehicle(client)
        assert not vehicle.can("alarms")
        alarms = await listed(vehicle.alarms())
        assert (await vehicle.alarm(alarms[0].id)) == alarms[0]
        alone = attrs.evolve(vehicle, resource=await vehicle.require_resource().fetch())
        assert await listed(alone.alarms()) == alarms


async def test_options_of_requests() -> None:
    async with simulated_fleet_owner(a_simulator(), priority="background") as client:
        fleet = (await listed(client.fleets()))[0]
        assert (await listed(fleet.with_options(priority="background", max_wait=5).vehicles())) != []
        with pytest.raises(ValueError, match="priority"):
            fleet.with_options(priority="urgent")
    with pytest.raises(DetachedResourceError):
        Fleet().with_options(priority="background")


async def test_a_fleet_without_id_or_links_is_read_at_its_address() -> None:
    fleets = {"_embedded": {"fleets": [{"_links": {"self": {"href": "/v3/fleets/f1"}}, "name": "vans"}]}}
    vehicles = {"_embedded": {"vehicles": [{"id": "v1", "_links": {"self": {"href": "/v3/fleets/f1/vehicles/v1"}}}]}}
    transport = ScriptedTransport(httpx.Response(200, json=fleets), httpx.Response(200, json=vehicles))
    partner = Partner("my-app", login="MZP1", password="secret")
    async with FleetOwnerClient(partner, base_url="https://api.test/v3/", transport=transport) as client:
        fleet = (await listed(client.fleets()))[0]
        vehicle = (await listed(fleet.vehicles()))[0]
        assert (await fleet.vehicle(vehicle.id)).identity.account is None
    assert [request.url.path for request in transport.requests] == [
        "/v3/fleets",
        "/v3/fleets/f1/vehicles",
        "/v3/fleets/f1/vehicles/v1",
    ]


async def test_responses_are_cached_for_one_login() -> None:
    recorder = Recorder(simulator := a_simulator())
    async with simulated_fleet_owner(simulator, transport=recorder, cache=MemoryCache(1_000_000)) as client:
        await listed(client.fleets())
        await client.root()
    assert len(recorder.requests) >= 1


# ------------------------------------------------------------------------------------------------- capabilities


async def test_capabilities_by_vin() -> None:
    simulator = a_simulator()
    async with simulated_fleet_owner(simulator) as client:
        found = await client.capabilities(
            simulator.world.vehicles[0].vin, extensions=["onboardCapabilities", "branding"]
        )
        assert (found.vin, found.motorization) == (
            simulator.world.vehicles[0].vin,
            simulator.world.vehicles[0].motorization,
        )
        assert [found.has(name) for name in ("remote:door", "remote:stolen:write", "data:trip", "data:nothing")] == [
            True,
            True,
            True,
            False,
        ]
        assert not (await client.capabilities(simulator.world.vehicles[0].vin, extensions="branding")).has("data:trip")
        with pytest.raises(NotFoundError):
            await client.capabilities("VF3AAAAAA00000000")
        with pytest.raises(ValueError, match="vin must have"):
            await client.capabilities("../fleets")


# ------------------------------------------------------------------------------------------------- profiles


async def test_a_driver_may_show_less() -> None:
    simulator = a_simulator()
    car = simulator.world.vehicles[0].id
    simulator.world.fleets.hide_from_driver(car, "lastPosition", "trips", "status")
    async with simulated_fleet_owner(simulator) as client:
        vehicle = await first_vehicle(client)
        assert await vehicle.last_position(profile="fleet") is not None
        assert await vehicle.last_position(profile=Profile.END_USER) is None
        assert await vehicle.status(profile="endUser") is None
        assert len(await listed(vehicle.status_history(profile="fleet"))) == 1
        assert await listed(vehicle.status_history(profile="endUser")) == []
        trips = await listed(vehicle.trips())
        assert trips
        assert await listed(vehicle.trips(profile="endUser")) == []
        with pytest.raises(NotFoundError):
            await vehicle.trip(trips[0].id, profile="endUser")
        assert await listed(vehicle.alerts(profile="endUser")) == await listed(vehicle.alerts())


@pytest.mark.unmeasured
async def test_every_page_is_of_the_profile() -> None:
    recorder = Recorder(simulator := a_simulator(vehicles=1, trips=130))
    async with simulated_fleet_owner(simulator, transport=recorder) as client:
        vehicle = await first_vehicle(client)
        recorder.requests.clear()
        assert len(await listed(vehicle.trips(profile="endUser"))) == 130
    assert [request.url.params["profile"] for request in recorder.requests] == ["endUser"] * 3


READS: Mapping[str, Callable[[Vehicle], Awaitable[Any]]] = {
    "status": lambda vehicle: vehicle.status(profile="fleet"),
    "status_history": lambda vehicle: listed(vehicle.status_history(profile="fleet")),
    "maintenance": lambda vehicle: vehicle.maintenance(profile="fleet"),
    "last_position": lambda vehicle: vehicle.last_position(profile="fleet"),
    "trips": lambda vehicle: listed(vehicle.trips(profile="fleet")),
    "trip": lambda vehicle: vehicle.trip("t1", profile="fleet"),
    "alerts": lambda vehicle: listed(vehicle.alerts(profile="fleet")),
    "alert": lambda vehicle: vehicle.alert("a1", profile="fleet"),
    "collisions": lambda vehicle: listed(vehicle.collisions(profile="fleet")),
    "collision": lambda vehicle: vehicle.collision("c1", profile="fleet"),
    "telemetry": lambda vehicle: listed(vehicle.telemetry(profile="fleet")),
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("read", READS.values(), ids=READS)
async def test_vehicles_of_accounts_have_no_profile(read: Callable[[Vehicle], Awaitable[Any]]) -> None:
    recorder = Recorder(simulator := a_simulator())
    async with client_of(simulator, transport=recorder) as client:
        vehicle = (await listed(account_of(client, simulator).vehicles()))[0]
        recorder.requests.clear()
        with pytest.raises(ValueError, match=r"profile= is for vehicles of a fleet"):
            await read(vehicle)
    assert recorder.requests == []


async def test_other_options_for_fleets_are_refused_too() -> None:
    simulator = a_simulator()
    async with client_of(simulator) as client:
        vehicle = (await listed(account_of(client, simulator).vehicles()))[0]
        trip = (await listed(vehicle.trips()))[0]
        for refused in (
            vehicle.thefts,
            lambda: trip.waypoints(page_size=10),
            lambda: trip.waypoints(profile="endUser"),
            lambda: trip.alerts(profile="endUser"),
            lambda: trip.telemetry(profile="endUser"),
        ):
            with pytest.raises(ValueError, match="fleet"):
                refused()
        with pytest.raises(ValueError, match="fleet"):
            await vehicle.theft("t1")
        with pytest.raises(LinkNotFoundError):
            await vehicle.fleet()


async def test_unknown_profiles_are_refused() -> None:
    async with simulated_fleet_owner(a_simulator()) as client:
        vehicle = await first_vehicle(client)
        with pytest.raises(ValueError, match="'fleet' or 'endUser', not 'enduser'"):
            await vehicle.status(profile="enduser")
        with pytest.raises(TypeError, match="profile"):
            await vehicle.status(profile=7)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------- thefts


async def test_a_theft_from_report_to_recovery() -> None:
    simulator = a_simulator(vehicles=1)
    car = simulator.world.car(simulator.world.vehicles[0])
    async with simulated_fleet_owner(simulator) as client:
        vehicle = await first_vehicle(client)
        assert await listed(vehicle.thefts()) == []
        car.set_stolen(True)
        status = await vehicle.status()
        assert status is not None
        assert status.stolen is not None
        assert status.stolen.active is True
        with pytest.raises(DetachedResourceError):
            status.stolen.waypoints()
        simulator.world.drive(vehicle, km=10)
        simulator.world.park(vehicle)
        theft = (await listed(vehicle.thefts()))[0]
        assert (theft.id, theft.active, theft.ended_at) == (status.stolen.id, True, None)
        assert len(await listed(theft.waypoints())) == 3
        car.set_stolen(False)
        theft = await vehicle.theft(theft.id)
        assert (theft.active, theft.end_position is not None) == (False, True)
        status = await vehicle.status()
        assert status is not None
        assert status.stolen is None
        with pytest.raises(NotFoundError):
            await vehicle.theft("unknown")


# ------------------------------------------------------------------------------------------------- whole fleets


async def test_collections_of_whole_fleets_warn_once() -> None:
    async with simulated_fleet_owner(a_simulator()) as client:
        fleet = (await listed(client.fleets()))[0]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            statuses = await listed(fleet.statuses())
            await listed(fleet.statuses())
            await listed(fleet.trips())
    assert [(warning.category, warning.filename) for warning in caught] == [(HalDeprecationWarning, __file__)] * 2
    assert "the status of a whole fleet" in str(caught[0].message)
    assert "vehicle.status()" in str(caught[0].message)
    assert len({status.vin for status in statuses}) == 3


async def test_items_of_whole_fleets_name_their_vehicle() -> None:
    simulator = a_simulator()
    simulator.world.fleets.hide_from_driver(simulator.world.vehicles[0].id)
    vins = {vehicle.vin for vehicle in simulator.world.vehicles}
    async with simulated_fleet_owner(simulator) as client:
        fleet = (await listed(client.fleets()))[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HalDeprecationWarning)
            for items in (fleet.trips(), fleet.alerts(), fleet.collisions(), fleet.maintenances()):
                found = await listed(items)
                assert found
                assert {item.vin for item in found} <= vins
            trips = await listed(fleet.trips(profile="endUser"))
            with pytest.raises(ValueError, match="profile"):
                fleet.trips(profile="all")
    assert trips[0].vehicle_identity.vin in vins - {simulator.world.vehicles[0].vin}
    assert {trip.vin for trip in trips} == vins - {simulator.world.vehicles[0].vin}


async def test_a_collision_of_a_trip_has_no_address() -> None:
    async with simulated_fleet_owner(a_simulator()) as client:
        vehicle = await first_vehicle(client)
        trip = (await listed(vehicle.trips()))[0]
        with pytest.raises(ValueError, match=r"vehicle\.collision\(id\)"):
            await trip.collision("c1")


# ------------------------------------------------------------------------------------------------- errors


async def test_errors_of_the_api_have_all_four_members() -> None:
    body = {"code": 40499, "uuid": "494f61d1", "message": "No such thing.", "timestamp": "2020-01-01T00:00:00.000Z"}
    transport = ScriptedTransport(httpx.Response(403, json=body))
    partner = Partner("my-app", login="MZP1", password="secret")
    async with FleetOwnerClient(partner, transport=transport) as client:
        with pytest.raises(StellantisError) as caught:
            await client.fleet("f1")
    error: Any = caught.value
    assert (error.code, error.uuid, error.timestamp.year, error.status) == (40499, "494f61d1", 2020, 403)
    assert not isinstance(error, AuthError)


async def test_a_converter_of_the_program_reads_fleets() -> None:
    async with simulated_fleet_owner(a_simulator(), converter=make_converter()) as client:
        assert [fleet.name for fleet in await listed(client.fleets())] == ["Fleet 1"]
