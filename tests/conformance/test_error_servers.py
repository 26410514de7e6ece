"""Errors, conditions and bodies of servers made with FastAPI, Django REST framework and Eve, over sockets.

They need, at ``STELLANTIS_HAL_PEERS_PYTHON``, a Python with ``fastapi``, ``uvicorn``, ``python-multipart``,
``djangorestframework``, ``eve`` and ``mongomock``.
"""

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from stellantis_hal import HalClient, HalResource
from stellantis_hal.errors import (
    ApiError,
    BadRequestError,
    InvalidLinkError,
    NotFoundError,
    PreconditionFailedError,
    PreconditionRequiredError,
)
from tests.conformance.processes import announced

PYTHON = os.environ.get("STELLANTIS_HAL_PEERS_PYTHON", "")
SERVERS = Path(__file__).parent / "error-servers"

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]


def _serve(name: str, package: str, folder: Path) -> Iterator[str]:
    """Run a server, or skip the test."""
    if not Path(PYTHON).is_file():
        pytest.skip("STELLANTIS_HAL_PEERS_PYTHON must be a Python with fastapi, djangorestframework, eve and mongomock")
    if subprocess.run([PYTHON, "-c", f"import {package}"], capture_output=True, check=False).returncode:
        pytest.skip(f"the Python at STELLANTIS_HAL_PEERS_PYTHON has no {package}")
    with announced([PYTHON, str(SERVERS / name)], folder=folder) as address:
        yield address


@pytest.fixture(scope="module")
def fastapi_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from _serve("fastapi_server.py", "fastapi", tmp_path_factory.mktemp("fastapi"))


@pytest.fixture(scope="module")
def drf_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from _serve("drf_server.py", "rest_framework", tmp_path_factory.mktemp("drf"))


@pytest.fixture(scope="module")
def eve_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from _serve("eve_server.py", "eve", tmp_path_factory.mktemp("eve"))


@pytest.fixture
async def fastapi(fastapi_url: str) -> AsyncIterator[HalClient]:
    async with HalClient(fastapi_url) as client:
        yield client


@pytest.fixture
async def drf(drf_url: str) -> AsyncIterator[HalClient]:
    async with HalClient(drf_url) as client:
        yield client


@pytest.fixture
async def eve(eve_url: str) -> AsyncIterator[HalClient]:
    async with HalClient(eve_url) as client:
        yield client


# --------------------------------------------------------------------------------------------- FastAPI


async def test_fastapi_names_the_fields(fastapi: HalClient) -> None:
    order = {"items": [{"name": "x", "price": 0}, {"name": "chair"}]}
    with pytest.raises(ApiError) as caught:
        await fastapi.request("POST", "/orders", json=order, params={"limit": 50})
    assert caught.value.status == 422
    assert set(caught.value.errors) == {"limit", "items[0].name", "items[0].price", "items[1].price"}
    assert caught.value.errors["items[1].price"] == ("Field required",)


async def test_fastapi_places_invalid_json_nowhere(fastapi: HalClient) -> None:
    with pytest.raises(ApiError) as caught:
        await fastapi.request("POST", "/orders", content=b'{"items": [', content_type="application/json")
    assert set(caught.value.errors) == {""}


async def test_fastapi_details_are_texts_or_objects(fastapi: HalClient) -> None:
    with pytest.raises(NotFoundError) as caught:
        await fastapi.get("/orders/7")
    assert (caught.value.detail, dict(caught.value.errors)) == ("no order 7", {})
    with pytest.raises(ApiError) as held:
        await fastapi.get("/held")
    assert (held.value.detail, held.value.headers["X-Held-By"]) == ("held by another", "Ann")
    assert held.value.document == {"detail": {"code": "HELD", "message": "held by another"}}


async def test_fastapi_answers_without_an_identity(fastapi: HalClient) -> None:
    made = await fastapi.request("POST", "/orders", json={"items": []})
    assert (made.status, made["id"]) == (201, 1)
    with pytest.raises(InvalidLinkError):
        await made.delete()


async def test_fastapi_reads_multipart(fastapi: HalClient, tmp_path: Path) -> None:
    path = tmp_path / "scän.png"
    path.write_bytes(b"x" * 700_000)
    answer = await fastapi.request("POST", "/scans", files={"scan": path})
    assert dict(answer.state) == {"name": path.name, "type": "image/png", "size": 700_000}


async def test_fastapi_redirects_a_missing_slash(fastapi: HalClient) -> None:
    assert (await fastapi.request("POST", "/slash", json={}))["slash"] is True


# --------------------------------------------------------------------------------------------- Django REST framework


async def test_drf_names_the_fields(drf: HalClient) -> None:
    person = {"email": "no", "home": {"age": -1}, "children": [{"age": 1}, {"age": "x"}]}
    with pytest.raises(BadRequestError) as caught:
        await drf.request("POST", "/people/", json=person)
    assert set(caught.value.errors) >= {"email", "home.age"}
    assert any("age" in field for field in caught.value.errors if field.startswith("children"))
    assert caught.value.detail


async def test_drf_tells_the_whole(drf: HalClient) -> None:
    with pytest.raises(BadRequestError) as caught:
        await drf.request("POST", "/people/", json={"email": "all@example.org"})
    assert dict(caught.value.errors) == {"": ("dates crossed",)}


async def test_drf_details(drf: HalClient) -> None:
    with pytest.raises(NotFoundError) as missing:
        await drf.get("/missing/")
    assert (missing.value.detail, dict(missing.value.errors)) == ("Not found.", {})
    with pytest.raises(BadRequestError) as invalid:
        await drf.request("POST", "/people/", content=b"{", content_type="application/json")
    assert invalid.value.detail
    assert invalid.value.detail.startswith("JSON parse error")


async def test_drf_names_the_items_of_a_list(drf: HalClient) -> None:
    with pytest.raises(BadRequestError) as caught:
        await drf.request("POST", "/people/", json=[{"email": "a@example.org"}, {"email": "no"}])
    assert set(caught.value.errors) == {"[1].email"}


# --------------------------------------------------------------------------------------------- Eve


async def test_eve_names_the_fields(eve: HalClient) -> None:
    with pytest.raises(ApiError) as caught:
        await eve.request("POST", "/people", json={"name": "A", "address": {"zip": "1234567"}})
    assert dict(caught.value.errors) == {"address.zip": ("max length is 5",), "name": ("min length is 2",)}
    assert caught.value.detail is not None
    assert caught.value.detail.startswith("Insertion failure")


async def test_eve_deletes_what_was_made_and_nothing_else(eve: HalClient) -> None:
    """Not the collection, which a server once lost in this way."""
    people = await eve.get("/people")
    before = people["_meta"]["total"]
    kept = await people.post(json={"name": "Ann"})
    made = await people.post(json={"name": "Bob"})
    assert (await eve.get("/people"))["_meta"]["total"] == before + 2
    gone = await made.delete()
    assert gone.status == 204
    assert gone.condition == f'If-Match: "{made["_etag"]}"'
    assert (await eve.get("/people"))["_meta"]["total"] == before + 1
    assert (await kept.fetch())["name"] == "Ann"


async def test_eve_changes_are_conditional(eve: HalClient) -> None:
    made = await (await eve.get("/people")).post(json={"name": "Cleo"})
    person = await made.fetch()
    first = await person.patch(json={"age": 5})
    assert first.condition == f"If-Match: {person.headers['etag']}"
    second = await first.patch(json={"age": 6})
    assert second.condition == f'If-Match: "{first["_etag"]}"'
    with pytest.raises(PreconditionFailedError):
        await person.patch(json={"age": 7})
    with pytest.raises(PreconditionRequiredError, match="read the resource first"):
        await person.patch(json={"age": 7}, if_match=False)
    item = next(item for item in await _items(eve) if item["_id"] == made["_id"])
    assert item["age"] == 6
    await item.patch(json={"age": 8})
    assert (await person.fetch())["age"] == 8


async def _items(eve: HalClient) -> list[HalResource]:
    page = await eve.get("/people")
    return [page.at("_items", index) for index in range(len(page["_items"]))]
