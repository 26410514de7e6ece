"""Objects without a truth value: what they lead to is not read yet."""

from __future__ import annotations

from typing import ClassVar, NoReturn

__all__ = ["NoTruthValue"]


class NoTruthValue:
    """Base of what is awaited or iterated over: whether there is something in it is not known before."""

    __slots__ = ()

    _instead: ClassVar[str] = "read it by async for"

    def __bool__(self) -> NoReturn:
        """Refuse ``if``, ``and``, ``or`` and ``not``, for which it was always true.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            f"{type(self).__name__} has no truth value, as it is read later: {self._instead}, or compare it with None"
        )
