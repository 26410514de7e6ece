"""The table of facts: each property of each schema of the vendor's reading side has an attribute that fits."""

import json
from datetime import datetime, time, timedelta
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs
import pytest

from stellantis_hal import errors
from stellantis_hal.navigation.pagination.paginator import Page, Paginator
from stellantis_hal.resources.blocks.measured import MeasuredBlock
from stellantis_hal.resources.position import Position
from stellantis_hal.structuring.field_mapping import schema_of
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.open_enum import OpenEnum


def read_table(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))
    return found


FACTS = read_table("facts.json")
FLEET_FACTS = read_table("facts_fleets.json")
MODULES = [
    "alarm",
    "alert",
    "blocks.adas",
    "blocks.capabilities",
    "blocks.energy",
    "blocks.environment",
    "blocks.equipment",
    "blocks.powertrain",
    "call_center",
    "collision",
    "fleet",
    "maintenance",
    "position",
    "status",
    "telemetry",
    "theft",
    "trip",
    "user",
    "vehicle",
    "vehicle_capabilities",
]
KINDS = {
    name: value
    for module in map(import_module, (f"stellantis_hal.resources.{name}" for name in MODULES))
    for name, value in vars(module).items()
    if isinstance(value, type) and issubclass(value, Model)
}
OTHERS: dict[str, type] = {"Page": Page, "Paginator": Paginator, "ApiError": errors.ApiError}
FITTING: dict[str, set[type]] = {
    "string": {str, datetime, timedelta, time},
    "number": {float},
    "integer": {float, int, timedelta},
    "boolean": {bool},
}


def place_of(fact: dict[str, Any]) -> tuple[type, str]:
    kind, _, attribute = fact["place"].partition(".")
    return (KINDS.get(kind) or OTHERS[kind]), attribute


def is_field(kind: type, attribute: str) -> bool:
    return issubclass(kind, Model) and attribute in attrs.fields_dict(kind)


def without_none(hint: Any) -> Any:
    is_union = get_origin(hint) in (Union, UnionType)
    return next(arg for arg in get_args(hint) if arg is not type(None)) if is_union else hint


@pytest.mark.unmeasured
@pytest.mark.parametrize("fact", FACTS + FLEET_FACTS, ids=lambda fact: f"{fact['property']}->{fact['place']}")
def test_every_property_of_every_schema_has_a_place_that_fits(fact: dict[str, Any]) -> None:
    kind, attribute = place_of(fact)
    assert hasattr(kind, attribute) or attribute in {"code", "args", "uuid", "timestamp"}
    if not is_field(kind, attribute):
        return
    hint = without_none(get_type_hints(kind)[attribute])
    json_type = fact["type"]
    if get_origin(hint) is tuple:  # an older generation has one value where the newest has several
        hint, json_type = get_args(hint)[0], fact.get("items", json_type)
    if "enum" in fact:
        assert issubclass(hint, str)
        if issubclass(hint, OpenEnum):
            assert [value for value in fact["enum"] if not hint(value).is_known] == []
    elif json_type == "object":
        assert attrs.has(hint)
    elif json_type in FITTING:
        assert hint in FITTING[json_type] or issubclass(hint, OpenEnum)


def test_enumerations_know_nothing_that_the_vendor_does_not() -> None:
    documented: dict[type, set[str]] = {}
    for fact in FACTS + FLEET_FACTS:
        kind, attribute = place_of(fact)
        if "enum" in fact and is_field(kind, attribute):
            hint = get_type_hints(kind)[attribute]
            hint = get_args(hint)[0] if get_origin(hint) is tuple else without_none(hint)
            documented.setdefault(hint, set()).update(fact["enum"])
    enumerations = {kind: values for kind, values in documented.items() if issubclass(kind, OpenEnum)}
    assert len(enumerations) > 40
    assert [kind for kind, values in enumerations.items() if set(kind) != set(map(kind, values))] == []


def test_every_field_but_a_few_is_documented() -> None:
    """Responses have properties beyond the schemas: driver assistance, the gearbox, and instants of older blocks."""
    placed = {fact["place"] for fact in FACTS + FLEET_FACTS}
    undocumented = {
        f"{kind.__name__}.{field.name}"
        for kind in KINDS.values()
        for field in schema_of(kind).fields
        if f"{kind.__name__}.{field.name}" not in placed
    }
    blocks = {kind for kind in KINDS.values() if issubclass(kind, MeasuredBlock)} | {Position}
    of_portal = {"RemoteCapabilities.operations", "RemoteCapabilities.details"}  # the shape of the portal's page
    of_portal |= {"RemoteDetails.charging", "RemoteDetails.preconditioning"}
    required_only = {"VehicleCapabilities.created_at"}  # listed as required, and not as a property
    assert undocumented == {"MeasuredBlock.created_at"} | of_portal | required_only | {
        f"{kind.__name__}.updated_at" for kind in blocks
    }


def differences(key: str) -> set[str]:
    """Return the properties of both APIs in which the tables differ."""
    accounts, fleets = ({fact["property"]: fact for fact in table} for table in (FACTS, FLEET_FACTS))
    return {name for name in accounts.keys() & fleets.keys() if accounts[name].get(key) != fleets[name].get(key)}


def test_both_apis_agree_on_types_and_units() -> None:
    assert differences("type") == differences("items") == differences("format") == set()
    assert differences("unit") == {"Air.temp", "AirBase.temp"}  # stated for fleets alone
    assert differences("enum") == {"Adas.aebs"}  # "Off" for fleets, "off" for accounts


def test_both_apis_require_nearly_the_same() -> None:
    assert differences("required") == {
        "Alert.createdAt",
        "Alert.updatedAt",
        "PreconditioningProgram.occurence",
        "PreconditioningProgram.recurrence",
        "PreconditioningProgram.start",
        "Telemetry.createdAt",
    }


def test_bodies_of_fleets_name_their_vehicle() -> None:
    named = {fact["property"] for fact in FLEET_FACTS if fact["property"].endswith(".vin") and fact.get("required")}
    assert {"Status.vin", "Maintenance.vin", "Alert.vin", "Collision.vin", "Trip.vin"} <= named
    assert not [fact for fact in FACTS if fact["property"].endswith(".vin") and fact["place"] != "Vehicle.vin"]
