"""Clock that all processes of one machine share, and that no one can set."""

from __future__ import annotations

import time
from pathlib import Path

__all__ = ["boot_id", "microseconds_since_boot"]

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def microseconds_since_boot() -> int:
    """Return the time since the machine started, asleep or not, where the system counts that."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    nanoseconds = time.monotonic_ns() if clock is None else time.clock_gettime_ns(clock)
    return nanoseconds // 1_000


def boot_id() -> str:
    """Return what tells this start of the machine from others; empty where the system has no such thing."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
