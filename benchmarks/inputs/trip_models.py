"""Classes of other libraries for a page of full trips, with the vendor's field names.

Needs pydantic or msgspec: the extra ``bench``.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from types import GenericAlias
from typing import Any

from benchmarks.harness.optional import import_optional

__all__ = ["msgspec_page", "pydantic_page"]


def pydantic_page(*, keeps_unknown: bool) -> Any:
    """Return pydantic's model of a page: unknown keys are dropped, or kept, as in this package."""
    pydantic = import_optional("pydantic")
    options = {"extra": "allow", "frozen": True} if keeps_unknown else {"extra": "ignore"}
    base = type("Base", (pydantic.BaseModel,), {"model_config": pydantic.ConfigDict(**options), "__module__": __name__})
    return pydantic.create_model("Page", embedded=(_model(base), pydantic.Field(alias="_embedded")))


def msgspec_page() -> Any:
    """Return msgspec's decoder of a page; unknown keys are dropped."""
    msgspec = import_optional("msgspec")
    structs = _model(msgspec.Struct, frozen=True)
    page = msgspec.defstruct("Page", [("embedded", structs)], rename={"embedded": "_embedded"})
    return msgspec.json.Decoder(page)


def _tuple_of(kind: Any) -> Any:
    """Return the type of tuples of a class made at run time."""
    return GenericAlias(tuple, (kind, ...))


def _enumeration(name: str, *values: str) -> Any:
    """Return an enumeration of strings."""
    return Enum(name, {f"M{number}": value for number, value in enumerate(values)}, type=str)


def _model(base: type, /, **options: Any) -> Any:
    """Return the class of a page of trips with the vendor's field names, on a base of either library."""

    def make(name: str, **fields: Any) -> Any:
        annotations = {key: kind if key in many else kind | None for key, kind in fields.items()}
        defaults = {key: () if key in many else None for key in fields}
        namespace = {"__annotations__": annotations, **defaults, "__module__": __name__}
        return type(base)(name, (base,), namespace, **options)

    many = {"startEnergies", "endEnergies", "energyConsumptions", "segments", "faults", "trips"}
    energy_type = _enumeration("EnergyType", "Fuel", "Electric")
    sub_type = _enumeration("SubType", "FossilEnergy", "ElectricEnergy", "Hydrogen")
    geometry = make("Geometry", type=str, coordinates=list[float])
    properties = make(
        "Properties",
        createdAt=datetime,
        heading=float,
        signalQuality=int,
        type=_enumeration("PositionType", "Estimated", "Acquire"),
        fixStatus=_enumeration("FixStatus", "2D", "3D"),
    )
    position_type = make("Position", type=str, geometry=geometry, properties=properties)
    energy = make("Energy", type=energy_type, subType=sub_type, level=float, autonomy=float, createdAt=datetime)
    used = make("Used", type=energy_type, subType=sub_type, consumption=float, avgConsumption=float)
    kinetic = make("Kinetic", avgSpeed=float, maxSpeed=float)
    propulsion = _enumeration("Propulsion", "Thermal", "Electric", "Hybrid")
    segment = make("Segment", propulsion=propulsion, percent=float, distance=float)
    fault = make(
        "Fault",
        fault=_enumeration("TripFaultKind", "Unstarted", "DataLacking", "Unfinished"),
        cause=_enumeration("Cause", "GeoPrivacy", "FullPrivacy", "Connection"),
    )
    make_resource = make(
        "Trip",
        id=str,
        createdAt=datetime,
        updatedAt=datetime,
        startedAt=datetime,
        stoppedAt=datetime,
        startPosition=position_type,
        stopPosition=position_type,
        duration=float,
        distance=float,
        startMileage=float,
        startEnergies=_tuple_of(energy),
        endEnergies=_tuple_of(energy),
        energyConsumptions=_tuple_of(used),
        kinetic=kinetic,
        segments=_tuple_of(segment),
        done=bool,
        faults=_tuple_of(fault),
    )
    return make("Embedded", trips=_tuple_of(make_resource))
