"""Frames of the package on the await stack between a user's call and the transport."""

import inspect
from pathlib import Path

import httpx
import pytest

import stellantis_hal
from stellantis_hal.simulator import Simulator
from tests.support.simulated import account_of, client_of, world

pytestmark = pytest.mark.anyio

PACKAGE = f"{Path(stellantis_hal.__file__).parent}/"
FIRST = "navigation/pagination/paginator.py: ItemIterator.__anext__"
MAX_FRAMES = 12
MAX_NAVIGATION_FRAMES = 5


class StackRecorder(httpx.AsyncBaseTransport):
    """A transport that records the package's frames on the stack of each request, the outermost first."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.stacks: list[list[str]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        stack: list[str] = []
        frame = inspect.currentframe()
        while frame is not None:
            if frame.f_code.co_filename.startswith(PACKAGE):
                stack.append(f"{frame.f_code.co_filename.removeprefix(PACKAGE)}: {frame.f_code.co_qualname}")
            frame = frame.f_back
        self.stacks.append(stack[::-1])
        return await self._inner.handle_async_request(request)


@pytest.mark.parametrize("count", [1, 70])
async def test_few_frames_between_trips_and_the_transport(count: int) -> None:
    """With default options, on the first page (one item) and on the second (all items)."""
    simulator = Simulator(world(trips=70))
    transport = StackRecorder(simulator.transport())
    async with client_of(simulator, transport=transport) as client:
        vehicle = await account_of(client, simulator).vehicles().first()
        assert vehicle is not None
        transport.stacks.clear()
        assert len(await vehicle.trips().collect(limit=count)) == count
    assert len(transport.stacks) == (1 if count == 1 else 2)
    stack = transport.stacks[-1]
    frames = stack[stack.index(FIRST) :]
    print(f"{len(frames)} frames:", *frames, sep="\n  ")
    assert len([frame for frame in frames if frame.startswith("navigation/")]) <= MAX_NAVIGATION_FRAMES
    assert len(frames) <= MAX_FRAMES
