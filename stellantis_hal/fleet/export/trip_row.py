"""Row of a trip file: a trip with what identifies its vehicle, and the key by which a file has it once."""

from __future__ import annotations

from typing import Any, Final

import attrs

from stellantis_hal.resources.trip import Trip, TripFaultKind

__all__ = ["TripRow", "key_of_record", "trip_key"]

_UNFINISHED: Final = TripFaultKind.UNFINISHED.value


@attrs.frozen(kw_only=True)
class TripRow:
    """A trip with what identifies its vehicle, as it is written.

    Attributes:
        account: key of the account; None if unknown.
        vehicle: id of the vehicle, likewise.
        vin: its VIN, as far as it is to be written, likewise.
        label: its label, likewise.
        trip: the trip.
    """

    account: str | None
    vehicle: str | None
    vin: str | None = attrs.field(repr=False)
    label: str | None
    trip: Trip

    @property
    def identity(self) -> dict[str, Any]:
        """What identifies the vehicle, as JSON."""
        return {"account": self.account, "vehicle": self.vehicle, "vin": self.vin, "label": self.label}

    @property
    def key(self) -> int | None:
        """Key of the trip in a file; None where its vehicle or its id is unknown.

        A trip that had not finished when it was written has another key when it has.
        """
        faults = [fault.fault.value for fault in self.trip.faults if fault.fault is not None]
        return trip_key(self.vehicle, self.trip.id, self.trip.done, faults)


def trip_key(vehicle: Any, trip: Any, done: bool | None, faults: list[Any]) -> int | None:
    """Return the key of a trip in a file: a hash, because a file may have millions of them."""
    if not (isinstance(vehicle, str) and vehicle and isinstance(trip, str) and trip):
        return None
    return hash((vehicle, trip, done if done is not None else _UNFINISHED not in faults))


def key_of_record(vehicle: Any, trip: dict[str, Any]) -> int | None:
    """Return the key of a trip that was written by its ``to_dict``."""
    done, faults = trip.get("done"), trip.get("faults")
    names = [fault.get("fault") for fault in faults if isinstance(fault, dict)] if isinstance(faults, list) else []
    return trip_key(vehicle, trip.get("id"), done if isinstance(done, bool) else None, names)
