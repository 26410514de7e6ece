"""The API for fleet owners (B2B) against the vendor's own OpenAPI file.

Needs that file (``STELLANTIS_HAL_FLEET_SPECIFICATION``) and Prism. In process, hypothesis makes bodies of the schemas.
Over a socket, Prism stands between the client and the simulator, and judges each request (422) and each response (500);
and it makes another body for every request.
"""

from __future__ import annotations

import threading
import warnings
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from stellantis_hal import (
    Alarm,
    Alert,
    Collision,
    Fleet,
    FleetOwnerClient,
    HalDeprecationWarning,
    Maintenance,
    Partner,
    Position,
    Status,
    StellantisError,
    Telemetry,
    Theft,
    Trip,
    TypedConverter,
    Vehicle,
    VehicleCapabilities,
)
from stellantis_hal.simulator import BackendVariant, Simulator, SubscriptionLimits, server
from stellantis_hal.structuring.converter import read
from stellantis_hal.structuring.typed_resource import TypedResource
from tests.client.fleet_endpoints import READS, find_subjects, full_world, use_control
from tests.conformance.processes import fleet_specification, free_port, prism, running
from tests.conformance.test_specification_bodies import bodies_of, unexplained
from tests.resources.derive_facts import FLEET_ROOTS, derive, load
from tests.resources.lossless import audit
from tests.resources.test_facts import FLEET_FACTS

# ------------------------------------------------------------------------------------------------- in process


@pytest.mark.parametrize("schema", FLEET_ROOTS)
def test_bodies_made_from_a_schema_leave_no_problem(schema: str) -> None:
    kind = FLEET_ROOTS[schema]

    @settings(
        max_examples=30,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    @given(bodies_of(load(fleet_specification()), schema))
    def check(body: Any) -> None:
        # VehicleCapabilities requires createdAt and does not describe it: any value is allowed.
        explained = {"$.createdAt"} if kind is VehicleCapabilities else set()
        assert [each for each in unexplained(read(body, kind).problems) if each.path not in explained] == []
        assert audit(body, kind)[1] == []

    check()


def test_the_table_of_facts_matches_the_specification() -> None:
    assert derive(load(fleet_specification()), fleets=True) == FLEET_FACTS


# ------------------------------------------------------------------------------------------------- through a proxy


@pytest.fixture(scope="module")
def simulator() -> Generator[Simulator]:
    world = full_world()
    simulator = Simulator(
        world,
        epoch=world.epoch + timedelta(days=2),
        rate_limits=SubscriptionLimits(per_second=10_000),
        variant=BackendVariant(lenient_tokens=True),  # Prism re-encodes page tokens
    )
    serving, listening = server(simulator)
    thread = threading.Thread(target=serving.run, kwargs={"sockets": [listening]})
    thread.start()
    yield simulator
    serving.should_exit = True
    thread.join(10)
    listening.close()


@pytest.fixture(scope="module")
def proxy(simulator: Simulator) -> Generator[str]:
    """Yield the URL of a contract proxy in front of the simulator."""
    path, port = fleet_specification(), free_port()
    command = [prism(), "proxy", "--errors", "-h", "127.0.0.1", "-p", str(port), path, simulator.partner_url]
    with running(command, port) as address:
        simulator.set_link_base(address, of="fleets")
        yield address


@asynccontextmanager
async def client_at(address: str, simulator: Simulator) -> AsyncGenerator[FleetOwnerClient]:
    partner = Partner(simulator.client_id, login=simulator.partner_login, password=simulator.partner_password)
    async with FleetOwnerClient(partner, base_url=address, clock=simulator.now) as client:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HalDeprecationWarning)
            yield client


@pytest.mark.anyio
@pytest.mark.wall_clock
@pytest.mark.parametrize("path", READS)
async def test_each_call_conforms_both_ways(simulator: Simulator, proxy: str, path: str) -> None:
    async with client_at(proxy, simulator) as client:
        on = await find_subjects(client)
        found = await READS[path][1](on)
    assert found or path.endswith("/collisions")


@pytest.mark.anyio
@pytest.mark.wall_clock
async def test_pages_and_profiles_conform(simulator: Simulator, proxy: str) -> None:
    async with client_at(proxy, simulator) as client:
        on = await find_subjects(client)
        trips = [trip async for trip in on.vehicle.trips(page_size=7, profile="endUser")]
        assert len(trips) == 121
        async for _ in on.vehicle.telemetry(types=["vehicle"], extensions=["location", "maintenance"]).take(3):
            pass
        simulator.world.car(str(on.vehicle.id)).set_stolen(False)
        assert (await on.vehicle.theft(str(on.theft.id))).active is False
        extensions = ("onboardCapabilities", "branding", "pictures")
        vehicle = await on.fleet.vehicle(on.vehicle.id, extensions=extensions)
        assert vehicle.capabilities.has("remote:stolen")
        await client.capabilities(str(vehicle.vin), extensions=extensions)
        simulator.world.car(str(on.vehicle.id)).set_stolen(True)


@pytest.mark.anyio
@pytest.mark.wall_clock
async def test_each_call_of_control_conforms_both_ways(simulator: Simulator, proxy: str) -> None:
    async with client_at(proxy, simulator) as client:
        on = await find_subjects(client)
        await use_control(on)


@pytest.mark.anyio
@pytest.mark.wall_clock
async def test_a_request_off_the_specification_is_refused(simulator: Simulator, proxy: str) -> None:
    async with client_at(proxy, simulator) as client:
        on = await find_subjects(client)
        with pytest.raises(StellantisError, match="422"):
            await client.get(f"{on.vehicle.url}/trips?pageSize=61")
        with pytest.raises(StellantisError, match="422"):
            await client.get(f"{on.vehicle.url}/status?profile=driver")


@pytest.mark.anyio
@pytest.mark.wall_clock
async def test_a_body_off_the_specification_is_reported(simulator: Simulator, proxy: str) -> None:
    async with client_at(proxy, simulator) as client:
        on = await find_subjects(client)
        simulator.world.update_status(str(on.vehicle.id), battery={"voltage": "full"})
        with pytest.raises(StellantisError, match="500"):
            await on.vehicle.status()
        simulator.world.update_status(str(on.vehicle.id), battery=None)


# ------------------------------------------------------------------------------------------------- random bodies

VEHICLE = "/fleets/7/vehicles/7"
TRIP = f"{VEHICLE}/trips/7"
READING: list[tuple[str, str | None, type[TypedResource]]] = [
    ("/vehicles/VF3ABCDE0FG123456", None, VehicleCapabilities),
    ("/fleets", "fleets", Fleet),
    ("/fleets/7", None, Fleet),
    ("/fleets/7/vehicles", "vehicles", Vehicle),
    (VEHICLE, None, Vehicle),
    (f"{VEHICLE}/telemetry", "telemetries", Telemetry),
    (f"{VEHICLE}/lastPosition", None, Position),
    (f"{VEHICLE}/collisions", "Collisions", Collision),
    (f"{VEHICLE}/maintenance", None, Maintenance),
    (f"{VEHICLE}/status", None, Status),
    (f"{VEHICLE}/alerts", "alerts", Alert),
    (f"{VEHICLE}/alarms/7", None, Alarm),
    (f"{VEHICLE}/trips", "trips", Trip),
    (f"{TRIP}/wayPoints", "positions", Position),
    (f"{VEHICLE}/stolen", "stolen", Theft),
    (f"{VEHICLE}/stolen/7", None, Theft),
    (f"{VEHICLE}/stolen/7/waypoints", "positions", Position),
    ("/fleets/7/status", "status", Status),
    ("/fleets/7/maintenances", "maintenances", Maintenance),
]
"""Reading paths of the API for fleet owners: path, relation of the embedded items, class."""
BODIES = 20


@pytest.fixture(scope="module")
def random_vendor() -> Generator[str, None, None]:
    """The address of the vendor's specification, served with another body for every request."""
    path, port = fleet_specification(), free_port()
    with running([prism(), "mock", "-d", "-h", "127.0.0.1", "-p", str(port), path], port) as address:
        yield address


@pytest.mark.anyio
@pytest.mark.wall_clock
@pytest.mark.warnings_as_errors  # the mock states that some addresses are deprecated
@pytest.mark.parametrize(("path", "rel", "kind"), READING, ids=[path for path, _, _ in READING])
async def test_bodies_of_the_vendors_mock_are_read(
    random_vendor: str, path: str, rel: str | None, kind: type[TypedResource]
) -> None:
    converter, counts = TypedConverter(), Counter[str]()
    accept = "application/vnd.geo+json" if path.endswith("lastPosition") else None
    partner = Partner("my-client-id", login="MZP123456", password="my-password")
    async with FleetOwnerClient(partner, base_url=random_vendor) as client:
        for _ in range(BODIES):
            resource = await client.get(f"{random_vendor}{path}", accept=accept)
            for item in [resource] if rel is None else resource.embedded(rel):
                value = converter.structure(item, kind)
                counts[path] += 1
                assert unexplained(value.problems) == []
    assert counts[path] > 0
