"""An integration in the real Home Assistant: its session, config entries, detector of blocking calls and shutdown.

They need, at ``STELLANTIS_HAL_HOME_ASSISTANT_PYTHON``, a Python 3.13 with ``homeassistant==2025.2.5`` and what the
package requires; the package itself is that of this checkout.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from stellantis_hal.simulator import Simulator
from tests.support.simulated import world
from tests.test_blocking import served

PYTHON = os.environ.get("STELLANTIS_HAL_HOME_ASSISTANT_PYTHON", "")
ROOT = Path(__file__).parents[2]
PEER = ROOT / "tests" / "peers" / "home_assistant" / "drive.py"

pytestmark = pytest.mark.wall_clock


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run Home Assistant once; return what it saw."""
    if not Path(PYTHON).is_file():
        pytest.skip("STELLANTIS_HAL_HOME_ASSISTANT_PYTHON must be a Python 3.13 with homeassistant==2025.2.5")
    simulator = Simulator(world(vehicles=2))
    with served(simulator):
        names = [simulator.url, simulator.identity_url, simulator.client_id, simulator.client_secret]
        ran = subprocess.run(
            [PYTHON, str(PEER), str(tmp_path_factory.mktemp("configuration")), *names],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def test_a_config_flow_enrols_an_account_once(seen: dict[str, Any]) -> None:
    assert seen["wrong_redirect"] == {"base": "invalid_auth"}
    assert (seen["flow"], seen["second_flow"]) == ("create_entry", "already_configured")


def test_entities_have_the_states_of_the_cars(seen: dict[str, Any]) -> None:
    assert seen["state"] == "loaded"
    assert len(seen["entities"]) == 6
    assert float(seen["entities"]["sensor.308_mileage"]) > 0
    assert seen["entities"]["binary_sensor.308_charging"] in {"on", "off"}


def test_a_renewed_token_is_in_the_config_entry(seen: dict[str, Any]) -> None:
    assert seen["renewed"]
    assert seen["state_after_renewal"] == "loaded"


def test_errors_are_those_of_home_assistant(seen: dict[str, Any]) -> None:
    """An outage is tried again, a withdrawn consent asks the user."""
    assert seen["state_without_api"] == "setup_retry"
    assert seen["flow_after_withdrawal"] == ["reauth", "consent"]
    assert (seen["reauth"], seen["state_after_reauth"]) == ("reauth_successful", "loaded")


def test_the_session_stays_home_assistants(seen: dict[str, Any]) -> None:
    assert seen["unloaded"]
    assert seen["state_after_unload"] == "not_loaded"
    assert seen["session_open_after_unload"]
    assert seen["set_up_again"]


def test_the_detector_of_blocking_calls_is_quiet(seen: dict[str, Any]) -> None:
    """The only line is that of the withdrawn consent; a closed session would be one, too."""
    assert [line for line in seen["log"] if "Authentication failed" not in line] == []
    assert len(seen["log"]) == 1


def test_shutdown_leaves_nothing(seen: dict[str, Any]) -> None:
    assert seen["session_closed_after_stop"]
    assert (seen["tasks_left"], seen["warnings"]) == ([], [])
    # Home Assistant's own; it is a daemon.
    assert [name for name in seen["threads_left"] if "safe_shutdown" not in name] == []


def test_a_blocking_call_would_be_detected(seen: dict[str, Any]) -> None:
    assert seen["detector_works"]
