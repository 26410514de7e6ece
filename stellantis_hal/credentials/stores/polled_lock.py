"""Lock of an account's token between processes, which is tried again until it is free or the time is over."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from stellantis_hal.errors import TokenStoreError
from stellantis_hal.hal.redaction import mask_repr

__all__ = ["hold_polled_lock"]

_POLL_INTERVAL = 0.05


@asynccontextmanager
async def hold_polled_lock(
    acquire: Callable[[], Awaitable[bool]],
    release: Callable[[], Awaitable[object]],
    *,
    key: str,
    path: Path,
    timeout: float,
) -> AsyncGenerator[None, None]:
    """Hold a lock inside ``async with``.

    Args:
        acquire: takes it without waiting; returns whether it was free.
        release: releases it, if it is held; also called where it was not, and not cancelled.
        key: the account, for the error.
        path: the file of the tokens, likewise.
        timeout: seconds to wait.

    Raises:
        TokenStoreError: the lock was not available in time.
    """
    deadline = anyio.current_time() + timeout
    try:
        while not await acquire():
            if anyio.current_time() >= deadline:
                raise TokenStoreError(
                    f"the lock of account {mask_repr(key)} in {path} was not available within {timeout:g} s: "
                    "another process holds it",
                    key=key,
                )
            await anyio.sleep(_POLL_INTERVAL)
        yield
    finally:
        with anyio.CancelScope(shield=True):  # removing a file
            await release()
