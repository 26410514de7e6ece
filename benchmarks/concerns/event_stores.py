"""Events into and out of stores: checkpoints of a watch and the inbox of a receiver, in SQLite files, committed.

CPU time of an event with that of worker threads; the wait for the disk is not in it.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import anyio.lowlevel

from benchmarks.harness.rounds import interleaved
from benchmarks.harness.rows import Row, absolute
from benchmarks.harness.scale import Scale
from stellantis_hal import CheckpointStore, MemoryCheckpoints, Receiver, SQLiteCheckpoints, SQLiteInbox

__all__ = ["run"]

_PATH = "/st/k3Jx0v"
_SENDERS = 64
_BATCH = 100
_CHECKPOINT = json.dumps(
    {"seen": [f"trip-{number:08}" for number in range(60)], "last": "2026-03-01T12:00:00Z"}
).encode()
Candidate = Callable[[], Awaitable[float]]


def run(scale: Scale) -> list[Row]:
    """Measure."""
    with TemporaryDirectory() as name:
        return anyio.run(_measure, Path(name), scale)


async def _measure(folder: Path, scale: Scale) -> list[Row]:
    times = scale.pick(10, 500, 1_000, 3_000)
    async with AsyncExitStack() as stack:
        sqlite = await stack.enter_async_context(SQLiteCheckpoints(folder / "checkpoints.db"))
        inbox = await stack.enter_async_context(SQLiteInbox(folder / "inbox.db"))
        receiver, bodies = Receiver(inbox, path=_PATH, token="s3cr3t"), _Bodies()
        await inbox.statistics()
        candidates = {
            "checkpoint saved, memory": _saved(MemoryCheckpoints(), times),
            "checkpoint saved, SQLite": _saved(sqlite, times),
            "checkpoint loaded, SQLite": _loaded(sqlite, times),
            "event received, one each": _received(receiver, bodies, times, batch=1),
            f"event received, {_BATCH} at a time": _received(receiver, bodies, times, batch=_BATCH),
            "event consumed": _consumed(receiver, bodies, times),
        }
        found = await interleaved(candidates, scale.pick(1, 3, 5, 9))
    return [absolute(name, "µs CPU", found, name) for name in candidates]


# ------------------------------------------------------------------------------------------------- checkpoints


def _saved(store: CheckpointStore, times: int) -> Candidate:
    async def measure() -> float:
        start = time.process_time()
        for number in range(times):
            await store.save(f"vehicle-{number % 100}", _CHECKPOINT)
        return (time.process_time() - start) / times * 1e6

    return measure


def _loaded(store: CheckpointStore, times: int) -> Candidate:
    async def measure() -> float:
        start = time.process_time()
        for number in range(times):
            await store.load(f"vehicle-{number % 100}")
        return (time.process_time() - start) / times * 1e6

    return measure


# ------------------------------------------------------------------------------------------------- inbox


class _Bodies:
    """Bodies of notifications, each of new events."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def make(self, size: int) -> bytes:
        """Return a body of some events."""
        events = [_message(next(self._numbers)) for _ in range(size)]
        return json.dumps(events if size > 1 else events[0]).encode()


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


async def _post_all(receiver: Receiver, bodies: list[bytes]) -> None:
    """Post bodies by some senders at a time, as a server's connections do."""

    async def send(part: list[bytes]) -> None:
        for body in part:
            await _post(receiver, body)

    async with anyio.create_task_group() as tasks:
        for start in range(_SENDERS):
            tasks.start_soon(send, bodies[start::_SENDERS])


async def _drain(receiver: Receiver, count: int) -> None:
    async with receiver.events() as stream:
        for _ in range(count):
            await anext(stream)


def _received(receiver: Receiver, bodies: _Bodies, times: int, *, batch: int) -> Candidate:
    async def measure() -> float:
        posted = [bodies.make(batch) for _ in range(max(1, times // batch))]
        start = time.process_time()
        await _post_all(receiver, posted)
        spent = time.process_time() - start
        await _drain(receiver, len(posted) * batch)
        return spent / (len(posted) * batch) * 1e6

    return measure


def _consumed(receiver: Receiver, bodies: _Bodies, times: int) -> Candidate:
    async def measure() -> float:
        await _post_all(receiver, [bodies.make(1) for _ in range(times)])
        start = time.process_time()
        await _drain(receiver, times)
        return (time.process_time() - start) / times * 1e6

    return measure
