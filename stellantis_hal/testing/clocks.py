"""Jumping clocks: event loops whose time moves to the next timer when every task waits, for asyncio and trio."""

from __future__ import annotations

import asyncio
import math
import selectors
import sys
from collections.abc import Mapping
from typing import Any

__all__ = ["JumpingEventLoop", "jump", "jumping"]

_NO_CLOCK = "no event loop with a jumping clock is running: start it with what jumping('asyncio') returns"
_TOLERANCE = 1e-9  # seconds by which asyncio's loop lets a timer be early


class _JumpingSelector(selectors.DefaultSelector):
    """Returns from a timed wait at once, and adds the time to the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0  # not 0, so that a sum of instants differs from their difference

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; where nothing is, add the timeout to the clock."""
        if timeout is None:
            return super().select(None)
        ready = super().select(0)
        if not ready:
            self.now += timeout
            if self.now + _TOLERANCE == self.now:  # a year on, the tolerance is lost in rounding
                self.now = math.nextafter(self.now, math.inf)
        return ready


class JumpingEventLoop(asyncio.SelectorEventLoop):
    """An asyncio loop whose clock stands still while tasks run, and jumps to the next timer when all of them wait.

    Hours of waiting take milliseconds, and always the same time by the loop's clock. Threads, sockets and processes are
    not waited for: while they work and a timer is set, time passes them by. Use real time where they take part.

    Pass the class as a loop factory: ``asyncio.Runner(loop_factory=JumpingEventLoop)``.

    Example:
        >>> async def wait_a_day():
        ...     await asyncio.sleep(86_400)
        ...     return asyncio.get_running_loop().time()
        >>> with asyncio.Runner(loop_factory=JumpingEventLoop) as runner:
        ...     runner.run(wait_a_day())
        87400.0
    """

    def __init__(self) -> None:
        self._selector_clock = _JumpingSelector()
        super().__init__(self._selector_clock)

    def time(self) -> float:
        """Return the loop's time in seconds; it starts at 1,000."""
        return self._selector_clock.now

    def jump(self, seconds: float) -> None:
        """Advance the clock while no task runs."""
        self._selector_clock.now += seconds


def jumping(backend: str) -> tuple[str, Mapping[str, Any]]:
    """Return a backend of anyio with its options for a jumping clock.

    It is what a fixture ``anyio_backend`` returns, and what ``anyio.run`` takes as ``backend`` and ``backend_options``
    (those for trio from anyio 4.14 on; older versions ignore them there).

    Args:
        backend: ``"asyncio"`` or ``"trio"``.

    Raises:
        ValueError: another backend.
        ImportError: trio is not installed (extra ``trio``).

    Example:
        >>> import anyio
        >>> backend, options = jumping("asyncio")
        >>> anyio.run(anyio.sleep, 3_600, backend=backend, backend_options=options)
    """
    if backend == "trio":
        import trio.testing  # an extra

        return backend, {"clock": trio.testing.MockClock(autojump_threshold=0)}
    if backend == "asyncio":
        return backend, {"loop_factory": JumpingEventLoop}
    raise ValueError(f"backend must be 'asyncio' or 'trio', not {backend!r}")


def jump(seconds: float) -> None:
    """Advance the clock at once, as when a machine sleeps: no task runs before the caller's next line.

    Raises:
        RuntimeError: no event loop with a jumping clock is running.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        _jump_trio(seconds)
        return
    if not isinstance(loop, JumpingEventLoop):
        raise RuntimeError(_NO_CLOCK)
    loop.jump(seconds)


def _jump_trio(seconds: float) -> None:
    if "trio" not in sys.modules:
        raise RuntimeError(_NO_CLOCK)
    import trio.testing  # an extra

    try:
        clock = trio.lowlevel.current_clock()
    except RuntimeError:
        raise RuntimeError(_NO_CLOCK) from None
    if not isinstance(clock, trio.testing.MockClock):
        raise RuntimeError(_NO_CLOCK)
    clock.jump(seconds)
