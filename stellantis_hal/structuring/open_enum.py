"""Enumerations that keep unknown values."""

from __future__ import annotations

import functools
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from stellantis_hal.hal.redaction import mask_repr

__all__ = ["OpenEnum"]


class OpenEnum(StrEnum):
    """An enumeration of strings to which the API may add values.

    A member equals its string and hashes alike. A value in another case is the listed member: fleets send ``Off`` where
    cars send ``off``. ``EnergyType("Steam")`` is a member too: equal to ``"Steam"``, its
    ``is_known`` is False, its ``name`` is the value itself. Unknown members compare by value, not by ``is``; they are
    not iterated over. Members pickle and copy.

    >>> from stellantis_hal.resources.blocks.energy import EnergyType
    >>> EnergyType("Fuel") is EnergyType.FUEL, EnergyType("Steam").is_known, EnergyType("Steam") == "Steam"
    (True, False, True)
    """

    def __repr__(self) -> str:
        """Show an unknown member by its value, masked and escaped for logs."""
        if self.is_known:
            return f"<{type(self).__name__}.{self.name}: {self.value!r}>"
        return f"{type(self).__name__}({mask_repr(self.value)})"

    @property
    def is_known(self) -> bool:
        """Whether this library's enumeration lists the value."""
        return type(self)._value2member_map_.get(self._value_) is self

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Return the JSON Schema for pydantic and FastAPI: known values are examples, because others are valid too."""
        schema = dict(handler(core_schema))
        schema["examples"] = schema.pop("enum")
        return schema

    @classmethod
    def _missing_(cls, value: object) -> Any:
        if not isinstance(value, str):
            return None
        known = cls._spellings().get(value) or _by_case(cls).get(value.casefold())
        if known is not None:
            return cls(known)
        member = str.__new__(cls, value)
        member._name_ = value
        member._value_ = value
        return member

    @classmethod
    def _spellings(cls) -> dict[str, str]:
        """Return other spellings in use, with the values they stand for; those in another case need no entry."""
        return {}


@functools.cache
def _by_case(kind: type[OpenEnum]) -> dict[str, str]:
    """Return the values of an enumeration by their text without case."""
    return {member.value.casefold(): member.value for member in kind}
