"""A FastAPI service in two worker processes of uvicorn: both answer, one watches, and SIGTERM ends them."""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx
import pytest

from stellantis_hal import FileTokenStore
from stellantis_hal.simulator import Simulator, World
from tests.conformance.processes import free_port
from tests.support.simulated import token_of
from tests.test_blocking import served

ROOT = Path(__file__).parents[2]
SECONDS = 60

pytestmark = pytest.mark.wall_clock


class Service:
    """The service in processes; its lines of output arrive in a queue."""

    def __init__(self, simulator: Simulator, folder: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "tests.peers.two_workers:app", "--workers", "2", "--port", str(port)],
            cwd=folder,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "SIMULATOR_API": simulator.url,
                "SIMULATOR_IDENTITY": simulator.identity_url,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._queue = queue.Queue[str | None]()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line.strip())
        self._queue.put(None)

    def wait_for(self, words: str, *, others: tuple[int, ...] = ()) -> int:
        """Return the process that prints a line ending in these words, and is none of the others."""
        while True:
            line = self._queue.get(timeout=SECONDS)
            assert line is not None, self.lines
            self.lines.append(line)
            if line.endswith(words) and int(line.split()[0]) not in others:
                return int(line.split()[0])

    def end(self) -> int:
        """Send SIGTERM; return the exit status, once all output was read."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        while (line := self._queue.get(timeout=SECONDS)) is not None:
            self.lines.append(line)
        return status


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    simulator = Simulator(
        World(seed=7, accounts=1, vehicles=2, trips=20), client_id="my-client-id", client_secret="my-client-secret"
    )
    with served(simulator):
        yield simulator


@pytest.fixture
def service(simulator: Simulator, tmp_path: Path) -> Iterator[Service]:
    anyio.run(FileTokenStore(tmp_path / "tokens.json").save, "alice", token_of(simulator))
    service = Service(simulator, tmp_path)
    yield service
    if service.process.poll() is None:
        service.process.kill()
        service.process.wait(SECONDS)


def test_one_worker_watches_and_both_answer(service: Service, simulator: Simulator, tmp_path: Path) -> None:
    """After the death of the one that watches, another one takes over; no side file of a lock is left."""
    watching = service.wait_for("watches")
    waiting = service.wait_for("waits")
    assert watching != waiting
    vin = simulator.world.vehicles[0].vin
    found: set[int] = set()
    with httpx.Client(base_url=service.url, headers={"connection": "close"}, timeout=SECONDS) as client:
        for _ in range(2_000):
            found.add(client.get("/worker").json())
            if len(found) == 2:
                break
        trips = client.get(f"/vehicles/{vin}/trips", params={"limit": 3})
        assert (trips.status_code, len(trips.json())) == (200, 3)
    assert found == {watching, waiting}
    os.kill(watching, signal.SIGKILL)
    heir = service.wait_for("watches", others=(watching,))
    assert heir != watching
    assert service.end() in {0, -signal.SIGTERM}
    assert [line for line in service.lines if "Traceback" in line or "ERROR" in line] == []
    assert any("Application shutdown complete" in line for line in service.lines)
    assert {path.name for path in tmp_path.iterdir()} <= {"fleet.db", "tokens.json"}
