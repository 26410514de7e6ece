"""The page about fleet owners: its examples run against the simulator."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stellantis_hal import FleetOwnerClient, Partner
from stellantis_hal.simulator import Simulator, World
from tests.support.examples import run_block, steps_of

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "fleet_owners.md"


@pytest.mark.unmeasured
@pytest.mark.anyio
@pytest.mark.wall_clock
async def test_the_examples_of_the_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    world = World(seed=7, vehicles=2, trips=30)
    simulator = Simulator(
        world,
        epoch=world.epoch + timedelta(days=1),
        client_id="my-client-id",
        partner_login="MZP123456",
        partner_password="my-password",
    )
    car, other = world.vehicles
    world.car(car).set_stolen(True)
    world.fleets.hide_from_driver(other.id, "lastPosition")

    def fleet_owner(partner: Partner, **options: Any) -> FleetOwnerClient:
        connected: dict[str, Any] = {"base_url": simulator.partner_url, "transport": simulator.transport()}
        return FleetOwnerClient(partner, **connected, clock=simulator.now, **options)

    names: dict[str, Any] = {"__name__": "guide"}
    for line, example in steps_of(PAGE):
        source = example.replace("0a123bc5d1e873066454b4d9", world.fleets.all[0].id).replace(
            "VF3ABCDE0FG123456", car.vin
        )
        names["fleet_owner"] = fleet_owner
        await run_block(PAGE, line, source.replace("with FleetOwnerClient(", "with fleet_owner("), names)
    printed = capsys.readouterr().out
    assert "Fleet 1 Every vehicle of the world" in printed
    assert car.vin in printed
    assert printed.count("hidden by the driver") == 1
    assert " lasts\n" in printed
    assert "True True\n" in printed
    assert "30 trips\n" in printed
    assert f"{world.fleets.all[0].id} VF" in printed
