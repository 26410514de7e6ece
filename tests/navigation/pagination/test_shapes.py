"""Every way of reading a collection returns the same items, whatever shape its pages have."""

from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any

import anyio
import pytest
from hypothesis import given, settings

from stellantis_hal.errors import PaginationError
from tests.navigation.pagination.shapes import SHAPES, Shape
from tests.support.clocks import BACKENDS, jumping

pytestmark = pytest.mark.parametrize("backend", BACKENDS)

Outcome = tuple[list[int], PaginationError | None]
Way = Callable[[Shape, list[int]], Awaitable[None]]
"""Appends the items that one way of reading returns."""


def _run(backend: str, main: Callable[[], Awaitable[Any]]) -> Any:
    name, options = jumping(backend)
    return anyio.run(main, backend=name, backend_options=dict(options))


def _number(item: Any) -> int:
    return int(item["id"] if "id" in item.state else item["name"])


async def _append(items: AsyncIterable[Any], received: list[int]) -> None:
    async for item in items:
        received.append(_number(item))  # noqa: PERF401 - items before an error are kept


async def _sequential(shape: Shape, received: list[int]) -> None:
    await _append(shape.items(), received)


async def _ahead(shape: Shape, received: list[int]) -> None:
    async with shape.items().ahead(2) as items:
        await _append(items, received)


async def _concurrent(shape: Shape, received: list[int]) -> None:
    async with shape.items().concurrent(3) as items:
        await _append(items, received)


async def _by_token(shape: Shape, received: list[int], *, reverse: bool = False) -> None:
    """Read each page in an iteration of its own."""
    token: str | None = None
    for _ in range(100):
        page = await anext(aiter(shape.items(reverse=reverse).pages(token)))
        received += map(_number, page.items)
        token = page.token
        if token is None:
            return
    raise AssertionError("pages by token have no end")


async def _newest_first(shape: Shape, received: list[int]) -> None:
    await _append(shape.items(reverse=True), received)


async def _newest_first_ahead(shape: Shape, received: list[int]) -> None:
    async with shape.items(reverse=True).ahead() as items:
        await _append(items, received)


async def _newest_first_by_token(shape: Shape, received: list[int]) -> None:
    await _by_token(shape, received, reverse=True)


FORWARD: dict[str, Way] = {
    "sequential": _sequential,
    "ahead": _ahead,
    "concurrent": _concurrent,
    "by token": _by_token,
}
BACKWARD: dict[str, Way] = {
    "newest first": _newest_first,
    "newest first, ahead": _newest_first_ahead,
    "newest first, by token": _newest_first_by_token,
}


async def _outcome(way: Way, shape: Shape) -> Outcome:
    received: list[int] = []
    try:
        await way(shape, received)
    except PaginationError as error:
        return received, error
    return received, None


@settings(max_examples=300)
@given(SHAPES)
def test_every_way_returns_the_same_items(backend: str, shape: Shape) -> None:
    async def main() -> None:
        for name, way in {**FORWARD, **BACKWARD}.items():
            received, error = await _outcome(way, shape)
            expected = shape.expected[:: -1 if name in BACKWARD else 1]
            if error is not None:
                assert shape.may_fail, (name, error)
                assert received == expected[: len(received)], name
                if "by token" not in name:
                    assert (error.items, error.total) == (
                        len(received),
                        shape.stated_total if received else error.total,
                    ), name
            elif shape.is_undecided:
                assert received in (expected, shape.expected[: shape.size][:: -1 if name in BACKWARD else 1]), name
            else:
                assert received == expected, name

    _run(backend, main)
