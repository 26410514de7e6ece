"""What a vehicle can do, and how it is presented: the extensions of a vehicle.

Knows the vendor's capability names. Must not know how they are asked for.
"""

from __future__ import annotations

import attrs

from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.schema import names

__all__ = [
    "Branding",
    "Capabilities",
    "ChargingCapability",
    "ChargingImmediate",
    "ChargingParameters",
    "ChargingPreferences",
    "ChargingPrograms",
    "ChargingScheduling",
    "PreconditioningCapability",
    "PreconditioningParameters",
    "ProgramSlots",
    "RemoteCapabilities",
    "RemoteCapability",
    "VehicleExtension",
]


@attrs.frozen(kw_only=True, weakref_slot=False)
class RemoteCapability(Model):
    """Whether a remote operation is supported, and the scope that it takes."""

    supported: bool | None = None
    scope: str | None = attrs.field(default=None, metadata=names("scopeName"))


@attrs.frozen(kw_only=True, weakref_slot=False)
class ProgramSlots(Model):
    """How many programs there is room for."""

    size: int | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class PreconditioningParameters(Model):
    """What preconditioning can be told."""

    programs: ProgramSlots | None = None
    immediate: bool | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class PreconditioningCapability(RemoteCapability):
    """Whether preconditioning is supported, and what it can be told."""

    parameters: PreconditioningParameters | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class ChargingImmediate(Model):
    """Whether charging can be started and stopped at once."""

    start: bool | None = None
    stop: bool | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class ChargingPrograms(Model):
    """Whether charging can be programmed, and how many programs there is room for."""

    supported: bool | None = None
    size: int | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class ChargingScheduling(Model):
    """How charging can be scheduled."""

    programs: ChargingPrograms | None = None
    next_delayed_time: bool | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class ChargingPreferences(Model):
    """Which preferences charging takes."""

    level: bool | None = None
    type: bool | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class ChargingParameters(Model):
    """What charging can be told."""

    immediate: ChargingImmediate | None = None
    schedule: ChargingScheduling | None = None
    preferences: ChargingPreferences | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class ChargingCapability(RemoteCapability):
    """Whether charging can be controlled, and what it can be told."""

    parameters: ChargingParameters | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class RemoteCapabilities(Model):
    """The remote operations."""

    preconditioning: PreconditioningCapability | None = None
    charging: ChargingCapability | None = None
    door: RemoteCapability | None = None
    horn: RemoteCapability | None = None
    lights: RemoteCapability | None = None
    wakeup: RemoteCapability | None = None
    navigation: RemoteCapability | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Capabilities(Model):
    """What a vehicle can do: the data it gives, the operations it takes.

    Attributes:
        data: names such as ``data:trip``.
        remote: the remote operations.
    """

    data: tuple[str, ...] = ()
    remote: RemoteCapabilities | None = None

    def has(self, name: str) -> bool:
        """Tell whether the vehicle has a capability: ``data:trip``, ``remote:door:write``, or just ``remote:door``.

        >>> Capabilities(data=("data:trip",)).has("data:trip"), Capabilities().has("remote:door")
        (True, False)
        """
        if name in self.data:
            return True
        kind, _, operation = name.removesuffix(":write").partition(":")
        offered = getattr(self.remote, operation, None) if kind == "remote" else None
        return isinstance(offered, RemoteCapability) and offered.supported is True


@attrs.frozen(kw_only=True, weakref_slot=False)
class Branding(Model):
    """How the vehicle is called.

    Attributes:
        brand: the brand.
        label: the version.
    """

    brand: str | None = None
    label: str | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class VehicleExtension(Model):
    """What comes with ``extensions=(…)``.

    Attributes:
        onboard_capabilities: what the vehicle can do.
        branding: how it is called.
        pictures: addresses of pictures; on hosts that must not get any credentials.
    """

    onboard_capabilities: Capabilities | None = None
    branding: Branding | None = None
    pictures: tuple[str, ...] = ()
