"""The task that entered a block, which has to leave it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import anyio

__all__ = ["EnteringTask"]


class EnteringTask:
    """The task that entered something whose own tasks belong to it: it has to leave it, too.

    Args:
        what: a noun phrase for the error (``"this limiter"``).
    """

    __slots__ = ("_id", "_what")

    def __init__(self, what: str) -> None:
        self._what = what
        self._id: int | None = None

    def enter(self) -> None:
        """Remember the present task."""
        self._id = anyio.get_current_task().id

    @contextmanager
    def leaving(self) -> Generator[None]:
        """Leave it inside of this block, which explains the error of another task.

        Raises:
            RuntimeError: another task entered it.
        """
        try:
            yield
        except RuntimeError as error:
            if anyio.get_current_task().id == self._id:
                raise
            raise RuntimeError(
                f"{self._what} was entered by another task than the one that leaves it: write `async with` in one "
                "function. Some hooks and fixtures run in a task each, as on_startup and on_shutdown of arq and the "
                "fixtures of pytest-asyncio"
            ) from error
