"""A body's bytes, shared by every resource found in it, and decoded again where it was let go.

Knows bytes and where in them a document stands. Must not know addresses or clients.
"""

from __future__ import annotations

import weakref
from collections import deque
from typing import Any, Final, NamedTuple

from stellantis_hal.hal.document import HalDocument
from stellantis_hal.hal.json import decode

__all__ = ["EmbeddedStep", "LazyBody", "StateStep", "Step"]


class EmbeddedStep(NamedTuple):
    """A step into a document: to one of those embedded."""

    rel: str
    at: int


class StateStep(NamedTuple):
    """A step into a document: to an object in its plain state."""

    path: tuple[str | int, ...]


Step = EmbeddedStep | StateStep

# Documents decoded again, held a little longer: what is asked of one item of a page is soon asked of the next.
_LATELY: Final[deque[HalDocument]] = deque(maxlen=4)
_LARGE = 1_000_000


class LazyBody:
    """The bytes of one body. While anybody holds its document, that one is given; later it is decoded again."""

    __slots__ = ("_bytes", "_curies", "_kept", "_root")

    def __init__(self, content: bytes, root: HalDocument) -> None:
        self._bytes = content
        self._curies = root.inherited
        self._root = weakref.ref(root)
        self._kept: HalDocument | None = None

    @classmethod
    def of(cls, document: HalDocument) -> LazyBody:
        """Stand in for bytes where only the document is at hand, by holding on to it."""
        content = cls(b"", document)
        content._kept = document
        return content

    @property
    def raw(self) -> bytes:
        """The body as it came; empty where only the document is at hand."""
        return self._bytes

    def document(self, path: tuple[Step, ...] = ()) -> HalDocument:
        """Give the document at a path that was found in these bytes before."""
        root = self._root()
        if root is None:
            body: Any = decode(self._bytes) if self._bytes else {}
            root = HalDocument(body, curies=self._curies)
            self._root = weakref.ref(root)
            if len(self._bytes) < _LARGE:
                _LATELY.append(root)
        found = root
        for step in path:
            if isinstance(step, EmbeddedStep):
                found = found.embedded[step.rel][step.at]
            elif step.path:  # else it is itself: a copy that was kept by itself, without what it was embedded in
                nested = found.at(*step.path)
                assert nested is not None  # noqa: S101 - the path was found in the same bytes
                found = nested
        return found
