"""Snapshots: what a response contained, and its form as plain JSON."""

from __future__ import annotations

import weakref
import zlib
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, NamedTuple, NotRequired, TypedDict

import attrs

from stellantis_hal.hal.curies import Curies
from stellantis_hal.hal.deep_pickle import picklable, unwrap
from stellantis_hal.hal.document import HalDocument, Kind, parse_root
from stellantis_hal.hal.encoded import parse_encoded
from stellantis_hal.hal.headers import Headers
from stellantis_hal.hal.json import decode
from stellantis_hal.hal.mutable_twin import mutable_twin
from stellantis_hal.hal.redaction import mask_text, redacted_repr
from stellantis_hal.navigation.cache.freshness import freshness_lifetime
from stellantis_hal.navigation.cache.validators import conditions_of
from stellantis_hal.navigation.fetch_protocol import Response
from stellantis_hal.navigation.media_types import links_of_header
from stellantis_hal.navigation.request_headers import repeated_headers

__all__ = [
    "Dump",
    "EmbeddedPathStep",
    "LazyBody",
    "Snapshot",
    "StatePathStep",
    "Step",
    "WriteOutcome",
    "dump",
    "load",
    "picklable_dump",
]

_DUMPED_HEADERS = (
    "content-type",
    "etag",
    "last-modified",
    "cache-control",
    "location",
    "content-location",
    "link",
    "warning",
    "deprecation",
    "sunset",
)

# ------------------------------------------------------------------------------------------------- bodies


class EmbeddedPathStep(NamedTuple):
    """A step of a path inside a body: to an embedded document."""

    rel: str
    position: int


class StatePathStep(NamedTuple):
    """A step of a path inside a body: to an object in the state."""

    path: tuple[str | int, ...]


Step = EmbeddedPathStep | StatePathStep

# Documents that were decoded again stay for a while: after one item of a page the next is usually read.
_RECENT: Final[deque[HalDocument]] = deque(maxlen=4)
_LARGE = 1_000_000  # bytes; larger bodies are not kept decoded

_SMALL = 1_024  # bytes; smaller bodies are not packed
_SINGLE = 4_096  # bytes; a page is larger
# Bodies whose documents were let go last, pages and others, with how many are kept. A body is packed when it leaves
# them: in a walk that holds no item it has ended by then, and a value that waited for its consumer has been taken, so
# that only what is held costs the time of packing.
_LET_GO: Final[tuple[tuple[int, deque[weakref.ref[LazyBody]]], ...]] = ((4, deque()), (64, deque()))


class _Packed(bytes):
    """Bytes that are compressed."""

    __slots__ = ()


class LazyBody:
    """The bytes of a body with its document, which is referenced weakly and decoded again on demand.

    The bytes are compressed some time after the document was let go. This happens in any thread, and at any time: what
    is read of them is one reference, exchanged at once.

    Args:
        content: the bytes.
        root: the document decoded from them.
        pinned: whether to hold the document itself, because there are no bytes.
        base: the URL that references are relative to.
    """

    __slots__ = ("__weakref__", "_bytes", "_curies", "_header_links", "_pinned", "_root", "base")

    def __init__(self, content: bytes, root: HalDocument, *, pinned: bool = False, base: str = "") -> None:
        self._bytes: bytes | _Packed = content
        self._curies = root.inherited
        self._header_links = root.header_links
        self.base: str = base
        self._root = self._refer(root)
        self._pinned = root if pinned else None

    @classmethod
    def of(cls, document: HalDocument) -> LazyBody:
        """Return a body without bytes, which holds the document itself."""
        return cls(b"", document, pinned=True)

    @property
    def raw(self) -> bytes:
        """The body as received; empty where only the document is held."""
        content = self._bytes
        return zlib.decompress(content) if isinstance(content, _Packed) else content

    @property
    def is_single(self) -> bool:
        """Whether it is too small to be a page."""
        return len(self._bytes) < _SINGLE

    def pack(self) -> None:
        """Compress the bytes, unless they are few; a second time does nothing."""
        content = self._bytes
        if len(content) >= _SMALL and not isinstance(content, _Packed):
            self._bytes = _Packed(zlib.compress(content, 1))

    def _refer(self, root: HalDocument) -> weakref.ref[HalDocument]:
        return weakref.ref(root, partial(_let_go, weakref.ref(self)))

    def _parse(self, content: bytes) -> HalDocument:
        if content and not self._header_links:
            encoded = parse_encoded(content, curies=self._curies)
            if encoded is not None:
                return encoded
        return parse_root(
            decode(content) if content else None,
            is_empty=not content,
            curies=self._curies,
            header_links=self._header_links,
            base=self.base,
        )

    def document(self, path: tuple[Step, ...] = ()) -> HalDocument:
        """Return the document at a path that was found in these bytes before."""
        root = self._root()
        if root is None:
            content = self.raw
            root = self._parse(content)
            self._root = self._refer(root)
            if len(content) < _LARGE:
                _RECENT.append(root)
        found = root
        for step in path:
            if isinstance(step, EmbeddedPathStep):
                found = found.embedded[step.rel][step.position]
            elif step.path:  # an empty path is the document itself: an embedded copy that was dumped alone
                nested = found.at(*step.path)
                assert nested is not None  # noqa: S101 - the path was found in the same bytes
                found = nested
        return found


def _let_go(body: weakref.ref[LazyBody], _: weakref.ref[HalDocument]) -> None:
    """Pack the body whose document was let go before some others, if anything still holds it."""
    held = body()
    kept, line = _LET_GO[held is not None and held.is_single]
    line.append(body)
    if len(line) > kept:
        with suppress(IndexError):  # other threads were faster
            oldest = line.popleft()()
            if oldest is not None:
                oldest.pack()


# ------------------------------------------------------------------------------------------------- snapshots


@attrs.frozen
class WriteOutcome:
    """What the response of a write is about.

    Attributes:
        identity: the URL of the resource; None where it is unknown.
        has_validators: whether ETag and Last-Modified of the response are those of the resource.
        condition: the header field that made the write conditional, as ``If-Match: "abc"``; None for none.
        posted_to: targets of POSTs in the chain of writes that led here, each sent to the response of the one before:
            no further write is sent to them unless they are read again.
    """

    __repr__ = redacted_repr

    identity: str | None
    has_validators: bool
    condition: str | None
    posted_to: tuple[str, ...] = ()


@attrs.frozen(kw_only=True, eq=False)
class Snapshot:
    """One response, shared by the resource of the whole body and those embedded in it.

    Attributes:
        url: the URL of the response, after redirects; references in the body are relative to it.
        status: the HTTP status.
        headers: the header fields.
        fetched_at: the time of receipt by the wall clock, aware, UTC.
        content: the body.
        initial_age: seconds that it had spent in caches when it was received.
        from_cache: whether the body came from the client's own cache.
        outcome: of the write that it answers; None for a read.
        asked: the header fields that the caller added to the read, sent again when it is read again.
    """

    __repr__ = redacted_repr

    url: str
    status: int
    headers: Headers
    fetched_at: datetime
    content: LazyBody
    initial_age: float = 0.0
    from_cache: bool = False
    outcome: WriteOutcome | None = None
    asked: Mapping[str, str] = attrs.field(factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        response: Response,
        document: HalDocument,
        *,
        outcome: WriteOutcome | None = None,
        asked: Mapping[str, str] | None = None,
    ) -> Snapshot:
        """Return the snapshot of a response and the document decoded from it."""
        made: Any = object.__new__(_SnapshotInTheMaking)  # its own __init__ takes several times as long
        url = made.url = response.url
        made.status = response.status
        made.headers = response.headers
        made.fetched_at = response.received_at
        made.content = LazyBody(b"" if document.kind == "empty" else response.content, document, base=url)
        made.initial_age = response.initial_age
        made.from_cache = response.from_cache
        made.outcome = outcome
        made.asked = repeated_headers(asked)
        made.__class__ = Snapshot
        snapshot: Snapshot = made
        return snapshot

    @property
    def identity(self) -> str | None:
        """The URL of the resource that it shows; None for the response of a write that does not say."""
        return self.url if self.outcome is None else self.outcome.identity

    @property
    def own_headers(self) -> Headers | None:
        """The header fields, where their validators are those of the resource that it shows; else None."""
        return self.headers if self.outcome is None or self.outcome.has_validators else None

    @property
    def max_age(self) -> float | None:
        """Seconds that the response stays fresh (RFC 9111 section 4.2.1); None where the server does not say."""
        return freshness_lifetime(self.headers, self.fetched_at)

    @property
    def validators(self) -> Mapping[str, str]:
        """The header fields of a conditional request (RFC 9110 section 13.1); empty where it has no validators.

        A validator that is no valid field value is left out: it came from a server, or from a dump.
        """
        if self.outcome is not None:  # its body may be a report of the write
            return {}
        return conditions_of(self.headers)


_SnapshotInTheMaking = mutable_twin(Snapshot)


# ------------------------------------------------------------------------------------------------- dumps


class Dump(TypedDict):
    """A resource as plain JSON, without its client and without credentials.

    The body is any JSON value; its kind tells a response without one from null.
    """

    url: str
    status: int
    headers: dict[str, str]
    fetched_at: str
    body: Any
    kind: Kind
    embedded: bool
    curies: dict[str, str]
    outcome: NotRequired[tuple[str | None, bool, str | None, tuple[str, ...]]]


def dump(snapshot: Snapshot, document: HalDocument, *, embedded: bool) -> Dump:
    """Return a resource as plain JSON, from which :func:`load` restores it.

    An embedded copy is written alone, without the document that contains it, but with the CURIEs inherited from there.
    """
    dumped = Dump(
        url=snapshot.url,
        status=snapshot.status,
        headers={name: snapshot.headers[name] for name in _DUMPED_HEADERS if name in snapshot.headers},
        fetched_at=snapshot.fetched_at.isoformat(),
        body=document.value,
        kind=document.kind,
        embedded=embedded,
        curies=dict(document.inherited.templates),
    )
    if (outcome := snapshot.outcome) is not None:
        dumped["outcome"] = (outcome.identity, outcome.has_validators, outcome.condition, outcome.posted_to)
    return dumped


def picklable_dump(dumped: Dump) -> Dump:
    """Return a dump that can be pickled however deep its body is; where it is shallow, the dump is unchanged."""
    dumped["body"] = picklable(dumped["body"])
    return dumped


def load(dumped: Mapping[str, Any]) -> tuple[Snapshot, HalDocument]:
    """Read what :func:`dump` returned.

    Raises:
        ValueError: the mapping is not a dump.
    """
    try:
        body, headers, url = unwrap(dumped["body"]), Headers(_string_dict(dumped["headers"])), str(dumped["url"])
        kind = dumped.get("kind", "object")
        document = parse_root(
            dict(body) if isinstance(body, Mapping) else body,
            is_empty=kind == "empty" and body is None,
            curies=Curies(_string_dict(dumped.get("curies", {}))),
            header_links=() if dumped.get("embedded") else links_of_header(headers, url),
            base=url,
        )
        if document.kind != kind:
            raise TypeError(f"the body must be of the kind {kind}, as in the resource, not {document.kind}")
        snapshot = Snapshot(
            url=url,
            status=int(dumped["status"]),
            headers=headers,
            fetched_at=datetime.fromisoformat(dumped["fetched_at"]).astimezone(UTC),
            content=LazyBody.of(document),
            outcome=_outcome(dumped.get("outcome")),
        )
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        # The text of a ValueError quotes the value.
        reason = type(error).__name__ if isinstance(error, ValueError) else mask_text(repr(error))
        raise ValueError(f"not a dump of a resource: {reason}; pass the result of resource.dump()") from None
    return snapshot, document


def _outcome(value: Any) -> WriteOutcome | None:
    if value is None:
        return None
    identity, has_validators, condition, posted_to = value
    texts = (*(text for text in (identity, condition) if text is not None), *posted_to)
    if not isinstance(has_validators, bool) or not all(isinstance(text, str) for text in texts):
        raise TypeError("the outcome of a write is a text, a bool, a text and texts")
    return WriteOutcome(identity, has_validators, condition, tuple(posted_to))


def _string_dict(value: Any) -> dict[str, str]:
    result: dict[Any, Any] = dict(value)
    if not all(isinstance(text, str) for pair in result.items() for text in pair):
        raise TypeError("names and values must be strings")
    return result
