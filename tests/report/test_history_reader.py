"""Reading of what a report shows, against the simulator."""

from typing import Any

import pytest

from stellantis_hal import (
    ForbiddenError,
    NotFoundError,
    ServerError,
    StellantisClient,
    Trip,
    UnauthorizedError,
    Vehicle,
    read_car_history,
)
from stellantis_hal.simulator import Simulator
from stellantis_hal.testing import simulated_account, simulated_client, small_world

pytestmark = pytest.mark.anyio


async def first_car(client: StellantisClient, simulator: Simulator) -> Vehicle:
    """Return the first car of the first account."""
    vehicle = await simulated_account(client, simulator).vehicles().first()
    assert vehicle is not None
    return vehicle


def raising(error: Exception) -> Any:
    """Return a function that raises an error, as a method that awaits."""

    async def read(*_: Any, **__: Any) -> Any:
        raise error

    return read


def refused(kind: type[Any], status: int) -> Any:
    return kind("refused", status=status, url="https://api.test/v4")


async def test_all_of_a_car_is_read() -> None:
    simulator = Simulator(small_world())
    counted: list[int] = []
    async with simulated_client(simulator) as client:
        vehicle = await first_car(client, simulator)
        history = await read_car_history(vehicle, routes=2, progress=counted.append)
        trips = await vehicle.trips().collect()
    assert history.trips == tuple(trips)
    assert counted == list(range(1, len(trips) + 1))
    assert (history.vehicle, len(history.statuses), len(history.routes)) == (vehicle, 1, 2)
    assert len(history.telemetry) > 0
    assert history.remarks == ()


async def test_telemetry_and_routes_may_be_left_out() -> None:
    simulator = Simulator(small_world())
    async with simulated_client(simulator) as client:
        vehicle = await first_car(client, simulator)
        history = await read_car_history(vehicle, routes=0, measurements=0)
        assert (history.telemetry, history.routes, history.remarks) == ((), (), ())
        few = await read_car_history(vehicle, routes=0, measurements=1)
    assert len(few.telemetry) == 1
    assert few.remarks == ("Of telemetry only the latest were read: 1 record.",)


@pytest.mark.parametrize("number", [{"routes": -1}, {"measurements": -1}])
async def test_negative_numbers_are_refused(number: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 0"):
        await read_car_history(Vehicle(), **number)  # type: ignore[arg-type]  # a number each


async def test_what_is_not_there_becomes_a_remark(monkeypatch: pytest.MonkeyPatch) -> None:
    simulator = Simulator(small_world())
    monkeypatch.setattr(Vehicle, "status", raising(refused(NotFoundError, 404)))
    monkeypatch.setattr(Trip, "waypoints", failing_walk(refused(ForbiddenError, 403)))
    async with simulated_client(simulator) as client:
        history = await read_car_history(await first_car(client, simulator))
    assert history.remarks == (
        "Could not read the current status: NotFoundError.",
        "Of the latest 3 trips, 3 have no route.",
    )
    assert (history.statuses, history.routes, len(history.trips)) == ((), (), 3)


async def test_a_failing_server_ends_the_reading_of_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    simulator = Simulator(small_world())
    monkeypatch.setattr(Trip, "waypoints", failing_walk(refused(ServerError, 500)))
    async with simulated_client(simulator) as client:
        history = await read_car_history(await first_car(client, simulator))
    assert history.remarks == ("Could not read the route of a trip, so no further one was asked for: ServerError.",)


async def test_a_lost_log_in_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    simulator = Simulator(small_world())
    monkeypatch.setattr(Vehicle, "status", raising(refused(UnauthorizedError, 401)))
    async with simulated_client(simulator) as client:
        vehicle = await first_car(client, simulator)
        with pytest.raises(UnauthorizedError):
            await read_car_history(vehicle)


def failing_walk(error: Exception) -> Any:
    """Return a function that returns a walk which raises an error."""

    async def walk(*_: Any, **__: Any) -> Any:
        nothing: tuple[Any, ...] = ()
        for item in nothing:
            yield item
        raise error

    return walk
