"""Resources without their documents: only the links are kept, for going on.

Knows how a page's links are kept, once for all its items. Must not know typed classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

import attrs

from stellantis_hal.hal.document import HalDocument
from stellantis_hal.hal.json import rewrite
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.navigation.snapshot import LazyBody, Snapshot, StateStep

__all__ = ["without_document"]

# As long as a page is held, its items share what was made of it.
_stripped: Final[WeakKeyDictionary[Snapshot, Snapshot]] = WeakKeyDictionary()


def without_document(resource: HalResource) -> HalResource:
    """Give the same resource with links alone. One nested in a state keeps its document: nothing else leads to it."""
    if any(isinstance(step, StateStep) for step in resource.steps):
        return resource.compact()
    whole = resource.snapshot
    stripped = _stripped.get(whole)
    if stripped is None:
        stripped = _stripped[whole] = attrs.evolve(whole, content=_links_of(whole.content))
    return HalResource(stripped, None, resource.context, resource.steps)


def _links_of(content: LazyBody) -> LazyBody:
    root = content.document()
    links = HalDocument(_links(root.body), curies=root.inherited)
    try:
        return LazyBody(rewrite(links.body), links)
    except ValueError:  # half a character or an infinity in a link can be read, but not written: then all is kept
        return content


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
