"""Full trips of 25 fields, and classes of other libraries for them.

Needs pydantic and msgspec: the extra ``bench``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from types import GenericAlias
from typing import Any

import msgspec
import pydantic

from stellantis_hal.hal.headers import Headers
from stellantis_hal.hal.json import decode, encode
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.fetch import Request, Response
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.resources.trip import Trip
from stellantis_hal.structuring.converter import TypedConverter

PAGE = 60
AT = "2023-09-12T09:41:10.911Z"
HEADERS = Headers({"Content-Type": "application/hal+json"})
VEHICLE = "https://api.example/connectedcar/v4/user/vehicles/" + "01234a91598cf0c57e856bb88003fd2a" * 3


def position(number: int) -> dict[str, Any]:
    """Return a position."""
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [2.1 + number / 1000, 48.2, 35.5]},
        "properties": {"createdAt": AT, "heading": 120, "signalQuality": 9, "type": "Acquire", "fixStatus": "3D"},
    }


def energies(level: float) -> list[dict[str, Any]]:
    """Return the energies of a hybrid vehicle."""
    return [
        {"type": "Fuel", "subType": "FossilEnergy", "level": level, "autonomy": 400},
        {"type": "Electric", "subType": "ElectricEnergy", "level": level / 2, "autonomy": 40},
    ]


def trip(number: int) -> dict[str, Any]:
    """Return a trip with all fields, two unknown ones and links."""
    url = f"{VEHICLE}/trips/t{number}"
    distance = 12.5 + number
    rels = {"self": "", "waypoints": "/wayPoints", "alerts": "/alerts", "collisions": "/collisions"}
    return {
        "id": f"trip-{number:08}",
        "createdAt": AT,
        "updatedAt": AT,
        "startedAt": "2023-09-12T08:41:10Z",
        "stoppedAt": "2023-09-12T09:31:10Z",
        "startPosition": position(number),
        "stopPosition": position(number + 1),
        "duration": 3000 + number,
        "distance": distance,
        "startMileage": 12000.5 + number,
        "startEnergies": energies(80.5),
        "endEnergies": energies(70.5),
        "energyConsumptions": [
            {"type": "Fuel", "consumption": 6.5 * distance, "avgConsumption": 650.5},
            {"type": "Electric", "consumption": 165.5 * distance, "avgConsumption": 16500.5},
        ],
        "kinetic": {"avgSpeed": distance / 3.25, "maxSpeed": 110.5},
        "segments": [
            {"propulsion": "Thermal", "percent": 60.5, "distance": distance * 0.6},
            {"propulsion": "Electric", "percent": 39.5, "distance": distance * 0.4},
        ],
        "done": True,
        "faults": [{"fault": "DataLacking", "cause": "Connection"}],
        "unknownKey": {"a": 1},
        "another": "x",
        "_links": {rel: {"href": url + tail} for rel, tail in rels.items()} | {"vehicle": {"href": VEHICLE}},
    }


def page(first: int = 0, size: int = PAGE) -> bytes:
    """Return a page, as bytes that share no memory."""
    items = [trip(first + number) for number in range(size)]
    links = {"self": {"href": f"{VEHICLE}/trips"}}
    return bytes(bytearray(encode({"_links": links, "total": size, "_embedded": {"trips": items}})))


# ------------------------------------------------------------------------------------------------- the references


def tuple_of(kind: Any) -> Any:
    """Return the type of tuples of a class made at run time."""
    return GenericAlias(tuple, (kind, ...))


def enumeration(name: str, *values: str) -> Any:
    """Return an enumeration of strings."""
    return Enum(name, {f"M{number}": value for number, value in enumerate(values)}, type=str)


def model(base: type, /, **options: Any) -> Any:
    """Return the class of a page of trips with the vendor's field names, on a base of either library."""

    def make(name: str, **fields: Any) -> Any:
        annotations = {key: kind if key in many else kind | None for key, kind in fields.items()}
        defaults = {key: () if key in many else None for key in fields}
        namespace = {"__annotations__": annotations, **defaults, "__module__": __name__}
        return type(base)(name, (base,), namespace, **options)

    many = {"startEnergies", "endEnergies", "energyConsumptions", "segments", "faults", "trips"}
    energy_type = enumeration("EnergyType", "Fuel", "Electric")
    sub_type = enumeration("SubType", "FossilEnergy", "ElectricEnergy", "Hydrogen")
    geometry = make("Geometry", type=str, coordinates=list[float])
    properties = make(
        "Properties",
        createdAt=datetime,
        heading=float,
        signalQuality=int,
        type=enumeration("PositionType", "Estimated", "Acquire"),
        fixStatus=enumeration("FixStatus", "2D", "3D"),
    )
    position_type = make("Position", type=str, geometry=geometry, properties=properties)
    energy = make("Energy", type=energy_type, subType=sub_type, level=float, autonomy=float, createdAt=datetime)
    used = make("Used", type=energy_type, subType=sub_type, consumption=float, avgConsumption=float)
    kinetic = make("Kinetic", avgSpeed=float, maxSpeed=float)
    propulsion = enumeration("Propulsion", "Thermal", "Electric", "Hybrid")
    segment = make("Segment", propulsion=propulsion, percent=float, distance=float)
    fault = make(
        "Fault",
        fault=enumeration("FaultKind", "Unstarted", "DataLacking", "Unfinished"),
        cause=enumeration("Cause", "GeoPrivacy", "FullPrivacy", "Connection"),
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
        startEnergies=tuple_of(energy),
        endEnergies=tuple_of(energy),
        energyConsumptions=tuple_of(used),
        kinetic=kinetic,
        segments=tuple_of(segment),
        done=bool,
        faults=tuple_of(fault),
    )
    return make("Embedded", trips=tuple_of(make_resource))


class Ignoring(pydantic.BaseModel):
    """Unknown keys are dropped."""

    model_config = pydantic.ConfigDict(extra="ignore")


class Keeping(pydantic.BaseModel):
    """Unknown keys are kept, as in this package."""

    model_config = pydantic.ConfigDict(extra="allow", frozen=True)


def references(content: bytes) -> dict[str, Callable[[], Any]]:
    """Return functions that read a page with other libraries."""
    ignoring, keeping, structs = model(Ignoring), model(Keeping), model(msgspec.Struct, frozen=True)
    first: Any = pydantic.create_model("Page", embedded=(ignoring, pydantic.Field(alias="_embedded")))
    second = pydantic.create_model("Page", embedded=(keeping, pydantic.Field(alias="_embedded")))
    decoder: Any = msgspec.json.Decoder(
        msgspec.defstruct("Page", [("embedded", structs)], rename={"embedded": "_embedded"})
    )
    assert len(first.model_validate_json(content).embedded.trips) == PAGE
    assert len(decoder.decode(content).embedded.trips) == PAGE
    return {
        "pydantic validate_json": lambda: first.model_validate_json(content),
        "  keeping unknown keys": lambda: second.model_validate_json(content),
        "msgspec": lambda: decoder.decode(content),
        "decoding alone": lambda: decode(content),
    }


# ------------------------------------------------------------------------------------------------- ours


async def refuse_fetch(request: Request, /) -> Response:
    """Raise: nothing may be fetched."""
    raise AssertionError(f"{request.url}: no link is followed here")


def structure(content: bytes, converter: TypedConverter, number: int = 0) -> list[Trip]:
    """Read a page as a pagination does: response, embedded resources, typed values."""
    url = f"{VEHICLE}/trips?page={number}"
    response = Response(url=url, status=200, headers=HEADERS, content=content, received_at=datetime.now(UTC))
    resource = HalResource.of(response, ResourceContext(fetch=refuse_fetch, converter=converter))
    return [converter.structure(copy, Trip) for copy in resource.embedded("trips")]
