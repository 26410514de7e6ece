"""The running event loop, as its callbacks and other threads reach it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import anyio
import anyio.lowlevel

__all__ = ["LoopHandle", "loop_time"]


def loop_time() -> float:
    """Return the time of the running event loop, in tasks and in callbacks, which ``anyio`` does not notice.

    Raises:
        RuntimeError: no event loop runs in this thread.
    """
    try:
        return anyio.current_time()
    except RuntimeError:
        import asyncio  # trio needs it in no callback

        return asyncio.get_running_loop().time()


class LoopHandle:
    """The event loop of the task that makes it.

    Its methods work in callbacks, in handlers of signals and in other threads.
    """

    __slots__ = ("_now", "_schedule")

    def __init__(self) -> None:
        token: Any = anyio.lowlevel.current_token()
        native: Any = getattr(token, "native_token", token)  # anyio before 4.11 returns it as it is
        if hasattr(native, "call_soon_threadsafe"):
            self._now: Callable[[], float] = native.time
            self._schedule: Callable[[Callable[[], object]], object] = native.call_soon_threadsafe
        else:
            import trio  # an extra, which is there where its loop runs

            self._now = trio.lowlevel.current_clock().current_time
            self._schedule = native.run_sync_soon

    def now(self) -> float:
        """Return the time of the event loop."""
        return self._now()

    def call_soon(self, function: Callable[[], object]) -> None:
        """Call a function in the event loop; do nothing once that has ended."""
        with suppress(RuntimeError):
            self._schedule(function)
