"""Triggers, the parts of a monitor's condition: what they have in common, and those of an unknown kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from stellantis_hal.hal.redaction import mask_text
from stellantis_hal.resources.control.expressions import Expression
from stellantis_hal.validation import require_type

__all__ = ["Trigger", "UnknownTrigger", "require_name"]

_NAME = re.compile(r"[A-Za-z]+(?:[._]?[0-9]+)?")


class Trigger(Expression):
    """One condition of a monitor, by its name."""

    __slots__ = ()

    name: str

    def __str__(self) -> str:
        return self.name

    def describe(self) -> str:
        """Return what it waits for, without places."""
        raise NotImplementedError


@attrs.frozen(repr=False)
class UnknownTrigger(Trigger):
    """A trigger of a kind that this library does not know, as the API states it.

    Attributes:
        name: its name in the condition.
        body: what was read; sent back as it is.
    """

    name: str
    body: Mapping[str, Any] = attrs.field(hash=False)

    def __repr__(self) -> str:
        return f"<{mask_text(self.name)}: {self.describe()}>"

    def describe(self) -> str:
        """Return what is known of it."""
        return "a trigger of an unknown kind"


def require_name(name: str) -> str:
    """Return the name of a trigger.

    Raises:
        ValueError: it is not safe under every reading of the API's rule.
    """
    require_type("name", name, str)
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"the name of a trigger is letters, then at most one of . and _, then digits, as in home, home_1 or t1, "
            f"not {mask_text(name[:40])!r}"
        )
    return name
