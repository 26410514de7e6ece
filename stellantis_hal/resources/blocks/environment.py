"""Environment of a car: light and air outside."""

from __future__ import annotations

import attrs

from stellantis_hal.resources.blocks.measured import MeasuredBlock
from stellantis_hal.resources.missing_value_codes import Temperature
from stellantis_hal.structuring.field_mapping import names
from stellantis_hal.structuring.model import Model

__all__ = ["Air", "Environment", "Luminosity"]


@attrs.frozen(kw_only=True, weakref_slot=False)
class Luminosity(MeasuredBlock):
    """Daylight.

    Attributes:
        day: whether it is day.
    """

    day: bool | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Air(MeasuredBlock):
    """The air outside.

    Attributes:
        temperature: degrees Celsius; None for 215, which stands for none.
        created_at: when this was measured.
    """

    temperature: Temperature | None = attrs.field(default=None, metadata=names("temp", unit="degC"))


@attrs.frozen(kw_only=True, weakref_slot=False)
class Environment(Model):
    """Daylight and air outside."""

    luminosity: Luminosity | None = None
    air: Air | None = None
