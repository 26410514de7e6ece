"""The cache around a Fetch: what is served, asked again, stored and forgotten."""

import asyncio
import logging
from collections.abc import Mapping
from email.utils import format_datetime
from functools import partial
from typing import Any

import anyio
import attrs
import pytest

from stellantis_hal.errors import (
    ApiError,
    BudgetExhaustedError,
    NetworkError,
    NotFoundError,
    ServerError,
    StellantisError,
    UntrustedOriginError,
)
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.navigation.cache.fetch import CachedFetch, uncached
from stellantis_hal.navigation.cache.memory import MemoryCache
from stellantis_hal.navigation.cache.partition_responses import PartitionResponses
from stellantis_hal.navigation.cache.store import StoredVariants
from stellantis_hal.navigation.cache.stored_response import StoredResponse
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.entry_point import EntryPoint
from stellantis_hal.navigation.fetch_protocol import Request, Response
from stellantis_hal.navigation.origins import Origins
from tests.navigation.cache.origin_server import NOON, URL, OriginServer, answer_of, get

pytestmark = pytest.mark.anyio

OLD = "Sun, 06 Nov 1994 08:49:37 GMT"
asyncio_only = pytest.mark.parametrize("anyio_backend", ["asyncio"])


def tagged(request: Request) -> Response:
    """Answer 304 to the present tag, else the body."""
    is_known = Headers(request.headers).get("if-none-match") == '"1"'
    fields = {"etag": '"1"', "cache_control": "max-age=60", "x": "new"}
    return answer_of(b"" if is_known else b"one", status=304 if is_known else 200, **fields)


# ------------------------------------------------------------------------------------------------- hits


async def test_a_fresh_response_is_served_without_a_request() -> None:
    server = OriginServer()
    server.answer("one", cache_control="max-age=60")
    cache = server.cached()
    first = await get(cache)
    server.wait(59)
    hit = await get(cache)
    assert (first.from_cache, hit.from_cache, server.sent) == (False, True, 1)
    assert (hit.content, hit.status, hit.url, hit.received_at) == (b"one", 200, URL, NOON)
    assert hit.headers["age"] == "59"
    server.wait(1)
    assert not (await get(cache)).from_cache
    assert server.sent == 2


async def test_what_says_nothing_is_asked_again() -> None:
    """No heuristic, and nothing is stored that could not be validated."""
    server, store = OriginServer(), MemoryCache()
    server.answer("one")
    cache = server.cached(store)
    await get(cache)
    await get(cache)
    assert (server.sent, store.size) == (2, 0)


@pytest.mark.parametrize("control", ["max-age=0", "max-age=60, max-age=60", "max-age=x", "no-cache, max-age=60"])
async def test_a_stale_response_is_asked_for_with_its_validator(control: str) -> None:
    server = OriginServer()
    server.answer("one", cache_control=control, etag='W/"1"', last_modified=OLD)
    cache = server.cached()
    await get(cache)
    await get(cache)
    assert server.sent == 2
    assert (server.last("if-none-match"), server.last("if-modified-since")) == ('W/"1"', OLD)


async def test_the_age_on_arrival_counts() -> None:
    server = OriginServer()
    server.answer("one", cache_control="max-age=60", age="50, 0")
    cache = server.cached()
    first = await get(cache)
    server.wait(5)
    hit = await get(cache)
    assert (first.initial_age, hit.initial_age, hit.headers["age"]) == (50.0, 50.0, "55")
    server.wait(5)
    assert not (await get(cache)).from_cache


async def test_waiting_for_a_limiter_is_no_age() -> None:
    """The transport measures from the sending; a Fetch that does not is measured from the call."""
    server = OriginServer()

    def late(request: Request, measured: float | None = None) -> Response:
        server.wait(100)
        return attrs.evolve(answer_of("one", cache_control="max-age=60"), delay=measured)

    server.answers[URL] = late
    assert (await get(server.cached())).initial_age == 100
    server.answers[URL] = partial(late, measured=2.0)
    assert (await get(server.cached())).initial_age == 2


async def test_a_clock_that_was_set_back_serves_nothing() -> None:
    server = OriginServer()
    server.answer("one", cache_control="max-age=60")
    cache = server.cached()
    await get(cache)
    server.wait(-3600)
    assert not (await get(cache)).from_cache


async def test_fragments_and_spellings_of_the_origin_are_one_key() -> None:
    server = OriginServer()
    for url in (URL, "https://API.example:443/orders"):
        server.answer("one", url=url, cache_control="max-age=60")
    cache = server.cached()
    await get(cache, "https://API.example:443/orders")
    assert (await get(cache, f"{URL}#part")).from_cache
    server.answer("root", url="https://api.example", cache_control="max-age=60")
    server.answer("query", url="https://api.example?a", cache_control="max-age=60")
    await get(cache, "https://api.example")
    assert (await get(cache, "https://api.example/")).content == b"root"
    assert (await get(cache, "https://api.example?a")).content == b"query"


async def test_a_copy_of_an_untrusted_origin_is_not_served() -> None:
    server, store = OriginServer(), MemoryCache()
    url = "https://other.example/a"
    server.answer("one", url=url, cache_control="max-age=60")
    await get(server.cached(store), url)
    narrow = CachedFetch(server, PartitionResponses(store, "alice"), Origins(URL), server.clock)
    with pytest.raises(UntrustedOriginError):
        await get(narrow, url)


async def test_a_loop_of_hits_lets_other_tasks_run() -> None:
    server = OriginServer()
    server.answer("one", cache_control="max-age=60")
    cache = server.cached()
    await get(cache)
    seen: list[int] = []

    async def watch() -> None:
        seen.append(server.sent)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        for _ in range(50):
            await get(cache)
        assert seen
    with anyio.CancelScope() as scope:
        scope.cancel()
        await get(cache)
    assert scope.cancelled_caught


# ------------------------------------------------------------------------------------------------- accounts


async def test_two_accounts_on_one_store_never_share() -> None:
    server, store = OriginServer(), MemoryCache()
    server.answer("alice's", cache_control="max-age=60", vary="Authorization")
    alice, bob = server.cached(store), server.cached(store, account="bob")
    await get(alice)
    server.answer("bob's", cache_control="max-age=60", etag='"b"')
    assert (await get(bob)).content == b"bob's"
    assert server.last("if-none-match") is None
    assert (await get(alice)).content == b"alice's"


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "X-Api-Key", "X-Auth-Token"])
async def test_callers_by_fields_with_credentials_never_share(name: str) -> None:
    server, store = OriginServer(), MemoryCache()

    def echo(request: Request) -> Response:
        return answer_of(request.headers[name], cache_control="max-age=60", vary=name)

    server.answers[URL] = echo
    cache = server.cached(store)
    for _ in range(2):
        for secret in ("one", "two"):
            assert (await cache(Request(url=URL, headers={name: secret}))).content == secret.encode()
    assert server.sent == 2


@pytest.mark.parametrize("name", ["Location", "Content-Location"])
@pytest.mark.parametrize("read", [{}, {"X-Tenant-Id": "a"}])
@pytest.mark.parametrize("written", [{}, {"X-Tenant-Id": "a"}, {"X-User": "b", "Idempotency-Key": "c"}])
async def test_a_write_of_one_caller_is_news_to_all(
    name: str, read: Mapping[str, str], written: Mapping[str, str]
) -> None:
    """Fields that identify the caller select a variant, and neither hide the target nor what the response names."""
    made = f"{URL}/7"
    server = OriginServer({url: answer_of("old", cache_control="max-age=60") for url in (URL, made)})
    cache = server.cached()
    for url in (URL, made):
        await cache(Request(url=url, headers=read))
    server.answers[URL] = answer_of(status=201, **{name.replace("-", "_"): made})
    await cache(Request(url=URL, method="POST", headers=written))
    server.answers.update({url: answer_of("new", cache_control="max-age=60") for url in (URL, made)})
    for url in (URL, made):
        assert (await cache(Request(url=url, headers=read))).content == b"new"


async def test_a_write_with_a_key_that_failed_is_doubted() -> None:
    """Its ``Idempotency-Key`` identifies no caller of reads."""
    server = OriginServer({URL: answer_of("old", cache_control="max-age=60")})
    cache = server.cached()
    await get(cache)
    server.answers[URL] = ServerError("failed", status=503, url=URL)
    with pytest.raises(ServerError):
        await cache(Request(url=URL, method="POST", headers={"Idempotency-Key": "c"}))
    server.answers[URL] = answer_of("new", cache_control="max-age=60")
    assert (await get(cache)).content == b"new"


# ------------------------------------------------------------------------------------------------- variants


def by_language(request: Request) -> Response:
    language = Headers(request.headers).get("accept-language", "en")
    if Headers(request.headers).get("if-none-match") == f'"{language}"':
        return answer_of(status=304, etag=f'"{language}"')
    return answer_of(language, vary="Accept-Language", etag=f'"{language}"', cache_control="max-age=60")


async def test_variants_are_served_to_their_requests() -> None:
    server = OriginServer({URL: by_language})
    cache = server.cached()
    for _ in range(2):
        for language in ("de", "fr"):
            assert (await get(cache, Accept_Language=language)).content == language.encode()
        assert (await get(cache)).content == b"en"
    assert server.sent == 3
    server.wait(60)
    assert (await get(cache, Accept_Language="fr")).content == b"fr"
    assert server.last("if-none-match") == '"fr"'


async def test_only_the_matching_variant_is_validated() -> None:
    server = OriginServer({URL: by_language})
    cache = server.cached()
    await get(cache, Accept_Language="de")
    assert (await get(cache, Accept_Language="fr")).content == b"fr"
    assert server.last("if-none-match") is None


async def test_at_most_eight_variants_are_kept() -> None:
    server = OriginServer({URL: by_language})
    cache = server.cached()
    for number in range(9):
        await get(cache, Accept_Language=f"l{number}")
    assert (await get(cache, Accept_Language="l8")).from_cache
    assert not (await get(cache, Accept_Language="l0")).from_cache


async def test_vary_star_is_not_stored() -> None:
    server, store = OriginServer(), MemoryCache()
    server.answer("one", vary="*", cache_control="max-age=60", etag='"1"')
    await get(server.cached(store))
    assert store.size == 0


async def test_a_response_without_vary_does_not_hide_variants() -> None:
    """RFC 9111 section 4.1: some servers leave Vary out of their default response."""
    server = OriginServer({URL: by_language})
    cache = server.cached()
    await get(cache, Accept_Language="de")
    server.answer("default", cache_control="max-age=60")
    assert (await get(cache, Accept_Language="xx")).content == b"default"
    hits = [(await get(cache, Accept_Language=language)).content for language in ("de", "xx", "yy")]
    assert hits == [b"de", b"default", b"default"]
    assert server.sent == 2


async def test_a_type_that_is_not_accepted_is_not_served() -> None:
    """Servers that negotiate and do not say so."""

    def negotiate(request: Request) -> Response:
        return answer_of(request.headers["Accept"], content_type=request.headers["Accept"], cache_control="max-age=60")

    server = OriginServer({URL: negotiate})
    cache = server.cached()
    assert (await get(cache, Accept="text/csv")).content == b"text/csv"
    assert (await get(cache, Accept="application/json")).content == b"application/json"
    assert (await get(cache, Accept="application/*")).from_cache


# ------------------------------------------------------------------------------------------------- validation


async def test_an_unchanged_response_is_renewed() -> None:
    server = OriginServer({URL: tagged})
    cache = server.cached()
    await get(cache)
    server.wait(60)
    renewed = await get(cache)
    assert (renewed.status, renewed.content, renewed.from_cache, renewed.headers["x"]) == (200, b"one", True, "new")
    assert (renewed.received_at, server.sent) == (server.now, 2)
    server.wait(59)
    assert (await get(cache)).received_at == renewed.received_at
    assert server.sent == 2


async def test_a_changed_response_replaces_the_copy() -> None:
    server = OriginServer()
    server.answer("one", etag='"1"', cache_control="no-cache")
    cache = server.cached()
    await get(cache)
    server.answer("two", etag='"2"', cache_control="no-cache")
    assert (await get(cache)).content == b"two"
    await get(cache)
    assert server.last("if-none-match") == '"2"'


async def test_a_304_about_another_tag_is_asked_again_plainly() -> None:
    """Else the copy would be renewed by another representation's validator."""
    server = OriginServer()
    server.answer("one", etag='"1"', cache_control="no-cache")
    cache = server.cached()
    await get(cache)

    def confused(request: Request) -> Response:
        is_conditional = "if-none-match" in Headers(request.headers)
        return answer_of(b"" if is_conditional else b"two", status=304 if is_conditional else 200, etag='"2"')

    server.answers[URL] = confused
    assert (await get(cache)).content == b"two"
    assert [Headers(request.headers).get("if-none-match") for request in server.requests] == [None, '"1"', None]
    await get(cache)
    assert server.last("if-none-match") == '"2"'


async def test_a_304_that_forbids_storing_is_served_once() -> None:
    server, store = OriginServer({URL: tagged}), MemoryCache()
    cache = server.cached(store)
    await get(cache)
    server.wait(60)
    server.answer(status=304, etag='"1"', cache_control="no-store")
    response = await get(cache)
    assert (response.status, response.content) == (200, b"one")
    server.answers[URL] = tagged
    assert (await get(cache)).content == b"one"
    assert server.last("if-none-match") is None


# ------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("status", "stays"), [(404, False), (410, False), (403, False), (401, False), (408, True), (500, True), (503, True)]
)
async def test_errors_are_raised_and_refusals_drop_the_copy(status: int, stays: bool) -> None:
    server = OriginServer({URL: tagged})
    cache = server.cached()
    await get(cache)
    server.wait(60)
    server.answer(status=status, cache_control="max-age=60")
    for _ in range(2):
        with pytest.raises(ApiError):
            await get(cache)
    assert (server.last("if-none-match") is not None) is stays
    assert server.sent == 3


async def test_a_lost_connection_leaves_the_copy() -> None:
    server = OriginServer({URL: tagged})
    cache = server.cached()
    await get(cache)
    server.wait(60)
    server.answers[URL] = NetworkError("lost")
    with pytest.raises(NetworkError):
        await get(cache)
    server.answers[URL] = tagged
    assert (await get(cache)).from_cache


async def test_redirected_and_partial_responses_are_not_stored() -> None:
    server, store = OriginServer(), MemoryCache()
    server.answers[URL] = answer_of("one", url=f"{URL}/elsewhere", cache_control="max-age=60")
    cache = server.cached(store)
    await get(cache)
    server.answer("one", status=206, cache_control="max-age=60")
    await get(cache)
    assert store.size == 0


# ------------------------------------------------------------------------------------------------- the caller's wishes


async def test_directives_of_a_request_are_obeyed() -> None:
    server = OriginServer({URL: tagged})
    cache = server.cached()
    await get(cache)
    server.wait(30)
    for control, served in (
        ("max-age=30", True),
        ("max-age=29", False),
        ("max-age=0", False),
        ("min-fresh=29", True),
        ("min-fresh=60", False),
        ("no-cache", False),
        ("max-stale=1000", True),
        ("only-if-cached", True),
        ("max-age=x", False),
    ):
        sent = server.sent
        if not served:
            server.answers[URL] = NetworkError("asked")
            with pytest.raises(NetworkError):
                await get(cache, Cache_Control=control)
            server.answers[URL] = tagged
        else:
            assert (await get(cache, Cache_Control=control)).from_cache
        assert server.sent - sent == (0 if served else 1)
    server.answers[URL] = NetworkError("asked")
    with pytest.raises(NetworkError):
        await get(cache, Pragma="no-cache")


async def test_no_cache_asks_with_the_validator() -> None:
    server = OriginServer({URL: tagged})
    cache = server.cached()
    await get(cache)
    response = await get(cache, Cache_Control="no-cache")
    assert (response.from_cache, server.last("if-none-match"), server.sent) == (True, '"1"', 2)


async def test_a_reload_that_finds_a_change_drops_other_variants() -> None:
    """Else a read after it, with another Accept, would be served an older state."""
    server = OriginServer()
    server.answer("old", cache_control="max-age=60", vary="Accept")
    cache = server.cached()
    for accept in ("a/b", "*/*"):
        await get(cache, Accept=accept)
    server.answer("new", cache_control="max-age=60", vary="Accept")
    assert (await get(cache, Accept="a/b", Cache_Control="no-cache")).content == b"new"
    assert (await get(cache, Accept="*/*")).content == b"new"
    server.answers[URL] = tagged
    await get(cache, Accept="a/b", Cache_Control="no-cache")
    assert (await get(cache, Accept="x/y")).content == b"one"


async def test_only_if_cached_sends_nothing() -> None:
    server = OriginServer({URL: tagged})
    cache = server.cached()
    with pytest.raises(ServerError, match="nothing was sent") as caught:
        await get(cache, Cache_Control="only-if-cached")
    assert (caught.value.status, server.sent) == (504, 0)


async def test_no_store_in_a_request_passes_the_cache_by() -> None:
    server, store = OriginServer({URL: tagged}), MemoryCache()
    cache = server.cached(store)
    await get(cache, Cache_Control="no-store")
    assert store.size == 0
    await get(cache)
    assert not (await get(cache, Cache_Control="no-store")).from_cache


@pytest.mark.parametrize("name", ["Range", "If-Range", "If-Match", "If-Unmodified-Since"])
async def test_ranges_and_preconditions_are_passed_on(name: str) -> None:
    server = OriginServer({URL: tagged})
    cache = server.cached()
    await get(cache)
    assert not (await cache(Request(url=URL, headers={name: '"1"'}))).from_cache


async def test_a_get_with_a_body_is_passed_on() -> None:
    server = OriginServer({URL: tagged})
    cache = server.cached()
    await get(cache)
    assert not (await cache(Request(url=URL, content=b"{}"))).from_cache


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
async def test_other_safe_methods_are_passed_on(method: str) -> None:
    server = OriginServer({URL: tagged})
    cache = server.cached()
    await get(cache)
    assert not (await cache(Request(url=URL, method=method))).from_cache
    assert (await get(cache)).from_cache


async def test_the_callers_condition_is_answered_by_a_fresh_copy() -> None:
    server = OriginServer({URL: tagged})
    cache = server.cached()
    await get(cache)
    hit = await get(cache, If_None_Match='W/"1"')
    assert (hit.status, hit.content, hit.headers["etag"]) == (304, b"", '"1"')
    assert (await get(cache, If_None_Match='"2"')).content == b"one"
    assert server.sent == 1


async def test_the_callers_condition_is_passed_on_if_stale() -> None:
    server = OriginServer({URL: tagged})
    cache = server.cached()
    assert (await get(cache, If_None_Match='"1"')).status == 304
    await get(cache)
    server.wait(60)
    assert (await get(cache, If_None_Match='"1"')).status == 304
    sent = server.sent
    assert (await get(cache)).from_cache, "the 304 has renewed the copy"
    assert server.sent == sent
    server.wait(60)
    assert (await get(cache, If_None_Match='"0"')).content == b"one"
    assert server.last("if-none-match") == '"0"'
    assert (await get(cache)).from_cache


async def test_a_304_to_the_caller_about_another_tag_drops_the_copy() -> None:
    server = OriginServer({URL: tagged})
    cache = server.cached()
    await get(cache)
    server.wait(60)
    server.answer(status=304, etag='"2"')
    await get(cache, If_None_Match='"2"')
    server.answers[URL] = tagged
    await get(cache)
    assert server.last("if-none-match") is None


# ------------------------------------------------------------------------------------------------- writes


async def write(cache: CachedFetch, method: str = "PUT", url: str = URL) -> Response:
    return await cache(Request(url=url, method=method, content=b"{}"))


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "M-SEARCH"])
async def test_a_write_forgets_its_target(method: str) -> None:
    server = OriginServer({URL: tagged})
    cache = server.cached()
    await get(cache)
    await write(cache, method)
    await get(cache)
    assert server.sent == 3
    assert server.last("if-none-match") is None


async def test_a_write_forgets_what_its_response_names() -> None:
    server = OriginServer()
    urls = [f"{URL}/{name}" for name in ("made", "copy", "final", "list", "other")] + ["https://other.example/a"]
    for url in urls:
        server.answer(url, url=url, cache_control="max-age=60")
    cache = server.cached()
    for url in urls:
        await get(cache, url)
    server.answers[URL] = answer_of(
        url=f"{URL}/final",
        status=201,
        location="made#x",
        content_location=f"{URL}/copy",
        link='<list>; rel="invalidates", <other>; rel=next, <https://other.example/a>; rel=invalidates',
    )
    await write(cache, "POST")
    assert [(await get(cache, url)).from_cache for url in urls] == [False] * 4 + [True] * 2


async def test_a_write_forgets_nothing_on_other_origins() -> None:
    server = OriginServer()
    url = "https://other.example/a"
    server.answer("one", url=url, cache_control="max-age=60")
    server.answer(status=201, location=url, content_location="http://[bad")
    cache = server.cached()
    await get(cache, url)
    await write(cache, "POST")
    assert (await get(cache, url)).from_cache


@pytest.mark.parametrize(
    ("error", "forgets"),
    [
        (answer_of(status=412), False),
        (answer_of(status=404), False),
        (answer_of(status=500), True),
        (NetworkError("lost", sent=True), True),
        (NetworkError("not connected", sent=False), False),
        (BudgetExhaustedError("the limit"), False),
        (ZeroDivisionError(), True),
    ],
)
async def test_a_write_that_may_have_been_done_forgets(error: Any, forgets: bool) -> None:
    server = OriginServer({URL: tagged})
    cache = server.cached()
    await get(cache)
    server.answers[URL] = error
    with pytest.raises((StellantisError, ZeroDivisionError)):
        await write(cache)
    server.answers[URL] = tagged
    assert (await get(cache)).from_cache is not forgets


async def test_a_cancelled_write_forgets() -> None:
    server = OriginServer({URL: tagged}, latency=1)
    cache = server.cached()
    await get(cache)
    with anyio.move_on_after(0.5):
        await write(cache)
    assert not (await get(cache)).from_cache
    assert (await get(cache)).from_cache


@asyncio_only
async def test_a_write_that_asyncio_cancels_forgets() -> None:
    server = OriginServer({URL: tagged}, latency=1)
    cache = server.cached()
    await get(cache)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await write(cache)
    assert not (await get(cache)).from_cache


async def test_what_was_asked_before_a_write_is_not_stored_after_it() -> None:
    server = OriginServer()
    server.answer("old", cache_control="max-age=60")
    cache = server.cached()
    server.latency = 2
    contents: list[bytes] = []

    async def read() -> None:
        contents.append((await get(cache)).content)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await anyio.sleep(1)
        server.latency = 0.1
        await write(cache)
        server.answer("new", cache_control="max-age=60")
        contents.append((await get(cache)).content)
    assert contents == [b"new", b"old"]
    assert (await get(cache)).content == b"new"


async def test_a_resource_is_not_served_while_it_is_written_to() -> None:
    server = OriginServer({URL: tagged})
    cache = server.cached()
    await get(cache)
    server.latency = 2
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(write, cache)
        await anyio.sleep(1)
        server.latency = 0
        assert not (await get(cache)).from_cache
    assert not (await get(cache)).from_cache


# ------------------------------------------------------------------------------------------------- many tasks


async def test_tasks_that_ask_for_the_same_share_a_request() -> None:
    server = OriginServer({URL: tagged}, latency=1)
    cache = server.cached()
    contents: list[bytes] = []

    async def read() -> None:
        contents.append((await get(cache)).content)

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(read)
    assert contents == [b"one"] * 50
    assert server.sent == 1


async def test_tasks_do_not_share_what_may_not_be_reused() -> None:
    server = OriginServer(latency=1)
    server.answer("one", cache_control="no-store")
    cache = server.cached()
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(get, cache)
    assert server.sent == 5


async def test_a_cancelled_task_does_not_take_the_others_with_it() -> None:
    server = OriginServer({URL: tagged}, latency=1)
    cache = server.cached()
    contents: list[bytes] = []

    async def read() -> None:
        contents.append((await get(cache)).content)

    async with anyio.create_task_group() as tasks:
        with anyio.move_on_after(0.5):
            async with anyio.create_task_group() as first:
                first.start_soon(read)
                await anyio.sleep(0.1)
                tasks.start_soon(read)
                tasks.start_soon(read)
    assert contents == [b"one"] * 2


async def test_tasks_share_an_error() -> None:
    server = OriginServer(latency=1)
    server.answer(status=404)
    cache = server.cached()
    failed: list[str] = []

    async def read() -> None:
        try:
            await get(cache)
        except NotFoundError as error:
            failed.append(str(error))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(read)
    assert (len(failed), server.sent) == (3, 1)


# ------------------------------------------------------------------------------------------------- options, stores


class Configurable(OriginServer):
    """A fetch with options."""

    def with_options(self, *, priority: Any = None, max_wait: float | None = None) -> OriginServer:
        other = OriginServer(self.answers)
        other.requests = self.requests
        return other


async def test_options_keep_the_stored_responses() -> None:
    server = Configurable({URL: tagged})
    cache = server.cached()
    await get(cache)
    other = cache.with_options(priority="background")
    assert other.inner is not cache.inner
    assert (await get(other)).from_cache
    assert uncached(cache) is server
    assert uncached(server) is server
    plain = OriginServer().cached()
    assert plain.with_options(max_wait=1) is plain


class BrokenStore:
    """A store that fails on demand."""

    is_persistent = False

    def __init__(self) -> None:
        self.memory = MemoryCache()
        self.broken: set[str] = set()

    def _act(self, name: str) -> None:
        if name in self.broken:
            raise StellantisError(f"{name}: disk full")

    async def load(self, key: str) -> StoredVariants:
        self._act("load")
        return await self.memory.load(key)

    async def save(self, key: str, variants: tuple[StoredResponse, ...], version: int) -> None:
        self._act("save")
        await self.memory.save(key, variants, version)

    async def forget(self, key: str) -> None:
        self._act("forget")
        await self.memory.forget(key)

    async def clear(self, prefix: str = "") -> None:
        self._act("clear")
        await self.memory.clear(prefix)


@pytest.mark.parametrize("broken", ["load", "save"])
async def test_a_store_that_fails_costs_requests(broken: str, caplog: pytest.LogCaptureFixture) -> None:
    server, store = OriginServer({URL: tagged}), BrokenStore()
    cache = server.cached(store)
    store.broken = {broken}
    for _ in range(3):
        assert not (await get(cache)).from_cache
    warned = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.getMessage() for record in warned] == [
        f"the cache could not be {'read' if broken == 'load' else 'written'}, and is passed by: {broken}: disk full"
    ]
    store.broken = set()
    await get(cache)
    assert (await get(cache)).from_cache
    store.broken = {broken}
    caplog.clear()
    await get(cache, Cache_Control="no-cache")
    assert any(record.levelno == logging.WARNING for record in caplog.records), "a new failure is told again"


async def test_what_a_store_could_not_forget_is_not_served() -> None:
    server, store = OriginServer({URL: tagged}), BrokenStore()
    cache = server.cached(store)
    await get(cache)
    store.broken = {"forget"}
    await write(cache)
    assert not (await get(cache)).from_cache
    assert not (await get(cache)).from_cache
    store.broken = set()
    assert not (await get(cache)).from_cache
    assert (await get(cache)).from_cache


async def test_a_store_that_forgets_nothing_is_switched_off(caplog: pytest.LogCaptureFixture) -> None:
    server, store = OriginServer(), BrokenStore()
    cache = server.cached(store)
    server.answer("one", cache_control="max-age=60")
    await get(cache)
    store.broken = {"forget"}
    for number in range(1_001):
        url = f"{URL}/{number}"
        server.answer(url=url)
        await write(cache, url=url)
    assert not (await get(cache)).from_cache
    assert any("the cache is off" in record.getMessage() for record in caplog.records)


async def test_an_account_can_be_cleared() -> None:
    server, store = OriginServer({URL: tagged}), BrokenStore()
    cache, copies = server.cached(store), PartitionResponses(store, "alice")
    mine = CachedFetch(server, copies, Origins(URL), server.clock)
    await get(cache)
    store.broken = {"clear"}
    assert not await copies.clear()
    assert not (await get(mine)).from_cache
    assert (await get(mine, Cache_Control="no-cache")).status == 200
    store.broken = set()
    assert not (await get(mine)).from_cache
    assert (await get(mine)).from_cache
    assert await copies.clear()
    assert not (await get(mine)).from_cache


async def test_dates_ahead_and_expires_are_read() -> None:
    server = OriginServer(dated=False)
    ahead = format_datetime(NOON.replace(year=2030), usegmt=True)
    server.answer("one", date=ahead, cache_control="max-age=60", expires="0")
    cache = server.cached()
    await get(cache)
    server.wait(59)
    assert (await get(cache)).headers["age"] == "59"


async def test_other_tasks_run_at_each_sixteenth_hit(monkeypatch: pytest.MonkeyPatch) -> None:
    server = OriginServer()
    server.answer("one", cache_control="max-age=60")
    cache = server.cached()
    await get(cache)
    told: list[bool] = []

    def noting(is_pause: bool) -> Any:
        async def note() -> None:
            told.append(is_pause)

        return note

    monkeypatch.setattr("anyio.lowlevel.checkpoint", noting(True))
    monkeypatch.setattr("anyio.lowlevel.checkpoint_if_cancelled", noting(False))
    for _ in range(33):
        assert (await get(cache)).from_cache
    assert [number for number, is_pause in enumerate(told, 1) if is_pause] == [16, 32]
    assert len(told) == 33


async def test_an_entry_point_is_read_again_from_the_server() -> None:
    server = OriginServer()
    server.answer("{}", cache_control="max-age=60", content_type="application/json")
    entry = EntryPoint(URL, ResourceContext(server.cached()))
    assert not (await entry.root()).from_cache
    assert (await EntryPoint(URL, ResourceContext(server.cached())).root()).status == 200
    again = await entry.reread()
    assert (again.from_cache, server.last("cache-control")) == (False, "no-cache")
    assert await entry.root() is again
