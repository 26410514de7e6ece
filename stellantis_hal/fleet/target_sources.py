"""Sources of targets: one, several, or an asynchronous stream of them, which may take some back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import TypeVar

import attrs

from stellantis_hal.fleet.fleet_as_account import Watchable
from stellantis_hal.hal.redaction import hide, redacted_repr

__all__ = ["DetachableSource", "Removed", "for_each", "require_source"]

T = TypeVar("T")


def _show_target(target: Watchable | str) -> str:
    return hide(target) if isinstance(target, str) else repr(target)


@attrs.frozen
class Removed:
    """Item of an asynchronous source: stop watching this account or vehicle.

    Attributes:
        target: an account or its key, a fleet or a vehicle or its id.
        on_released: called once the watch is done with it, as :meth:`Watch.released` says; None: not at all.
    """

    __repr__ = redacted_repr

    target: Watchable | str = attrs.field(repr=_show_target)
    on_released: Callable[[], None] | None = attrs.field(default=None, repr=False, eq=False)


class DetachableSource(ABC):
    """Source that is told when its consumer has ended."""

    @abstractmethod
    def detach(self) -> None:
        """Collect no more items, until it is iterated over again."""


def require_source(source: object) -> None:
    """Check what is to be read: one target, several, or a stream of them.

    Raises:
        TypeError: it is none of these.
    """
    if isinstance(source, str) or not isinstance(source, Watchable | Iterable | AsyncIterable):
        raise TypeError(
            "what is watched or read must be an Account, a Fleet or a Vehicle, or several of them, not "
            f"{type(source).__name__}"
        )


async def for_each(
    source: Watchable | Iterable[T] | AsyncIterable[T],
    action: Callable[[Watchable | T], Awaitable[None]],
) -> None:
    """Run an action for each item of a source, in order.

    An asynchronous generator is closed at the end, also where the action raises.
    """
    if isinstance(source, AsyncGenerator):
        async with aclosing(source):
            async for target in source:
                await action(target)
    elif isinstance(source, AsyncIterable):
        try:
            async for target in source:
                await action(target)
        finally:
            if isinstance(source, DetachableSource):
                source.detach()
    else:
        for target in [source] if isinstance(source, Watchable) else source:
            await action(target)
