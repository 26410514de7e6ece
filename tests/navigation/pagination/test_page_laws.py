"""Properties of pagination, over any pages and any changes between responses."""

import warnings
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from typing import Any

import anyio
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stellantis_hal.errors import PaginationLoopError
from stellantis_hal.navigation.call_site_warnings import IncompleteCollectionWarning
from stellantis_hal.navigation.pagination.paginator import IndexRangeSyntax, Paginator
from tests.navigation.collection import Collection, ids
from tests.navigation.site import HOME, Site
from tests.support.clocks import BACKENDS, jumping
from tests.support.profiles import few_examples
from tests.support.responses import link, links

pytestmark = pytest.mark.parametrize("backend", BACKENDS)

Graph = list[tuple[list[int], int | None]]
"""Pages: their items, and the number of the page that their ``next`` leads to."""

ELEMENTS = st.lists(st.integers(0, 30), max_size=4)
GRAPHS: st.SearchStrategy[Graph] = st.integers(1, 7).flatmap(
    lambda size: st.lists(
        st.tuples(ELEMENTS, st.none() | st.integers(0, size - 1)), min_size=size, max_size=size
    )  # pages lead anywhere: back, on, to themselves
)
CHAINS: st.SearchStrategy[Graph] = st.lists(ELEMENTS, min_size=1, max_size=7).map(
    lambda pages: [(page, number + 1 if number + 1 < len(pages) else None) for number, page in enumerate(pages)]
)


def _run(backend: str, main: Callable[[], Awaitable[Any]]) -> Any:
    name, options = jumping(backend)
    return anyio.run(main, backend=name, backend_options=dict(options))


def _items(graph: Graph, *, unique: bool = False) -> Paginator[Any]:
    pages = {
        f"/{number}": {
            "_embedded": {"items": [{"id": element} for element in elements]},
            "_links": {"next": None if following is None else link(f"{HOME}/{following}")},
        }
        for number, (elements, following) in enumerate(graph)
    }
    return Site(pages).resource({"_links": links(items=f"{HOME}/0")}).follow("items").items(unique=unique)


def _expected(graph: Graph, *, unique: bool = False) -> tuple[list[int], bool]:
    """Return the items that can be reached, in order, and whether the pages form a loop."""
    number: int | None = 0
    seen: set[int] = set()
    given: list[int] = []
    while number is not None and number not in seen:
        seen.add(number)
        elements, number = graph[number]
        earlier = {*given} if unique else set[int]()
        given += [element for element in elements if element not in earlier]
    return given, number is not None


async def _read_all(iterator: AsyncIterable[Any]) -> tuple[list[Any], bool]:
    """Return the items, and whether a loop was detected."""
    given: list[Any] = []
    try:
        async for item in iterator:
            given.append(item["id"])  # noqa: PERF401 - items before an error are kept
    except PaginationLoopError:
        return given, True
    return given, False


@pytest.mark.unmeasured
@few_examples()
@given(graph=GRAPHS, unique=st.booleans())
def test_any_graph_of_pages_yields_each_item_and_ends(backend: str, graph: Graph, *, unique: bool) -> None:
    async def main() -> tuple[list[Any], bool]:
        return await _read_all(_items(graph, unique=unique))

    assert _run(backend, main) == _expected(graph, unique=unique)


@pytest.mark.long
@pytest.mark.unmeasured
@few_examples()
@given(GRAPHS, st.integers(1, 3))
def test_prefetching_returns_the_same_items(backend: str, graph: Graph, pages: int) -> None:
    async def main() -> tuple[list[Any], bool]:
        async with _items(graph).ahead(pages) as items:
            return await _read_all(items)

    assert _run(backend, main) == _expected(graph)


@pytest.mark.unmeasured
@few_examples()
@given(CHAINS)
@pytest.mark.long
def test_resuming_from_any_token_returns_the_rest(backend: str, graph: Graph) -> None:
    async def main() -> None:
        pages = [page async for page in _items(graph).pages()]
        for at, page in enumerate(pages):
            if page.token is None:
                assert at == len(pages) - 1
                continue
            rest = [item["id"] async for later in _items(graph).pages(page.token) for item in later.items]
            assert rest == [item["id"] for later in pages[at + 1 :] for item in later.items]

    _run(backend, main)


# --------------------------------------------------------------------------------------------- changes meanwhile

CHANGES = st.lists(st.integers(0, 5), max_size=12)
"""How many items are added at the head before each response."""

CHURN = st.lists(st.integers(-5, 5), max_size=12)
"""The same; a negative number removes items."""


def _changing(length: int, changes: Sequence[int]) -> Collection:
    collection = Collection(list(range(length)))

    def change_collection(responses_sent: int) -> None:
        change = changes[responses_sent] if responses_sent < len(changes) else 0
        if change < 0:
            del collection.elements[:-change]
        else:
            collection.elements[:0] = [f"new{responses_sent}.{n}" for n in range(change)]

    collection.before_response = change_collection
    return collection


@pytest.mark.unmeasured
@few_examples()
@given(st.integers(0, 20), CHANGES)
@pytest.mark.long
def test_arrivals_at_the_head_lose_nothing_and_repeat_nothing(backend: str, length: int, changes: list[int]) -> None:
    async def iterator(how: str) -> list[Any]:
        items = _changing(length, changes).root.follow("items").items(reverse=how == "backwards", unique=True)
        if how == "ahead":
            async with items.ahead(2) as iterator:
                return [item["id"] async for item in iterator]
        return [item["id"] async for item in items]

    async def main() -> None:
        for how in ("sequential", "ahead", "backwards"):
            given = await iterator(how)
            order = range(length) if how != "backwards" else range(length - 1, -1, -1)
            assert [one for one in given if isinstance(one, int)] == list(order)
            assert len(given) == len(set(given))

    _run(backend, main)


LINKS = st.sampled_from([{"self", "next", "prev", "last"}, {"self", "next", "last"}, {"next", "prev"}, {"next"}])
"""The links of the pages of a collection."""


async def _by_token(items: Paginator[Any]) -> list[Any]:
    """Return the ids of the items, each page read in an iteration of its own."""
    found: list[Any] = []
    page = await anext(aiter(items.pages()))
    while True:
        found += ids(page.items)
        if page.token is None:
            return found
        page = await anext(aiter(items.pages(page.token)))


@pytest.mark.unmeasured
@few_examples()
@given(st.integers(0, 20), CHANGES, st.sampled_from([None, IndexRangeSyntax(size=3)]))
@pytest.mark.long
def test_arrivals_by_token_are_read_as_without_it(
    backend: str, length: int, changes: list[int], ranges: IndexRangeSyntax | None
) -> None:
    def items() -> Paginator[Any]:
        return _changing(length, changes).root.follow("items").items(reverse=True, unique=True, ranges=ranges)

    async def main() -> None:
        assert await _by_token(items()) == ids(await items().collect())

    _run(backend, main)


@pytest.mark.long
@few_examples()
@given(length=st.integers(0, 20), changes=CHURN, names=LINKS, unique=st.booleans())
@example(length=2, changes=[2, -2, 3, -1], names={"self", "next", "prev", "last"}, unique=False)
@example(length=2, changes=[2, 0, 1, -3], names={"self", "next", "last"}, unique=False)
@example(length=2, changes=[2, 0, 3, -3], names={"self", "next", "last"}, unique=False)
def test_changes_lose_nothing_by_token_or_are_told(
    backend: str, length: int, changes: list[int], names: set[str], *, unique: bool
) -> None:
    collection = _changing(length, changes)
    collection.links = frozenset(names)

    async def main() -> list[Any]:
        return await _by_token(collection.root.follow("items").items(reverse=True, unique=unique))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", IncompleteCollectionWarning)
        given = _run(backend, main)
    assert len(given) == len(set(given))
    assert caught or set(range(length)) & set(collection.elements) <= set(given)


@pytest.mark.unmeasured
@few_examples()
@given(
    st.integers(0, 25), CHURN, st.tuples(st.integers(1, 5), st.integers(2, 6)), st.lists(st.integers(0, 3), max_size=4)
)
@pytest.mark.long
def test_ranges_lose_nothing_that_stays_and_repeat_nothing(
    backend: str, length: int, changes: list[int], shape: tuple[int, int], delays: list[int]
) -> None:
    limit, size = shape
    collection = _changing(length, changes)
    collection.size = size
    collection.delays = delays  # so that answers overtake each other

    async def main() -> list[Any]:
        items = collection.root.follow("items").items(ranges=IndexRangeSyntax(size=size))
        async with items.concurrent(limit) as iterator:
            return [item["id"] async for item in iterator]

    given = _run(backend, main)
    original = [one for one in given if isinstance(one, int)]
    assert original == sorted(original)
    assert len(given) == len(set(given))
    assert set(range(length)) & set(collection.elements) <= set(original)
