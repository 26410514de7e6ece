"""Bodies of the simulator, validated against the vendor's specification by Prism as a contract proxy.

Needs the vendor's OpenAPI file for end users (``STELLANTIS_HAL_SPECIFICATION``) and Prism (``STELLANTIS_HAL_PRISM``, or
``prism`` on the path). Prism turns each violation into a 500 that lists it.
"""

import threading
from collections.abc import Callable, Generator, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from stellantis_hal.simulator import (
    BackendVariant,
    ChargeProgram,
    ClimateProgram,
    Simulator,
    SubscriptionLimits,
    World,
    server,
)
from tests.conformance.processes import free_port, prism, running, specification

pytestmark = pytest.mark.wall_clock


@pytest.fixture(scope="module")
def simulator() -> Generator[Simulator]:
    world = World(seed=7, accounts=2, vehicles=16, trips=600)
    simulator = Simulator(
        world,
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
    path, port = specification(), free_port()
    command = [prism(), "proxy", "--errors", "-h", "127.0.0.1", "-p", str(port), path, simulator.url]
    with running(command, port) as address:
        simulator.set_link_base(address)
        yield address


def links_of(body: Any) -> Iterator[tuple[str, str]]:
    """Yield name and URL of every link in a body, at any depth."""
    if isinstance(body, dict):
        for name, value in body.get("_links", {}).items():
            for link in value if isinstance(value, list) else [value]:
                yield name, link["href"]
        for value in body.values():
            yield from links_of(value)
    elif isinstance(body, list):
        for value in body:
            yield from links_of(value)


class ProxyClient:
    """Sends requests through the proxy and collects its violations."""

    def __init__(self, simulator: Simulator, client: httpx.Client) -> None:
        self._client, self._client_id = client, simulator.client_id
        account = simulator.world.account("account-0000")
        token = simulator.token_for(account)
        self._headers = {"Authorization": f"Bearer {token.access_token}", "x-introspect-realm": account.realm}
        self.statuses: dict[str, int] = {}
        self.violations: list[str] = []

    def get(self, url: str) -> Any:
        accept = "application/vnd.geo+json" if url.endswith("/lastPosition") else "application/hal+json"
        full = f"{url}{'&' if '?' in url else '?'}client_id={self._client_id}"
        response = self._client.get(httpx.URL(full), headers={**self._headers, "Accept": accept})
        self.statuses[url] = response.status_code
        if response.status_code not in {200, 404}:
            self.violations.append(f"{url}: {response.status_code} {response.text[:600]}")
        return response.json() if response.status_code == 200 else {}

    def follow_links(self, entry: str, *, per_name: int) -> set[str]:
        """Follow links from the entry, at most ``per_name`` of each name; return the names followed."""
        followed: dict[str, int] = {}
        waiting, seen = [entry], {entry}
        while waiting:
            for name, href in links_of(self.get(waiting.pop())):
                if href not in seen and followed.get(name, 0) < per_name:
                    followed[name] = followed.get(name, 0) + 1
                    seen.add(href)
                    waiting.append(href)
        return set(followed)


@pytest.fixture
def client(simulator: Simulator, proxy: str) -> Generator[ProxyClient]:
    assert proxy
    with httpx.Client(timeout=30) as http:
        yield ProxyClient(simulator, http)


def test_linked_bodies_match_the_specification(client: ProxyClient, proxy: str) -> None:
    names = client.follow_links(f"{proxy}/user", per_name=12)
    assert client.violations == []
    assert {
        "vehicles",
        "self",
        "status",
        "lastPosition",
        "trips",
        "maintenance",
        "alerts",
        "alarms",
        "collisions",
    } <= names
    assert {"telemetry", "waypoints", "next", "prev", "last", "trip"} <= names


def test_extensions_types_and_filters_conform(client: ProxyClient, simulator: Simulator, proxy: str) -> None:
    for car in simulator.world.vehicles_of("account-0000"):
        url = f"{proxy}/user/vehicles/{car.id}"
        for path in (
            "?extension=onboardCapabilities&extension=branding&extension=pictures",
            "/telemetry?extension=location&extension=maintenance&pageSize=3",
            "/telemetry?type=environment&type=vehicle.energies&type=privacy&pageSize=3",
            "/telemetry?type=vehicle&pageSize=3",
            "/trips?distance=1-&duration=60-&states=Nominal&pageSize=3",
            "/trips?timestamps=2025-12-01T00:00:00Z/P30D",
            "/trips?indexRange=3-7",
        ):
            client.get(f"{url}{path}")
    assert client.violations == []
    assert set(client.statuses.values()) == {200}


def test_unfinished_trip_conforms(client: ProxyClient, simulator: Simulator, proxy: str) -> None:
    car = simulator.world.vehicles_of("account-0000")[0].id
    trip = simulator.world.start_trip(car)
    for path in ("status", "trips?pageSize=60&states=Unfinished", f"trips/{trip.id}", f"trips/{trip.id}/wayPoints"):
        client.get(f"{proxy}/user/vehicles/{car}/{path}")
    simulator.world.finish_trip(car)
    simulator.world.add_alert(car)
    client.get(f"{proxy}/user/vehicles/{car}/alerts")
    assert client.violations == []
    assert set(client.statuses.values()) == {200}


def test_acts_in_the_world_conform(client: ProxyClient, simulator: Simulator, proxy: str) -> None:
    world = simulator.world
    car = next(car for car in world.vehicles_of("account-0000") if "Electric" in car.energies).id
    commanded = world.car(car)
    acts: list[Callable[[], object]] = [
        lambda: world.plug_in(car),
        lambda: world.start_charging(car),
        lambda: world.unplug(car),
        lambda: world.unlock(car),
        lambda: world.drive(car, km=12, minutes=20),
        lambda: world.park(car),
        lambda: commanded.set_climate_programs([ClimateProgram(slot=1, start=timedelta(hours=7), days=("Mon",))]),
        lambda: commanded.set_charge_programs([ChargeProgram(start=timedelta(hours=1), end=timedelta(hours=5))]),
        lambda: commanded.set_charge_preferences(level="Level1", type_="Partial"),
        lambda: commanded.charge_until(world.epoch + timedelta(hours=9)),
        commanded.start_climate,
        commanded.stop_climate,
        lambda: commanded.open_door("Trunk"),
        lambda: commanded.switch_lights(True),
        lambda: commanded.set_stolen(True),
        lambda: commanded.set_privacy("Geolocation"),
    ]
    for act in acts:
        act()
        for path in ("status", "lastPosition", "maintenance", "trips?pageSize=1", "telemetry?pageSize=3"):
            client.get(f"{proxy}/user/vehicles/{car}/{path}")
    assert client.violations == []


def test_proxy_reports_an_invalid_body(client: ProxyClient, simulator: Simulator, proxy: str) -> None:
    car = simulator.world.vehicles_of("account-0000")[1].id
    simulator.world.update_status(car, battery={"voltage": "full"})
    client.get(f"{proxy}/user/vehicles/{car}/status")
    assert "VIOLATIONS" in client.violations[0]
