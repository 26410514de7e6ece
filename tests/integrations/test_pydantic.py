"""Models of this library in pydantic models and in FastAPI."""

import json
from typing import Annotated, Any

import fastapi
import httpx
import pydantic
import pytest

from stellantis_hal import Energy, EnergyType, Position, Status, Trip
from stellantis_hal.structuring.converter import read
from stellantis_hal.structuring.json_schema import json_schema
from tests.resources import bodies

TRIP = read(bodies.trip(), Trip)


class Report(pydantic.BaseModel):
    """A program's own model."""

    trip: Trip
    status: Status | None = None
    energies: list[Energy] = []
    energy: EnergyType = EnergyType.FUEL


def test_a_value_passes_as_it_is() -> None:
    assert Report(trip=TRIP).trip is TRIP


def test_a_mapping_is_read_as_a_response() -> None:
    report = Report.model_validate({"trip": bodies.trip(), "status": bodies.status(), "energies": [{"level": 50}]})
    assert report.trip == TRIP
    assert report.status == read(bodies.status(), Status)
    assert report.energies == [Energy(level=50.0)]


def test_json_survives_a_round_trip() -> None:
    report = Report(trip=TRIP, energies=[Energy(level=50.0)])
    again = Report.model_validate_json(report.model_dump_json())
    assert again == report
    assert json.loads(report.model_dump_json()) == report.model_dump() | {"energy": "Fuel"}
    assert report.model_dump()["trip"] == TRIP.to_dict()


def test_what_cannot_be_read_is_a_problem_not_an_error() -> None:
    report = Report.model_validate({"trip": {"distance": "far", "mood": "sunny"}})
    assert report.trip.distance is None
    assert [problem.path for problem in report.trip.problems] == ["$.distance"]
    assert report.model_dump()["trip"] == {"mood": "sunny"}


@pytest.mark.parametrize("value", [None, 1, "text", [], Status()])
def test_what_is_no_object_is_refused(value: Any) -> None:
    with pytest.raises(pydantic.ValidationError, match="a Trip or a JSON object is needed, not"):
        Report(trip=value)


@pytest.mark.parametrize("kind", [Trip, Status, Energy, Position])
def test_the_json_schema_is_that_of_the_class(kind: Any) -> None:
    assert pydantic.TypeAdapter(kind).json_schema() == json_schema(kind)


@pytest.mark.anyio
async def test_fastapi_returns_values_and_describes_them() -> None:
    app = fastapi.FastAPI()

    @app.get("/trip")
    async def trip() -> Trip:
        return TRIP

    @app.get("/trips")
    async def trips() -> list[Trip]:
        return [TRIP, Trip()]

    @app.post("/distance")
    async def distance(trip: Annotated[Trip, fastapi.Body()]) -> float | None:
        return trip.distance

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as client:
        assert (await client.get("/trip")).json() == TRIP.to_dict()
        assert (await client.get("/trips")).json() == [TRIP.to_dict(), {}]
        assert (await client.post("/distance", json=bodies.trip())).json() == 36.5
        document = (await client.get("/openapi.json")).json()
    named = {"$ref": "#/components/schemas/Trip"}
    content = [
        document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        for path in ("/trip", "/trips")
    ]
    assert content[0] == named
    assert content[1]["items"] == named
    assert document["components"]["schemas"]["Trip"]["properties"]["distance"] == {"type": "number", "x-unit": "km"}


def test_the_schema_of_an_enumeration_is_open() -> None:
    """Its values are not all known: a client made of a closed schema would refuse the others."""
    adapter = pydantic.TypeAdapter(EnergyType)
    schema = adapter.json_schema()
    assert (schema["type"], schema["examples"]) == ("string", ["Fuel", "Electric"])
    assert "enum" not in schema
    assert adapter.dump_json(adapter.validate_python("Steam")) == b'"Steam"'
    assert "examples" in Report.model_json_schema()["$defs"]["EnergyType"]
