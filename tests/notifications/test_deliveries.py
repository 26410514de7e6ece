"""Deliveries of the simulator to a receiver."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from stellantis_hal.notifications import (
    InboxError,
    MemoryInbox,
    MonitorEvent,
    Notification,
    Receiver,
    RemoteEvent,
    UnreadableEvent,
)
from stellantis_hal.resources.control.callback_targets import Webhook
from stellantis_hal.simulator import Simulator, World
from stellantis_hal.simulator.api.callbacks import RegisteredCallback
from stellantis_hal.simulator.notifications.deliveries import Deliveries, DeliveryFaults
from stellantis_hal.testing import simulated_account, simulated_client
from tests.notifications.receiving import PATH, TOKEN
from tests.support.profiles import deep

pytestmark = pytest.mark.anyio
VIN = "VF3ABCDE0FG123456"
BODY = {"type": "Body", "key": "vin", "value": "$vin"}
NO_AGE = timedelta()
SECRET = {"type": "Body", "key": "token", "value": TOKEN}


class Scene:
    """A simulator with one callback, and a receiver that may be down."""

    def __init__(self, *attributes: dict[str, str], fleet: dict[str, Any] | None = None, **options: Any) -> None:
        self.simulator = Simulator(World(seed=7, accounts=1, vehicles=1, trips=0))
        webhook = {"name": "w", "target": f"https://hooks.example.org{PATH}", "attributes": list(attributes)}
        subscription = {"label": "l", "callback": {"webhook": webhook}, **(fleet or {})}
        self.callback = self.simulator.callbacks.add("owner", subscription)
        self.inbox = MemoryInbox()
        self.receiver = Receiver(self.inbox, path=PATH, token=TOKEN, **options)
        self.requests: list[httpx.Request] = []
        self.is_down = False
        self.raised = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.is_down:
            raise httpx.ConnectError("down")
        return await httpx.ASGITransport(self.receiver).handle_async_request(request)

    @asynccontextmanager
    async def delivering(self, **options: Any) -> AsyncGenerator[Deliveries, None]:
        transport: Any = type("Way", (httpx.AsyncBaseTransport,), {"handle_async_request": self._way})()
        async with self.simulator.delivering(transport=transport, **options) as deliveries:
            yield deliveries

    async def _way(self, request: httpx.Request) -> httpx.Response:
        return await self.handle_async_request(request)

    def raise_events(self, count: int = 1, age: timedelta = NO_AGE) -> None:
        for _ in range(count):
            value = {"data": "n", "value": {"body": {"literalValue": str(self.raised)}}}
            event = {"monitorId": "m1", "refresh": False, "values": [value]}
            self._add({"type": "Monitor", "date": "2026-03-01T12:00:00Z", "monitorEvent": event}, age)

    def raise_fleet_events(self, count: int = 1) -> None:
        for _ in range(count):
            event = {
                "remoteActionId": f"r{self.raised}",
                "vin": VIN,
                "eventStatus": {"type": "Done", "status": "Success"},
            }
            self._add({"events": [event]})

    def _add(self, message: dict[str, Any], age: timedelta = NO_AGE) -> None:
        self.raised += 1
        message = {"callbackId": self.callback.id, **message}
        self.simulator.outbox.add(self.callback.id, message, vin=VIN, raised_at=self.simulator.now() - age)

    async def received(self) -> list[Notification]:
        waiting = (await self.inbox.statistics()).waiting
        async with self.receiver.events() as stream:
            return [await anext(stream) for _ in range(waiting)]

    def numbers(self, events: list[Notification]) -> list[int]:
        return [int(event.values[0].text or "") for event in events if isinstance(event, MonitorEvent)]


async def test_event_is_delivered_with_its_attributes() -> None:
    header = {"type": "Header", "key": "X-Vin", "value": "$Vin"}
    query = {"type": "Query", "key": "label", "value": "$callbackLabel"}
    scene = Scene(BODY, SECRET, header, query)
    async with scene.delivering() as deliveries:
        scene.raise_events()
        await deliveries.settle()
    [event] = await scene.received()
    assert (event.vin, event.is_verified, event.callback_id) == (VIN, True, scene.callback.id)
    [request] = scene.requests
    assert request.headers["X-Vin"] == VIN
    assert request.url.params["label"] == "l"


async def test_events_that_waited_before_are_delivered() -> None:
    scene = Scene(SECRET)
    scene.raise_events(3)
    async with scene.delivering() as deliveries:
        await deliveries.settle()
    assert scene.numbers(await scene.received()) == [0, 1, 2]
    assert len(scene.requests) == 3


@pytest.mark.long
@pytest.mark.unmeasured
async def test_hour_without_the_receiver_ends_in_batches() -> None:
    scene = Scene(BODY, SECRET, {"type": "Header", "key": "X-Vin", "value": "$vin"})
    scene.is_down = True
    async with scene.delivering() as deliveries:
        for _ in range(360):
            scene.raise_events()
            await anyio.sleep(10)
        assert 350 <= len(scene.requests) <= 370
        del scene.requests[:]
        scene.is_down = False
        await deliveries.settle()
        scene.raise_events()
        await deliveries.settle()
    events = await scene.received()
    numbers = scene.numbers(events)
    assert sorted(numbers) == list(range(361))
    assert numbers != sorted(numbers)
    assert all(event.is_verified and event.vin == VIN for event in events)
    sizes = [len(body) if isinstance(body := json.loads(request.content), list) else 1 for request in scene.requests]
    assert sizes == [100, 100, 100, 60, 1]
    assert ["X-Vin" in request.headers for request in scene.requests] == [False] * 4 + [True]


@pytest.mark.unmeasured
@pytest.mark.parametrize("hours", [2, deep(72)])
async def test_events_are_dropped_after_three_days(hours: float) -> None:
    scene = Scene(SECRET)
    scene.is_down = True
    async with scene.delivering() as deliveries:
        scene.raise_events(2, age=timedelta(hours=72 - hours))
        await deliveries.settle()
        assert deliveries.statistics.dropped == 2
    assert abs(len(scene.requests) - hours * 360) <= 2


async def test_events_that_waited_too_long_are_not_sent() -> None:
    scene = Scene(SECRET)
    scene.raise_events(2, age=timedelta(hours=73))
    scene.raise_events()
    async with scene.delivering() as deliveries:
        await deliveries.settle()
        assert deliveries.statistics.dropped == 2
    assert scene.numbers(await scene.received()) == [2]


async def test_500_is_repeated_until_the_inbox_works(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(SECRET)

    async def fail(*_: Any) -> Any:
        await anyio.lowlevel.checkpoint()
        raise InboxError("full")

    monkeypatch.setattr(scene.inbox, "put", fail)
    async with scene.delivering() as deliveries:
        scene.raise_events()
        await anyio.sleep(95)
        monkeypatch.undo()
        await deliveries.settle()
        assert deliveries.statistics.responses[500] == 10
    assert scene.numbers(await scene.received()) == [0]


async def test_full_batch_is_sent_at_once() -> None:
    scene = Scene(SECRET)
    scene.is_down = True
    async with scene.delivering() as deliveries:
        scene.raise_events()
        await anyio.sleep(1)
        scene.is_down = False
        scene.raise_events(99)
        began = anyio.current_time()
        await deliveries.settle()
        assert anyio.current_time() - began < 1
    assert len(await scene.received()) == 100


@pytest.mark.parametrize("status", ["Paused", "Failed"])
async def test_callback_that_does_not_run_gets_nothing(status: str) -> None:
    scene = Scene(SECRET)
    scene.callback.status = status
    async with scene.delivering() as deliveries:
        scene.raise_events()
        await deliveries.settle()
        scene.simulator.callbacks.delete(scene.callback.id)
        scene.raise_events()
        await deliveries.settle()
        assert deliveries.statistics.dropped == 2
    assert scene.requests == []


# ------------------------------------------------------------------------------------------------ faults


@pytest.mark.parametrize("chance", [-0.1, 1.1, float("nan")])
def test_a_fault_has_a_probability(chance: float) -> None:
    with pytest.raises(ValueError, match="give_up must be a probability from 0 to 1"):
        DeliveryFaults(give_up=chance)


@pytest.mark.long
async def test_every_fault_together_loses_and_doubles_nothing() -> None:
    scene = Scene(BODY, SECRET)
    faults = DeliveryFaults(duplicate=0.3, reorder=0.3, delay=0.1, cut=0.2, give_up=0.2)
    async with scene.delivering(faults=faults) as deliveries:
        for _ in range(200):
            scene.raise_events()
            await anyio.sleep(5)
        await deliveries.settle()
        assert deliveries.statistics.responses[0] > 0
    events = await scene.received()
    assert sorted(scene.numbers(events)) == list(range(200))
    assert not any(isinstance(event, UnreadableEvent) for event in events)


async def test_ordered_faults_are_those_of_the_next_deliveries() -> None:
    scene = Scene(BODY, {"type": "Header", "key": "token", "value": TOKEN})
    async with scene.delivering() as deliveries:
        deliveries.order("literal", ("lose headers", "duplicate"))
        scene.raise_events(2)
        await deliveries.settle()
        await anyio.sleep(1)
    assert [(event.vin, event.is_verified) for event in await scene.received()] == [(None, True), (VIN, False)]
    assert len(scene.requests) == 3


async def test_reordered_and_delayed_events_come_later() -> None:
    scene = Scene(SECRET)
    async with scene.delivering() as deliveries:
        deliveries.order("reorder", "delay")
        scene.raise_events(2)
        began = anyio.current_time()
        await deliveries.settle()
        assert anyio.current_time() - began == 60
        deliveries.order("give up")
        scene.raise_events()
        await deliveries.settle()
        assert anyio.current_time() - began == 70
    assert scene.numbers(await scene.received()) == [1, 0, 2]


# ------------------------------------------------------------------------------------------------ fleet owners


async def test_fleet_event_is_sent_alone_without_a_policy() -> None:
    scene = Scene(SECRET)
    async with scene.delivering() as deliveries:
        scene.raise_fleet_events(2)
        await deliveries.settle()
    assert [len(json.loads(request.content)["events"]) for request in scene.requests] == [1, 1]
    assert all(event.is_verified and event.vin == VIN for event in await scene.received())


async def test_fleet_events_are_batched_by_size_and_window() -> None:
    scene = Scene(SECRET, fleet={"batchNotify": {"size": 3, "timeWindow": 60}})
    async with scene.delivering() as deliveries:
        scene.raise_fleet_events(4)
        await anyio.sleep(1)
        assert len(scene.requests) == 1
        began = anyio.current_time()
        await deliveries.settle()
        assert 58 < anyio.current_time() - began < 61
    assert [len(json.loads(request.content)["events"]) for request in scene.requests] == [3, 1]
    assert len(await scene.received()) == 4


async def test_vin_in_the_query_ends_batches() -> None:
    scene = Scene({"type": "Query", "key": "vin", "value": "$vin"}, fleet={"batchNotify": {"size": 3}})
    async with scene.delivering() as deliveries:
        scene.raise_fleet_events(3)
        await deliveries.settle()
    assert [request.url.params["vin"] for request in scene.requests] == [VIN] * 3


@pytest.mark.parametrize(
    ("policy", "tries", "seconds"),
    [
        ({"policy": "None"}, 1, 0),
        ({"policy": "Bounded"}, 4, 30),
        ({"policy": "Bounded", "retryNumber": 1, "retryDelay": 60}, 2, 60),
    ],
)
async def test_fleet_events_are_repeated_by_their_policy(policy: dict[str, Any], tries: int, seconds: float) -> None:
    scene = Scene(SECRET, fleet={"retryPolicy": policy})
    scene.is_down = True
    async with scene.delivering() as deliveries:
        scene.raise_fleet_events()
        began = anyio.current_time()
        await deliveries.settle()
        assert anyio.current_time() - began == seconds
        assert deliveries.statistics.dropped == 1
    assert len(scene.requests) == tries


async def test_fleet_events_may_be_repeated_for_three_days() -> None:
    scene = Scene(SECRET, fleet={"retryPolicy": {"policy": "Always", "retryDelay": 3600}})
    scene.is_down = True
    async with scene.delivering() as deliveries:
        scene.raise_fleet_events()
        await deliveries.settle()
    assert len(scene.requests) == 73


# ------------------------------------------------------------------------------------------------ other targets


@pytest.mark.parametrize(("kind", "pushed"), [("pushnotif", 1), ("websocket", 0)])
async def test_other_targets_get_no_request(kind: str, pushed: int) -> None:
    scene = Scene()
    attributes = [{"type": "Header", "key": "vin", "value": "$vin"}, SECRET]
    scene.callback.subscription = {"callback": {kind: {"devices": ["d"], "attributes": attributes}}}
    async with scene.delivering() as deliveries:
        scene.raise_events()
        await deliveries.settle()
        assert len(deliveries.pushed) == pushed
        assert all(message["data"]["vin"] == VIN for message in deliveries.pushed)
    assert scene.requests == []


async def test_webhook_without_a_url_gets_nothing() -> None:
    scene = Scene()
    scene.callback.subscription = {"callback": {"webhook": {"name": "w"}}}
    async with scene.delivering() as deliveries:
        scene.raise_events()
        await deliveries.settle()
        assert deliveries.statistics.dropped == 1


# ------------------------------------------------------------------------------------------------ the block


async def test_steps_of_a_command_arrive_without_a_poll() -> None:
    scene = Scene()
    async with scene.delivering(), simulated_client(scene.simulator, receiver=scene.receiver) as client:
        account = simulated_account(client, scene.simulator)
        callback = await account.callbacks.ensure(Webhook(f"https://hooks.example.org{PATH}", token=TOKEN), label="x")
        vehicle = await account.vehicles().first()
        assert vehicle is not None
        operation = await vehicle.remote(callback).doors.lock()
        steps = [step async for step in operation]
        await anyio.sleep(1)
    assert {step.source for step in steps} == {"event"}
    events = [event for event in await scene.received() if isinstance(event, RemoteEvent)]
    assert [event.status for event in events] == [step.status for step in steps]
    assert {(event.vin, event.vehicle_id) for event in events} == {(vehicle.vin, vehicle.id)}


async def test_error_of_the_block_is_raised_unchanged() -> None:
    scene = Scene()
    with pytest.raises(LookupError):
        async with scene.delivering():
            raise LookupError
    with anyio.move_on_after(1) as scope:
        async with scene.delivering():
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    scene.raise_events()  # nothing listens any more


@pytest.mark.both_loops_measured  # on asyncio, Python 3.11 does not record the end of the block
@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_the_network_is_the_default_and_is_closed(monkeypatch: pytest.MonkeyPatch, is_cancelled: bool) -> None:
    closed: list[bool] = []

    class Network(httpx.MockTransport):
        async def aclose(self) -> None:
            await anyio.lowlevel.checkpoint()
            closed.append(True)

    monkeypatch.setattr(httpx, "AsyncHTTPTransport", lambda: Network(lambda _: httpx.Response(200)))
    scene = Scene()
    with anyio.CancelScope() as scope:
        async with scene.simulator.delivering() as deliveries:
            scene.raise_events()
            await deliveries.settle()
            assert deliveries.statistics.responses == {200: 1}
            if is_cancelled:
                scope.cancel()
                await anyio.sleep_forever()
    assert closed == [True]
    assert scope.cancelled_caught is is_cancelled


def test_registered_callback_is_a_target() -> None:
    assert (
        RegisteredCallback("c", "o", {"callback": {"webhook": {"name": "w", "target": "https://x"}}}).kind == "webhook"
    )
