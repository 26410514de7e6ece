"""Arguments of a wrong kind: refused at once, with a message that says what to pass."""
# Parameters of the lambdas are of any type.
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from stellantis_hal import (
    Account,
    Application,
    Basic,
    Brand,
    ConfigurationError,
    HalClient,
    LinkNotFoundError,
    MemoryCache,
    OAuth2ClientCredentials,
    RateLimits,
    SQLiteCache,
    SQLiteInbox,
    SQLiteLimiter,
    StellantisClient,
    TimeRange,
    TokenBucketLimiter,
    UntrustedOriginError,
    Vehicle,
    read_car_history,
    trip_writer,
)
from stellantis_hal.fleet import Update, watch
from stellantis_hal.simulator import Simulator
from tests.support.simulated import client_of, world

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return Simulator(world(seed=3))


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[StellantisClient]:
    async with client_of(simulator) as client:
        yield client


def account_of(client: StellantisClient, simulator: Simulator, brand: Any = Brand.PEUGEOT) -> Account:
    return client.account(simulator.token_for(simulator.world.accounts[0].key), brand=brand)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate_limits": 100}, r"rate_limits must be RateLimits or None, not int: RateLimits\(per_second"),
        ({"limiter": RateLimits(10)}, r"limiter must be RateLimiter or None, not RateLimits: TokenBucketLimiter\("),
        ({"retry": 3}, r"retry must be RetryPolicy or None, not int: RetryPolicy\(attempts="),
        ({"timeout": "30"}, "timeout must be int or float or Timeouts or None, not str"),
        ({"transport": httpx}, r"transport must be AsyncBaseTransport or None, not module: httpx.AsyncHTTPTransport"),
        ({"tls": "cert.pem"}, "tls must be Tls or None, not str"),
        ({"clock": datetime.now}, "clock must be a function that returns an aware datetime, as lambda: datetime.now"),
        ({"clock": datetime.now(UTC)}, "clock must be a function that returns an aware datetime, as lambda: "),
    ],
)
def test_an_option_of_another_kind(simulator: Simulator, options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        client_of(simulator, **options)


def test_an_id_for_an_application() -> None:
    application: Any = "my-id"
    with pytest.raises(TypeError, match=r"application must be Application, not str: Application\(client_id"):
        StellantisClient(application)


@pytest.mark.parametrize("auth", ["secret", ("user", "secret")])
def test_a_secret_for_credentials_is_not_shown(auth: Any) -> None:
    with pytest.raises(TypeError, match=r"not (str|tuple): Bearer\(token\), or Basic\(user, password\)") as caught:
        HalClient("https://api.test/", auth=auth)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("token", ["secret", None, {"access_token": "secret"}])
async def test_neither_a_token_nor_a_store(client: StellantisClient, token: Any) -> None:
    with pytest.raises(TypeError, match=r"needs a Token or a TokenStore, not \w+: Token\(") as caught:
        client.account(token, brand=Brand.DS)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["peugeot", "Peugeot", " PEUGEOT "])
async def test_a_brand_by_its_name(client: StellantisClient, simulator: Simulator, name: str) -> None:
    assert await account_of(client, simulator, name).vehicles().first() is not None


@pytest.mark.parametrize("name", ["Citroën", "citroen", "CITROËN"])
def test_a_brand_s_name_is_spelt_either_way(name: str) -> None:
    assert Brand(name) is Brand.CITROEN


@pytest.mark.parametrize("name", ["peugeot.com", "", 5, None, "x" * 10_000])
async def test_an_unknown_brand(client: StellantisClient, simulator: Simulator, name: Any) -> None:
    with pytest.raises(
        ValueError, match=r"unknown brand .*: must be one of peugeot, citroen, ds, opel, vauxhall"
    ) as caught:
        account_of(client, simulator, name)
    assert len(str(caught.value)) < 200


async def test_a_trusted_origin_alone() -> None:
    async with HalClient("https://api.test/", trusted_origins="https://files.test/") as hal:
        with pytest.raises(UntrustedOriginError, match=r"https://api\.test:443, https://files\.test:443"):
            await hal.get("https://evil.test/")


@pytest.mark.parametrize("url", ["vehicles", "api.test/user", "", "#user", ".", "urn:user"])
async def test_a_name_for_an_address(url: str) -> None:
    async with HalClient("https://api.test/") as hal:
        for call in (hal.get(url), hal.request("PUT", url)):
            with pytest.raises(UntrustedOriginError, match=r"The URL must be absolute, .*use follow\(\)|not trusted"):
                await call


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"since": "2026-01-01"}, "since must be datetime or None, not str"),
        ({"until": 5}, "until must be datetime or None, not int"),
        ({"page_size": "5"}, "page_size must be int or None, not str"),
        ({"distance": 1}, "distance must be tuple or list, not int"),
        ({"duration": 60.0}, "duration must be tuple or list, not float"),
        ({"index_range": 5}, "index_range must be tuple or list, not int"),
    ],
)
async def test_a_filter_of_another_kind(
    client: StellantisClient, simulator: Simulator, filters: dict[str, Any], message: str
) -> None:
    vehicle = await account_of(client, simulator).vehicles().first()
    assert vehicle is not None
    with pytest.raises(TypeError, match=message):
        vehicle.trips(**filters)


def test_a_number_for_a_duration() -> None:
    number: Any = 5
    with pytest.raises(TypeError, match="duration must be timedelta or None, not int"):
        TimeRange(datetime.now(UTC), duration=number)


async def test_a_number_for_a_relation(client: StellantisClient, simulator: Simulator) -> None:
    number: Any = 5
    with pytest.raises(TypeError, match="a relation must be str or Rel, not int"):
        account_of(client, simulator).follow(number)


async def test_a_missing_link_names_the_vehicles_address(client: StellantisClient, simulator: Simulator) -> None:
    vehicle = await account_of(client, simulator).vehicles().first()
    assert vehicle is not None
    with pytest.raises(
        LinkNotFoundError, match=r"no link 'trp' at \S+/vehicles/\*\*\*;.*did you mean 'trips'"
    ) as caught:
        await vehicle.follow("trp")
    assert caught.value.url == vehicle.url


async def test_a_number_for_an_id(client: StellantisClient, simulator: Simulator) -> None:
    number: Any = 5
    with pytest.raises(TypeError, match="an id must be str, not int"):
        await account_of(client, simulator).vehicle(number)


@pytest.mark.parametrize("name", ["every", "late", "relist", "max_wait"])
async def test_a_number_for_a_span(client: StellantisClient, simulator: Simulator, name: str) -> None:
    options: Any = {"every": MINUTE, name: 300}
    with pytest.raises(TypeError, match=rf"{name} must be timedelta.*, not int: timedelta\(seconds="):
        watch(account_of(client, simulator), **options)


async def test_a_text_for_an_instant(client: StellantisClient, simulator: Simulator) -> None:
    text: Any = "2026-01-01"
    with pytest.raises(TypeError, match="since must be datetime or None, not str"):
        watch(account_of(client, simulator), every=MINUTE, since=text)


async def test_a_client_for_an_account(client: StellantisClient) -> None:
    source: Any = [client]
    with pytest.raises(TypeError, match="what is watched must be Account or Fleet or Vehicle, not StellantisClient"):
        async with watch(source, every=MINUTE) as updates:
            await anext(aiter(updates))


@pytest.mark.parametrize("of", [Account, Vehicle])
async def test_one_alone_is_watched(client: StellantisClient, simulator: Simulator, of: type[Any]) -> None:
    account = account_of(client, simulator)
    vehicle = await account.vehicle(simulator.world.vehicles[0].id)
    async with watch(account if of is Account else vehicle, every=MINUTE) as updates:
        event = await anext(aiter(updates))
    assert isinstance(event, Update)
    assert event.vehicle == vehicle


def test_a_limiter_of_one_s_own_is_taken(simulator: Simulator) -> None:
    limiter = TokenBucketLimiter(RateLimits(10))
    assert client_of(simulator, limiter=limiter).limiter is limiter


_ANY: Any = None


@pytest.mark.parametrize(
    "make",
    [
        lambda: Basic("me", _ANY),
        lambda: Basic(_ANY, "secret"),
        lambda: OAuth2ClientCredentials("https://api.test/t", "me", _ANY),
        lambda: OAuth2ClientCredentials("https://api.test/t", _ANY, "secret"),
    ],
)
def test_a_credential_of_another_type(make: Any) -> None:
    """A password that is None, as of an unset variable, would be sent as the text None."""
    with pytest.raises(TypeError, match=r"must be str, not NoneType$"):
        make()


@pytest.mark.parametrize("certificate", ["cert.pem", ("cert.pem",), 3, ("a", "b", "c", "d")], ids=str)
def test_a_certificate_that_is_no_pair_of_paths_is_refused(certificate: Any) -> None:
    """Of a text, the first two letters were taken for the paths."""
    with pytest.raises(TypeError, match=r'^certificate must be a pair of paths, as \("cert.pem", "key.pem"\), with'):
        StellantisClient(Application("id", "secret", certificate=certificate))


@pytest.mark.parametrize(
    ("id_", "secret", "message"),
    [
        (None, "secret", r"client_id must be str, not NoneType: is it in your configuration\?"),
        ("id", 5, "client_secret must be str or None, not int"),
    ],
)
def test_an_application_that_a_configuration_lacks_is_refused(id_: Any, secret: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{message}$"):
        Application(id_, secret)


@pytest.mark.parametrize(
    "make", [lambda clock: TokenBucketLimiter(clock=clock), lambda clock: SQLiteInbox(":memory:", clock=clock)]
)
def test_a_naive_clock_is_refused(make: Callable[[Any], object]) -> None:
    """It was an error about naive and aware datetimes, within the first request."""
    with pytest.raises(TypeError, match=r"^clock must be a function that returns an aware datetime"):
        make(datetime.now)


async def test_numbers_of_items_are_whole(client: StellantisClient, simulator: Simulator) -> None:
    """A fraction never equalled the number of items: the whole collection was read."""
    vehicle = await account_of(client, simulator).vehicles().first()
    assert vehicle is not None
    trips, fraction, text = vehicle.trips(), 1.5, "2"
    number: Any
    for number in (fraction, text):
        with pytest.raises(TypeError, match=r"^limit must be int or None, not "):
            await trips.collect(number)
        with pytest.raises(TypeError, match=r"^count must be int, not "):
            trips.take(number)
        with pytest.raises(TypeError, match=r"^limit must be int, not "):
            async with trips.concurrent(number):
                pass
        with pytest.raises(TypeError, match=r"^pages must be int, not "):
            async with trips.ahead(number):
                pass
        with pytest.raises(TypeError, match=r"^limit must be int, not "):
            async with vehicle.require_resource().follow_all("trips", limit=number):
                pass
    with pytest.raises(ValueError, match=r"^limit must be at least 0, or None for all items, not -1$"):
        await trips.collect(-1)
    number = 3
    with pytest.raises(TypeError, match=r"^token must be str or None, not int: page.token$"):
        trips.pages(number)


def test_an_entry_that_is_no_text_is_refused() -> None:
    url: Any = None
    with pytest.raises(TypeError, match=r"^entry_url must be str, not NoneType$"):
        HalClient(url)


TEXT: Any = "100"
APPLICATION: Any = Application("id", "secret")
LIMITS = r"limits must be RateLimits or None, not str: RateLimits\(per_second=…, per_day=…\)"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TokenBucketLimiter(TEXT), LIMITS),
        (lambda: SQLiteLimiter("limiter.db", "id", TEXT, processes=2), LIMITS),
        (
            lambda: SQLiteLimiter("limiter.db", APPLICATION, processes=2),
            "client_id must be str, not Application: application.client_id",
        ),
        (
            lambda: TokenBucketLimiter(store=TEXT),
            r"store must be a LimiterStore or None, not str: FileLimiterStore\(path\)",
        ),
        (lambda: MemoryCache(TEXT), "limit must be int, not str: bytes, as 32_000_000"),
        (lambda: SQLiteCache("cache.db", TEXT), "limit must be int, not str: bytes, as 256_000_000"),
    ],
    ids=["limits", "shared limits", "client id", "store", "memory", "sqlite"],
)
def test_limiters_and_caches_of_wrong_types_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(TypeError, match=f"^{message}$"):
        make()


async def test_the_history_of_what_is_no_car_is_refused(client: StellantisClient, simulator: Simulator) -> None:
    account: Any = account_of(client, simulator)
    vehicle = await account.vehicles().first()
    with pytest.raises(TypeError, match=r"^vehicle must be Vehicle, not Account$"):
        await read_car_history(account)
    with pytest.raises(TypeError, match=r"^routes must be int, not str$"):
        await read_car_history(vehicle, routes=TEXT)


def test_what_is_no_trip_is_not_written() -> None:
    with (
        trip_writer(io.StringIO(), "csv") as writer,
        pytest.raises(TypeError, match=r"^a trip must be Update or Trip, no"),
    ):
        writer.write(TEXT)


async def test_what_is_read_later_has_no_truth_value(client: StellantisClient, simulator: Simulator) -> None:
    """It was always true."""
    vehicle = await account_of(client, simulator).vehicles().first()
    assert vehicle is not None
    trips = vehicle.trips()
    read_later: list[Any] = [trips, trips.pages(), aiter(trips), aiter(trips.pages()), vehicle.follow("trips")]
    read_later.append(account_of(client, simulator).callbacks)
    for each in read_later:
        with pytest.raises(TypeError, match=rf"^{type(each).__name__} has no truth value, as it is read later: "):
            bool(each)
    with pytest.raises(
        TypeError, match=r": use await it\.first\(\) or await it\.collect\(\), or compare it with None$"
    ):
        bool(vehicle.trips())
    with pytest.raises(TypeError, match=r": await it, or compare it with None$"):
        bool(vehicle.follow("trips"))
