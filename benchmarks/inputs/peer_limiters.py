"""Limiters of other libraries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.harness.optional import import_optional

__all__ = ["PEERS"]

Acquire = Callable[[], Awaitable[Any]]


def _aiolimiter(per_second: int) -> Acquire:
    acquire: Acquire = import_optional("aiolimiter").AsyncLimiter(per_second, 1.0).acquire
    return acquire


def _pyrate(per_second: int) -> Acquire:
    module = import_optional("pyrate_limiter")
    bucket = module.InMemoryBucket([module.Rate(per_second, module.Duration.SECOND)])
    limiter = module.Limiter(bucket)
    return lambda: limiter.try_acquire_async("requests")


PEERS: dict[str, tuple[str, Callable[[int], Acquire]]] = {
    "aiolimiter": ("aiolimiter", _aiolimiter),
    "pyrate-limiter": ("pyrate_limiter", _pyrate),
}
"""Modules of the libraries, and functions that make a function which acquires a token, of a rate per second."""
