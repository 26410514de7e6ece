"""Bounds of bodies, pages, connections and redirects, and what a hostile body may cost."""

from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from stellantis_hal import (
    Application,
    BodyTooLargeError,
    HalClient,
    PaginationLoopError,
    RateLimits,
    StellantisClient,
    TokenBucketLimiter,
    TooManyRedirectsError,
    TooManyValuesError,
)
from stellantis_hal.credentials.oauth2_messages import read_token
from stellantis_hal.errors import AuthError
from stellantis_hal.hal.json import MAX_VALUES, count_values, decode_received
from stellantis_hal.transport.api_errors import parse_error_body
from tests.support.responses import NOON
from tests.support.transports import Act, ScriptedTransport

pytestmark = pytest.mark.anyio
URL = "https://api.test/"
MIB = 2**20


def client_of(*acts: Act, **options: Any) -> HalClient:
    return HalClient(URL, transport=ScriptedTransport(*acts), **options)


def hal(content: bytes) -> httpx.Response:
    return httpx.Response(200, headers={"content-type": "application/hal+json"}, content=content)


# ------------------------------------------------------------------------------------------- options


async def test_a_body_has_8_mib_by_default() -> None:
    body = b'{"a":"' + b"x" * (8 * MIB - 8) + b'"}'
    async with client_of(hal(body)) as client:
        assert len((await client.root())["a"]) == 8 * MIB - 8
    async with client_of(hal(body + b" ")) as client:
        with pytest.raises(BodyTooLargeError, match="raise max_body"):
            await client.root()
    async with client_of(hal(body + b" "), max_body=9 * MIB) as client:
        assert len((await client.root())["a"]) == 8 * MIB - 8


async def test_redirects_are_bounded_by_an_option() -> None:
    hop = httpx.Response(302, headers={"location": "/on"})
    async with client_of(hop, max_redirects=2) as client:
        with pytest.raises(TooManyRedirectsError, match="more than 2 redirects"):
            await client.root()
    async with client_of(hop, max_redirects=0) as client:
        with pytest.raises(TooManyRedirectsError, match="more than 0 redirects"):
            await client.root()


async def test_connections_are_bounded_by_an_option() -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(1)
        return hal(b"{}")

    transport = ScriptedTransport(answer)
    async with HalClient(URL, transport=transport, connections=3) as client, anyio.create_task_group() as tasks:
        for number in range(9):
            tasks.start_soon(client.get, f"{URL}{number}")
    assert transport.most_running == 3


def make_hal_client(**options: Any) -> object:
    return HalClient(URL, **options)


def make_stellantis_client(**options: Any) -> object:
    return StellantisClient(Application("my-app"), **options)


@pytest.mark.parametrize("make", [make_hal_client, make_stellantis_client])
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_body": 0}, "max_body must be at least 1, not 0"),
        ({"connections": 0}, "connections must be at least 1, not 0"),
        ({"max_redirects": -1}, "max_redirects must be at least 0, not -1"),
        ({"max_body": None}, "max_body must be a whole number, not NoneType"),
        ({"max_redirects": True}, "max_redirects must be a whole number, not bool"),
        ({"connections": 1.5}, "connections must be a whole number, not float"),
    ],
)
def test_a_bound_that_is_none_is_refused(make: Callable[..., object], options: Any, error: str) -> None:
    with pytest.raises((TypeError, ValueError), match=error):
        make(**options)
    make(max_body=1, connections=None, max_redirects=0)


# ------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize("unit", [b"{},", b"[],", b'"",', b'{"a":0},'])
async def test_a_body_of_too_many_values_is_not_decoded(unit: bytes) -> None:
    content = b'{"a":[' + unit * MAX_VALUES + b"0]}"
    async with client_of(hal(content)) as client:
        with pytest.raises(TooManyValuesError, match=r"about \d+ values in \d+ bytes: at most 200000") as caught:
            await client.root()
    assert caught.value.values > MAX_VALUES
    assert caught.value.url == URL


async def test_a_body_of_200_000_values_is_decoded() -> None:
    content = b'{"a":[' + b"0," * (MAX_VALUES - 2) + b"0]}"
    assert count_values(content) == MAX_VALUES
    async with client_of(hal(content)) as client:
        assert len((await client.root())["a"]) == MAX_VALUES - 1


def test_other_answers_of_too_many_values_are_not_decoded() -> None:
    """Errors and tokens."""
    many = b'{"message":"m","access_token":"t","a":[' + b"0," * MAX_VALUES + b"0]}"
    with pytest.raises(ValueError, match="at most 200000"):
        decode_received(many)
    assert parse_error_body(many).message != "m"
    with pytest.raises(AuthError):
        read_token(many, now=NOON)


# ------------------------------------------------------------------------------------------- pages


@pytest.mark.parametrize(
    "content",
    [
        b'{"_embedded":{"item":[' + b"{}," * 20_000 + b"{}]}}",
        b'{"_links":{"item":[' + b'{"href":"/a"},' * 20_000 + b'{"href":"/a"}]}}',
        b"[" + b"{}," * 20_000 + b"{}]",
        b'{"_embedded":{"item":[[' + b"{}," * 20_000 + b"{}]]}}",
    ],
)
async def test_a_page_of_too_many_items_is_refused(content: bytes) -> None:
    async with client_of(hal(content)) as client:
        page = await client.root()
        with pytest.raises(TooManyValuesError, match="has 20001 items: at most 20000") as caught:
            _ = [item async for item in page.items()]
    assert caught.value.values == 20_001


async def test_too_many_links_are_not_followed_at_once() -> None:
    numbers = b'"n":[' + b"0," * 30_000 + b"0]"
    few, many = (b'{%s,"_links":{"item":[%s"/a"]}}' % (numbers, b'"/a",' * count) for count in (2, 20_000))
    async with client_of(hal(few)) as client, (await client.root()).follow_all("item") as found:
        assert len([one async for one in found]) == 3
    async with client_of(hal(many)) as client:
        page = await client.root()
        with pytest.raises(TooManyValuesError, match="has 20001 items: at most 20000"):
            page.follow_all("item")


async def test_items_may_be_nested_deeply() -> None:
    content = b'{"_embedded":{"item":[' + b'{"a":' * 1_010 + b"1" + b"}" * 1_010 + b"]}}"
    async with client_of(hal(content)) as client:
        assert len([item async for item in (await client.root()).items()]) == 1


@pytest.mark.unmeasured
async def test_a_page_of_20_000_items_is_read() -> None:
    content = b'{"_embedded":{"item":[' + b"{}," * 19_999 + b"{}]}}"
    async with client_of(hal(content)) as client:
        page = await client.root()
        assert len([item async for item in page.items()]) == 20_000


async def test_other_tasks_run_between_the_items_of_a_page() -> None:
    """A cancellation there loses no item."""
    content = b'{"_embedded":{"item":[' + b"{}," * 999 + b"{}]}}"
    async with client_of(hal(content)) as client:
        items = aiter((await client.root()).items())
        await anext(items)
        read = 1
        with anyio.CancelScope() as scope:
            scope.cancel()
            async for _ in items:
                read += 1
        assert 1 < read <= 101
        async for _ in items:
            read += 1
        assert read == 1_000


@pytest.mark.long
@pytest.mark.unmeasured
async def test_pages_without_items_end() -> None:
    def page(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params.get("page", "0"))
        next_ = b'{"_links":{"next":{"href":"/?page=%d"}},"_embedded":{"item":[]}}' % (number + 1)
        return hal(next_)

    limiter = TokenBucketLimiter(RateLimits(None, None))
    async with client_of(page, limiter=limiter) as client:
        root = await client.root()
        with pytest.raises(PaginationLoopError, match="1000 pages in a row had no items"):
            _ = [item async for item in root.items()]
    assert limiter.statistics.granted == 1_001


# ------------------------------------------------------------------------------------------- CURIEs


@pytest.mark.unmeasured
async def test_only_the_first_curies_are_looked_at() -> None:
    curies = b",".join(b'{"name":"n%d","href":"/d%d/{rel}"}' % (number, number) for number in range(5_000))
    for content in (b"[%s]" % curies, curies.replace(b'{"name":', b"").replace(b',"href"', b':{"href"')):
        body = b'{"_links":{"curies":%s}}' % (content if content.startswith(b"[") else b"{%s}" % content[:-1] + b"}")
        async with client_of(hal(body)) as client:
            prefixes = (await client.root()).document.curies.prefixes
        assert len(prefixes) == 100
        assert prefixes[0] == "n0"
