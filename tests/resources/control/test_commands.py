"""Commands: sent once, or honestly unknown; refused before they are sent, or by the server."""

import asyncio
import math
import pickle
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import httpx
import pytest

from stellantis_hal import (
    ActionKind,
    BadRequestError,
    BudgetExhaustedError,
    Capabilities,
    DetachedResourceError,
    ForbiddenError,
    MemoryState,
    NetworkError,
    NotFoundError,
    OperationOutcome,
    OutcomeUnknownError,
    Program,
    RateLimitedError,
    RemotePolicy,
    RemoteRefusedError,
    RetryPolicy,
    ServerError,
    StellantisError,
    UnauthorizedError,
    Vehicle,
)
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.resources.control.command_ledger import CommandLedger, car_key
from stellantis_hal.resources.control.control_dependencies import ControlDependencies
from stellantis_hal.resources.control.remote_policy import CommandPolicyState
from stellantis_hal.simulator import (
    CommandCourseDeviation,
    ExpiredToken,
    ScriptedFault,
    Simulator,
    TooManyRequests,
    World,
)
from stellantis_hal.structuring.converter import read
from tests.resources.control.commanded import SEED, Commanded, Line, commanded
from tests.resources.served import Served
from tests.support.clocks import jumping
from tests.support.responses import make_response

pytestmark = pytest.mark.anyio

JSON = {"content-type": "application/json"}


async def test_lock_and_the_next_status_is_locked() -> None:
    async with commanded() as case:
        case.car.unlock()
        operation = await case.remote.doors.lock(label="evening")
        steps = [step async for step in operation]
        assert [step.status for step in steps] == ["WakingUpVehicle", "Success"]
        assert {step.source for step in steps} == {"poll"}
        assert await operation.result() is OperationOutcome.SUCCESS
        status = await operation.confirmed(lambda status: status.is_locked is True)
        assert status.is_locked
        label = operation.label or ""
        assert label.startswith("evening-")
        assert label.removeprefix("evening-").isalpha()
        assert len(label.removeprefix("evening-")) == 8
        assert operation.kind is ActionKind.DOOR
        assert case.simulator.remotes.commands[0].label == label


async def test_each_verb_sends_its_action() -> None:
    later = timedelta(hours=5)
    async with commanded(policy=RemotePolicy(cooldown=timedelta(0))) as case:
        remote, now = case.remote, case.simulator.now
        case.car.plug_in()
        calls: list[Callable[[], Any]] = [
            remote.doors.unlock,
            remote.doors.lock,
            remote.horn,
            lambda: remote.horn(on=False),
            lambda: remote.lights(on=True),
            remote.wake_up,
            lambda: remote.navigate([(48.86, 2.33)]),
            remote.charging.start,
            remote.charging.stop,
            lambda: remote.charging.at(now() + later),
            lambda: remote.charging.until(now() + later),
            lambda: remote.charging.until(None),
            lambda: remote.charging.programs([]),
            lambda: remote.charging.prefer(level=3, type="Partial"),
            remote.climate.start,
            remote.climate.stop,
            lambda: remote.climate.set(Program(slot=1, at=(now() + later).time().replace(second=0, microsecond=0))),
            lambda: remote.climate.delete(slot=1),
            lambda: remote.climate.delete(2, 3),
        ]
        for call in calls:
            assert isinstance(await (await call()).result(), OperationOutcome)
        assert case.executed == len(calls) == case.line.attempts
        assert len({command.type for command in case.simulator.remotes.commands}) == 7


# ------------------------------------------------------------------------------------------------- unknown outcomes


async def _executed_then(response: httpx.Response | Exception, request: httpx.Request, line: Line) -> httpx.Response:
    await line.deliver(request)
    if isinstance(response, Exception):
        raise response
    return response


def answered(response: Callable[[], httpx.Response | Exception], *, executed: bool) -> Callable[..., Any]:
    """Return a fault that answers a command, after it was executed or without."""

    async def answer(request: httpx.Request, line: Line) -> httpx.Response:
        if executed:
            return await _executed_then(response(), request, line)
        outcome = response()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return answer


UNKNOWN: dict[str, Callable[[], httpx.Response | Exception]] = {
    "reset": lambda: httpx.ReadError("Connection reset by peer"),
    "time-out": lambda: httpx.ReadTimeout("The read operation timed out"),
    "cut": lambda: httpx.RemoteProtocolError("peer closed connection without sending complete message body"),
    "502": lambda: httpx.Response(502, text="<html>Bad Gateway</html>"),
    "504": lambda: httpx.Response(504, json={"code": 50400, "message": "late"}),
    "524": lambda: httpx.Response(524, text="a timeout occurred"),
    "no body": lambda: httpx.Response(202),
    "no id": lambda: httpx.Response(202, json={"type": "Doors"}),
    "empty id": lambda: httpx.Response(202, json={"remoteActionId": ".."}),
    "cut json": lambda: httpx.Response(202, content=b'{"remoteActionId": "a', headers=JSON),
    "array": lambda: httpx.Response(202, json=["a"]),
    "another answer": lambda: httpx.Response(200, json={"status": "ok"}),
    "a foreign error": lambda: ValueError("a bug of a transport"),
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", UNKNOWN)
@pytest.mark.parametrize("executed", [True, False])
async def test_a_lost_answer_leaves_the_outcome_unknown(kind: str, executed: bool) -> None:
    async with commanded() as case:
        case.line.faults.append(answered(UNKNOWN[kind], executed=executed))
        with pytest.raises(OutcomeUnknownError) as caught:
            await case.remote.doors.lock(label="evening")
        error = caught.value
        assert not isinstance(error, NetworkError)
        assert (case.line.attempts, case.executed) == (1, executed)
        assert error.label.startswith("evening-")
        assert error.kind == "door"
        found = await error.find(within=10)
        assert (found is not None) == executed
        if found is not None:
            assert found.label == error.label
            assert isinstance(await found.result(), OperationOutcome)
            return
        with pytest.raises(RemoteRefusedError, match="same kind is under way"):
            await case.remote.doors.lock()
        assert case.line.attempts == 1


NOT_DONE: dict[str, tuple[Callable[[], httpx.Response | Exception], type[StellantisError]]] = {
    "400": (lambda: httpx.Response(400, json={"code": 40000}), BadRequestError),
    "403": (lambda: httpx.Response(403, json={"code": 40300}), ForbiddenError),
    "404": (lambda: httpx.Response(404, json={"code": 40400}), NotFoundError),
    "401": (lambda: httpx.Response(401, json={}), UnauthorizedError),
    "500": (lambda: httpx.Response(500, json={"code": 50000}), ServerError),
    "503": (lambda: httpx.Response(503, headers={"retry-after": "1"}), ServerError),
    "no connection": (lambda: httpx.ConnectError("Connection refused"), NetworkError),
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", NOT_DONE)
async def test_a_command_that_was_not_taken_is_not_under_way(kind: str) -> None:
    response, error = NOT_DONE[kind]
    async with commanded(retry=RetryPolicy(attempts=1)) as case:
        case.line.faults += [answered(response, executed=False)] * 2  # a 401 is sent again with a new token
        with pytest.raises(error):
            await case.remote.doors.lock()
        case.line.faults.clear()
        assert await (await case.remote.doors.lock()).result() is OperationOutcome.ALREADY_DONE
        assert case.executed == 1


async def test_what_was_not_sent_is_sent_again_as_ever() -> None:
    async with commanded() as case:
        case.line.faults += [answered(lambda: httpx.ConnectError("Connection refused"), executed=False)] * 3
        case.simulator.script(ScriptedFault(path="remotes", fault=TooManyRequests(retry_after="2", remaining=None)))
        case.simulator.script(ScriptedFault(path="remotes", fault=ExpiredToken()))
        operation = await case.remote.doors.lock()
        assert case.executed == 1
        assert case.line.attempts == 6
        assert len(set(case.line.posts)) == 1
        assert await operation.result() is OperationOutcome.ALREADY_DONE


async def test_a_refused_rate_limit_is_no_unknown_outcome() -> None:
    async with commanded() as case:
        patient = case.vehicle.with_options(max_wait=1.0).remote(case.callback)
        case.simulator.script(ScriptedFault(path="remotes", fault=TooManyRequests(retry_after="50", remaining=None)))
        with pytest.raises((RateLimitedError, BudgetExhaustedError)):
            await patient.doors.lock()
        assert case.executed == 0
        await anyio.sleep(60)
        await case.remote.doors.lock()


async def test_the_answer_may_be_of_another_shape() -> None:
    """An id as a number, and a link on another host, which must not get the credentials."""
    async with commanded() as case:
        answer = {"remoteActionId": 7, "_links": {"remote": {"href": "https://evil.example/7"}}}
        case.line.faults.append(answered(lambda: httpx.Response(200, json=answer), executed=False))
        operation = await case.remote.doors.lock()
        assert operation.id == "7"
        assert operation.url.startswith(case.simulator.url)
        broken = {"remoteActionId": "8", "_links": {"remote": {"href": 3}}}
        case.line.faults.append(answered(lambda: httpx.Response(202, json=broken), executed=False))
        assert (await case.remote.horn()).url.endswith("/8")
        unfinished = {"remoteActionId": "9", "_links": {"remote": {"href": "/r/{", "templated": True}}}
        case.line.faults.append(answered(lambda: httpx.Response(202, json=unfinished), executed=False))
        assert (await case.remote.wake_up()).url.endswith("/remotes/9")
        linked = {"remoteActionId": "10", "_links": {"remote": {"href": "/elsewhere/{rid}", "templated": True}}}
        case.line.faults.append(answered(lambda: httpx.Response(202, json=linked), executed=False))
        assert (await case.remote.charging.start()).url.endswith("/elsewhere/10")
        bare = {"remoteActionId": "a/b"}
        case.line.faults.append(answered(lambda: httpx.Response(202, json=bare), executed=False))
        assert (await case.remote.lights()).url.endswith("/remotes/a%2Fb")


async def test_an_unknown_outcome_is_pickled_without_its_client() -> None:
    async with commanded() as case:
        case.line.faults.append(answered(UNKNOWN["reset"], executed=True))
        with pytest.raises(OutcomeUnknownError) as caught:
            await case.remote.doors.lock()
        error = pickle.loads(pickle.dumps(caught.value))
        assert (error.label, str(error)) == (caught.value.label, str(caught.value))
        with pytest.raises(DetachedResourceError):
            await error.find()
        found = await case.remote.find(error.label)
        assert found is not None


async def test_a_search_goes_on_until_it_finds_or_its_time_is_over() -> None:
    async with commanded(retry=RetryPolicy(attempts=1)) as case:
        case.line.faults.append(answered(UNKNOWN["reset"], executed=True))
        with pytest.raises(OutcomeUnknownError) as caught:
            await case.remote.doors.lock()
        case.line.poll_faults = [httpx.ConnectError("refused"), httpx.Response(503)]
        assert await caught.value.find(within=20) is not None
        case.line.poll_faults = [httpx.ConnectError("refused")]
        with pytest.raises(NetworkError):
            await caught.value.find(within=0)
        case.line.poll_faults = [httpx.Response(403, json={"code": 40300})]
        with pytest.raises(ForbiddenError):
            await caught.value.find(within=20)
        started = anyio.current_time()
        assert await case.remote.find("door-aaaaaaaa", within=20) is None
        assert anyio.current_time() - started == pytest.approx(20, abs=1)


async def test_a_search_needs_a_bound() -> None:
    async with commanded() as case:
        with pytest.raises(ValueError, match="within must be a number of seconds"):
            await case.remote.find("door-aaaaaaaa", within=math.nan)


# ------------------------------------------------------------------------------------------------- refusals


async def test_a_command_under_way_holds_up_the_next() -> None:
    async with commanded() as case:
        await case.remote.doors.lock()
        with pytest.raises(RemoteRefusedError) as caught:
            await case.remote.doors.unlock(force=True)
        assert caught.value.reason == "same_action"
        assert caught.value.again_at is not None
        await anyio.sleep(60)
        assert await (await case.remote.doors.unlock()).result() is OperationOutcome.SUCCESS
        assert case.executed == 2


async def test_an_unknown_outcome_that_is_found_frees_the_next_command() -> None:
    async with commanded() as case:
        case.line.faults.append(answered(UNKNOWN["reset"], executed=True))
        with pytest.raises(OutcomeUnknownError):
            await case.remote.doors.lock()
        await anyio.sleep(60)
        assert await (await case.remote.doors.unlock()).result() is OperationOutcome.SUCCESS


async def test_a_command_that_ended_meanwhile_holds_up_none() -> None:
    """Another process records the end between the refusal and the look at what is under way."""

    class Ending(MemoryState):
        is_ending = False

        async def load(self, key: str) -> bytes | None:
            content = await super().load(key)
            if self.is_ending and content is not None:
                await self.replace(key, content, None)
            return content

    state = Ending()
    async with commanded(state=state) as case:
        await case.remote.doors.lock()
        state.is_ending = True
        await case.remote.doors.unlock()
        assert case.executed == 2


async def test_an_unknown_outcome_that_is_never_found_ends_with_time() -> None:
    async with commanded() as case:
        case.line.faults.append(answered(UNKNOWN["reset"], executed=False))
        with pytest.raises(OutcomeUnknownError):
            await case.remote.doors.lock()
        await anyio.sleep(60)
        with pytest.raises(RemoteRefusedError, match="same kind"):
            await case.remote.doors.lock()
        case.line.poll_faults = [httpx.ConnectError("refused")] * 10
        with pytest.raises(RemoteRefusedError, match="same kind"):
            await case.remote.doors.lock()
        await anyio.sleep(300)
        await case.remote.doors.lock()
        assert case.executed == 1


async def test_an_operation_that_ended_is_found_and_holds_up_none() -> None:
    async with commanded() as case:
        operation = await case.remote.doors.lock(label="evening")
        await case.end(operation)
        assert operation.label is not None
        found = await case.remote.find(operation.label)
        assert found is not None
        assert found.url == operation.url
        await case.remote.doors.unlock()
        assert case.executed == 2


@pytest.mark.parametrize("reason", ["cooldown", "same_action"])
async def test_a_clock_that_was_ahead_holds_up_as_long_as_said(reason: str) -> None:
    """What a refusal names as the time comes true, also where the clock was days ahead when the last one was sent."""
    simulator, ahead = Simulator(World(seed=SEED, vehicles=1, trips=3)), [timedelta(days=3)]
    async with commanded(simulator, clock=lambda: simulator.now() + ahead[0]) as case:
        if reason == "same_action":
            simulator.remotes.order(CommandCourseDeviation(stops_at="Accepted"))
            await case.remote.doors.lock()
        else:
            await (await case.remote.doors.lock()).result()
        ahead[0] = timedelta()
        with pytest.raises(RemoteRefusedError) as caught:
            await case.remote.doors.lock()
        assert caught.value.reason == reason
        assert caught.value.again_at is not None
        await anyio.sleep((caught.value.again_at - simulator.now()).total_seconds())
        await case.remote.doors.lock()
        assert case.executed == 2


async def test_two_tasks_send_one_command() -> None:
    async with commanded() as case:
        refused: list[RemoteRefusedError] = []

        async def lock() -> None:
            try:
                await case.remote.doors.lock()
            except RemoteRefusedError as error:
                refused.append(error)

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(lock)
        assert case.executed == 1
        assert {error.reason for error in refused} == {"same_action"}
        assert len(refused) == 4


async def test_two_clients_of_one_store_keep_one_policy() -> None:
    state = MemoryState()
    simulator = Simulator(World(seed=SEED, vehicles=1, trips=3))
    async with commanded(simulator, state=state) as first, commanded(simulator, state=state) as second:
        operation = await first.remote.wake_up()
        with pytest.raises(RemoteRefusedError, match="same kind"):
            await second.remote.wake_up()
        await first.end(operation)
        await anyio.sleep(200)
        with pytest.raises(RemoteRefusedError) as caught:
            await second.remote.wake_up()
        assert caught.value.reason == "wake_up_spacing"
        await second.remote.wake_up(force=True)
        assert second.executed == 2


async def test_no_wake_up_follows_a_months_last_one() -> None:
    async with commanded() as case:
        case.car.wake_ups_per_month = 0
        operation = await case.remote.wake_up()
        with pytest.raises(StellantisError, match="next month"):
            await operation.result()
        await anyio.sleep(600)
        with pytest.raises(RemoteRefusedError) as caught:
            await case.remote.doors.lock()
        assert caught.value.reason == "wake_ups_over"
        assert case.executed == 1
        assert case.remote.navigate is not None
        await case.remote.navigate([(48.86, 2.33)])


@pytest.mark.parametrize(
    ("capabilities", "refused"),
    [
        ({"door": {"supported": False}}, True),
        ({"door": {"supported": True}}, False),
        ({"door": {}}, False),
        ({"horn": {"supported": False}}, False),
        ({"operation": ["remote:horn:write"]}, True),
        ({"operation": ["remote:door:write"]}, False),
        ({}, False),
        (None, False),
        ("left out", False),
    ],
)
async def test_capabilities_are_checked_before_sending(capabilities: Any, refused: bool) -> None:
    async with commanded() as case:
        remote = with_capabilities(case, capabilities)
        if not refused:
            await remote.doors.lock()
            return
        with pytest.raises(RemoteRefusedError) as caught:
            await remote.doors.lock()
        assert (caught.value.reason, caught.value.again_at) == ("capability", None)
        assert case.line.attempts == 0
        await remote.doors.lock(force=True)


def with_capabilities(case: Commanded, remote: Any) -> Any:
    extension = case.vehicle.extension
    assert extension is not None
    converter = case.vehicle.require_resource().require_context().converter
    capabilities = None
    if remote is not None:
        capabilities = read({} if remote == "left out" else {"remote": remote}, Capabilities)
    assert converter is not None
    extension = attrs.evolve(extension, onboard_capabilities=capabilities)
    return attrs.evolve(case.vehicle, extension=extension, resource=case.vehicle.resource).remote(case.callback)


async def test_options_of_charging_and_climate_are_checked_too() -> None:
    async with commanded() as case:
        charging = {"immediate": {"start": False}, "schedule": {"programs": {"supported": False}}}
        remote = with_capabilities(
            case,
            {
                "charging": {"supported": True, "parameters": charging},
                "preconditioning": {"supported": True, "parameters": {"programs": {"size": 2}, "immediate": True}},
            },
        )
        calls: tuple[Callable[[], Any], ...] = (
            remote.charging.start,
            lambda: remote.charging.programs([]),
            lambda: remote.climate.delete(1, 3),
        )
        for call in calls:
            with pytest.raises(RemoteRefusedError, match="capabilities"):
                await call()
        await remote.charging.stop()
        await remote.climate.delete(2)
        listed = {"operation": ["remote:charging:write"], "details": {"charging": {"immediate": {"start": False}}}}
        with pytest.raises(RemoteRefusedError, match="capabilities"):
            await with_capabilities(case, listed).charging.start()


async def test_a_callback_for_monitors_takes_no_commands() -> None:
    async with commanded() as case:
        callback = await case.callback.update(types=["Monitor"])
        with pytest.raises(ValueError, match="for monitors only: use one for commands"):
            case.vehicle.remote(callback)
        await case.vehicle.remote(await callback.update(types=["Monitor", "Remote"])).horn()


async def test_actions_of_fleet_owners_are_refused_to_account_holders() -> None:
    async with commanded() as case:
        remote, vin = case.remote, case.vehicle.vin or ""
        calls: tuple[Callable[[], Any], ...] = (
            lambda: remote.immobilize(confirm=vin),
            lambda: remote.stolen.declare(confirm=vin),
            lambda: remote.stolen.clear(confirm=vin.lower()),
            lambda: remote.stolen.immobilize(confirm=vin),
            lambda: remote.stolen.track(
                running=timedelta(seconds=30), shutdown=timedelta(minutes=5), confirm=f" {vin} "
            ),
        )
        for call in calls:
            with pytest.raises(RemoteRefusedError, match="only fleet owners"):
                await call()
        with pytest.raises(ValueError, match="typed again"):
            await remote.stolen.declare(confirm="VF3ABCDE0FG123456")
        nameless = attrs.evolve(case.vehicle, vin=None, resource=case.vehicle.resource).remote(case.callback)
        with pytest.raises(ValueError, match="not known"):
            await nameless.immobilize(confirm=vin)
        assert case.line.attempts == 0


async def test_a_vehicle_and_a_callback_need_ids() -> None:
    async with commanded() as case:
        assert "remotes" in repr(case.vehicle.remote("cb-1"))
        assert (case.vehicle.id or "") not in repr(case.remote)
        with pytest.raises(ValueError, match="no id"):
            attrs.evolve(case.vehicle, id=None, resource=case.vehicle.resource).remote("cb-1")
        with pytest.raises(ValueError, match="callback has no id"):
            case.vehicle.remote("..")
        with pytest.raises(TypeError, match="a callback or its id, not int"):
            case.vehicle.remote(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("template", ["callbacks/{cbid}/remotes", "{other}/remotes"])
async def test_a_templated_link_of_the_vehicle_is_followed(template: str) -> None:
    """A template that has no place for the callback is not."""
    async with commanded() as case:
        resource = case.vehicle.require_resource()
        document = {
            **resource.document.body,
            "_links": {
                "self": {"href": resource.self_url},
                "remotes": {"href": f"{resource.self_url}/{template}", "templated": True},
            },
        }
        found = HalResource.of(
            make_response(document, url=resource.url, received_at=resource.fetched_at), resource.require_context()
        )
        vehicle = attrs.evolve(case.vehicle, resource=found)
        assert await (await vehicle.remote(case.callback).doors.lock()).result() is OperationOutcome.ALREADY_DONE


async def test_operations_are_listed() -> None:
    async with commanded() as case:
        assert [each async for each in case.remote.operations()] == []
        await case.remote.doors.lock(label="evening")
        await case.remote.horn()
        await anyio.sleep(60)
        found = [each async for each in case.remote.operations()]
        assert [(each.kind, each.status) for each in found] == [("door", "AlreadyDone"), ("horn", "Success")]
        assert await found[0].result() is OperationOutcome.ALREADY_DONE


async def test_listed_operations_may_lack_everything() -> None:
    items = [
        {"remoteActionId": "a", "type": ["Horn"], "remote": {"label": 3}},
        {"remoteActionId": 4, "type": [], "remote": {"lights": {"on": True}}},
        {"type": "VehicleState", "_links": {"self": {"href": "https://evil.example/x"}}},
        {"remoteActionId": "b", "remote": None, "status": {"RemoteDoneEventStatus": "Success"}},
    ]
    body = {"total": 4, "_embedded": {"remoteActions": items}}
    async with commanded() as case:
        case.line.poll_faults = [httpx.Response(200, json=body)]
        found = [each async for each in case.remote.operations()]
        assert [each.kind for each in found] == ["horn", "lights", None, None]
        assert all(each.url.startswith(case.simulator.url) for each in found)
        assert [each.label for each in found] == [None] * 4
        assert found[3].status == "Success"
        assert "unknown" in repr(found[2])


@pytest.mark.long
@pytest.mark.unmeasured
async def test_more_operations_than_a_page_holds_are_listed() -> None:
    async with commanded(policy=RemotePolicy(cooldown=timedelta(0))) as case:
        for _ in range(61):
            await (await case.remote.lights()).result()
        operations = case.remote.operations()
        assert len([each async for each in operations]) == 61
        async with operations.concurrent(2) as found:
            assert len([each async for each in found]) == 61


async def test_a_vehicle_needs_an_address() -> None:
    served = Served({"/v/7/callbacks/cb/remotes": {"remoteActionId": "1"}})
    page = served.resource("/v", {"_embedded": {"vehicles": [{"id": "7"}]}})
    embedded = page.embedded("vehicles")[0]
    vehicle = attrs.evolve(read({"id": "7"}, Vehicle), resource=embedded)
    with pytest.raises(ValueError, match="without a self link"):
        vehicle.remote("cb")
    alone = attrs.evolve(vehicle, resource=served.resource("/v/7?extension=branding", {"id": "7"}))
    operation = await alone.remote("cb").doors.lock()
    assert operation.url.endswith("/v/7/callbacks/cb/remotes/1")
    assert operation.label is not None


async def test_a_renewal_that_fails_sends_no_command() -> None:
    """The server of identities is silent: its error says that its request was sent, and the command was not."""
    async with commanded(retry=RetryPolicy(attempts=1)) as case:
        case.simulator.expire_tokens()
        case.line.faults.append(answered(lambda: httpx.Response(401, json={}), executed=False))
        inner = case.line.handle_async_request

        async def silent(request: httpx.Request) -> httpx.Response:
            if "oauth2" in request.url.path:
                raise httpx.ReadTimeout("The read operation timed out")
            return await inner(request)

        case.line.handle_async_request = silent  # type: ignore[method-assign]
        with pytest.raises(StellantisError) as caught:
            await case.remote.doors.lock()
        assert not isinstance(caught.value, OutcomeUnknownError)
        assert case.executed == 0


# ------------------------------------------------------------------------------------------------- cancellation


async def test_a_command_cancelled_before_it_is_sent_is_not_under_way() -> None:
    async with commanded() as case:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await case.remote.doors.lock()
        assert case.executed == 0
        await case.remote.doors.lock()
        assert case.executed == 1


async def test_a_command_cancelled_while_it_is_sent_is_held_as_unknown() -> None:
    async def stall(request: httpx.Request, line: Line) -> httpx.Response:
        await line.deliver(request)
        await anyio.sleep(30)
        raise AssertionError

    async with commanded() as case:
        case.line.faults.append(stall)
        with anyio.move_on_after(5):
            await case.remote.doors.lock()
        assert case.executed == 1
        with pytest.raises(RemoteRefusedError, match="same kind"):
            await case.remote.doors.lock()
        await anyio.sleep(60)
        await case.remote.doors.unlock()
        assert case.executed == 2


@pytest.mark.unmeasured
@pytest.mark.parametrize("anyio_backend", [jumping("asyncio")], ids=["asyncio"])
@pytest.mark.parametrize("step", range(0, 30, 3))
async def test_native_cancellation_at_any_await_sends_nothing_twice(step: int) -> None:
    """The task is cancelled after a number of passes of the event loop."""
    async with commanded() as case:
        task = asyncio.ensure_future(case.remote.doors.lock())
        for _ in range(step):
            await anyio.lowlevel.checkpoint()
        task.cancel()
        await asyncio.wait([task])
        assert case.line.attempts <= 1
        before = case.executed
        await anyio.sleep(60)
        await case.remote.doors.unlock()
        assert case.executed == before + 1


# ------------------------------------------------------------------------------------------------- the store


class BrokenState(MemoryState):
    """A store that fails from a number of writes on."""

    def __init__(self, writes: int, error: Exception | None = None) -> None:
        super().__init__()
        self.left = writes
        self.error = error or StellantisError("the disk is full")

    async def replace(self, key: str, expected: bytes | None, value: bytes | None) -> bool:
        self.left -= 1
        if self.left < 0:
            raise self.error
        return await super().replace(key, expected, value)


class Slow(MemoryState):
    """A store that takes its time, and completes what it has begun for a caller that is cancelled, as SQLite does."""

    async def load(self, key: str) -> bytes | None:
        await anyio.lowlevel.checkpoint()
        return await super().load(key)

    async def replace(self, key: str, expected: bytes | None, value: bytes | None) -> bool:
        replaced = await super().replace(key, expected, value)
        await anyio.lowlevel.checkpoint()
        return replaced


@pytest.mark.parametrize("anyio_backend", [jumping("asyncio")], ids=["asyncio"])
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("step", range(14))
async def test_native_cancellation_leaves_the_store_as_it_is(step: int, times: int) -> None:
    """What was not sent holds up nothing, and what was sent is counted, however often the task is cancelled."""
    state = Slow()
    async with commanded(state=state) as case:
        task = asyncio.ensure_future(case.remote.doors.lock())
        for _ in range(step):
            await anyio.lowlevel.checkpoint()
        for _ in range(times):
            task.cancel()
            await anyio.lowlevel.checkpoint()
        await asyncio.wait([task])
        content = await state.load(car_key(case.vehicle.vin, case.vehicle.id or ""))
        known = CommandPolicyState.load(content)
        running = known.under_way.get(ActionKind.DOOR)
        if case.executed:
            assert running is not None
            assert (running.is_sent, known.wake_ups) == (True, 1)
        elif case.line.attempts == 0:
            assert running is None or running.is_sent


async def test_a_broken_store_loses_no_command(caplog: pytest.LogCaptureFixture) -> None:
    async with commanded(state=BrokenState(0)) as case:
        with pytest.raises(StellantisError, match="disk is full"):
            await case.remote.doors.lock()
        assert case.executed == 0
    for error in (None, RuntimeError("the disk is full")):  # of a store of the user's own
        caplog.clear()
        async with commanded(state=BrokenState(1, error)) as case:
            operation = await case.remote.doors.lock()
            assert await operation.result() is OperationOutcome.ALREADY_DONE
            assert "was not saved: the disk is full" in caplog.text


async def test_a_store_that_does_not_answer_is_told(caplog: pytest.LogCaptureFixture) -> None:
    class Stuck(MemoryState):
        async def replace(self, key: str, expected: bytes | None, value: bytes | None) -> bool:
            if expected is not None:
                await anyio.sleep_forever()
            return await super().replace(key, expected, value)

    async with commanded(state=Stuck()) as case:
        operation = await case.remote.doors.lock()
        assert await operation.result() is OperationOutcome.ALREADY_DONE
        assert "was not saved within 12 s" in caplog.text


async def test_a_damaged_state_starts_anew(caplog: pytest.LogCaptureFixture) -> None:
    state = MemoryState()
    async with commanded(state=state) as case:
        await state.replace(car_key(case.vehicle.vin, ""), None, b"garbage")
        await case.remote.doors.lock()
        assert "cannot be read: it starts anew" in caplog.text


async def test_a_store_that_others_always_change_is_an_error() -> None:
    class Contended(MemoryState):
        async def replace(self, key: str, expected: bytes | None, value: bytes | None) -> bool:
            return False

    async with commanded(state=Contended()) as case:
        with pytest.raises(StellantisError, match="100 times"):
            await case.remote.doors.lock()
        ledger = CommandLedger(ControlDependencies(), "key", case.simulator.now)
        assert await ledger.running(ActionKind.DOOR) is None
