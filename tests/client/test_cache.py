"""Clients with a cache: hits cost nothing, inside chains and walks, private to each account."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from stellantis_hal import (
    ConfigurationError,
    FileTokenStore,
    HalClient,
    MemoryCache,
    MemoryTokenStore,
    RateLimits,
    SQLiteCache,
    TokenBucketLimiter,
)
from stellantis_hal.simulator import Simulator
from tests.support.simulated import account_of, client_of, token_of, world

pytestmark = pytest.mark.anyio

HOME = "https://api.test/"


class Shop(httpx.AsyncBaseTransport):
    """An API with two pages of orders, tags, and freshness of a minute."""

    def __init__(self, control: str = "max-age=60") -> None:
        self.now = datetime(2026, 11, 26, 12, tzinfo=UTC)
        self.control = control
        self.version = 1
        self.requests: list[httpx.Request] = []

    def clock(self) -> datetime:
        return self.now

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.method != "GET":
            self.version += 1
            return httpx.Response(204)
        etag = f'"{self.version}"'
        headers = {"ETag": etag, "Cache-Control": self.control, "Content-Type": "application/hal+json"}
        if request.headers.get("if-none-match") == etag:
            return httpx.Response(304, headers=headers)
        page = request.url.params.get("page", "1")
        body: dict[str, Any] = {"version": self.version, "_links": {"self": {"href": str(request.url)}}}
        if request.url.path == "/":
            body["_links"]["orders"] = {"href": "/orders"}
        else:
            items = [
                {"id": f"{page}{number}", "_links": {"self": {"href": f"/order/{page}{number}"}}} for number in "ab"
            ]
            body["_embedded"] = {"order": items}
            if page == "1":
                body["_links"]["next"] = {"href": "/orders?page=2", "type": "application/hal+json"}
        return httpx.Response(200, headers=headers, json=body)

    def client(self, **options: Any) -> HalClient:
        defaults: dict[str, Any] = {"transport": self, "clock": self.clock, "cache": MemoryCache()}
        return HalClient(HOME, **(defaults | options))


async def test_a_hit_costs_no_request_and_no_token() -> None:
    shop, limiter = Shop(), TokenBucketLimiter(RateLimits(per_day=3))
    async with limiter, shop.client(limiter=limiter) as client:
        pages = [await client.follow("orders") for _ in range(10)]
        assert pages[-1].from_cache
        assert limiter.statistics.granted == 2
    assert len(shop.requests) == 2


async def test_age_and_origin_of_a_resource_are_shown() -> None:
    shop = Shop()
    async with shop.client() as client:
        first = await client.get(f"{HOME}orders")
        shop.now += timedelta(seconds=30)
        hit = await client.get(f"{HOME}orders")
        assert (first.from_cache, hit.from_cache, first.age, hit.age) == (False, True, 30, 30)
        assert hit.stale is False
        assert hit.embedded("order")[0].age == 30
        shop.now += timedelta(seconds=31)
        assert bool(hit.stale)
        renewed = await client.get(f"{HOME}orders")
        assert (renewed.from_cache, renewed.age, renewed.status, renewed["version"]) == (True, 0, 200, 1)
        assert shop.requests[-1].headers["if-none-match"] == '"1"'


async def test_refresh_always_asks() -> None:
    shop = Shop()
    async with shop.client() as client:
        page = await client.get(f"{HOME}orders")
        shop.now += timedelta(seconds=30)
        same = await page.refresh()
        assert (same.age, same["version"], len(shop.requests)) == (0, 1, 2)
        shop.version = 2
        assert (await page.refresh())["version"] == 2
        assert (await client.get(f"{HOME}orders"))["version"] == 2
        assert (await page.embedded("order")[0].refresh()).status == 200
        assert len(shop.requests) == 4


async def test_walks_are_served_from_the_cache() -> None:
    shop = Shop()
    async with shop.client() as client:
        for _ in range(3):
            ids = [item["id"] async for item in client.follow("orders").items()]
            assert ids == ["1a", "1b", "2a", "2b"]
    assert len(shop.requests) == 3


async def test_an_entry_resource_without_the_link_is_asked_again() -> None:
    shop = Shop()
    async with shop.client() as client:
        root = await client.root()
        assert (await client.root_with("orders")) is root
        assert not (await client.root_with("new")).from_cache or len(shop.requests) == 2
        assert len(shop.requests) == 2
    async with shop.client(cache=(cache := MemoryCache())) as first, shop.client(cache=cache) as second:
        await first.root()
        sent = len(shop.requests)
        await second.root_with("orders")
        assert len(shop.requests) == sent
        await second.root_with("new")
        assert len(shop.requests) == sent + 1
    async with shop.client() as third:
        sent = len(shop.requests)
        await third.root_with("new")
        assert len(shop.requests) == sent + 1, "it was read a moment ago"


async def test_a_write_forgets_the_resource() -> None:
    shop = Shop()
    async with shop.client() as client:
        page = await client.get(f"{HOME}orders")
        await page.put(json={}, if_match=False)
        assert (await client.get(f"{HOME}orders"))["version"] == 2


async def test_without_a_cache_nothing_changes() -> None:
    shop = Shop()
    async with shop.client(cache=None) as client:
        page = await client.get(f"{HOME}orders")
        await client.get(f"{HOME}orders")
        assert "cache-control" not in shop.requests[-1].headers
        assert not (await page.refresh()).from_cache
        assert "cache-control" not in shop.requests[-1].headers
    assert len(shop.requests) == 3


# ------------------------------------------------------------------------------------------------- accounts


def _of_its_own(name: str) -> httpx.Auth:
    return httpx.BasicAuth(name, "p")


def _the_same(name: str) -> httpx.Auth:
    return httpx.BasicAuth("same", "p")


@pytest.mark.parametrize("make", [_of_its_own, _the_same])
async def test_clients_with_httpx_auth_share_only_by_partition(make: Callable[[str], httpx.Auth]) -> None:
    shop, cache = Shop(), MemoryCache()
    for name in ("a", "b"):
        async with shop.client(cache=cache, auth=make(name)) as client:
            assert not (await client.root()).from_cache
    for name, hit in (("c", False), ("d", True)):
        async with shop.client(cache=cache, auth=make(name), partition="alice") as client:
            assert (await client.root()).from_cache is hit


def test_a_lasting_cache_needs_the_name_of_an_account(tmp_path: Path) -> None:
    shop, cache = Shop(), SQLiteCache(tmp_path / "responses.db")
    with pytest.raises(ConfigurationError, match="partition="):
        shop.client(cache=cache, auth=httpx.BasicAuth("a", "b"))
    shop.client(cache=cache, auth=httpx.BasicAuth("a", "b"), partition="a")
    shop.client(cache=cache)


def test_odd_arguments_are_refused() -> None:
    shop = Shop()
    with pytest.raises(TypeError, match=r"cache must be a CacheStore or None, not int: MemoryCache\(32_000_000\)"):
        shop.client(cache=5)
    with pytest.raises(ValueError, match="pass cache= too"):
        shop.client(cache=None, partition="a")
    with pytest.raises(ValueError, match="is empty"):
        shop.client(partition="")


async def test_accounts_of_one_client_never_share() -> None:
    simulator, cache = Simulator(world(accounts=2)), MemoryCache()
    async with client_of(simulator, cache=cache) as client:
        holders = simulator.world.accounts
        accounts = [account_of(client, simulator, holder, key="default") for holder in holders]
        emails = [(await account.user()).resource for account in accounts]
        assert emails[0] is not None
        assert emails[1] is not None
        assert emails[0].state != emails[1].state


@pytest.mark.wall_clock
async def test_accounts_are_named_by_the_file_of_their_tokens(tmp_path: Path) -> None:
    simulator = Simulator(world())
    async with SQLiteCache(tmp_path / "responses.db") as cache, client_of(simulator, cache=cache) as client:
        store = FileTokenStore(tmp_path / "tokens")
        await store.save("alice", token_of(simulator))
        account = account_of(client, simulator, tokens=store, key="alice")
        assert await account.vehicles().collect()
        for tokens in (token_of(simulator), MemoryTokenStore()):
            with pytest.raises(ConfigurationError, match="nothing names the account"):
                account_of(client, simulator, tokens=tokens)
        named = client.account(token_of(simulator), brand="peugeot", partition="alice")
        assert named.with_options(priority="background").limiter is client.limiter


async def test_options_of_an_account_keep_its_cache() -> None:
    simulator = Simulator(world())
    async with client_of(simulator, cache=MemoryCache()) as client:
        account = account_of(client, simulator)
        vehicle = await account.vehicles().first()
        assert vehicle is not None
        quiet = vehicle.with_options(priority="background")
        assert quiet.require_resource().require_context().reload_fields
