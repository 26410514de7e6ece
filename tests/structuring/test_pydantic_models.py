"""Classes of a program read by default: attrs classes, dataclasses, pydantic models."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import attrs
import pydantic
import pydantic.dataclasses
import pytest

from stellantis_hal.errors import StructureError
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.pagination.paginator import Paginator
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.navigation.typed_rel import Rel
from stellantis_hal.structuring.converter import TypedConverter
from tests.navigation.site import HOME, Site
from tests.support.responses import links, make_response

pytestmark = pytest.mark.anyio


class PydanticOrder(pydantic.BaseModel):
    """A pydantic model."""

    id: int
    when: dt.datetime | None = None


class StrictOrder(pydantic.BaseModel, extra="forbid"):
    """A pydantic model that forbids unknown keys."""

    id: int
    when: dt.datetime | None = None


@pydantic.dataclasses.dataclass
class PydanticDataclassOrder:
    """A dataclass of pydantic."""

    id: int
    when: dt.datetime | None = None


@dataclass
class DataclassOrder:
    """A dataclass."""

    id: int
    when: dt.datetime | None = None
    tags: list[str] = field(default_factory=list)


@attrs.define
class AttrsOrder:
    """An attrs class."""

    id: int
    when: dt.datetime | None = None


KINDS = [PydanticOrder, StrictOrder, PydanticDataclassOrder, DataclassOrder, AttrsOrder]
NOON = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)


def _root(body: Any) -> HalResource:
    context = ResourceContext(fetch=Site({"/orders": body}), converter=TypedConverter())
    return HalResource.of(make_response({"_links": links(orders=f"{HOME}/orders")}), context)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_relation_is_read_as_a_class_of_the_program(kind: type[Any]) -> None:
    body = {"id": 7, "when": "2024-01-01T12:00:00Z", "_links": links(self=f"{HOME}/orders"), "_embedded": {}}
    order = await _root(body).follow(Rel("orders", kind))
    assert type(order) is kind
    assert (order.id, order.when) == (7, NOON)


@pytest.mark.parametrize("kind", KINDS)
async def test_items_of_a_typed_relation_are_typed(kind: type[Any]) -> None:
    copies = [{"id": n, "_links": links(self=f"{HOME}/{n}")} for n in range(3)]
    follow = _root({"_embedded": {"orders": copies}}).follow(Rel("orders", kind))
    items: Paginator[Any] = follow.items()
    assert [type(item) for item in await items.collect()] == [kind] * 3
    assert [item.id async for page in follow.pages() for item in page.items] == [0, 1, 2]
    assert [item.id async for item in items.filter(lambda one: one.id > 0).take(1)] == [1]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_body_that_does_not_fit_names_paths_and_no_values(kind: type[Any]) -> None:
    follow = _root({"id": "secret", "_links": {}}).follow(Rel("orders", kind))
    with pytest.raises(StructureError, match=f"{HOME}/orders") as caught:
        await follow
    assert "$.id" in {problem.path for problem in caught.value.problems}
    assert "secret" not in str(caught.value)


async def test_only_hal_keys_are_forgiven_a_strict_model() -> None:
    with pytest.raises(StructureError, match="extra_forbidden"):
        await _root({"id": 1, "_links": {}, "other": 1}).follow(Rel("orders", StrictOrder))


async def test_a_list_of_models_is_read_from_an_array() -> None:
    orders = await _root([{"id": 1}, {"id": 2}]).follow(Rel("orders", list[PydanticOrder]))
    assert [order.id for order in orders] == [1, 2]


def test_other_errors_of_a_validator_are_described() -> None:
    class Refusing(pydantic.BaseModel):
        id: int

        @pydantic.model_validator(mode="before")
        @classmethod
        def refuse(cls, value: Any) -> Any:
            raise ValueError("secret")

    with pytest.raises(StructureError) as caught:
        TypedConverter().structure(Site().resource({"id": 1}), Refusing)
    assert "secret" not in str(caught.value)
    assert caught.value.problems[0].path == "$"
