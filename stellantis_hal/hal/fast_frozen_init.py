"""Classes of the same layout as frozen ones, whose attributes may be set."""

from __future__ import annotations

from typing import Any

__all__ = ["mutable_twin"]


def mutable_twin(kind: type) -> Any:
    """Make a class of the same layout whose attributes may be set.

    Instances are filled as the twin and then become the frozen class: assigning slots is several times as fast as
    a frozen ``__init__``, which calls ``object.__setattr__`` for each field. (The interpreter only sets slots quickly
    where neither setting nor deleting attributes is written in Python: so both are put back.)
    """
    own = {
        "__slots__": (),  # so the layout is that of the class, with or without slots
        "__setattr__": object.__setattr__,
        "__delattr__": object.__delattr__,
    }
    return type(kind)(f"{kind.__name__}InTheMaking", (kind,), own)
