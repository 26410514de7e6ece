"""Entries of the HAL browser: what leads on from a resource."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from stellantis_hal import HalResource, Link

__all__ = ["MAX_ENTRIES", "Entry", "entries_of"]

MAX_ENTRIES = 1_000


@attrs.frozen
class Entry:
    """A line that leads on from a resource.

    Attributes:
        label: what is shown.
        kind: "link", "copy", "item" or "form".
        rel: the relation, or the key of the form.
        index: among the links or copies of the relation, or the items of an array.
        is_single: whether the relation has no other.
        link: the link of a link.
    """

    label: str
    kind: str
    rel: str
    index: int = 0
    is_single: bool = True
    link: Link | None = None


def entries_of(resource: HalResource) -> Iterator[Entry]:
    """Yield what leads on from a resource: links, embedded copies, objects of an array, forms."""
    for rel in resource.rels:
        links = resource.links[rel]
        for index, link in enumerate(links):
            hint = link.title or link.name or link.href or "no href"
            template = " {…}" if link.templated else ""
            yield Entry(f"→ {rel}{template}  {hint}", "link", rel, index, len(links) == 1, link)
    for rel, documents in resource.document.embedded.items():
        for index in range(len(documents)):
            yield Entry(f"▣ {rel}[{index}]", "copy", rel, index)
    if isinstance(resource.value, list):
        for index, item in enumerate(resource.value[:MAX_ENTRIES]):
            if isinstance(item, dict):
                yield Entry(f"▣ [{index}]", "item", "", index)
    for key in resource.forms:
        form = resource.forms[key]
        yield Entry(f"✎ {form.title}  {form.method}", "form", key)
