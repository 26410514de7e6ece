"""The vendor's tables of data items, as the facts list them: type, operators, account holders, fleets."""

__all__ = ["DATA_ITEMS", "PREVIOUS_ITEMS"]

_COMPARED = {"equalsTo", "greaterThan", "lowerThan"}
_CHOSEN = {"equalsTo", "onChange", "includedIn"}
_SWITCHED = {"equalsTo", "onChange"}
_LISTED = {"equalsTo", "includedIn"}

_TABLE: dict[str, tuple[str, set[str], bool, bool]] = {
    "alert powertrain.status energy.charging.status drivingBehavior.mode safety.autoECallTriggering": (
        "text",
        _CHOSEN,
        True,
        True,
    ),
    "odometer engines.thermic.oil.temp energy.electric.level energy.electric.autonomy energy.fuel.level": (
        "number",
        _COMPARED,
        True,
        True,
    ),
    "energy.fuel.autonomy autonomy kinetic.speed trip.duration trip.distance": ("number", _COMPARED, True, True),
    "energy.charging.type safety.beltWarning alarm.status.activation": ("text", _SWITCHED, True, True),
    "energy.charging.plugged kinetic.moving": ("boolean", _SWITCHED, True, True),
    "doorsState.lockedState doorsState.opening preconditioning.airConditioning trip.start trip.stop": (
        "text",
        {"onChange"},
        True,
        True,
    ),
    "alarm.trigger.type": ("text", _CHOSEN, True, True),
    "trip.state": ("text", {"includedIn"}, True, True),
    "trip": ("text", {"onChange"}, False, True),
    "maintenance.daysBeforeMaintenance maintenance.mileageBeforeMaintenance": ("number", _COMPARED, False, True),
    "collision.side collision.severity": ("text", _LISTED, False, True),
}
DATA_ITEMS: dict[str, tuple[str, set[str], bool, bool]] = {
    **{f"vehicle.{name}": row for names, row in _TABLE.items() for name in names.split()},
    "environment.air.temp": ("number", _COMPARED, True, True),
    "privacy.state": ("text", _CHOSEN, True, True),
    "stolen.state": ("boolean", _SWITCHED, False, True),
}
PREVIOUS_ITEMS: dict[str, set[str]] = {
    "vehicle.alert": _LISTED,
    "vehicle.energy.charging.status": _LISTED,
    "vehicle.safety.beltWarning": _LISTED,
    "vehicle.safety.autoECallTriggering": _LISTED,
    "privacy.state": _LISTED,
    "vehicle.drivingBehavior.mode": _LISTED,
    "vehicle.energy.charging.plugged": {"equalsTo"},
    "vehicle.kinetic.moving": {"equalsTo"},
}
