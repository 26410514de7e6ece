"""Calls of an identity server that run to their end although their caller is cancelled, within a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from stellantis_hal.errors import NetworkError
from stellantis_hal.storage.run_to_completion import run_to_completion

__all__ = ["run_shielded"]

T = TypeVar("T")


async def run_shielded(call: Callable[[], Awaitable[T]], *, timeout: float) -> T:
    """Run ``call`` to its end, and raise a cancellation of the caller afterwards, which wins over an error of the call.

    A caller that is cancelled before does not begin it.

    Args:
        call: what to run.
        timeout: seconds after which it is cancelled all the same.

    Raises:
        NetworkError: it took longer than ``timeout``.
    """

    async def call_in_time() -> T:
        try:
            with anyio.fail_after(timeout):
                return await call()
        except TimeoutError as error:
            raise NetworkError(
                f"the identity server, or the token store after it, took longer than {timeout:g} s", sent=True
            ) from error

    return await run_to_completion(call_in_time)
