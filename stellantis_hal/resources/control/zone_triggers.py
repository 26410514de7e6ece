"""Zone triggers of monitors: the car enters or leaves a circle."""

from __future__ import annotations

import math

import attrs

from stellantis_hal.hal.redaction import MASK, mask_repr, mask_text
from stellantis_hal.resources.control.trigger import Trigger, require_name
from stellantis_hal.validation import require_type

__all__ = ["Zone", "ZoneTrigger", "zone"]


@attrs.frozen(repr=False)
class ZoneTrigger(Trigger):
    """The car enters or leaves a circle.

    Attributes:
        name: its name in the condition.
        transition: ``"In"`` or ``"Out"``, or what the API states.
        latitude: of the centre, in degrees; None where it could not be read.
        longitude: of the centre, in degrees.
        km: the radius.
    """

    name: str
    transition: str
    latitude: float | None
    longitude: float | None
    km: float | None

    def __repr__(self) -> str:
        verb = {"In": "enters", "Out": "exits"}.get(self.transition, "transition")
        km = "?" if self.km is None else f"{self.km:g}"
        return f"zone({mask_repr(self.name)}, {MASK}, km={km}).{verb}"

    def describe(self) -> str:
        """Return what it waits for."""
        verb = {"In": "enters", "Out": "leaves"}.get(self.transition, mask_text(self.transition))
        return f"{verb} the zone {mask_text(self.name)}{'' if self.km is None else f' of {self.km:g} km'}"


@attrs.frozen(repr=False)
class Zone:
    """A circle that a car enters and leaves. Made by :func:`zone`."""

    name: str
    latitude: float
    longitude: float
    km: int

    def __repr__(self) -> str:
        return f"zone({mask_repr(self.name)}, {MASK}, km={self.km})"

    @property
    def exits(self) -> ZoneTrigger:
        """True once the car has left it."""
        return ZoneTrigger(self.name, "Out", self.latitude, self.longitude, self.km)

    @property
    def enters(self) -> ZoneTrigger:
        """True once the car has entered it."""
        return ZoneTrigger(self.name, "In", self.latitude, self.longitude, self.km)


def zone(name: str, latitude: float, longitude: float, *, km: int = 1) -> Zone:
    """Return a circle: ``zone("home", 48.8667, 2.3333, km=1).exits``.

    Args:
        name: its name in the condition: letters, then digits.
        latitude: of its centre, in degrees.
        longitude: of its centre, in degrees.
        km: its radius in whole kilometres, at least 1.

    Raises:
        ValueError: a value is out of its bounds.
        TypeError: a value has another type.
    """
    for label, degrees, bound in (("latitude", latitude, 90), ("longitude", longitude, 180)):
        if isinstance(degrees, bool):
            raise TypeError(f"{label} must be a number of degrees, not bool")
        require_type(label, degrees, int, float)
        if not (math.isfinite(degrees) and abs(degrees) <= bound):
            raise ValueError(f"{label} must be between -{bound} and {bound} degrees")
    if isinstance(km, bool):
        raise TypeError("km must be a number, not bool")
    require_type("km", km, int, instead="the API takes whole kilometres")
    if km < 1:
        raise ValueError(f"km must be at least 1, not {km}")
    return Zone(require_name(name), float(latitude), float(longitude), km)
