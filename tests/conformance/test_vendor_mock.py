"""The client against the vendor's own OpenAPI file, served by Prism over a socket.

Prism validates each request (401 without bearer or client id, 406 for a wrong Accept, 422 for anything off the
specification) and responds with bodies made from the specification. Their links are placeholders: they resolve, and
lead nowhere.
"""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager

import pytest

from stellantis_hal import (
    Account,
    Application,
    Brand,
    HalDeprecationWarning,
    NotFoundError,
    Problem,
    Status,
    StellantisClient,
    StellantisError,
    Token,
    Trip,
    TypedConverter,
    Vehicle,
)
from tests.conformance.processes import free_port, prism, running, specification
from tests.resources.lossless import audit

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.wall_clock,
    pytest.mark.warnings_as_errors,  # the mock states that some addresses are deprecated
]


@pytest.fixture(scope="module")
def vendor() -> Generator[str, None, None]:
    """The address at which the vendor's specification is served."""
    path, port = specification(), free_port()
    with running([prism(), "mock", "-h", "127.0.0.1", "-p", str(port), path], port) as address:
        yield address


@asynccontextmanager
async def account_at(address: str) -> AsyncGenerator[Account, None]:
    """Open a client of a server, with an account."""
    async with StellantisClient(Application("my-client-id"), base_url=address) as client:
        yield client.account(Token("my-token"), brand=Brand.PEUGEOT)


def is_placeholder(problem: Problem) -> bool:
    """Return whether a value is a placeholder: the mock sends the word "string" where the schema gives no format."""
    is_end_of_charging = problem.path.endswith(".chargingEndTime") and problem.reason == "not an instant"
    return problem.kind != "unreadable" or problem.reason == "not an ISO 8601 duration" or is_end_of_charging


async def test_the_entry_is_read_as_a_resource_and_as_a_user(vendor: str) -> None:
    async with account_at(vendor) as account:
        root = await account.root()
        assert root.rels
        # An extension that was not asked for is null in the mock's bodies.
        assert all(found.path.endswith("._embedded.extension") for found in root.document.diagnostics)
        user = await account.user()
    assert user.problems == ()


@pytest.mark.parametrize(
    ("path", "rel", "kind"), [("/user/vehicles", "vehicles", Vehicle), ("/user/vehicles/7/trips", "trips", Trip)]
)
async def test_a_collection_is_read_as_typed_items(
    vendor: str, path: str, rel: str, kind: type[Vehicle] | type[Trip]
) -> None:
    async with account_at(vendor) as account:
        page = await account.get(f"{vendor}{path}")
        items = page.embedded(rel)
        values = [TypedConverter().structure(item, kind) for item in items]
    assert values
    assert [path for item in items for path in audit(dict(item.document.body), kind)[1]] == []
    assert [problem for value in values for problem in value.problems if not is_placeholder(problem)] == []


async def test_a_status_is_read_as_a_typed_value(vendor: str) -> None:
    async with account_at(vendor) as account:
        resource = await account.get(f"{vendor}/user/vehicles/7/status")
        status = TypedConverter().structure(resource, Status)
    assert audit(dict(resource.document.body), Status)[1] == []
    assert status.created_at is not None
    assert [problem for problem in status.problems if not is_placeholder(problem)] == []


async def test_links_are_followed_by_name(vendor: str) -> None:
    async with account_at(vendor) as account:
        vehicles = await account.get(f"{vendor}/user/vehicles")
        vehicle = vehicles.embedded("vehicles")[0]
        assert {"trips", "status"} <= set(vehicle.rels)
        # Every placeholder of a link has a deprecation notice too.
        with pytest.warns(HalDeprecationWarning, match="'trips'"), pytest.raises(NotFoundError) as caught:
            await vehicle.follow("trips", embedded="never")
    assert "while following trips" in caught.value.__notes__[0]


async def test_a_request_off_the_specification_is_refused(vendor: str) -> None:
    async with account_at(vendor) as account:
        with pytest.raises(StellantisError) as caught:
            await account.get(f"{vendor}/user/vehicles/7/trips?pageSize=61")
    assert "422" in str(caught.value)
