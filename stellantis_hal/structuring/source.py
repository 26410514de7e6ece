"""The tie between a typed value and the resource it was read from.

Knows that there is a resource and a reader. Must not know how either works.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from stellantis_hal.hal.document import HalDocument
    from stellantis_hal.navigation.resource import HalResource
    from stellantis_hal.structuring.converter import TypedConverter

__all__ = ["Provenance"]


@attrs.frozen
class Provenance:
    """Where a typed value came from, and how what it leads to is read."""

    resource: HalResource
    reader: TypedConverter

    @property
    def document(self) -> HalDocument | None:
        """The document; None where it was not kept."""
        return self.resource.document if self.reader.keep_document else None

    @property
    def content(self) -> bytes:
        """The bytes that the document came in, others' included; empty where they were not kept, or never were."""
        return self.resource.snapshot.content.raw if self.reader.keep_document else b""
