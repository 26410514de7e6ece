"""The part of a resource that does no I/O: its state, links and metadata."""

from __future__ import annotations

from collections.abc import Iterator, KeysView, Mapping
from datetime import datetime
from typing import Any, Self

from stellantis_hal.errors import DetachedResourceError, NotHalError
from stellantis_hal.hal.clock import utc_now
from stellantis_hal.hal.document import HalDocument, Kind, State
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.redaction import excerpt, mask_url, shortlist
from stellantis_hal.hal.uri import split
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.lazy_body import BodyPathStep, EmbeddedPathStep, Step
from stellantis_hal.navigation.link_selection import embedded_keys, self_url
from stellantis_hal.navigation.media_types import media_type
from stellantis_hal.navigation.resource_serialization import Dump, dump
from stellantis_hal.navigation.response_snapshot import ResponseSnapshot

__all__ = ["ResourceView"]

_MAX_EXCERPT = 80


class ResourceView:
    """A resource as it was read, with everything that needs no request."""

    __slots__ = ("__weakref__", "_context", "_document", "_snapshot", "_steps", "_superseded")

    def __init__(
        self,
        snapshot: ResponseSnapshot,
        document: HalDocument | None,
        context: ResourceContext | None,
        steps: tuple[Step, ...] = (),
        *,
        superseded: bool = False,
    ) -> None:
        self._snapshot = snapshot
        self._document = document
        self._context = context
        self._steps = steps
        self._superseded = superseded

    # --------------------------------------------------------------------------------------------- parts

    @property
    def snapshot(self) -> ResponseSnapshot:
        """The response that it was read from, shared with the other resources of that response."""
        return self._snapshot

    @property
    def steps(self) -> tuple[Step, ...]:
        """The path to it inside the body of its response; empty for the whole body."""
        return self._steps

    @property
    def context(self) -> ResourceContext | None:
        """The client context; None where the resource was unpickled or loaded without one."""
        return self._context

    def require_context(self) -> ResourceContext:
        """Return the client context.

        Raises:
            DetachedResourceError: it has none.
        """
        if self._context is None:
            raise DetachedResourceError(
                f"{mask_url(self.url)} has no client: bind it with client.resume(dump) before following its links",
                url=self.url,
            )
        return self._context

    def rebind(self, context: ResourceContext) -> Self:
        """Return the same resource with another client context; the body is shared."""
        return type(self)(self._snapshot, self._document, context, self._steps, superseded=self._superseded)

    # --------------------------------------------------------------------------------------------- reading

    def __getitem__(self, key: str) -> Any:
        return self.state[key]

    def __contains__(self, key: object) -> bool:
        return key in self.state

    def __iter__(self) -> Iterator[str]:
        return iter(self.state)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a property of the state; the default where it is missing."""
        return self.state.get(key, default)

    def __repr__(self) -> str:
        where = mask_url(split(self.url)._replace(scheme=None, authority=None, fragment=None).__str__())
        embedded = shortlist([f"{rel}×{len(found)}" for rel, found in self.document.embedded.items()])
        origin = "embedded" if self.is_embedded else self.status
        document = self.document
        kind = "" if document.kind == "object" else f" {document.kind}"
        if isinstance(document.value, list):
            kind += f"×{len(document.value)}"
        return f"<HalResource {where} {origin}{kind} rels=[{shortlist(self.rels)}] embedded=[{embedded}]>"

    @property
    def document(self) -> HalDocument:
        """The document; decoded again from the shared bytes if this resource is compact."""
        return self._document if self._document is not None else self._snapshot.content.document(self._steps)

    @property
    def state(self) -> State:
        """Its properties: the body without ``_links`` and ``_embedded``, immutable; empty for an array or a scalar."""
        return self.document.state

    @property
    def value(self) -> Any:
        """The JSON value that it was read from, unchanged: an object, an array or a scalar; None without a body."""
        return self.document.value

    @property
    def kind(self) -> Kind:
        """What its value is: "object", "array", "string", "number", "boolean", "null", or "empty" without a body."""
        return self.document.kind

    def require_object(self) -> Mapping[str, Any]:
        """Return the JSON object that it was read from.

        Raises:
            NotHalError: it was read from another JSON value, or from none.
        """
        document = self.document
        if document.kind != "object":
            name = type(document.value).__name__
            found = "an empty body" if document.kind == "empty" else f"JSON that is not an object ({name})"
            beginning = excerpt(self._snapshot.content.raw, _MAX_EXCERPT)
            raise NotHalError(
                f"{mask_url(self.url)} responded {self.status} with {found} instead of a HAL document; it begins "
                f"{beginning!r}; read it untyped, as resource.value",
                url=self.url,
                content_type=self.headers.content_type,
                excerpt=beginning,
            )
        return document.body

    def keys(self) -> KeysView[str]:
        """Return the names of its properties, so that ``dict(resource)`` is its state."""
        return self.state.keys()

    @property
    def links(self) -> Mapping[str, tuple[Link, ...]]:
        """The links of each relation, ``curies`` included."""
        return self.document.links

    @property
    def rels(self) -> tuple[str, ...]:
        """The relations that have links."""
        return self.document.rels

    def embedded(self, rel: str) -> tuple[Self, ...]:
        """Return the copies embedded under a relation, without I/O; empty where there are none."""
        document = self.document
        return tuple(
            self._embedded_at(key, index, copy)
            for key in embedded_keys(document, rel)
            for index, copy in enumerate(document.embedded[key])
        )

    def _embedded_at(self, rel: str, index: int, document: HalDocument) -> Self:
        return type(self)(self._snapshot, document, self._context, (*self._steps, EmbeddedPathStep(rel, index)))

    def at(self, *path: str | int) -> Self:
        """Return an object nested in the state (``resource.at("lines", 0)``) as a resource, with its own links.

        Raises:
            KeyError: there is no object at this path.
        """
        document = self.document.at(*path)
        if document is None:
            raise KeyError(path)
        return type(self)(self._snapshot, document, self._context, (*self._steps, BodyPathStep(path)))

    def compact(self, context: ResourceContext | None = None) -> Self:
        """Return the same resource without its decoded document; the shared bytes are decoded again on demand.

        Args:
            context: another client context; None: its own.
        """
        return type(self)(self._snapshot, None, context or self._context, self._steps)

    # --------------------------------------------------------------------------------------------- metadata

    @property
    def base(self) -> str:
        """The URL of its response, after redirects; its references are relative to it."""
        return self._snapshot.url

    @property
    def url(self) -> str:
        """Its own URL: of its response, or for an embedded copy that of its ``self`` link, else of the response.

        Of the response of a write, it is what the response says (Content-Location, Location, ``self``), else the URL
        that was written to.
        """
        return (self.self_url if self._steps else self._snapshot.identity) or self.base

    @property
    def self_url(self) -> str | None:
        """Its ``self`` link, resolved; None where it has none that can be followed."""
        return self_url(self.document, self.base)

    @property
    def is_embedded(self) -> bool:
        """Whether it is embedded in another document, and so may be partial."""
        return bool(self._steps)

    @property
    def status(self) -> int:
        """The HTTP status of its response."""
        return self._snapshot.status

    @property
    def headers(self) -> Headers:
        """The header fields of its response."""
        return self._snapshot.headers

    @property
    def condition(self) -> str | None:
        """The condition of the write that it answers, as ``If-Match: "abc"``; None for none, and for reads."""
        outcome = self._snapshot.outcome
        return None if outcome is None else outcome.condition

    @property
    def preferences_applied(self) -> tuple[str, ...]:
        """The preferences that the server says it applied (RFC 7240): ``("return=representation",)``."""
        return tuple(filter(None, map(str.strip, self.headers.get("preference-applied", "").split(","))))

    @property
    def fetched_at(self) -> datetime:
        """The time of receipt by the wall clock, aware, UTC."""
        return self._snapshot.fetched_at

    @property
    def age(self) -> float:
        """Seconds since it was received, or found unchanged, plus those that it had spent in caches before."""
        now = (self._context.clock if self._context else utc_now)()
        return self._snapshot.initial_age + max(0.0, (now - self.fetched_at).total_seconds())

    @property
    def from_cache(self) -> bool:
        """Whether its body came from the client's own cache: nothing was sent, or the server said it is unchanged."""
        return self._snapshot.from_cache

    @property
    def stale(self) -> bool:
        """Whether it was written to since, or is older than its ``max-age``."""
        max_age = self._snapshot.max_age
        return self._superseded or (max_age is not None and self.age > max_age)

    @property
    def profile(self) -> str | None:
        """The profile (RFC 6906) of its media type or its ``profile`` link; None where it has none."""
        profile = media_type(self.headers.content_type)[1].get("profile")
        return profile or next((link.href for link in self.links.get("profile", ())), None)

    def docs_url(self, rel: str) -> str | None:
        """Return the URL of a relation's documentation, from its CURIE; None where it has none."""
        return self.document.curies.expand(rel)

    def dump(self) -> Dump:
        """Return it as plain JSON, without its client; ``HalResource.load`` and ``client.resume`` read it."""
        return dump(self._snapshot, self.document, embedded=self.is_embedded)
