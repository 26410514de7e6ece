"""Identities of the latest items, which are not returned twice. Pure values, without I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice

from stellantis_hal.navigation.pagination.digests import digest

__all__ = ["MAX_RECENT_IDS", "RecentIds"]

MAX_RECENT_IDS = 5_000
"""The number of latest items that are not returned twice."""

_MAX_IDS_IN_TOKEN = 64


class RecentIds:
    """The identities of the latest items.

    Args:
        earlier: digests of the items before the iteration was resumed.
    """

    __slots__ = ("_earlier", "_from_token", "_order", "_recent")

    def __init__(self, earlier: Iterable[bytes] = ()) -> None:
        self._recent: set[str] = set()
        self._order: deque[str] = deque()
        self._from_token = tuple(earlier)
        self._earlier = frozenset(self._from_token)

    def contains(self, identity: str | None) -> bool:
        """Return whether an identity is among the latest; False for None."""
        if identity is None:
            return False
        return identity in self._recent or bool(self._earlier and digest(identity) in self._earlier)

    def add(self, identity: str | None) -> bool:
        """Record an identity and return whether it is new; True for None, which is not recorded."""
        if self.contains(identity):
            return False
        if identity is None:
            return True
        self._recent.add(identity)
        self._order.append(identity)
        if len(self._order) > MAX_RECENT_IDS:
            self._recent.discard(self._order.popleft())
        return True

    def latest(self) -> tuple[str | bytes, ...]:
        """Return what a token contains: the latest identities, or digests of them that an earlier token contained."""
        count = _MAX_IDS_IN_TOKEN
        latest: list[str | bytes] = [*self._from_token, *reversed(tuple(islice(reversed(self._order), count)))]
        return tuple(latest[-count:])
