"""Units of the simulator's bodies: different views of one fact agree. Uses no code of the package's reading side."""

from collections.abc import Iterator
from typing import Any

import pytest

from stellantis_hal.simulator import Simulator, World
from tests.simulator.api_client import ApiClient

pytestmark = [pytest.mark.anyio, pytest.mark.unmeasured]

WH_PER_LITRE = 9_000  # about as much as petrol holds


@pytest.fixture
def api() -> ApiClient:
    return ApiClient(Simulator(World(seed=7, accounts=1, vehicles=9, trips=90)))


def energies(status: dict[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    return (energy for energy in status["energies"] if energy["type"] == kind)


async def statuses(api: ApiClient) -> list[dict[str, Any]]:
    vehicles = api.simulator.world.vehicles_of("account-0000")
    return [await api.body(f"/user/vehicles/{vehicle.id}/status") for vehicle in vehicles]


async def trips(api: ApiClient) -> list[dict[str, Any]]:
    vehicles = api.simulator.world.vehicles_of("account-0000")
    pages = [await api.body(f"/user/vehicles/{vehicle.id}/trips?pageSize=60") for vehicle in vehicles]
    return [trip for page in pages for trip in page["_embedded"]["trips"]]


async def test_level_of_a_battery_agrees_with_its_residual_energy(api: ApiClient) -> None:
    batteries = 0
    for status in await statuses(api):
        for energy in energies(status, "Electric"):
            electric = energy["extension"]["electric"]
            load = electric["battery"]["load"]
            assert load["residual"] / load["capacity"] * 100 == pytest.approx(energy["level"], abs=0.1)
            assert electric["residual"]["consumption"] * 1000 == pytest.approx(load["residual"], abs=100)
            assert electric["battery"]["capacity"] == load["capacity"]
            assert 10_000 < load["capacity"] < 150_000  # Wh
            batteries += 1
    assert batteries >= 3


async def test_average_of_a_trip_agrees_with_its_consumption(api: ApiClient) -> None:
    kinds = set()
    for trip in await trips(api):
        for used in trip["energyConsumptions"]:
            assert used["avgConsumption"] == pytest.approx(used["consumption"] * 100 / trip["distance"], rel=0.01)
            kinds.add(used["type"])
    assert kinds == {"Fuel", "Electric"}


async def test_consumption_of_a_trip_is_plausible_in_its_units(api: ApiClient) -> None:
    for trip in await trips(api):
        for used in trip["energyConsumptions"]:
            per_unit = WH_PER_LITRE / 100 if used["type"] == "Fuel" else 1.0
            assert 2_000 < used["avgConsumption"] * per_unit < 250_000  # Wh per 100 km


async def test_odometer_agrees_with_the_last_trip(api: ApiClient) -> None:
    for vehicle in api.simulator.world.vehicles_of("account-0000"):
        status = await api.body(f"/user/vehicles/{vehicle.id}/status")
        page = await api.body(f"/user/vehicles/{vehicle.id}/trips?pageSize=60")
        last = page["_embedded"]["trips"][-1]
        assert status["odometer"]["mileage"] == pytest.approx(last["startMileage"] + last["distance"], abs=0.2)
