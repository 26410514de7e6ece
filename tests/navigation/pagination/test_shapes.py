"""Every way of reading a collection returns the same items, whatever shape its pages have.

36,864 shapes: 8 sets of links x 2 kinds of links x 4 totals x 3 ends x 16 sets of empty pages x items with and without
ids x ranges honoured and ignored x 3 responses beyond the end; each with 0 to 25 items on pages of 2 to 5.
11 ways: 4 forwards and 3 newest first; one of each without index ranges, and ``first()`` of each.
"""

import logging
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any

import anyio
import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stellantis_hal.errors import IncompleteCollectionError, PaginationError, PaginationLoopError
from stellantis_hal.navigation.pagination.paginator import IndexRangeSyntax
from tests.navigation.collection import Collection
from tests.navigation.pagination.shapes import SHAPES, Shape
from tests.support.clocks import BACKENDS, jumping
from tests.support.profiles import few_examples

pytestmark = [
    pytest.mark.parametrize("backend", BACKENDS),
    pytest.mark.filterwarnings("ignore::stellantis_hal.navigation.call_site_warnings.IncompleteCollectionWarning"),
]

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


BARE = Shape(links="none", count=15, size=6)
EXAMPLES = {
    "B1: no links": BARE,
    "B1: only self": Shape(count=15, size=6, links="self"),
    "B1: no links, ranges ignored": attrs.evolve(BARE, honours_ranges=False),
    "B1: no links, no total": attrs.evolve(BARE, total="missing"),
    "B1: no links, no ids": attrs.evolve(BARE, has_ids=False),
    "B1: no links, total too large": attrs.evolve(BARE, total="large", beyond="refused"),
    "B2: no prev": Shape(count=15, size=3, links="no prev"),
    "B2: no prev, no ids": Shape(count=15, size=3, links="no prev", has_ids=False),
    "B2: no last": Shape(count=15, size=3, links="no last"),
    "B3: total too small": Shape(count=15, size=6, total="small"),
    "B3: total too small, by range": Shape(count=15, size=6, total="small", by_range=True),
    "B4: the last leads to itself": Shape(count=15, size=6, loop="self"),
    "B4: the last leads to the first": Shape(count=15, size=6, loop="first"),
    "B4: no total": Shape(count=15, size=6, loop="first", total="missing", links="next only"),
    "E3: links only": Shape(count=15, size=6, items_are="linked"),
    "E3: links only, no links between pages": attrs.evolve(BARE, items_are="linked"),
    "E3: links only, no prev, no ids": Shape(count=15, size=4, links="no prev", items_are="linked", has_ids=False),
    "E3: copies of some": Shape(count=15, size=6, items_are="mixed", loop="first"),
    "E3: copies without a link": Shape(count=15, size=6, items_are="part", by_range=True),
    "an empty first page, no prev": Shape(count=3, size=3, links="no prev", empty=frozenset({0})),
    "empty pages": Shape(count=15, size=3, empty=frozenset({1, 3})),
}


def _examples(test: Any) -> Any:
    for shape in EXAMPLES.values():
        test = example(shape=shape)(test)
    return test


@_examples
@few_examples()
@given(SHAPES)
@pytest.mark.long
def test_every_way_returns_the_same_items(backend: str, shape: Shape) -> None:
    """Or an error that says how far it came, where the pages do not show how to go on."""

    async def main() -> None:
        for name, way in {**FORWARD, **BACKWARD}.items():
            received, error = await _outcome(way, shape)
            step = -1 if name in BACKWARD else 1
            if error is not None:
                assert shape.may_fail, (name, error)
                assert received == shape.expected[::step][: len(received)], name
                assert "by token" in name or error.items == len(received), name
            elif shape.is_undecided:  # a warning was logged
                assert received in (shape.expected[::step], shape.expected[: shape.size][::step]), name
            else:
                assert received == shape.expected[::step], name

    _run(backend, main)


@_examples
@few_examples()
@given(SHAPES)
@pytest.mark.long
def test_the_first_item_is_never_a_loop(backend: str, shape: Shape) -> None:
    async def main() -> None:
        if shape.count == 0:
            return
        first = await shape.items().first()
        assert first is not None
        assert _number(first) == 0
        try:
            last = await shape.items(reverse=True).first()
        except IncompleteCollectionError:
            assert shape.may_fail
            return
        if not shape.is_undecided:
            assert last is not None
            assert _number(last) == shape.count - 1

    _run(backend, main)


@_examples
@few_examples()
@given(SHAPES)
@pytest.mark.long
def test_without_ranges_nothing_is_left_out_silently(backend: str, shape: Shape) -> None:
    """Items that no link leads to are told of by a warning, newest first by an error."""

    async def main() -> None:
        with _Warnings() as warnings:
            received, error = await _outcome(lambda shape, got: _append(shape.items(has_ranges=False), got), shape)
        is_short = not shape.is_linked and (shape.stated_total or 0) > shape.size
        is_whole = shape.is_linked or shape.count <= shape.size
        assert received == (shape.expected if is_whole else shape.expected[: shape.size])
        if error is not None:
            assert isinstance(error, PaginationLoopError)
            assert shape.may_fail
        elif is_short:
            assert f"states a total of {shape.stated_total}, but has {len(received)} items" in "".join(
                warnings.messages
            )
        received, error = await _outcome(
            lambda shape, got: _append(shape.items(has_ranges=False, reverse=True), got), shape
        )
        if is_short:
            assert isinstance(error, IncompleteCollectionError)
            assert received == []
        elif error is None:
            assert received == (shape.expected if is_whole else shape.expected[: shape.size])[::-1]

    _run(backend, main)


class _Warnings(logging.Handler):
    """The messages that the package logs inside the block."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())

    def __enter__(self) -> "_Warnings":
        logging.getLogger("stellantis_hal").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("stellantis_hal").removeHandler(self)


def test_a_full_page_without_links_and_total_is_told_of(backend: str) -> None:
    """Where the server ignores ranges, nothing shows whether there are more items."""
    shape = Shape(count=15, size=6, links="none", total="missing", honours_ranges=False)

    async def main() -> None:
        for way in FORWARD.values():
            with _Warnings() as warnings:
                received, error = await _outcome(way, shape)
            assert (received, error) == (shape.expected[:6], None)
            assert "may have more than 6 items: its pages state no total and have no 'next'" in warnings.messages[0]

    _run(backend, main)


ARRIVALS = st.lists(st.integers(0, 1), max_size=8)
"""How many items are added at the head before each response."""


@pytest.mark.unmeasured
@few_examples()
@given(st.integers(0, 30), st.integers(4, 6), ARRIVALS, st.booleans())
def test_arrivals_displace_no_items_of_pages_without_links(
    backend: str, length: int, size: int, arrivals: list[int], has_last: bool
) -> None:
    def changing() -> Collection:
        collection = Collection(list(range(length)), size=size, links=frozenset({"last"}) if has_last else frozenset())

        def add_items(responses_sent: int) -> None:
            # A page full of arrivals at once looks as if the server ignored ranges, which is an error.
            count = arrivals[responses_sent] if responses_sent < len(arrivals) else 0
            collection.elements[:0] = [f"new{responses_sent}.{n}" for n in range(count)]

        collection.before_response = add_items
        return collection

    async def main() -> None:
        for reverse in (False, True):
            items = (
                changing().root.follow("items").items(ranges=IndexRangeSyntax(size=size), reverse=reverse, unique=True)
            )
            received = [item["id"] async for item in items]
            assert len(received) == len(set(received))
            kept = [one for one in received if isinstance(one, int)]
            assert kept == list(range(length))[:: -1 if reverse else 1]

    _run(backend, main)
