"""The navigator with HAL servers made with other libraries, over sockets.

``halson`` needs Node and, at ``STELLANTIS_HAL_NODE_MODULES``, a folder ``node_modules`` with it and ``express``;
``fastapi-hypermodel`` needs, at ``STELLANTIS_HAL_HYPERMODEL_PYTHON``, a Python that has it, ``pydantic<2.11`` and
``uvicorn``.
"""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from stellantis_hal.errors import AmbiguousLinkError, HalError, NotFoundError, PreconditionRequiredError, TemplateError
from stellantis_hal.navigation.context import HalDeprecationWarning, ResourceContext
from stellantis_hal.navigation.entry_point import EntryPoint
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.transport.retry import RetryPolicy
from stellantis_hal.transport.session import Session
from tests.conformance.processes import announced

MODULES = os.environ.get("STELLANTIS_HAL_NODE_MODULES", "")
PYTHON = os.environ.get("STELLANTIS_HAL_HYPERMODEL_PYTHON", "")
NODE = shutil.which("node")
HERE = Path(__file__).parent

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]


@pytest.fixture
def halson(tmp_path: Path) -> Iterator[str]:
    if NODE is None:
        pytest.skip("Node is not installed")
    if not all((Path(MODULES) / package).is_dir() for package in ("halson", "express")):
        pytest.skip(
            "STELLANTIS_HAL_NODE_MODULES must be a folder with halson and express (npm install halson@3 express@5)"
        )
    shutil.copy(HERE / "hal-server" / "server.mjs", tmp_path)
    (tmp_path / "node_modules").symlink_to(Path(MODULES).resolve())
    with announced([NODE, "server.mjs"], folder=tmp_path) as address:
        yield f"{address}/"


@pytest.fixture
async def cars(halson: str) -> AsyncIterator[EntryPoint]:
    async with Session(Origins(halson)) as session:
        yield EntryPoint(halson, ResourceContext(session.pipeline(retry=RetryPolicy(attempts=1))))


@pytest.fixture(scope="module")
def hypermodel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not Path(PYTHON).is_file():
        pytest.skip("STELLANTIS_HAL_HYPERMODEL_PYTHON must be a Python with fastapi-hypermodel and pydantic<2.11")
    script = str(HERE / "hypermodel-server" / "server.py")
    with announced([PYTHON, script], folder=tmp_path_factory.mktemp("hypermodel")) as address:
        yield f"{address}/"


@pytest.fixture
async def garage(hypermodel: str) -> AsyncIterator[EntryPoint]:
    async with Session(Origins(hypermodel)) as session:
        yield EntryPoint(hypermodel, ResourceContext(session.pipeline(retry=RetryPolicy(attempts=1))))


# --------------------------------------------------------------------------------------------- halson and express


async def test_halson_root_and_its_relations(cars: EntryPoint) -> None:
    root = await cars.root()
    assert root["welcome"] is True
    assert root.rels == ("self", "ex:cars", "car", "old", "favourite")
    assert root.docs_url("ex:cars") == "https://docs.example/rels/cars"


@pytest.mark.parametrize("rel", ["ex:cars", "cars", "https://docs.example/rels/cars"])
async def test_halson_curied_relations(cars: EntryPoint, rel: str) -> None:
    assert (await cars.follow(rel, variables={"page": 2}))["total"] == 7


async def test_halson_chains_and_templates(cars: EntryPoint) -> None:
    step = cars.follow("car", variables={"id": "v1"}).follow("trips", variables={"page": 2}, params={"size": 5})
    trips = await step
    assert dict(trips.state) == {"page": "2", "size": "5"}
    assert (await trips.follow("up")).url.endswith("/cars/v1/")
    with pytest.raises(TemplateError):
        await cars.follow("car")


async def test_halson_pages_in_both_directions(cars: EntryPoint) -> None:
    items = cars.follow("cars").items()
    assert [car["id"] async for car in items] == [f"v{n}" for n in range(7)]
    assert [page.total async for page in items.pages()] == [7, 7, 7]
    backwards = cars.follow("cars").items(reverse=True)
    assert [car["id"] async for car in backwards] == [f"v{n}" for n in range(6, -1, -1)]
    async with items.ahead(1) as ahead:
        assert [car["id"] async for car in ahead] == [f"v{n}" for n in range(7)]
    async with items.concurrent(4) as concurrent:
        assert [car["id"] async for car in concurrent] == [f"v{n}" for n in range(7)]


async def test_halson_pagination_resumes_by_token(cars: EntryPoint) -> None:
    page = await anext(aiter(cars.follow("cars").pages()))
    rest = [car["id"] async for later in cars.follow("cars").pages(token=page.token) for car in later.items]
    assert rest == ["v3", "v4", "v5", "v6"]


async def test_halson_single_embedded_item_is_an_object(cars: EntryPoint) -> None:
    page = await cars.follow("cars", variables={"page": 2})
    assert isinstance(page.document.body["_embedded"]["cars"], dict)
    assert [car["id"] for car in page.embedded("cars")] == ["v6"]


async def test_halson_embedded_copies_serve_and_can_be_fetched(cars: EntryPoint) -> None:
    root = await cars.root()
    copy = await root.follow("favourite")
    assert copy.is_embedded
    assert not (await root.follow("favourite", embedded="never")).is_embedded
    assert (await copy.fetch())["id"] == copy["id"] == "v0"
    assert (await root.follow("motto"))["text"] == "no link leads here"


async def test_halson_several_links(cars: EntryPoint) -> None:
    car = await cars.follow("favourite")
    with pytest.raises(AmbiguousLinkError):
        await car.follow("alias")
    assert (await car.follow("alias", name="b")).url.endswith("?as=b")
    assert (await car.follow("alias", where=lambda link: link.title == "the other")).url.endswith("?as=b")
    async with car.follow_all("alias", limit=2) as outcomes:
        assert [outcome.result()["id"] async for outcome in outcomes] == ["v0", "v0"]


async def test_halson_links_are_items_too(cars: EntryPoint) -> None:
    car = await cars.follow("favourite")
    assert [item.url.partition("?")[2] async for item in car.items("alias")] == ["as=a", "as=b"]
    async with car.items("alias").concurrent(2) as items:
        assert [item["id"] async for item in items] == ["v0", "v0"]


async def test_halson_redirects_change_the_base_url(cars: EntryPoint) -> None:
    with pytest.warns(HalDeprecationWarning, match="https://docs.example/old"):
        moved = await cars.follow("old")
    assert moved.url.endswith("/deep/er/place")
    assert (await moved.follow("sibling"))["sibling"] is True


async def test_halson_not_modified(cars: EntryPoint) -> None:
    car = await cars.follow("car", variables={"id": "v1"})
    again = await car.refresh()
    assert again.fetched_at > car.fetched_at
    assert again.document == car.document
    assert again.status == 200


async def test_halson_writes(cars: EntryPoint) -> None:
    made = await (await cars.root()).post("cars", json={"id": "new"})
    assert made.status == 201
    assert made["id"] == "new"
    new = await made.follow_location()
    assert new.headers["etag"].startswith("W/")  # of Express; a weak one never matches
    with pytest.raises(PreconditionRequiredError):
        await new.put(json={"plate": "X"})
    with pytest.raises(HalError, match="a weak one"):
        await new.put(json={"plate": "X"}, if_match=True)
    assert (await new.put(json={"plate": "X"}, if_match="*")).status == 204
    assert new.stale
    assert (await new.refresh())["plate"] == "X"
    accepted = await new.patch("self", json={"plate": "Y"})
    assert accepted.status == 202
    assert (await accepted.follow_location())["plate"] == "Y"
    assert (await new.delete()).status == 204
    with pytest.raises(NotFoundError):
        await new.fetch()


# --------------------------------------------------------------------------------------------- fastapi-hypermodel


@pytest.mark.parametrize("rel", ["ex:garage", "garage", "https://docs.example/rels/garage"])
async def test_hypermodel_root_and_its_curied_relations(garage: EntryPoint, rel: str) -> None:
    assert (await garage.root())["welcome"] is True
    assert (await garage.follow(rel)).rels == ("self", "find", "items")


async def test_hypermodel_collections_with_nested_embedded(garage: EntryPoint) -> None:
    given = [(car["id_"], [wheel["place"] for wheel in car.embedded("wheels")]) async for car in _cars(garage)]
    assert given == [("a", ["front", "rear"]), ("b", ["front", "rear"])]


def _cars(garage: EntryPoint) -> AsyncIterator[HalResource]:
    return aiter(garage.follow("garage").items("cars"))


async def test_hypermodel_templates(garage: EntryPoint) -> None:
    found = await garage.follow("garage").follow("find", variables={"id_": "b"})
    assert found["id_"] == "b"
    with pytest.raises(TemplateError, match="without 'id_'"):
        await garage.follow("garage").follow("find")


async def test_hypermodel_lists_of_links(garage: EntryPoint) -> None:
    collection = await garage.follow("garage")
    assert (await collection.follow("items", name="second"))["id_"] == "b"
    async with collection.follow_all("items") as outcomes:
        assert [outcome.result()["id_"] async for outcome in outcomes] == ["a", "b"]


async def test_hypermodel_links_are_items_too(garage: EntryPoint) -> None:
    items = garage.follow("garage").items("items")
    assert [car["id_"] async for car in items] == ["a", "b"]
    assert [car["id_"] async for car in garage.follow("garage").items("items", source="links", reverse=True)] == [
        "b",
        "a",
    ]


async def test_hypermodel_copies_nested_in_copies(garage: EntryPoint) -> None:
    car = await anext(_cars(garage))
    with pytest.raises(AmbiguousLinkError):
        await car.follow("wheels")
    wheel = await car.follow("https://docs.example/rels/wheels", index=1)
    assert wheel["place"] == "rear"
    assert wheel.url.endswith("/cars/a/wheels/rear")
    assert not (await wheel.fetch()).is_embedded


async def test_hypermodel_writes_along_a_curied_link(garage: EntryPoint) -> None:
    car = await garage.follow("garage").follow("items", name="first")
    painted = await car.put("paint", json={"colour": "green"})
    assert painted["colour"] == "green"
    assert (await painted.follow_location())["colour"] == "green"
    assert (await car.refresh())["colour"] == "green"


async def test_hypermodel_documents_have_no_problems(garage: EntryPoint) -> None:
    assert (await garage.root()).document.diagnostics == ()
    assert (await garage.follow("garage")).document.diagnostics == ()
