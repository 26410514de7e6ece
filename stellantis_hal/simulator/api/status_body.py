"""JSON body of a vehicle's status, each block with its own timestamp."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from stellantis_hal.simulator.api.driving_range import displayed_range, expected_wh
from stellantis_hal.simulator.api.http_messages import format_instant
from stellantis_hal.simulator.api.serializer import SUBTYPES, Serializer, link
from stellantis_hal.simulator.world.car_control_state import DOORS, CarControlState, ChargeProgram
from stellantis_hal.simulator.world.consumption_model import BATTERY_WH
from stellantis_hal.simulator.world.entities import ChargingState, Energy, Vehicle, VehicleState
from stellantis_hal.simulator.world.weather import is_day

__all__ = ["format_duration", "status"]


def status(serializer: Serializer, vehicle: Vehicle, state: VehicleState) -> dict[str, Any]:
    """Return the body of a vehicle's status, including blocks set by :meth:`World.update_status`."""
    at = format_instant(state.at)
    moving = state.moving
    url = serializer.vehicle_url(vehicle.id)
    lights_until = state.controls.lights_until
    has_lights = lights_until is not None and state.at < lights_until
    body: dict[str, Any] = {
        **serializer.named(vehicle.id),
        "createdAt": at,
        "updatedAt": at,
        "ignition": {"createdAt": at, "type": "Start" if moving else "Stop"},
        "preconditioning": {"airConditioning": _climate(state, at)},
        "energies": [_energy(energy, at, state, vehicle) for energy in state.levels],
        "powertrain": {"createdAt": at, "status": "Running" if moving else "Stopped"},
        "doorsState": {
            "createdAt": at,
            "lockedStates": ["Locked" if state.locked else "Unlocked"],
            "opening": [
                {"identifier": door, "state": "Open" if door in state.controls.open_doors else "Closed"}
                for door in DOORS
            ],
        },
        "privacy": {"createdAt": at, "state": state.controls.privacy},
        "battery": {"createdAt": at, "voltage": state.controls.battery},
        "service": {"createdAt": at, "type": _service(vehicle)},
        "safety": {
            "createdAt": at,
            "beltStatus": [{"id": "Driver", "belt": "Normal"}, {"id": "Passenger", "belt": "Normal"}],
            "autoECallTriggering": "NotDetected",
        },
        "odometer": {"createdAt": at, "mileage": state.mileage},
        "kinetic": {"createdAt": at, "acceleration": 0.0, "speed": state.speed, "moving": moving},
        "environment": {
            "luminosity": {"createdAt": at, "day": is_day(state.at)},
            "air": {"createdAt": at, "temp": state.temperature},
        },
        "drivingBehavior": {"createdAt": at, "mode": "Normal"},
        "lightingSystem": {
            "createdAt": at,
            "turn": [{"direction": "Left", "position": "Front", "status": "On" if has_lights else "Off"}],
            "fog": [{"direction": "Right", "position": "Rear", "status": "Off"}],
        },
        "alarm": {"status": {"createdAt": at, "activation": "Inactive"}},
        "_links": {"self": link(f"{url}/status"), "vehicle": link(url)},
    }
    if serializer.shows_positions and state.controls.privacy == "None":
        body["lastPosition"] = serializer.last_position(state)
    theft = serializer.world.thefts.current(vehicle.id) if serializer.is_fleet else None
    if serializer.is_fleet and not body["preconditioning"]["airConditioning"]["programs"]:
        del body["preconditioning"]["airConditioning"]["programs"]  # at least one, in the API for fleet owners
    if theft is not None:
        body["stolen"] = serializer.theft(theft)
    for name, block in serializer.world.changes(vehicle.id).items():
        if block is None:
            body.pop(name, None)
        else:
            body[name] = block
    return body


def _service(vehicle: Vehicle) -> str:
    return vehicle.motorization if vehicle.motorization in {"Electric", "Hybrid"} else "Unknown"


def _climate(state: VehicleState, at: str) -> dict[str, Any]:
    controls = state.controls
    body: dict[str, Any] = {"createdAt": at, "updatedAt": at, "status": "Disabled"}
    if controls.climate_since is not None and controls.climate_until is not None:
        body["status"] = "Enabled" if state.at < controls.climate_until else "Finished"
        body["startingCause"] = "Immediate"
    body["programs"] = [
        {
            "slot": program.slot,
            "enabled": program.enabled,
            "recurrence": program.recurrence,
            "start": format_duration(program.start),
            "occurence": {"day": list(program.days)},
        }
        for program in controls.climate_programs
    ]
    return body


def _energy(energy: Energy, at: str, state: VehicleState, vehicle: Vehicle) -> dict[str, Any]:
    body: dict[str, Any] = {
        "createdAt": at,
        "updatedAt": at,
        "type": energy.type,
        "subType": SUBTYPES[energy.type],
        "level": energy.level,
        "autonomy": displayed_range(energy, vehicle.motorization, state.temperature, state.load),
    }
    if energy.type == "Fuel":
        body["extension"] = {"fuel": {"consumptions": {"total": 1250.0, "instant": 0.0}}}
        return body
    capacity = BATTERY_WH[vehicle.motorization]
    per_km = expected_wh(state.temperature, state.load)
    residual = round(energy.level / 100 * capacity)
    body["extension"] = {
        "electric": {
            "residual": {"consumption": round(residual / 1000, 1)},
            "battery": {
                "capacity": capacity,
                "load": {"createdAt": at, "capacity": capacity, "residual": residual},
                "health": {"createdAt": at, "capacity": 96, "resistance": 97},
            },
            "charging": {
                **_charging(state.charging or ChargingState(plugged=False, status="Disconnected"), capacity, per_km),
                **_charge_settings(state.controls),
            },
        }
    }
    return body


def _charging(charging: ChargingState, capacity: float, per_km: float) -> dict[str, Any]:
    mode = "No" if charging.status != "InProgress" else "Quick" if charging.quick else "Slow"
    return {
        "plugged": charging.plugged,
        "status": charging.status,
        "remainingTime": format_duration(charging.remaining),
        "chargingRate": round(charging.rate / 100 * capacity / per_km),
        "chargingMode": mode,
    }


def _charge_settings(controls: CarControlState) -> dict[str, Any]:
    start = controls.charge_at
    time_of_day = timedelta(hours=22, minutes=30) if start is None else _time_of_day(start)
    body: dict[str, Any] = {
        "nextDelayedTime": format_duration(time_of_day),
        "schedule": {"programs": [_charge_program(program) for program in controls.charge_programs]},
    }
    if controls.charge_until is not None:
        body["chargingEndTime"] = format_instant(controls.charge_until)
        body["stopChargeStatus"] = "Activated" if controls.ends_charges else "Deactivated"
    if controls.charge_type != "Full" or controls.charge_level != "Level3":
        body |= {"type": controls.charge_type, "chargingPowerLevel": controls.charge_level}
    return body


def _charge_program(program: ChargeProgram) -> dict[str, Any]:
    body: dict[str, Any] = {
        "enabled": program.enabled,
        "start": format_duration(program.start),
        "occurence": {"day": list(program.days)},
    }
    if program.end is not None:
        body["end"] = format_duration(program.end)
    if program.slot is not None:
        body["slot"] = program.slot
    return body


def _time_of_day(at: datetime) -> timedelta:
    return timedelta(hours=at.hour, minutes=at.minute)


def format_duration(duration: timedelta) -> str:
    """Return a duration in the ISO 8601 form of the API, in whole minutes: ``PT2H30M``, ``PT0S``."""
    hours, minutes = divmod(round(duration.total_seconds() / 60), 60)
    if not hours and not minutes:
        return "PT0S"
    return "PT" + (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
