"""A receiver in a process of its own that is killed at a random point: between insert, commit and answer."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import uvicorn

from stellantis_hal import Receiver, SQLiteInbox
from stellantis_hal.notifications import event_tables

PATH, TOKEN = "/st/k3Jx0v", "s3cr3t"

fatal = int(os.environ.get("STELLANTIS_HAL_TEST_CRASH_AFTER", "0"))
calls = itertools.count(1)


def maybe_die() -> None:
    """Die at the call whose number the environment names."""
    if next(calls) == fatal:
        os.kill(os.getpid(), signal.SIGKILL)


class CrashingInbox(SQLiteInbox):
    """An inbox whose process may be killed after an insert, or after the commit."""

    async def put(self, entries: Sequence[Any]) -> Sequence[Any]:
        stored = await super().put(entries)
        maybe_die()  # committed, and not answered
        return stored


def insert_and_maybe_die(entry: Any, connection: Any, insert: Any = event_tables.insert) -> Any:
    stored = insert(entry, connection)
    maybe_die()  # inserted, and not committed
    return stored


async def consume(receiver: Receiver, output: Path) -> None:
    """Write the id of each event to a file before it is acknowledged."""
    with output.open("a", buffering=1) as file:
        async with receiver.events() as events:
            async for event in events:
                file.write(f"{event.id}\n")


async def main(inbox: str, port: str, output: str) -> None:
    event_tables.insert = insert_and_maybe_die
    receiver = Receiver(CrashingInbox(inbox), path=PATH, token=TOKEN)
    config = uvicorn.Config(receiver, port=int(port), access_log=False, log_level="error", lifespan="on")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(consume, receiver, Path(output))
        await uvicorn.Server(config).serve()
        tasks.cancel_scope.cancel()


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2], sys.argv[3])
