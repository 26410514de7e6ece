"""Vehicles by their VIN."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from stellantis_hal.errors import BadRequestError, NotFoundError
from stellantis_hal.hal.redaction import mask_text, mask_vin
from stellantis_hal.validation import require_type

if TYPE_CHECKING:
    from stellantis_hal.navigation.pagination.paginator import Paginator
    from stellantis_hal.resources.vehicle import Vehicle

__all__ = ["find_by_vin", "require_vin", "vin_hint"]

_LENGTH = 17
_WRONG = re.compile(r"[^A-HJ-NPR-Z0-9]")
"""ISO 3779: capital letters without I, O and Q, and digits."""
_ADVICE = {
    "account": "that its owner's account is the one that consented",
    "fleet": "that the vehicle was added to this fleet",
}


def require_vin(vin: str | None, *, id_: str | None) -> str:
    """Return the VIN of a call that takes an id or a VIN, in capitals.

    Raises:
        ValueError: both or neither were passed, or the VIN has a wrong form; the message masks it.
        TypeError: the VIN is not text.
    """
    if id_ is not None or vin is None:
        raise ValueError('pass the id of a vehicle, as in vehicle("…"), or its VIN, as in vehicle(vin="VF3…")')
    require_type("vin", vin, str)
    vin = vin.strip().upper()
    if len(vin) != _LENGTH:
        raise ValueError(f"vin must have {_LENGTH} characters, not {len(vin)}")
    if (wrong := _WRONG.search(vin)) is not None:
        raise ValueError(
            "vin must have digits, and letters without I, O and Q: "
            f"the character {wrong.start() + 1} of {mask_text(mask_vin(vin))} is neither"
        )
    return vin


@contextmanager
def vin_hint(id_: str) -> Generator[None]:
    """Say of an id that is not found that it has the form of a VIN, where it has."""
    try:
        yield
    except NotFoundError as error:
        if len(id_) == _LENGTH and _WRONG.search(id_.upper()) is None:
            error.add_note("the id has the form of a VIN: pass a VIN as vehicle(vin=…)")
        raise


async def find_by_vin(
    vin: str, filtered: Paginator[Vehicle], whole: Paginator[Vehicle], *, among: Literal["account", "fleet"] = "account"
) -> Vehicle:
    """Return the vehicle with a VIN.

    Args:
        vin: the VIN, in capitals.
        filtered: the vehicles by ``vinPrefix``. Some servers ignore it, others answer 400 or 404: then ``whole`` is
            searched.
        whole: all vehicles.
        among: whose vehicles they are, for the message of an error.

    Raises:
        NotFoundError: none has this VIN; the message has the number of vehicles that were read.
        StellantisError: reading failed.
    """
    search = _Search(vin)
    try:
        found = await search.among(filtered)
        is_whole = search.others > 0  # the server ignored the prefix
    except (BadRequestError, NotFoundError):
        found, is_whole = None, False
    if found is None and not is_whole:
        found = await search.among(whole)
    if found is None:
        raise search.failure(among)
    return found


class _Search:
    """A search for a VIN, and what it has read."""

    def __init__(self, vin: str) -> None:
        self._vin = vin
        self._without_vin = 0
        self.others = 0

    async def among(self, vehicles: Paginator[Vehicle]) -> Vehicle | None:
        """Return the first vehicle with the VIN, without regard to case; None where there is none."""
        self.others = self._without_vin = 0
        async for vehicle in vehicles:
            if vehicle.vin is not None and vehicle.vin.strip().upper() == self._vin:
                return vehicle
            self.others += 1
            self._without_vin += vehicle.vin is None
        return None

    def failure(self, among: Literal["account", "fleet"]) -> NotFoundError:
        """Return the error for a VIN that no vehicle has."""
        unknown = f", {self._without_vin} of them without a VIN" if self._without_vin else ""
        return NotFoundError(
            f"the {among} has no vehicle with the VIN {mask_vin(self._vin)}: {self.others} vehicles were "
            f"read{unknown}. Check the VIN, and {_ADVICE[among]}",
            status=404,
        )
