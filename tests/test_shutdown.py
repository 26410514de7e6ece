"""The graceful shutdown of the page on watching, as a process of its own that gets SIGTERM."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

pytestmark = pytest.mark.wall_clock

PAGE = Path(__file__).parent.parent / "docs" / "howto" / "watch.md"

SIMULATED = """
import asyncio
import functools
import sys

import stellantis_hal
from stellantis_hal.simulator import Faults, ScriptedFault, Simulator, World
from stellantis_hal.simulator.faults.kinds import Delay

hanging = [ScriptedFault(fault=Delay(seconds=3_600.0), path="/trips", times=1_000)] if "hanging" in sys.argv else []
simulator = Simulator(World(seed=7, accounts=1, vehicles=1, trips=3), faults=Faults(script=hanging))
issued = simulator.token_for(simulator.world.accounts[0])
token = stellantis_hal.Token(issued.access_token, issued.refresh_token, expires_at=issued.expires_at)
asyncio.run(stellantis_hal.FileTokenStore("tokens.json").save("alice", token))
application = stellantis_hal.Application(simulator.client_id, simulator.client_secret)
stellantis_hal.StellantisClient = functools.partial(
    stellantis_hal.StellantisClient,
    base_url=simulator.url,
    identity_url=simulator.identity_url,
    transport=simulator.transport(),
    clock=simulator.now,
)
"""


def _example() -> str:
    """Return the page's example, with a deadline that suits a test."""
    found = re.search(r"```py\n(.*?add_signal_handler.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found is not None
    assert "within=20" in found[1]
    return found[1].replace("within=20", "within=1")


@pytest.mark.parametrize("server", ["answering", "hanging"])
def test_a_service_ends_on_sigterm(tmp_path: Path, server: str) -> None:
    """Also where the server does not answer a poll in progress; what was printed is acknowledged."""
    command = [sys.executable, "-W", "error", "-c", SIMULATED + _example(), server]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")
    ids = [first.strip(), *out.splitlines()]
    assert len(set(ids)) == len(ids)
    with closing(sqlite3.connect(tmp_path / "fleet.db")) as database:
        assert database.execute("SELECT count(*) FROM checkpoints WHERE key LIKE 'watch%'").fetchone() != (0,)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fleet.db", "tokens.json"]
