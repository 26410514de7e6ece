"""Traces of pagination: which requests each way of reading sends, and what each page says of the next one.

``python -m tests.navigation.pagination.traces`` rewrites ``traces.txt``, whose differences are to be read.
"""

import logging
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
import attrs

from stellantis_hal.errors import StellantisError
from stellantis_hal.navigation.pagination.page_token import PageToken
from stellantis_hal.navigation.pagination.paginator import IndexRangeSyntax, Page, Paginator
from tests.navigation.collection import Collection
from tests.navigation.pagination.shapes import LINKS, Shape, is_absent
from tests.navigation.site import HOME, Site
from tests.support.responses import link

__all__ = ["COLLECTIONS", "FILE", "WAYS", "trace", "traces"]

FILE: Final = Path(__file__).with_name("traces.txt")

Read = Callable[[bool], tuple[Site, Paginator[Any]]]
"""Return a collection anew, and a paginator over it, newest first where the argument is true."""


# ------------------------------------------------------------------------------------------- the collections


_BY_THREE: Final = IndexRangeSyntax(size=3)


def _shape(shape: Shape, *, has_ranges: bool = True) -> Read:
    def read(reverse: bool) -> tuple[Site, Paginator[Any]]:
        site = shape.site()
        return site, shape.items(site, reverse=reverse, has_ranges=has_ranges)

    return read


def _changing(
    changes: Sequence[int], *, length: int = 11, ranges: IndexRangeSyntax | None = _BY_THREE, **options: Any
) -> Read:
    """Return a collection to whose head as many items are added before each response; negative: removed."""

    def read(reverse: bool) -> tuple[Site, Paginator[Any]]:
        collection = Collection(list(range(length)), **options)

        def change(sent: int) -> None:
            count = changes[sent] if sent < len(changes) else 0
            if count < 0:
                del collection.elements[:-count]
            collection.elements[:0] = [f"new{sent}.{number}" for number in range(count)]

        collection.before_response = change
        items = collection.root.follow("items").items(reverse=reverse, ranges=ranges, absent=is_absent, unique=True)
        return collection.site, items

    return read


def _from_page(number: int, size: int, **options: Any) -> Read:
    """Return a collection that is read from one of its pages on, which was read before."""

    def read(reverse: bool) -> tuple[Site, Paginator[Any]]:
        collection = Collection(list(range(11)), size=size, **options)
        start = number * size
        rels = {"prev": link(f"{HOME}/items?start={start - size}"), "next": link(f"{HOME}/items?start={start + size}")}
        body = {
            "_embedded": {"items": [{"id": id_} for id_ in collection.elements[start : start + size]]},
            "_links": {rel: one for rel, one in rels.items() if rel in collection.links},
            "total": 11,
        }
        page = collection.site.resource(body, f"{HOME}/items?start={start}")
        return collection.site, page.items(reverse=reverse, ranges=_BY_THREE)

    return read


_BARE: Final = Shape(links="none", count=15, size=6)
_NONE: Final = frozenset[str]()
COLLECTIONS: Final[dict[str, Read]] = {
    **{f"links: {links}": _shape(Shape(count=7, size=3, links=links)) for links in LINKS},
    **{f"ranges as links: {links}": _shape(Shape(count=7, size=3, links=links, by_range=True)) for links in LINKS},
    **{f"no ranges, links: {links}": _shape(Shape(count=7, size=3, links=links), has_ranges=False) for links in LINKS},
    **{f"one page, links: {links}": _shape(Shape(count=3, size=3, links=links)) for links in LINKS},
    **{f"no items, links: {links}": _shape(Shape(count=0, size=3, links=links)) for links in ("all", "none")},
    **{
        f"total {total}, links: {links}": _shape(Shape(count=7, size=3, links=links, total=total))
        for total in ("missing", "small", "large")
        for links in ("all", "no prev", "none")
    },
    **{
        f"loop {loop}, total {total}": _shape(Shape(count=7, size=3, links="no last", loop=loop, total=total))
        for loop in ("self", "first")
        for total in ("right", "missing", "large")
    },
    "links only": _shape(Shape(count=7, size=3, items_are="linked")),
    "links only, bare": _shape(attrs.evolve(_BARE, items_are="linked")),
    "links and copies": _shape(Shape(count=7, size=3, items_are="mixed", links="no prev")),
    "copies without a link": _shape(Shape(count=7, size=3, items_are="part", by_range=True)),
    "empty pages": _shape(Shape(count=7, size=2, empty=frozenset({1, 2}))),
    "empty pages, no prev": _shape(Shape(count=7, size=2, links="no prev", empty=frozenset({0, 3}))),
    "bare, ranges ignored": _shape(attrs.evolve(_BARE, honours_ranges=False)),
    "bare, ranges ignored, no total": _shape(attrs.evolve(_BARE, honours_ranges=False, total="missing")),
    "bare, ranges ignored, no ids": _shape(attrs.evolve(_BARE, honours_ranges=False, has_ids=False)),
    "ends, ranges ignored": _shape(Shape(count=7, size=3, links="ends", honours_ranges=False, total="missing")),
    "bare, no total, whole pages": _shape(attrs.evolve(_BARE, total="missing", count=12)),
    "bare, no ids": _shape(attrs.evolve(_BARE, has_ids=False)),
    "bare, absent beyond": _shape(attrs.evolve(_BARE, total="large", beyond="absent")),
    "bare, refused beyond": _shape(attrs.evolve(_BARE, total="large", beyond="refused")),
    "bare, whole pages": _shape(attrs.evolve(_BARE, count=12)),
    "bare, short ranges": _shape(attrs.evolve(_BARE, more_asked=2)),
    "links, short ranges": _shape(Shape(count=11, size=3, more_asked=1)),
    "arrivals": _changing([0, 1, 2]),
    "arrivals, no ranges": _changing([0, 1, 2], ranges=None),
    "arrivals, no links": _changing([0, 1, 2], links=_NONE),
    "many arrivals": _changing([0, 0, 4, 0, 5]),
    "many arrivals, no links": _changing([0, 0, 4, 0, 5], links=_NONE),
    "many arrivals, no links, short ranges": _changing([0, 0, 4, 0, 5], links=_NONE, max_range=3),
    "more arrivals while they are read": _changing([0, 0, 4, 2, 2, 2], links=_NONE, max_range=2),
    "arrivals without an end": _changing([3] * 60, length=9),
    "removals": _changing([0, -1, 0, -2]),
    "removals, no links": _changing([0, -1, 0, -2], links=_NONE),
    "removal of all": _changing([0, 0, -20]),
    "a total too large": _changing([], extra_total=2, links=_NONE),
    "a total too large, no links, absent beyond": _changing([], extra_total=5, links=_NONE, absent_beyond=True),
    "an old total": _changing([], extra_total=-4),
    "an old total, no links": _changing([], extra_total=-4, links=_NONE),
    **{
        f"a total less by {less}, ranges of {size}": _changing(
            [], extra_total=-less, links=_NONE, length=7, size=3, ranges=IndexRangeSyntax(size=size)
        )
        for less in (1, 2, 3)
        for size in (2, 3, 4)
    },
    "ranges of two": _changing([], max_range=2, links=_NONE),
    "a part": _changing([], ranges=IndexRangeSyntax(size=3, within=(2, 7)), links=_NONE),
    "a part with an open end": _changing([], ranges=IndexRangeSyntax(size=3, within=(2, None)), links=_NONE),
    "ranges ignored": _changing([], honours_ranges=False, links=_NONE),
    "ranges ignored, no ids": _changing([], honours_ranges=False, links=_NONE, has_ids=False),
    "from the second page": _from_page(1, 3),
    "from the second page, by ranges": _from_page(1, 3, links=frozenset({"next"})),
    "from the last page": _from_page(3, 3, links=frozenset({"prev"})),
    "large ranges": _changing([], ranges=IndexRangeSyntax(size=8)),
    "large ranges, arrivals": _changing([0, 2, 1], ranges=IndexRangeSyntax(size=8), size=5),
}


# ------------------------------------------------------------------------------------------- the traces


class _Trace(logging.Handler):
    """What a site was asked for, what was returned, and what was logged, in order."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self._site = site
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname.lower()}: {record.getMessage()}")

    def requests(self) -> str:
        """Return what was asked for since the last call."""
        paths = [path.removeprefix("/items") or "/" for path in self._site.paths]
        self._site.requests.clear()
        return " ".join(paths)

    def page(self, page: Page[Any]) -> None:
        ids = " ".join(map(_id, page.items))
        self.lines.append(f"{self.requests()} -> [{ids}] page {page.number} of {page.total}; {_state(page.token)}")

    def error(self, error: StellantisError) -> None:
        url = getattr(error, "url", None)
        parts = [
            type(error).__name__,
            str(error),
            f"items={getattr(error, 'items', None)}",
            f"url={url}",
            _state(error.resume_token),
        ]
        self.lines.append(f"{self.requests()} -> {'; '.join([*parts, *getattr(error, '__notes__', ())])}")


def _id(item: Any) -> str:
    return str(item["id"] if "id" in item.state else item.state.get("name"))


def _state(token: str | None) -> str:
    """Return what a token says."""
    if token is None:
        return "no token"
    place = PageToken.from_token(token)
    flags = [name for name in ("reverse", "is_read", "is_linked", "is_found") if getattr(place, name)]
    counts = f"{len(place.recent)} recent, {len(place.first)} first"
    return f"{place.url.removeprefix(f'{HOME}/items') or '/'} at {place.position}, {counts}, {' '.join(flags)}"


async def _by_pages(read: Read, note: Callable[[Site], _Trace], *, reverse: bool) -> None:
    site, items = read(reverse)
    trace = note(site)
    try:
        async for page in items.pages():
            trace.page(page)
    except StellantisError as error:
        trace.error(error)
    if rest := trace.requests():
        trace.lines.append(f"{rest} -> the end")


async def _by_token(read: Read, note: Callable[[Site], _Trace], *, reverse: bool) -> None:
    """Read each page in an iteration of its own."""
    site, items = read(reverse)
    trace = note(site)
    token: str | None = None
    for _ in range(30):
        try:
            page = await anext(aiter(items.pages(token)), None)
        except StellantisError as error:
            trace.error(error)
            return
        if page is None:
            trace.lines.append(f"{trace.requests()} -> the end")
            return
        trace.page(page)
        token = page.token
        if token is None:
            return


async def _concurrently(read: Read, note: Callable[[Site], _Trace]) -> None:
    site, items = read(False)
    trace = note(site)
    try:
        async with items.pages().concurrent(2) as pages:
            async for page in pages:
                trace.page(page)
    except StellantisError as error:
        trace.error(error)
    if rest := trace.requests():
        trace.lines.append(f"{rest} -> the end")


WAYS: Final[dict[str, Callable[..., Any]]] = {
    "forwards": partial(_by_pages, reverse=False),
    "backwards": partial(_by_pages, reverse=True),
    "forwards, by token": partial(_by_token, reverse=False),
    "backwards, by token": partial(_by_token, reverse=True),
    "concurrently": _concurrently,
}


def trace(name: str, way: str) -> list[str]:
    """Return the trace of a collection that is read in one way."""
    made: list[_Trace] = []
    logger = logging.getLogger("stellantis_hal")

    def note(site: Site) -> _Trace:
        made.append(_Trace(site))
        logger.addHandler(made[0])
        return made[0]

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            anyio.run(WAYS[way], COLLECTIONS[name], note)  # on asyncio: trio starts concurrent tasks in any order
    finally:
        for handler in made:
            logger.removeHandler(handler)
    return [line for one in made for line in one.lines]


def traces() -> dict[tuple[str, str], list[str]]:
    """Return the traces of the file, by collection and way."""
    found: dict[tuple[str, str], list[str]] = {}
    name = ""
    for part in FILE.read_text(encoding="utf-8").split("\n\n"):
        lines = part.splitlines()
        if lines[0].startswith("# "):
            name = lines.pop(0)[2:]
        way, _, same = lines.pop(0)[3:].partition(" = ")
        found[name, way] = found[tuple(same.split(" / "))] if same else lines  # type: ignore[index]
    return found


def _write() -> None:
    """Write the file; a trace that is the same as one before it is named by that one."""
    parts: list[str] = []
    names: dict[tuple[str, ...], str] = {}
    for name in COLLECTIONS:
        for way in WAYS:
            lines = trace(name, way)
            same = names.setdefault(tuple(lines), f"{name} / {way}")
            head = [f"# {name}"] if way == next(iter(WAYS)) else []
            is_new = same == f"{name} / {way}"
            parts.append("\n".join([*head, f"## {way}", *lines] if is_new else [*head, f"## {way} = {same}"]))
    FILE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _write()
