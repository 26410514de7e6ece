"""The one address that is known: everything else is reached from there.

Knows the entry's address and how to fetch. Must not know what lies behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar, Unpack, overload

from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.follow import Follow
from stellantis_hal.navigation.link_selection import FollowOptions
from stellantis_hal.navigation.rel import Rel
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.navigation.single_flight import SingleFlight

__all__ = ["EntryPoint"]

T = TypeVar("T")


class EntryPoint:
    """A caller's way into an API: its entry resource, and all that can be reached from there.

    Args:
        url: the entry's address.
        context: how to fetch, and how to make values of what comes.
    """

    def __init__(self, url: str, context: ResourceContext) -> None:
        self._url = url
        self._context = context
        self._root: HalResource | None = None
        self._flight: SingleFlight[HalResource] = SingleFlight()

    @property
    def known_root(self) -> HalResource | None:
        """The entry resource if it was read before; None until then."""
        return self._root

    async def root(self) -> HalResource:
        """Give the entry resource; it is read once, however many tasks ask.

        Raises:
            StellantisError: whatever fetching raises; it is tried again when asked again.
        """
        return self._root if self._root is not None else await self.reread()

    async def leading(self, *rels: str) -> HalResource:
        """Give the entry resource to follow one of these relations from: read anew where that at hand has none.

        Raises:
            StellantisError: whatever fetching raises; what was at hand stays.
        """
        root = self._root
        return root if root is not None and any(root.can(rel) for rel in rels) else await self.reread()

    async def reread(self) -> HalResource:
        """Read the entry resource anew; whoever asks for it from now on gets this one."""
        return await self._flight.run(self._read_root)

    def adopt(self, other: EntryPoint) -> None:
        """Take over the entry resource that another has read, if it has."""
        if (root := other.known_root) is not None:
            self._root = self.resume(root)

    async def _read_root(self) -> HalResource:
        self._root = await self.get(self._url)
        return self._root

    @overload
    def follow(self, rel: Rel[T], **options: Unpack[FollowOptions]) -> Follow[T]: ...
    @overload
    def follow(self, rel: str, **options: Unpack[FollowOptions]) -> Follow[HalResource]: ...
    def follow(self, rel: str | Rel[Any], **options: Unpack[FollowOptions]) -> Follow[Any]:
        """Build a step along a link of the entry resource; awaiting it takes the step.

        Where the entry was read before and has no such link it is read anew: there may be one by now.
        """
        return Follow.along(partial(self.leading, rel.name if isinstance(rel, Rel) else rel), rel, options)

    async def get(self, url: str) -> HalResource:
        """Fetch an absolute address on a trusted origin.

        Raises:
            UntrustedOriginError: it is on another; nothing was sent.
            StellantisError: whatever fetching raises.
        """
        return await HalResource.reach(url, self._context)

    def resume(self, kept: Mapping[str, Any] | HalResource) -> HalResource:
        """Bind a resource that was dumped or unpickled, so that it can be followed again.

        Raises:
            ValueError: it is neither.
        """
        return HalResource.load(kept.dump() if isinstance(kept, HalResource) else kept, self._context)
