"""Typed relations."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs

from stellantis_hal.hal.redaction import redacted_repr

__all__ = ["Rel"]

T = TypeVar("T")


@attrs.frozen
class Rel(Generic[T]):
    """A relation with the type of its target: ``await vehicle.follow(Rel("trip", Trip))`` is a ``Trip``.

    Attributes:
        name: the relation as in :meth:`~stellantis_hal.navigation.resource.HalResource.follow`.
        type: the type that the client converts the target to.
        accept: the media type to ask for; None: the type that the link hints at.
    """

    __repr__ = redacted_repr

    name: str
    type: type[T]
    accept: str | None = None
