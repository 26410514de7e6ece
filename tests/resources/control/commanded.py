"""Cars that are commanded over a connection whose faults are ordered, and which counts what was sent."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import anyio
import httpx

from stellantis_hal import Account, Callback, Operation, Remote, StellantisClient, Vehicle, Webhook
from stellantis_hal.simulator import Simulator, World
from tests.support.simulated import account_of, client_of

__all__ = ["HOOK", "Commanded", "Line", "commanded"]

HOOK = Webhook("https://hooks.example.org/st/k3Jx0v", token="s3cr3t")
SEED = 6  # of a world whose vehicle is electric

Fault: TypeAlias = Callable[[httpx.Request, "Line"], Any]
"""Answers the POST of a command instead of the simulator: returns a response or raises."""


class Line(httpx.AsyncBaseTransport):
    """The connection to a simulator: the next POSTs of commands meet the faults that were ordered.

    Attributes:
        posts: the bodies of commands that the simulator received.
        attempts: how often a command was to be sent.
        gets: how often operations were read.
    """

    def __init__(self, simulator: Simulator) -> None:
        self._inner = simulator.transport()
        self.faults: list[Any] = []
        self.poll_faults: list[Any] = []
        self.posts: list[bytes] = []
        self.attempts = 0
        self.gets = 0

    async def deliver(self, request: httpx.Request) -> httpx.Response:
        """Hand a command to the simulator."""
        self.posts.append(await request.aread())
        return await self._inner.handle_async_request(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if "/remotes" not in request.url.path:
            return await self._inner.handle_async_request(request)
        if request.method != "POST":
            self.gets += 1
            fault = self.poll_faults.pop(0) if self.poll_faults else None
            if isinstance(fault, Exception):
                raise fault
            return fault or await self._inner.handle_async_request(request)
        self.attempts += 1
        fault = self.faults.pop(0) if self.faults else None
        if fault is None:
            return await self.deliver(request)
        outcome = fault(request, self)
        response = await outcome if hasattr(outcome, "__await__") else outcome
        assert isinstance(response, httpx.Response)
        return response


class Commanded:
    """A simulator with a car, and the client that commands it."""

    def __init__(
        self, simulator: Simulator, line: Line, client: StellantisClient, account: Account, vehicle: Vehicle
    ) -> None:
        self.simulator, self.line, self.client, self.account, self.vehicle = simulator, line, client, account, vehicle
        self.callback: Callback

    @property
    def remote(self) -> Remote:
        return self.vehicle.remote(self.callback)

    @property
    def executed(self) -> int:
        """The number of commands that the simulator accepted."""
        return len(self.simulator.remotes.commands)

    @property
    def car(self) -> Any:
        return self.simulator.world.car(self.vehicle)

    async def end(self, operation: Operation) -> None:
        """Wait for an operation, and for the cooldown after it."""
        await operation.result()
        await anyio.sleep(10)


@asynccontextmanager
async def commanded(simulator: Simulator | None = None, **options: Any) -> AsyncGenerator[Commanded]:
    simulator = simulator or Simulator(World(seed=SEED, vehicles=1, trips=3))
    line = Line(simulator)
    async with client_of(simulator, transport=line, **options) as client:
        account = account_of(client, simulator)
        vehicle = await account.vehicles(extensions=("onboardCapabilities",)).first()
        assert vehicle is not None
        case = Commanded(simulator, line, client, account, vehicle)
        case.callback = await account.callbacks.ensure(HOOK, label="garage")
        yield case
