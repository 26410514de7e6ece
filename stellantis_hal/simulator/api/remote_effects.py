"""Effects of remote actions on a simulated car."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from stellantis_hal.simulator.api.remote_body_checks import read_time_of_day
from stellantis_hal.simulator.world.car_actions import CarActions
from stellantis_hal.simulator.world.car_control_state import ChargeProgram, ClimateProgram
from stellantis_hal.simulator.world.entities import GeoPoint

__all__ = ["execute"]


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def execute(car: CarActions, action: str, value: dict[str, Any]) -> bool:
    """Do to the car what a checked body says; return False where it was already so. Raises CarRefusal, ValueError."""
    match action:
        case "door":
            return car.lock() if value["state"] == "Locked" else car.unlock()
        case "horn":
            return car.sound_horn(value["state"] == "Activated")
        case "lights":
            return car.switch_lights(value["on"])
        case "wakeUp":
            car.report()
            return True
        case "navigation":
            return car.navigate([GeoPoint(*point["coordinates"][:2]) for point in value["positions"]])
        case "charging":
            return _charge(car, value)
        case "preconditioning":
            return _precondition(car, value["airConditioning"])
        case "immobilization":
            return car.immobilize(value["activate"])
        case _:
            return _steal(car, value)


def _charge(car: CarActions, value: dict[str, Any]) -> bool:
    if "immediate" in value:
        return car.start_charging() if value["immediate"] else car.stop_charging()
    if "preferences" in value:
        preferences = value["preferences"]
        return car.set_charge_preferences(level=preferences.get("level"), type_=preferences.get("type"))
    schedule = value["schedule"]
    if "programs" in schedule:
        return car.set_charge_programs(map(_charge_program, schedule["programs"]))
    if "immediate" in schedule:
        return car.start_charging() if schedule["immediate"] else car.stop_charging()
    if "nextDelayedTime" in schedule:
        return car.charge_at(_instant(schedule["nextDelayedTime"]))
    end = schedule.get("chargingEndTime")
    return car.charge_until(
        None if end is None else _instant(end), enabled=schedule.get("chargingEndTimeEnabled", True)
    )


def _charge_program(body: dict[str, Any]) -> ChargeProgram:
    return ChargeProgram(
        start=read_time_of_day(body["start"]),
        end=read_time_of_day(body["end"]) if "end" in body else None,
        days=tuple(body["occurence"]["day"]),
        enabled=body.get("enabled", True),
        slot=body.get("slot"),
    )


def _precondition(car: CarActions, air: dict[str, Any]) -> bool:
    changed = False
    if "immediate" in air:
        changed = car.start_climate() if air["immediate"] else car.stop_climate()
    programs = air.get("programs", [])
    kept = [program for program in programs if program.get("actionsType", "Set") == "Set"]
    deleted = [program["slot"] for program in programs if program.get("actionsType") == "Delete"]
    if programs:
        changed = car.set_climate_programs(map(_climate_program, kept), deleted=deleted) or changed
    return changed


def _climate_program(body: dict[str, Any]) -> ClimateProgram:
    return ClimateProgram(
        slot=body["slot"],
        start=read_time_of_day(body["start"]),
        days=tuple(body["occurence"]["day"]),
        enabled=body["enabled"],
        recurrence=body.get("recurrence", "Daily"),
    )


def _steal(car: CarActions, value: dict[str, Any]) -> bool:
    if "stolen" in value:
        return car.set_stolen(value["stolen"])
    if "immobilization" in value:
        return car.immobilize(value["immobilization"]["activate"])
    period = value["trackingPeriod"]
    return car.set_tracking(running=period.get("running", 5), standing=period.get("shutdown", 60))
