"""JSON bodies of the API: fields, units and links as the vendor's specification lists them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import attrs

from stellantis_hal.simulator.api.driving_range import range_in_trip
from stellantis_hal.simulator.api.http_messages import format_instant
from stellantis_hal.simulator.world.entities import (
    Account,
    Alarm,
    Alert,
    Collision,
    Energy,
    GeoPoint,
    Trip,
    Vehicle,
    VehicleState,
)
from stellantis_hal.simulator.world.fleets import Fleet
from stellantis_hal.simulator.world.places import along
from stellantis_hal.simulator.world.thefts import Theft
from stellantis_hal.simulator.world.world import World

__all__ = ["SUBTYPES", "Serializer", "link", "service"]

SUBTYPES = {"Fuel": "FossilEnergy", "Electric": "ElectricEnergy"}
_CAPABILITIES = (
    "data:telemetry",
    "data:telemetry:vehicle:energies",
    "data:telemetry:vehicle:odometer",
    "data:position",
    "data:trip",
    "data:alert",
    "data:collision",
)


def link(href: str) -> dict[str, str]:
    """Return a link object."""
    return {"href": href}


def _position(spot: GeoPoint, at: datetime, *, heading: int = 0) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [spot.longitude, spot.latitude, spot.altitude]},
        "properties": {
            "createdAt": format_instant(at),
            "heading": heading,
            "signalQuality": 9,
            "type": "Acquire",
            "fixStatus": "3D",
        },
    }


def _energy_summary(trip: Trip, energy: Energy) -> dict[str, Any]:
    return {
        "type": energy.type,
        "subType": SUBTYPES[energy.type],
        "level": energy.level,
        "autonomy": range_in_trip(trip, energy),
    }


@attrs.frozen(kw_only=True)
class Serializer:
    """Serializes entities for one caller.

    Attributes:
        base: prefix of links: the API's base URL, or its path for relative links.
        shows_positions: whether the caller's scopes include positions.
        owner: path, below the base, of what the vehicles belong to: ``user``, or that of a fleet.
        is_fleet: whether that is a fleet, so that bodies name their vehicle.
    """

    world: World
    base: str
    shows_positions: bool = True
    owner: str = "user"
    is_fleet: bool = False

    def vehicle_url(self, vehicle: str) -> str:
        """Return a vehicle's URL."""
        return f"{self.base}/{self.owner}/vehicles/{vehicle}"

    def trip_url(self, vehicle: str, trip: str) -> str:
        """Return a trip's URL."""
        return f"{self.vehicle_url(vehicle)}/trips/{trip}"

    # ------------------------------------------------------------------ users and vehicles

    def user(self, account: Account, vehicles: Iterable[Vehicle]) -> dict[str, Any]:
        """Return the body of a user."""
        return {
            "email": account.email,
            "firstName": account.first_name,
            "lastName": account.last_name,
            "createdAt": format_instant(self.world.epoch - timedelta(days=900)),
            "updatedAt": format_instant(self.world.epoch - timedelta(days=30)),
            "_embedded": {"Vehicles": [self.vehicle(vehicle) for vehicle in vehicles]},
            "_links": {"self": link(f"{self.base}/user"), "vehicles": link(f"{self.base}/user/vehicles")},
        }

    def vehicle(self, vehicle: Vehicle, extensions: Iterable[str] = ()) -> dict[str, Any]:
        """Return the body of a vehicle, with extensions as requested."""
        here = self.vehicle_url(vehicle.id)
        wanted = frozenset(extensions)
        names = ["lastPosition", "trips", "maintenance", "alerts", "status", "telemetry", "collisions", "alarms"]
        if not vehicle.has_maintenance:
            names.remove("maintenance")
        body: dict[str, Any] = {
            "id": vehicle.id,
            "vin": vehicle.vin,
            "brand": vehicle.brand,
            **({} if self.is_fleet else {"label": vehicle.label}),
            "motorization": vehicle.motorization,
            "createdAt": format_instant(self.world.epoch - timedelta(days=800)),
            "updatedAt": format_instant(self.world.vehicle_state(vehicle.id).at),
            "_links": {
                "self": link(here),
                "fleet" if self.is_fleet else "user": link(f"{self.base}/{self.owner}"),
                **{name: link(f"{here}/{name}") for name in names},
            },
        }
        extension: dict[str, Any] = {}
        if "onboardCapabilities" in wanted:
            extension["onboardCapabilities"] = _capabilities(can_be_stolen=self.is_fleet)
        if "branding" in wanted:
            extension["branding"] = {"brand": vehicle.brand, "label": vehicle.label}
        if "pictures" in wanted:
            pictures = [f"https://pictures.simulator.test/{vehicle.brand[:2]}/{view}.png" for view in ("001", "002")]
            extension["pictures"] = pictures
            body["pictures"] = pictures
        if extension:
            body["_embedded"] = {"extension": extension}
        return body

    def capabilities(self, vehicle: Vehicle, extensions: Iterable[str]) -> dict[str, Any]:
        """Return the body of a vehicle's capabilities, as partners read it by VIN, with extensions as requested."""
        whole = self.vehicle(vehicle, extensions)
        kept = ("vin", "motorization", "createdAt", "_embedded")
        return {name: whole[name] for name in kept if name in whole}

    def fleet(self, fleet: Fleet) -> dict[str, Any]:
        """Return the body of a fleet."""
        here = f"{self.base}/fleets/{fleet.id}"
        names = ("vehicles", "status", "maintenances", "alerts", "trips", "collisions", "monitors")
        return {
            "id": fleet.id,
            "name": fleet.name,
            "description": fleet.description,
            "createdAt": format_instant(self.world.epoch - timedelta(days=700)),
            "updatedAt": format_instant(self.world.epoch - timedelta(days=20)),
            "_links": {
                "self": link(here),
                **{name: link(f"{here}/{name}") for name in names},
                "callbacks": link(f"{here}/remote/callbacks"),
            },
        }

    def named(self, vehicle: str) -> dict[str, Any]:
        """Return the member by which a body names its vehicle; none but for fleets."""
        return {"vin": self.world.vehicle(vehicle).vin} if self.is_fleet else {}

    # ------------------------------------------------------------------ trips

    def trip(self, trip: Trip) -> dict[str, Any]:
        """Return the body of a trip."""
        here = self.trip_url(trip.vehicle, trip.id)
        body: dict[str, Any] = {
            "id": trip.id,
            **self.named(trip.vehicle),
            "createdAt": format_instant(trip.stopped_at),
            "updatedAt": format_instant(trip.stopped_at),
            "startedAt": format_instant(trip.started_at),
            "duration": round(trip.duration.total_seconds()),
            "distance": trip.distance,
            "startMileage": trip.start_mileage,
            "startEnergies": [_energy_summary(trip, energy) for energy in trip.before],
            "endEnergies": [_energy_summary(trip, energy) for energy in trip.after],
            "energyConsumptions": [
                _consumption(energy.type, used, trip.distance)
                for energy, used in zip(trip.before, trip.used, strict=True)
            ],
            "kinetic": {"avgSpeed": round(trip.average_speed / 3.6, 2), "maxSpeed": trip.max_speed},
            "segments": _segments(trip),
            "done": trip.done,
            "faults": [] if trip.fault is None else [{"fault": trip.fault, "cause": "Connection"}],
            "_links": {
                "self": link(here),
                "vehicle": link(self.vehicle_url(trip.vehicle)),
                "waypoints": link(f"{here}/wayPoints"),
                "alerts": link(f"{here}/alerts"),
                "collisions": link(f"{here}/collisions"),
            },
        }
        if trip.done:
            body["stoppedAt"] = format_instant(trip.stopped_at)
        if self.shows_positions:
            heading = trip.index * 47 % 360
            body["startPosition"] = _position(trip.start, trip.started_at, heading=heading)
            body["stopPosition"] = _position(trip.stop, trip.stopped_at, heading=heading)
        return body

    def waypoint(self, trip: Trip, share: float) -> dict[str, Any]:
        """Return the position on a trip when a share of it (0 to 1) has passed, as GeoJSON."""
        spot = along(trip.start, trip.stop, share)
        return _position(spot, trip.started_at + share * trip.duration, heading=trip.index * 47 % 360)

    # ------------------------------------------------------------------ current state

    def last_position(self, state: VehicleState) -> dict[str, Any]:
        """Return the last position of a vehicle as GeoJSON."""
        return _position(state.spot, state.at)

    def maintenance(self, vehicle: str) -> dict[str, Any]:
        """Return the body of a vehicle's maintenance."""
        state = self.world.vehicle_state(vehicle)
        at = format_instant(state.at)
        here = self.vehicle_url(vehicle)
        return {
            **self.named(vehicle),
            "createdAt": at,
            "updatedAt": at,
            **service(state.mileage),
            "_links": {
                "self": link(f"{here}/maintenance"),
                "vehicle": link(here),
                "alerts": link(f"{here}/alerts"),
            },
        }

    # ------------------------------------------------------------------ alerts, alarms, collisions

    def alert(self, alert: Alert) -> dict[str, Any]:
        """Return the body of an alert."""
        here = self.vehicle_url(alert.vehicle)
        body: dict[str, Any] = {
            "id": alert.id,
            **self.named(alert.vehicle),
            "type": alert.type,
            "severity": alert.severity,
            "active": alert.active,
            "createdAt": format_instant(alert.started_at),
            "updatedAt": format_instant(alert.ended_at or alert.started_at),
            "startedAt": format_instant(alert.started_at),
            "_links": {
                "self": link(f"{here}/alerts/{alert.id}"),
                "vehicle": link(here),
                "position": link(f"{here}/lastPosition"),
                "trips": [] if alert.trip is None else [link(self.trip_url(alert.vehicle, alert.trip))],
            },
        }
        if alert.ended_at is not None:
            body["endAt"] = format_instant(alert.ended_at)
        if self.shows_positions:
            body["startPosition"] = _position(alert.spot, alert.started_at)
        return body

    def alarm(self, alarm: Alarm) -> dict[str, Any]:
        """Return the body of a burglar alarm."""
        at = format_instant(alarm.started_at)
        trigger: dict[str, Any] = {"type": alarm.type, "createdAt": at, "startAt": at}
        if self.shows_positions:
            trigger["position"] = _position(alarm.spot, alarm.started_at)
        status = {"activation": "Active" if alarm.active else "Inactive", "createdAt": at}
        return {
            "id": alarm.id,
            "trigger": trigger,
            "status": status,
            "_links": {
                "self": link(f"{self.vehicle_url(alarm.vehicle)}/alarms/{alarm.id}"),
                "vehicle": link(self.vehicle_url(alarm.vehicle)),
            },
        }

    def collision(self, collision: Collision) -> dict[str, Any]:
        """Return the body of a collision."""
        here = self.vehicle_url(collision.vehicle)
        return {
            "id": collision.id,
            **self.named(collision.vehicle),
            "createdAt": format_instant(collision.at),
            "updatedAt": format_instant(collision.at),
            "tippedOver": collision.tipped_over,
            "pedestrian": collision.pedestrian,
            "details": [{"side": side, "severity": severity} for side, severity in collision.sides],
            "_links": {
                "self": link(f"{here}/collisions/{collision.id}"),
                "vehicle": link(here),
                "trip": link(self.trip_url(collision.vehicle, collision.trip)),
            },
        }

    def theft(self, theft: Theft) -> dict[str, Any]:
        """Return the body of a theft."""
        here = self.vehicle_url(theft.vehicle)
        body: dict[str, Any] = {
            "id": theft.id,
            "state": theft.ended_at is None,
            "createdAt": format_instant(theft.started_at),
            "updatedAt": format_instant(theft.ended_at or theft.started_at),
            "startedAt": format_instant(theft.started_at),
            "startPosition": _position(theft.start, theft.started_at),
            "_links": {"self": link(f"{here}/stolen/{theft.id}"), "vehicle": link(here)},
        }
        if theft.ended_at is not None:
            body["endAt"] = format_instant(theft.ended_at)
        if theft.ended_at is not None and theft.end is not None:
            body["endPosition"] = _position(theft.end, theft.ended_at)
        return body


def service(mileage: float) -> dict[str, Any]:
    """Return the time and distance to the next service, due every 20,000 km; ``mileage`` is the odometer in km."""
    to_go = round(20_000 - mileage % 20_000, 1)
    return {"daysBeforeMaintenance": round(to_go / 55), "mileageBeforeMaintenance": to_go}


def _consumption(kind: str, used: float, distance: float) -> dict[str, Any]:
    """Return the consumption of an energy in centilitres or Wh."""
    return {
        "type": kind,
        "subType": SUBTYPES[kind],
        "consumption": used,
        "avgConsumption": round(used / distance * 100, 1) if distance else 0.0,
    }


def _segments(trip: Trip) -> list[dict[str, Any]]:
    kilometres = {"Electric": trip.electric_km, "Thermal": round(trip.distance - trip.electric_km, 1)}
    kinds = {"Thermal" if energy.type == "Fuel" else energy.type for energy in trip.before}
    return [
        {
            "propulsion": kind,
            "percent": round(100 * km / trip.distance, 1) if trip.distance else 0.0,
            "distance": km,
        }
        for kind, km in sorted(kilometres.items(), reverse=True)
        if kind in kinds
    ]


def _capabilities(*, can_be_stolen: bool) -> dict[str, Any]:
    def supported(name: str) -> dict[str, Any]:
        return {"supported": True, "scopeName": f"remote:{name}:write"}

    stolen = {"stolen": supported("stolen")} if can_be_stolen else {}

    return {
        "data": list(_CAPABILITIES),
        "remote": {
            **{name: supported(name) for name in ("door", "horn", "lights", "wakeup", "navigation")},
            **stolen,
            "preconditioning": {
                **supported("preconditioning"),
                "parameters": {"programs": {"size": 4}, "immediate": True},
            },
            "charging": {
                **supported("charging"),
                "parameters": {
                    "immediate": {"start": True, "stop": True},
                    "schedule": {
                        "programs": {"supported": True, "size": 2},
                        "nextDelayedTime": True,
                        "preferences": True,
                    },
                    "preferences": {"level": True, "type": True},
                },
            },
        },
    }
