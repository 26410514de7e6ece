"""Monitors of a fleet whose cars move: each edge raises one event, however the clock jumps."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from time import process_time
from typing import Any

import httpx
import pytest

from stellantis_hal.simulator import Simulator, World

pytestmark = pytest.mark.anyio

EPOCH = datetime(2026, 3, 2, 2, tzinfo=UTC)  # a Monday, at night


def make_monitor(extensions: Sequence[str] = (), **trigger: Any) -> dict[str, Any]:
    return {
        "label": "driving",
        "triggerParam": {"triggers": [{"name": "t1", "data": trigger}], "boolExp": "t1"},
        "subscribeParam": {"callback": {"webhook": {"name": "w", "target": "https://hooks.example.test/x"}}},
        "extendedEventParam": list(extensions),
    }


async def raised(vehicles: int, steps: list[timedelta], **trigger: Any) -> tuple[Simulator, list[tuple[str, str]]]:
    """Return the simulator after the steps, and the VIN and time of each event of a monitor of the fleet."""
    world = World(seed=7, vehicles=vehicles, trips=vehicles * 10, epoch=EPOCH, moving=True)
    simulator = Simulator(world, epoch=EPOCH)
    basic = base64.b64encode(f"{simulator.partner_login}:{simulator.partner_password}".encode()).decode()
    async with httpx.AsyncClient(
        transport=simulator.transport(),
        headers={"Authorization": f"Basic {basic}"},
        params={"client_id": simulator.client_id},
    ) as client:
        url = f"{simulator.partner_url}/fleets/{world.fleets.all[0].id}/monitors"
        response = await client.post(url, json=make_monitor(**trigger))
        assert response.status_code == 202, response.text
    for step in steps:
        simulator.advance(step)
    pending = [each for waiting in simulator.outbox.pending.values() for each in waiting]
    events = [event for each in pending for event in each.message["events"]]
    return simulator, [(event["vin"], event["eventDate"]) for event in events]


HOURS = [timedelta(hours=1)] * 24
JUMP = [timedelta(days=1)]
UNEVEN = [timedelta(minutes=7), timedelta(hours=9, minutes=3), timedelta(hours=14, minutes=50)]


@pytest.mark.unmeasured
@pytest.mark.parametrize("steps", [HOURS, JUMP, UNEVEN], ids=["hours", "one-jump", "uneven"])
@pytest.mark.long
async def test_each_departure_of_a_day_raises_one_event(steps: list[timedelta]) -> None:
    simulator, events = await raised(15, steps, data="vehicle.kinetic.moving", op="equalsTo", value=["true"])
    world = simulator.world
    started = {
        (car.vin, trip.started_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
        for car in world.vehicles
        for trip in world.trips(car.id)
        if EPOCH <= trip.started_at <= simulator.now()
    }
    assert len(events) == len(set(events))
    assert set(events) == started
    assert len(started) > 20


@pytest.mark.deep
async def test_a_day_of_a_thousand_cars() -> None:
    begun = process_time()
    _, events = await raised(
        1_000, [timedelta(minutes=5)] * 288, data="vehicle.kinetic.moving", op="equalsTo", value=["true"]
    )
    assert len(events) == len(set(events)) > 1_000
    print(f"{len(events)} events, {process_time() - begun:.1f} s of CPU")


async def test_events_of_a_fleet_have_its_own_extensions() -> None:
    names = ["vehicle.collisions", "vehicle.stolen"]
    options = {"data": "vehicle.kinetic.moving", "op": "equalsTo", "value": ["true"]}
    simulator, _ = await raised(2, HOURS, extensions=names, **options)
    [pending] = simulator.outbox.pending.values()
    extensions = [each["type"] for event in pending[0].message["events"] for each in event["extensions"]]
    assert extensions == ["vehicle.collisions"], "no car is stolen"
