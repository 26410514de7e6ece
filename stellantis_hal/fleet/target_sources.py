"""Sources of targets: one, several, or an asynchronous stream of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import TypeVar

from stellantis_hal.fleet.polled_accounts import Watchable

__all__ = ["for_each"]

T = TypeVar("T")


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
        async for target in source:
            await action(target)
    else:
        for target in [source] if isinstance(source, Watchable) else source:
            await action(target)
