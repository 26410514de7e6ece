"""Fleets of a fleet owner, and their vehicles."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Self

import attrs

from stellantis_hal.resources import filters
from stellantis_hal.resources.by_vin import find_by_vin, require_vin
from stellantis_hal.resources.queries import fetch_by_id, paginate
from stellantis_hal.resources.request_options import with_request_options
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.structuring.typed_resource import TypedResource

if TYPE_CHECKING:
    from stellantis_hal.navigation.pagination.paginator import Paginator
    from stellantis_hal.navigation.resource import HalResource
    from stellantis_hal.transport.rate_limit.protocol import Priority

__all__ = ["Fleet"]

_CAPABILITIES = "onboardCapabilities"


@attrs.frozen(kw_only=True, weakref_slot=False)
class Fleet(TypedResource):
    """A fleet of a fleet owner.

    Attributes:
        id: the vendor's id.
        name: its name.
        description: what it is for.
        created_at: when its record was made.
        updated_at: when its record was last changed.
    """

    id: str | None = None
    name: str | None = None
    description: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None

    def with_options(self, *, priority: Priority | None = None, max_wait: float | None = None) -> Self:
        """Return this fleet with another priority of its requests, or another bound on waiting for the limits.

        Resources fetched from it have the same options; see :meth:`Vehicle.with_options`.
        """
        return with_request_options(self, priority, max_wait)

    # --------------------------------------------------------------------------------------------- vehicles

    def vehicles(
        self,
        *,
        locale: str | None = None,
        extensions: Iterable[str] | str | None = None,
        vin_prefix: str | None = None,
        page_size: int | None = None,
    ) -> Paginator[Vehicle]:
        """Paginate the vehicles of the fleet. The API pages them by token only: there are no index ranges.

        Args:
            locale: the language of labels (``fr-FR``).
            extensions: more data of each vehicle: ``branding``, ``pictures``.
            vin_prefix: only vehicles whose VIN begins with this.
            page_size: items on a page, 1 to 60.

        Raises:
            ValueError: a filter is out of bounds, or ``onboardCapabilities`` is asked for, which the API has for single
                vehicles only; nothing was sent.
        """
        wanted = filters.choices("extensions", extensions, most=2)
        if _CAPABILITIES in (wanted or ()):
            raise ValueError(
                f"a fleet's list has no {_CAPABILITIES}: read one vehicle with fleet.vehicle(id, "
                f'extensions="{_CAPABILITIES}"), or client.capabilities(vin)'
            )
        return paginate(
            self._own_resource(),
            ("vehicles", "vehicle"),
            Vehicle,
            segment="vehicles",
            embedded="vehicles",
            page_size=page_size,
            ranged=False,
            locale=filters.text("locale", locale),
            extension=wanted,
            vinPrefix=filters.text("vin_prefix", vin_prefix),
        )

    async def vehicle(
        self,
        id_: str | None = None,
        *,
        vin: str | None = None,
        locale: str | None = None,
        extensions: Iterable[str] | str | None = None,
    ) -> Vehicle:
        """Fetch a vehicle by its id, or by its VIN.

        Args:
            id_: the API's id, which is not the VIN.
            vin: the whole VIN, in any case: it is looked for in the list of vehicles, and the vehicle is then read.
            locale: the language of labels (``fr-FR``).
            extensions: more data of the vehicle: ``onboardCapabilities``, ``branding``, ``pictures``.

        Raises:
            NotFoundError: the fleet has no such vehicle.
            ValueError: not exactly one of ``id_`` and ``vin`` was passed, or the VIN has a wrong form; nothing was
                sent.
        """
        if id_ is None or vin is not None:
            vin = require_vin(vin, id_=id_)
            list_vehicles = partial(self.vehicles, locale=locale)
            found = await find_by_vin(vin, list_vehicles(vin_prefix=vin), list_vehicles(), among="fleet")
            if extensions is None or found.id is None:
                return found
            id_ = found.id
        return await fetch_by_id(
            self._own_resource(),
            "vehicles",
            Vehicle,
            id_,
            segment="vehicles",
            extension=filters.choices("extensions", extensions, most=3),
            locale=filters.text("locale", locale),
        )

    def _own_resource(self) -> HalResource:
        """Return its resource, by which what is read knows the fleet that it was read of."""
        resource = self.require_resource()
        context = resource.require_context()
        if self.id is None or context.principal == self.id:
            return resource
        return resource.rebind(attrs.evolve(context, principal=self.id))
