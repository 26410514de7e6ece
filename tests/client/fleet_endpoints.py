"""The endpoints for fleet owners, each with the call that serves it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

import attrs

from stellantis_hal import (
    Alert,
    Collision,
    Fleet,
    FleetOwnerClient,
    Paginator,
    Stolen,
    Theft,
    Trip,
    Vehicle,
    Webhook,
    data,
)
from stellantis_hal.simulator import World

__all__ = ["CONTROL", "DEPRECATED", "READS", "Subjects", "find_subjects", "full_world", "use_control"]


@attrs.frozen(kw_only=True)
class Subjects:
    """What the calls are made on: a fleet and one of its vehicles, which has each kind of data."""

    client: FleetOwnerClient
    fleet: Fleet
    vehicle: Vehicle
    trip: Trip
    alert: Alert
    collision: Collision
    theft: Theft


async def listed(items: Paginator[Any]) -> list[Any]:
    return [item async for item in items]


Call = Callable[[Subjects], Awaitable[Any]]

VEHICLE: Final = "/fleets/{fid}/vehicles/{vid}"
TRIP: Final = f"{VEHICLE}/trips/{{tid}}"

READS: Mapping[str, tuple[str, Call]] = MappingProxyType(
    {
        "/vehicles/{vin}": ("client.capabilities(vin)", lambda on: on.client.capabilities(str(on.vehicle.vin))),
        "/fleets": ("client.fleets()", lambda on: listed(on.client.fleets())),
        "/fleets/{fid}": ("client.fleet(id)", lambda on: on.client.fleet(str(on.fleet.id))),
        "/fleets/{fid}/vehicles": ("fleet.vehicles()", lambda on: listed(on.fleet.vehicles())),
        VEHICLE: ("fleet.vehicle(id)", lambda on: on.fleet.vehicle(str(on.vehicle.id))),
        f"{VEHICLE}/status": ("vehicle.status()", lambda on: on.vehicle.status(profile="fleet")),
        f"{VEHICLE}/maintenance": ("vehicle.maintenance()", lambda on: on.vehicle.maintenance(profile="fleet")),
        f"{VEHICLE}/lastPosition": ("vehicle.last_position()", lambda on: on.vehicle.last_position(profile="fleet")),
        f"{VEHICLE}/alerts": ("vehicle.alerts()", lambda on: listed(on.vehicle.alerts(profile="fleet"))),
        f"{VEHICLE}/alerts/{{aid}}": ("vehicle.alert(id)", lambda on: on.vehicle.alert(on.alert.id or "")),
        f"{VEHICLE}/alarms": ("vehicle.alarms()", lambda on: listed(on.vehicle.alarms())),
        f"{VEHICLE}/alarms/{{aid}}": ("vehicle.alarm(id)", lambda on: _first_alarm(on.vehicle)),
        f"{VEHICLE}/telemetry": (
            "vehicle.telemetry()",
            lambda on: listed(on.vehicle.telemetry(profile="fleet", page_size=2000)),
        ),
        f"{VEHICLE}/collisions": ("vehicle.collisions()", lambda on: listed(on.vehicle.collisions(profile="fleet"))),
        f"{VEHICLE}/collisions/{{cid}}": (
            "vehicle.collision(id)",
            lambda on: on.vehicle.collision(on.collision.id or "", profile="fleet"),
        ),
        f"{VEHICLE}/stolen": ("vehicle.thefts()", lambda on: listed(on.vehicle.thefts())),
        f"{VEHICLE}/stolen/{{sid}}": ("vehicle.theft(id)", lambda on: on.vehicle.theft(on.theft.id or "")),
        f"{VEHICLE}/stolen/{{sid}}/waypoints": ("theft.waypoints()", lambda on: listed(on.theft.waypoints())),
        f"{VEHICLE}/trips": (
            "vehicle.trips()",
            lambda on: listed(on.vehicle.trips(profile="fleet", distance=(0, 9_000), duration=(0, None))),
        ),
        TRIP: ("vehicle.trip(id)", lambda on: on.vehicle.trip(on.trip.id or "", profile="fleet")),
        f"{TRIP}/alerts": ("trip.alerts()", lambda on: listed(on.trip.alerts(profile="fleet"))),
        f"{TRIP}/alerts/{{aid}}": ("trip.alert(id)", lambda on: on.trip.alert(on.alert.id or "", profile="fleet")),
        f"{TRIP}/collisions": ("trip.collisions()", lambda on: listed(on.trip.collisions())),
        f"{TRIP}/wayPoints": (
            "trip.waypoints()",
            lambda on: listed(on.trip.waypoints(profile="fleet", page_size=2000, tolerance=0.1)),
        ),
        f"{TRIP}/telemetry": ("trip.telemetry()", lambda on: listed(on.trip.telemetry(profile="fleet"))),
        "/fleets/{fid}/status": ("fleet.statuses()", lambda on: listed(on.fleet.statuses(profile="fleet"))),
        "/fleets/{fid}/maintenances": ("fleet.maintenances()", lambda on: listed(on.fleet.maintenances())),
        "/fleets/{fid}/alerts": ("fleet.alerts()", lambda on: listed(on.fleet.alerts(profile="fleet"))),
        "/fleets/{fid}/alerts/{aid}": ("fleet.alert(id)", lambda on: on.fleet.alert(on.alert.id or "")),
        "/fleets/{fid}/trips": ("fleet.trips()", lambda on: listed(on.fleet.trips(profile="fleet"))),
        "/fleets/{fid}/collisions": ("fleet.collisions()", lambda on: listed(on.fleet.collisions())),
        "/fleets/{fid}/collisions/{cid}": ("fleet.collision(id)", lambda on: on.fleet.collision(on.collision.id or "")),
    }
)
"""Each reading path with what the documentation calls, and the call."""

DEPRECATED = frozenset(
    f"/fleets/{{fid}}/{rest}"
    for rest in ("status", "maintenances", "alerts", "alerts/{aid}", "trips", "collisions", "collisions/{cid}")
)
"""Paths whose calls warn."""

CALLBACK: Final = "/fleets/{fid}/remote/callbacks/{cbid}"
MONITOR: Final = "/fleets/{fid}/monitors/{mid}"
REMOTES: Final = f"{VEHICLE}/callbacks/{{cbid}}/remotes"

CONTROL: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("GET", "/fleets/{fid}/remote/callbacks"): "fleet.callbacks()",
        ("POST", "/fleets/{fid}/remote/callbacks"): "fleet.callbacks.create(…)",
        ("GET", CALLBACK): "fleet.callbacks.get(id)",
        ("PUT", CALLBACK): "callback.update(…)",
        ("PUT", f"{CALLBACK}/status"): "callback.pause()",
        ("DELETE", CALLBACK): "callback.delete()",
        ("GET", "/fleets/{fid}/monitors"): "fleet.monitors()",
        ("POST", "/fleets/{fid}/monitors"): "fleet.monitors.create(…)",
        ("GET", MONITOR): "fleet.monitors.get(id)",
        ("PUT", MONITOR): "monitor.update(…)",
        ("PUT", f"{MONITOR}/status"): "monitor.pause()",
        ("DELETE", MONITOR): "monitor.delete()",
        ("POST", REMOTES): "vehicle.remote(callback).doors.lock()",
        ("GET", REMOTES): "vehicle.remote(callback).operations()",
        ("GET", f"{REMOTES}/{{rid}}"): "client.operation(token)",
    }
)
"""Each request of control with what the documentation calls; :func:`use_control` makes all of them."""


async def _first_alarm(vehicle: Vehicle) -> Any:
    alarms = await listed(vehicle.alarms())
    return await vehicle.alarm(alarms[0].id or "")


def full_world() -> World:
    """Return a world with one vehicle, which has each kind of data and is stolen."""
    world = World(seed=7, vehicles=1, trips=120)
    car = world.vehicles[0].id
    day_after = world.epoch + timedelta(days=1)
    world.follow(lambda: day_after)
    world.car(car).set_stolen(True)
    world.add_trip(car, at=day_after)
    return world


async def first(items: Paginator[Any]) -> Any:
    async for item in items:
        return item
    raise LookupError("the collection is empty")


def is_of_trip(alert: Alert) -> bool:
    return bool(alert.require_resource().links["trips"])


async def find_subjects(client: Any) -> Subjects:
    """Return what the calls are made on, of the only vehicle of :func:`full_world`."""
    fleet = await first(client.fleets())
    vehicle = await first(fleet.vehicles())
    alert = await first(vehicle.alerts().filter(is_of_trip))
    trip = await alert.follow("trips")
    return Subjects(
        client=client,
        fleet=fleet,
        vehicle=vehicle,
        trip=await vehicle.trip(trip["id"]),
        alert=alert,
        collision=await first(vehicle.collisions()),
        theft=await first(vehicle.thefts()),
    )


async def use_control(on: Subjects) -> None:
    """Call each method of callbacks, monitors and commands once."""
    hook = Webhook("https://hooks.example.org/st/k3Jx0v", token="s3cr3t")
    callback = await on.fleet.callbacks.create(hook, label="vans", actions=("Doors", "Lights"))
    assert len(await listed(on.fleet.callbacks())) == 1
    callback = await on.fleet.callbacks.get(str(callback.id))
    operation = await on.vehicle.remote(callback).doors.lock()
    await on.client.operation(operation.token).result(timeout=60)
    assert await listed(on.vehicle.remote(callback).operations())
    monitor = await on.fleet.monitors.create("stolen", when=data("s", Stolen.STATE).changes(), deliver=hook)
    assert len(await listed(on.fleet.monitors())) == 1
    monitor = await on.fleet.monitors.get(str(monitor.id))
    monitor = await monitor.update(refresh=timedelta(minutes=5))
    await (await monitor.pause()).delete()
    callback = await callback.update(target=hook)
    await (await callback.pause()).delete()
