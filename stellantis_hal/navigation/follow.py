"""Lazy chains of links, which do no I/O before they are awaited."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack, overload

import attrs

from stellantis_hal.errors import StellantisError
from stellantis_hal.hal.redaction import mask_repr, mask_text
from stellantis_hal.navigation.download import MAX_DOWNLOAD, Download
from stellantis_hal.navigation.link_selection import FollowOptions, LinkQuery, LinkTarget, Params, select_link
from stellantis_hal.navigation.no_truth_value import NoTruthValue
from stellantis_hal.navigation.option_checks import FOLLOW_OPTIONS, check_option, check_options
from stellantis_hal.navigation.pagination.item_selection import ItemSource
from stellantis_hal.navigation.pagination.page_source import MAX_LINKED_ITEMS
from stellantis_hal.navigation.pagination.paginator import Absent, IndexRangeSyntax, Pages, Paginator
from stellantis_hal.navigation.request_headers import override_headers
from stellantis_hal.navigation.single_flight import SingleFlight
from stellantis_hal.navigation.typed_rel import Rel
from stellantis_hal.validation import require_type

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["Follow"]

R = TypeVar("R")
T = TypeVar("T")


class Follow(NoTruthValue, Generic[R]):
    """A link to follow, after the links before it: ``await vehicle.follow("trips").follow("next")``.

    A relation is named by its key in ``_links``; where CURIEs are declared, also by its full URI, its compact URI, or
    its bare name (``books`` for ``shop:books``) if only one relation has that name.

    Awaiting it repeatedly, or in many tasks, costs one request; cancelling one of those tasks does not affect the
    others. Success is remembered, failure is not. Each link before it stays reachable through :attr:`previous`.
    """

    _instead = "await it"

    __slots__ = ("_flight", "_kind", "_query", "_resource", "_start", "_value", "previous")

    def __init__(
        self,
        start: HalResource | Callable[[], Awaitable[HalResource]],
        query: LinkQuery,
        kind: type[R] | None = None,
        previous: Follow[Any] | None = None,
    ) -> None:
        self._start = start
        self._query = query
        self._kind = kind
        self._resource: HalResource | None = None
        self._value: R | None = None
        self._flight: SingleFlight[HalResource] | None = None
        self.previous: Follow[Any] | None = previous

    @classmethod
    def from_rel(
        cls,
        start: HalResource | Callable[[], Awaitable[HalResource]],
        rel: str | Rel[Any],
        options: FollowOptions,
        previous: Follow[Any] | None = None,
    ) -> Follow[Any]:
        """Return the link of a relation, from the arguments of :meth:`follow`."""
        if options:
            check_options("follow", options, FOLLOW_OPTIONS)
        if isinstance(rel, str):
            return cls(start, LinkQuery(rel=rel, **options), previous=previous)
        require_type("a relation", rel, str, Rel)
        query = LinkQuery(rel=rel.name, **options)
        return cls(start, query if query.accept else attrs.evolve(query, accept=rel.accept), rel.type, previous)

    @property
    def path(self) -> tuple[str, ...]:
        """The relations from the start to this link."""
        return (*(self.previous.path if self.previous is not None else ()), self._query.rel)

    def __repr__(self) -> str:
        return f"<Follow {mask_text(' → '.join(self.path))}>"

    def __await__(self) -> Generator[Any, None, R]:
        return self._result().__await__()

    @overload
    def follow(self, rel: Rel[T], **options: Unpack[FollowOptions]) -> Follow[T]: ...
    @overload
    def follow(self, rel: str, **options: Unpack[FollowOptions]) -> Follow[HalResource]: ...
    def follow(self, rel: str | Rel[Any], **options: Unpack[FollowOptions]) -> Follow[Any]:
        """Return a link of the resource behind this link; awaiting it follows both.

        Args:
            rel: the relation, as a string or a typed :class:`~stellantis_hal.Rel`.
            options: keyword arguments:

                - ``name``: the link's secondary key; default None: any.
                - ``index``: its index among the links that match; default None: there must be only one.
                - ``where``: a predicate that the link has to satisfy; default None: any.
                - ``variables``: values for its template; default None: none.
                - ``params``: query parameters to append; None values are left out, lists repeat the name; default None.
                - ``embedded``: whether an embedded copy may serve: "prefer" (default: where it is the link's target, or
                  where there is no link), "never", or "only".
                - ``accept``: the media type to ask for; default None: the type that the link hints at.
                - ``headers``: header fields to add; default None: none.

        Raises:
            TypeError: there is no such option, or one has another type.
        """
        return Follow.from_rel(self.resource, rel, options, self)

    def items(
        self,
        rel: str | None = None,
        *,
        source: ItemSource = "auto",
        limit: int = MAX_LINKED_ITEMS,
        unique: bool = False,
        reverse: bool = False,
        absent: Absent | None = None,
        ranges: IndexRangeSyntax | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Paginator[R]:
        """Return a paginator over the items of the collection behind the link; each iteration reads it anew.

        Behind a typed relation, ``follow(Rel("orders", Order)).items()``, each item is an ``Order``.

        Args:
            rel: the relation that the items are embedded under or linked by; default None: the only list that is
                embedded, else ``item``.
            source: what is read: "auto" (default: what is embedded and linked, in the order of the links; an embedded
                copy where its ``self`` is the link's target, else what the link leads to), "embedded" (nothing is
                fetched but pages), "links" (each is fetched), or "state" (an array of objects in the state, such as
                ``_items``).
            limit: how many linked items are fetched at most; default 1,000. Beyond it the iteration stops, with
                :class:`~stellantis_hal.IncompleteCollectionWarning`.
            unique: leave out items that an earlier page had, as told by their ``id`` or URL; default False.
            reverse: go from the last page to the first; default False.
            absent: returns whether an error on the first page means that there are no items; default None: none does.
            ranges: the server's syntax of index ranges, for ``concurrent()`` and pages without links; default None.
            headers: header fields to add to the request of each page; default None: none.
        """
        start = self._with_headers(headers)
        items = Paginator.over(
            start,
            rel,
            items_from=source,
            limit=limit,
            unique=unique,
            reverse=reverse,
            absent=absent,
            ranges=ranges,
        )
        kind: Any = self._kind
        found: Any = items if kind is None else items.map(lambda item: item.as_(kind))
        typed: Paginator[R] = found
        return typed

    def pages(
        self, rel: str | None = None, *, token: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Pages[R]:
        """Return the pages of the collection behind the link.

        Args:
            rel: the relation of the items, as in :meth:`items`; default None.
            token: a ``page.token`` after whose page to resume; default None: from the first page.
            headers: header fields to add to the request of each page; default None: none.
        """
        return self.items(rel, headers=headers).pages(token)

    @asynccontextmanager
    async def download(
        self, *, credentials: bool = True, limit: int = MAX_DOWNLOAD, accept: str | None = None
    ) -> AsyncGenerator[Download]:
        """Follow the links before it, and return the body of its target, of any media type, to be read piece by piece.

        Args:
            credentials: False: nothing that identifies the caller is sent to the target, and it may be on any host, as
                pictures on foreign hosts need; default True: trusted origins only.
            limit: bytes, decompressed, at most; default 64 MiB.
            accept: the media type to ask for; default None: that of the link's options, else its hint, else any.

        Raises:
            BodyTooLargeError: while it is read: it is larger than the limit.
            HalError: on entering: a link is missing, ambiguous or invalid, or leads off the trusted origins.
            StellantisError: on entering: a request failed.
        """
        start, query = await self._start_resource(), self._query
        async with AsyncExitStack() as stack:
            try:
                chunks = await stack.enter_async_context(
                    start.download(
                        query.rel,
                        credentials=credentials,
                        limit=limit,
                        accept=accept or query.accept,
                        name=query.name,
                        index=query.index,
                        where=query.where,
                        variables=query.variables,
                        params=query.params,
                    )
                )
            except StellantisError as error:
                self._add_note(error)
                raise
            yield chunks

    async def resource(self) -> HalResource:
        """Follow the link and return the resource, also of a typed relation.

        Raises:
            HalError: the link is missing, ambiguous or invalid.
            StellantisError: fetching failed. A note names the link of the chain.
        """
        if self._resource is None:
            start = await self._start_resource()
            target = self._select(start, self._query)
            copy = start.embedded_copy(target)
            if copy is None:
                self._flight = self._flight or SingleFlight()
                return await self._flight.run(partial(self._fetch_once, start, target))
            self._resource = copy
        return self._resource

    async def first_page(self) -> HalResource:
        """Follow the link anew and return the resource: an iteration starts with the collection's current state."""
        start = await self._start_resource()
        target = self._select(start, self._query)
        try:
            return start.embedded_copy(target) or await start.fetch_target(
                target, self._query.accept, self._query.headers
            )
        except StellantisError as error:
            self._add_note(error)
            raise

    async def expand(self, *, variables: Params | None = None, params: Params | None = None) -> str:
        """Return the URL that the link leads to, without fetching it; only links before it are followed.

        Where there is no link, that of an embedded copy.

        Args:
            variables: values for its template, besides those of :meth:`follow`; default None: none.
            params: query parameters to append, besides those of :meth:`follow`; default None: none.

        Raises:
            HalError: the link is missing, ambiguous or invalid, or the copy has no URL of its own.
            StellantisError: fetching a resource before it failed.
        """
        start = await self._start_resource()
        query = attrs.evolve(
            self._query,
            variables={**(self._query.variables or {}), **(variables or {})} or None,
            params={**(self._query.params or {}), **(params or {})} or None,
        )
        try:
            return start.expand_query(query)
        except StellantisError as error:
            self._add_note(error)
            raise

    async def resolve_url(self, params: Params) -> str:
        """Return the URL that the link leads to, with query parameters added; it is not fetched."""
        start = await self._start_resource()
        params = {**(self._query.params or {}), **params}
        url = self._select(start, attrs.evolve(self._query, params=params, embedded="never")).url
        assert url is not None  # noqa: S101 - embedded copies were excluded
        return url

    async def fetch_url(self, url: str) -> HalResource:
        """Fetch an absolute URL on a trusted origin."""
        start = await self._start_resource()
        return await start.fetch_url(url, accept_type=self._query.accept, headers=self._query.headers or {})

    def _with_headers(self, headers: Mapping[str, str] | None) -> Follow[R]:
        if headers is None:
            return self
        check_option("headers", headers)
        query = attrs.evolve(self._query, headers=override_headers(self._query.headers or {}, headers))
        return Follow(self._start, query, self._kind, self.previous)

    async def _result(self) -> Any:
        resource = await self.resource()
        if self._kind is None:
            return resource
        if self._value is None:
            self._value = resource.as_(self._kind)
        return self._value

    async def _start_resource(self) -> HalResource:
        return await self._start() if callable(self._start) else self._start

    async def _fetch_once(self, start: HalResource, target: LinkTarget) -> HalResource:
        if self._resource is None:
            try:
                self._resource = await start.fetch_target(target, self._query.accept, self._query.headers)
            except StellantisError as error:
                self._add_note(error)
                raise
        return self._resource

    def _select(self, start: HalResource, query: LinkQuery) -> LinkTarget:
        try:
            return select_link(start.document, start.base, query)
        except StellantisError as error:
            self._add_note(error)
            raise

    def _add_note(self, error: StellantisError) -> None:
        """Add a note that names the link of the chain at which an error occurred."""
        path = self.path
        error.add_note(f"while following {mask_text(' → '.join(path))}: step {len(path)}, {mask_repr(path[-1])}")
