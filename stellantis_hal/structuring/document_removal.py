"""Resources of which only the links are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

import attrs

from stellantis_hal.hal.document import parse_root
from stellantis_hal.hal.json import rewrite
from stellantis_hal.navigation.lazy_body import BodyPathStep, LazyResponseBody
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.navigation.resource_serialization import Dump, picklable_dump
from stellantis_hal.navigation.response_snapshot import ResponseSnapshot

__all__ = ["LinksOnlyResource", "without_document"]

# While a page is held, its items share one snapshot without documents.
_stripped: Final[WeakKeyDictionary[ResponseSnapshot, ResponseSnapshot]] = WeakKeyDictionary()


class LinksOnlyResource(HalResource):
    """A resource whose document was dropped: its links can be followed, its state is empty."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Callable[..., HalResource], tuple[Dump]]:
        return LinksOnlyResource.load, (picklable_dump(self.dump()),)


def without_document(resource: HalResource) -> LinksOnlyResource:
    """Return the same resource with links alone. One nested in a state keeps its document: nothing else leads to it."""
    whole = resource.snapshot
    if not any(isinstance(step, BodyPathStep) for step in resource.steps):
        stripped = _stripped.get(whole)
        if stripped is None:
            stripped = _stripped[whole] = attrs.evolve(whole, content=_links_of(whole.content))
        whole = stripped
    return LinksOnlyResource(whole, None, resource.context, resource.steps)


def _links_of(content: LazyResponseBody) -> LazyResponseBody:
    root = content.document()
    links = parse_root(_links(root.body), curies=root.inherited, header_links=root.header_links, base=content.base)
    try:
        return LazyResponseBody(rewrite(links.body), links, base=content.base)
    except ValueError:  # half a character or an infinity in a link can be read, but not written: then all is kept
        return content


def _links(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the links alone, with embedded objects in their places."""
    links = {"_links": body["_links"]} if "_links" in body else {}
    embedded = body.get("_embedded")
    if isinstance(embedded, Mapping):
        links["_embedded"] = {
            rel: [_links(item) for item in (items if isinstance(items, list) else [items]) if isinstance(item, Mapping)]
            for rel, items in embedded.items()
        }
    return links
