"""Sessions of a host program, recognized without loading their libraries."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

if TYPE_CHECKING:
    import aiohttp
    import httpx

    HostSession: TypeAlias = aiohttp.ClientSession | httpx.AsyncClient
else:
    HostSession = Any  # neither library is imported to name its class

__all__ = ["HostSession", "connections_of", "is_host_session"]


def is_host_session(session: object) -> TypeGuard[HostSession]:
    """Return whether an object is a session that can be borrowed; this loads no library."""
    return _is_instance(session, "httpx", "AsyncClient") or _is_instance(session, "aiohttp", "ClientSession")


def connections_of(session: HostSession | None) -> int | None:
    """Return how many connections an aiohttp session allows to one host; None where none is there or states a limit."""
    connector = getattr(session, "connector", None)  # an httpx.AsyncClient has none
    limits = () if connector is None else (connector.limit, connector.limit_per_host)
    return min((limit for limit in limits if limit), default=None)


def _is_instance(value: object, library: str, name: str) -> bool:
    kind: type | None = getattr(sys.modules.get(library), name, None)
    return kind is not None and isinstance(value, kind)
