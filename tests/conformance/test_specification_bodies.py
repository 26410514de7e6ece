"""Bodies that the vendor's specification allows, whatever they are: reading them leaves no problem.

In process, hypothesis makes them from the schemas; over a socket, Prism makes another one at every call. Where the
specification contradicts itself, or says less than it means, the exceptions below say so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stellantis_hal import Account, Application, Brand, StellantisClient, Token
from stellantis_hal.resources.alarm import Alarm
from stellantis_hal.resources.alert import Alert
from stellantis_hal.resources.collision import Collision
from stellantis_hal.resources.maintenance import Maintenance
from stellantis_hal.resources.position import Position
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.telemetry import Telemetry
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.user import User
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.structuring.converter import TypedConverter, read
from stellantis_hal.structuring.problems import Problem
from stellantis_hal.structuring.typed_resource import TypedResource
from tests.conformance.processes import free_port, prism, running, specification
from tests.resources.derive_facts import ROOTS, derive, load
from tests.resources.test_facts import FACTS

# Why a body that the specification allows leaves a record: the cause lies in the specification.
EXCEPTIONS = {
    "not an ISO 8601 duration": "durations and times of day are typed as plain strings; only the prose says more",
    "not within a day": "the same: a time of day is a string, so any duration may stand there",
    "years and months have no fixed length": "the same",
    "a duration too long to hold": "a trip's duration is an integer without a bound",
    "fewer than two numbers": "minItems stands with the numbers of a position instead of with their array",
    "no such instant": "RFC 3339 allows the year 0000 and an offset that leads out of the years",
}
# Properties that are required but nowhere described, so that anything may stand there.
UNDESCRIBED = ("ignition.createdAt", "maintenance.createdAt")


def unexplained(problems: tuple[Problem, ...]) -> list[Problem]:
    """Leave out sentinels, which any number may be, and what the specification is to blame for."""
    return [
        problem
        for problem in problems
        if not (problem.is_sentinel or problem.reason in EXCEPTIONS or problem.path.endswith(UNDESCRIBED))
    ]


# ------------------------------------------------------------------------------------------------- in process


def typed(value: Any) -> Any:
    """Say of every schema with properties that it is an object: where the type is missing, anything at all would do."""
    if isinstance(value, list):
        return [typed(item) for item in value]
    if not isinstance(value, dict):
        return value
    schema = {key: typed(item) for key, item in value.items()}
    return {"type": "object", **schema} if isinstance(schema.get("properties"), dict) else schema


def bodies_of(document: dict[str, Any], schema: str) -> st.SearchStrategy[Any]:
    jsonschema = pytest.importorskip("hypothesis_jsonschema")
    schemas = typed(document["components"]["schemas"])
    made: st.SearchStrategy[Any] = jsonschema.from_schema(
        {"$ref": f"#/components/schemas/{schema}", "components": {"schemas": schemas}}
    )
    return made


@pytest.mark.parametrize("schema", ROOTS)
def test_every_body_made_from_a_schema_is_read_without_a_problem(schema: str) -> None:
    kind = ROOTS[schema]

    @settings(
        max_examples=30,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    @given(bodies_of(load(specification()), schema))
    def judge(body: Any) -> None:
        assert unexplained(read(body, kind).problems) == []

    judge()


def test_the_table_of_facts_is_what_the_specification_says() -> None:
    assert derive(load(specification())) == FACTS


# ------------------------------------------------------------------------------------------------- over a socket

VEHICLE = "/user/vehicles/7"
TRIP = f"{VEHICLE}/trips/7"
GEO_JSON = "application/vnd.geo+json"
# Each GET of the specification's reading side: the address, what its items are embedded under, and what they are.
READING: list[tuple[str, str | None, type[TypedResource]]] = [
    ("/user", None, User),
    ("/user/vehicles", "vehicles", Vehicle),
    (VEHICLE, None, Vehicle),
    (f"{VEHICLE}/telemetry", "telemetries", Telemetry),
    (f"{VEHICLE}/lastPosition", None, Position),
    (f"{VEHICLE}/collisions", "Collisions", Collision),
    (f"{VEHICLE}/collisions/7", None, Collision),
    (f"{VEHICLE}/maintenance", None, Maintenance),
    (f"{VEHICLE}/status", None, Status),
    (f"{VEHICLE}/alerts", "alerts", Alert),
    (f"{VEHICLE}/alerts/7", None, Alert),
    (f"{VEHICLE}/alarms", "alarms", Alarm),
    (f"{VEHICLE}/alarms/7", None, Alarm),
    (f"{VEHICLE}/trips", "trips", Trip),
    (TRIP, None, Trip),
    (f"{TRIP}/alerts", "alerts", Alert),
    (f"{TRIP}/alerts/7", None, Alert),
    (f"{TRIP}/collisions", "Collisions", Collision),
    (f"{TRIP}/collisions/7", None, Collision),
    (f"{TRIP}/wayPoints", "positions", Position),
    (f"{TRIP}/telemetry", "telemetries", Telemetry),
]
BODIES = 100  # on either backend


@pytest.fixture(scope="module")
def random_vendor() -> Generator[str, None, None]:
    """The address of the vendor's specification, served with another body at every call."""
    path, port = specification(), free_port()
    with running([prism(), "mock", "-d", "-h", "127.0.0.1", "-p", str(port), path], port) as address:
        yield address


@asynccontextmanager
async def account_at(address: str) -> AsyncGenerator[Account, None]:
    async with StellantisClient(Application("my-client-id"), base_url=address, limiter=None) as client:
        yield client.account(Token("my-token"), brand=Brand.PEUGEOT)


@pytest.mark.anyio
@pytest.mark.wall_clock
@pytest.mark.parametrize(("path", "rel", "kind"), READING, ids=[path for path, _, _ in READING])
async def test_bodies_of_the_vendors_mock_are_read_without_problems(
    random_vendor: str, path: str, rel: str | None, kind: type[TypedResource]
) -> None:
    reader, read_of = TypedConverter(), Counter[str]()
    accept = GEO_JSON if path.endswith("lastPosition") else None
    async with account_at(random_vendor) as account:
        root = await account.root()
        for _ in range(BODIES):
            resource = await root.fetch_url(f"{random_vendor}{path}", accept_type=accept)
            for item in [resource] if rel is None else resource.embedded(rel):
                value = reader.structure(item, kind)
                read_of[path] += 1
                assert unexplained(value.problems) == []
    assert read_of[path] > 0
