"""Memory of this process."""

from __future__ import annotations

import resource
from pathlib import Path

__all__ = ["resident_memory"]


def resident_memory() -> float:
    """Return the resident memory of this process in MiB."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
