"""Head shift: how many items were added at the head of a collection that is read backwards. Pure values."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

__all__ = ["HeadShift"]

_SIZE = 3


@attrs.frozen
class HeadShift:
    """The items that were added at the head, beside those that were found to have moved.

    Attributes:
        head: digests of the first items at the start; none where they are unknown.
        moved: the number of items that were found to have moved onto pages that were read before.
        before: the number of items before the first one, as far as they were read; None until that one was read again.
    """

    head: tuple[bytes, ...] = ()
    moved: int = 0
    before: int | None = None

    @classmethod
    def of(cls, items: Sequence[bytes]) -> HeadShift:
        """Return the state at the start, by digests of the items of the first page."""
        return cls(tuple(items[:_SIZE]))

    def after(self, items: Sequence[bytes], behind: Sequence[bytes], moved: int) -> HeadShift:
        """Return the state after a page nearer to the head.

        Args:
            items: digests of its items.
            behind: digests of the items behind them, as far as they were read again.
            moved: how many of these had moved there from the page.
        """
        before = None if self.before is None else self.before + len(items) + moved
        for first in self.head[:1]:
            before = (*items, *behind).index(first) if first in items or first in behind else before
        return HeadShift(self.head, self.moved + moved, before)

    def is_explained(self, items: Sequence[bytes], *, has_totals: bool) -> bool:
        """Return whether no more items were added than had moved.

        Args:
            items: digests of the items of the first page, read again, and of those behind them.
            has_totals: whether totals show that items were removed, else only the first item does.
        """
        if not self.head or self.before == self.moved:
            return True
        found = (index - self.head.index(item) for index, item in enumerate(items) if item in self.head)
        added = next(found, self.before)
        return has_totals and added is not None and added <= self.moved
