"""Amounts of work."""

from __future__ import annotations

from typing import Literal

import attrs

__all__ = ["SIZES", "Scale", "Size"]

Size = Literal["tiny", "brief", "usual", "full"]
SIZES: tuple[Size, ...] = ("tiny", "brief", "usual", "full")


@attrs.frozen
class Scale:
    """Amount of work: "tiny" for tests, "brief" for the judged rows alone, "usual", "full" for a report."""

    size: Size = "usual"

    def pick(self, tiny: int, brief: int, usual: int, full: int) -> int:
        """Return the number for the size."""
        return {"tiny": tiny, "brief": brief, "usual": usual, "full": full}[self.size]

    @property
    def is_brief(self) -> bool:
        """Whether candidates that no judged row needs are left out."""
        return self.size == "brief"
