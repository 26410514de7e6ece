"""The way to a resource as a Python expression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

__all__ = ["PythonSnippet"]


@attrs.frozen
class PythonSnippet:
    """An expression whose value is a resource: ``await hal.follow("orders").follow("item", index=2)``.

    Attributes:
        code: the expression without ``await`` in front.
        is_awaited: whether ``await`` belongs in front.
        is_chain: whether ``.follow(…)`` may be appended without awaiting it.
        start: the expression of the client, where this is its entry resource; empty elsewhere.
    """

    code: str
    is_awaited: bool = True
    is_chain: bool = False
    start: str = ""

    @classmethod
    def at(cls, client: str) -> PythonSnippet:
        """Return the expression of a client's entry resource."""
        return cls(f"{client}.root()", start=client)

    def __str__(self) -> str:
        """Return the whole expression."""
        return f"await {self.code}" if self.is_awaited else self.code

    def follow(self, rel: str, **options: Any) -> PythonSnippet:
        """Return the expression of a link's target."""
        code = self.start or (self.code if self.is_chain else self._value)
        return PythonSnippet(f"{code}.follow({_arguments([rel], options)})", is_chain=True)

    def embedded(self, rel: str, index: int) -> PythonSnippet:
        """Return the expression of an embedded copy."""
        return PythonSnippet(f"{self._value}.embedded({rel!r})[{index}]", is_awaited=False)

    def at_index(self, index: int) -> PythonSnippet:
        """Return the expression of an object in an array."""
        return PythonSnippet(f"{self._value}.at({index})", is_awaited=False)

    def submit(self, key: str, values: Mapping[str, Any]) -> PythonSnippet:
        """Return the expression of the response to a form."""
        names = {name: value for name, value in values.items() if name.isidentifier()}
        others = {name: value for name, value in values.items() if name not in names}
        return PythonSnippet(f"{self._value}.forms[{key!r}].submit({_arguments([others] if others else [], names)})")

    @property
    def _value(self) -> str:
        return f"({self})" if self.is_awaited else self.code


def _arguments(first: list[Any], named: Mapping[str, Any]) -> str:
    return ", ".join([*map(_literal, first), *(f"{name}={_literal(value)}" for name, value in named.items())])


def _literal(value: Any) -> str:
    if value is Ellipsis:
        return "..."
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_literal(name)}: {_literal(member)}' for name, member in value.items())}}}"
    return repr(value) if str(value).isprintable() else ascii(value)
