"""Receiver: single events a second into a committed SQLite file, batches of 100, and what a consumer takes."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel

from stellantis_hal import Receiver, SQLiteInbox

__all__ = ["run"]

_PATH = "/st/k3Jx0v"
_SENDERS = 64


def _message(number: int) -> dict[str, Any]:
    value = {
        "data": "vehicle.energy.electric.level",
        "value": {"type": "string", "body": {"literalValue": str(number)}},
    }
    return {
        "callbackId": "callback-1",
        "type": "Monitor",
        "date": "2026-03-01T12:00:00Z",
        "attributes": [{"key": "vin", "value": "VF3ABCDE0FG123456"}, {"key": "token", "value": "s3cr3t"}],
        "monitorEvent": {"monitorId": "monitor-1", "refresh": False, "values": [value]},
    }


async def _post(receiver: Receiver, body: bytes) -> None:
    async def receive() -> MutableMapping[str, Any]:
        await anyio.lowlevel.checkpoint()
        return {"type": "http.request", "body": body}

    async def send(event: MutableMapping[str, Any]) -> None:
        assert event.get("status", 200) == 200

    scope = {"type": "http", "method": "POST", "path": _PATH, "headers": [], "query_string": b""}
    await receiver(scope, receive, send)


async def _measure(folder: Path, events: int) -> dict[str, float]:
    async with SQLiteInbox(folder / "inbox.db") as inbox:
        receiver = Receiver(inbox, path=_PATH, token="s3cr3t")
        bodies = [json.dumps(_message(number)).encode() for number in range(events)]
        batches = [
            json.dumps([_message(events + 100 * batch + number) for number in range(100)]).encode()
            for batch in range(20)
        ]
        await inbox.statistics()
        began, used = time.perf_counter(), time.process_time()

        async def send_some(part: list[bytes]) -> None:
            for body in part:
                await _post(receiver, body)

        async with anyio.create_task_group() as tasks:
            for start in range(_SENDERS):
                tasks.start_soon(send_some, bodies[start::_SENDERS])
        single, cpu = time.perf_counter() - began, time.process_time() - used
        times: list[float] = []
        for batch in batches:
            began = time.perf_counter()
            await _post(receiver, batch)
            times.append(time.perf_counter() - began)
        began = time.perf_counter()
        async with receiver.events() as stream:
            for _ in range(events):
                await anext(stream)
        return {
            "single events/s": events / single,
            "processor µs per event": cpu / events * 1e6,
            "batch of 100, median ms": sorted(times)[len(times) // 2] * 1e3,
            "batch of 100, best ms": min(times) * 1e3,
            "consumed events/s": events / (time.perf_counter() - began),
        }


def run(events: int = 5_000) -> dict[str, float]:
    """Return the figures of one run in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        return anyio.run(_measure, Path(folder), events)


if __name__ == "__main__":
    for name, figure in run().items():
        print(f"{name:28} {figure:10.1f}")
