"""HAL documents: any JSON, read tolerantly and lazily."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar, Literal

import attrs

from stellantis_hal.hal.curies import NO_CURIES, Curies
from stellantis_hal.hal.deep_pickle import picklable, unwrap
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.redaction import redacted_repr, shortlist
from stellantis_hal.hal.uri import resolve, to_ascii

__all__ = [
    "Diagnostic",
    "HalDocument",
    "Kind",
    "ResponseDocument",
    "State",
    "flatten",
    "parse",
    "parse_root",
    "serialize",
]

Kind = Literal["object", "array", "string", "number", "boolean", "null", "empty"]
"""What a body is: the type of its JSON value, or "empty" without one."""

_RESERVED = ("_links", "_embedded")
_CURIES = ("curies", "curie")
_MAX_CURIES = 1_000


@attrs.frozen
class Diagnostic:
    """A deviation of a document from the draft.

    Attributes:
        path: its JSON path (``$._links.next``).
        reason: what deviates, and how it is read.
    """

    __repr__ = redacted_repr

    path: str
    reason: str


class State(Mapping[str, Any]):
    """The properties of a document: a view of the body without ``_links`` and ``_embedded``.

    The view is immutable; nested values stay plain lists and dicts. It equals any mapping of the same content.
    """

    __slots__ = ("_body",)

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body

    def __getitem__(self, key: str) -> Any:
        if key in _RESERVED:
            raise KeyError(key)
        return self._body[key]

    def __contains__(self, key: object) -> bool:
        return key in self._body and key not in _RESERVED

    def __iter__(self) -> Iterator[str]:
        return (key for key in self._body if key not in _RESERVED)

    def __len__(self) -> int:
        return len(self._body) - sum(key in self._body for key in _RESERVED)

    def __reduce__(self) -> tuple[Callable[..., State], tuple[Mapping[str, Any]]]:
        return _restore_state, (picklable(self._body),)

    def __repr__(self) -> str:
        return f"State({shortlist([*self])})"


class HalDocument:
    """A document, alone or embedded in another.

    Deviations from the draft never raise an exception: they are read tolerantly and listed in :attr:`diagnostics`.

    Args:
        body: a decoded JSON object; it is not copied, so it must not be changed afterwards.
        curies: the CURIEs inherited from the document that embeds it.
    """

    __slots__ = ("__weakref__", "_body", "_curies", "_embedded", "_inherited", "_links")

    def __init__(self, body: Mapping[str, Any], *, curies: Curies = NO_CURIES) -> None:
        self._body = body
        self._inherited = curies
        self._links: Mapping[str, tuple[Link, ...]] | None = None
        self._embedded: Mapping[str, tuple[HalDocument, ...]] | None = None
        self._curies: Curies | None = None

    def __eq__(self, other: object) -> bool:
        return self.body == other.body if isinstance(other, HalDocument) else NotImplemented

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # equal by value, and the value may hold lists

    def __reduce__(self) -> tuple[Callable[..., HalDocument], tuple[Mapping[str, Any], Curies]]:
        return _restore, (picklable(self.body), self._inherited)

    def __repr__(self) -> str:
        embedded = shortlist([f"{rel}×{len(documents)}" for rel, documents in self.embedded.items()])
        return f"<HalDocument rels=[{shortlist(self.rels)}] embedded=[{embedded}]>"

    @property
    def body(self) -> Mapping[str, Any]:
        """The whole object, unchanged; empty where the value is no object."""
        return self._body

    @property
    def value(self) -> Any:
        """The whole value, unchanged: the object, or in a :class:`ResponseDocument` any JSON value."""
        return self.body

    @property
    def outline(self) -> Mapping[str, Any]:
        """The object; where its embedded documents are not decoded yet, an empty object stands for each of them."""
        return self.body

    @property
    def encoded(self) -> Any:
        """The bytes that it was read from, as a buffer; None where it was read from decoded values."""
        return None

    def peek(self, name: str) -> Any:
        """Return a member of the object, without decoding others where it can be; None where it is missing."""
        return self.body.get(name)

    @property
    def kind(self) -> Kind:
        """What the value is."""
        return "object"

    @property
    def header_links(self) -> tuple[Link, ...]:
        """The links that came in the Link header; they are among :attr:`links` too."""
        return ()

    @property
    def state(self) -> State:
        """The properties: the object without ``_links`` and ``_embedded``."""
        return State(self.body)

    @property
    def links(self) -> Mapping[str, tuple[Link, ...]]:
        """The links of each relation, in the server's order; ``curies`` included."""
        if self._links is None:
            found = self.peek("_links")
            self._links = _Links(found) if isinstance(found, dict) and found else _NO_LINKS
        return self._links

    @property
    def rels(self) -> tuple[str, ...]:
        """The relations that have links; ``curies`` is not one."""
        return tuple(rel for rel in self.links if rel not in _CURIES)

    @property
    def embedded(self) -> Mapping[str, tuple[HalDocument, ...]]:
        """The documents embedded under each relation; empty lists are included, null values are not."""
        if self._embedded is None:
            found = self.body.get("_embedded")
            self._embedded = _documents(found, self.curies) if isinstance(found, dict) and found else _NO_DOCUMENTS
        return self._embedded

    @property
    def curies(self) -> Curies:
        """The CURIEs in effect: its own, then those inherited."""
        if self._curies is None:
            raw, own = self.peek("_links"), list[Link]()
            if isinstance(raw, dict) and not raw.keys().isdisjoint(_CURIES):
                own = [link for rel in _CURIES for link in _links_of(rel, _first(raw.get(rel)))]
            self._curies = self._inherited.with_links(own) if own else self._inherited
        return self._curies

    @property
    def inherited(self) -> Curies:
        """The CURIEs inherited from the document that embeds it."""
        return self._inherited

    def at(self, *path: str | int) -> HalDocument | None:
        """Return an object nested in the state as a document with its own ``_links``; None if there is none."""
        value: Any = self.value
        for step in path:
            if isinstance(step, str) and isinstance(value, Mapping):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
                value = value[step]
            else:
                return None
        return HalDocument(value, curies=self.curies) if isinstance(value, Mapping) else None

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """The deviations of this document and all embedded ones, computed at each access."""
        return tuple(_diagnose(self.body))


class ResponseDocument(HalDocument):
    """A document that is any JSON value, or none, or has links in a header.

    Args:
        value: the decoded value; an array or a scalar has no links of its own.
        kind: what the value is.
        curies: the CURIEs inherited from the document that embeds it.
        header_links: the links of the Link header.
        base: the URL that its references are relative to.
    """

    __slots__ = ("_base", "_header_links", "_kind", "_value")

    def __init__(
        self,
        value: Any,
        kind: Kind,
        *,
        curies: Curies,
        header_links: tuple[Link, ...],
        base: str,
    ) -> None:
        super().__init__(value if isinstance(value, Mapping) else {}, curies=curies)
        self._value = value
        self._kind: Kind = kind
        self._header_links = header_links
        self._base = base

    def __eq__(self, other: object) -> bool:
        return (
            (self._kind, self._value) == (other.kind, other.value) if isinstance(other, HalDocument) else NotImplemented
        )

    __hash__: ClassVar[None] = None

    def __reduce__(self) -> tuple[Callable[..., HalDocument], tuple[Any, ...]]:
        return _restore_root, (picklable(self._value), self._kind, self._inherited, self._header_links, self._base)

    @property
    def value(self) -> Any:
        """The whole value, unchanged."""
        return self._value

    @property
    def kind(self) -> Kind:
        """What the value is."""
        return self._kind

    @property
    def header_links(self) -> tuple[Link, ...]:
        """The links that came in the Link header; they are among :attr:`links` too."""
        return self._header_links

    @property
    def links(self) -> Mapping[str, tuple[Link, ...]]:
        """The links of each relation: those of the document first, then those of the header that are others."""
        if self._links is None:
            own = super().links
            self._links = _merge(own, self._header_links, self._base) if self._header_links else own
        return self._links


def parse(value: Mapping[str, Any]) -> HalDocument:
    """Return a JSON object as a document; its members are read when they are first accessed."""
    return HalDocument(value)


def parse_root(
    value: Any,
    *,
    is_empty: bool = False,
    curies: Curies = NO_CURIES,
    header_links: tuple[Link, ...] = (),
    base: str = "",
) -> HalDocument:
    """Return any JSON value as a document, with the links of a header.

    Args:
        value: the decoded value.
        is_empty: whether there is no value, as in a body without a byte.
        curies: the CURIEs inherited from the document that embeds it.
        header_links: the links of the Link header.
        base: the URL that references are relative to.
    """
    if isinstance(value, Mapping) and not header_links and not is_empty:
        return HalDocument(value, curies=curies)
    kind = "empty" if is_empty else _kind_of(value)
    return ResponseDocument(value, kind, curies=curies, header_links=header_links, base=base)


def _kind_of(value: Any) -> Kind:
    if isinstance(value, Mapping):
        return "object"
    if isinstance(value, list):
        return "array"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return "string" if isinstance(value, str) else "number"


def serialize(document: HalDocument) -> Mapping[str, Any]:
    """Return the JSON object of a document, unchanged."""
    return document.body


# ------------------------------------------------------------------------------------------------- reading


def _restore_state(body: Mapping[str, Any]) -> State:
    return State(unwrap(body))


def _restore(body: Mapping[str, Any], curies: Curies) -> HalDocument:
    return HalDocument(unwrap(body), curies=curies)


def _restore_root(value: Any, kind: Kind, curies: Curies, header_links: tuple[Link, ...], base: str) -> HalDocument:
    return ResponseDocument(unwrap(value), kind, curies=curies, header_links=header_links, base=base)


def _merge(
    own: Mapping[str, tuple[Link, ...]], header_links: Sequence[Link], base: str
) -> Mapping[str, tuple[Link, ...]]:
    """Return the links of a document, then those of its header whose targets it does not have."""
    merged = {rel: [*links] for rel, links in own.items()}
    known = {(rel, _target(link, base)) for rel, links in merged.items() for link in links if not link.templated}
    for link in header_links:
        target = link.rel, _target(link, base)
        if target not in known:
            known.add(target)
            merged.setdefault(link.rel, []).append(link)
    return {rel: tuple(links) for rel, links in merged.items()}


def _target(link: Link, base: str) -> str | None:
    return None if link.href is None else resolve(base, to_ascii(link.href))


def flatten(entries: list[Any]) -> list[Any]:
    """Return the values of an array, with the values of arrays in it, at any depth, in their places."""
    if not any(isinstance(entry, list) for entry in entries):
        return entries
    flat: list[Any] = []
    pending = [*reversed(entries)]
    while pending:
        entry = pending.pop()
        if isinstance(entry, list):
            pending += reversed(entry)
        else:
            flat.append(entry)
    return flat


class _Links(Mapping[str, tuple[Link, ...]]):
    """The links of each relation, parsed on access, because most links of a page are never accessed."""

    __slots__ = ("_raw", "_read")

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = raw
        self._read: dict[str, tuple[Link, ...]] = {}

    def __getitem__(self, rel: str) -> tuple[Link, ...]:
        found = self._read.get(rel)
        if found is None:
            found = self._read[rel] = _links_of(rel, self._raw.get(rel))
        if not found:
            raise KeyError(rel)
        return found

    def __iter__(self) -> Iterator[str]:
        return (
            rel for rel, entry in self._raw.items() if (isinstance(entry, dict) and rel not in _CURIES) or rel in self
        )

    def __contains__(self, rel: object) -> bool:
        return isinstance(rel, str) and self.get(rel) is not None

    def __len__(self) -> int:
        return sum(rel in self for rel in self._raw)


_NO_LINKS = _Links({})
_NO_DOCUMENTS: Mapping[str, tuple[HalDocument, ...]] = {}


def _links_of(rel: str, entry: Any) -> tuple[Link, ...]:
    if isinstance(entry, list):
        return tuple([link for item in flatten(entry) if (link := Link.parse(rel, item)) is not None])
    if rel in _CURIES and isinstance(entry, dict) and "href" not in entry:
        return tuple(_links_by_name(rel, entry))
    link = Link.parse(rel, entry)
    return () if link is None else (link,)


def _first(entry: Any) -> Any:
    """Return the links of an entry that are looked at for CURIEs: servers have a handful."""
    if isinstance(entry, list):
        return entry[:_MAX_CURIES]
    return dict(islice(entry.items(), _MAX_CURIES)) if isinstance(entry, dict) else entry


def _links_by_name(rel: str, entry: Mapping[str, Any]) -> Iterator[Link]:
    """Parse ``curies`` written as an object of links by prefix instead of a list of named links."""
    for name, value in entry.items():
        link = Link.parse(rel, value)
        if link is not None:
            yield attrs.evolve(link, name=name)


def _documents(value: Mapping[str, Any], curies: Curies) -> Mapping[str, tuple[HalDocument, ...]]:
    found: dict[str, tuple[HalDocument, ...]] = {}
    for rel, entry in value.items():
        if isinstance(entry, list):
            documents = [HalDocument(item, curies=curies) for item in entry if isinstance(item, dict)]
            if len(documents) != len(entry):
                documents = [HalDocument(item, curies=curies) for item in flatten(entry) if isinstance(item, dict)]
            found[rel] = tuple(documents)
        elif isinstance(entry, dict):
            found[rel] = (HalDocument(entry, curies=curies),)
    return found


# ------------------------------------------------------------------------------------------------- diagnosing


def _diagnose(body: Mapping[str, Any]) -> Iterator[Diagnostic]:
    pending: list[tuple[str, Mapping[str, Any]]] = [("$", body)]
    while pending:
        path, document = pending.pop()
        yield from _diagnose_links(f"{path}._links", document.get("_links"))
        embedded_path, embedded = f"{path}._embedded", document.get("_embedded")
        if embedded is not None and not isinstance(embedded, Mapping):
            yield _deviation(embedded_path, embedded, "an object", "nothing is embedded")
            continue
        for rel, entry in (embedded or {}).items():
            for index, item in enumerate(entry if isinstance(entry, list) else [entry]):
                item_path = f"{embedded_path}.{rel}[{index}]" if isinstance(entry, list) else f"{embedded_path}.{rel}"
                if isinstance(item, Mapping):
                    pending.append((item_path, item))
                elif isinstance(item, list):
                    yield Diagnostic(item_path, "an array in an array: its objects are read in its place")
                    pending += [(item_path, one) for one in flatten(item) if isinstance(one, Mapping)]
                else:
                    yield _deviation(item_path, item, "an object", "left out")


def _diagnose_links(path: str, links: Any) -> Iterator[Diagnostic]:
    if links is not None and not isinstance(links, Mapping):
        yield _deviation(path, links, "an object", "there are no links")
        return
    for rel, entry in (links or {}).items():
        if isinstance(entry, Mapping) and rel in _CURIES and "href" not in entry:
            yield Diagnostic(f"{path}.{rel}", "an object of prefixes instead of a list of links: read as a list")
            continue
        for index, item in enumerate(entry if isinstance(entry, list) else [entry]):
            item_path = f"{path}.{rel}[{index}]" if isinstance(entry, list) else f"{path}.{rel}"
            if isinstance(item, str):
                yield Diagnostic(item_path, "a string instead of a link object: read as its href")
            elif not isinstance(item, Mapping):
                yield _deviation(item_path, item, "a link object", "left out")
            elif not isinstance(item.get("href"), str):
                yield _deviation(f"{item_path}.href", item.get("href"), "a string", "the link cannot be followed")
            elif item.get("templated") not in (None, True, False):
                yield _deviation(f"{item_path}.templated", item["templated"], "true or false", "read as false")


def _deviation(path: str, value: Any, expected: str, effect: str) -> Diagnostic:
    kind = "null" if value is None else type(value).__name__
    return Diagnostic(path, f"{kind} instead of {expected}: {effect}")
