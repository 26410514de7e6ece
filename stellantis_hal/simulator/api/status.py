"""JSON body of a vehicle's status, each block with its own timestamp."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from stellantis_hal.simulator.api.messages import format_instant
from stellantis_hal.simulator.api.serializer import SUBTYPES, Serializer, link
from stellantis_hal.simulator.world.entities import Charging, Energy, Vehicle, VehicleState
from stellantis_hal.simulator.world.parking import KM_PER_PERCENT

__all__ = ["status"]


def status(serializer: Serializer, vehicle: Vehicle, state: VehicleState) -> dict[str, Any]:
    """Return the body of a vehicle's status, including blocks set by :meth:`World.update_status`."""
    at = format_instant(state.at)
    moving = state.moving
    locked = not moving if state.locked is None else state.locked
    url = serializer.vehicle_url(vehicle.id)
    body: dict[str, Any] = {
        "createdAt": at,
        "updatedAt": at,
        "ignition": {"createdAt": at, "type": "Start" if moving else "Stop"},
        "preconditioning": {
            "airConditioning": {"createdAt": at, "updatedAt": at, "status": "Disabled", "programs": []}
        },
        "energies": [_energy(energy, at, state.charging) for energy in state.levels],
        "powertrain": {"createdAt": at, "status": "Running" if moving else "Stopped"},
        "doorsState": {
            "createdAt": at,
            "lockedStates": ["Locked" if locked else "Unlocked"],
            "opening": [
                {"identifier": door, "state": "Closed"}
                for door in ("Driver", "Passenger", "RearLeft", "RearRight", "Trunk")
            ],
        },
        "privacy": {"createdAt": at, "state": "None"},
        "battery": {"createdAt": at, "voltage": 91.5},
        "service": {"createdAt": at, "type": _service(vehicle)},
        "safety": {
            "createdAt": at,
            "beltStatus": [{"id": "Driver", "belt": "Normal"}, {"id": "Passenger", "belt": "Normal"}],
            "autoECallTriggering": "NotDetected",
        },
        "odometer": {"createdAt": at, "mileage": state.mileage},
        "kinetic": {"createdAt": at, "acceleration": 0.0, "speed": 42.0 if moving else 0.0, "moving": moving},
        "environment": {
            "luminosity": {"createdAt": at, "day": True},
            "air": {"createdAt": at, "temp": 12.5},
        },
        "drivingBehavior": {"createdAt": at, "mode": "Normal"},
        "lightingSystem": {
            "createdAt": at,
            "turn": [{"direction": "Left", "position": "Front", "status": "Off"}],
            "fog": [{"direction": "Right", "position": "Rear", "status": "Off"}],
        },
        "alarm": {"status": {"createdAt": at, "activation": "Inactive"}},
        "_links": {"self": link(f"{url}/status"), "vehicle": link(url)},
    }
    if serializer.shows_positions:
        body["lastPosition"] = serializer.last_position(state)
    for name, block in serializer.world.changes(vehicle.id).items():
        if block is None:
            body.pop(name, None)
        else:
            body[name] = block
    return body


def _service(vehicle: Vehicle) -> str:
    return vehicle.motorization if vehicle.motorization in {"Electric", "Hybrid"} else "Unknown"


def _energy(energy: Energy, at: str, charging: Charging | None) -> dict[str, Any]:
    body: dict[str, Any] = {
        "createdAt": at,
        "updatedAt": at,
        "type": energy.type,
        "subType": SUBTYPES[energy.type],
        "level": energy.level,
    }
    if energy.type == "Fuel":
        body["autonomy"] = round(energy.level * 7)
        body["extension"] = {"fuel": {"consumptions": {"total": 1250.0, "instant": 0.0}}}
        return body
    body["autonomy"] = round(energy.level * KM_PER_PERCENT)
    body["extension"] = {
        "electric": {
            "residual": {"consumption": round(energy.level * 0.5, 1)},
            "battery": {
                "capacity": 50_000.0,
                "load": {"createdAt": at, "capacity": 50_000, "residual": round(energy.level * 500)},
                "health": {"createdAt": at, "capacity": 96, "resistance": 97},
            },
            "charging": {
                **_charging(charging or _derived(energy)),
                "nextDelayedTime": "PT22H30M",
                "schedule": {"programs": []},
            },
        }
    }
    return body


def _derived(energy: Energy) -> Charging:
    """Return the charge of a generated vehicle: low batteries are charged."""
    if energy.level < 50:
        return Charging(plugged=True, status="InProgress", rate=21.0, remaining=timedelta(hours=2, minutes=30))
    return Charging(plugged=False, status="Disconnected", rate=0.0, remaining=timedelta())


def _charging(charging: Charging) -> dict[str, Any]:
    return {
        "plugged": charging.plugged,
        "status": charging.status,
        "remainingTime": _duration(charging.remaining),
        "chargingRate": round(charging.rate),
        "chargingMode": "Slow" if charging.status == "InProgress" else "No",
    }


def _duration(duration: timedelta) -> str:
    """Return a duration in the ISO 8601 form of the API, in whole minutes: ``PT2H30M``, ``PT0S``."""
    hours, minutes = divmod(round(duration.total_seconds() / 60), 60)
    if not hours and not minutes:
        return "PT0S"
    return "PT" + (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
