"""Knows the API's addresses: what each needs to be read, what it answers, what it refuses.

Must not know tokens, rate limits or how bytes travel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import unquote

import attrs

from stellantis_hal.simulator.api.bodies import Serializer
from stellantis_hal.simulator.api.dialect import BackendVariant
from stellantis_hal.simulator.api.filters import BadFilterError, intervals, number_range, within
from stellantis_hal.simulator.api.messages import GEO_JSON, HAL_JSON, Moment, Request, Response, json_response, spell
from stellantis_hal.simulator.api.pages import BadPageError, cut, word
from stellantis_hal.simulator.api.status import status
from stellantis_hal.simulator.api.telemetry import telemetry
from stellantis_hal.simulator.api.trip_filters import Trips, matching
from stellantis_hal.simulator.world.entities import Account, Alert, Collision, Trip, Vehicle
from stellantis_hal.simulator.world.seeded import mark
from stellantis_hal.simulator.world.world import World

__all__ = ["Caller", "Routes"]

_SAMPLES = 8  # telemetry records per trip


@attrs.frozen(kw_only=True)
class Caller:
    """Who reads, by which address the API is known to them, and when."""

    account: Account
    scope: tuple[str, ...]
    base: str
    now: Moment


class _Refusal(Exception):  # noqa: N818 - it is an answer, not an error
    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def _no_data() -> _Refusal:
    return _Refusal(404, 40400, "No data available for such context.")


@attrs.frozen(kw_only=True)
class _RequestContext:
    """One request on its way through the addresses."""

    call: Request
    reader: Caller
    bodies: Serializer
    address: str
    path: tuple[str, ...]

    def needs(self, scope: str) -> None:
        if scope not in self.reader.scope:
            raise _Refusal(403, 40300, f"The scope {scope} was not granted.")


class Routes:
    """Answers what a known reader asks of the API, in one of its manners."""

    def __init__(self, world: World, manners: BackendVariant) -> None:
        self._world = world
        self._manners = manners
        self._secret = mark(world.seed, "pages", size=16).encode()
        self._served = 0

    def answer(self, call: Request, place: str, reader: Caller) -> Response:
        """Answer a GET of ``place``, the path below the API's base."""
        parts = tuple(unquote(part) for part in place.split("/") if part)
        visit = _RequestContext(
            call=call,
            reader=reader,
            bodies=Serializer(world=self._world, base=reader.base, places="data:position" in reader.scope),
            address=f"{reader.base}{place}",
            path=parts,
        )
        self._served += 1
        try:
            return self._find(visit)
        except _Refusal as refusal:
            return self._refuse(refusal, visit)
        except (BadPageError, BadFilterError) as error:
            return self._refuse(_Refusal(400, 40000, str(error)), visit)

    def capabilities(self, vin: str) -> Response:
        """Answer what a partner asks before a car is enrolled: what it can do."""
        try:
            vehicle = self._world.vehicle_by_vin(vin)
        except KeyError:
            return json_response(404, {"code": 40400, "message": "No data available for such context."}, kind="refusal")
        body = Serializer(world=self._world, base="").capabilities(vehicle)
        return json_response(200, body, kind="capabilities", media_type=HAL_JSON)

    def _refuse(self, refusal: _Refusal, visit: _RequestContext) -> Response:
        digits = mark(self._world.seed, "uuid", self._served, size=16)
        body = {
            "code": refusal.code,
            "message": refusal.message,
            "uuid": f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}",
            "timestamp": spell(visit.reader.now.wall),
        }
        return json_response(refusal.status, body, kind="refusal")

    # ------------------------------------------------------------------ addresses

    def _find(self, visit: _RequestContext) -> Response:
        if visit.call.method not in {"GET", "HEAD"}:
            raise _Refusal(405, 40500, "Method not allowed.")
        match visit.path:
            case ("user",):
                return self._user(visit)
            case ("user", "vehicles"):
                return self._vehicles(visit)
            case ("user", "vehicles", vehicle, *rest):
                return self._of_vehicle(visit, self._owned(visit, vehicle), tuple(rest))
            case _:
                raise _Refusal(404, 40499, "Not found.")

    def _of_vehicle(self, visit: _RequestContext, car: Vehicle, rest: tuple[str, ...]) -> Response:
        match rest:
            case ():
                return _single(visit, visit.bodies.vehicle(car, visit.call.values("extension")), "vehicle")
            case ("trips", trip, *deeper):
                return self._of_trip(visit, self._trip(visit, car, trip), tuple(deeper))
            case ("alerts" | "collisions" | "alarms" as kind, id_):
                return self._warning(visit, car, kind, id_)
            case (name,) if name in self._by_name:
                return self._by_name[name](self, visit, car)
            case _:
                raise _Refusal(404, 40499, "Not found.")

    def _of_trip(self, visit: _RequestContext, trip: Trip, rest: tuple[str, ...]) -> Response:
        match rest:
            case ():
                return _single(visit, visit.bodies.trip(trip), "trip")
            case ("wayPoints",):
                return self._waypoints(visit, trip)
            case ("telemetry",):
                return self._telemetry(visit, [trip])
            case ("alerts",):
                visit.needs("data:alert")
                return self._alerts(
                    visit, [alert for alert in self._world.alerts(trip.vehicle) if alert.trip == trip.id]
                )
            case ("collisions",):
                visit.needs("data:collision")
                found = self._world.collisions(trip.vehicle)
                return self._collisions(visit, [collision for collision in found if collision.trip == trip.id])
            case ("alerts" | "collisions" as kind, id_):
                return self._warning(visit, self._world.vehicle(trip.vehicle), kind, id_, trip=trip.id)
            case _:
                raise _Refusal(404, 40499, "Not found.")

    def _owned(self, visit: _RequestContext, vehicle: str) -> Vehicle:
        try:
            found = self._world.vehicle(vehicle)
        except KeyError:
            raise _no_data() from None
        if found.account != visit.reader.account.key:
            raise _Refusal(403, 40300, "No access to this vehicle.")
        return found

    def _trip(self, visit: _RequestContext, car: Vehicle, trip: str) -> Trip:
        visit.needs("data:trip")
        try:
            return self._world.trip(car.id, trip)
        except KeyError:
            raise _no_data() from None

    # ------------------------------------------------------------------ single things

    def _user(self, visit: _RequestContext) -> Response:
        account = visit.reader.account
        return _single(visit, visit.bodies.user(account, self._world.vehicles_of(account.key)), "user")

    def _status(self, visit: _RequestContext, car: Vehicle) -> Response:
        visit.needs("data:telemetry")
        if not self._world.has_status(car.id):
            raise _no_data()
        if not self._manners.wraps_status:
            return _single(visit, status(visit.bodies, car, self._world.snapshot(car.id)), "status")
        history = range(self._world.trip_count(car.id))[::-1]

        def worded(trip: int) -> dict[str, Any]:
            return status(visit.bodies, car, self._world.snapshot(car.id, trip))

        return self._collection(visit, "Status", history, worded, usual=1)

    def _last_position(self, visit: _RequestContext, car: Vehicle) -> Response:
        visit.needs("data:position")
        accepted = visit.call.headers.get("accept", "*/*")
        if not any(kind in accepted for kind in (GEO_JSON, "*/*", "application/*")):
            raise _Refusal(406, 40600, "Not acceptable.")
        return _single(
            visit, visit.bodies.last_position(self._world.snapshot(car.id)), "lastPosition", media_type=GEO_JSON
        )

    def _maintenance(self, visit: _RequestContext, car: Vehicle) -> Response:
        visit.needs("data:telemetry")
        if not car.has_maintenance:
            raise _no_data()
        return _single(visit, visit.bodies.maintenance(car.id), "maintenance")

    def _warning(
        self, visit: _RequestContext, car: Vehicle, kind: str, id_: str, *, trip: str | None = None
    ) -> Response:
        visit.needs({"alerts": "data:alert", "collisions": "data:collision"}.get(kind, "data:telemetry"))
        things: dict[str, Callable[[], list[dict[str, Any]]]] = {
            "alerts": lambda: [
                visit.bodies.alert(alert) for alert in self._world.alerts(car.id) if trip in {None, alert.trip}
            ],
            "alarms": lambda: [visit.bodies.alarm(alarm) for alarm in self._world.alarms(car.id)],
            "collisions": lambda: [
                visit.bodies.collision(collision)
                for collision in self._world.collisions(car.id)
                if trip in {None, collision.trip}
            ],
        }
        for body in things[kind]():
            if body["id"] == id_:
                return _single(visit, body, kind[:-1])
        raise _no_data()

    # ------------------------------------------------------------------ collections

    def _vehicles(self, visit: _RequestContext) -> Response:
        prefix = visit.call.value("vinPrefix") or ""
        owned = self._world.vehicles_of(visit.reader.account.key)
        extensions = visit.call.values("extension")
        found = [vehicle for vehicle in owned if vehicle.vin.startswith(prefix)]
        return self._collection(visit, "vehicles", found, lambda car: visit.bodies.vehicle(car, extensions))

    def _trips(self, visit: _RequestContext, car: Vehicle) -> Response:
        visit.needs("data:trip")
        numbers = matching(self._world, visit.call, car.id)
        if self._manners.newest_first:
            numbers = numbers[::-1]
        world, bodies = self._world, visit.bodies
        return self._collection(visit, "trips", numbers, lambda number: bodies.trip(world.trip_at(car.id, number)))

    def _alerts_of(self, visit: _RequestContext, car: Vehicle) -> Response:
        visit.needs("data:alert")
        return self._alerts(visit, self._world.alerts(car.id))

    def _alerts(self, visit: _RequestContext, alerts: Iterable[Alert]) -> Response:
        spans = intervals(visit.call.values("timestamps"))
        found = [alert for alert in alerts if within(alert.started_at, spans)]
        return self._collection(visit, "alerts", found, visit.bodies.alert)

    def _collisions_of(self, visit: _RequestContext, car: Vehicle) -> Response:
        visit.needs("data:collision")
        return self._collisions(visit, self._world.collisions(car.id))

    def _collisions(self, visit: _RequestContext, collisions: Iterable[Collision]) -> Response:
        spans = intervals(visit.call.values("timestamps"))
        found = [collision for collision in collisions if within(collision.at, spans)]
        return self._collection(visit, "Collisions", found, visit.bodies.collision)

    def _alarms(self, visit: _RequestContext, car: Vehicle) -> Response:
        visit.needs("data:telemetry")
        spans, types = intervals(visit.call.values("timestamps")), frozenset(visit.call.values("type"))
        found = [
            alarm
            for alarm in self._world.alarms(car.id)
            if within(alarm.started_at, spans) and (not types or alarm.type in types)
        ]
        return self._collection(visit, "alarms", found, visit.bodies.alarm)

    def _waypoints(self, visit: _RequestContext, trip: Trip) -> Response:
        visit.needs("data:position")
        tolerance, _ = number_range(f"{visit.call.value('tolerance') or 0}-")
        spans = intervals(visit.call.values("timestamps"))
        steps = max(2, round(trip.duration.total_seconds() / 30))
        if tolerance and trip.distance:
            steps = max(1, min(steps, int(trip.distance / tolerance)))
        shares = [step / steps for step in range(steps + 1)]
        found = [share for share in shares if within(trip.started_at + share * trip.duration, spans)]
        return self._collection(visit, "positions", found, lambda share: visit.bodies.waypoint(trip, share))

    def _telemetry_of(self, visit: _RequestContext, car: Vehicle) -> Response:
        visit.needs("data:telemetry")
        numbers = matching(self._world, visit.call, car.id)
        return self._telemetry(visit, Trips(self._world, car.id, numbers))

    def _telemetry(self, visit: _RequestContext, trips: Sequence[Trip]) -> Response:
        visit.needs("data:telemetry")
        types, extensions = visit.call.values("type"), visit.call.values("extension")

        def sample(number: int) -> dict[str, Any]:
            share = number % _SAMPLES / (_SAMPLES - 1)
            return telemetry(visit.bodies, trips[number // _SAMPLES], share, types, extensions)

        return self._collection(visit, "telemetries", range(len(trips) * _SAMPLES), sample, most=2000)

    def _collection(
        self,
        visit: _RequestContext,
        name: str,
        found: Sequence[Any],
        wording: Callable[[Any], dict[str, Any]],
        *,
        usual: int = 60,
        most: int = 60,
    ) -> Response:
        lenient = self._manners.lenient_tokens
        page = cut(visit.call, len(found), self._secret, usual=usual, most=most, lenient=lenient)
        if not found:
            raise _no_data()
        items = [wording(item) for item in found[page.first : page.end]]
        body = word(
            page,
            visit.call,
            self._secret,
            address=visit.address,
            name=name,
            items=items,
            by_range=self._manners.pages_by_range,
        )
        return json_response(200, body, kind=name, media_type=HAL_JSON)

    _by_name: dict[str, Callable[[Routes, _RequestContext, Vehicle], Response]] = {  # noqa: RUF012 - never changed
        "status": _status,
        "lastPosition": _last_position,
        "maintenance": _maintenance,
        "trips": _trips,
        "alerts": _alerts_of,
        "collisions": _collisions_of,
        "alarms": _alarms,
        "telemetry": _telemetry_of,
    }


def _single(visit: _RequestContext, body: dict[str, Any], kind: str, *, media_type: str = HAL_JSON) -> Response:
    return json_response(200, body, kind=kind, media_type=media_type)
