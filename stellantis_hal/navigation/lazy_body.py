"""Body whose document is referenced weakly, and decoded again on demand."""

from __future__ import annotations

import weakref
import zlib
from collections import deque
from contextlib import suppress
from functools import partial
from typing import Final, NamedTuple

from stellantis_hal.hal.document import HalDocument, parse_root
from stellantis_hal.hal.encoded import parse_encoded
from stellantis_hal.hal.json import decode

__all__ = ["BodyPathStep", "EmbeddedPathStep", "LazyResponseBody", "Step"]


class EmbeddedPathStep(NamedTuple):
    """A step of a path inside a body: to an embedded document."""

    rel: str
    position: int


class BodyPathStep(NamedTuple):
    """A step of a path inside a body: to an object in the state."""

    path: tuple[str | int, ...]


Step = EmbeddedPathStep | BodyPathStep


# Documents that were decoded again stay for a while: after one item of a page the next is usually read.
_RECENT: Final[deque[HalDocument]] = deque(maxlen=4)
_LARGE = 1_000_000  # bytes; larger bodies are not kept decoded
_SMALL = 1_024  # bytes; smaller bodies are not packed
_SINGLE = 4_096  # bytes; a page is larger


# Bodies whose documents were let go last, pages and others, with how many are kept. A body is packed when it leaves
# them: in a walk that holds no item it has ended by then, and a value that waited for its consumer has been taken, so
# that only what is held costs the time of packing.
_LET_GO: Final[tuple[tuple[int, deque[weakref.ref[LazyResponseBody]]], ...]] = ((4, deque()), (64, deque()))


class _Packed(bytes):
    """Bytes that are compressed."""

    __slots__ = ()


class LazyResponseBody:
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
    def of(cls, document: HalDocument) -> LazyResponseBody:
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


def _let_go(body: weakref.ref[LazyResponseBody], _: weakref.ref[HalDocument]) -> None:
    """Pack the body whose document was let go before some others, if anything still holds it."""
    held = body()
    kept, line = _LET_GO[held is not None and held.is_single]
    line.append(body)
    if len(line) > kept:
        with suppress(IndexError):  # other threads were faster
            oldest = line.popleft()()
            if oldest is not None:
                oldest.pack()
