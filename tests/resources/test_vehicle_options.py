"""Options of a vehicle's requests."""

from datetime import timedelta
from typing import Any

import pytest

from stellantis_hal import DetachedResourceError, RateLimits, TokenBucketLimiter
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.simulator import Simulator
from stellantis_hal.structuring.converter import TypedConverter
from tests.resources.served import Served
from tests.support.simulated import account_of, client_of, world

pytestmark = pytest.mark.anyio


class RecordingLimiter(TokenBucketLimiter):
    """A limiter that records the options of each slot."""

    def __init__(self) -> None:
        super().__init__(RateLimits(per_second=1_000))
        self.options: list[tuple[str, float]] = []

    def slot(self, *, priority: Any = "interactive", max_wait: float = 60.0) -> Any:
        self.options.append((priority, max_wait))
        return super().slot(priority=priority, max_wait=max_wait)


async def test_options_hold_for_the_vehicle_and_what_it_leads_to() -> None:
    simulator, limiter = Simulator(world()), RecordingLimiter()
    async with client_of(simulator, limiter=limiter) as client:
        vehicle = await account_of(client, simulator).vehicles().first()
        assert vehicle is not None
        patient = vehicle.with_options(priority="background", max_wait=5)
        assert (patient, patient.resource is vehicle.resource) == (vehicle, False)
        limiter.options.clear()
        trip = await patient.trips().first()
        assert trip is not None
        await trip.waypoints().first()
        await patient.with_options().status()
        await patient.with_options(priority="interactive").status()
        await patient.with_options(max_wait=7).status()
        await vehicle.status()
    background = ("background", 5)
    assert limiter.options == [background] * 3 + [("interactive", 5), ("background", 7), ("interactive", 60)]


@pytest.mark.parametrize(
    "options", [{"priority": "low"}, {"max_wait": timedelta(60)}, {"max_wait": "5"}, {"max_wait": -1}]
)
def test_options_out_of_bounds_are_refused(options: Any) -> None:
    vehicle = TypedConverter().structure(Served({}).resource("/v", {}), Vehicle)
    with pytest.raises(ValueError, match=r"priority must be|number of seconds"):
        vehicle.with_options(**options)


def test_a_vehicle_over_a_network_of_its_own_stays_as_it_is() -> None:
    vehicle = TypedConverter().structure(Served({}).resource("/v", {}), Vehicle)
    assert vehicle.with_options(priority="background") is vehicle


def test_a_vehicle_without_a_client_has_no_options() -> None:
    with pytest.raises(DetachedResourceError):
        Vehicle().with_options(priority="background")
