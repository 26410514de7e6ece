"""Credentials: trusted origins, the client id, renewal."""

from collections.abc import Mapping

import httpx
import pytest

from stellantis_hal.errors import (
    ConfigurationError,
    UnauthorizedError,
    UntrustedOriginError,
)
from stellantis_hal.navigation.fetch_protocol import Request
from stellantis_hal.navigation.origins import Origins
from tests.transport.doubles import API, OK, Badge, get, session

pytestmark = pytest.mark.anyio


async def test_credentials_are_sent_to_the_api() -> None:
    opened, transport = session(OK)
    async with opened:
        response = await get(opened.pipeline(credentials=Badge()), "/user?a=1")
    request = transport.requests[0]
    assert request.headers["authorization"] == "Bearer token-1"
    assert str(request.url) == f"{API}/user?a=1&client_id=app"
    assert response.url == f"{API}/user?a=1"


async def test_credentials_replace_fields_of_another_case() -> None:
    class Named(Badge):
        async def headers(self) -> Mapping[str, str]:
            return {"X-KEY": "credentials", "x-Other": "credentials"}

    opened, transport = session(OK)
    async with opened:
        await opened.pipeline(credentials=Named())(Request(url=f"{API}/user", headers={"x-key": "request", "X-A": "a"}))
    headers = transport.requests[0].headers
    assert headers.get_list("x-key") == ["credentials"]
    assert (headers["x-other"], headers["x-a"]) == ("credentials", "a")


async def test_a_request_replaces_the_default_fields() -> None:
    opened, transport = session(OK)
    names = ("Accept", "ACCEPT-ENCODING", "User-agent")
    async with opened:
        await get(opened.pipeline(), headers=dict.fromkeys(names, "x"))
    assert [transport.requests[0].headers.get_list(name) for name in names] == [["x"]] * 3


async def test_the_client_id_is_never_sent_twice() -> None:
    opened, transport = session(OK)
    async with opened:
        await get(opened.pipeline(credentials=Badge("client_id=app&x=1")), "/user?client_id=app#top")
    assert transport.requests[0].url.query == b"client_id=app&x=1"


@pytest.mark.parametrize("query", ["a=1&a=2&t=x%3D%3D", "t=ab==&u=%2F%2f", "p=%2B+%20", "k=%7e~%41"])
async def test_a_query_is_kept_byte_for_byte(query: str) -> None:
    opened, transport = session(OK)
    async with opened:
        await get(opened.pipeline(credentials=Badge()), f"/user?{query}")
    assert transport.requests[0].url.query == f"{query}&client_id=app".encode()


@pytest.mark.parametrize(
    "url", ["https://other.test/", "http://api.test/", f"{API}:8443/", "https://u@api.test/", "//x"]
)
async def test_nothing_is_sent_to_an_untrusted_origin(url: str) -> None:
    opened, transport = session(OK)
    async with opened:
        with pytest.raises(UntrustedOriginError):
            await opened.pipeline(credentials=Badge())(Request(url=url))
    assert transport.requests == []


async def test_a_pipeline_may_have_its_own_origins() -> None:
    opened, transport = session(OK)
    async with opened:
        pipeline = opened.pipeline(origins=Origins("https://id.test"), limited=False)
        await pipeline(Request(url="https://id.test/token"))
        with pytest.raises(UntrustedOriginError):
            await get(pipeline)
    assert len(transport.requests) == 1


async def test_a_refused_token_is_renewed_once() -> None:
    badge = Badge(renewals=1)
    opened, transport = session(httpx.Response(401), OK)
    async with opened:
        await get(opened.pipeline(credentials=badge))
    assert [request.headers["authorization"] for request in transport.requests] == ["Bearer token-1", "Bearer token-2"]
    response, sent = badge.refusals[0]
    assert response.status == 401
    assert sent == {"Authorization": "Bearer token-1"}


async def test_a_token_refused_twice_raises() -> None:
    badge = Badge(renewals=5)
    opened, transport = session(httpx.Response(401))
    async with opened:
        with pytest.raises(UnauthorizedError):
            await get(opened.pipeline(credentials=badge))
    assert len(transport.requests) == 2
    assert len(badge.refusals) == 1


async def test_a_token_that_cannot_be_renewed_raises() -> None:
    opened, transport = session(httpx.Response(401))
    async with opened:
        with pytest.raises(UnauthorizedError):
            await get(opened.pipeline())
    assert len(transport.requests) == 1


async def test_a_configuration_error_is_not_retried() -> None:
    badge = Badge(renewals=5)
    body = {"httpCode": "401", "httpMessage": "Unauthorized", "moreInformation": "Invalid client id or secret."}
    opened, transport = session(httpx.Response(401, json=body))
    async with opened:
        with pytest.raises(ConfigurationError):
            await get(opened.pipeline(credentials=badge))
    assert len(transport.requests) == 1
    assert badge.refusals == []
