"""The account holder, and the vehicles of the account."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import attrs

from stellantis_hal.resources import filters
from stellantis_hal.resources.by_vin import find_by_vin, require_vin, vin_hint
from stellantis_hal.resources.typed_requests import choose_rel, fetch_by_id, paginate
from stellantis_hal.structuring.converter import TypedConverter
from stellantis_hal.structuring.typed_resource import TypedResource

if TYPE_CHECKING:
    from stellantis_hal.navigation.pagination.paginator import Paginator
    from stellantis_hal.resources.vehicle import Vehicle

__all__ = ["User"]


@attrs.frozen(kw_only=True, weakref_slot=False)
class User(TypedResource):
    """The account holder.

    Attributes:
        email: the e-mail address.
        first_name: the first name.
        last_name: the last name.
        created_at: when the account was created.
        updated_at: when it was last changed.
    """

    __embedded__: ClassVar[frozenset[str]] = frozenset({"Vehicles", "vehicles"})  # read by embedded_vehicles

    email: str | None = attrs.field(default=None, repr=False)
    first_name: str | None = attrs.field(default=None, repr=False)
    last_name: str | None = attrs.field(default=None, repr=False)
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def embedded_vehicles(self) -> tuple[Vehicle, ...]:
        """The vehicles embedded in the response, without a request; they may be partial.

        They are read from the document: of a client with ``keep_document=False`` there are none.
        """
        from stellantis_hal.resources.vehicle import Vehicle

        resource = self.resource
        if resource is None or self.document is None:
            return ()
        converter = TypedConverter() if resource.context is None else resource.context.converter
        return tuple(converter.structure(vehicle, Vehicle) for vehicle in resource.embedded("Vehicles"))

    def vehicles(
        self,
        *,
        extensions: Iterable[str] | str | None = None,
        locale: str | None = None,
        country: str | None = None,
        vin_prefix: str | None = None,
        index_range: tuple[int, int | None] | None = None,
        page_size: int | None = None,
    ) -> Paginator[Vehicle]:
        """Paginate the account's vehicles.

        Args:
            extensions: ``onboardCapabilities``, ``branding``, ``pictures``.
            locale: the language of texts, as in ``fr-FR``.
            country: adds the call centre of a country: ``CL``, ``BR``, ``AR``.
            vin_prefix: the first characters of the VIN.
            index_range: the first and the last index, counted from 0, both included.
            page_size: items on a page, 1 to 60.

        Raises:
            ValueError: a filter is out of bounds; nothing was sent.
        """
        from stellantis_hal.resources.vehicle import Vehicle

        return paginate(
            self.require_resource(),
            choose_rel(self.require_resource(), "vehicles", "vehicle"),
            Vehicle,
            embedded="vehicles",
            page_size=page_size,
            index_range=index_range,
            extension=filters.choices("extensions", extensions, most=3),
            locale=filters.text("locale", locale),
            country=filters.text("country", country),
            vinPrefix=filters.text("vin_prefix", vin_prefix),
        )

    async def vehicle(
        self,
        id_: str | None = None,
        *,
        vin: str | None = None,
        extensions: Iterable[str] | str | None = None,
        locale: str | None = None,
        country: str | None = None,
    ) -> Vehicle:
        """Fetch a vehicle by its id, or by its VIN; the options are those of :meth:`vehicles`.

        Raises:
            NotFoundError: the account has no such vehicle.
            ValueError: not exactly one of ``id_`` and ``vin`` was passed, or the VIN has a wrong form; nothing was
                sent.
        """
        from stellantis_hal.resources.vehicle import Vehicle

        if id_ is None or vin is not None:
            vin = require_vin(vin, id_=id_)
            list_vehicles = partial(self.vehicles, extensions=extensions, locale=locale, country=country)
            return await find_by_vin(vin, list_vehicles(vin_prefix=vin), list_vehicles())
        with vin_hint(id_):
            return await fetch_by_id(
                self.require_resource(),
                choose_rel(self.require_resource(), "vehicles", "vehicle"),
                Vehicle,
                id_,
                extension=filters.choices("extensions", extensions, most=3),
                locale=filters.text("locale", locale),
                country=filters.text("country", country),
            )
