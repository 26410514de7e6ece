"""Remote actions of the simulated API: refusals, courses on the simulator's clock, events."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import attrs

from stellantis_hal.simulator.api.http_messages import HAL_JSON, ClockReading, Response, format_instant, json_response
from stellantis_hal.simulator.api.remote_body_checks import SCOPES, TYPES, check_remote
from stellantis_hal.simulator.api.remote_effects import execute
from stellantis_hal.simulator.api.request_context import Refusal, RequestContext, method_not_allowed, no_data
from stellantis_hal.simulator.api.serializer import link
from stellantis_hal.simulator.notifications.outbox import Outbox
from stellantis_hal.simulator.world.car_actions import CarActions, CarRefusal
from stellantis_hal.simulator.world.entities import Vehicle
from stellantis_hal.simulator.world.seeded import hex_digits
from stellantis_hal.simulator.world.world import World

__all__ = ["CommandCourseDeviation", "RemoteCommand", "RemoteRegistry"]

ListResponse = Callable[[RequestContext, str, Sequence[Any], Callable[[Any], dict[str, Any]]], Response]

_DONE = frozenset({"Success", "AlreadyDone", "Failed"})
_ALLOWED = 0.5  # seconds from the POST to the first step
_SENT = 1.0
_WOKEN = 10.0
_EXECUTED = 3.0
_BLOCKED = ("VehicleBatteryChargeTooLow", "TooManyWakeUpsOverMonth")


@attrs.frozen(kw_only=True)
class CommandCourseDeviation:
    """How the course of a command differs from the usual one.

    Attributes:
        stops_at: the status after which nothing happens any more (``Accepted``).
        failure: the cause with which it fails in any state of the car.
        skips: statuses that no step shows.
        events: ``"usual"``, ``"reversed"`` (the last event first, once the command is done), ``"doubled"`` or
            ``"none"``.
        before: a status of no specification, shown before the usual ones.
        blocks: whether refusals for wake-ups and the 12 V battery are pending statuses, as the schemas say, and not
            failures, as the flow chart says.
    """

    stops_at: str | None = None
    failure: str | None = None
    skips: tuple[str, ...] = ()
    events: str = "usual"
    before: str | None = None
    blocks: bool = False


@attrs.define(kw_only=True)
class RemoteCommand:
    """A command that was accepted.

    Attributes:
        id: the API's id.
        vehicle: the id of the vehicle.
        callback: the id of the callback.
        remote: the body that was posted.
        action: the member of the body that names the action.
        steps: the statuses so far, with the cause of a failure and the time.
    """

    id: str
    vehicle: str
    vin: str
    callback: str
    owner: str
    is_fleet: bool
    remote: dict[str, Any]
    action: str
    course: CommandCourseDeviation
    due: float
    phase: str = "start"
    steps: list[tuple[str, str | None, datetime]] = attrs.field(factory=list)
    held: list[tuple[str, str | None, datetime]] = attrs.field(factory=list)

    @property
    def type(self) -> str:
        """The type in responses and events."""
        return TYPES[self.action]

    @property
    def label(self) -> str | None:
        """The label that was posted."""
        label: str | None = self.remote.get("label")
        return label

    @property
    def status(self) -> str | None:
        """The latest status; None before the first."""
        return self.steps[-1][0] if self.steps else None

    @property
    def is_done(self) -> bool:
        """Whether it has ended."""
        return self.phase == "end"


class RemoteRegistry:
    """The commands of all callers. Courses go on when the API or the deliveries look at the clock."""

    def __init__(self, world: World, outbox: Outbox, now: Callable[[], ClockReading]) -> None:
        self._world = world
        self._outbox = outbox
        self._now = now
        self._made = 0
        self._commands: dict[str, RemoteCommand] = {}
        self._ordered: deque[CommandCourseDeviation] = deque()
        self.on_started: list[Callable[[], None]] = []

    # ------------------------------------------------------------------ state

    @property
    def commands(self) -> tuple[RemoteCommand, ...]:
        """The commands that were accepted, the oldest first."""
        return tuple(self._commands.values())

    def order(self, *courses: CommandCourseDeviation) -> None:
        """Let the next commands take other courses than the usual one, one each."""
        self._ordered.extend(courses)

    def forget_done(self) -> None:
        """Forget the commands that have ended, as the server does after two months."""
        self._commands = {id_: command for id_, command in self._commands.items() if not command.is_done}

    @property
    def next_due(self) -> float | None:
        """The tick of the next step of any command; None where none is under way."""
        return min((command.due for command in self._commands.values() if command.due < float("inf")), default=None)

    def advance(self) -> None:
        """Take every step that is due by the clock, in the order of time."""
        now = self._now()
        while True:
            due = [command for command in self._commands.values() if command.due <= now.tick]
            if not due:
                return
            self._step(min(due, key=lambda command: command.due), now.wall)

    # ------------------------------------------------------------------ requests

    def respond(
        self,
        context: RequestContext,
        rest: tuple[str, ...],
        *,
        vehicle: Vehicle,
        callback: str,
        owner: str,
        address: str,
        is_fleet: bool,
        collection: ListResponse,
    ) -> Response:
        """Return the response to a request for the commands of a vehicle and a callback, or an address below.

        Args:
            context: the request.
            rest: the segments below the collection.
            vehicle: the vehicle, which is the caller's.
            callback: the id of the callback, which is the caller's.
            owner: key of the account, or id of the fleet.
            address: the URL of the collection.
            is_fleet: whether the caller is a fleet owner.
            collection: returns a page of a collection.
        """
        self.advance()
        method = context.request.method
        mine = [
            command
            for command in self._commands.values()
            if command.vehicle == vehicle.id and command.callback == callback and command.owner == owner
        ]
        callback_url = f"{context.caller.base}/user/callbacks/{callback}"
        if is_fleet:
            callback_url = f"{address.partition('/vehicles/')[0]}/remote/callbacks/{callback}"
        match method, rest:
            case "POST", ():
                command = self._accept(context, vehicle, callback, owner, is_fleet=is_fleet)
                links = {"callback": link(callback_url), "remote": link(f"{address}/{command.id}")}
                if is_fleet:
                    links["fleet"] = link(address.partition("/vehicles/")[0])
                body = {"remoteActionId": command.id, "type": command.type, "_links": links}
                return json_response(202, body, kind="command", media_type=HAL_JSON)
            case "GET" | "HEAD", ():
                return collection(context, "remoteActions", mine, lambda command: _body(command, address, callback_url))
            case "GET" | "HEAD", (id_,):
                found = next((command for command in mine if command.id == id_), None)
                if found is None:
                    raise no_data()
                return json_response(200, _body(found, address, callback_url), kind="command", media_type=HAL_JSON)
            case _:
                raise method_not_allowed()

    def _accept(
        self, context: RequestContext, vehicle: Vehicle, callback: str, owner: str, *, is_fleet: bool
    ) -> RemoteCommand:
        body = context.json_object()
        action = check_remote(body, is_fleet=is_fleet)
        if not is_fleet:
            context.require_scope(SCOPES[action])
        schedule = body[action].get("schedule") if action == "charging" else None
        if isinstance(schedule, dict) and schedule.get("chargingEndTimeEnabled") is not None:
            car = self._world.car(vehicle.id)
            if "chargingEndTime" not in schedule and car.controls.charge_until is None:
                raise Refusal(400, 40000, "No end of the charge was ever set.")
        self._made += 1
        command = RemoteCommand(
            id=hex_digits(self._world.seed, "remote", self._made, size=16),
            vehicle=vehicle.id,
            vin=vehicle.vin,
            callback=callback,
            owner=owner,
            is_fleet=is_fleet,
            remote=body,
            action=action,
            course=self._ordered.popleft() if self._ordered else CommandCourseDeviation(),
            due=context.caller.now.tick + _ALLOWED,
        )
        self._commands[command.id] = command
        for wake in self.on_started:
            wake()
        return command

    # ------------------------------------------------------------------ courses

    def _step(self, command: RemoteCommand, wall: datetime) -> None:
        """Take the next step of a command, at its time."""
        car = self._world.car(command.vehicle)
        phase, command.phase = command.phase, "end"
        at = command.due
        command.due = float("inf")
        match phase:
            case "start":
                self._start(command, car, wall, at)
            case "wake":
                self._show(command, "WakingUpVehicle", None, wall)
                self._plan(command, "woken", at + _WOKEN)
            case "woken":
                self._try(command, car.wake, wall, then=lambda _: self._plan(command, "send", at))
            case "send":
                self._try(command, car.receive, wall, then=lambda _: self._send(command, wall, at))
            case _:
                self._try(
                    command,
                    lambda: execute(car, command.action, command.remote[command.action]),
                    wall,
                    then=lambda changed: self._finish(command, "Success" if changed else "AlreadyDone", None, wall),
                )

    def _start(self, command: RemoteCommand, car: CarActions, wall: datetime, at: float) -> None:
        course = command.course
        if course.before is not None:
            self._show(command, course.before, None, wall)
        others = (
            other
            for other in self._commands.values()
            if other is not command and other.vehicle == command.vehicle and other.action == command.action
        )
        if course.failure is not None:
            self._refuse(command, course.failure, wall)
        elif any(other.steps and not other.is_done for other in others):
            self._finish(command, "Failed", "SameActionInProgress", wall)
        elif command.action == "navigation":
            self._plan(command, "send", at + _SENT)
        elif not car.is_awake and car.wake_ups >= car.wake_ups_per_month:
            self._refuse(command, "TooManyWakeUpsOverMonth", wall)
        else:
            self._show(command, "Accepted", None, wall)
            self._plan(command, "send" if car.is_awake else "wake", at + _SENT)

    def _send(self, command: RemoteCommand, wall: datetime, at: float) -> None:
        self._show(command, "SentToVehicle", None, wall)
        self._plan(command, "execute", at + _EXECUTED)

    def _try(
        self, command: RemoteCommand, action: Callable[[], Any], wall: datetime, *, then: Callable[[Any], None]
    ) -> None:
        try:
            result = action()
        except CarRefusal as refusal:
            self._refuse(command, refusal.cause, wall)
        except ValueError:
            self._finish(command, "Failed", "WrongCommand", wall)
        else:
            then(result)

    def _refuse(self, command: RemoteCommand, cause: str, wall: datetime) -> None:
        if cause in _BLOCKED and (command.course.blocks or cause == "VehicleBatteryChargeTooLow"):
            self._show(command, cause, None, wall)
        else:
            self._finish(command, "Failed", cause, wall)

    def _plan(self, command: RemoteCommand, phase: str, due: float) -> None:
        stops_at = command.course.stops_at
        if stops_at is not None and command.status == stops_at:
            command.phase = "stopped"
            return
        command.phase, command.due = phase, due

    def _finish(self, command: RemoteCommand, status: str, cause: str | None, wall: datetime) -> None:
        self._show(command, status, cause, wall)

    def _show(self, command: RemoteCommand, status: str, cause: str | None, wall: datetime) -> None:
        course, step = command.course, (status, cause, wall)
        if status in course.skips:
            return
        command.steps.append(step)
        match course.events:
            case "none":
                return
            case "reversed":
                command.held.append(step)
                if status in _DONE:
                    for held in reversed(command.held):
                        self._raise(command, *held)
            case "doubled":
                self._raise(command, *step)
                self._raise(command, *step)
            case _:
                self._raise(command, *step)

    def _raise(self, command: RemoteCommand, status: str, cause: str | None, at: datetime) -> None:
        event_status: dict[str, Any] = {"type": "Done" if status in _DONE else "Pending", "status": status}
        if cause is not None:
            event_status["failureCause"] = cause
        event: dict[str, Any] = {
            "remoteActionId": command.id,
            "remoteType": command.type,
            "eventStatus": event_status,
        }
        message: dict[str, Any] = {"callbackId": command.callback}
        if command.is_fleet:
            message["events"] = [{**event, "vin": command.vin, "eventDate": format_instant(at)}]
        else:
            message |= {"type": "Remote", "date": format_instant(at), "remoteEvent": event}
        self._outbox.add(command.callback, message, vin=command.vin, raised_at=at)


def _body(command: RemoteCommand, address: str, callback_url: str) -> dict[str, Any]:
    body: dict[str, Any] = {"remoteActionId": command.id, "type": command.type, "remote": command.remote}
    if command.steps:
        status, cause, _ = command.steps[-1]
        body["status"] = status
        if cause is not None:
            body["failureCause"] = cause
    body["_links"] = {"self": link(f"{address}/{command.id}"), "callback": link(callback_url)}
    return body
