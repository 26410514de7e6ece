"""What every typed value has: what could not be read of it, the keys nobody knows, and its way back to plain JSON.

Knows plans. Must not know any particular class, nor resources and links.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from stellantis_hal.structuring.problems import NO_EXTRA, Problem
from stellantis_hal.structuring.schema import plan_of

__all__ = ["Model", "Names"]

Names = Literal["vendor", "python"]


@attrs.frozen(kw_only=True, weakref_slot=False)
class Model:
    """A typed value read from an object of a body. Equal by value.

    Whatever is missing is None, or an empty tuple where there may be several.

    Attributes:
        problems: what could not be read in it, with paths relative to it; not part of its value.
        extra: the keys that this library does not know.
    """

    problems: tuple[Problem, ...] = attrs.field(default=(), eq=False, repr=False)
    extra: Mapping[str, Any] = attrs.field(default=NO_EXTRA, hash=False, repr=False)

    def to_dict(self, names: Names = "vendor") -> dict[str, Any]:
        """Write it as plain JSON values, without what is None or empty.

        ``"vendor"`` uses the newest generation of the vendor's names, units and nesting, with unknown keys in their
        places, so that reading it again gives an equal value. ``"python"`` uses the names of this library, unknown
        keys under ``extra``; values are spelt as the vendor spells them.

        >>> from stellantis_hal.resources.maintenance import Maintenance
        >>> Maintenance(days=45).to_dict(), Maintenance(days=45).to_dict("python")
        ({'daysBeforeMaintenance': 45}, {'days': 45})
        """
        written: dict[str, Any] = {}
        for field in plan_of(type(self)).fields:
            value = getattr(self, field.name)
            if value is None or value == ():
                continue
            if field.leaf is None:
                plain: Any = [part.to_dict(names) for part in value] if field.many else value.to_dict(names)
            else:
                plain = [field.leaf.write(item) for item in value] if field.many else field.leaf.write(value)
            if names == "python":
                written[field.name] = plain
            else:
                place = written
                for step in field.paths[0][:-1]:
                    place = place.setdefault(step, {})
                place[field.paths[0][-1]] = plain
        if names == "vendor":
            for path, constant in plan_of(type(self)).constants.items():
                place = written if len(path) == 1 else written.get(path[0], {})
                place[path[-1]] = constant
        if self.extra:
            if names == "python":
                written["extra"] = dict(self.extra)
            else:
                overlay(written, self.extra)
        return written


def overlay(written: dict[str, Any], extra: Mapping[str, Any]) -> None:
    """Put unknown keys back where they stood, without touching what is there."""
    for key, value in extra.items():
        place = written.get(key)
        if isinstance(place, dict) and isinstance(value, Mapping):
            overlay(place, value)
        else:
            written.setdefault(key, value)
