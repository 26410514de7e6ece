"""Who is meant, in whatever way it is given: one alone, several at once, or one after the other, for ever perhaps.

Knows the ways. Must not know what becomes of those who are given.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import TypeVar

from stellantis_hal.client import Account
from stellantis_hal.resources.vehicle import Vehicle

__all__ = ["hand_over"]

T = TypeVar("T")


async def hand_over(
    source: Account | Vehicle | Iterable[T] | AsyncIterable[T], take: Callable[[Account | Vehicle | T], Awaitable[None]]
) -> None:
    """Hand over everyone that a source gives.

    An asynchronous generator is closed in the end, which nobody else does where one that it gives is refused.
    """
    if isinstance(source, AsyncGenerator):
        async with aclosing(source):
            async for who in source:
                await take(who)
    elif isinstance(source, AsyncIterable):
        async for who in source:
            await take(who)
    else:
        for who in [source] if isinstance(source, Account | Vehicle) else source:
            await take(who)
