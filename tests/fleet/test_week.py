"""A simulated week: up to 100 vehicles for seven days in jumped time, with outages and random faults."""

from collections import Counter
from datetime import timedelta

import anyio
import pytest

from stellantis_hal.fleet import Outage, Recovered, Update, VehicleUnavailable, watch
from stellantis_hal.simulator import ConnectionRefused, Faults, FaultWindow, RandomFault, ServerFault
from tests.fleet.fleets import a_fleet
from tests.support.profiles import deep

pytestmark = pytest.mark.anyio
HOUR, DAY = 3_600.0, 86_400.0


@pytest.mark.unmeasured
@pytest.mark.parametrize("vehicles", [50, deep(100)])
@pytest.mark.long
async def test_a_week_with_outages_delivers_every_trip_once(vehicles: int) -> None:
    """No request exceeds the rate limit."""
    faults = Faults(
        windows=[
            FaultWindow(fault=ServerFault(503), since=1.25 * DAY, until=1.25 * DAY + 2 * HOUR),
            FaultWindow(fault=ConnectionRefused(), since=3.5 * DAY, until=3.5 * DAY + 8 * HOUR),
        ],
        random=[RandomFault(fault=ServerFault(500, 50000), rate=0.005, path="/connectedcar/")],
        seed=5,
    )
    delivered: Counter[str] = Counter()
    driven, outages = set[str](), list[float]()
    async with a_fleet(
        vehicles=vehicles, accounts=5, trips=8 * vehicles, faults=faults, token_lifetime=12 * HOUR
    ) as fleet:

        async def drive() -> None:
            await anyio.sleep(1.25 * DAY)
            for round_ in range(4):
                for place, vehicle in enumerate(fleet.vehicles):
                    if place % 4 == round_:
                        at = fleet.simulator.now() - timedelta(hours=1)
                        driven.add(f"{vehicle}/{fleet.world.add_trip(vehicle, at=at).id}")
                await anyio.sleep(DAY)

        async with (
            anyio.create_task_group() as tasks,
            watch(fleet.accounts, every=timedelta(hours=16), what="trips", adapt=None) as updates,
        ):
            tasks.start_soon(drive)
            with anyio.move_on_after(7 * DAY):
                async for event in updates:
                    if isinstance(event, Update) and event.trip is not None:
                        delivered[f"{event.vehicle.id}/{event.trip.id}"] += 1
                    elif isinstance(event, Recovered) and event.vehicle is None:
                        if event.server == "api.simulator.test":
                            outages.append(event.after / HOUR)
                    else:
                        assert isinstance(event, Outage | VehicleUnavailable | Recovered)
            assert updates.statistics.unavailable == 0
            assert updates.statistics.outage is None
            assert updates.statistics.identity_outages == {}
        assert delivered == Counter(driven)
        assert len(driven) == vehicles
        assert fleet.simulator.statistics.refused == 0
    assert [round(hours) for hours in outages][-1] in {7, 8}
    assert len(outages) == 2
