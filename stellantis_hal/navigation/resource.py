"""A place in the graph, as it was when it was read.

Knows its document, its address and who can fetch. Must not do I/O but where a method is awaited, and never changes:
reading again gives another resource.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, TypeVar, Unpack, cast, overload

import attrs

from stellantis_hal.errors import DetachedResourceError, InvalidLinkError, LinkNotFoundError
from stellantis_hal.hal.document import HalDocument, State
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.masking import mask_url
from stellantis_hal.hal.uri import append_query, resolve, split, to_ascii
from stellantis_hal.navigation.binding import Binding, utc_now
from stellantis_hal.navigation.content import Embedded, Nested, Step
from stellantis_hal.navigation.fetch import Answer, Headers, Request
from stellantis_hal.navigation.follow import Follow
from stellantis_hal.navigation.follow_all import Outcomes, follow_all
from stellantis_hal.navigation.hop import (
    Choice,
    Hop,
    Params,
    Steering,
    choose,
    copies,
    links_of,
    query_of,
    self_url,
)
from stellantis_hal.navigation.media import accept, media_type, read_document
from stellantis_hal.navigation.paginator import Absent, IndexRanges, Pages, Paginator
from stellantis_hal.navigation.rel import Rel
from stellantis_hal.navigation.snapshot import Dump, Snapshot, dump, load
from stellantis_hal.navigation.writing import Writing, read_outcome, write_request, write_target

__all__ = ["HalResource"]

T = TypeVar("T")


class HalResource:
    """A snapshot of a place: its state, its links, and the way on.

    ``resource["vin"]`` and ``"vin" in resource`` read the state and never do I/O. It is made by a client, by following
    links, or by :meth:`load`; pickled or dumped it goes without its client.
    """

    __slots__ = ("__weakref__", "_binding", "_document", "_path", "_snapshot", "_superseded")

    def __init__(
        self,
        snapshot: Snapshot,
        document: HalDocument | None,
        binding: Binding | None,
        path: tuple[Step, ...] = (),
    ) -> None:
        self._snapshot = snapshot
        self._document = document
        self._binding = binding
        self._path = path
        self._superseded = False

    @classmethod
    def of(cls, answer: Answer, binding: Binding) -> HalResource:
        """Read an answer.

        Raises:
            NotHalError: its body is no JSON object.
        """
        document = read_document(answer)
        return cls(Snapshot.of(answer, document), document, binding)

    @classmethod
    async def reach(cls, url: str, binding: Binding, accept_type: str | None = None) -> HalResource:
        """Fetch an absolute address.

        Raises:
            StellantisError: whatever fetching raises, or the body is no JSON object.
        """
        return cls.of(await binding.fetch(Request(url=url, headers={"Accept": accept(accept_type)})), binding)

    # --------------------------------------------------------------------------------------------- reading

    def __getitem__(self, key: str) -> Any:
        return self.state[key]

    def __contains__(self, key: object) -> bool:
        return key in self.state

    def __iter__(self) -> Iterator[str]:
        return iter(self.state)

    def get(self, key: str, default: Any = None) -> Any:
        """Read a property of the state; the default where it is missing."""
        return self.state.get(key, default)

    def __repr__(self) -> str:
        where = mask_url(split(self.url)._replace(scheme=None, authority=None, fragment=None).__str__())
        embedded = ", ".join(f"{rel}×{len(found)}" for rel, found in self.document.embedded.items())
        kind = "embedded" if self.is_embedded else self.status
        return f"<HalResource {where} {kind} rels=[{', '.join(self.rels)}] embedded=[{embedded}]>"

    @property
    def document(self) -> HalDocument:
        """The document; read again from the shared bytes where this resource is compact."""
        return self._document if self._document is not None else self._snapshot.content.document(self._path)

    @property
    def state(self) -> State:
        """Its properties: the body without ``_links`` and ``_embedded``, immutable."""
        return self.document.state

    @property
    def links(self) -> Mapping[str, tuple[Link, ...]]:
        """The links of each relation, ``curies`` included."""
        return self.document.links

    @property
    def rels(self) -> tuple[str, ...]:
        """The relations that have links."""
        return self.document.rels

    def embedded(self, rel: str) -> tuple[HalResource, ...]:
        """Give the copies embedded under a relation, as they came; none where there are none."""
        document = self.document
        return tuple(
            self._copy(key, index, copy)
            for key in copies(document, rel)
            for index, copy in enumerate(document.embedded[key])
        )

    def _copy(self, rel: str, index: int, document: HalDocument) -> HalResource:
        return HalResource(self._snapshot, document, self._binding, (*self._path, Embedded(rel, index)))

    def at(self, *path: str | int) -> HalResource:
        """Read an object nested in the state (``resource.at("lines", 0)``) as a resource, with its own links.

        Raises:
            KeyError: no object is there.
        """
        document = self.document.at(*path)
        if document is None:
            raise KeyError(path)
        return HalResource(self._snapshot, document, self._binding, (*self._path, Nested(path)))

    def compact(self) -> HalResource:
        """Give the same resource without its decoded document: its bytes are shared, and decoded again on demand."""
        return HalResource(self._snapshot, None, self._binding, self._path)

    # --------------------------------------------------------------------------------------------- provenance

    @property
    def base(self) -> str:
        """The address of the answer that it came in, after redirects: what its references are relative to."""
        return self._snapshot.url

    @property
    def url(self) -> str:
        """Its own address: where it was retrieved, or, for an embedded copy, its ``self``; else what embeds it."""
        return (self.self_url or self.base) if self._path else self.base

    @property
    def self_url(self) -> str | None:
        """Its ``self`` link, resolved; None where it has none that can be followed."""
        return self_url(self.document, self.base)

    @property
    def is_embedded(self) -> bool:
        """Whether it is a copy that came inside another document, and so may be partial."""
        return bool(self._path)

    @property
    def status(self) -> int:
        """The HTTP status of the answer that it came in."""
        return self._snapshot.status

    @property
    def headers(self) -> Headers:
        """The header fields of the answer that it came in."""
        return self._snapshot.headers

    @property
    def fetched_at(self) -> datetime:
        """When it was received, aware, UTC."""
        return self._snapshot.fetched_at

    @property
    def age(self) -> float:
        """Seconds since it was received."""
        now = (self._binding.clock if self._binding else utc_now)()
        return max(0.0, (now - self.fetched_at).total_seconds())

    @property
    def stale(self) -> bool:
        """Whether a write went through it since, or it is older than its server vouches for (``max-age``)."""
        max_age = self._snapshot.max_age
        return self._superseded or (max_age is not None and self.age > max_age)

    @property
    def profile(self) -> str | None:
        """The profile (RFC 6906) that its media type or its ``profile`` link names."""
        named = media_type(self.headers.get("content-type", ""))[1].get("profile")
        return named or next((link.href for link in self.links.get("profile", ())), None)

    def docs_url(self, rel: str) -> str | None:
        """Give the address of a relation's documentation, from its CURIE; never fetched by itself."""
        return self.document.curies.expand(rel)

    # --------------------------------------------------------------------------------------------- following

    @overload
    def follow(self, rel: Rel[T], **options: Unpack[Steering]) -> Follow[T]: ...
    @overload
    def follow(self, rel: str, **options: Unpack[Steering]) -> Follow[HalResource]: ...
    def follow(self, rel: str | Rel[Any], **options: Unpack[Steering]) -> Follow[Any]:
        """Build a step along a link, by its relation or a typed one; awaiting it takes the step.

        The options choose among links (``name``, ``index``, ``where``), fill in their templates (``variables``), add to
        their queries (``params``), say whether an embedded copy may serve (``embedded``) and which media type to ask
        for (``accept``): see :class:`~stellantis_hal.navigation.hop.Steering`.
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

    def follow_all(self, rel: str, *, limit: int = 8) -> AbstractAsyncContextManager[Outcomes]:
        """Follow every link of a relation, at most ``limit`` at a time; the outcomes come in the links' order."""
        links = links_of(self.document, rel) or (None,) * len(self.embedded(rel))
        return follow_all([(link, Hop(rel=rel, index=at)) for at, link in enumerate(links)], self.step, limit)

    async def step(self, hop: Hop) -> HalResource:
        """Take a step at once.

        Raises:
            HalError: there is no way to go; see :meth:`follow`.
            StellantisError: whatever fetching raises.
        """
        choice = choose(self.document, self.base, hop)
        return self.copy_at(choice) or await self.fetch_choice(choice, hop)

    def copy_at(self, choice: Choice) -> HalResource | None:
        """Give the embedded copy that a choice fell on, if it fell on one."""
        if choice.copy is None:
            return None
        rel, index = choice.copy
        return self._copy(rel, index, self.document.embedded[rel][index])

    async def fetch_choice(self, choice: Choice, hop: Hop) -> HalResource:
        """Fetch the address that a choice fell on."""
        assert choice.url is not None  # noqa: S101 - a choice without a copy has an address
        if choice.link is not None:
            self._bound().notify(choice.link, self.base)
        preferred = hop.accept or (choice.link.type if choice.link is not None else None)
        return await self.visit(choice.url, accept_type=preferred)

    def as_(self, kind: type[T]) -> T:
        """Make a value of it, by the client's way of doing so."""
        return cast("T", self._bound().structure(self, kind))

    async def visit(self, url: str, *, accept_type: str | None = None) -> HalResource:
        """Fetch an absolute address on a trusted origin."""
        return await HalResource.reach(url, self._bound(), accept_type)

    def _bound(self) -> Binding:
        if self._binding is None:
            raise DetachedResourceError(
                f"{mask_url(self.url)} was kept without its client: bind it with client.resume(dump) before following",
                url=self.url,
            )
        return self._binding

    # --------------------------------------------------------------------------------------------- reading again

    async def fetch(self) -> HalResource:
        """Read it again, whole; for an embedded copy: read the full one.

        Raises:
            InvalidLinkError: it is embedded and has no ``self``.
        """
        return await self.visit(self._own_url())

    def _own_url(self) -> str:
        url = self.self_url if self._path else self.base
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
        url, binding = self._own_url(), self._bound()
        conditions = {} if self._path else self._snapshot.validators
        answer = await binding.fetch(Request(url=url, headers={"Accept": accept(), **conditions}))
        if answer.status != 304:
            return HalResource.of(answer, binding)
        renewed = attrs.evolve(
            self._snapshot,
            headers=Headers({**self.headers, **answer.headers}),
            fetched_at=answer.received_at,
        )
        return HalResource(renewed, self._document, binding)

    # --------------------------------------------------------------------------------------------- writing

    async def post(self, rel: str | None = None, **options: Unpack[Writing]) -> HalResource:
        """POST to it, or along a link; never sent twice once the server may have seen it.

        What comes back is a resource too, whatever it holds, with ``status`` and ``location``. The options are those
        of :class:`~stellantis_hal.navigation.writing.Writing`.

        Raises:
            HalError: there is no such link, or ``if_match`` without an ETag.
            StellantisError: whatever sending raises.
        """
        return await self.write("POST", rel, **options)

    async def put(self, rel: str | None = None, **options: Unpack[Writing]) -> HalResource:
        """PUT to it, or along a link; as :meth:`post`."""
        return await self.write("PUT", rel, **options)

    async def patch(self, rel: str | None = None, **options: Unpack[Writing]) -> HalResource:
        """PATCH it, or what a link leads to; as :meth:`post`."""
        return await self.write("PATCH", rel, **options)

    async def delete(self, rel: str | None = None, **options: Unpack[Writing]) -> HalResource:
        """DELETE it, or what a link leads to; as :meth:`post`."""
        return await self.write("DELETE", rel, **options)

    async def write(self, method: str, rel: str | None = None, **options: Unpack[Writing]) -> HalResource:
        """Send any method to it, or along a link; as :meth:`post`."""
        binding = self._bound()
        url, link = write_target(self.document, self.base, self._own_url() if rel is None else None, rel, options)
        if link is not None:
            binding.notify(link, self.base)
        etag = None if self._path else self.headers.get("etag")
        answer = await binding.fetch(write_request(method, url, options, etag))
        if url == self.url:
            self._superseded = True
        document = read_outcome(answer)
        return HalResource(Snapshot.of(answer, document), document, binding)

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

    def dump(self) -> Dump:
        """Write it as plain JSON, without its client; :meth:`load` or ``client.resume`` read it."""
        return dump(self._snapshot, self.document, embedded=self.is_embedded)

    @classmethod
    def load(cls, kept: Mapping[str, Any], binding: Binding | None = None) -> HalResource:
        """Read a dump; without a binding it can be read, not followed.

        Raises:
            ValueError: it is no dump.
        """
        snapshot, document = load(kept)
        return cls(snapshot, document, binding, (Nested(()),) if kept.get("embedded") else ())

    def __reduce__(self) -> tuple[Callable[..., HalResource], tuple[Dump]]:
        return HalResource.load, (self.dump(),)
