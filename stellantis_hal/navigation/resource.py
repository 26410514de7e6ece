"""Resources: snapshots of a document, with the links that lead on from it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

import attrs

from stellantis_hal.errors import ApiError, InvalidLinkError, LinkNotFoundError
from stellantis_hal.hal.document import HalDocument, parse_root
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.redaction import mask_repr, mask_url
from stellantis_hal.hal.uri import append_query, resolve, to_ascii
from stellantis_hal.navigation.cache.validators import merge_headers
from stellantis_hal.navigation.conditions import is_condition
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.download import MAX_DOWNLOAD, Download, download
from stellantis_hal.navigation.fetch_protocol import Request, Response, make_get
from stellantis_hal.navigation.follow import Follow
from stellantis_hal.navigation.follow_all import FollowResults, follow_all
from stellantis_hal.navigation.lazy_body import BodyPathStep, LazyResponseBody
from stellantis_hal.navigation.link_selection import (
    FollowOptions,
    LinkQuery,
    LinkTarget,
    Params,
    embedded_keys,
    encode_params,
    find_links,
    link_url,
    not_found,
    select_link,
)
from stellantis_hal.navigation.media_types import links_of_header, media_type, read_document
from stellantis_hal.navigation.option_checks import WRITE_OPTIONS, check_option, check_options
from stellantis_hal.navigation.pagination.item_selection import (
    ItemLocation,
    ItemSource,
    check_size,
    leads_to_collection,
    pair_links,
)
from stellantis_hal.navigation.pagination.page_source import MAX_LINKED_ITEMS
from stellantis_hal.navigation.pagination.paginator import Absent, IndexRangeSyntax, Pages, Paginator
from stellantis_hal.navigation.request_headers import override_headers, repeated_headers
from stellantis_hal.navigation.resource_serialization import Dump, load, picklable_dump
from stellantis_hal.navigation.resource_view import ResourceView
from stellantis_hal.navigation.response_snapshot import ResponseSnapshot, WriteOutcome
from stellantis_hal.navigation.typed_rel import Rel
from stellantis_hal.navigation.writes import (
    WriteOptions,
    read_outcome,
    send_write,
    write_request,
    write_target,
)
from stellantis_hal.navigation.written_resource import header_url, identify, stated_self

if TYPE_CHECKING:
    from stellantis_hal.navigation.forms import Forms


__all__ = ["HalResource"]

T = TypeVar("T")
_MAX_CHAIN = 16  # of POSTs, each to the response of the one before


class HalResource(ResourceView):
    """A snapshot of a resource: its state, its links, and what can be done with them.

    ``resource["vin"]`` and ``"vin" in resource`` read the state and never do I/O. Resources are made by a client, by
    following links, or by :meth:`load`; pickled or dumped they lose their client. A resource never changes: reading it
    again returns another one.
    """

    __slots__ = ()

    @classmethod
    def of(cls, response: Response, context: ResourceContext, asked: Mapping[str, str] | None = None) -> HalResource:
        """Return the resource that a response contains: any JSON value, or none.

        Args:
            response: of a read.
            context: of the client.
            asked: the header fields that the caller added to the request.

        Raises:
            NotHalError: the body is not JSON.
        """
        document = read_document(response)
        context.notify_response(response.headers, response.url)
        return cls(ResponseSnapshot.of(response, document, asked=asked), document, context)

    @classmethod
    async def from_url(
        cls,
        url: str,
        context: ResourceContext,
        accept_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        reload: bool = False,
    ) -> HalResource:
        """Fetch an absolute URL; with ``reload`` the server is asked even where a cache has a fresh copy.

        Raises:
            StellantisError: fetching failed, or the body is not JSON.
        """
        fields = context.request_headers(accept_type, headers)
        request = make_get(url, {**context.reload_fields, **fields} if reload else fields)
        try:
            response = await context.fetch(request)
        except ApiError as error:
            cls.add_to(error, context)
            raise
        return cls.of(response, context, headers)

    @classmethod
    def add_to(cls, error: ApiError, context: ResourceContext) -> None:
        """Add the response of an error to it as a resource, where its body is JSON: its links and forms work.

        A write to it without a relation is refused, because it shows the error and not the resource.
        """
        headers = Headers(error.headers)
        header_links = links_of_header(headers, error.url) if error.url else ()
        if error.resource is None and (error.document is not None or header_links):
            is_empty = error.document is None
            document = parse_root(error.document, is_empty=is_empty, header_links=header_links, base=error.url)
            snapshot = ResponseSnapshot(
                url=error.url,
                status=error.status,
                headers=headers,
                fetched_at=context.clock(),
                content=LazyResponseBody.of(document),
                outcome=WriteOutcome(),
            )
            error.resource = cls(snapshot, document, context)

    # --------------------------------------------------------------------------------------------- following

    @overload
    def follow(self, rel: Rel[T], **options: Unpack[FollowOptions]) -> Follow[T]: ...
    @overload
    def follow(self, rel: str, **options: Unpack[FollowOptions]) -> Follow[HalResource]: ...
    def follow(self, rel: str | Rel[Any], **options: Unpack[FollowOptions]) -> Follow[Any]:
        """Return a link; awaiting it follows it.

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
        return Follow.from_rel(self, rel, options)

    def expand(self, rel: str, **options: Unpack[FollowOptions]) -> str:
        """Return the URL that a link leads to, expanded and absolute; nothing is sent.

        Where there is no link, that of an embedded copy.

        Args:
            rel: the relation.
            options: those of :meth:`follow`.

        Raises:
            HalError: the link is missing, ambiguous or invalid, or the copy has no URL of its own.
        """
        return self.expand_query(LinkQuery(rel=rel, **options))

    def expand_query(self, query: LinkQuery) -> str:
        """Return the URL that a link query leads to; nothing is sent.

        Raises:
            HalError: the link is missing, ambiguous or invalid, or the copy has no URL of its own.
        """
        target = select_link(self.document, self.base, query)
        if target.url is not None:
            return target.url
        if target.link is not None:
            return link_url(target.link, self.base, query.variables, query.params)
        copy = self.embedded_copy(target)
        if copy is None or copy.self_url is None:
            raise InvalidLinkError(
                f"{mask_repr(query.rel)} at {mask_url(self.base)} is embedded without a link, and its copy has no self "
                "link: it has no URL",
                url=self.base,
            )
        return append_query(copy.self_url, encode_params(query.params or {}))

    def can(self, rel: str) -> bool:
        """Return whether there is a link that can be followed, or an embedded copy, of a relation."""
        document = self.document
        has_link = any(link.href is not None for link in find_links(document, rel))
        return has_link or any(document.embedded[key] for key in embedded_keys(document, rel))

    def follow_all(
        self, rel: str, *, limit: int = 8, headers: Mapping[str, str] | None = None
    ) -> AbstractAsyncContextManager[FollowResults]:
        """Follow every link of a relation, at most ``limit`` at a time; the results come in the links' order.

        An embedded copy serves where its ``self`` is the link's target; copies that no link leads to come last.

        Args:
            rel: the relation.
            limit: how many links to follow at a time; default 8.
            headers: header fields to add; default None: none.

        Raises:
            LinkNotFoundError: there is neither a link nor an embedded copy of the relation.
            TooManyValuesError: there are more than 20,000.
        """
        check_size(self)
        start = self._with_headers(headers)
        document = self.document
        links = find_links(document, rel)
        pairs, rest = pair_links(start, links, self.embedded(rel))
        if not pairs and not rest and not ItemLocation(rel).has(self):
            raise not_found(document, self.base, LinkQuery(rel=rel))
        if len(links) == 1 and leads_to_collection(document, links[0], rel):
            rest = []
        return follow_all([*pairs, *((None, copy) for copy in rest)], limit)

    def download(
        self,
        rel: str | Rel[Any] | None = None,
        *,
        url: str | None = None,
        credentials: bool = True,
        limit: int = MAX_DOWNLOAD,
        accept: str | None = None,
        name: str | None = None,
        index: int | None = None,
        where: Callable[[Link], bool] | None = None,
        variables: Params | None = None,
        params: Params | None = None,
    ) -> AbstractAsyncContextManager[Download]:
        """Return the body of a link's target, of any media type, to be read piece by piece.

        ::

            async with resource.download("avatar", limit=10_000_000) as chunks:
                async for chunk in chunks:
                    file.write(chunk)

        Args:
            rel: the relation; default None: the resource's own URL.
            url: a URL to download instead, such as one in the state, resolved against the resource's; default None.
            credentials: False: nothing that identifies the caller is sent, and any host may be asked, as pictures on
                foreign hosts need; default True: trusted origins only.
            limit: bytes, decompressed, at most; default 64 MiB.
            accept: the media type to ask for; default None: the type that the link hints at, else any.
            name: the link's secondary key; default None: any.
            index: its index among the links that match; default None: there must be only one.
            where: a predicate that the link has to satisfy; default None: any.
            variables: values for its template; default None: none.
            params: query parameters to append; None values are left out, lists repeat the name; default None.

        Raises:
            BodyTooLargeError: while it is read: it is larger than the limit.
            HalError: on entering: the link is missing, ambiguous or invalid, or leads off the trusted origins.
            StellantisError: on entering: the request failed.
            TypeError: both ``rel`` and ``url`` are given.
        """
        if rel is None or url is not None:
            if rel is not None:
                raise TypeError("download() takes a relation or url=, not both")
            query = None
        else:
            query = LinkQuery(
                rel=rel.name if isinstance(rel, Rel) else rel,
                name=name, index=index, where=where, variables=variables, params=params, embedded="never",
            )  # fmt: skip
        return self._download(query, url, params or {}, accept_type=accept, limit=limit, credentials=credentials)

    @asynccontextmanager
    async def _download(
        self,
        query: LinkQuery | None,
        url: str | None,
        params: Params,
        *,
        accept_type: str | None,
        limit: int,
        credentials: bool,
    ) -> AsyncGenerator[Download]:
        context = self.require_context()
        if query is None:
            target = self._own_url() if url is None else resolve(self.base, to_ascii(url)).partition("#")[0]
            target = append_query(target, encode_params(params))
        else:
            found = select_link(self.document, self.base, query)
            assert found.url is not None  # noqa: S101 - embedded copies were excluded
            assert found.link is not None  # noqa: S101 - and a URL comes from a link
            context.notify(found.link, self.base)
            target, accept_type = found.url, accept_type or found.link.type
        async with download(context, target, accept=accept_type, limit=limit, credentials=credentials) as chunks:
            yield chunks

    def embedded_copy(self, target: LinkTarget) -> HalResource | None:
        """Return the embedded copy that was selected; None where a URL was selected."""
        if target.copy is None:
            return None
        rel, index = target.copy
        return self._embedded_at(rel, index, self.document.embedded[rel][index])

    async def fetch_target(
        self, target: LinkTarget, accept_type: str | None = None, headers: Mapping[str, str] | None = None
    ) -> HalResource:
        """Fetch the URL that was selected; warn where its link is deprecated.

        Raises:
            StellantisError: fetching failed, or the body is not JSON.
        """
        context, link, url = self.require_context(), target.link, target.url
        assert link is not None  # noqa: S101 - a target without an embedded copy has a link
        assert url is not None  # noqa: S101 - and its URL
        context.notify(link, self.base)
        request = make_get(url, context.request_headers(accept_type or link.type, headers))
        try:  # not by from_url: one frame less for each item of a walk
            response = await context.fetch(request)
        except ApiError as error:
            self.add_to(error, context)
            raise
        return HalResource.of(response, context, headers)

    async def fetch_link(self, link: Link) -> HalResource:
        """Fetch what one of its links leads to.

        Raises:
            HalError: the link is invalid.
            StellantisError: fetching failed.
        """
        target = LinkTarget(link, link_url(link, self.base))
        return await self.fetch_target(target, link.type or self._own_type(), self._snapshot.asked)

    async def fetch_url(
        self, url: str, *, accept_type: str | None = None, headers: Mapping[str, str] | None = None
    ) -> HalResource:
        """Fetch an absolute URL on a trusted origin.

        Args:
            url: the URL.
            accept_type: the media type to ask for; None: the client's.
            headers: header fields to add; None: those that this resource was read with.
        """
        asked = self._snapshot.asked if headers is None else headers
        return await HalResource.from_url(url, self.require_context(), accept_type, asked)

    def as_(self, kind: type[T]) -> T:
        """Convert it to a type, by the client's converter; a resource stays as it is."""
        if type(kind) is type and isinstance(self, kind):
            return self
        return self.require_context().converter.structure(self, kind)

    # --------------------------------------------------------------------------------------------- pagination

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
    ) -> Paginator[HalResource]:
        """Return a paginator over the items of this collection, from this page on; of an array, over its objects.

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
        return Paginator.over(
            start,
            rel,
            items_from=source,
            limit=limit,
            unique=unique,
            reverse=reverse,
            absent=absent,
            ranges=ranges,
        )

    def pages(
        self, rel: str | None = None, *, token: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Pages[HalResource]:
        """Return the pages of this collection.

        Args:
            rel: the relation of the items, as in :meth:`items`; default None.
            token: a ``page.token`` after whose page to resume; default None: from this page.
            headers: header fields to add to the request of each page; default None: none.
        """
        return self.items(rel, headers=headers).pages(token)

    def _with_headers(self, headers: Mapping[str, str] | None) -> HalResource:
        if headers is None:
            return self
        check_option("headers", headers)
        snapshot = attrs.evolve(self._snapshot, asked=repeated_headers(override_headers(self._snapshot.asked, headers)))
        return HalResource(snapshot, self._document, self._context, self._steps, superseded=self._superseded)

    async def first_page(self) -> HalResource:
        """Return the first page of an iteration that starts here: this resource."""
        return self

    async def resolve_url(self, params: Params) -> str:
        """Return its own URL with query parameters added."""
        return append_query(self.url, encode_params(params))

    # --------------------------------------------------------------------------------------------- reading again

    async def fetch(self, *, headers: Mapping[str, str] | None = None) -> HalResource:
        """Read it again, completely; for an embedded copy: read the full resource.

        Args:
            headers: header fields to add to those that it was read with; default None: none.

        Raises:
            InvalidLinkError: it has no URL of its own: it is embedded without a ``self`` link, or the response of a
                write that does not say which resource it is about.
        """
        url, asked = self._own_url(), self._asked(headers)
        return await HalResource.from_url(url, self.require_context(), self._own_type(), asked)

    def _asked(self, headers: Mapping[str, str] | None) -> Mapping[str, str]:
        check_option("headers", headers)
        return override_headers(self._snapshot.asked, headers)

    def _own_type(self) -> str | None:
        """Return the media type to ask for again: that of the response, or the hint of an embedded copy's ``self``."""
        if self._steps:
            return next((link.type for link in self.links.get("self", ())), None)
        return media_type(self.headers.content_type)[0] or None

    def _own_url(self) -> str:
        url = self.self_url if self._steps else self._snapshot.identity
        if url is not None:
            return url
        if self._steps:
            raise InvalidLinkError(
                f"this copy, embedded at {mask_url(self.base)}, has no self link: it cannot be read or written to "
                "alone; fetch the resource that embeds it",
                url=self.base,
            )
        raise InvalidLinkError(
            f"which resource the response {self.status} of {mask_url(self.base)} is about is unknown: it has no "
            "Content-Location, no Location of a 201 and no self link, or they are those of the collection; name a "
            "relation, or use the resource that was written to",
            url=self.base,
        )

    async def refresh(self, *, headers: Mapping[str, str] | None = None) -> HalResource:
        """Read it again if it has changed (If-None-Match, If-Modified-Since); else return its state with a new age.

        The server is asked in any case, whether or not a cache has a fresh copy.

        Args:
            headers: header fields to add to those that it was read with; default None: none.

        Raises:
            InvalidLinkError: it has no URL of its own, as for :meth:`fetch`.
        """
        url, context, asked = self._own_url(), self.require_context(), self._asked(headers)
        conditions = {} if self._steps else self._snapshot.validators
        fields = context.request_headers(self._own_type(), {**context.reload_fields, **conditions, **asked})
        try:
            response = await context.fetch(Request(url=url, headers=fields))
        except ApiError as error:
            self.add_to(error, context)
            raise
        if response.status != 304 or not conditions:
            return HalResource.of(response, context, asked)
        renewed = attrs.evolve(
            self._snapshot,
            headers=merge_headers(self.headers, response.headers),
            fetched_at=response.received_at,
            initial_age=response.initial_age,
        )
        return HalResource(renewed, self._renewed_document(response), context)

    def _renewed_document(self, response: Response) -> HalDocument | None:
        """Return its document with the links of a newer response's header; those of its own where that has none."""
        header_links = links_of_header(response.headers, response.url)
        if not header_links:
            return self._document
        document = self.document
        return parse_root(
            document.value,
            is_empty=document.kind == "empty",
            curies=document.inherited,
            header_links=header_links,
            base=response.url,
        )

    # --------------------------------------------------------------------------------------------- writing

    async def post(self, rel: str | None = None, **options: Unpack[WriteOptions]) -> HalResource:
        """Send a POST request to it, or along a link; never sent twice once the server may have received it.

        The result is a resource too, even if its body is not a document, with ``status`` and ``location``. Its own URL
        is what the response says, never the collection that was posted to.

        Args:
            rel: the relation of the link to send to; default None: the resource's own URL.
            options: keyword arguments:

                - ``json``: a value to send as JSON, for example the ``state`` of a resource; default None: none.
                - ``form``: fields to send urlencoded, or with ``files`` as multipart/form-data; default None: none.
                - ``files``: files by the name of their field: bytes, a Path, a file opened in binary mode, or
                  ``(name, content, media type)``; default None: none.
                - ``content``: a body as it is sent: bytes, a Path, a file opened in binary mode, or an asynchronous
                  iterable of bytes; default None: none.
                - ``content_type``: the media type of ``json`` or ``content``; default "application/json".
                - ``accept``: the media type to ask for; default None: the client's.
                - ``headers``: header fields to add; default None: none.
                - ``if_match``: an ETag to compare with, or "*"; True: only if the resource is unchanged since it was
                  read, by its strong ETag; False: unconditionally; default: False.
                - ``if_none_match``: "*": only if there is no such resource yet; or an ETag; default None: neither.
                - ``idempotency_key``: a key with which the server tells repetitions of a request; True: a new one;
                  default None: none. With a key the request is repeated after failures of the network.
                - ``prefer``: a preference such as "return=representation"; default None: none.
                - ``params``: query parameters to append; None values are left out, lists repeat the name; default None.
                - ``name``: the link's secondary key; default None: any.
                - ``index``: its index among the links that match; default None: there must be only one.
                - ``where``: a predicate that the link has to satisfy; default None: any.
                - ``variables``: values for its template; default None: none.

        Raises:
            TypeError: there is no such option, one has another type, or there are two bodies.
            HalError: the link is missing, ambiguous or invalid; ``rel`` is None, and this is the response of a write
                that does not say which resource it is about; or ``if_match=True`` without a strong ETag.
            PreconditionFailedError: the resource was changed since it was read.
            StellantisError: sending failed.
        """
        return await self._write("post", rel, options)

    async def put(self, rel: str | None = None, **options: Unpack[WriteOptions]) -> HalResource:
        """Send a PUT request to it, or along a link, and return the response as a resource.

        Args:
            rel: the relation of the link to send to; default None: the resource's own URL.
            options: keyword arguments:

                - ``json``: a value to send as JSON, for example the ``state`` of a resource; default None: none.
                - ``form``: fields to send urlencoded, or with ``files`` as multipart/form-data; default None: none.
                - ``files``: files by the name of their field: bytes, a Path, a file opened in binary mode, or
                  ``(name, content, media type)``; default None: none.
                - ``content``: a body as it is sent: bytes, a Path, a file opened in binary mode, or an asynchronous
                  iterable of bytes; default None: none.
                - ``content_type``: the media type of ``json`` or ``content``; default "application/json".
                - ``accept``: the media type to ask for; default None: the client's.
                - ``headers``: header fields to add; default None: none.
                - ``if_match``: an ETag to compare with, or "*"; True: only if the resource is unchanged since it was
                  read, by its strong ETag; False: unconditionally; default: True where
                  a validator is known (or by its Last-Modified where it has no strong ETag); see ``condition``.
                - ``if_none_match``: "*": only if there is no such resource yet; or an ETag; default None: neither.
                - ``idempotency_key``: a key with which the server tells repetitions of a request; True: a new one;
                  default None: none. With a key the request is repeated after failures of the network.
                - ``prefer``: a preference such as "return=representation"; default None: none.
                - ``params``: query parameters to append; None values are left out, lists repeat the name; default None.
                - ``name``: the link's secondary key; default None: any.
                - ``index``: its index among the links that match; default None: there must be only one.
                - ``where``: a predicate that the link has to satisfy; default None: any.
                - ``variables``: values for its template; default None: none.

        Raises:
            TypeError: there is no such option, one has another type, or there are two bodies.
            HalError: the link is missing, ambiguous or invalid; ``rel`` is None, and this is the response of a write
                that does not say which resource it is about; or ``if_match=True`` without a strong ETag.
            PreconditionFailedError: the resource was changed since it was read.
            StellantisError: sending failed.
        """
        return await self._write("put", rel, options)

    async def patch(self, rel: str | None = None, **options: Unpack[WriteOptions]) -> HalResource:
        """Send a PATCH request to it, or along a link, and return the response as a resource.

        Args:
            rel: the relation of the link to send to; default None: the resource's own URL.
            options: keyword arguments:

                - ``json``: a value to send as JSON, for example the ``state`` of a resource; default None: none.
                - ``form``: fields to send urlencoded, or with ``files`` as multipart/form-data; default None: none.
                - ``files``: files by the name of their field: bytes, a Path, a file opened in binary mode, or
                  ``(name, content, media type)``; default None: none.
                - ``content``: a body as it is sent: bytes, a Path, a file opened in binary mode, or an asynchronous
                  iterable of bytes; default None: none.
                - ``content_type``: the media type of ``json`` or ``content``; default "application/json".
                - ``accept``: the media type to ask for; default None: the client's.
                - ``headers``: header fields to add; default None: none.
                - ``if_match``: an ETag to compare with, or "*"; True: only if the resource is unchanged since it was
                  read, by its strong ETag; False: unconditionally; default: True where
                  a validator is known (or by its Last-Modified where it has no strong ETag); see ``condition``.
                - ``if_none_match``: "*": only if there is no such resource yet; or an ETag; default None: neither.
                - ``idempotency_key``: a key with which the server tells repetitions of a request; True: a new one;
                  default None: none. With a key the request is repeated after failures of the network.
                - ``prefer``: a preference such as "return=representation"; default None: none.
                - ``params``: query parameters to append; None values are left out, lists repeat the name; default None.
                - ``name``: the link's secondary key; default None: any.
                - ``index``: its index among the links that match; default None: there must be only one.
                - ``where``: a predicate that the link has to satisfy; default None: any.
                - ``variables``: values for its template; default None: none.

        Raises:
            TypeError: there is no such option, one has another type, or there are two bodies.
            HalError: the link is missing, ambiguous or invalid; ``rel`` is None, and this is the response of a write
                that does not say which resource it is about; or ``if_match=True`` without a strong ETag.
            PreconditionFailedError: the resource was changed since it was read.
            StellantisError: sending failed.
        """
        return await self._write("patch", rel, options)

    async def delete(self, rel: str | None = None, **options: Unpack[WriteOptions]) -> HalResource:
        """Send a DELETE request to it, or along a link, and return the response as a resource.

        Args:
            rel: the relation of the link to send to; default None: the resource's own URL.
            options: keyword arguments:

                - ``json``: a value to send as JSON, for example the ``state`` of a resource; default None: none.
                - ``form``: fields to send urlencoded, or with ``files`` as multipart/form-data; default None: none.
                - ``files``: files by the name of their field: bytes, a Path, a file opened in binary mode, or
                  ``(name, content, media type)``; default None: none.
                - ``content``: a body as it is sent: bytes, a Path, a file opened in binary mode, or an asynchronous
                  iterable of bytes; default None: none.
                - ``content_type``: the media type of ``json`` or ``content``; default "application/json".
                - ``accept``: the media type to ask for; default None: the client's.
                - ``headers``: header fields to add; default None: none.
                - ``if_match``: an ETag to compare with, or "*"; True: only if the resource is unchanged since it was
                  read, by its strong ETag; False: unconditionally; default: True where
                  a validator is known (or by its Last-Modified where it has no strong ETag); see ``condition``.
                - ``if_none_match``: "*": only if there is no such resource yet; or an ETag; default None: neither.
                - ``idempotency_key``: a key with which the server tells repetitions of a request; True: a new one;
                  default None: none. With a key the request is repeated after failures of the network.
                - ``prefer``: a preference such as "return=representation"; default None: none.
                - ``params``: query parameters to append; None values are left out, lists repeat the name; default None.
                - ``name``: the link's secondary key; default None: any.
                - ``index``: its index among the links that match; default None: there must be only one.
                - ``where``: a predicate that the link has to satisfy; default None: any.
                - ``variables``: values for its template; default None: none.

        Raises:
            TypeError: there is no such option, one has another type, or there are two bodies.
            HalError: the link is missing, ambiguous or invalid; ``rel`` is None, and this is the response of a write
                that does not say which resource it is about; or ``if_match=True`` without a strong ETag.
            PreconditionFailedError: the resource was changed since it was read.
            StellantisError: sending failed.
        """
        return await self._write("delete", rel, options)

    async def write(self, method: str, rel: str | None = None, **options: Unpack[WriteOptions]) -> HalResource:
        """Send a request of any method to it, or along a link; the options are those of :meth:`put`."""
        return await self._write(method, rel, options, call="write")

    async def _write(self, method: str, rel: str | None, options: WriteOptions, call: str | None = None) -> HalResource:
        check_options(call or method, options, WRITE_OPTIONS)
        context = self.require_context()
        url, link = write_target(self.document, self.base, self._own_url() if rel is None else None, rel, options)
        if link is not None:
            context.notify(link, self.base)
        request = write_request(method, url, options, context, self.validators_for(url))
        return await self.send(request, options.get("headers"))

    def validators_for(self, url: str) -> tuple[Headers | None, Mapping[str, Any]] | None:
        """Return what a write to a URL can be made conditional on; None where the URL is not this resource's own."""
        if self._steps:
            return (None, self.state) if url == self.self_url else None
        return (self._snapshot.own_headers, self.state) if url == self._snapshot.identity else None

    async def send(self, request: Request, asked: Mapping[str, str] | None = None) -> HalResource:
        """Send a request that a write or one of its forms made, and return the response as a resource.

        Args:
            request: what to send.
            asked: the header fields that the caller added.

        Raises:
            StellantisError: sending failed.
        """
        outcome = self._snapshot.outcome
        posted_to = () if outcome is None else outcome.posted_to
        answer = await HalResource.answer_to(request, self.require_context(), asked, posted_to)
        if request.method not in {"GET", "HEAD"} and request.url == (
            self.self_url if self._steps else self._snapshot.identity
        ):
            self._superseded = True
        return answer

    @classmethod
    async def answer_to(
        cls,
        request: Request,
        context: ResourceContext,
        asked: Mapping[str, str] | None = None,
        posted_to: tuple[str, ...] = (),
    ) -> HalResource:
        """Send a request of any method, and return its response as a resource.

        Args:
            request: what to send; default header fields of the client are added.
            context: of the client.
            asked: the header fields that the caller added.
            posted_to: targets of the POSTs that led to this request.

        Raises:
            StellantisError: sending failed.
        """
        if context.headers:
            request = attrs.evolve(request, headers=override_headers(context.headers, request.headers))
        try:
            target, response = await send_write(context, request)
        except ApiError as error:
            cls.add_to(error, context)
            raise
        if request.method == "GET":
            return cls.of(response, context, asked)
        response, document = read_outcome(response)
        context.notify_response(response.headers, response.url)
        found = identify(request.method, target, response, stated_self(document, response, target), posted_to)
        condition = next((f"{name}: {value}" for name, value in request.headers.items() if is_condition(name)), None)
        posted_to = (*posted_to, target)[-_MAX_CHAIN:] if request.method == "POST" else posted_to
        outcome = WriteOutcome(found.url, found.has_validators, condition, posted_to)
        return cls(ResponseSnapshot.of(response, document, outcome=outcome, asked=asked), document, context)

    @property
    def forms(self) -> Forms:
        """Its forms (HAL-FORMS) by their keys: ``await resource.forms["add"].submit(name="Ann")``."""
        from stellantis_hal.navigation.forms import Forms

        return Forms(self, self.document)

    @property
    def location(self) -> str | None:
        """The ``Location`` of the response to a write (201, 202, 303), resolved; None where it has none."""
        return header_url(self.headers, "location", self.base)

    async def follow_location(self, *, headers: Mapping[str, str] | None = None) -> HalResource:
        """Fetch the resource that a write created, or that tells its outcome.

        Args:
            headers: header fields to add; default None: none.

        Raises:
            LinkNotFoundError: the response has no ``Location`` header.
        """
        if self.location is None:
            raise LinkNotFoundError(
                f"the response {self.status} of {mask_url(self.base)} has no Location header",
                rel="Location",
                url=self.base,
            )
        check_option("headers", headers)
        return await HalResource.from_url(self.location, self.require_context(), headers=headers)

    # --------------------------------------------------------------------------------------------- dumping

    @classmethod
    def load(cls, dumped: Mapping[str, Any], context: ResourceContext | None = None) -> HalResource:
        """Read a dump; without a context it can be read, not followed.

        Raises:
            ValueError: the mapping is not a dump.
        """
        snapshot, document = load(dumped)
        return cls(snapshot, document, context, (BodyPathStep(()),) if dumped.get("embedded") else ())

    def __reduce__(self) -> tuple[Callable[..., HalResource], tuple[Dump]]:
        return HalResource.load, (picklable_dump(self.dump()),)
