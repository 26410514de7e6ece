"""Tests of a service that tells its users when a car is charged; no network, account or car is needed."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import anyio
import pytest

from stellantis_hal import Account, Update, watch
from stellantis_hal.simulator import Simulator, World
from stellantis_hal.testing import jumping


async def tell_of_charges(account: Account, tell: Callable[[str], Awaitable[None]]) -> None:
    """The service: tell the name of each car whose charge has ended."""
    charging: set[str] = set()
    async with watch(account, every=timedelta(minutes=5), what="status") as updates:
        async for event in updates:
            if isinstance(event, Update) and event.status is not None:
                name = event.vehicle.display_name
                if event.status.is_charging:
                    charging.add(name)
                elif name in charging:
                    charging.remove(name)
                    await tell(name)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Run on each event loop, with a clock that jumps: a charge of hours takes milliseconds."""
    return jumping(request.param)


@pytest.mark.anyio
async def test_the_end_of_a_charge_is_told(stellantis_account: Account, stellantis_world: World) -> None:
    car = stellantis_world.vehicles[0]
    stellantis_world.plug_in(car)
    stellantis_world.start_charging(car)
    sending, receiving = anyio.create_memory_object_stream[str]()
    with sending, receiving:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(tell_of_charges, stellantis_account, sending.send)
            assert await receiving.receive()
            tasks.cancel_scope.cancel()


@pytest.mark.anyio
async def test_an_expired_token_is_no_matter(stellantis_account: Account, stellantis_simulator: Simulator) -> None:
    stellantis_simulator.expire_tokens()
    assert await stellantis_account.vehicles().collect()
