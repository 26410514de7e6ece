"""Capabilities and branding: the extensions of a vehicle."""

from __future__ import annotations

import attrs

from stellantis_hal.structuring.field_mapping import names
from stellantis_hal.structuring.model import Model

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
    "RemoteDetails",
    "VehicleExtension",
]


@attrs.frozen(kw_only=True, weakref_slot=False)
class RemoteCapability(Model):
    """Whether a remote operation is supported, and the scope that it takes.

    Attributes:
        supported: whether it is supported.
        scope: name of the scope.
    """

    supported: bool | None = None
    scope: str | None = attrs.field(default=None, metadata=names("scopeName"))


@attrs.frozen(kw_only=True, weakref_slot=False)
class ProgramSlots(Model):
    """The number of program slots.

    Attributes:
        size: number of the slots.
    """

    size: int | None = attrs.field(default=None, metadata=names(unit="count"))


@attrs.frozen(kw_only=True, weakref_slot=False)
class PreconditioningParameters(Model):
    """Options of preconditioning.

    Attributes:
        immediate: whether it can be started at once.
    """

    programs: ProgramSlots | None = None
    immediate: bool | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class PreconditioningCapability(RemoteCapability):
    """Whether preconditioning is supported, and its options."""

    parameters: PreconditioningParameters | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class ChargingImmediate(Model):
    """Whether charging can be started and stopped at once.

    Attributes:
        start: whether it can be started at once.
        stop: whether it can be stopped at once.
    """

    start: bool | None = None
    stop: bool | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class ChargingPrograms(Model):
    """Whether charging can be programmed, and the number of program slots.

    Attributes:
        supported: whether it can be programmed.
        size: number of the slots.
    """

    supported: bool | None = None
    size: int | None = attrs.field(default=None, metadata=names(unit="count"))


@attrs.frozen(kw_only=True, weakref_slot=False)
class ChargingScheduling(Model):
    """Scheduling options of charging.

    Attributes:
        next_delayed_time: whether a time for the next delayed charging is accepted.
    """

    programs: ChargingPrograms | None = None
    next_delayed_time: bool | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class ChargingPreferences(Model):
    """Preferences that charging accepts.

    Attributes:
        level: whether a level to charge to is accepted.
        type: whether a type of charging is accepted.
    """

    level: bool | None = None
    type: bool | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class ChargingParameters(Model):
    """Options of charging."""

    immediate: ChargingImmediate | None = None
    schedule: ChargingScheduling | None = None
    preferences: ChargingPreferences | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class ChargingCapability(RemoteCapability):
    """Whether charging can be controlled, and its options."""

    parameters: ChargingParameters | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class RemoteDetails(Model):
    """Options of remote operations, as servers list them that list supported operations by their scope."""

    preconditioning: PreconditioningParameters | None = None
    charging: ChargingParameters | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class RemoteCapabilities(Model):
    """The remote operations, each by its name; or, of other servers, their scopes and details.

    ``capabilities.has("remote:door")`` reads both.

    Attributes:
        stolen: whether a vehicle of a fleet can be reported stolen.
        operations: the scopes of the supported operations, where the server lists them so.
        details: the options of those.
    """

    preconditioning: PreconditioningCapability | None = None
    charging: ChargingCapability | None = None
    door: RemoteCapability | None = None
    horn: RemoteCapability | None = None
    lights: RemoteCapability | None = None
    wakeup: RemoteCapability | None = None
    navigation: RemoteCapability | None = None
    stolen: RemoteCapability | None = None
    operations: tuple[str, ...] = attrs.field(default=(), metadata=names("operation"))
    details: RemoteDetails | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Capabilities(Model):
    """What a vehicle supports: kinds of data and remote operations.

    Attributes:
        data: names such as ``data:trip``.
        remote: the remote operations.
    """

    data: tuple[str, ...] = ()
    remote: RemoteCapabilities | None = None

    def has(self, name: str) -> bool:
        """Return whether the vehicle has a capability: ``data:trip``, ``remote:door:write``, or just ``remote:door``.

        A remote operation is named as in the scopes, in any case: ``remote:wakeup``.

        >>> Capabilities(data=("data:trip",)).has("data:trip"), Capabilities().has("remote:door")
        (True, False)
        """
        if name in self.data:
            return True
        kind, _, operation = name.lower().removesuffix(":write").partition(":")
        if kind != "remote" or self.remote is None:
            return False
        offered = getattr(self.remote, operation, None)
        if isinstance(offered, RemoteCapability):
            return offered.supported is True
        return f"remote:{operation}" in {scope.lower().removesuffix(":write") for scope in self.remote.operations}


@attrs.frozen(kw_only=True, weakref_slot=False)
class Branding(Model):
    """Names of the vehicle.

    Attributes:
        brand: the brand.
        label: the version.
    """

    brand: str | None = None
    label: str | None = None


@attrs.frozen(kw_only=True, weakref_slot=False)
class VehicleExtension(Model):
    """The extensions asked for by ``extensions=(…)``.

    Attributes:
        onboard_capabilities: what the vehicle supports.
        branding: brand and version.
        pictures: URLs of pictures, on hosts that must not receive credentials.
    """

    onboard_capabilities: Capabilities | None = None
    branding: Branding | None = None
    pictures: tuple[str, ...] = ()
