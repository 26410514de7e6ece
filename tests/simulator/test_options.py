"""Options of the simulator and of its faults that have the wrong type: refused where they are written."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from stellantis_hal.simulator import Faults, RandomFault, ScriptedFault, ServerFault, Simulator, World

FAULT = ServerFault(status=503)
NAME: Any = "server-error"
RATES: Any = {"server-error": 0.1}
BARE: Any = [FAULT]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ScriptedFault(fault=NAME), "fault must be a fault, as ServerFault(status=503), not 'server-error'"),
        (lambda: RandomFault(fault=NAME, rate=0.1), "fault must be a fault, as ServerFault(status=503), not "),
        (lambda: Faults(script=BARE), "script must have each item as ScriptedFault(fault=…, …), not ServerFault("),
        (lambda: Faults(random=RATES), "random must have each item as RandomFault(fault=…, …), not 'server-error'"),
        (lambda: Faults(windows=BARE), "windows must have each item as FaultWindow(fault=…, …), not ServerFault("),
        (lambda: Simulator(World()).script(BARE[0]), "script must have each item as ScriptedFault(fault=…, …), not "),
        (lambda: Simulator(World()).set_faults(random=RATES), "random must have each item as RandomFault("),
        (lambda: Simulator(World(), faults=BARE), "faults must be Faults(script=…, random=…), not [ServerFault("),
        (lambda: Simulator(NAME), "world must be a World, as World(vehicles=2), not 'server-error'"),
    ],
)
def test_what_is_no_fault_or_world_is_refused(make: Callable[[], object], message: str) -> None:
    """They were errors of attributes, within the first request that the simulator served."""
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        make()


def test_a_naive_epoch_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^epoch must be aware, as datetime\(2026, 1, 1, tzinfo=UTC\), not 2026-01-01"
    ):
        Simulator(World(), epoch=datetime(2026, 1, 1))  # noqa: DTZ001 - naive on purpose


def test_steps_of_a_script_are_taken() -> None:
    simulator = Simulator(World(), faults=Faults(script=[ScriptedFault(fault=FAULT)]))
    simulator.script(ScriptedFault(fault=FAULT, times=2))
