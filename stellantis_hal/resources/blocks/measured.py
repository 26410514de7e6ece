"""Base class of blocks that have an instant of their own."""

from __future__ import annotations

from datetime import datetime

import attrs

from stellantis_hal.structuring.field_mapping import names
from stellantis_hal.structuring.model import Model

__all__ = ["MeasuredBlock"]


@attrs.frozen(kw_only=True, weakref_slot=False)
class MeasuredBlock(Model):
    """A block with an instant of its own, which may be much older than the status.

    Attributes:
        created_at: when it was measured; older responses have ``updatedAt`` alone.
        updated_at: when it was last updated, where a response says so.
    """

    created_at: datetime | None = attrs.field(default=None, metadata=names("createdAt", "updatedAt"))
    updated_at: datetime | None = None

    @property
    def measured_at(self) -> datetime | None:
        """The later of both instants."""
        return max(filter(None, (self.created_at, self.updated_at)), default=None)
