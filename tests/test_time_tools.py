"""The library under tools that change the time of a test: freezegun and time-machine."""

import subprocess
import sys

import pytest

READING = """
import sys
import pickle
from datetime import UTC, datetime

import anyio
{imports}

async def read():
    from stellantis_hal import Status, Trip
    from stellantis_hal.simulator import Simulator, World
    from tests.support.simulated import account_of, client_of

    simulator = Simulator(World(seed=1, accounts=1, vehicles=1, trips=3))
    async with client_of(simulator) as client:
        vehicle = await account_of(client, simulator).vehicles().first()
        trips = await vehicle.trips().collect()
        status = await vehicle.status()
    assert len(trips) == 3
    assert all(trip.problems == () for trip in trips), trips
    assert all(type(trip.started_at) is REAL[0] for trip in trips), type(trips[0].started_at)
    assert pickle.loads(pickle.dumps(trips[0])) == trips[0]
    print(int(status.age))

REAL = [kind for kind in datetime.__mro__ if kind.__module__ == "datetime"]
{steps}
"""
FREEZEGUN = "import freezegun\nfrozen = freezegun.freeze_time('2026-05-01')"
TIME_MACHINE = "import time_machine\nfrozen = time_machine.travel('2026-05-01', tick=False)"
UNDER = "with frozen:\n    anyio.run(read)\n"
BESIDE = "anyio.run(read)\n"


@pytest.mark.wall_clock  # a process of its own for each: what is imported first counts
@pytest.mark.parametrize(
    "steps", [UNDER + BESIDE, BESIDE + UNDER + BESIDE], ids=["before-first-use", "after-first-use"]
)
@pytest.mark.parametrize("tool", [FREEZEGUN, TIME_MACHINE], ids=["freezegun", "time-machine"])
def test_trips_are_read_under_a_tool_that_changes_the_time(tool: str, steps: str) -> None:
    code = READING.format(imports=tool, steps=steps)
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ages = [int(line) for line in done.stdout.split()]
    age = ages[steps.split("\n").index("with frozen:")]
    assert 10_393_037 <= age < 10_393_067, "the age of the status at the instant that the tool sets"  # and the latency
