"""Deliveries with repetitions and reordering to a receiver that is killed again and again."""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import anyio
import httpx
import pytest

from stellantis_hal import parse_notification
from tests.conformance.processes import free_port
from tests.notifications.bodies import body, monitor_message
from tests.notifications.crashing import PATH
from tests.support.profiles import deep

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock, pytest.mark.parametrize("anyio_backend", ["asyncio"])]
ROOT = Path(__file__).parents[2]


class Receivers:
    """Receivers one after the other: a new one is started where the last was killed."""

    def __init__(self, folder: Path, deaths: list[int]) -> None:
        self.port = free_port()
        self._deaths = deaths
        self.crashes = 0
        self._command = [
            sys.executable, "-m", "tests.notifications.crashing", str(folder / "inbox.db"), str(self.port),
            str(folder / "given"),
        ]  # fmt: skip
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    async def run(self) -> None:
        while True:
            after = self._deaths.pop(0) if self._deaths else 0
            environment = {**self._environment, "STELLANTIS_HAL_TEST_CRASH_AFTER": str(after)}
            async with await anyio.open_process(self._command, cwd=ROOT, env=environment) as process:
                try:
                    await process.wait()
                finally:
                    with suppress(ProcessLookupError):
                        process.kill()
            self.crashes += 1


async def deliver(client: httpx.AsyncClient, url: str, content: bytes) -> None:
    """Repeat a delivery until it is answered by 200."""
    while True:
        try:
            if (await client.post(url, content=content)).status_code == 200:
                return
        except httpx.HTTPError:
            await anyio.sleep(0.05)


@pytest.mark.parametrize(("count", "deaths"), [(100, 2), deep(100_000, 60)])
@pytest.mark.unmeasured
async def test_each_event_is_given_and_twice_only_at_a_crash(tmp_path: Path, count: int, deaths: int) -> None:
    """30 % of the deliveries are repeated, their order is shuffled, and the receiver is killed by SIGKILL."""
    rng = random.Random(7)
    bodies = [body(monitor_message(number)) for number in range(count)]
    expected = {event.id for content in bodies for event in parse_notification(content)}
    deliveries = bodies + [bodies[rng.randrange(count)] for _ in range(int(count * 0.3))]
    rng.shuffle(deliveries)
    # Each process is killed after some inserts or commits, until the last one.
    after = [rng.randrange(1, 2 * count // deaths) for _ in range(deaths)]
    receivers = Receivers(tmp_path, after)
    url = f"http://127.0.0.1:{receivers.port}{PATH}"
    given = tmp_path / "given"
    async with (
        httpx.AsyncClient(trust_env=False, timeout=30, limits=httpx.Limits(max_connections=32)) as client,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(receivers.run)

        async def deliver_some(part: list[bytes]) -> None:
            for content in part:
                await deliver(client, url, content)

        async with anyio.create_task_group() as senders:
            for start in range(32):
                senders.start_soon(deliver_some, deliveries[start::32])
        with anyio.fail_after(60 + count / 100):
            while len(set(given.read_text().split())) < count:  # noqa: ASYNC110
                await anyio.sleep(0.2)  # another process writes the file
        tasks.cancel_scope.cancel()
    counts = Counter(given.read_text().split())
    assert set(counts) == expected
    # Only the event that a consumer had in hand when it was killed comes twice.
    assert sum(counts.values()) - count <= receivers.crashes
    assert receivers.crashes >= min(deaths, 2)
