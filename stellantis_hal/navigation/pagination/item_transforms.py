"""Stages: what is done with each item before it is returned."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

import attrs

__all__ = ["ItemTransform", "StageChain"]


@attrs.frozen
class ItemTransform:
    """One stage of a paginator.

    Attributes:
        kind: "map" converts items, and leaves out those that become None; "filter" leaves out those for which the
            function returns nothing true; "take" lets the first ``count`` pass.
        function: the function of an item; its result is awaited where it is awaitable.
        count: how many items pass.
    """

    kind: Literal["map", "filter", "take"]
    function: Callable[[Any], Any] | None = None
    count: int = 0


class StageChain:
    """The stages of one iteration, in order, with their counts."""

    __slots__ = ("_convert", "_left", "_stages")

    def __init__(self, stages: tuple[ItemTransform, ...]) -> None:
        self._stages = stages
        # How many items may still pass each stage that counts them, by its index.
        # The most frequent chain converts each item, and does nothing else.
        self._convert = stages[0].function if len(stages) == 1 and stages[0].kind == "map" else None
        self._left: dict[int, int] = {index: one.count for index, one in enumerate(stages) if one.kind == "take"}

    @property
    def is_exhausted(self) -> bool:
        """Whether no further item can pass."""
        return bool(self._left) and min(self._left.values()) <= 0

    def apply(self, item: Any) -> Any:
        """Return what becomes of an item, None where it is left out; or an awaitable of that.

        An item whose function raises an exception has not passed: it may be passed again.
        """
        return self._convert(item) if self._convert is not None else self._apply(item, 0, [])

    def _apply(self, item: Any, start: int, passed: list[int]) -> Any:
        for index in range(start, len(self._stages)):
            stage = self._stages[index]
            if stage.function is None:
                passed.append(index)
                continue
            result = stage.function(item)
            if hasattr(type(result), "__await__"):
                return self._finish(item, result, index, passed)
            if stage.kind == "filter":
                if not result:
                    return self._count(passed)
            elif result is None:
                return self._count(passed)
            else:
                item = result
        if passed:
            self._count(passed)
        return item

    async def _finish(self, item: Any, pending: Awaitable[Any], index: int, passed: list[int]) -> Any:
        result = await pending
        if self._stages[index].kind == "filter":
            if not result:
                return self._count(passed)
        elif result is None:
            return self._count(passed)
        else:
            item = result
        rest = self._apply(item, index + 1, passed)
        return await rest if hasattr(type(rest), "__await__") else rest

    def _count(self, passed: list[int]) -> None:
        for index in passed:
            self._left[index] -= 1
