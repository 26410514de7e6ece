"""Binding of a client to the event loop that it was used in first."""

from __future__ import annotations

import os
import threading

from stellantis_hal.errors import WrongLoopError
from stellantis_hal.transport.loop_handle import LoopHandle, running_loop

__all__ = ["LoopBinding"]


class LoopBinding:
    """The event loop, thread and process in which something is used: those of its first use.

    Connections and waiting tasks belong to an event loop: used in another one, they fail late, or hang.

    Args:
        what: a noun phrase for the error (``"this client"``).
    """

    __slots__ = ("_bound", "_what")

    def __init__(self, what: str) -> None:
        self._what = what
        self._bound: tuple[LoopHandle, int, int] | None = None  # the loop, its thread and its process

    def check(self) -> LoopHandle:
        """Bind to the running event loop at the first call, later check that it is the same; return it.

        Raises:
            WrongLoopError: it is another one.
        """
        bound = self._bound
        return bound[0] if bound is not None and bound[0].is_running() else self._bind()

    @property
    def is_abandoned(self) -> bool:
        """Whether it is bound to an event loop that has ended, or that runs in another process."""
        if self._bound is None:
            return False
        handle, _, process = self._bound
        if handle.native is running_loop():
            return False
        is_closed = getattr(handle.native, "is_closed", None)  # trio has no such function
        return process != os.getpid() or is_closed is None or bool(is_closed())

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is bound to an event loop of another thread, or of the process that this one is a fork of."""
        return self._bound is not None and self._bound[1:] != (threading.get_ident(), os.getpid())

    def release(self) -> None:
        """Forget the loop: the next use binds again."""
        self._bound = None

    def _bind(self) -> LoopHandle:
        handle = LoopHandle()
        if self._bound is None:
            self._bound = handle, threading.get_ident(), os.getpid()
            return handle
        _, thread, process = self._bound
        if process != os.getpid():
            place = "another process, of which this one is a fork: make it after the fork"
        elif thread != threading.get_ident():
            place = (
                "the event loop of another thread: make one in each thread, or call the functions of this one by "
                "anyio.from_thread.run()"
            )
        else:
            place = (
                "an event loop that was another one, as of an earlier asyncio.run(): make it anew in each loop, or run "
                "everything in one"
            )
        raise WrongLoopError(f"nothing was sent: {self._what} was used first in {place}")
