"""Routes of the API for partners: fleets, their vehicles, and vehicles by VIN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from stellantis_hal.simulator.api.filters import is_within, parse_intervals
from stellantis_hal.simulator.api.http_messages import ClockReading, Request, Response
from stellantis_hal.simulator.api.request_context import Caller, Refusal, RequestContext, no_data, not_found
from stellantis_hal.simulator.api.routes import Routes, resource_response
from stellantis_hal.simulator.api.status_body import status
from stellantis_hal.simulator.api.trip_filters import find_trips
from stellantis_hal.simulator.world.entities import SCOPES, Vehicle
from stellantis_hal.simulator.world.fleets import Fleet
from stellantis_hal.simulator.world.thefts import Theft
from stellantis_hal.simulator.world.world import World

__all__ = ["FleetRoutes"]

_PROFILES = {"fleet", "endUser"}
_WITH_PROFILE = {"status", "maintenance", "lastPosition", "alerts", "collisions", "telemetry", "trips"}


class FleetRoutes:
    """Responds to requests of the partner that owns the fleets."""

    def __init__(self, world: World, routes: Routes) -> None:
        self._world = world
        self._routes = routes

    def respond(self, request: Request, path: str, base: str, now: ClockReading) -> Response:
        """Return the response to a request of ``path``, the path below the API's base."""
        segments = [unquote(part) for part in path.split("/") if part]
        owner = f"fleets/{segments[1]}" if len(segments) > 1 else "fleets"
        caller = Caller(account=None, scope=SCOPES, base=base, now=now, owner=owner)
        return self._routes.answer(request, path, caller, self._find)

    def _find(self, context: RequestContext) -> Response:
        match context.segments:
            case ("fleets", id_, "vehicles", vehicle, "callbacks", callback, "remotes", *rest):
                fleet, car = self._member(id_, vehicle)
                return self._routes.respond_to_remotes(context, car, fleet.id, callback, tuple(rest))
            case ("fleets", id_, "remote", "callbacks", *rest):
                fleet, routes = self._fleet(id_), self._routes
                base = f"{context.caller.base}/fleets/{fleet.id}/remote/callbacks"
                return routes.callbacks.respond_to_fleet(context, fleet.id, tuple(rest), base, routes.collection)
            case ("fleets", id_, "monitors", *rest):
                return self._monitors(context, self._fleet(id_), tuple(rest))
            case _:
                context.require_method("GET", "HEAD")
        match context.segments:
            case ("vehicles", vin):
                return self._capabilities(context, vin)
            case ("fleets",):
                self._refuse_parameters(context, "indexRange", "profile")
                fleets = self._world.fleets.all
                return self._routes.collection(context, "fleets", fleets, context.serializer.fleet, ranged=False)
            case ("fleets", id_, *rest):
                return self._of_fleet(context, self._fleet(id_), tuple(rest))
            case _:
                raise not_found()

    def _monitors(self, context: RequestContext, fleet: Fleet, rest: tuple[str, ...]) -> Response:
        return self._routes.monitors.respond(
            context,
            rest,
            owner=fleet.id,
            vehicle=None,
            callback=None,
            address=f"{context.caller.base}/fleets/{fleet.id}/monitors",
            collection=self._routes.collection,
        )

    def _fleet(self, id_: str) -> Fleet:
        try:
            return self._world.fleets.find(id_)
        except KeyError:
            raise no_data() from None

    def _member(self, id_: str, vehicle: str) -> tuple[Fleet, Vehicle]:
        """Return a fleet and its vehicle, by their ids."""
        fleet = self._fleet(id_)
        try:
            is_member = self._world.fleets.has_vehicle(fleet.id, vehicle)
        except KeyError:
            raise no_data() from None
        if not is_member:
            raise no_data()
        return fleet, self._world.vehicle(vehicle)

    def _capabilities(self, context: RequestContext, vin: str) -> Response:
        try:
            vehicle = self._world.vehicle_by_vin(vin)
        except KeyError:
            raise no_data() from None
        extensions = context.request.values("extension")
        return resource_response(context.serializer.capabilities(vehicle, extensions), "capabilities")

    # ------------------------------------------------------------------ fleets

    def _of_fleet(self, context: RequestContext, fleet: Fleet, rest: tuple[str, ...]) -> Response:
        match rest:
            case ():
                return resource_response(context.serializer.fleet(fleet), "fleet")
            case ("vehicles",):
                return self._vehicles(context, fleet)
            case ("vehicles", vehicle, *deeper):
                return self._of_vehicle(context, fleet, vehicle, tuple(deeper))
            case (name,) if name in self._by_name:
                return self._by_name[name](self, context, fleet)
            case ("alerts" | "collisions" as kind, id_):
                return self._warning(context, fleet, kind, id_)
            case _:
                raise not_found()

    def _vehicles(self, context: RequestContext, fleet: Fleet) -> Response:
        self._refuse_parameters(context, "indexRange", "profile", "country")
        extensions = context.request.values("extension")
        if not {"branding", "pictures"}.issuperset(extensions):
            raise Refusal(400, 40000, "Unknown extension: only branding and pictures.")
        prefix = context.request.value("vinPrefix") or ""
        vehicles = map(self._world.vehicle, self._world.fleets.vehicles_of(fleet.id))
        found = [vehicle for vehicle in vehicles if vehicle.vin.startswith(prefix)]

        def body(car: Vehicle) -> dict[str, Any]:
            body = context.serializer.vehicle(car, extensions)
            del body["_links"]["alarms"]  # which the vendor lists for single vehicles only
            return body

        return self._routes.collection(context, "vehicles", found, body, ranged=False)

    def _of_vehicle(self, context: RequestContext, fleet: Fleet, vehicle: str, rest: tuple[str, ...]) -> Response:
        _, car = self._member(fleet.id, vehicle)
        kind = rest[0] if rest else ""
        if kind == "stolen":
            return self._stolen(context, car, rest[1:])
        is_trip_collision = rest[:1] == ("trips",) and "collisions" in rest
        if kind not in _WITH_PROFILE or is_trip_collision:
            self._refuse_parameters(context, "profile")
        if is_trip_collision and len(rest) > 3:
            raise not_found()
        self._require_visible(context, car, kind)
        return self._routes.of_vehicle(context, car, rest)

    # ------------------------------------------------------------------ profiles

    def _profile(self, context: RequestContext) -> str:
        profile = context.request.value("profile") or "fleet"
        if profile not in _PROFILES:
            raise Refusal(400, 40000, "profile must be fleet or endUser.")
        return profile

    def _require_visible(self, context: RequestContext, car: Vehicle, kind: str) -> None:
        if not self._is_visible(context, car, kind):
            raise no_data()

    def _is_visible(self, context: RequestContext, car: Vehicle, kind: str) -> bool:
        return self._profile(context) == "fleet" or not self._world.fleets.is_hidden_from_driver(car.id, kind)

    def _refuse_parameters(self, context: RequestContext, *names: str) -> None:
        for name in names:
            if context.request.raw(name) is not None:
                raise Refusal(400, 40000, f"Unknown parameter {name}.")

    # ------------------------------------------------------------------ thefts

    def _stolen(self, context: RequestContext, car: Vehicle, rest: tuple[str, ...]) -> Response:
        self._refuse_parameters(context, "profile")
        thefts = self._world.thefts.of_vehicle(car.id)
        if not rest:
            spans = parse_intervals(context.request.values("timestamps"))
            found = [theft for theft in thefts if is_within(theft.started_at, spans)]
            return self._routes.collection(context, "stolen", found, context.serializer.theft)
        theft = next((theft for theft in thefts if theft.id == rest[0]), None)
        if theft is None:
            raise no_data()
        match rest[1:]:
            case ():
                return resource_response(context.serializer.theft(theft), "theft")
            case ("waypoints",):
                return self._waypoints(context, theft)
            case _:
                raise not_found()

    def _waypoints(self, context: RequestContext, theft: Theft) -> Response:
        """Return the positions of the trips since the vehicle was reported stolen, at both ends of each."""
        ended_at = theft.ended_at or context.caller.now.wall
        trips = [
            trip
            for trip in self._world.trips(theft.vehicle)
            if trip.stopped_at >= theft.started_at and trip.started_at <= ended_at
        ]
        found = [(trip, share) for trip in trips for share in (0.0, 0.5, 1.0)]
        return self._routes.collection(
            context, "positions", found, lambda point: context.serializer.waypoint(point[0], point[1])
        )

    # ------------------------------------------------------------------ whole fleets (deprecated)

    def _visible(self, context: RequestContext, fleet: Fleet, kind: str) -> list[Vehicle]:
        vehicles = map(self._world.vehicle, self._world.fleets.vehicles_of(fleet.id))
        return [car for car in vehicles if self._is_visible(context, car, kind)]

    def _statuses(self, context: RequestContext, fleet: Fleet) -> Response:
        cars = [car for car in self._visible(context, fleet, "status") if self._world.has_status(car.id)]

        def body(car: Vehicle) -> dict[str, Any]:
            return status(context.serializer, car, self._world.vehicle_state(car.id))

        return self._routes.collection(context, "status", cars, body)

    def _maintenances(self, context: RequestContext, fleet: Fleet) -> Response:
        cars = [car for car in self._visible(context, fleet, "maintenance") if car.has_maintenance]
        return self._routes.collection(
            context, "maintenances", cars, lambda car: context.serializer.maintenance(car.id)
        )

    def _alerts(self, context: RequestContext, fleet: Fleet) -> Response:
        cars = self._visible(context, fleet, "alerts")
        return self._routes.alerts(context, [alert for car in cars for alert in self._world.alerts(car.id)])

    def _collisions(self, context: RequestContext, fleet: Fleet) -> Response:
        cars = self._visible(context, fleet, "collisions")
        return self._routes.collisions(context, [each for car in cars for each in self._world.collisions(car.id)])

    def _trips(self, context: RequestContext, fleet: Fleet) -> Response:
        found = [
            (car.id, number)
            for car in self._visible(context, fleet, "trips")
            for number in find_trips(self._world, context.request, car.id)
        ]
        world, serializer = self._world, context.serializer
        return self._routes.collection(
            context, "trips", found, lambda place: serializer.trip(world.trip_at(place[0], place[1]))
        )

    def _warning(self, context: RequestContext, fleet: Fleet, kind: str, id_: str) -> Response:
        for car in self._visible(context, fleet, kind):
            if kind == "alerts":
                bodies = [context.serializer.alert(alert) for alert in self._world.alerts(car.id)]
            else:
                bodies = [context.serializer.collision(collision) for collision in self._world.collisions(car.id)]
            for body in bodies:
                if body["id"] == id_:
                    return resource_response(body, kind[:-1])
        raise no_data()

    _by_name: dict[str, Callable[[FleetRoutes, RequestContext, Fleet], Response]] = {  # noqa: RUF012 - constant
        "status": _statuses,
        "maintenances": _maintenances,
        "alerts": _alerts,
        "collisions": _collisions,
        "trips": _trips,
    }
