"""A converter of one's own in StellantisClient: classes and hooks, from a walk down to a nested value."""

import pickle
from datetime import timedelta
from typing import Any

import attrs
import pytest

from stellantis_hal import Rel, make_converter
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.trip import Trip
from stellantis_hal.simulator import Simulator
from tests.support.simulated import account_of, client_of, world

pytestmark = pytest.mark.anyio


@attrs.frozen
class Car:
    id: str
    motorization: str | None = None


async def test_hooks_are_honoured_in_everything_a_client_reads() -> None:
    simulator, converter = Simulator(world()), make_converter()
    converter.register_structure_hook(timedelta, lambda value, _: ("seconds", value))
    async with client_of(simulator, converter=converter) as client, client_of(simulator) as usual:
        vehicle = await account_of(client, simulator).vehicles().first()
        other = await account_of(usual, simulator).vehicles().first()
        assert vehicle is not None
        assert other is not None
        trip, plain = await vehicle.trips().first(), await other.trips().first()
    assert isinstance(trip, Trip)
    assert isinstance(plain, Trip)
    assert plain.duration is not None
    duration: Any = trip.duration
    assert duration == ("seconds", plain.duration.total_seconds())


async def test_a_relation_may_be_read_as_an_own_class() -> None:
    simulator = Simulator(world())
    async with client_of(simulator, converter=make_converter()) as client:
        vehicles = await account_of(client, simulator).follow("vehicles")
        vehicle = vehicles.embedded("vehicles")[0]
        car = await vehicle.follow(Rel("self", Car))
        status = await vehicle.follow(Rel("status", Status))
    assert (car.id, type(car)) == (vehicle["id"], Car)
    assert pickle.loads(pickle.dumps(status)) == status
