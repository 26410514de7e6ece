"""Monitors of the simulated API: routes, and events when cars report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from stellantis_hal.simulator.api.boolean_expressions import evaluate, read_expression
from stellantis_hal.simulator.api.callback_body_checks import status_of
from stellantis_hal.simulator.api.callbacks import CallbackRegistry
from stellantis_hal.simulator.api.http_messages import HAL_JSON, ClockReading, Response, format_instant, json_response
from stellantis_hal.simulator.api.monitor_body_checks import check_monitor
from stellantis_hal.simulator.api.monitor_values import CarReport, holds
from stellantis_hal.simulator.api.request_context import (
    Refusal,
    RequestContext,
    method_not_allowed,
    no_data,
    not_found,
)
from stellantis_hal.simulator.api.serializer import Serializer, link
from stellantis_hal.simulator.api.status_body import status
from stellantis_hal.simulator.notifications.outbox import Outbox
from stellantis_hal.simulator.world.seeded import hex_digits
from stellantis_hal.simulator.world.world import World

__all__ = ["MonitorRegistry", "SimulatedMonitor"]

ListResponse = Callable[[RequestContext, str, Sequence[Any], Callable[[Any], dict[str, Any]]], Response]

_SCOPES = ("data:telemetry", "data:position", "data:trip", "data:alert", "data:collision")
_MOST = 5
_INTERVAL = 60.0  # seconds between two looks at cars that report by themselves


@attrs.define
class _Watch:
    """What a monitor knows of one vehicle: the last report, what held then, and the last event."""

    report: CarReport
    held: dict[str, bool]
    is_true: bool
    notified_at: datetime | None = None


@attrs.define(kw_only=True)
class SimulatedMonitor:
    """A monitor that was created.

    Attributes:
        id: the API's id.
        owner: key of the account, or id of the fleet.
        vehicle: the id of the vehicle; None: every vehicle of the fleet.
        callback: the callback that events go to; of a fleet's monitor, its own id.
        body: what was posted.
        status: ``Running``, ``Paused`` or ``Failed``.
    """

    id: str
    owner: str
    vehicle: str | None
    callback: str
    body: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    status: str = "Running"
    watches: dict[str, _Watch] = attrs.field(factory=dict, repr=False)

    @property
    def refresh(self) -> int | None:
        """Seconds, at least, between events while the condition holds."""
        refresh: int | None = (self.body.get("subscribeParam") or {}).get("refreshEvent")
        return refresh

    @property
    def triggers(self) -> list[dict[str, Any]]:
        """Its triggers, as they were posted."""
        triggers: list[dict[str, Any]] = self.body["triggerParam"]["triggers"]
        return triggers


class MonitorRegistry:
    """The monitors of all callers; each report of a car is compared with its monitors at once."""

    def __init__(
        self, world: World, callbacks: CallbackRegistry, outbox: Outbox, now: Callable[[], ClockReading]
    ) -> None:
        self._world = world
        self._callbacks = callbacks
        self._outbox = outbox
        self._now = now
        self._made = 0
        self._monitors: dict[str, SimulatedMonitor] = {}
        self._of_vehicle: dict[str, dict[str, SimulatedMonitor]] = {}
        self._reported: dict[str, datetime] = {}
        self._looked = now().tick
        self.on_started: list[Callable[[], None]] = []
        callbacks.on_deleted.append(self._forget_callback)
        world.log.listen(lambda vehicle, before, after: self.observe(vehicle))

    # ------------------------------------------------------------------ state

    @property
    def monitors(self) -> tuple[SimulatedMonitor, ...]:
        """The monitors that exist, the oldest first."""
        return tuple(self._monitors.values())

    def get(self, id_: str) -> SimulatedMonitor | None:
        """Return a monitor by its id; None where there is none (any more)."""
        return self._monitors.get(id_)

    def _forget_callback(self, callback: str) -> None:
        for monitor in self.monitors:
            if monitor.callback == callback:
                self._remove(monitor)

    def _remove(self, monitor: SimulatedMonitor) -> None:
        del self._monitors[monitor.id]
        for vehicle in self._vehicles_of(monitor):
            self._of_vehicle.get(vehicle, {}).pop(monitor.id, None)
        if monitor.vehicle is None:
            self._callbacks.remove_delivery(monitor.id)

    def _vehicles_of(self, monitor: SimulatedMonitor) -> Sequence[str]:
        if monitor.vehicle is not None:
            return (monitor.vehicle,)
        return tuple(self._world.fleets.vehicles_of(monitor.owner))

    # ------------------------------------------------------------------ requests

    def respond(
        self,
        context: RequestContext,
        rest: tuple[str, ...],
        *,
        owner: str,
        vehicle: str | None,
        callback: str | None,
        address: str,
        collection: ListResponse,
    ) -> Response:
        """Return the response to a request for monitors, or an address below them.

        Args:
            context: the request.
            rest: the segments below the collection.
            owner: key of the account, or id of the fleet.
            vehicle: the id of the vehicle; None: the monitors of a fleet.
            callback: the id of the callback; None: the monitors of a fleet.
            address: the URL of the collection.
            collection: returns a page of a collection.
        """
        context.require_scope(*_SCOPES)
        is_fleet = vehicle is None
        match context.request.method, rest:
            case "GET" | "HEAD", ():
                found = [
                    each
                    for each in self.monitors
                    if each.owner == owner and each.vehicle == vehicle and callback in {None, each.callback}
                ]
                return collection(context, "monitors", found, lambda each: self._body(each, address))
            case "POST", ():
                body = check_monitor(context.json_object(), is_fleet=is_fleet)
                number = sum(each.owner == owner and each.vehicle == vehicle for each in self.monitors)
                if not is_fleet and number >= _MOST:
                    raise Refusal(400, 40000, f"The vehicle has {_MOST} monitors already.")
                return self._reference(self._create(owner, vehicle, callback, body), address)
            case method, (id_, *below):
                monitor = self._monitors.get(id_)
                if (
                    monitor is None
                    or (monitor.owner, monitor.vehicle) != (owner, vehicle)
                    or callback not in {None, monitor.callback}
                ):
                    raise no_data()
                return self._respond_to_one(context, method, monitor, tuple(below), address)
            case _:
                raise method_not_allowed()

    def _respond_to_one(
        self, context: RequestContext, method: str, monitor: SimulatedMonitor, below: tuple[str, ...], address: str
    ) -> Response:
        if below == ("status",):
            context.require_method("PUT")
            monitor.status = status_of(context.json_object())
            return self._changed(monitor, address)
        if below:
            raise not_found()
        context.require_method("GET", "HEAD", "PUT", "DELETE")
        if method == "PUT":
            monitor.body = check_monitor(context.json_object(), is_fleet=monitor.vehicle is None)
            return self._changed(monitor, address)
        if method == "DELETE":
            self._remove(monitor)
            return Response(status=204, kind="monitor")
        return json_response(200, self._body(monitor, address), kind="monitor", media_type=HAL_JSON)

    def _create(self, owner: str, vehicle: str | None, callback: str | None, body: dict[str, Any]) -> SimulatedMonitor:
        self._made += 1
        id_, now = hex_digits(self._world.seed, "monitor", self._made, size=16), self._now().wall
        monitor = SimulatedMonitor(
            id=id_, owner=owner, vehicle=vehicle, callback=callback or id_, body=body, created_at=now, updated_at=now
        )
        self._monitors[id_] = monitor
        self._begin(monitor)
        return monitor

    def _changed(self, monitor: SimulatedMonitor, address: str) -> Response:
        monitor.updated_at = self._now().wall
        self._begin(monitor)
        return self._reference(monitor, address)

    def _body(self, monitor: SimulatedMonitor, address: str) -> dict[str, Any]:
        links = {"self": link(f"{address}/{monitor.id}"), **_fleet_link(monitor, address)}
        return {
            "monitorId": monitor.id,
            "monitor": monitor.body,
            "status": monitor.status,
            "createdAt": format_instant(monitor.created_at),
            "updatedAt": format_instant(monitor.updated_at),
            "_links": links,
        }

    def _reference(self, monitor: SimulatedMonitor, address: str) -> Response:
        body = {
            "monitorId": monitor.id,
            "status": monitor.status,
            "createdAt": format_instant(monitor.created_at),
            "updatedAt": format_instant(monitor.updated_at),
            "_links": {"monitor": link(f"{address}/{monitor.id}"), **_fleet_link(monitor, address)},
        }
        return json_response(202, body, kind="monitor", media_type=HAL_JSON)

    # ------------------------------------------------------------------ watching

    def _begin(self, monitor: SimulatedMonitor) -> None:
        """Watch from now on: what holds already raises no event until it has been false."""
        if monitor.vehicle is None:
            subscription = {"label": monitor.body["label"], **monitor.body["subscribeParam"]}
            self._callbacks.add_delivery(monitor.id, monitor.owner, subscription)
        monitor.watches = {}
        for vehicle in self._vehicles_of(monitor):
            self._of_vehicle.setdefault(vehicle, {})[monitor.id] = monitor
            report = CarReport.of(self._world, vehicle, self._now().wall)
            self._reported.setdefault(vehicle, self._world.vehicle_state(vehicle).at)
            held = {each["name"]: holds(each, None, report, held=True) for each in monitor.triggers}
            monitor.watches[vehicle] = _Watch(report, held, self._is_true(monitor, held))
        for started in self.on_started:
            started()

    @property
    def next_due(self) -> float | None:
        """The tick at which cars that report by themselves are looked at again; None where there is none."""
        return self._looked + _INTERVAL if any(map(self._lives, self._of_vehicle)) else None

    def _lives(self, vehicle: str) -> bool:
        """Return whether a vehicle is watched, and reports without being told."""
        if not self._of_vehicle[vehicle]:
            return False
        if self._world.generator.moving:
            return True
        charging = self._world.vehicle_state(vehicle).charging
        return charging is not None and charging.status == "InProgress"

    def advance(self) -> None:
        """Let cars that have reported since they were looked at last, such as those that charge, raise events."""
        now = self._now()
        self._looked = now.tick
        with self._world.as_of(now.wall):  # one look at the clock for all cars
            reported = [
                vehicle
                for vehicle, monitors in self._of_vehicle.items()
                if monitors and self._world.reported_at(vehicle) > self._reported[vehicle]
            ]
        for vehicle in reported:
            self.observe(vehicle)

    def observe(self, vehicle: str) -> None:
        """Compare what a car has reported since it was looked at last with its monitors, and raise events."""
        watching = [each for each in self._of_vehicle.get(vehicle, {}).values() if each.status == "Running"]
        if not watching:
            return
        states = self._world.reports(vehicle, self._reported[vehicle])
        state = self._world.vehicle_state(vehicle)
        reports: list[CarReport] = []
        for each in states:
            with self._world.as_of(each.at):
                reports.append(CarReport.of(self._world, vehicle, each.at, each))
        if not states or states[-1] != state:
            reports.append(CarReport.of(self._world, vehicle, self._now().wall, state))
        self._reported[vehicle] = state.at
        for report in reports:
            for monitor in watching:
                callback = self._callbacks.get(monitor.callback)
                if callback is not None and callback.status == "Running":
                    self._compare(monitor, vehicle, report)

    def _compare(self, monitor: SimulatedMonitor, vehicle: str, report: CarReport) -> None:
        watch = monitor.watches[vehicle]
        before = watch.report
        held = {each["name"]: holds(each, before, report, held=watch.held[each["name"]]) for each in monitor.triggers}
        is_true = self._is_true(monitor, held)
        if is_true and not watch.is_true:
            self._raise(monitor, vehicle, report, before, held, is_reminder=False)
            watch.notified_at = report.at
        elif is_true and monitor.refresh is not None:
            since = watch.notified_at or monitor.updated_at
            if (report.at - since).total_seconds() >= monitor.refresh:
                self._raise(monitor, vehicle, report, before, held, is_reminder=True)
                watch.notified_at = report.at
        # A change holds for the report that shows it: the next change is an edge again.
        lasting = {each["name"]: held[each["name"]] and not _is_change(each) for each in monitor.triggers}
        watch.report, watch.held, watch.is_true = report, lasting, self._is_true(monitor, lasting)

    def _is_true(self, monitor: SimulatedMonitor, held: Mapping[str, bool]) -> bool:
        return evaluate(read_expression(monitor.body["triggerParam"]["boolExp"]), held)

    # ------------------------------------------------------------------ events

    def _raise(
        self,
        monitor: SimulatedMonitor,
        vehicle: str,
        report: CarReport,
        before: CarReport,
        held: Mapping[str, bool],
        *,
        is_reminder: bool,
    ) -> None:
        car = self._world.vehicle(vehicle)
        event: dict[str, Any] = {
            "refresh": is_reminder,
            "values": [
                _value(each["data"], report, before)
                for each in monitor.triggers
                if "data" in each and held[each["name"]]
            ],
            "extensions": self._extensions(monitor, vehicle),
        }
        date = format_instant(report.at)
        if monitor.vehicle is None:
            one = {"fleetId": monitor.owner, "vin": car.vin, "eventDate": date, **event}
            message: dict[str, Any] = {"monitorId": monitor.id, "events": [one]}
        else:
            message = {
                "callbackId": monitor.callback,
                "type": "Monitor",
                "date": date,
                "monitorEvent": {"monitorId": monitor.id, **event},
            }
        self._outbox.add(monitor.callback, message, vin=car.vin, raised_at=report.at)

    def _extensions(self, monitor: SimulatedMonitor, vehicle: str) -> list[dict[str, Any]]:
        is_fleet = monitor.vehicle is None
        found: list[dict[str, Any]] = []
        for name in monitor.body.get("extendedEventParam", []):
            key, value = self._extension(name, vehicle, is_fleet=is_fleet)
            if value is not None:
                found.append({"type": name, "body": {key: value} if is_fleet else [{key: value}]})
        return found

    def _extension(self, name: str, vehicle: str, *, is_fleet: bool) -> tuple[str, Any]:
        world, kind = self._world, name.split(".")[1]
        serializer = Serializer(world=world, base="", is_fleet=is_fleet, owner="")
        car, state = world.vehicle(vehicle), world.vehicle_state(vehicle)
        body = status(serializer, car, state)
        match kind:
            case "doorsState":
                return "doorState", body.get("doorsState")
            case "position":
                return "position", body.get("lastPosition")
            case "maintenance":
                return "maintenance", _bare(serializer.maintenance(vehicle)) if car.has_maintenance else None
            case "alerts":
                return "alerts", [_bare(serializer.alert(each)) for each in world.alerts(vehicle) if each.active]
            case "alarm":
                return "alarm", body.get("alarm")
            case "trip":
                count = world.trip_count(vehicle)
                return "trip", _bare(serializer.trip(world.trip_at(vehicle, count - 1))) if count else None
            case "collisions":
                return "collisions", [_bare(serializer.collision(each)) for each in world.collisions(vehicle)]
            case "stolen":
                return "stolen", body.get("stolen")
            case "telemetry":
                vehicle_part = {key: body[key] for key in ("energies", "odometer", "doorsState") if key in body}
                return "telemetry", {"createdAt": body["createdAt"], "vehicle": vehicle_part}
            case _:
                return "status", _bare(body)


def _bare(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body without links, as events have it."""
    return {key: value for key, value in body.items() if key not in {"_links", "_embedded"}}


def _is_change(trigger: Mapping[str, Any]) -> bool:
    return "data" in trigger and trigger["data"]["op"] == "onChange"


def _value(data: Mapping[str, Any], report: CarReport, before: CarReport) -> dict[str, Any]:
    item = data["data"]
    value = report.values.get(item)
    if item == "vehicle.alert":
        body: dict[str, Any] = {"objectValues": [{"type": each, "active": True} for each in value or []]}
        found: dict[str, Any] = {"data": item, "value": {"type": "obj.alert", "body": body}}
    else:
        literal = ",".join(value) if isinstance(value, list) else value or ""
        found = {"data": item, "value": {"type": "string", "body": {"literalValue": literal}}}
    if "previous" in data:
        old = before.values.get(item)
        found["previous"] = ",".join(old) if isinstance(old, list) else old or ""
    return found


def _fleet_link(monitor: SimulatedMonitor, address: str) -> dict[str, Any]:
    return {"fleet": link(address.removesuffix("/monitors"))} if monitor.vehicle is None else {}
