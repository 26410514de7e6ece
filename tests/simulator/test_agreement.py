"""Views of one fact agree in the simulator's bodies; compared by code of these tests alone."""

from typing import Any

import pytest

from stellantis_hal.simulator import Simulator, World
from tests.simulator.api_client import ApiClient

pytestmark = pytest.mark.anyio


@pytest.fixture
def api() -> ApiClient:
    return ApiClient(Simulator(World(seed=7, accounts=2, vehicles=12, trips=400)))


async def test_levels_agree_with_residual_and_capacity(api: ApiClient) -> None:
    compared = 0
    for vehicle in api.simulator.world.vehicles_of("account-0000"):
        response = await api.get(f"/user/vehicles/{vehicle.id}/status")
        status: dict[str, Any] = response.json() if response.status_code == 200 else {}
        for energy in status.get("energies", ()):
            electric = energy.get("extension", {}).get("electric")
            if electric is not None:
                load = electric["battery"]["load"]
                assert abs(energy["level"] - 100 * load["residual"] / load["capacity"]) <= 5
                assert electric["battery"]["capacity"] == load["capacity"]
                assert abs(1000 * electric["residual"]["consumption"] - load["residual"]) <= 500
                compared += 1
    assert compared > 0


async def test_averages_agree_with_consumption_and_distance(api: ApiClient) -> None:
    compared = 0
    for vehicle in api.simulator.world.vehicles_of("account-0000"):
        response = await api.get(f"/user/vehicles/{vehicle.id}/trips")
        body: dict[str, Any] = response.json() if response.status_code == 200 else {}
        for trip in body.get("_embedded", {}).get("trips", ()):
            assert trip["distance"] >= 0
            assert trip["startedAt"] <= trip["stoppedAt"]
            for used in trip.get("energyConsumptions", ()):
                expected = used["consumption"] * 100 / trip["distance"]
                assert expected / 2 - 1 <= used["avgConsumption"] <= expected * 2 + 1
                compared += 1
    assert compared > 0
