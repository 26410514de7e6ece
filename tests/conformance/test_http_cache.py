"""The cache with the HTTP working group's cases, in process.

Needs, at ``STELLANTIS_HAL_HTTP_CACHE_TESTS``, the cases as JSON: the export of github.com/http-tests/cache-tests.
"""

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from stellantis_hal.navigation.cache.fetch import CachedFetch
from stellantis_hal.navigation.cache.memory import MemoryCache
from stellantis_hal.navigation.cache.partition_responses import PartitionResponses
from stellantis_hal.navigation.cache.sqlite import SQLiteCache
from stellantis_hal.navigation.cache.store import CacheStore
from stellantis_hal.navigation.fetch_protocol import Fetch
from stellantis_hal.navigation.origins import Origins
from tests.conformance.http_cache_suite import CaseError, SetupError, load_cases, run_case

CASES = os.environ.get("STELLANTIS_HAL_HTTP_CACHE_TESTS", "")
ORIGINS = Origins("http://cache.example")
LEAST_REQUIRED = 127

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.wall_clock,
    pytest.mark.skipif(
        not Path(CASES).is_file(),
        reason="STELLANTIS_HAL_HTTP_CACHE_TESTS must be the path of the HTTP working group's cases, as JSON",
    ),
]

NEVER_STALE = "a stale response is never served: the case cannot be set up"
RANGES = "requests for ranges are passed on: the case cannot be set up"
REQUIRED_MISSES = {
    "stale-while-revalidate-window": NEVER_STALE,
    "partial-use-headers": RANGES,
    "partial-use-stored-headers": RANGES,
}
"""The required cases that are not fulfilled, and why."""

NO_HEURISTIC = "without explicit freshness a response is asked for again"
ERRORS = "a Fetch raises errors: they are not stored"
OPTIMAL_MISSES = {
    "stale-while-revalidate": "a stale response is never served",
    **dict.fromkeys((f"heuristic-{status}-cached" for status in (200, 203)), NO_HEURISTIC),
    **dict.fromkeys((f"heuristic-{status}-cached" for status in (204, 404, 405, 410, 414, 501, 599)), NO_HEURISTIC),
    "method-POST": "the response to a write is not stored",
    **dict.fromkeys((f"status-{status}-fresh" for status in (400, 404, 410, 499, 500, 502, 503, 504, 599)), ERRORS),
    "status-200-must-understand": "no-store is obeyed whatever stands beside it",
    "vary-normalise-lang-order": "the order of languages may matter to a server",
    "vary-normalise-lang-select": "languages are not negotiated by the cache",
    **dict.fromkeys(
        (f"invalidate-{method}-failed" for method in ("POST", "PUT", "DELETE", "M-SEARCH")),
        "a write that failed with 5xx may have been done",
    ),
    **dict.fromkeys(
        (
            "partial-store-partial-reuse-partial",
            "partial-store-complete-reuse-partial",
            "partial-store-complete-reuse-partial-no-last",
            "partial-store-complete-reuse-partial-suffix",
            "partial-store-partial-reuse-partial-byterange",
            "partial-store-partial-reuse-partial-absent",
            "partial-store-partial-reuse-partial-suffix",
            "partial-store-partial-complete",
        ),
        "requests for ranges are passed on",
    ),
    "other-cookie": "fields that identify the caller are part of the key",
}
"""The cases of an optimal cache that are not fulfilled, and why."""


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_working_groups_cases_are_fulfilled(kind: str, tmp_path: Path) -> None:
    """All required cases for a cache of one user, but those listed with a reason; so with the optimal ones."""
    misses: dict[str, dict[str, str]] = {"required": {}, "optimal": {}, "check": {}}
    fulfilled = dict.fromkeys(misses, 0)
    async with SQLiteCache(tmp_path / "responses.db") as file:

        def make(fetch: Fetch, clock: Callable[[], datetime]) -> CachedFetch:
            store: CacheStore = MemoryCache() if kind == "memory" else file
            return CachedFetch(fetch, PartitionResponses(store, "alice"), ORIGINS, clock)

        for case in load_cases(Path(CASES)):
            if not case.for_private:
                continue
            try:
                await run_case(case, make)
            except SetupError as error:
                misses[case.kind][case.name] = f"cannot be set up: {error}"
            except CaseError as error:
                misses[case.kind][case.name] = str(error)
            else:
                fulfilled[case.kind] += 1
    assert misses["required"].keys() == REQUIRED_MISSES.keys(), misses["required"]
    assert misses["optimal"].keys() == OPTIMAL_MISSES.keys(), misses["optimal"]
    assert fulfilled["required"] >= LEAST_REQUIRED
