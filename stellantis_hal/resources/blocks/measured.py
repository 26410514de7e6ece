"""Instants of bodies and their blocks, and the base class of blocks that have instants of their own."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import attrs

from stellantis_hal.structuring.field_mapping import names
from stellantis_hal.structuring.model import Model

__all__ = ["MeasuredBlock", "latest_instant"]


class _Dated(Protocol):
    @property
    def created_at(self) -> datetime | None: ...
    @property
    def updated_at(self) -> datetime | None: ...


def latest_instant(value: _Dated | None) -> datetime | None:
    """Return the later of ``created_at`` and ``updated_at``: bodies keep either of them for months."""
    return None if value is None else max(filter(None, (value.created_at, value.updated_at)), default=None)


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
        return latest_instant(self)
