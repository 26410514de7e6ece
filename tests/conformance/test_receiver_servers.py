"""The receiver under ASGI servers, behind a proxy that knows the specification, and under generated requests."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import anyio
import httpx
import pytest

from stellantis_hal import MonitorEvent, Notification, Receiver, RemoteEvent, SQLiteInbox, UnreadableEvent
from stellantis_hal.simulator import DeliveryFaults, Simulator, World
from tests.conformance.processes import free_port, prism, running
from tests.conformance.receiver_app import PATH, TOKEN
from tests.notifications.bodies import VIN, body, monitor_message, remote_message

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]
asyncio_only = pytest.mark.parametrize("anyio_backend", ["asyncio"])

ROOT = Path(__file__).parents[2]
APP = "tests.conformance.receiver_app:receiver"
SERVERS = {
    "uvicorn": ("uvicorn", "-m uvicorn {app} --port {port} --no-access-log --log-level warning"),
    "hypercorn-asyncio": ("hypercorn", "-m hypercorn {app} -b 127.0.0.1:{port} -k asyncio"),
    "hypercorn-trio": ("hypercorn", "-m hypercorn {app} -b 127.0.0.1:{port} -k trio"),
    "granian": ("granian", "-m granian {app} --interface asgi --port {port} --no-access-log"),
}


@contextmanager
def served(server: str, inbox: Path) -> Generator[str, None, None]:
    """Serve the receiver; yield the URL of its webhook. Skip where the server is not installed."""
    module, arguments = SERVERS[server]
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed: pip install {module}")
    port = free_port()
    command = [sys.executable, *arguments.format(app=APP, port=port).split()]
    with running(command, port, environment={"STELLANTIS_HAL_TEST_INBOX": str(inbox)}, folder=ROOT) as address:
        yield address + PATH


async def stored(inbox: Path) -> list[Notification]:
    """Return the events in a file."""
    async with SQLiteInbox(inbox) as opened:
        receiver = Receiver(opened, path=PATH, token=TOKEN)
        waiting = (await opened.statistics()).waiting
        async with receiver.events() as events:
            return [await anext(events) for _ in range(waiting)]


def raw(url: str, request: bytes, *, ends: bool = True) -> bytes:
    """Send bytes to a server; return what it answers until it closes the connection, or b"" at once."""
    parts = httpx.URL(url)
    with socket.create_connection((parts.host, parts.port or 80), timeout=20) as connection:
        connection.sendall(request)
        if not ends:
            return b""
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
        return answer


@asyncio_only
@pytest.mark.parametrize("server", SERVERS)
async def test_server_runs_the_receiver(server: str, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox.db"
    with served(server, inbox) as url:
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            assert (await client.post(url, content=body(monitor_message(1)))).status_code == 200
            assert (await client.post(url, content=body([monitor_message(1), remote_message()]))).status_code == 200
            assert (await client.get(url)).status_code == 405
            assert (await client.post(f"{url}/x", content=b"{}")).status_code == 404

            async def pieces() -> AsyncIterator[bytes]:
                for byte in body(monitor_message(2)):
                    yield bytes([byte])

            assert (await client.post(url, content=pieces())).status_code == 200
            packed = gzip.compress(body(monitor_message(3)))
            assert (await client.post(url, content=packed, headers={"Content-Encoding": "gzip"})).status_code == 200
            assert (await client.post(url, content=b"x" * 3_000_000)).status_code == 200
        # A sender that goes away within its body, and one that does not wait for the answer.
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {{}}\r\nConnection: close\r\n\r\n"
        content = body(monitor_message(4))
        raw(url, head.format(len(content) + 50).encode() + content, ends=False)
        raw(url, head.format(len(content)).encode() + content, ends=False)
        await anyio.sleep(1)
        assert b" 200 " in raw(url, head.format(len(content)).encode() + content)
    events = await stored(inbox)
    assert [type(event) for event in events] == [
        MonitorEvent,
        RemoteEvent,
        *[MonitorEvent] * 2,
        UnreadableEvent,
        MonitorEvent,
    ]
    large = events[4]
    assert isinstance(large, UnreadableEvent)
    assert (large.size, large.is_truncated) == (3_000_000, True)


# ------------------------------------------------------------------------------------------------ the specification


def notifications_specification() -> str:
    """Return the repaired specification of notifications, beside the one that the environment names, or skip."""
    main = os.environ.get("STELLANTIS_HAL_SPECIFICATION")
    path = Path(main).parent / "b2c-notifications.repaired.openapi.yaml" if main else None
    if path is None or not path.exists():
        pytest.skip("STELLANTIS_HAL_SPECIFICATION names no folder with b2c-notifications.repaired.openapi.yaml")
    return str(path)


@asyncio_only
async def test_simulated_deliveries_pass_the_specification(tmp_path: Path) -> None:
    """Prism stands between the simulator and the receiver, and refuses a body off the schema by 422."""
    specification, port, inbox = notifications_specification(), free_port(), tmp_path / "inbox.db"
    simulator = Simulator(World(seed=7, accounts=1, vehicles=1, trips=0))
    with served("uvicorn", inbox) as url:
        target = url.removesuffix(PATH)
        command = [prism(), "proxy", "--errors", "-h", "127.0.0.1", "-p", str(port), specification, target]
        with running(command, port) as proxy:
            async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
                refused = await client.post(f"{proxy}{PATH}", json={"type": "Gossip"})
            assert refused.status_code == 422  # otherwise the proxy judges nothing
            attributes = [
                {"type": "Body", "key": "token", "value": TOKEN},
                {"type": "Body", "key": "vin", "value": "$vin"},
            ]
            webhook = {"name": "w", "target": f"{proxy}{PATH}", "attributes": attributes}
            callback = simulator.callbacks.add("owner", {"callback": {"webhook": webhook}})
            monitor, remote = monitor_message(), remote_message("Accepted", "Pending")
            for message in (monitor, remote):
                message |= {"callbackId": callback.id}
                del message["attributes"]
            async with simulator.delivering(faults=DeliveryFaults(duplicate=0.5)) as deliveries:
                for number in range(3):
                    monitor = {**monitor, "date": datetime(2026, 3, 1, number, tzinfo=UTC).isoformat()}
                    simulator.outbox.add(callback.id, monitor, vin=VIN, raised_at=simulator.now())
                simulator.outbox.add(callback.id, remote, vin=VIN, raised_at=simulator.now())
                with anyio.fail_after(60):
                    await deliveries.settle()
                await anyio.sleep(1)
                assert set(deliveries.statistics.responses) == {200}
    events = await stored(inbox)
    assert sorted(type(event).__name__ for event in events) == ["MonitorEvent"] * 3 + ["RemoteEvent"]
    assert all(event.is_verified and event.vin == VIN for event in events)


@asyncio_only
async def test_generated_requests_get_known_answers(tmp_path: Path) -> None:
    """Schemathesis sends valid and invalid requests; the receiver answers 200, 404, 405 or 500 to all."""
    tool = os.environ.get("STELLANTIS_HAL_SCHEMATHESIS") or shutil.which("schemathesis")
    if not tool:
        pytest.skip("STELLANTIS_HAL_SCHEMATHESIS is not set: the path of Schemathesis")
    schema = {
        "openapi": "3.0.3",
        "info": {"title": "receiver", "version": "1"},
        "paths": {
            PATH: {
                "post": {
                    "requestBody": {"content": {"application/json": {"schema": {}}, "text/plain": {"schema": {}}}},
                    "responses": {status: {"description": status} for status in ("200", "404", "405", "500")},
                }
            }
        },
    }
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    with served("uvicorn", tmp_path / "inbox.db") as url:
        done = await anyio.run_process(
            [
                tool,
                "run",
                str(tmp_path / "schema.json"),
                "--url",
                url.removesuffix(PATH),
                "--checks",
                "status_code_conformance,not_a_server_error,unsupported_method",
                "--max-examples",
                "100",
            ],
            check=False,
            cwd=tmp_path,
        )
    assert done.returncode == 0, done.stdout.decode()[-3_000:]
