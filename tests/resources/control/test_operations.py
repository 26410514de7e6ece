"""Operations: iterated, awaited, fed by polls and events, resumed, confirmed."""
# Parameters of the lambdas are of any type.
# pyright: reportUnknownLambdaType=false

import gc
import pickle
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import anyio
import attrs
import httpx
import pytest

from stellantis_hal import (
    ActionKind,
    FailureCause,
    ForbiddenError,
    MemoryCache,
    NetworkError,
    NotHalError,
    Operation,
    OperationOutcome,
    OperationStep,
    OutcomeUnknownError,
    Priority,
    RemoteFailedError,
    RemotePolicy,
    RemoteRefusedError,
    RetryPolicy,
    Status,
    TokenBucketLimiter,
)
from stellantis_hal.resources.control.operation import changed_at
from stellantis_hal.resources.control.operation_record import OperationRecord
from stellantis_hal.simulator import CommandCourseDeviation
from tests.resources.control.commanded import Commanded, Line, commanded

pytestmark = pytest.mark.anyio


class NotingLimiter(TokenBucketLimiter):
    """A limiter that notes the priorities."""

    def __init__(self) -> None:
        super().__init__()
        self.priorities: list[str] = []

    def slot(self, *, priority: Priority = "interactive", max_wait: float = 60.0) -> Any:
        self.priorities.append(priority)
        return super().slot(priority=priority, max_wait=max_wait)


class Feed:
    """A source of events that the tests hand out."""

    def __init__(self) -> None:
        self.registered: list[tuple[str, str | None, str]] = []
        self.listeners: dict[str, list[Callable[[OperationStep], None]]] = {}

    def register(self, source_id: str, *, vin: str | None, vehicle_id: str) -> None:
        self.registered.append((source_id, vin, vehicle_id))

    def subscribe(self, operation_id: str, listener: Callable[[OperationStep], None]) -> Callable[[], None]:
        self.listeners.setdefault(operation_id, []).append(listener)
        return lambda: self.listeners[operation_id].remove(listener)

    def raise_event(self, operation: Operation, status: str, cause: str | None = None) -> None:
        for listener in list(self.listeners[operation.id]):
            listener(OperationStep(status, cause, None, "event"))


async def ordered(case: Commanded, course: CommandCourseDeviation) -> Operation:
    case.simulator.remotes.order(course)
    return await case.remote.doors.lock()


# ------------------------------------------------------------------------------------------------- polls


async def test_polls_become_rarer() -> None:
    async with commanded() as case:
        operation = await ordered(case, CommandCourseDeviation(stops_at="Accepted"))
        started = anyio.current_time()
        with pytest.raises(TimeoutError, match="the latest step is 'Accepted'; it goes on"):
            await operation.result(timeout=200)
        assert anyio.current_time() - started == pytest.approx(200)
        assert case.line.gets == 10  # after 2, 5.2, 10.3, 18.5, 31.6, 52.6, 82.6 … s
        assert not operation.is_over
        with pytest.raises(RuntimeError, match="not known yet"):
            operation.require_outcome()


async def test_an_operation_can_be_awaited_after_a_timeout() -> None:
    async with commanded() as case:
        operation = await case.remote.doors.unlock()
        with pytest.raises(TimeoutError, match="no step"):
            await operation.result(timeout=1)
        with anyio.move_on_after(1):
            async for _ in operation:
                raise AssertionError
        assert await operation.result() is OperationOutcome.SUCCESS
        assert await operation.result(timeout=0) is OperationOutcome.SUCCESS


async def test_arguments_of_another_type_are_refused() -> None:
    async with commanded() as case:
        operation = await case.remote.doors.lock()
        calls: list[Callable[[], Any]] = [
            lambda: operation.result(timeout="60"),  # type: ignore[arg-type]
            lambda: operation.confirmed(lambda _: True, within="60"),  # type: ignore[arg-type]
            lambda: operation.confirmed(None),  # type: ignore[arg-type]
            lambda: case.remote.find("label", within="60"),  # type: ignore[arg-type]
            lambda: case.remote.lights(force="no"),  # type: ignore[arg-type]
        ]
        for call in calls:
            with pytest.raises(TypeError, match="must be"):
                await call()
        with pytest.raises(TypeError, match=r"save operation\.token"):
            pickle.dumps(operation)


async def test_two_iterations_share_the_polls() -> None:
    async with commanded() as case:
        operation = await case.remote.doors.unlock()
        seen: list[list[str]] = [[], [], []]

        async def follow(number: int) -> None:
            async for step in operation:
                seen[number].append(step.status)

        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(follow, number)
        assert seen == [["WakingUpVehicle", "Success"]] * 3
        assert case.line.gets == 4
        steps = aiter(operation)
        assert aiter(steps) is steps
        assert [step.status async for step in steps] == seen[0]
        assert case.line.gets == 4


async def test_another_iteration_takes_over_a_cancelled_poll() -> None:
    async with commanded() as case:
        operation = await case.remote.doors.unlock()
        stalled = anyio.Event()

        inner = case.line.handle_async_request

        async def stall(request: httpx.Request) -> httpx.Response:
            if request.method == "GET" and not stalled.is_set():
                stalled.set()
                await anyio.sleep(15)
            return await inner(request)

        case.line.handle_async_request = stall  # type: ignore[method-assign]
        scope = anyio.CancelScope()

        async def follow() -> None:
            with scope:
                await operation.result()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow)
            await stalled.wait()
            tasks.start_soon(operation.result)
            await anyio.sleep(1)
            scope.cancel()
        assert await operation.result() is OperationOutcome.SUCCESS


async def test_single_failures_of_polls_are_passed_over() -> None:
    async with commanded(retry=RetryPolicy(attempts=1)) as case:
        operation = await case.remote.doors.unlock()
        case.line.poll_faults = [
            httpx.ConnectError("refused"),
            httpx.Response(404, json={"code": 40400}),
            None,
            httpx.Response(200, text="<html>"),
            httpx.Response(200, json=["no object"]),
            httpx.Response(503),
        ]
        assert await operation.result() is OperationOutcome.SUCCESS


async def test_three_failures_in_a_row_are_raised() -> None:
    async with commanded(retry=RetryPolicy(attempts=1)) as case:
        operation = await case.remote.doors.unlock()
        case.line.poll_faults = [httpx.ConnectError("refused")] * 3
        with pytest.raises(NetworkError):
            await operation.result()
        case.line.poll_faults = [httpx.Response(200, text="<html>")] * 3
        with pytest.raises(NotHalError):
            await operation.result()
        case.line.poll_faults = [httpx.Response(403, json={"code": 40300})]
        with pytest.raises(ForbiddenError):
            await operation.result()
        assert await operation.result() is OperationOutcome.SUCCESS


async def test_polls_are_interactive_and_not_answered_by_a_cache() -> None:
    limiter = NotingLimiter()
    async with commanded(limiter=limiter, cache=MemoryCache(1_000_000)) as case:
        background = case.vehicle.with_options(priority="background")
        limiter.priorities.clear()
        operation = await background.remote(case.callback).doors.unlock()
        await operation.result()
        await operation.confirmed(lambda status: status.is_locked is False)
        assert set(limiter.priorities) == {"interactive"}


# ------------------------------------------------------------------------------------------------- ends


async def test_a_failure_has_its_cause_and_advice() -> None:
    async with commanded() as case:
        case.car.open_door()
        operation = await case.remote.doors.lock()
        with pytest.raises(RemoteFailedError) as caught:
            await operation.result()
        error = pickle.loads(pickle.dumps(caught.value))
        assert (error.cause, error.status, error.is_retryable) == (FailureCause.DOORS_OPEN, "Failed", False)
        assert error.advice == FailureCause.DOORS_OPEN.advice
        assert operation.is_over


async def test_a_failure_without_a_cause_says_so() -> None:
    async with commanded() as case:
        operation = await ordered(case, CommandCourseDeviation(stops_at="Accepted"))
        operation.offer(OperationStep("Failed"))
        with pytest.raises(RemoteFailedError, match="named no cause") as caught:
            await operation.result()
        assert (caught.value.cause, caught.value.is_retryable) == (None, False)


async def test_a_blocked_status_is_final_after_a_while() -> None:
    async with commanded() as case:
        case.car.wake_ups_per_month = 0
        operation = await ordered(case, CommandCourseDeviation(blocks=True))
        started = anyio.current_time()
        with pytest.raises(RemoteFailedError) as caught:
            await operation.result()
        assert caught.value.cause is FailureCause.TOO_MANY_WAKE_UPS_OVER_MONTH
        assert anyio.current_time() - started == pytest.approx(17, abs=0.1)
        with pytest.raises(RemoteRefusedError, match="this month"):
            await case.remote.doors.unlock()


async def test_news_after_a_blocked_status_count() -> None:
    async with commanded() as case:
        operation = await ordered(case, CommandCourseDeviation(stops_at="Accepted"))
        operation.offer(OperationStep("VehicleBatteryChargeTooLow"))
        await anyio.sleep(14)
        assert not operation.is_over
        operation.offer(OperationStep("Success"))
        assert await operation.result() is OperationOutcome.SUCCESS


async def test_unknown_statuses_are_shown_and_do_not_end() -> None:
    async with commanded() as case:
        operation = await ordered(case, CommandCourseDeviation(before="Teleporting", stops_at="Accepted"))
        operation.offer(OperationStep("Beamed"))
        with anyio.move_on_after(60):
            async for _ in operation:
                pass
        assert [step.status for step in operation.steps] == ["Beamed", "Accepted"]
        assert not operation.is_over
        assert not operation.steps[0].status.is_known


# ------------------------------------------------------------------------------------------------- events


async def test_events_end_an_operation_without_a_poll() -> None:
    feed = Feed()
    async with commanded(receiver=feed) as case:
        operation = await case.remote.doors.unlock()
        assert feed.registered == [(operation.id, case.vehicle.vin, case.vehicle.id)]
        steps: list[OperationStep] = []

        async def follow() -> None:
            async for step in operation:
                steps.append(step)  # noqa: PERF401 - each is seen at its time

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow)
            await anyio.sleep(1)
            for status in ("Accepted", "Accepted", "SentToVehicle", "Success"):
                feed.raise_event(operation, status)
        assert [step.status for step in steps] == ["Accepted", "SentToVehicle", "Success"]
        assert {step.source for step in steps} == {"event"}
        assert case.line.gets == 0
        assert feed.listeners[operation.id] == []


async def test_beside_events_polls_are_rare() -> None:
    feed = Feed()
    async with commanded(receiver=feed) as case:
        operation = await ordered(case, CommandCourseDeviation(stops_at="Accepted"))
        with anyio.move_on_after(19):
            await operation.result()
        assert case.line.gets == 0
        with anyio.move_on_after(200):
            await operation.result()
        assert case.line.gets == 4  # after 20, 80, 140 and 200 s
        assert await case.account.operation(operation.token).read_once() is False


async def test_an_event_after_the_grace_of_a_blocked_status_counts() -> None:
    feed = Feed()
    async with commanded(receiver=feed) as case:
        operation = await ordered(case, CommandCourseDeviation(stops_at="Accepted"))
        feed.raise_event(operation, "VehicleBatteryChargeTooLow")
        with pytest.raises(RemoteFailedError):
            await operation.result()
        feed.raise_event(operation, "Success")
        assert await operation.result() is OperationOutcome.SUCCESS
        assert feed.listeners[operation.id] == []


async def test_an_operation_that_is_dropped_listens_no_more() -> None:
    feed = Feed()
    async with commanded(receiver=feed) as case:
        operation = await case.remote.doors.unlock()
        id_ = operation.id
        listener = feed.listeners[id_][0]
        del operation
        gc.collect()
        assert feed.listeners[id_] == []
        listener(OperationStep("Success"))  # an event that was on its way


# ------------------------------------------------------------------------------------------------- tokens


async def test_an_operation_is_resumed_by_its_token() -> None:
    async with commanded() as case:
        operation = await case.remote.doors.unlock(label="evening")
        token = operation.token
        assert token.replace("-", "").replace("_", "").isalnum()
        resumed = case.account.with_options(priority="background").operation(token)
        assert (resumed.id, resumed.url, resumed.label, resumed.kind) == (
            operation.id,
            operation.url,
            operation.label,
            operation.kind,
        )
        assert resumed.sent_at == operation.sent_at
        assert await resumed.result() is OperationOutcome.SUCCESS
        status = await resumed.confirmed(lambda status: status.is_locked is False)
        assert status.is_locked is False
        assert operation.id not in repr(resumed)


@pytest.mark.parametrize("change", ["", "x", "é", "AAAA", "e30", "eyJmb3JtYXQiOjF9", "eyJmb3JtYXQiOjJ9", "W10"])
async def test_what_is_no_token_is_refused(change: str) -> None:
    async with commanded() as case:
        with pytest.raises(ValueError, match="not the token of an operation"):
            case.account.operation(change)
        with pytest.raises(TypeError):
            case.account.operation(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes", [{"id": ""}, {"url": ""}, {"label": 3}, {"kind": "fly"}, {"url": "x" * 20_000}, {"sent_at": 3}]
)
async def test_a_damaged_token_is_refused(changes: dict[str, Any]) -> None:
    record = OperationRecord(
        id="a", url="https://api.test/a", kind=None, label=None, vehicle_url="https://api.test", car="c", sent_at=None
    )
    assert OperationRecord.of_token(record.token()) == record

    class Text(str):
        __slots__ = ()

        def isoformat(self) -> Any:
            return 3

    if "sent_at" in changes:
        changes = {"sent_at": Text()}
    token = attrs.evolve(record, **changes).token()
    with pytest.raises(ValueError, match="not the token"):
        OperationRecord.of_token(token)


async def test_a_token_of_another_server_sends_no_credentials() -> None:
    async with commanded() as case:
        operation = await case.remote.doors.unlock()
        record = OperationRecord.of_token(operation.token)
        foreign = attrs.evolve(record, url="https://evil.example/remotes/1").token()
        with pytest.raises(Exception, match="origin"):
            await case.account.operation(foreign).result()


# ------------------------------------------------------------------------------------------------- confirmation


async def test_a_status_from_before_does_not_confirm() -> None:
    async with commanded() as case:
        operation = await ordered(case, CommandCourseDeviation(stops_at="Accepted"))
        started = anyio.current_time()
        with pytest.raises(TimeoutError, match="no status newer than the operation, and as expected, within 30 s"):
            await operation.confirmed(lambda status: status.is_locked is True, within=30)
        assert anyio.current_time() - started == pytest.approx(30)
        case.simulator.world.hide_status(case.vehicle.id or "")
        with pytest.raises(TimeoutError, match="no status was read"):
            await operation.confirmed(lambda _: True, within=10)


async def test_a_coroutine_confirms_nothing() -> None:
    async def is_locked(status: Status) -> bool:
        raise NotImplementedError

    class Awaited:
        def __await__(self) -> Iterator[None]:
            raise NotImplementedError

    async with commanded() as case:
        operation = await case.remote.doors.lock()
        await operation.result()
        for predicate in (is_locked, lambda _: Awaited()):
            with pytest.raises(TypeError, match="not an async one"):
                await operation.confirmed(predicate)  # type: ignore[arg-type]


async def test_an_old_status_confirms_no_command_that_was_found() -> None:
    async with commanded() as case:

        async def lose(request: httpx.Request, line: Line) -> httpx.Response:
            case.simulator.remotes.order(CommandCourseDeviation(stops_at="Accepted"))
            await line.deliver(request)
            raise httpx.ReadError("the connection broke", request=request)

        case.line.faults.append(lose)
        before = case.simulator.now()
        with pytest.raises(OutcomeUnknownError) as caught:
            await case.remote.doors.lock()
        operation = await caught.value.find(within=10)
        assert operation.sent_at is not None
        assert abs(operation.sent_at - before) <= timedelta(seconds=2)
        with pytest.raises(TimeoutError, match="no status newer than the operation"):
            await operation.confirmed(lambda _: True, within=30)
        await anyio.sleep(600)
        late = await case.remote.find(operation.label or "", within=0)
        assert late is not None
        assert late.sent_at is None


async def test_the_block_that_an_action_changes_has_to_be_newer() -> None:
    async with commanded(policy=RemotePolicy(cooldown=timedelta(0))) as case:
        case.car.plug_in()
        for send in (
            case.remote.charging.start,
            case.remote.climate.start,
            case.remote.lights,
            case.remote.doors.unlock,
        ):
            operation = await send()
            await operation.result()
            status = await operation.confirmed(lambda _: True)
            changed = changed_at(status, operation.kind)
            assert changed is not None
            assert operation.sent_at is not None
            assert changed > operation.sent_at
        bare = attrs.evolve(
            status, doors=None, energies=(), preconditioning=None, created_at=None, updated_at=None, resource=None
        )
        assert [changed_at(bare, kind) for kind in (ActionKind.DOOR, None)] == [None, None]
        empty = attrs.evolve(status, resource=None)
        assert empty.preconditioning is not None
        empty = attrs.evolve(empty, preconditioning=attrs.evolve(empty.preconditioning, air_conditioning=None))
        assert changed_at(empty, ActionKind.PRECONDITIONING) == status.updated_at


async def test_without_a_server_time_the_clients_counts() -> None:
    async with commanded() as case:
        answer = {"remoteActionId": "7"}

        async def reply(request: httpx.Request, line: Any) -> httpx.Response:
            return httpx.Response(202, json=answer)

        case.line.faults.append(reply)
        operation = await case.remote.doors.lock()
        sent_at = operation.sent_at
        assert isinstance(sent_at, datetime)
        assert timedelta(0) < case.simulator.now() - sent_at < timedelta(seconds=3)


# ------------------------------------------------------------------------------------------------- refresh


async def test_a_fresh_status_wakes_no_car() -> None:
    async with commanded() as case:
        case.car.plug_in()
        case.car.start_charging()
        status = await case.vehicle.refresh(case.callback, older_than=timedelta(minutes=10))
        assert status is not None
        assert case.executed == 0


async def test_an_old_status_of_a_charging_car_is_refreshed() -> None:
    async with commanded() as case:
        case.simulator.world.update_status(
            case.vehicle.id or "",
            energies=[{"type": "Electric", "extension": {"electric": {"charging": PLUGGED}}}],
        )
        await anyio.sleep(3600)
        before = case.simulator.now()
        status = await case.vehicle.refresh(case.callback)
        assert status is not None
        assert status.updated_at is not None
        assert status.updated_at > before
        assert [command.type for command in case.simulator.remotes.commands] == ["WakeUp"]


PLUGGED = {"plugged": True, "status": "InProgress"}


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "charging",
    [{"plugged": False, "status": "InProgress"}, {"plugged": True, "status": "Finished"}, {"plugged": True}, {}],
)
async def test_the_vendors_rule_leaves_other_cars_asleep(charging: dict[str, Any]) -> None:
    async with commanded() as case:
        case.simulator.world.update_status(
            case.vehicle.id or "",
            energies=[
                {"type": "Fuel"},
                {"type": "Electric", "extension": {"electric": {"charging": charging}}},
            ],
        )
        await anyio.sleep(3600)
        assert await case.vehicle.refresh(case.callback) is not None
        case.simulator.world.hide_status(case.vehicle.id or "")
        assert await case.vehicle.refresh(case.callback) is None
        assert case.executed == 0
        with pytest.raises(TypeError, match="older_than"):
            await case.vehicle.refresh(case.callback, older_than=600)  # type: ignore[arg-type]


async def test_an_unknown_wake_up_of_a_refresh_is_told() -> None:
    async with commanded() as case:
        case.simulator.world.update_status(
            case.vehicle.id or "",
            energies=[{"type": "Electric", "extension": {"electric": {"charging": PLUGGED}}}],
        )
        await anyio.sleep(3600)

        def reset(request: httpx.Request, line: Any) -> httpx.Response:
            raise httpx.ReadError("reset")

        case.line.faults.append(reset)
        with pytest.raises(OutcomeUnknownError):
            await case.vehicle.refresh(case.callback)
