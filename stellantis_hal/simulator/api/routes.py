"""Routes of the API: required scopes, response bodies and refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import unquote

from stellantis_hal.simulator.api.callbacks import CallbackRegistry
from stellantis_hal.simulator.api.dialect import BackendVariant
from stellantis_hal.simulator.api.filters import BadFilterError, is_within, parse_intervals, parse_number_range
from stellantis_hal.simulator.api.http_messages import (
    GEO_JSON,
    HAL_JSON,
    ClockReading,
    Request,
    Response,
    format_instant,
    json_response,
)
from stellantis_hal.simulator.api.monitors import MonitorRegistry
from stellantis_hal.simulator.api.pages import BadPageError, page_body, reshape, select_page
from stellantis_hal.simulator.api.remotes import RemoteRegistry
from stellantis_hal.simulator.api.request_context import Caller, Refusal, RequestContext, no_data, not_found
from stellantis_hal.simulator.api.serializer import Serializer
from stellantis_hal.simulator.api.status_body import status
from stellantis_hal.simulator.api.telemetry_body import telemetry
from stellantis_hal.simulator.api.trip_filters import LazyTrips, find_trips
from stellantis_hal.simulator.notifications.outbox import Outbox
from stellantis_hal.simulator.world.entities import Alert, Collision, Trip, Vehicle
from stellantis_hal.simulator.world.seeded import hex_digits
from stellantis_hal.simulator.world.world import World

__all__ = ["Caller", "Routes", "resource_response"]

_SAMPLES = 8  # telemetry records per trip


class Routes:
    """Responds to requests of authenticated callers, as one back-end variant does."""

    def __init__(self, world: World, variant: BackendVariant, outbox: Outbox, now: Callable[[], ClockReading]) -> None:
        self._world = world
        self._variant = variant
        self.callbacks: CallbackRegistry = CallbackRegistry(world.seed)
        self.remotes: RemoteRegistry = RemoteRegistry(world, outbox, now)
        self.monitors: MonitorRegistry = MonitorRegistry(world, self.callbacks, outbox, now)
        self._secret = hex_digits(world.seed, "pages", size=16).encode()
        self._served = 0

    def respond(self, request: Request, path: str, caller: Caller) -> Response:
        """Return the response to a request of ``path``, the path below the API's base."""
        return self.answer(request, path, caller, self._find)

    def answer(
        self, request: Request, path: str, caller: Caller, find: Callable[[RequestContext], Response]
    ) -> Response:
        """Return the response that a function finds for a request, or its refusal."""
        segments = tuple(unquote(part) for part in path.split("/") if part)
        context = RequestContext(
            request=request,
            caller=caller,
            serializer=Serializer(
                world=self._world,
                base=caller.base,
                shows_positions="data:position" in caller.scope,
                owner=caller.owner,
                is_fleet=caller.account is None,
            ),
            address=f"{caller.base}{path}",
            segments=segments,
        )
        self._served += 1
        self.remotes.advance()
        self.monitors.advance()
        try:
            return find(context)
        except Refusal as refusal:
            return self._refuse(refusal, context)
        except (BadPageError, BadFilterError) as error:
            return self._refuse(Refusal(400, 40000, str(error)), context)

    def _refuse(self, refusal: Refusal, context: RequestContext) -> Response:
        digits = hex_digits(self._world.seed, "uuid", self._served, size=16)
        body = {
            "code": refusal.code,
            "message": refusal.message,
            "uuid": f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}",
            "timestamp": format_instant(context.caller.now.wall),
        }
        return json_response(refusal.status, body, kind="refusal")

    # ------------------------------------------------------------------ routing

    def _find(self, context: RequestContext) -> Response:
        if context.segments[:2] == ("user", "callbacks"):
            return self.callbacks.respond(context, context.segments[2:], self.collection)
        match context.segments:
            case ("user", "vehicles", vehicle, "callbacks", callback, "remotes", *rest):
                car, owner = self._vehicle_of_caller(context, vehicle), context.account
                return self.respond_to_remotes(context, car, owner.key, callback, tuple(rest))
            case ("user", "vehicles", vehicle, "callbacks", callback, "monitors", *rest):
                return self._monitors_of(context, self._vehicle_of_caller(context, vehicle), callback, tuple(rest))
            case _:
                context.require_method("GET", "HEAD")
        match context.segments:
            case ("user",):
                return self._user(context)
            case ("user", "vehicles"):
                return self._vehicles(context)
            case ("user", "vehicles", vehicle, *rest):
                return self.of_vehicle(context, self._vehicle_of_caller(context, vehicle), tuple(rest))
            case _:
                raise not_found()

    def _monitors_of(self, context: RequestContext, car: Vehicle, callback: str, rest: tuple[str, ...]) -> Response:
        owner = context.account.key
        registered = self.callbacks.owned(owner, callback)
        if "Monitor" not in registered.types:
            raise Refusal(400, 40000, "The callback is not for monitors.")
        return self.monitors.respond(
            context,
            rest,
            owner=owner,
            vehicle=car.id,
            callback=registered.id,
            address=f"{context.serializer.vehicle_url(car.id)}/callbacks/{registered.id}/monitors",
            collection=self.collection,
        )

    def respond_to_remotes(
        self, context: RequestContext, car: Vehicle, owner: str, callback: str, rest: tuple[str, ...]
    ) -> Response:
        """Return the response to a request for the commands of a vehicle and a callback, or an address below.

        Args:
            context: the request.
            car: the vehicle, which is the caller's.
            owner: who has registered the callback: key of the account, or id of the fleet.
            callback: the id of the callback.
            rest: the segments below the collection.
        """
        registered = self.callbacks.owned(owner, callback)
        is_fleet = context.caller.account is None
        if not is_fleet and "Remote" not in registered.types:
            raise Refusal(400, 40000, "The callback is not for remotes.")
        address = context.address.partition("?")[0]
        return self.remotes.respond(
            context,
            rest,
            vehicle=car,
            callback=registered.id,
            owner=owner,
            address=address[: address.rindex("/remotes")] + "/remotes",
            is_fleet=is_fleet,
            collection=self.collection,
        )

    def of_vehicle(self, context: RequestContext, car: Vehicle, rest: tuple[str, ...]) -> Response:
        """Return the response to a GET of a vehicle, or of the path ``rest`` below it."""
        match rest:
            case ():
                return resource_response(
                    context.serializer.vehicle(car, context.request.values("extension")), "vehicle"
                )
            case ("trips", trip, *deeper):
                return self._of_trip(context, self._trip(context, car, trip), tuple(deeper))
            case ("alerts" | "collisions" | "alarms" as kind, id_):
                return self._warning(context, car, kind, id_)
            case (name,) if name in self._by_name:
                return self._by_name[name](self, context, car)
            case _:
                raise not_found()

    def _of_trip(self, context: RequestContext, trip: Trip, rest: tuple[str, ...]) -> Response:
        match rest:
            case ():
                return resource_response(context.serializer.trip(trip), "trip")
            case ("wayPoints",):
                return self._waypoints(context, trip)
            case ("telemetry",):
                return self._telemetry(context, [trip])
            case ("alerts",):
                context.require_scope("data:alert")
                return self.alerts(
                    context, [alert for alert in self._world.alerts(trip.vehicle) if alert.trip == trip.id]
                )
            case ("collisions",):
                context.require_scope("data:collision")
                found = self._world.collisions(trip.vehicle)
                return self.collisions(context, [collision for collision in found if collision.trip == trip.id])
            case ("alerts" | "collisions" as kind, id_):
                return self._warning(context, self._world.vehicle(trip.vehicle), kind, id_, trip=trip.id)
            case _:
                raise not_found()

    def _vehicle_of_caller(self, context: RequestContext, vehicle: str) -> Vehicle:
        try:
            found = self._world.vehicle(vehicle)
        except KeyError:
            raise no_data() from None
        if found.account != context.account.key:
            raise Refusal(403, 40300, "No access to this vehicle.")
        return found

    def _trip(self, context: RequestContext, car: Vehicle, trip: str) -> Trip:
        context.require_scope("data:trip")
        try:
            return self._world.trip(car.id, trip)
        except KeyError:
            raise no_data() from None

    # ------------------------------------------------------------------ single resources

    def _user(self, context: RequestContext) -> Response:
        account = context.account
        return resource_response(context.serializer.user(account, self._world.vehicles_of(account.key)), "user")

    def _status(self, context: RequestContext, car: Vehicle) -> Response:
        context.require_scope("data:telemetry")
        if not self._world.has_status(car.id):
            raise no_data()
        if not self._variant.wraps_status:
            return resource_response(status(context.serializer, car, self._world.vehicle_state(car.id)), "status")
        history = range(self._world.trip_count(car.id))[::-1]

        def status_after(trip: int) -> dict[str, Any]:
            return status(context.serializer, car, self._world.vehicle_state(car.id, trip))

        return self.collection(context, "Status", history, status_after, default_size=1)

    def _last_position(self, context: RequestContext, car: Vehicle) -> Response:
        context.require_scope("data:position")
        accepted = context.request.headers.get("accept", "*/*")
        if not any(kind in accepted for kind in (GEO_JSON, "*/*", "application/*")):
            raise Refusal(406, 40600, "Not acceptable.")
        state = self._world.vehicle_state(car.id)
        if state.controls.privacy != "None":
            raise no_data()
        return resource_response(
            context.serializer.last_position(state),
            "lastPosition",
            media_type=GEO_JSON,
        )

    def _maintenance(self, context: RequestContext, car: Vehicle) -> Response:
        context.require_scope("data:telemetry")
        if not car.has_maintenance:
            raise no_data()
        return resource_response(context.serializer.maintenance(car.id), "maintenance")

    def _warning(
        self, context: RequestContext, car: Vehicle, kind: str, id_: str, *, trip: str | None = None
    ) -> Response:
        context.require_scope({"alerts": "data:alert", "collisions": "data:collision"}.get(kind, "data:telemetry"))
        bodies: dict[str, Callable[[], list[dict[str, Any]]]] = {
            "alerts": lambda: [
                context.serializer.alert(alert) for alert in self._world.alerts(car.id) if trip in {None, alert.trip}
            ],
            "alarms": lambda: [context.serializer.alarm(alarm) for alarm in self._world.alarms(car.id)],
            "collisions": lambda: [
                context.serializer.collision(collision)
                for collision in self._world.collisions(car.id)
                if trip in {None, collision.trip}
            ],
        }
        for body in bodies[kind]():
            if body["id"] == id_:
                return resource_response(body, kind[:-1])
        raise no_data()

    # ------------------------------------------------------------------ collections

    def _vehicles(self, context: RequestContext) -> Response:
        prefix = context.request.value("vinPrefix") or ""
        if prefix and self._variant.vin_prefix == "refused":
            raise Refusal(400, 40000, "Unknown parameter vinPrefix.")
        if self._variant.vin_prefix == "ignored":
            prefix = ""
        owned = self._world.vehicles_of(context.account.key)
        extensions = context.request.values("extension")
        found = [vehicle for vehicle in owned if vehicle.vin.startswith(prefix)]
        return self.collection(context, "vehicles", found, lambda car: context.serializer.vehicle(car, extensions))

    def _trips(self, context: RequestContext, car: Vehicle) -> Response:
        context.require_scope("data:trip")
        numbers = find_trips(self._world, context.request, car.id)
        if self._variant.newest_first:
            numbers = numbers[::-1]
        world, serializer = self._world, context.serializer
        return self.collection(context, "trips", numbers, lambda number: serializer.trip(world.trip_at(car.id, number)))

    def _alerts_of(self, context: RequestContext, car: Vehicle) -> Response:
        context.require_scope("data:alert")
        return self.alerts(context, self._world.alerts(car.id))

    def alerts(self, context: RequestContext, alerts: Iterable[Alert]) -> Response:
        """Return a page of alerts within the requested intervals."""
        spans = parse_intervals(context.request.values("timestamps"))
        found = [alert for alert in alerts if is_within(alert.started_at, spans)]
        return self.collection(context, "alerts", found, context.serializer.alert)

    def _collisions_of(self, context: RequestContext, car: Vehicle) -> Response:
        context.require_scope("data:collision")
        return self.collisions(context, self._world.collisions(car.id))

    def collisions(self, context: RequestContext, collisions: Iterable[Collision]) -> Response:
        """Return a page of collisions within the requested intervals."""
        spans = parse_intervals(context.request.values("timestamps"))
        found = [collision for collision in collisions if is_within(collision.at, spans)]
        return self.collection(context, "Collisions", found, context.serializer.collision)

    def _alarms(self, context: RequestContext, car: Vehicle) -> Response:
        context.require_scope("data:telemetry")
        spans, types = parse_intervals(context.request.values("timestamps")), frozenset(context.request.values("type"))
        found = [
            alarm
            for alarm in self._world.alarms(car.id)
            if is_within(alarm.started_at, spans) and (not types or alarm.type in types)
        ]
        return self.collection(context, "alarms", found, context.serializer.alarm)

    def _waypoints(self, context: RequestContext, trip: Trip) -> Response:
        context.require_scope("data:position")
        tolerance, _ = parse_number_range(f"{context.request.value('tolerance') or 0}-")
        spans = parse_intervals(context.request.values("timestamps"))
        steps = max(2, round(trip.duration.total_seconds() / 30))
        if tolerance and trip.distance:
            steps = max(1, min(steps, int(trip.distance / tolerance)))
        shares = [step / steps for step in range(steps + 1)]
        found = [share for share in shares if is_within(trip.started_at + share * trip.duration, spans)]
        max_size = 2000 if context.serializer.is_fleet else 60
        return self.collection(
            context, "positions", found, lambda share: context.serializer.waypoint(trip, share), max_size=max_size
        )

    def _telemetry_of(self, context: RequestContext, car: Vehicle) -> Response:
        context.require_scope("data:telemetry")
        numbers = find_trips(self._world, context.request, car.id)
        return self._telemetry(context, LazyTrips(self._world, car.id, numbers))

    def _telemetry(self, context: RequestContext, trips: Sequence[Trip]) -> Response:
        context.require_scope("data:telemetry")
        types, extensions = context.request.values("type"), context.request.values("extension")

        def sample(number: int) -> dict[str, Any]:
            share = number % _SAMPLES / (_SAMPLES - 1)
            return telemetry(context.serializer, trips[number // _SAMPLES], share, types, extensions)

        return self.collection(context, "telemetries", range(len(trips) * _SAMPLES), sample, max_size=2000)

    def collection(
        self,
        context: RequestContext,
        name: str,
        found: Sequence[Any],
        serialize: Callable[[Any], dict[str, Any]],
        *,
        default_size: int = 60,
        max_size: int = 60,
        ranged: bool = True,
    ) -> Response:
        """Return a page of a collection; items are serialized one by one."""
        page = select_page(
            context.request,
            len(found),
            self._secret,
            default_size=default_size,
            max_size=max_size,
            lenient=self._variant.lenient_tokens,
            ranged=ranged and not self._variant.ignores_ranges,
        )
        if not found:
            raise no_data()
        items = [serialize(item) for item in found[page.first : page.end]]
        body = page_body(
            page,
            context.request,
            self._secret,
            address=context.address,
            name=name,
            items=items,
            by_range=self._variant.pages_by_range,
        )
        body = reshape(body, context.request, self._variant)
        return json_response(200, body, kind=name, media_type=HAL_JSON)

    _by_name: dict[str, Callable[[Routes, RequestContext, Vehicle], Response]] = {  # noqa: RUF012 - constant
        "status": _status,
        "lastPosition": _last_position,
        "maintenance": _maintenance,
        "trips": _trips,
        "alerts": _alerts_of,
        "collisions": _collisions_of,
        "alarms": _alarms,
        "telemetry": _telemetry_of,
    }


def resource_response(body: dict[str, Any], kind: str, *, media_type: str = HAL_JSON) -> Response:
    """Return the response with a single resource."""
    return json_response(200, body, kind=kind, media_type=media_type)
