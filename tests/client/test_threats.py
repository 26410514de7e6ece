"""Threats, and the tests that cover them.

Attackers are a server (the API's, the identity provider's, or one that a link leads to), a page that is open in the
browser during a log-in, another user of the machine, or the author of a token, a dump or a checkpoint that is read
again. Their targets are tokens and secrets, the positions of cars, the subscription's budget, and the memory and time
of the process. Tests of the layers cover more of each; the files named here are in the layers' folders.

1. Links to other origins: other hosts, schemes and ports, user information, backslashes, look-alike letters, numbers
   for addresses, protocol-relative references, blanks and line breaks. Also navigation/test_origins.py.
2. Redirects: foreign hosts at the end of a chain, downgrades from https, loops, repeated Location fields and such with
   a line break; redirected token requests; an echoed client id. Also transport/test_session.py.
3. Stored addresses of foreign hosts: page tokens, dumps, pickles, embedded copies; cookies.
4. Addresses that are no links: deprecation notices, CURIEs' documentation and profiles are never fetched.
5. Bodies that are no JSON, too deep, too large, or have odd numbers, repeated keys and lone surrogates.
6. Bodies that expand: bombs, codings that were not asked for, series of empty members. Also transport/test_decoding.py.
7. Very many links, unknown members, problems, CURIEs. Also hal/test_curies.py.
8. Templates and texts that need quadratic time. Also hal/test_uri_templates.py, hal/test_redaction.py.
9. Header and path injection through ids, parameters, realms, client ids, tokens, media types and validators.
10. Log lines and messages that a server forges, and control characters for a terminal.
11. Secrets in logs, messages, ``repr``, tracebacks, pickles and dumps. Also transport/test_logging.py.
12. Servers that never end: pages, redirects, 401, 429, slow bodies and headers; pages that grow while they are read
    backwards (navigation/pagination/test_pages.py).
13. The log-in's redirect: other names for this machine, other pages' requests, silent and endless connections. Also
    cli/test_loopback.py, credentials/test_oauth2_messages.py.
14. The simulator, exposed by mistake. Also cli/test_demo.py.
15. Files: symbolic links, other users, permissions, keys that are paths. Also credentials/test_file_store.py,
    fleet/checkpoints/test_checkpoints.py.

Out of scope: a hostile transport or token store that the program itself passes in, pickles of others (unpickling runs
code; dumps exist for that), debuggers and tracebacks that show local variables, and a machine whose administrator is
the attacker.
"""

import gzip
import json
import logging
import math
import os
import pickle
import traceback
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from stellantis_hal import (
    Application,
    BodyTooLargeError,
    Brand,
    BudgetExhaustedError,
    ConfigurationError,
    FileLimiterStore,
    FileTokenStore,
    HalError,
    LinkNotFoundError,
    NetworkError,
    NotHalError,
    RateLimitedError,
    RateLimits,
    StellantisError,
    TemplateError,
    Timeouts,
    Token,
    TokenBucketLimiter,
    TokenStoreError,
    TooManyRedirectsError,
    TooManyValuesError,
    UnauthorizedError,
    UntrustedOriginError,
)
from stellantis_hal.cli.loopback import listen
from stellantis_hal.hal.redaction import mask_text, mask_url
from stellantis_hal.navigation.context import HalDeprecationWarning
from stellantis_hal.navigation.fetch_protocol import Request
from stellantis_hal.navigation.link_selection import FollowOptions
from stellantis_hal.navigation.origins import Origins
from stellantis_hal.navigation.pagination.page_token import PageToken
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.resources.trip import Trip
from stellantis_hal.simulator import Simulator, server
from stellantis_hal.structuring.converter import TypedConverter, read
from stellantis_hal.structuring.timestamps import read_duration, read_instant
from stellantis_hal.transport.rate_limit.quota_headers import parse_retry_after
from stellantis_hal.transport.session import Session
from tests.client.hostile import ENTRY, Stream, account_of, document, hal_client, raw, vendor_client
from tests.support.profiles import deep
from tests.support.simulated import world
from tests.support.transports import ScriptedTransport

pytestmark = pytest.mark.anyio

FOREIGN = [
    "https://evil.test/steal",
    "//evil.test/steal",
    "http://api.test/v4",
    "https://api.test:8443/v4",
    "https://api.test:65979/v4",
    "https://api.test:44３/v4",
    "https://api.test@evil.test/",
    "https://api.test:443@evil.test/",
    "https://me:s3cret@api.test/v4",
    "https://api.test\\@evil.test/",
    "\\\\evil.test\\steal",
    "/\\evil.test/steal",
    "https:/\\evil.test",
    "https:evil.test",
    "https:///evil.test",
    "https://api.test.evil.test/",
    "https://api.test./v4",
    "https://аpi.test/v4",
    "https://api。test/v4",
    "https://xn--pi-6kc.test/v4",
    "https://api%2etest/v4",
    "https://api.test%00.evil.test/",
    "https://api.test%40evil.test/",
    "https://[::1]/",
    "https://[::ffff:10.0.0.1%25eth0]/",
    "https://[api.test]/",
    "https://2130706433/",
    "https://127.1/",
    "https://api.test\t.evil.test/",
    "https://api.test\r\nHost: evil.test/",
    " https://evil.test/",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "data:application/json,{}",
    "unix:/run/secrets",
    "ftp://api.test/v4",
]


def tell_apart(error: BaseException) -> str:
    """Everything that a program would log of an error."""
    return "".join(traceback.format_exception(error))


# ------------------------------------------------------------------------------------------------- 1. links


@pytest.mark.unmeasured
@pytest.mark.parametrize("href", FOREIGN)
async def test_1_a_link_to_another_origin_sends_nothing(href: str) -> None:
    client, server_ = hal_client(lambda _: document(away=href))
    async with client:
        with pytest.raises(UntrustedOriginError) as caught:
            await client.follow("away")
    assert [str(request.url) for request in server_.requests] == [ENTRY]
    assert str(caught.value).isprintable()
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("href", ["https://API.test:443/x", "HTTPS://api.test/x", "https://api.test?@evil.test", "./x"])
async def test_1_a_link_that_only_looks_foreign_is_followed(href: str) -> None:
    client, server_ = hal_client(lambda _: document(away=href))
    async with client:
        await client.follow("away")
    assert server_.hosts == {"api.test"}


@pytest.mark.parametrize("template", ["{+host}/x", "https://{host}/x", "//{host}", "{scheme}://api.test/"])
async def test_1_a_template_cannot_expand_to_another_origin(template: str) -> None:
    client, server_ = hal_client(lambda _: document(away={"href": template, "templated": True}))
    values = {"{+host}/x": {"host": "//evil.test"}, "{scheme}://api.test/": {"scheme": "http"}}
    async with client:
        with pytest.raises(UntrustedOriginError):
            await client.follow("away", variables=values.get(template, {"host": "evil.test"}))
    assert server_.hosts == {"api.test"}


# ------------------------------------------------------------------------------------------------- 2. redirects


@pytest.mark.unmeasured
@pytest.mark.parametrize("location", [*FOREIGN, "https://api.test/v4, https://evil.test/"])
async def test_2_a_redirect_to_another_origin_sends_nothing(location: str) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers=[(b"Location", location.encode())])

    client, server_ = hal_client(respond)
    async with client:
        with pytest.raises(UntrustedOriginError) as caught:
            await client.root()
    assert len(server_.requests) == 1
    assert str(caught.value).isprintable()


async def test_2_a_chain_of_redirects_is_followed_on_the_origin_only() -> None:
    steps = iter(["/a", "/b?x=https://evil.test", "//evil.test/c"])
    client, server_ = hal_client(lambda _: httpx.Response(307, headers={"location": next(steps)}))
    async with client:
        with pytest.raises(UntrustedOriginError, match=r"evil\.test"):
            await client.root()
    assert [request.url.path for request in server_.requests] == ["/v4", "/a", "/b"]
    assert server_.hosts == {"api.test"}


async def test_2_two_locations_are_none() -> None:
    fields = [("location", "/a"), ("location", "//evil.test/")]
    client, server_ = hal_client(lambda _: httpx.Response(302, headers=fields))
    async with client:
        with pytest.raises(UntrustedOriginError):
            await client.root()
    assert len(server_.requests) == 1


async def test_2_a_client_id_echoed_by_a_redirect_is_dropped() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        if "/there" in request.url.path:
            return document()
        return httpx.Response(302, headers={"location": f"/v4/there?{request.url.query.decode()}&x=1"})

    client, server_ = vendor_client(respond)
    async with client:
        root = await account_of(client).root()
    assert root.url == f"{ENTRY}/there?x=1"
    assert "app-id" not in json.dumps(root.dump())
    assert [request.url.query.count(b"app-id") for request in server_.requests] == [1, 1]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_2_a_token_request_is_not_redirected(status: int) -> None:
    client, server_ = vendor_client(lambda _: httpx.Response(status, headers={"location": "https://evil.test/token"}))
    async with client:
        with pytest.raises(StellantisError):
            await account_of(client, Token("", "r3fresh")).root()
    assert server_.hosts == {"id.test"}


@pytest.mark.parametrize(("status", "place"), [(302, "/elsewhere"), (307, "https://evil.test/"), (308, "//evil.test/")])
async def test_2_a_write_is_not_redirected(status: int, place: str) -> None:
    """Not off the trusted origins, and not by a status that may turn it into a GET."""

    def respond(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(status, headers={"location": place})
        return document(self=ENTRY)

    client, server_ = hal_client(respond)
    async with client:
        with pytest.raises(StellantisError, match=r"is not redirected by a 302|nothing was sent to https://evil"):
            await (await client.root()).post(json={"secret": 1})
    assert [request.method for request in server_.requests] == ["GET", "POST"]


# ------------------------------------------------------------------------------------------------- 3. kept places


async def test_3_a_page_token_that_names_another_host_is_refused() -> None:
    client, server_ = hal_client(lambda _: document(items="/items"))
    token = PageToken(url="https://evil.test/items?pageToken=1", number=1).to_token()
    async with client:
        with pytest.raises(UntrustedOriginError):
            await anext(aiter(client.follow("items").pages(token=token)))
    assert server_.hosts == {"api.test"}


@pytest.mark.parametrize(
    "token", ["", "AA==", "bnVsbA==", "W10=", "e30=", "WzEsMiwzLDRd", "WzEsInUiLDEsIkEiXQ==", "é", "[" * 50_000, "\0"]
)
async def test_3_a_forged_page_token_is_a_value_error(token: str) -> None:
    client, _ = hal_client(lambda _: document(items="/items"))
    async with client:
        with pytest.raises(ValueError, match=r"^invalid page token: "):
            client.follow("items").pages(token=token)


@pytest.mark.parametrize("url", ["https://evil.test/v4", "https://api.test\r\n.evil.test/", "", "nonsense"])
async def test_3_a_dump_of_another_host_cannot_be_followed(url: str) -> None:
    """It can be read."""
    client, server_ = hal_client(lambda _: document(a="a"))
    async with client:
        stored = {**(await client.root()).dump(), "url": url}
        resource = client.resume(stored)
        assert resource.rels == ("a",)
        ways: list[Callable[[], Awaitable[object]]] = [
            resource.fetch,
            resource.refresh,
            resource.follow("a").resource,
            resource.put,
        ]
        for way in ways:
            with pytest.raises(UntrustedOriginError):
                await way()
    assert len(server_.requests) == 1


async def test_3_a_foreign_next_ends_pagination() -> None:
    """It can be resumed on the API's own origin only."""
    client, server_ = hal_client(lambda _: document({"_embedded": {"items": [{"id": 1}]}}, next="https://evil.test/2"))
    async with client:
        walk = aiter((await client.root()).items())
        assert (await anext(walk))["id"] == 1
        with pytest.raises(UntrustedOriginError):
            await anext(walk)
    assert server_.hosts == {"api.test"}


async def test_3_an_embedded_copy_with_a_foreign_self_is_not_fetched() -> None:
    """It is read where it is embedded."""
    copy = {"n": 1, "_links": {"self": {"href": "https://evil.test/copy"}}}
    client, server_ = hal_client(lambda _: document({"_embedded": {"copy": copy}}))
    async with client:
        found = await client.follow("copy")
        assert found["n"] == 1
        with pytest.raises(UntrustedOriginError):
            await found.fetch()
    assert len(server_.requests) == 1


async def test_3_an_embedded_copy_does_not_replace_another_link() -> None:
    copy = {"forged": True, "_links": {"self": {"href": "/other"}}}
    client, server_ = hal_client(lambda _: document({"_embedded": {"car": copy}}, car="/car"))
    async with client:
        assert "forged" not in await client.follow("car")
    assert [request.url.path for request in server_.requests] == ["/v4", "/car"]


async def test_3_no_cookie_is_kept() -> None:
    client, server_ = hal_client(lambda _: httpx.Response(200, headers={"set-cookie": "id=1; Domain=test"}, json={}))
    async with client:
        root = await client.root()
        await root.fetch()
        assert "id=1" not in json.dumps(root.dump())
    assert not any(b"cookie" in head.lower() for head in server_.heads)


# ------------------------------------------------------------------------------------------------- 4. no links


async def test_4_addresses_that_are_no_links_are_not_fetched() -> None:
    evil = "https://evil.test/x"
    link = {"href": "/a", "deprecation": evil, "profile": evil, "type": evil}
    curies = [{"name": "ex", "href": "https://evil.test/{rel}", "templated": True}]
    client, server_ = hal_client(
        lambda _: document({"$schema": evil}, curies=curies, **{"ex:a": link, "profile": evil})
    )
    async with client:
        with pytest.warns(HalDeprecationWarning):
            found = await client.follow("a")
        assert found.docs_url("ex:a") == "https://evil.test/a"
        assert found.profile == evil
    assert server_.hosts == {"api.test"}


# ------------------------------------------------------------------------------------------------- 5. bodies


@pytest.mark.parametrize(
    "content",
    [
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"[" * 1_000_000,
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1}{"b": 2}',
        b"\xff\xfe{\x00}\x00",
        b"\x00" * 1_000,
    ],
    ids=["deep objects", "deep lists", "NaN", "infinity", "two", "utf-16", "zeros"],
)
async def test_5_an_unreadable_body_is_a_short_error_of_ours(content: bytes) -> None:
    client, _ = hal_client(lambda _: raw(content))
    async with client:
        with pytest.raises((NotHalError, TooManyValuesError)) as caught:
            await client.root()
    assert len(str(caught.value)) < 600
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("digits", [400, 4_400, 1_000_000])
async def test_5_a_number_of_any_length_is_one_unreadable_value(digits: int) -> None:
    client, _ = hal_client(lambda _: raw(b'{"id": "7", "distance": ' + b"9" * digits + b"}"))
    async with client:
        root = await client.root()
    assert root["id"] == "7"
    trip = TypedConverter().structure(root, Trip)
    assert (trip.id, trip.distance) == ("7", None)
    assert [problem.path for problem in trip.problems] == ["$.distance"]


@pytest.mark.parametrize(
    "content",
    [b'{"a":' * 100_000, b'{"code": ' + b"9" * 4_000 + b"}", b"<script>" * 100_000, b'{"message": "\\ud800"}'],
    ids=["deep", "digits", "scripts", "half"],
)
async def test_5_an_error_body_may_be_anything_too(content: bytes) -> None:
    client, _ = hal_client(lambda _: raw(content, status=400))
    async with client:
        with pytest.raises(StellantisError) as caught:
            await client.root()
    assert len(str(caught.value)) < 600
    assert str(caught.value).isprintable()


async def test_5_odd_values_spoil_no_other_value() -> None:
    content = b'{"id": "half \\ud83d", "distance": 1e400, "startMileage": 12, "distance2": -1e400, "id2": 1, "id2": 2}'
    client, _ = hal_client(lambda _: raw(content))
    async with client:
        trip = read((await client.root()).document.body, Trip)
    assert (trip.distance, trip.start_mileage, trip.extra["id2"]) == (None, 12.0, 2)
    assert [problem.path for problem in trip.problems] == ["$.distance"]


async def test_5_a_body_is_bounded_with_any_content_length() -> None:
    async def zeros() -> AsyncIterator[bytes]:
        while True:
            yield piece

    piece = bytes(1 << 20)
    stream = Stream(zeros())
    client, server_ = hal_client(lambda _: httpx.Response(200, headers={"content-length": "2"}, stream=stream))
    async with client:
        with pytest.raises(BodyTooLargeError):
            await client.root()
    assert stream.taken == 9
    assert stream.closed
    assert len(server_.requests) == 1


# ------------------------------------------------------------------------------------------------- 6. codings


def packed(content: bytes, coding: str) -> httpx.Response:
    """An answer that says how it is compressed; httpx unfolds what it is given whole."""

    async def pieces() -> AsyncIterator[bytes]:
        yield content

    return httpx.Response(200, headers={"content-encoding": coding}, stream=Stream(pieces()))


@pytest.mark.long
async def test_6_a_decompression_bomb_is_refused_before_it_expands() -> None:
    bomb = gzip.compress(bytes(1 << 20)) * 10_000  # 10 GiB
    client, _ = hal_client(lambda _: packed(bomb, "gzip"))
    async with client:
        with pytest.raises(BodyTooLargeError):
            await client.root()


async def test_6_endless_empty_gzip_members_are_refused() -> None:
    async def nothing() -> AsyncIterator[bytes]:
        while True:
            yield piece

    piece = gzip.compress(b"", mtime=0) * 1_000
    stream = Stream(nothing())
    endless = ScriptedTransport(lambda _: httpx.Response(200, headers={"content-encoding": "gzip"}, stream=stream))
    async with Session(Origins(ENTRY), transport=endless, max_body=100_000) as session:
        with pytest.raises(BodyTooLargeError):
            await session.pipeline()(Request(url=ENTRY))
    assert stream.taken * len(piece) < 250_000


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "gzip" + ", gzip" * 1_000, "x\x1b[2J"])
async def test_6_a_coding_that_was_not_asked_for_is_refused(coding: str) -> None:
    client, server_ = hal_client(lambda _: packed(b"x", coding))
    async with client:
        with pytest.raises(NetworkError, match="not asked for") as caught:
            await client.root()
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()
    assert b"accept-encoding: gzip, deflate" in server_.heads[0].lower()


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_6_a_damaged_body_is_an_error_of_ours(coding: str) -> None:
    client, _ = hal_client(lambda _: packed(b"\x1f\x8b\x08" + b"garbage" * 10, coding))
    async with client:
        with pytest.raises(NetworkError, match="broke off"):
            await client.root()


# ------------------------------------------------------------------------------------------------- 7. many


@pytest.mark.unmeasured
@pytest.mark.parametrize("count", [20_000, deep(200_000)])
@pytest.mark.long
async def test_7_very_many_links_make_an_ordinary_document(count: int) -> None:
    links = {f"relation{at}": {"href": f"/{at}"} for at in range(count)}
    client, server_ = hal_client(lambda _: document(**links))
    async with client:
        await client.follow(f"relation{count - 1}")
        with pytest.raises(LinkNotFoundError) as caught:
            await client.follow("relation")
        assert len(repr(await client.root())) < 500
    assert len(str(caught.value)) < 1_000
    assert [request.url.path for request in server_.requests].count(f"/{count - 1}") == 1


@pytest.mark.unmeasured
@pytest.mark.parametrize("count", [10_000, deep(100_000)])
async def test_7_many_links_and_curies_make_a_short_error(count: int) -> None:
    many = [{"href": f"/{at}", "name": f"n{at}\n"} for at in range(count)]
    curies = [{"name": f"c{at}", "href": "{rel}" * 50, "templated": True} for at in range(count)]
    client, _ = hal_client(lambda _: document(many=many, curies=curies))
    async with client:
        choices: tuple[FollowOptions, ...] = ({}, {"name": "none"}, {"index": count})
        for options in choices:
            with pytest.raises(HalError) as caught:
                await client.follow("many", **options)
            assert len(str(caught.value)) < 1_500
            assert str(caught.value).isprintable()


@pytest.mark.unmeasured
@pytest.mark.parametrize("count", [5_000, deep(50_000)])
def test_7_many_unknown_members_and_problems_are_bounded(count: int) -> None:
    """They are kept with their value, and not remembered by the client."""
    body = {"faults": [{"fault": f"New{at}"} for at in range(count)], "segments": [5] * count}
    trip = read(body, Trip)
    assert len(trip.faults) == len(trip.problems) == count
    assert repr(trip.extra) == "Extra()"


# ------------------------------------------------------------------------------------------------- 8. patterns


@pytest.mark.parametrize("template", ["{" * 200_000, "{?a}" * 200_000, "{a:" + "9" * 10_000 + "}", "{\n}", "\ud800{a}"])
async def test_8_a_template_of_quadratic_time_is_refused(template: str) -> None:
    client, server_ = hal_client(
        lambda _: raw(json.dumps({"_links": {"t": {"href": template, "templated": True}}}).encode())
    )
    async with client:
        with pytest.raises((TemplateError, TooManyValuesError)) as caught:
            await client.follow("t", variables={"a": 1})
    assert len(str(caught.value)) < 25_000
    assert str(caught.value).isprintable()
    assert len(server_.requests) == 1


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "seed", ["1", "P1", "PT1.", "9D", "2020-01-01T00:00:00.", " ", "(", "Mon, ", "1,", "-", "=a", "%4", "\\"]
)
@pytest.mark.parametrize(
    "reader",
    [
        read_duration,
        read_instant,
        mask_text,
        mask_url,
        partial(parse_retry_after, now=datetime(2026, 1, 1, tzinfo=UTC)),
    ],
    ids=["duration", "instant", "text", "url", "retry-after"],
)
def test_8_patterns_take_linear_time(reader: Callable[[str], Any], seed: str) -> None:
    # Quadratic time would take hours here, so no clock is needed.
    for text in (seed * 200_000, "P" + seed * 200_000, seed * 200_000 + "Z"):
        try:
            assert reader(text) is not None
        except ValueError as error:
            assert len(str(error)) < 200  # noqa: PT017 - most of these are no duration; that is an answer, too


# ------------------------------------------------------------------------------------------------- 9. injection

LINES = ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\r\n\r\nGET /evil HTTP/1.1", "a\0b"]
STRANGE_IDS = [
    *LINES,
    "a/../../evil",
    "..%2f..%2fevil",
    "a?client_id=evil",
    "a#b",
    "a;b",
    "a b",
    "é",
    "%0d%0aX-Evil: 1",
]


@pytest.mark.unmeasured
@pytest.mark.parametrize("id_", STRANGE_IDS)
async def test_9_an_id_stays_one_segment_of_the_path(id_: str) -> None:
    client, server_ = vendor_client(lambda _: document({"id": "1"}, vehicles="/v4/vehicles"))
    async with client:
        await account_of(client).vehicle(id_)
    _, last = server_.heads
    assert last.split(b"\n")[0].count(b"/") == 3
    assert last.startswith(b"GET /v4/vehicles/")
    assert last.count(b"client_id=") == 1
    assert not any(line.startswith((b"X-Evil", b"GET /evil")) for line in last.split(b"\n")[1:])


@pytest.mark.parametrize("id_", ["", ".", "..", "\ud800"])
async def test_9_an_id_that_cannot_be_a_segment_is_refused(id_: str) -> None:
    client, server_ = vendor_client(lambda _: document(vehicles="/v4/vehicles"))
    async with client:
        with pytest.raises(ValueError, match=r"must name one resource|surrogates"):
            await account_of(client).vehicle(id_)
    assert len(server_.requests) == 1


@pytest.mark.unmeasured
@pytest.mark.parametrize("value", [*STRANGE_IDS, "1&client_id=evil"])
async def test_9_a_parameter_stays_one_parameter(value: str) -> None:
    client, server_ = vendor_client(lambda _: document(vehicles="/v4/vehicles"))
    async with client:
        account = account_of(client)
        await account.follow("vehicles", params={"locale": value, value: "1"})
    query = server_.requests[-1].url.query
    assert query.count(b"&") == 2
    assert query.count(b"client_id=") == 1
    assert not any(sign in query for sign in b"\r\n\0#")


@pytest.mark.parametrize("text", [*LINES, "", "a b", "é"])
def test_9_client_id_and_realm_are_checked_at_once(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Application(text)
    assert str(caught.value).isprintable()
    client, server_ = vendor_client(lambda _: document())
    with pytest.raises(ConfigurationError):
        account_of(client, realm=text)
    with pytest.raises(ConfigurationError):
        client.enrolment(brand=Brand.DS, realm=text)
    assert server_.requests == []


@pytest.mark.parametrize("text", [*LINES, "a b", "é", "\ud800"])
async def test_9_a_token_with_line_breaks_is_not_sent(text: str) -> None:
    client, server_ = vendor_client(lambda _: document())
    async with client:
        with pytest.raises(ConfigurationError) as caught:
            await account_of(client, Token(text)).root()
    assert text not in str(caught.value)
    assert server_.requests == []


@pytest.mark.parametrize("text", [*LINES, "a b", "\ud800"])
async def test_9_a_renewed_token_with_line_breaks_is_not_sent(text: str) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        body = {"access_token": text, "refresh_token": text, "scope": text, "expires_in": 1e308}
        return raw(json.dumps(body).encode(), content_type="application/json")

    client, server_ = vendor_client(respond)
    async with client:
        account = account_of(client, Token("", "r3fresh"))
        for _ in range(2):
            with pytest.raises(StellantisError):
                await account.root()
    assert server_.hosts == {"id.test"}


@pytest.mark.parametrize("text", [*LINES, "é", "x" * 1_000])
async def test_9_a_media_type_with_line_breaks_is_not_sent(text: str) -> None:
    client, server_ = hal_client(lambda _: document(a={"href": "/a", "type": text}))
    async with client:
        await client.follow("a")
        await client.follow("a", accept=text)
    for request in server_.requests:
        assert request.headers["accept"].startswith("application/prs.hal-forms+json, application/hal+json")
    assert not any(b"X-Evil: 1" in head.split(b"\n") for head in server_.heads)


@pytest.mark.parametrize("text", [*LINES, "é", "x" * 2_000])
async def test_9_an_etag_with_line_breaks_is_not_sent(text: str) -> None:
    client, server_ = hal_client(lambda _: document(self=ENTRY))
    async with client:
        stored = {**(await client.root()).dump(), "headers": {"etag": text, "last-modified": text}}
        here = client.resume(stored)
        await here.refresh()
        with pytest.raises(HalError, match="ETag"):
            await here.put(json={}, if_match=True)
    assert not any(b"If-" in head for head in server_.heads)
    assert len(server_.requests) == 2


# ------------------------------------------------------------------------------------------------- 10. logs

SHOUT = "x\r\nERROR root: all is lost\x1b[2J\x9b1m\u202e\u2028\x00\ud83d"


def shouting(request: httpx.Request) -> httpx.Response:
    """Shout wherever a server can."""
    if request.url.host == "id.test":
        body: dict[str, Any] = {"error": "server_error", "error_description": SHOUT}
        return raw(json.dumps(body).encode(), status=500)
    if request.url.path.endswith("/page"):
        return raw(b"<html>" + SHOUT.encode("utf-8", "replace"), content_type="text/html")
    if request.url.path.endswith("/moved"):
        return httpx.Response(302, headers=[(b"location", b"//evil.test/\x1b[2J\x9b")])
    if request.url.path.endswith(("/refused", "/gateway")):
        words = "Not registered to plan " if request.url.path.endswith("/gateway") else ""
        body = {"code": SHOUT, "message": words + SHOUT, "uuid": SHOUT, "moreInformation": words + SHOUT}
        return raw(json.dumps(body).encode(), status=403, x_global_transaction_id="x\x1b[2J")
    links: dict[str, Any] = {
        "page": "/v4/page",
        "moved": "/v4/moved",
        "refused": "/v4/refused",
        "gateway": "/v4/gateway",
        "old": {"href": "/v4/user", "deprecation": SHOUT},
        "away": "//evil.test/" + SHOUT,
        "template": {"href": "{" + SHOUT, "templated": True},
        "several": [{"href": "/1", "name": SHOUT}, {"href": "/2"}],
        SHOUT: "/",
    }
    body = {"_links": links, "_embedded": {SHOUT: [{}], "b": []}, SHOUT: 1, "distance": SHOUT}
    return raw(json.dumps(body).encode())


@pytest.mark.filterwarnings("ignore::stellantis_hal.HalDeprecationWarning")
async def test_10_no_response_writes_control_characters_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    clock = [datetime(2026, 1, 1, tzinfo=UTC)]
    client, _ = vendor_client(shouting, clock=lambda: clock[0])
    texts: list[str] = []
    with caplog.at_level(logging.DEBUG, "stellantis_hal"):
        async with client:
            soon = datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)
            account = account_of(client, Token("acc3ss", "r3fresh", soon), key="k\r\ney")
            root = await account.root()
            await root.follow("old")
            for rel in ("page", "moved", "refused", "gateway", "away", "template", "several", "none"):
                with pytest.raises(StellantisError) as caught:
                    await root.follow(rel)
                texts.append(str(caught.value))
            with pytest.raises(StellantisError) as caught:
                await root.items().collect()
            texts += [str(caught.value), repr(root), repr(root.document), repr(root.state), repr(root.headers)]
            trip = read(root.document.body, Trip)
            texts += [repr(trip.extra), *map(repr, trip.problems), repr(account.follow("a"))]
    messages = [record.getMessage() for record in caplog.records]
    assert any("was not renewed" in message for message in messages)
    assert any("deprecated" in message for message in messages)
    assert [text for text in (*texts, *messages) if not text.isprintable()] == []


# ------------------------------------------------------------------------------------------------- 11. secrets

SECRETS = ("acc3ss-t0ken", "r3fresh-t0ken", "app-s3cret", "n3w-acc3ss", "n3w-r3fresh")


async def test_11_no_secret_is_printed_logged_or_kept(caplog: pytest.LogCaptureFixture) -> None:
    responses = iter([200, 401, 403, 500, 418])

    def respond(request: httpx.Request) -> httpx.Response:
        echoed = request.headers.get("authorization", "") + " " + request.content.decode()
        if request.url.host == "id.test":
            return httpx.Response(200, json={"access_token": SECRETS[3], "refresh_token": SECRETS[4]})
        status = next(responses, 503)
        return (
            document() if status == 200 else httpx.Response(status, json={"message": echoed, "moreInformation": echoed})
        )

    client, server_ = vendor_client(respond)
    shown: list[str] = []
    with caplog.at_level(logging.DEBUG):
        async with client:
            account = account_of(client, Token(SECRETS[0], SECRETS[1]))
            root = await account.root()
            shown += [repr(root), json.dumps(root.dump()), repr(pickle.dumps(root))]
            for _ in range(5):
                with pytest.raises(StellantisError) as caught:
                    await root.fetch()
                again = pickle.loads(pickle.dumps(caught.value))
                shown += [str(again), repr(again), repr(vars(again)), tell_apart(caught.value)]
            shown += [repr(client), repr(account), repr(account._credentials), repr(client._application)]
    assert len(server_.requests) > 6
    shown += [record.getMessage() for record in caplog.records] + [caplog.text]
    assert not [secret for secret in SECRETS for text in shown if secret in text]


# ------------------------------------------------------------------------------------------------- 12. no end


async def test_12_endless_redirects_are_bounded() -> None:
    client, server_ = hal_client(lambda request: httpx.Response(302, headers={"location": f"{request.url.path}/more"}))
    async with client:
        with pytest.raises(TooManyRedirectsError):
            await client.root()
    assert len(server_.requests) == 6


@pytest.mark.long
@pytest.mark.unmeasured
async def test_12_endless_pages_are_held_one_at_a_time() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params.get("page", "0"))
        return document({"_embedded": {"items": [{"id": number}]}}, next=f"?page={number + 1}")

    client, server_ = hal_client(respond)
    alive: set[weakref.ref[HalResource]] = set()
    most = 0
    async with client:
        async for page in (await client.root()).pages():
            assert page.resource is not None
            alive = {weakref.ref(page.resource)} | {each for each in alive if each() is not None}
            most = max(most, len(alive))
            if page.number == 500:
                break
        assert len(server_.requests) == 500
        assert most <= 3
        assert len(await (await client.root()).items().collect(limit=25)) == 25
    assert len(server_.requests) == 524


@pytest.mark.unmeasured
async def test_12_endless_empty_pages_stay_within_the_rate_limit() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        return document(next=f"?page={len(server_.requests)}")

    limiter = TokenBucketLimiter(RateLimits(per_second=2, per_day=1_000))
    client, server_ = hal_client(respond, limiter=limiter)
    async with client:
        root = await client.root()
        with pytest.raises(BudgetExhaustedError), anyio.fail_after(30):
            await root.items().first()
    assert len(server_.requests) < 70
    assert limiter.statistics.in_flight == 0


async def test_12_endless_401_causes_few_renewals() -> None:
    """One for each call, and eight a minute."""

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.host == "id.test":
            return httpx.Response(200, json={"access_token": f"t{len(server_.requests)}", "refresh_token": "r"})
        return httpx.Response(401, json={"message": "no"})

    client, server_ = vendor_client(respond)
    async with client:
        account = account_of(client)
        for _ in range(20):
            with pytest.raises(UnauthorizedError):
                await account.root()
    renewals = sum(request.url.host == "id.test" for request in server_.requests)
    assert renewals == 8
    assert len(server_.requests) <= 40 + renewals


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "retry_after", ["9" * 400, "1e9", "inf", "nan", "-1", "0", "Mon, 01 Jan 9999 00:00:00 GMT", "", "x" * 5_000, "0.0"]
)
async def test_12_waits_are_bounded_and_not_too_short(retry_after: str) -> None:
    client, server_ = hal_client(lambda _: httpx.Response(429, headers={"retry-after": retry_after}), max_wait=60)
    start = anyio.current_time()
    async with client:
        with pytest.raises(RateLimitedError) as caught:
            await client.root()
    assert anyio.current_time() - start < 62
    assert caught.value.retry_after is None or 0 <= caught.value.retry_after <= 86_400 * 1.1
    assert len(server_.requests) < 40


@pytest.mark.parametrize("part", ["header", "body"])
async def test_12_a_slow_response_ends_in_time(part: str) -> None:
    async def drops() -> AsyncIterator[bytes]:
        while True:
            await anyio.sleep(5)
            yield b" "

    async def respond(request: httpx.Request) -> httpx.Response:
        if part == "header":
            await anyio.sleep(math.inf)
        return httpx.Response(200, stream=Stream(drops()))

    client, _ = hal_client(respond, timeout=Timeouts(total=90))
    start = anyio.current_time()
    async with client:
        with pytest.raises(NetworkError, match="within 90 s"):
            await client.root()
        assert client.limiter.statistics.in_flight == 0
    assert 89 < anyio.current_time() - start < 95


# ------------------------------------------------------------------------------------------------- 13. the log-in


@pytest.mark.wall_clock
async def test_13_the_redirect_arrives_among_other_requests() -> None:
    async def say(words: bytes) -> bytes:
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(words)
            return await stream.receive()

    responses: list[bytes] = []
    address = ""
    async with listen("http://127.0.0.1:0/") as loopback, anyio.create_task_group() as tasks:
        port = int(loopback.redirect_uri.rpartition(":")[2].rstrip("/"))

        async def talk() -> None:
            silent = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(20)]
            for words in (
                b"GET /?code=1&state=forged HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
                b"GET /?code=1&state=ours HTTP/1.1\r\nHost: evil.test\r\n\r\n",
                b"GET /other?code=1&state=ours HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
                b"POST /?code=1&state=ours HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            ):
                responses.append(await say(words))  # noqa: PERF401 - one after the other
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                await say(b"GET /?" + b"a" * 100_000)
            responses.append(await say(b"GET /?code=1&state=ours HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"))
            for stream in silent:
                await stream.aclose()

        tasks.start_soon(talk)
        address = await loopback.receive(within=10, is_expected=lambda it: it.endswith("state=ours"))
    assert address == f"{loopback.redirect_uri}?code=1&state=ours"
    assert [respond.split()[1] for respond in responses] == [b"404"] * 4 + [b"200"]
    assert not any(word in respond for respond in responses for word in (b"state", b"code=", b"forged"))


# ------------------------------------------------------------------------------------------------- 14. the simulator


def test_14_the_simulator_listens_on_loopback_by_default() -> None:
    simulator = Simulator(world())
    _, listening_ = server(simulator)
    with listening_:
        assert listening_.getsockname()[0] == "127.0.0.1"
    assert simulator.url.startswith("http://127.0.0.1:")


# ------------------------------------------------------------------------------------------------- 15. files


def modes(folder: Path) -> dict[str, int]:
    """The files of a folder, and who may do what with them."""
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


@pytest.mark.wall_clock
@pytest.mark.parametrize("key", ["../../evil", "/etc/passwd", "a\0b", "a\nb", "\ud800", "x" * 100_000, ""])
async def test_15_a_key_is_no_path(tmp_path: Path, key: str) -> None:
    store = FileTokenStore(tmp_path / "tokens")
    async with store.lock(key):
        await store.save(key, Token("acc3ss"))
        assert len(modes(tmp_path)) == 2
    assert await store.load(key) == Token("acc3ss")
    assert modes(tmp_path) == {"tokens": 0o600}


@pytest.mark.wall_clock
@pytest.mark.parametrize("trap", ["link", "rights", "edited"])
async def test_15_a_token_file_of_another_user_is_not_used(tmp_path: Path, trap: str) -> None:
    path = tmp_path / "tokens"
    await FileTokenStore(path).save("default", Token("acc3ss"))
    if trap == "link":
        os.rename(path, tmp_path / "elsewhere")
        os.symlink(tmp_path / "elsewhere", path)
    elif trap == "rights":
        os.chmod(path, 0o644)
    else:
        with open(path, "ab") as file:  # noqa: ASYNC230 - one line, in a test
            file.write(b" ")
    client, server_ = vendor_client(lambda _: document())
    async with client:
        with pytest.raises(TokenStoreError) as caught:
            await account_of(client, FileTokenStore(path)).root()
    assert server_.requests == []
    assert "acc3ss" not in tell_apart(caught.value)


@pytest.mark.wall_clock
async def test_15_the_limiters_file_is_not_written_through_a_symlink(tmp_path: Path) -> None:
    with open(tmp_path / "precious", "wb") as file:  # noqa: ASYNC230 - one line, in a test
        file.write(b"precious")
    os.symlink(tmp_path / "precious", tmp_path / "books")
    store = FileLimiterStore(tmp_path / "books")
    limiter = TokenBucketLimiter(RateLimits(per_second=10, per_day=100), store=store)
    client, _ = hal_client(lambda _: document(), limiter=limiter)
    async with limiter, client:
        await client.root()
    assert (await store.load() or b"").startswith(b'{"format"')
    assert os.lstat(tmp_path / "books").st_mode == 0o100600
    with open(tmp_path / "precious", "rb") as file:  # noqa: ASYNC230 - one line, in a test
        assert file.read() == b"precious"


@pytest.mark.unmeasured
@pytest.mark.wall_clock
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"format": 1, "saved": "x", "minutes": []}',
        b'{"format": 1, "saved": 1e400, "minutes": []}',
        b'{"format": 1, "saved": 0, "minutes": [[1e400, 1]]}',
        b'{"format": 1, "saved": 0, "minutes": 5}',
        b'{"format": "\\n\\u001b[2J", "saved": 0, "minutes": []}',
        b'{"format": 1, "saved": 0, "minutes": [[99999999999, 99999999999999999999]]}',
    ],
)
async def test_15_a_forged_limiter_file_blocks_no_request(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with open(tmp_path / "books", "wb") as file:  # noqa: ASYNC230 - one line, in a test
        file.write(content)
    limiter = TokenBucketLimiter(RateLimits(per_second=10, per_day=100), store=FileLimiterStore(tmp_path / "books"))
    client, server_ = hal_client(lambda _: document(), limiter=limiter, max_wait=5)
    async with limiter, client:
        await client.root()
    assert len(server_.requests) == 1
    assert all(record.getMessage().isprintable() for record in caplog.records)
