"""Knows how the API words each thing: its fields, units and links, as the vendor's specification lists them.

Must not know paging, status codes or who may see what, but for positions, which a scope hides.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import attrs

from stellantis_hal.simulator.api.messages import spell
from stellantis_hal.simulator.world.entities import (
    Account,
    Alarm,
    Alert,
    Collision,
    Energy,
    Snapshot,
    Spot,
    Trip,
    Vehicle,
)
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
    """Word a link."""
    return {"href": href}


def _position(spot: Spot, at: datetime, *, heading: int = 0) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [spot.longitude, spot.latitude, spot.altitude]},
        "properties": {
            "createdAt": spell(at),
            "heading": heading,
            "signalQuality": 9,
            "type": "Acquire",
            "fixStatus": "3D",
        },
    }


def _light(energy: Energy) -> dict[str, Any]:
    return {
        "type": energy.type,
        "subType": SUBTYPES[energy.type],
        "level": energy.level,
        "autonomy": round(energy.level * (7 if energy.type == "Fuel" else 3.5)),
    }


@attrs.frozen(kw_only=True)
class Serializer:
    """Words things for one reader.

    Attributes:
        base: what links begin with: the API's base URL, or its path for relative links.
        places: whether the reader may see positions.
    """

    world: World
    base: str
    places: bool = True

    def vehicle_url(self, vehicle: str) -> str:
        """Give a vehicle's address."""
        return f"{self.base}/user/vehicles/{vehicle}"

    def trip_url(self, vehicle: str, trip: str) -> str:
        """Give a trip's address."""
        return f"{self.base}/user/vehicles/{vehicle}/trips/{trip}"

    # ------------------------------------------------------------------ people and cars

    def user(self, account: Account, vehicles: Iterable[Vehicle]) -> dict[str, Any]:
        """Word an end user."""
        return {
            "email": account.email,
            "firstName": account.first_name,
            "lastName": account.last_name,
            "createdAt": spell(self.world.epoch - timedelta(days=900)),
            "updatedAt": spell(self.world.epoch - timedelta(days=30)),
            "_embedded": {"Vehicles": [self.vehicle(vehicle) for vehicle in vehicles]},
            "_links": {"self": link(f"{self.base}/user"), "vehicles": link(f"{self.base}/user/vehicles")},
        }

    def vehicle(self, vehicle: Vehicle, extensions: Iterable[str] = ()) -> dict[str, Any]:
        """Word a car."""
        here = self.vehicle_url(vehicle.id)
        wanted = frozenset(extensions)
        names = ["lastPosition", "trips", "maintenance", "alerts", "status", "telemetry", "collisions", "alarms"]
        if not vehicle.has_maintenance:
            names.remove("maintenance")
        body: dict[str, Any] = {
            "id": vehicle.id,
            "vin": vehicle.vin,
            "brand": vehicle.brand,
            "label": vehicle.label,
            "motorization": vehicle.motorization,
            "createdAt": spell(self.world.epoch - timedelta(days=800)),
            "updatedAt": spell(self.world.snapshot(vehicle.id).at),
            "_links": {
                "self": link(here),
                "user": link(f"{self.base}/user"),
                **{name: link(f"{here}/{name}") for name in names},
            },
        }
        extension: dict[str, Any] = {}
        if "onboardCapabilities" in wanted:
            extension["onboardCapabilities"] = _capabilities()
        if "branding" in wanted:
            extension["branding"] = {"brand": vehicle.brand, "label": vehicle.label}
        if "pictures" in wanted:
            pictures = [f"https://pictures.simulator.test/{vehicle.brand[:2]}/{view}.png" for view in ("001", "002")]
            extension["pictures"] = pictures
            body["pictures"] = pictures
        if extension:
            body["_embedded"] = {"extension": extension}
        return body

    def capabilities(self, vehicle: Vehicle) -> dict[str, Any]:
        """Word what a car can do, as fleet owners and partners are told by its VIN."""
        onboard = _capabilities()
        onboard["remote"]["stolen"] = {"supported": False, "scopeName": "remote:stolen:write"}
        return {
            "vin": vehicle.vin,
            "motorization": vehicle.motorization,
            "createdAt": spell(self.world.epoch - timedelta(days=800)),
            "_embedded": {"extension": {"onboardCapabilities": onboard}},
        }

    # ------------------------------------------------------------------ trips

    def trip(self, trip: Trip) -> dict[str, Any]:
        """Word a trip."""
        here = self.trip_url(trip.vehicle, trip.id)
        body: dict[str, Any] = {
            "id": trip.id,
            "createdAt": spell(trip.stopped_at),
            "updatedAt": spell(trip.stopped_at),
            "startedAt": spell(trip.started_at),
            "duration": round(trip.duration.total_seconds()),
            "distance": trip.distance,
            "startMileage": trip.start_mileage,
            "startEnergies": [_light(energy) for energy in trip.before],
            "endEnergies": [_light(energy) for energy in trip.after],
            "energyConsumptions": [
                _consumption(before, after, trip.distance)
                for before, after in zip(trip.before, trip.after, strict=True)
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
            body["stoppedAt"] = spell(trip.stopped_at)
        if self.places:
            heading = trip.index * 47 % 360
            body["startPosition"] = _position(trip.start, trip.started_at, heading=heading)
            body["stopPosition"] = _position(trip.stop, trip.stopped_at, heading=heading)
        return body

    def waypoint(self, trip: Trip, share: float) -> dict[str, Any]:
        """Word where a trip was when a share of it (0 to 1) had passed."""
        spot = Spot(
            round(trip.start.longitude + share * (trip.stop.longitude - trip.start.longitude), 6),
            round(trip.start.latitude + share * (trip.stop.latitude - trip.start.latitude), 6),
            round(trip.start.altitude + share * (trip.stop.altitude - trip.start.altitude), 1),
        )
        return _position(spot, trip.started_at + share * trip.duration, heading=trip.index * 47 % 360)

    # ------------------------------------------------------------------ a car's present

    def last_position(self, snapshot: Snapshot) -> dict[str, Any]:
        """Word where a car is: GeoJSON."""
        return _position(snapshot.spot, snapshot.at)

    def maintenance(self, vehicle: str) -> dict[str, Any]:
        """Word when a car is due for service."""
        snapshot = self.world.snapshot(vehicle)
        at = spell(snapshot.at)
        here = self.vehicle_url(vehicle)
        return {
            "createdAt": at,
            "updatedAt": at,
            **service(snapshot.mileage),
            "_links": {
                "self": link(f"{here}/maintenance"),
                "vehicle": link(here),
                "alerts": link(f"{here}/alerts"),
            },
        }

    # ------------------------------------------------------------------ warnings

    def alert(self, alert: Alert) -> dict[str, Any]:
        """Word a warning."""
        here = self.vehicle_url(alert.vehicle)
        body: dict[str, Any] = {
            "id": alert.id,
            "type": alert.type,
            "severity": alert.severity,
            "active": alert.active,
            "createdAt": spell(alert.started_at),
            "updatedAt": spell(alert.ended_at or alert.started_at),
            "startedAt": spell(alert.started_at),
            "_links": {
                "self": link(f"{here}/alerts/{alert.id}"),
                "vehicle": link(here),
                "position": link(f"{here}/lastPosition"),
                "trips": [] if alert.trip is None else [link(self.trip_url(alert.vehicle, alert.trip))],
            },
        }
        if alert.ended_at is not None:
            body["endAt"] = spell(alert.ended_at)
        if self.places:
            body["startPosition"] = _position(alert.spot, alert.started_at)
        return body

    def alarm(self, alarm: Alarm) -> dict[str, Any]:
        """Word a burglar alarm."""
        at = spell(alarm.started_at)
        trigger: dict[str, Any] = {"type": alarm.type, "createdAt": at, "startAt": at}
        if self.places:
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
        """Word an accident."""
        here = self.vehicle_url(collision.vehicle)
        return {
            "id": collision.id,
            "createdAt": spell(collision.at),
            "updatedAt": spell(collision.at),
            "tippedOver": collision.tipped_over,
            "pedestrian": collision.pedestrian,
            "details": [{"side": side, "severity": severity} for side, severity in collision.sides],
            "_links": {
                "self": link(f"{here}/collisions/{collision.id}"),
                "vehicle": link(here),
                "trip": link(self.trip_url(collision.vehicle, collision.trip)),
            },
        }


def service(mileage: float) -> dict[str, Any]:
    """Word how far the next service is, given the odometer in km: every 20,000 km."""
    to_go = round(20_000 - mileage % 20_000, 1)
    return {"daysBeforeMaintenance": round(to_go / 55), "mileageBeforeMaintenance": to_go}


def _consumption(before: Energy, after: Energy, distance: float) -> dict[str, Any]:
    used = round((before.level - after.level) * (45 if before.type == "Fuel" else 0.5), 1)
    return {
        "type": before.type,
        "subType": SUBTYPES[before.type],
        "consumption": used,
        "avgConsumption": round(used / distance * 100, 1) if distance else 0.0,
    }


def _segments(trip: Trip) -> list[dict[str, Any]]:
    kinds = [energy.type for energy in trip.before]
    if kinds == ["Electric"]:
        return [{"propulsion": "Electric", "percent": 100.0, "distance": trip.distance}]
    if kinds == ["Fuel"]:
        return [{"propulsion": "Thermal", "percent": 100.0, "distance": trip.distance}]
    thermal = round(trip.distance * 0.6, 1)
    return [
        {"propulsion": "Thermal", "percent": 60.0, "distance": thermal},
        {"propulsion": "Electric", "percent": 40.0, "distance": round(trip.distance - thermal, 1)},
    ]


def _capabilities() -> dict[str, Any]:
    def plain(name: str) -> dict[str, Any]:
        return {"supported": True, "scopeName": f"remote:{name}:write"}

    return {
        "data": list(_CAPABILITIES),
        "remote": {
            **{name: plain(name) for name in ("door", "horn", "lights", "wakeup", "navigation")},
            "preconditioning": {**plain("preconditioning"), "parameters": {"programs": {"size": 4}, "immediate": True}},
            "charging": {
                **plain("charging"),
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
