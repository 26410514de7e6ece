"""The ways from page to page: one after the other, or some ahead of the consumer.

Knows pages as resources. Must not know what their items are made into. A walk is a class iterator: it can be left at
any point, and asked again after an error.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

import anyio
import attrs
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from stellantis_hal.errors import AmbiguousLinkError, ApiError, LinkNotFoundError, StellantisError
from stellantis_hal.hal.masking import mask_url
from stellantis_hal.navigation.cursor import Trail
from stellantis_hal.navigation.hop import Params, links_of, target
from stellantis_hal.navigation.in_order import scoped

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["Absent", "Course", "Reading", "Source", "Walk", "ahead", "elements_of", "next_url", "total_of"]

Absent = Callable[[ApiError], bool]
"""Tells whether an error on the first page means that the collection is empty."""

_FORWARD = ("next",)
_BACKWARD = ("prev", "previous")


class Source(Protocol):
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
class Course:
    """What every way over a collection has in common.

    Attributes:
        source: where it is.
        rel: the key that its items are embedded under; None: the only one there is.
        reverse: whether to walk from the last page to the first.
        absent: which errors on the first page mean that it is empty.
    """

    source: Source
    rel: str | None = None
    reverse: bool = False
    absent: Absent | None = None

    def is_absent(self, error: ApiError) -> bool:
        """Tell whether an error means that there are no elements."""
        return self.absent is not None and self.absent(error)


@attrs.frozen(kw_only=True, eq=False)
class Reading:
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
            f"{mask_url(page.url)} embeds {', '.join(map(repr, keys))}: name the items, as in .items({keys[0]!r})",
            rel="",
            candidates=keys,
            url=page.url,
        )
    return page.embedded(keys[0]) if keys else ()


def next_url(page: HalResource, rels: tuple[str, ...] = _FORWARD) -> str | None:
    """Give the address of the page after this one; None where the link is missing or null."""
    for rel in rels:
        for link in links_of(page.document, rel):
            if link.href is not None:
                return target(link, page.base)
    return None


def total_of(page: HalResource) -> int | None:
    """Read how many elements the collection has (``total`` or ``page.totalElements``); None where it is not said."""
    state = page.state
    inner = state.get("page")
    for value in (state.get("total"), inner.get("totalElements") if isinstance(inner, dict) else None):
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None


class Walk(AsyncIterator[Reading]):
    """One page after the other, by the links that the server gives.

    Args:
        course: over what.
        following: where to go on; None: from the first page.
    """

    def __init__(self, course: Course, following: str | None = None) -> None:
        self._course = course
        self._following = following
        self._trail = Trail()
        self._ended = False

    def __aiter__(self) -> Walk:
        return self

    async def __anext__(self) -> Reading:
        if self._ended:
            raise StopAsyncIteration
        if self._following is None:
            page = await self._first()
        else:
            self._trail.check(self._following)
            page = await self._course.source.visit(self._following)
        if page is None:
            self._ended = True
            return Reading(page=None, items=(), following=None)
        return self.read(page)

    def read(self, page: HalResource) -> Reading:
        """Take a page as the one that the walk is on."""
        self._trail.visit(self._following, page.base, page.self_url)
        self._following = next_url(page, _BACKWARD if self._course.reverse else _FORWARD)
        self._ended = self._following is None
        items = elements_of(page, self._course.rel)
        return Reading(page=page, items=items[::-1] if self._course.reverse else items, following=self._following)

    async def _first(self) -> HalResource | None:
        try:
            page = await self._course.source.reopened()
        except ApiError as error:
            if self._course.is_absent(error):
                return None
            raise
        if not self._course.reverse or next_url(page) is None:
            return page
        last = next_url(page, ("last",))
        if last is None:
            raise LinkNotFoundError(
                f"no link 'last' at {mask_url(page.url)}: this collection cannot be walked backwards",
                rel="last",
                available=page.rels,
                url=page.url,
            )
        return await self._course.source.visit(last)


class _Ahead(AsyncIterator[Reading]):
    """The consumer's end of a walk that goes on by itself."""

    def __init__(self, receive: MemoryObjectReceiveStream[Reading | StellantisError]) -> None:
        self._receive = receive

    async def __anext__(self) -> Reading:
        try:
            outcome = await self._receive.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None
        if isinstance(outcome, StellantisError):
            raise outcome
        return outcome


@asynccontextmanager
async def ahead(walk: Walk, pages: int) -> AsyncGenerator[AsyncIterator[Reading], None]:
    """Let a walk run up to so many pages ahead of its consumer, inside the block."""
    if pages < 1:
        raise ValueError(f"at least one page ahead, not {pages}")
    send, receive = anyio.create_memory_object_stream[Reading | StellantisError](pages - 1)
    async with scoped() as tasks:
        with receive:
            tasks.start_soon(_run, walk, send)
            yield _Ahead(receive)


async def _run(walk: Walk, send: MemoryObjectSendStream[Reading | StellantisError]) -> None:
    async with send:
        try:
            async for reading in walk:
                await send.send(reading)
        except StellantisError as error:
            await send.send(error)
