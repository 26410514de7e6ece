"""Resources without their documents: only the links are kept, for going on.

Knows how a page's links are packed, once for all its items. Must not know typed classes.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

import attrs

from stellantis_hal.hal.document import HalDocument
from stellantis_hal.hal.json import decode, encode
from stellantis_hal.navigation.content import Content, Nested, Step
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.navigation.snapshot import Snapshot

__all__ = ["without_document"]

_FAST: Final = 1

# As long as a page is held, its items share what was made of it.
_stripped: Final[WeakKeyDictionary[Snapshot, Snapshot]] = WeakKeyDictionary()


class _Links(Content):
    """The links of a body and of all that is embedded in it, packed: the addresses on one page are nearly alike."""

    __slots__ = ()

    def __init__(self, root: HalDocument) -> None:
        super().__init__(zlib.compress(encode(_links(root.body)), _FAST), root)

    def document(self, path: tuple[Step, ...] = ()) -> HalDocument:
        """Give the document at a path, with nothing in it but links."""
        root = HalDocument(decode(zlib.decompress(self._bytes)), curies=self._curies)
        return Content(b"", root).document(path)


def _links(body: Mapping[str, Any]) -> dict[str, Any]:
    """Leave nothing but the links, everything embedded in its place."""
    left = {"_links": body["_links"]} if "_links" in body else {}
    embedded = body.get("_embedded")
    if isinstance(embedded, Mapping):
        left["_embedded"] = {
            rel: [_links(item) for item in (items if isinstance(items, list) else [items]) if isinstance(item, Mapping)]
            for rel, items in embedded.items()
        }
    return left


def without_document(resource: HalResource) -> HalResource:
    """Give the same resource with links alone. One nested in a state keeps its document: nothing else leads to it."""
    if any(isinstance(step, Nested) for step in resource._path):
        return resource.compact()
    whole = resource._snapshot
    stripped = _stripped.get(whole)
    if stripped is None:
        stripped = attrs.evolve(whole, content=_Links(whole.content.document()))
        _stripped[whole] = stripped
    return HalResource(stripped, None, resource._binding, resource._path)
