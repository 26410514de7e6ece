"""Binding of a client to the event loop that it was used in first."""

from __future__ import annotations

import os
import threading

import anyio.lowlevel

from stellantis_hal.errors import WrongLoopError

__all__ = ["LoopBinding", "running_loop"]


class LoopBinding:
    """The event loop, thread and process in which something is used: those of its first use.

    Connections and waiting tasks belong to an event loop: used in another one, they fail late, or hang.

    Args:
        what: a noun phrase for the error (``"this client"``).
    """

    __slots__ = ("_loop", "_process", "_thread", "_what")

    def __init__(self, what: str) -> None:
        self._what = what
        self._loop: object = None
        self._thread = 0
        self._process = 0

    def check(self) -> None:
        """Bind to the running event loop at the first call; later check that it is the same.

        Raises:
            WrongLoopError: it is another one.
        """
        loop = running_loop()
        if loop is not self._loop:
            self._bind(loop)

    @property
    def is_abandoned(self) -> bool:
        """Whether it is bound to an event loop that has ended, or that runs in another process."""
        loop = self._loop
        if loop is None or loop is running_loop():
            return False
        is_closed = getattr(loop, "is_closed", None)  # trio has no such function
        return self._process != os.getpid() or is_closed is None or bool(is_closed())

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is bound to an event loop of another thread, or of the process that this one is a fork of."""
        return self._loop is not None and (self._thread, self._process) != (threading.get_ident(), os.getpid())

    def release(self) -> None:
        """Forget the loop: the next use binds again."""
        self._loop = None

    def _bind(self, loop: object) -> None:
        if self._loop is None:
            self._loop, self._thread, self._process = loop, threading.get_ident(), os.getpid()
            return
        if self._process != os.getpid():
            place = "another process, of which this one is a fork: make it after the fork"
        elif self._thread != threading.get_ident():
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


def running_loop() -> object:
    """Return the loop of asyncio, or the token of trio; anyio wraps them from 4.11 on."""
    token: object = anyio.lowlevel.current_token()
    return getattr(token, "native_token", token)
