"""The walks of the documentation pass the files that they name, in that order."""

import json
import re
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
import pytest

import stellantis_hal
from stellantis_hal import Account, OperationOutcome, StellantisClient, Vehicle, Webhook, watch
from stellantis_hal.simulator import ScriptedFault, Simulator, TooManyRequests
from stellantis_hal.structuring.generated_msgspec_structs import forget_unknown_keys
from stellantis_hal.testing import simulated_account, simulated_client, small_world

PACKAGE = Path(stellantis_hal.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "walks.md"

pytestmark = pytest.mark.anyio


class WithNovelty(httpx.AsyncBaseTransport):
    """Adds a key to the body of each status."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        if not request.url.path.endswith("/status"):
            return response
        body = json.loads(await response.aread()) | {"novelty": 1}
        return httpx.Response(200, json=body, headers={"Content-Type": "application/hal+json"})


@contextmanager
def traced() -> Generator[list[str]]:
    """Collect the modules whose functions are called, in the order of the calls."""
    found: list[str] = []

    def record(frame: FrameType, event: str, _: Any) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(PACKAGE):
            found.append(path.relative_to(PACKAGE).as_posix())

    previous = sys.getprofile()
    sys.setprofile(record)
    try:
        yield found
    finally:
        sys.setprofile(previous)


def walk(title: str) -> list[str]:
    """Return the files that the page names below a heading."""
    section = PAGE.read_text("utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]
    return re.findall(r"`([\w/]+\.py)`", section)


def check(title: str, calls: list[str]) -> None:
    """Check that the files of a walk are called one after the other, with others in between.

    The code generator has run before.
    """
    rest = iter(calls)
    named = [file for file in walk(title) if file != "structuring/model_reader_codegen.py"]
    assert [file for file in named if file not in calls] == []
    assert [file for file in named if file not in rest] == []


@pytest.fixture
def simulator() -> Simulator:
    return Simulator(small_world())


@pytest.fixture
async def client(simulator: Simulator) -> AsyncGenerator[StellantisClient, None]:
    async with simulated_client(simulator, transport=WithNovelty(simulator.transport())) as client:
        yield client


@pytest.fixture
def account(client: StellantisClient, simulator: Simulator) -> Account:
    return simulated_account(client, simulator)


async def car_of(account: Account) -> Vehicle:
    vehicle = await account.vehicles(extensions=("onboardCapabilities",)).first()
    assert vehicle is not None
    return vehicle


def test_files_of_the_walks_exist() -> None:
    named = re.findall(r"`([\w/]+\.py)`", PAGE.read_text("utf-8"))
    assert len(named) > 40
    assert [file for file in named if not (PACKAGE / file).exists()] == []


async def test_walk_of_trips(account: Account) -> None:
    vehicle = await car_of(account)
    with traced() as calls:
        assert len(await vehicle.trips().collect()) == 3
    check("`vehicle.trips()`", calls)


async def test_walk_of_a_429(account: Account, simulator: Simulator) -> None:
    vehicle = await car_of(account)
    simulator.script(ScriptedFault(fault=TooManyRequests(retry_after="5", remaining=None)))
    with traced() as calls:
        assert await vehicle.last_position() is not None
    check("A 429", calls)


@pytest.mark.long
@pytest.mark.unmeasured
async def test_walk_of_an_unknown_field(account: Account) -> None:
    vehicle = await car_of(account)
    forget_unknown_keys()  # that an earlier test has shown
    with traced() as calls:
        status = await vehicle.status()
    assert status is not None
    assert status.extra["novelty"] == 1
    check("An unknown field", calls)


@pytest.mark.long
async def test_walk_of_a_watch(account: Account) -> None:
    async with watch(account, every=timedelta(minutes=5)) as updates:
        with traced() as calls:
            await anext(updates)
    check("`watch` to an event", calls)


@pytest.mark.unmeasured
async def test_walk_of_a_command(account: Account, simulator: Simulator) -> None:
    simulator.world.car(simulator.world.vehicles[0]).unlock()
    vehicle = await car_of(account)
    hook = Webhook("https://hooks.example.org/st/k3Jx0v", token="s3cr3t")
    callback = await account.callbacks.ensure(hook, label="garage")
    with traced() as calls:
        operation = await vehicle.remote(callback).doors.lock()
        assert await operation.result() == OperationOutcome.SUCCESS
    check("A command to its outcome", calls)
