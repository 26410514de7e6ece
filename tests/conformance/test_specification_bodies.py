"""Bodies that the vendor's specification allows leave no problem.

In process, hypothesis makes them from the schemas; over a socket, Prism makes another one for every request. The
exceptions below are gaps and contradictions of the specification.
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
from tests.resources.lossless import audit
from tests.resources.test_facts import FACTS

# Reasons of problems whose cause is the specification.
EXCEPTIONS = {
    "not an ISO 8601 duration": "durations and times of day are typed as plain strings; only the prose says more",
    "not within a day": "the same: a time of day is a string, so any duration may stand there",
    "years and months have no fixed length": "the same",
    "a duration too long to hold": "a trip's duration is an integer without a bound",
    "fewer than two numbers": "minItems stands with the numbers of a position instead of with their array",
    "no such instant": "RFC 3339 allows the year 0000 and an offset that leads out of the years",
}
# Required properties without a description: any value is allowed.
UNDESCRIBED = ("ignition.createdAt", "maintenance.createdAt")
# Instants whose format only the prose names: the mock sends words.
PLAIN_STRINGS = ("charging.chargingEndTime",)


def unexplained(problems: tuple[Problem, ...]) -> list[Problem]:
    """Return the problems without sentinels and without those caused by the specification."""
    return [
        problem
        for problem in problems
        if not (
            problem.kind != "unreadable"
            or problem.reason in EXCEPTIONS
            or problem.path.endswith((*UNDESCRIBED, *PLAIN_STRINGS))
        )
    ]


# ------------------------------------------------------------------------------------------------- in process


def typed(value: Any) -> Any:
    """Add the type ``object`` to schemas with properties; without a type, any value would be allowed."""
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
def test_bodies_made_from_a_schema_leave_no_problem(schema: str) -> None:
    kind, total = ROOTS[schema], Counter[str]()

    @settings(
        max_examples=30,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    @given(bodies_of(load(specification()), schema))
    def check(body: Any) -> None:
        assert unexplained(read(body, kind).problems) == []
        counts, lost = audit(body, kind)
        assert lost == []
        total.update(counts)

    check()
    print(schema, dict(total))


def test_the_table_of_facts_matches_the_specification() -> None:
    assert derive(load(specification())) == FACTS


# ------------------------------------------------------------------------------------------------- over a socket

VEHICLE = "/user/vehicles/7"
TRIP = f"{VEHICLE}/trips/7"
GEO_JSON = "application/vnd.geo+json"
# Each GET of the specification's reading side: path, relation of the embedded items, class.
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
BODIES = 100  # on each backend


@pytest.fixture(scope="module")
def random_vendor() -> Generator[str, None, None]:
    """The address of the vendor's specification, served with another body for every request."""
    path, port = specification(), free_port()
    with running([prism(), "mock", "-d", "-h", "127.0.0.1", "-p", str(port), path], port) as address:
        yield address


@asynccontextmanager
async def account_at(address: str) -> AsyncGenerator[Account, None]:
    async with StellantisClient(Application("my-client-id"), base_url=address, limiter=None) as client:
        yield client.account(Token("my-token"), brand=Brand.PEUGEOT)


@pytest.mark.anyio
@pytest.mark.wall_clock
@pytest.mark.warnings_as_errors  # the mock states that some addresses are deprecated
@pytest.mark.parametrize(("path", "rel", "kind"), READING, ids=[path for path, _, _ in READING])
async def test_bodies_of_the_vendors_mock_are_read_without_problems(
    random_vendor: str, path: str, rel: str | None, kind: type[TypedResource]
) -> None:
    converter, counts = TypedConverter(), Counter[str]()
    accept = GEO_JSON if path.endswith("lastPosition") else None
    async with account_at(random_vendor) as account:
        root = await account.root()
        for _ in range(BODIES):
            resource = await root.fetch_url(f"{random_vendor}{path}", accept_type=accept)
            for item in [resource] if rel is None else resource.embedded(rel):
                value = converter.structure(item, kind)
                counts[path] += 1
                assert unexplained(value.problems) == []
    assert counts[path] > 0
