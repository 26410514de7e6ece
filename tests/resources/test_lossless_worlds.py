"""Nothing vanishes from the bodies of generated worlds, of older and newer back ends."""

from collections import Counter
from contextlib import suppress
from typing import Any

import pytest

from stellantis_hal.errors import LinkNotFoundError
from stellantis_hal.resources.status import Status
from stellantis_hal.simulator import BackendVariant, Simulator
from stellantis_hal.structuring.typed_resource import TypedResource
from tests.resources.lossless import audit
from tests.support.simulated import account_of, client_of, world

pytestmark = pytest.mark.anyio


async def read_all(simulator: Simulator) -> list[TypedResource]:
    """Read everything of the first account: single resources and the items of every collection."""
    async with client_of(simulator) as client:
        account = account_of(client, simulator)
        found: list[Any] = [await account.user()]
        async for vehicle in account.vehicles():
            found.append(vehicle)
            for fetch in (vehicle.status, vehicle.maintenance, vehicle.last_position):
                with suppress(LinkNotFoundError):
                    found.append(await fetch())
            for items in (vehicle.trips, vehicle.alerts, vehicle.alarms, vehicle.collisions, vehicle.telemetry):
                with suppress(LinkNotFoundError):
                    found += [item async for item in items()]
        return [value for value in found if isinstance(value, TypedResource)]


@pytest.mark.unmeasured
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
@pytest.mark.parametrize("variant", [BackendVariant(), BackendVariant(newest_first=True)], ids=["new", "newest first"])
@pytest.mark.long
async def test_no_scalar_of_a_world_vanishes(seed: int, variant: BackendVariant) -> None:
    simulator = Simulator(world(vehicles=2, trips=6, seed=seed), variant=variant)
    kinds, counts = Counter[str](), Counter[str]()
    for value in await read_all(simulator):
        assert value.document is not None
        kinds[type(value).__name__] += 1
        found, lost = audit(dict(value.document.body), type(value))
        assert lost == [], type(value).__name__
        counts += found
    assert counts["typed"] > 300
    assert len(kinds) >= 6


@pytest.mark.parametrize("embedded", [[{"extension": {"odometer": {"mileage": 5}}}], [1, {"x": "y"}], "x"])
@pytest.mark.parametrize("inside", [False, True])
def test_embedded_of_another_shape_is_kept(embedded: Any, inside: bool) -> None:
    """``_embedded`` or ``_embedded.extension`` as an array."""
    body = {"_embedded": {"extension": embedded} if inside else embedded, "odometer": {"mileage": 7}}
    assert audit(body, Status)[1] == []
