"""Identity of a vehicle, as what was read of it keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

import attrs

from stellantis_hal.hal.redaction import redacted_repr
from stellantis_hal.hal.uri import split

if TYPE_CHECKING:
    from stellantis_hal.navigation.resource import HalResource

__all__ = ["VehicleIdentity"]


@attrs.frozen(kw_only=True)
class VehicleIdentity:
    """Which vehicle something was read of, and by which account.

    Attributes:
        account: key of the account; None where it was read without one.
        id: the vendor's id of the vehicle.
        vin: the vehicle identification number, whole.
        label: its version, as the vendor calls it.
    """

    __repr__ = redacted_repr

    account: str | None = None
    id: str | None = None
    vin: str | None = attrs.field(default=None, repr=False)
    label: str | None = None

    @classmethod
    def linked_by(cls, resource: HalResource, *rels: str) -> VehicleIdentity:
        """Return what the only link of a resource to its vehicle tells: the id, the last segment of its path."""
        links = [link for rel in rels for link in resource.links.get(rel, ())]
        href = links[0].href if len(links) == 1 and not links[0].templated else None
        segment = "" if href is None else unquote(split(href).path.rstrip("/").rpartition("/")[2])
        context = resource.context
        return cls(
            account=None if context is None else context.principal,
            id=None if segment in {"", *rels} else segment,
        )
