"""Operations fed by a receiver to which the simulator delivers."""

import json

import anyio
import anyio.to_thread
import httpx
import pytest

from stellantis_hal import MemoryInbox, OperationOutcome, Receiver, RemoteFailedError
from stellantis_hal.simulator import CommandCourseDeviation, Simulator, World
from tests.notifications.receiving import post
from tests.resources.control.commanded import SEED, commanded

pytestmark = pytest.mark.anyio


@pytest.mark.unmeasured
@pytest.mark.parametrize("events", ["usual", "reversed", "doubled"])
async def test_delivered_events_end_an_operation_without_a_poll(events: str) -> None:
    simulator = Simulator(World(seed=SEED, vehicles=1, trips=3))
    receiver = Receiver(MemoryInbox(), path="/st/k3Jx0v", token="s3cr3t")
    transport = httpx.ASGITransport(receiver)
    async with commanded(simulator, receiver=receiver) as case, simulator.delivering(transport=transport):
        simulator.remotes.order(CommandCourseDeviation(events=events))
        operation = await case.remote.doors.unlock()
        assert await operation.result() is OperationOutcome.SUCCESS
        assert {step.source for step in operation.steps} == {"event"}
        assert case.line.gets == 0
        statuses = [step.status for step in operation.steps]
        expected = ["Accepted", "WakingUpVehicle", "SentToVehicle", "Success"]
        if events == "reversed":
            assert statuses[0] == "Success"
        else:
            assert statuses == expected


async def test_a_delivered_failure_has_its_cause() -> None:
    simulator = Simulator(World(seed=SEED, vehicles=1, trips=3))
    receiver = Receiver(MemoryInbox(), path="/st/k3Jx0v", token="s3cr3t")
    transport = httpx.ASGITransport(receiver)
    async with commanded(simulator, receiver=receiver) as case, simulator.delivering(transport=transport):
        case.car.open_door()
        operation = await case.remote.doors.lock()
        with pytest.raises(RemoteFailedError) as caught:
            await operation.result()
        assert caught.value.cause == "DoorsOpen"
        assert case.line.gets == 0


async def test_unverified_events_feed_no_operation() -> None:
    simulator = Simulator(World(seed=SEED, vehicles=1, trips=3))
    receiver = Receiver(MemoryInbox(), path="/st/k3Jx0v", token="another secret")
    transport = httpx.ASGITransport(receiver)
    async with commanded(simulator, receiver=receiver) as case, simulator.delivering(transport=transport):
        operation = await case.remote.doors.unlock()
        assert await operation.result() is OperationOutcome.SUCCESS
        assert {step.source for step in operation.steps} == {"poll"}


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
async def test_steps_of_a_receiver_in_another_thread_arrive_at_once(backend: str) -> None:
    """The server of the receiver has an event loop of its own; the operation would be polled 20 s later."""
    simulator = Simulator(World(seed=SEED, vehicles=1, trips=3))
    receiver = Receiver(MemoryInbox(), path="/st/k3Jx0v")

    async def deliver(operation_id: str) -> None:
        step = {"remoteActionId": operation_id, "eventStatus": {"type": "Done", "status": "Success"}}
        content = json.dumps({"type": "Remote", "remoteEvent": step}).encode()
        assert await post(receiver, content) == 200

    async with commanded(simulator, receiver=receiver) as case:
        operation = await case.remote.doors.unlock()

        def serve() -> None:
            anyio.run(deliver, operation.id, backend=backend)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, serve)
            with anyio.fail_after(10):
                assert await operation.result() is OperationOutcome.SUCCESS
        assert [step.source for step in operation.steps] == ["event"]
        assert case.line.gets == 0
