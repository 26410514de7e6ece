"""The ways from page to page: one after the other, or some ahead of the consumer.

Knows pages as resources. Must not know what their items are made into. A walk is a class iterator: it can be left at
any point, and asked again after an error.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

import anyio
import attrs
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from stellantis_hal.errors import AmbiguousLinkError, ApiError, HalError, LinkNotFoundError, PaginationLoopError
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.redaction import mask_url, shortlist
from stellantis_hal.navigation.concurrency import scoped
from stellantis_hal.navigation.link_selection import Params, copies, target
from stellantis_hal.navigation.pagination.cursor import VisitedPages

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = [
    "Absent",
    "Lost",
    "PageSource",
    "PaginationSpec",
    "RawPage",
    "RawPageIterator",
    "ahead",
    "elements_of",
    "link_onward",
    "strays_of",
    "total_of",
    "warn_of",
]

_log = logging.getLogger("stellantis_hal")

Absent = Callable[[ApiError], bool]
"""Tells whether an error on the first page means that the collection is empty."""
Lost = Callable[["HalResource", Mapping[str, Any]], None]
"""Is told of a page, and of what stands in it, by JSON path, where its items belong, and is no object."""

# Pages by which a collection may grow while one of its pages is read; whatever a hostile server says, it ends there.
_GROWTH = 100
_FORWARD = ("next",)
_BACKWARD = ("prev", "previous")


def warn_of(page: HalResource, strays: Mapping[str, Any]) -> None:
    """Log what is left out of a page."""
    _log.warning("left out at %s, for an item is an object: %s", mask_url(page.url), shortlist([*strays]))


class PageSource(Protocol):
    """Where a collection is: a resource, or a step to one."""

    async def reopened(self) -> HalResource:
        """Give the first page, for a new walk."""
        ...

    async def locate(self, params: Params) -> str:
        """Give the address of the collection with parameters added."""
        ...

    async def visit(self, url: str, /) -> HalResource:
        """Fetch a page."""
        ...


@attrs.frozen(kw_only=True, eq=False)
class PaginationSpec:
    """What every way over a collection has in common.

    Attributes:
        source: where it is.
        rel: the key that its items are embedded under; None: the only one there is.
        reverse: whether to walk from the last page to the first.
        absent: which errors on the first page mean that it is empty.
        lost: is told what is left out.
    """

    source: PageSource
    rel: str | None = None
    reverse: bool = False
    absent: Absent | None = None
    lost: Lost

    def is_absent(self, error: ApiError) -> bool:
        """Tell whether an error means that there are no elements."""
        return self.absent is not None and self.absent(error)


@attrs.frozen(kw_only=True, eq=False)
class RawPage:
    """A page as it was read.

    Attributes:
        page: its resource; None for a collection that is absent.
        items: its elements, in the order of the walk.
        following: the address of the page after it; None at the end.
    """

    page: HalResource | None
    items: tuple[HalResource, ...]
    following: str | None


def elements_of(page: HalResource, rel: str | None) -> tuple[HalResource, ...]:
    """Give a page's items; none where nothing is embedded.

    Raises:
        AmbiguousLinkError: several kinds are embedded and none was named.
    """
    if rel is not None:
        return page.embedded(rel)
    keys = tuple(page.document.embedded)
    if len(keys) > 1:
        raise AmbiguousLinkError(
            f"{mask_url(page.url)} embeds {shortlist([*map(repr, keys)])}: name the items, as in "
            f".items({keys[0][:80]!r})",
            rel="",
            candidates=keys,
            url=page.url,
        )
    return page.embedded(keys[0]) if keys else ()


def strays_of(page: HalResource, rel: str | None) -> Mapping[str, Any]:
    """Give what stands where a page's items belong and is none, for it is no object, by JSON path.

    Nothing (null, an empty array that means an empty object) is no stray.
    """
    document = page.document
    embedded = document.body.get("_embedded") or {}
    if not isinstance(embedded, Mapping):
        return {"$._embedded": embedded}
    strays: dict[str, Any] = {}
    for key in embedded if rel is None else (rel, *copies(document, rel)):
        entry = embedded.get(key)
        if isinstance(entry, list):
            items = enumerate(entry)
            strays |= {f"$._embedded.{key}[{at}]": item for at, item in items if not isinstance(item, dict)}
        elif entry and not isinstance(entry, dict):
            strays[f"$._embedded.{key}"] = entry
    return strays


def link_onward(page: HalResource, rels: tuple[str, ...] = _FORWARD) -> Link | None:
    """Give the link to the page after this one; None where it is missing or null, or has a null href.

    What is there and is no link is given as one without an href, for a walk must not take it for the end. These
    relations are registered ones, so no CURIE makes another name mean them.
    """
    links = page.document.body.get("_links")
    if not isinstance(links, Mapping):
        return None
    for rel in rels:
        found = links.get(rel)
        for value in found if isinstance(found, list) else [found]:
            if value is not None and not (isinstance(value, Mapping) and value.get("href", "") is None):
                return Link.parse(rel, value) or Link(None, rel)
    return None


def total_of(page: HalResource) -> int | None:
    """Read how many elements the collection has (``total`` or ``page.totalElements``); None where it is not said."""
    state = page.state
    inner = state.get("page")
    for value in (state.get("total"), inner.get("totalElements") if isinstance(inner, dict) else None):
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None


class RawPageIterator(AsyncIterator[RawPage]):
    """One page after the other, by the links that the server gives.

    Args:
        course: over what.
        following: where to go on; None: from the first page.
    """

    def __init__(self, course: PaginationSpec, following: str | None = None) -> None:
        self._course = course
        self._following = following
        # The page that the walk is on, and the link that leads on from there; none at a start.
        self._onward: tuple[HalResource, Link] | None = None
        self._trail = VisitedPages()
        self._total: int | None = None
        self._ended = False
        self._broken: HalError | None = None

    async def __anext__(self) -> RawPage:
        if self._broken is not None:
            raise copy.copy(self._broken)
        if self._ended:
            raise StopAsyncIteration
        page = await self._next()
        if page is None:
            self._ended = True
            return RawPage(page=None, items=(), following=None)
        items = elements_of(page, self._course.rel)
        if self._course.reverse:
            items = (*items, *await self._pushed(page))[::-1]
        link = link_onward(page, _BACKWARD if self._course.reverse else _FORWARD)
        try:
            following = None if link is None else target(link, page.base)
        except HalError as error:  # the page is good: its items are given before the walk fails
            following, self._broken = None, error
        self._trail.visit(self._following, page.base, page.self_url)
        self._following = following
        self._onward = None if link is None else (page, link)
        self._ended = link is None
        self._total = total_of(page)
        return RawPage(page=page, items=items, following=following)

    async def _pushed(self, page: HalResource) -> tuple[HalResource, ...]:
        """Read again what lies behind a page, walking backwards, where the collection has grown since.

        Elements that arrived at the head have pushed others from this page onto those that were given already.
        """
        behind, growth = page, _GrowthGuard()
        found: list[HalResource] = []
        while self._pushed_by(behind) > max(growth.pages, len(found)) and (link := link_onward(behind)) is not None:
            behind = await growth.step(behind, link)
            found += elements_of(behind, self._course.rel)
        return tuple(found)

    def _pushed_by(self, page: HalResource) -> int:
        total = total_of(page)
        return 0 if total is None or self._total is None else total - self._total

    async def _next(self) -> HalResource | None:
        if self._following is None:
            return await self._first()
        self._trail.check(self._following)
        if self._onward is None:
            return await self._course.source.visit(self._following)
        page, link = self._onward
        return await page.along(link)

    async def _first(self) -> HalResource | None:
        try:
            page = await self._course.source.reopened()
        except ApiError as error:
            if self._course.is_absent(error):
                return None
            raise
        if not self._course.reverse or link_onward(page) is None:
            return page
        last = link_onward(page, ("last",))
        if last is None:
            raise LinkNotFoundError(
                f"no link 'last' at {mask_url(page.url)}: this collection cannot be walked backwards",
                rel="last",
                available=page.rels,
                url=page.url,
            )
        return await _last_of(await page.along(last))


async def _last_of(page: HalResource) -> HalResource:
    """Go on from what was the last page to what is the last now."""
    growth = _GrowthGuard()
    while (link := link_onward(page)) is not None:
        page = await growth.step(page, link)
    return page


class _GrowthGuard:
    """The pages that came while others were read: no loop, and no more than can be."""

    def __init__(self) -> None:
        self.pages = 0
        self._trail = VisitedPages()

    async def step(self, page: HalResource, link: Link) -> HalResource:
        """Read the page after this one.

        Raises:
            PaginationLoopError: it was here already, or there is no end to them.
        """
        self._trail.visit(page.base)
        self._trail.check(target(link, page.base))
        if self.pages == _GROWTH:
            raise PaginationLoopError(
                f"the collection at {mask_url(page.url)} grows faster than it can be walked: {_GROWTH} pages came "
                "while one was read",
                url=page.url,
            )
        self.pages += 1
        return await page.along(link)


class _Prefetcher(AsyncIterator[RawPage]):
    """The consumer's end of a walk that goes on by itself."""

    def __init__(self, receive: MemoryObjectReceiveStream[RawPage | Exception]) -> None:
        self._receive = receive
        self._failure: Exception | None = None

    async def __anext__(self) -> RawPage:
        if self._failure is not None:
            raise self._failure  # asked again, it must not look like the end
        try:
            outcome = await self._receive.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None
        if isinstance(outcome, Exception):
            self._failure = outcome
            raise outcome
        return outcome


@asynccontextmanager
async def ahead(walk: RawPageIterator, pages: int) -> AsyncGenerator[AsyncIterator[RawPage], None]:
    """Let a walk run up to so many pages ahead of its consumer, inside the block."""
    if pages < 1:
        raise ValueError(f"at least one page ahead, not {pages}")
    send, receive = anyio.create_memory_object_stream[RawPage | Exception](pages - 1)
    async with scoped() as tasks:
        with receive:
            tasks.start_soon(_run, walk, send)
            yield _Prefetcher(receive)


async def _run(walk: RawPageIterator, send: MemoryObjectSendStream[RawPage | Exception]) -> None:
    async with send:
        try:
            async for reading in walk:
                await send.send(reading)
        except Exception as error:  # noqa: BLE001 - handed to the consumer, in its turn and in no group
            await send.send(error)
