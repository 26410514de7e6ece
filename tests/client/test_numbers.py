"""Numbers given as a text or as True, and other values in place of mappings."""
# Parameters of the lambdas are of any type.
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from stellantis_hal import (
    Application,
    AuthorizationRequest,
    FileTokenStore,
    HalClient,
    IndexRangeSyntax,
    MemoryCache,
    MemoryTokenStore,
    OAuth2AuthorizationCode,
    OAuth2ClientCredentials,
    OAuth2Registration,
    PostgresLease,
    RedisCheckpoints,
    RedisLease,
    RetryPolicy,
    SQLiteCache,
    SQLiteCheckpoints,
    SQLiteLimiter,
    StellantisClient,
    Timeouts,
    TimeRange,
    Token,
    TokenBucketLimiter,
    backfill,
    times,
)
from stellantis_hal.resources import filters
from stellantis_hal.simulator import Simulator
from tests.support.simulated import account_of, client_of, world

pytestmark = pytest.mark.anyio

MakeNumber = Callable[[Any], object]


def weeks(number: Any) -> object:
    return times("t", daily=time(1), lasting=timedelta(hours=1), zone="Etc/UTC", weeks=number)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("timeout", lambda number: StellantisClient(Application("id", "secret"), timeout=number)),
        ("connect", lambda number: Timeouts(connect=number)),
        ("attempts", lambda number: RetryPolicy(attempts=number)),
        ("longest", lambda number: RetryPolicy(longest=number)),
        ("lock_timeout", lambda number: FileTokenStore("tokens", lock_timeout=number)),
        ("lock_timeout", lambda number: MemoryTokenStore(lock_timeout=number)),
        ("timeout", lambda number: RedisCheckpoints("redis://127.0.0.1", timeout=number)),
        ("timeout", lambda number: SQLiteLimiter("limiter.db", "id", processes=2, timeout=number)),
        ("interactive_share", lambda number: TokenBucketLimiter(interactive_share=number)),
        ("interactive_share", lambda number: SQLiteLimiter("l.db", "id", processes=2, interactive_share=number)),
        ("save_every", lambda number: TokenBucketLimiter(save_every=number)),
        ("ttl", lambda number: SQLiteCheckpoints("fleet.db").lease("fleet", ttl=number)),
        ("ttl", lambda number: RedisLease("redis://127.0.0.1", "fleet", ttl=number)),
        ("ttl", lambda number: PostgresLease("postgresql://127.0.0.1/fleet", "fleet", ttl=number)),
        ("vehicles", lambda number: backfill([], vehicles=number)),
        ("size", lambda number: IndexRangeSyntax(size=number)),
        ("the last index", lambda number: IndexRangeSyntax(within=(0, number))),
        ("max_body", lambda number: MemoryCache(max_body=number)),
        ("max_body", lambda number: SQLiteCache("cache.db", max_body=number)),
        ("repeat", lambda number: TimeRange(datetime.now(UTC), duration=timedelta(days=1), repeat=number)),
        ("the first index", lambda number: filters.index_range((number, None))),
        ("each bound of distance", lambda number: filters.span("distance", (None, number))),
        ("each bound of duration", lambda number: filters.seconds_range("duration", (number, None))),
        ("tolerance", filters.tolerance),
        ("page_size", filters.page_size),
    ],
)
@pytest.mark.parametrize("number", [True, "5"])
def test_what_is_no_number_is_refused(name: str, make: MakeNumber, number: Any) -> None:
    """True counted as 1, and a text was an error of a comparison, or of a later request."""
    with pytest.raises(TypeError, match=rf"^{name} must be int.* not {type(number).__name__}(: |$)"):
        make(number)


@pytest.mark.parametrize("number", [True, "5", math.nan, -1])
def test_a_wait_that_is_no_number_is_refused(number: Any) -> None:
    with pytest.raises(ValueError, match=r"^max_wait must be a number of seconds, at least 0, not "):
        HalClient("https://api.test/", max_wait=number)


@pytest.mark.parametrize("number", [math.nan, -1])
def test_seconds_are_at_least_zero(number: float) -> None:
    with pytest.raises(ValueError, match=r"^lock_timeout must be a number of seconds, at least 0, not "):
        MemoryTokenStore(lock_timeout=number)


def test_a_week_is_no_flag() -> None:
    with pytest.raises(ValueError, match=r"^weeks are named as w1 or w34-w46$"):
        weeks([True])


@pytest.mark.parametrize("within", [(-1, None), (5, 4), (), (1,), (1, 2, 3)])
def test_bounds_of_an_index_range_are_in_order(within: Any) -> None:
    with pytest.raises(
        ValueError, match=r"^within must be \(first, last\) with 0 <= first <= last, or \(first, None\)$"
    ):
        IndexRangeSyntax(within=within)


async def test_no_car_is_woken_for_a_wait_that_is_no_number() -> None:
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        vehicle = await account_of(client, simulator).vehicles().first()
        assert vehicle is not None
        text: Any = "60"
        with pytest.raises(TypeError, match=r"^within must be int or float, not str$"):
            await vehicle.refresh("callback", within=text)


REGISTRATION = OAuth2Registration(client_id="id", authorize_url="https://a.test", token_url="https://a.test/token")


@pytest.mark.parametrize(
    "make",
    [
        lambda pairs: AuthorizationRequest.begin(REGISTRATION, redirect_uri="app://", scope="", parameters=pairs),
        lambda pairs: OAuth2ClientCredentials("https://a.test/token", "id", "secret", parameters=pairs),
        lambda pairs: OAuth2AuthorizationCode(
            "id", authorize_url="https://a.test", token_url="https://a.test", redirect_uri="app://", parameters=pairs
        ),
    ],
)
def test_a_list_for_a_mapping_is_refused(make: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError, match=r"^parameters must be Mapping.*, not list: "):
        make([("prompt", "login")])


@pytest.mark.parametrize("instant", [True, "2026-01-01T00:00:00Z", 1_767_225_600])
def test_a_token_expires_at_an_instant(instant: Any) -> None:
    with pytest.raises(TypeError, match=r"^expires_at must be datetime or None, not \w+: datetime\.now\(UTC\) \+ "):
        Token("access", expires_at=instant)
