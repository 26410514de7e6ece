"""A place in the graph, and the way on from there.

Knows who can fetch. Must not do I/O but where a method is awaited, and never changes: reading again gives another
resource.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar, Unpack, cast, overload

import attrs

from stellantis_hal.errors import InvalidLinkError, LinkNotFoundError
from stellantis_hal.hal.headers import Headers
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.hal.uri import append_query, resolve, to_ascii
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.fetch import Request, Response
from stellantis_hal.navigation.follow import Follow
from stellantis_hal.navigation.follow_all import FollowResults, follow_all
from stellantis_hal.navigation.link_selection import (
    FollowOptions,
    LinkQuery,
    LinkTarget,
    Params,
    choose,
    copies,
    links_of,
    query_of,
    target,
)
from stellantis_hal.navigation.media_types import accept, media_type, read_document
from stellantis_hal.navigation.pagination.paginator import Absent, IndexRanges, Pages, Paginator
from stellantis_hal.navigation.rel import Rel
from stellantis_hal.navigation.resource_view import ResourceView
from stellantis_hal.navigation.snapshot import Dump, Snapshot, StateStep, load
from stellantis_hal.navigation.writes import WriteOptions, read_outcome, write_request, write_target

__all__ = ["HalResource"]

T = TypeVar("T")


class HalResource(ResourceView):
    """A snapshot of a place: its state, its links, and the way on.

    ``resource["vin"]`` and ``"vin" in resource`` read the state and never do I/O. It is made by a client, by following
    links, or by :meth:`load`; pickled or dumped it goes without its client.
    """

    __slots__ = ()

    @classmethod
    def of(cls, response: Response, context: ResourceContext) -> HalResource:
        """Read an answer.

        Raises:
            NotHalError: its body is no JSON object.
        """
        document = read_document(response)
        return cls(Snapshot.of(response, document), document, context)

    @classmethod
    async def reach(cls, url: str, context: ResourceContext, accept_type: str | None = None) -> HalResource:
        """Fetch an absolute address.

        Raises:
            StellantisError: whatever fetching raises, or the body is no JSON object.
        """
        return cls.of(await context.fetch(Request(url=url, headers={"Accept": accept(accept_type)})), context)

    # --------------------------------------------------------------------------------------------- following

    @overload
    def follow(self, rel: Rel[T], **options: Unpack[FollowOptions]) -> Follow[T]: ...
    @overload
    def follow(self, rel: str, **options: Unpack[FollowOptions]) -> Follow[HalResource]: ...
    def follow(self, rel: str | Rel[Any], **options: Unpack[FollowOptions]) -> Follow[Any]:
        """Build a step along a link, by its relation or a typed one; awaiting it takes the step.

        The options choose among links (``name``, ``index``, ``where``), fill in their templates (``variables``), add to
        their queries (``params``), say whether an embedded copy may serve (``embedded``) and which media type to ask
        for (``accept``): see :class:`~stellantis_hal.navigation.FollowOptions`.
        """
        return Follow.along(self, rel, options)

    def can(self, rel: str) -> bool:
        """Tell whether there is a link or an embedded copy of a relation."""
        document = self.document
        return bool(links_of(document, rel)) or any(document.embedded[key] for key in copies(document, rel))

    def items(
        self,
        rel: str | None = None,
        *,
        reverse: bool = False,
        absent: Absent | None = None,
        ranges: IndexRanges | None = None,
    ) -> Paginator[HalResource]:
        """Walk the items of this collection, from this page on; see :class:`~stellantis_hal.navigation.Paginator`."""
        return Paginator.over(self, rel, reverse=reverse, absent=absent, ranges=ranges)

    def pages(self, rel: str | None = None, *, token: str | None = None) -> Pages[HalResource]:
        """Walk the pages of this collection, from this one or from where a token was given out."""
        return self.items(rel).pages(token)

    async def reopened(self) -> HalResource:
        """Give the first page of a walk that starts here: this one."""
        return self

    async def locate(self, params: Params) -> str:
        """Give its own address with parameters added."""
        return append_query(self.url, query_of(params))

    def follow_all(self, rel: str, *, limit: int = 8) -> AbstractAsyncContextManager[FollowResults]:
        """Follow every link of a relation, at most ``limit`` at a time; the outcomes come in the links' order."""
        links = links_of(self.document, rel) or (None,) * len(self.embedded(rel))
        return follow_all([(link, LinkQuery(rel=rel, index=at)) for at, link in enumerate(links)], self.step, limit)

    async def step(self, hop: LinkQuery) -> HalResource:
        """Take a step at once.

        Raises:
            HalError: there is no way to go; see :meth:`follow`.
            StellantisError: whatever fetching raises.
        """
        choice = choose(self.document, self.base, hop)
        return self.copy_at(choice) or await self.fetch_choice(choice, hop)

    def copy_at(self, choice: LinkTarget) -> HalResource | None:
        """Give the embedded copy that a choice fell on, if it fell on one."""
        if choice.copy is None:
            return None
        rel, index = choice.copy
        return self._copy(rel, index, self.document.embedded[rel][index])

    async def fetch_choice(self, choice: LinkTarget, hop: LinkQuery) -> HalResource:
        """Fetch the address that a choice fell on."""
        assert choice.link is not None  # noqa: S101 - a choice without a copy has a link
        assert choice.url is not None  # noqa: S101 - and so an address
        return await self._go(choice.link, choice.url, hop.accept)

    async def along(self, link: Link) -> HalResource:
        """Fetch what one of its links leads to.

        Raises:
            HalError: the link leads nowhere.
            StellantisError: whatever fetching raises.
        """
        return await self._go(link, target(link, self.base), link.type or self._own_type())

    async def _go(self, link: Link, url: str, accept_type: str | None) -> HalResource:
        self.require_context().notify(link, self.base)
        return await self.visit(url, accept_type=accept_type or link.type)

    def as_(self, kind: type[T]) -> T:
        """Make a value of it, by the client's way of doing so."""
        return cast("T", self.require_context().structure(self, kind))

    async def visit(self, url: str, *, accept_type: str | None = None) -> HalResource:
        """Fetch an absolute address on a trusted origin."""
        return await HalResource.reach(url, self.require_context(), accept_type)

    # --------------------------------------------------------------------------------------------- reading again

    async def fetch(self) -> HalResource:
        """Read it again, whole; for an embedded copy: read the full one.

        Raises:
            InvalidLinkError: it is embedded and has no ``self``.
        """
        return await self.visit(self._own_url(), accept_type=self._own_type())

    def _own_type(self) -> str | None:
        """Tell which media type to ask for again: the one that it came in, or that its ``self`` hints at."""
        if self._steps:
            return next((link.type for link in self.links.get("self", ())), None)
        return media_type(self.headers.get("content-type", ""))[0] or None

    def _own_url(self) -> str:
        url = self.self_url if self._steps else self.base
        if url is None:
            raise InvalidLinkError(
                f"this copy, embedded at {mask_url(self.base)}, has no self link: it cannot be read by itself",
                url=self.base,
            )
        return url

    async def refresh(self) -> HalResource:
        """Read it again if it has changed (If-None-Match, If-Modified-Since); else the same state with a new age.

        Raises:
            InvalidLinkError: it is embedded and has no ``self``.
        """
        url, context = self._own_url(), self.require_context()
        conditions = {} if self._steps else self._snapshot.validators
        fields = {"Accept": accept(self._own_type()), **conditions}
        response = await context.fetch(Request(url=url, headers=fields))
        if response.status != 304 or not conditions:
            return HalResource.of(response, context)
        renewed = attrs.evolve(
            self._snapshot,
            headers=Headers({**self.headers, **response.headers}),
            fetched_at=response.received_at,
        )
        return HalResource(renewed, self._document, context)

    # --------------------------------------------------------------------------------------------- writing

    async def post(self, rel: str | None = None, **options: Unpack[WriteOptions]) -> HalResource:
        """POST to it, or along a link; never sent twice once the server may have seen it.

        What comes back is a resource too, whatever it holds, with ``status`` and ``location``. The options are those
        of :class:`~stellantis_hal.navigation.WriteOptions`.

        Raises:
            HalError: there is no such link, or ``if_match`` without an ETag.
            StellantisError: whatever sending raises.
        """
        return await self.write("POST", rel, **options)

    async def put(self, rel: str | None = None, **options: Unpack[WriteOptions]) -> HalResource:
        """PUT to it, or along a link; as :meth:`post`."""
        return await self.write("PUT", rel, **options)

    async def patch(self, rel: str | None = None, **options: Unpack[WriteOptions]) -> HalResource:
        """PATCH it, or what a link leads to; as :meth:`post`."""
        return await self.write("PATCH", rel, **options)

    async def delete(self, rel: str | None = None, **options: Unpack[WriteOptions]) -> HalResource:
        """DELETE it, or what a link leads to; as :meth:`post`."""
        return await self.write("DELETE", rel, **options)

    async def write(self, method: str, rel: str | None = None, **options: Unpack[WriteOptions]) -> HalResource:
        """Send any method to it, or along a link; as :meth:`post`."""
        context = self.require_context()
        url, link = write_target(self.document, self.base, self._own_url() if rel is None else None, rel, options)
        if link is not None:
            context.notify(link, self.base)
        is_own = url in (self.base, self.url)
        etag = self.headers.get("etag") if is_own and not self._steps else None
        response = await context.fetch(write_request(method, url, options, etag))
        if is_own:
            self._superseded = True
        response, document = read_outcome(response)
        return HalResource(Snapshot.of(response, document), document, context)

    @property
    def location(self) -> str | None:
        """The ``Location`` of an answer to a write (201, 202, 303), resolved; None where it has none."""
        location = self.headers.get("location")
        return None if location is None else resolve(self.base, to_ascii(location)).partition("#")[0]

    async def follow_location(self) -> HalResource:
        """Read what a write made, or where its outcome is.

        Raises:
            LinkNotFoundError: the answer named no place.
        """
        if self.location is None:
            raise LinkNotFoundError(
                f"the answer {self.status} of {mask_url(self.base)} has no Location header",
                rel="Location",
                url=self.base,
            )
        return await self.visit(self.location)

    # --------------------------------------------------------------------------------------------- keeping

    @classmethod
    def load(cls, kept: Mapping[str, Any], context: ResourceContext | None = None) -> HalResource:
        """Read a dump; without a binding it can be read, not followed.

        Raises:
            ValueError: it is no dump.
        """
        snapshot, document = load(kept)
        return cls(snapshot, document, context, (StateStep(()),) if kept.get("embedded") else ())

    def __reduce__(self) -> tuple[Callable[..., HalResource], tuple[Dump]]:
        return HalResource.load, (self.dump(),)
