"""Many commands whose answers are lost at random: none is sent twice, each is resolved or honestly unknown."""

import random
from collections import Counter

import anyio
import httpx
import pytest

from stellantis_hal import (
    NetworkError,
    OperationOutcome,
    OutcomeUnknownError,
    RemotePolicy,
    RemoteRefusedError,
    RetryPolicy,
    ServerError,
)
from stellantis_hal.simulator import Simulator, SubscriptionLimits, World
from tests.resources.control.commanded import SEED, Line, commanded
from tests.support.clocks import jumping
from tests.support.profiles import deep

pytestmark = pytest.mark.anyio


class Cut(httpx.AsyncByteStream):
    """A body that ends, and its connection with it, after a number of bytes."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self):  # type: ignore[no-untyped-def]
        yield self._content
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")


class Chance:
    """Loses a command or its answer at a random point, and keeps what was executed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.points: Counter[str] = Counter()

    async def __call__(self, request: httpx.Request, line: Line) -> httpx.Response:
        point = self.random.choice(
            ["refused", "before", "after", "cut", "quiet cut", "502", "504 after", "503", "none"]
        )
        self.points[point] += 1
        if point == "refused":
            raise httpx.ConnectError("Connection refused")
        if point == "before":
            raise httpx.ReadError("Connection reset by peer")
        if point == "502":
            return httpx.Response(502, text="<html>")
        if point == "503":
            return httpx.Response(503, json={"code": 50300})
        response = await line.deliver(request)
        if point == "after":
            raise httpx.ReadTimeout("The read operation timed out")
        if point == "504 after":
            return httpx.Response(504)
        if point == "none":
            return response
        content = await response.aread()
        kept = content[: self.random.randrange(len(content))]
        if point == "cut":
            return httpx.Response(202, headers={"content-type": "application/json"}, stream=Cut(kept))
        return httpx.Response(202, headers={"content-type": "application/json"}, content=kept)


@pytest.mark.parametrize("anyio_backend", [jumping("asyncio")], ids=["asyncio"])
@pytest.mark.parametrize("number", [40, deep(10_000)])
async def test_none_of_many_lost_commands_is_sent_twice(number: int) -> None:
    """What was refused before it was sent is sent again by the retries, as ever."""
    simulator = Simulator(
        World(seed=SEED, vehicles=1, trips=3), rate_limits=SubscriptionLimits(per_second=1_000, per_day=10_000_000)
    )
    chance, outcomes = Chance(number), Counter[str]()
    policy = RemotePolicy(under_way=RemotePolicy().under_way)
    async with commanded(simulator, policy=policy, retry=RetryPolicy(attempts=3)) as case:
        remote, labels = case.remote, set()
        registry = simulator.remotes
        for index in range(number):
            case.line.faults = [chance] * 3
            before = len(registry.commands)
            label = f"n{index}"
            try:
                operation = await remote.lights(on=index % 2 == 0, label=label)
                found = True
            except (NetworkError, ServerError):
                outcomes["not done"] += 1
                assert len(registry.commands) == before
                continue
            except OutcomeUnknownError as error:
                resolved = await error.find(within=5)
                found = resolved is not None
                executed = len(registry.commands) - before
                assert executed == found
                if resolved is None:
                    outcomes["unknown, not executed"] += 1
                    with pytest.raises(RemoteRefusedError):
                        await remote.lights(label=label)
                    await anyio.sleep(300)
                    late = await remote.find(error.label, within=0)
                    outcomes["found too late"] += late is not None
                    continue
                outcomes["unknown, found"] += 1
                operation = resolved
            else:
                outcomes["answered"] += 1
            assert len(registry.commands) == before + 1
            assert registry.commands[-1].label == operation.label
            labels.add(operation.label)
            assert isinstance(await operation.result(), OperationOutcome)
            await anyio.sleep(10)
            if index % 20 == 19:  # the registry and the collection would grow without end
                registry.forget_done()
                case.simulator.outbox.pending.clear()
    assert len(labels) == outcomes["answered"] + outcomes["unknown, found"]
    assert outcomes.pop("found too late", 0) == 0
    assert sum(outcomes.values()) == number
    assert min(outcomes.values()) > 0
    print(number, dict(outcomes), dict(chance.points))
