"""A renewed token put into its store, under the lock of its account, by store and number of accounts.

CPU time with that of worker threads; the wait for the disk is not in it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio

import stellantis_hal
from benchmarks.harness.rounds import interleaved
from benchmarks.harness.rows import Figure, Row, absolute
from benchmarks.harness.scale import Scale
from benchmarks.measured import package
from stellantis_hal import FileTokenStore, Token, TokenStore

__all__ = ["run"]

_JUDGED = 10_000
_FIGURES = {"file": Figure(most=40.0), "SQLite": Figure(most=1.0)}
_EXPIRES = datetime(2030, 1, 1, tzinfo=UTC)


def run(scale: Scale) -> list[Row]:
    """Measure."""
    return anyio.run(_measure, scale)


async def _measure(scale: Scale) -> list[Row]:
    counts = {"tiny": (3,), "brief": (_JUDGED,), "usual": (10, 1_000, _JUDGED), "full": (10, 1_000, _JUDGED, 100_000)}
    rows: list[Row] = []
    for count in counts[scale.size]:
        with TemporaryDirectory() as name:
            rows += await _measure_stores(Path(name), count, scale)
    return rows


async def _measure_stores(folder: Path, count: int, scale: Scale) -> list[Row]:
    async with AsyncExitStack() as stack:
        stores: dict[str, TokenStore] = {"file": FileTokenStore(_filled_file(folder / "tokens.json", count))}
        sqlite: Any = getattr(stellantis_hal, "SQLiteTokenStore", None)  # which an older tree does not have
        if sqlite is not None:
            stores["SQLite"] = await stack.enter_async_context(sqlite(folder / "tokens.db"))
            await _fill(stores["SQLite"], count)
        times = {"file": 1 if count >= 1_000 else 5, "SQLite": scale.pick(1, 20, 20, 50)}
        candidates = {name: _renewal(store, times[name]) for name, store in stores.items()}
        found = await interleaved(candidates, scale.pick(1, 5, 5, 9))
    judged = _JUDGED if scale.size != "tiny" else count
    return [
        absolute(
            f"a renewal among {count:,} accounts, {name}",
            "ms CPU",
            found,
            name,
            figure=_FIGURES[name] if count == judged else None,
        )
        for name in stores
    ]


def _token(number: int) -> Token:
    return Token(f"{number:06}" + "a" * 900, f"{number:06}" + "r" * 900, expires_at=_EXPIRES)


def _filled_file(path: Path, count: int) -> Path:
    """Write a token file of all accounts at once: an older tree writes 10,000 of them one by one in minutes."""
    path.touch(mode=0o600)
    path.write_bytes(package.serialize_tokens({_key(number): _token(number) for number in range(count)}))
    return path


def _key(number: int) -> str:
    return f"account-{number:06}"


async def _fill(store: TokenStore, count: int) -> None:
    """Save the tokens of all accounts; a store may write changes that meet together."""
    async with anyio.create_task_group() as group:
        for number in range(count):
            group.start_soon(store.save, _key(number), _token(number))


def _renewal(store: TokenStore, times: int) -> Callable[[], Awaitable[float]]:
    numbers = itertools.count(1_000_000)

    async def measure() -> float:
        start = time.process_time()
        for _ in range(times):
            async with store.lock(_key(1)):
                await store.load(_key(1))
                await store.save(_key(1), _token(next(numbers)))
        return (time.process_time() - start) / times * 1e3

    return measure
