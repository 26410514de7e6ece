"""A lazy chain of steps.

Knows where it starts and which link to take. Must not do I/O before it is awaited; no coroutine exists until then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack, overload

import attrs

from stellantis_hal.errors import StellantisError
from stellantis_hal.navigation.link_selection import FollowOptions, LinkQuery, LinkTarget, Params, choose
from stellantis_hal.navigation.pagination.paginator import Absent, IndexRanges, Pages, Paginator
from stellantis_hal.navigation.rel import Rel
from stellantis_hal.navigation.single_flight import SingleFlight
from stellantis_hal.validation import require_type

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["Follow"]

R = TypeVar("R")
T = TypeVar("T")


class Follow(Generic[R]):
    """A step along a link, and all the steps before it: ``await vehicle.follow("trips").follow("next")``.

    A relation is named by its key in ``_links``; where CURIEs are declared, also by its full URI, its compact one, or
    its bare name (``books`` for ``shop:books``) where only one relation has it.

    Awaited twice, or by many tasks, it costs one request; a task that is cancelled meanwhile harms no other. Success is
    remembered, failure is not. Every step stays reachable through :attr:`previous`.
    """

    __slots__ = ("_flight", "_hop", "_kind", "_reached", "_start", "_typed", "previous")

    def __init__(
        self,
        start: HalResource | Callable[[], Awaitable[HalResource]],
        hop: LinkQuery,
        kind: type[R] | None = None,
        previous: Follow[Any] | None = None,
    ) -> None:
        self._start = start
        self._hop = hop
        self._kind = kind
        self._reached: HalResource | None = None
        self._typed: R | None = None
        self._flight: SingleFlight[HalResource] | None = None
        self.previous: Follow[Any] | None = previous

    @classmethod
    def along(
        cls,
        start: HalResource | Callable[[], Awaitable[HalResource]],
        rel: str | Rel[Any],
        options: FollowOptions,
        previous: Follow[Any] | None = None,
    ) -> Follow[Any]:
        """Build a step from what :meth:`follow` was given."""
        if isinstance(rel, str):
            return cls(start, LinkQuery(rel=rel, **options), None, previous)
        require_type("a relation", rel, str, Rel)
        hop = LinkQuery(rel=rel.name, **options)
        return cls(start, hop if hop.accept else attrs.evolve(hop, accept=rel.accept), rel.type, previous)

    @property
    def path(self) -> tuple[str, ...]:
        """The relations from the start to here."""
        return (*(self.previous.path if self.previous is not None else ()), self._hop.rel)

    def __repr__(self) -> str:
        return f"<Follow {' → '.join(self.path)}>"

    def __await__(self) -> Generator[Any, None, R]:
        return self._outcome().__await__()

    @overload
    def follow(self, rel: Rel[T], **options: Unpack[FollowOptions]) -> Follow[T]: ...
    @overload
    def follow(self, rel: str, **options: Unpack[FollowOptions]) -> Follow[HalResource]: ...
    def follow(self, rel: str | Rel[Any], **options: Unpack[FollowOptions]) -> Follow[Any]:
        """Add a step; the options are those of :class:`~stellantis_hal.navigation.FollowOptions`."""
        return Follow.along(self.resource, rel, options, self)

    def items(
        self,
        rel: str | None = None,
        *,
        reverse: bool = False,
        absent: Absent | None = None,
        ranges: IndexRanges | None = None,
    ) -> Paginator[HalResource]:
        """Walk the items of the collection behind the link; each iteration reads it anew."""
        return Paginator.over(self, rel, reverse=reverse, absent=absent, ranges=ranges)

    def pages(self, rel: str | None = None, *, token: str | None = None) -> Pages[HalResource]:
        """Walk the pages of the collection behind the link, from the first or from where a token was given out."""
        return self.items(rel).pages(token)

    async def resource(self) -> HalResource:
        """Take the step; give the resource as it is, whatever type its relation has.

        Raises:
            HalError: there is no way to go.
            StellantisError: whatever fetching raises; a note says which step it was.
        """
        if self._reached is None:
            here = await self._origin()
            choice = self._choice(here, self._hop)
            copy = here.copy_at(choice)
            if copy is None:
                self._flight = self._flight or SingleFlight()
                return await self._flight.run(partial(self._fetched, here, choice))
            self._reached = copy
        return self._reached

    async def reopened(self) -> HalResource:
        """Take the last step anew: a walk starts from what is there now."""
        here = await self._origin()
        try:
            return await here.step(self._hop)
        except StellantisError as error:
            self._name(error)
            raise

    async def locate(self, params: Params) -> str:
        """Give the address that the last step leads to, with parameters added; it is not fetched."""
        here = await self._origin()
        hop = attrs.evolve(self._hop, params={**(self._hop.params or {}), **params}, embedded="never")
        url = self._choice(here, hop).url
        assert url is not None  # noqa: S101 - embedded copies were ruled out
        return url

    async def visit(self, url: str) -> HalResource:
        """Fetch an absolute address on a trusted origin."""
        return await (await self._origin()).visit(url, accept_type=self._hop.accept)

    async def _outcome(self) -> Any:
        resource = await self.resource()
        if self._kind is None:
            return resource
        if self._typed is None:
            self._typed = resource.as_(self._kind)
        return self._typed

    async def _origin(self) -> HalResource:
        return await self._start() if callable(self._start) else self._start

    async def _fetched(self, here: HalResource, choice: LinkTarget) -> HalResource:
        if self._reached is None:
            try:
                self._reached = await here.fetch_choice(choice, self._hop)
            except StellantisError as error:
                self._name(error)
                raise
        return self._reached

    def _choice(self, here: HalResource, hop: LinkQuery) -> LinkTarget:
        try:
            return choose(here.document, here.base, hop)
        except StellantisError as error:
            self._name(error)
            raise

    def _name(self, error: StellantisError) -> None:
        """Note on an error which step it ended."""
        path = self.path
        error.add_note(f"while following {' → '.join(path)}: step {len(path)}, {self._hop.rel!r}")
