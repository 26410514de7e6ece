"""Redirects."""

import contextlib
from collections.abc import AsyncIterator

import anyio
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stellantis_hal.errors import (
    ApiError,
    StellantisError,
    TooManyRedirectsError,
    UntrustedOriginError,
)
from stellantis_hal.navigation.fetch_protocol import Request
from stellantis_hal.navigation.streamed_request_bodies import to_stream
from tests.transport.doubles import API, OK, Badge, call, get, redirect_to, session

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_of_a_get_is_followed_with_credentials(status: int, method: str) -> None:
    opened, transport = session(redirect_to("../v4/me?x=%2F#part", status), OK)
    async with opened:
        response = await get(opened.pipeline(credentials=Badge()), "/v3/user", method=method)
    assert transport.requests[1].url.raw_path == b"/v4/me?x=%2F&client_id=app"
    assert transport.requests[1].headers["authorization"] == "Bearer token-1"
    assert response.url == f"{API}/v4/me?x=%2F"


@pytest.mark.parametrize(
    ("echo", "plain"),
    [("/me?client_id=app", "/me"), ("/me?client_id=app&a=1", "/me?a=1"), ("/me?a=1&client_id=app", "/me?a=1")],
)
async def test_an_echoed_client_id_is_removed_from_the_url(echo: str, plain: str) -> None:
    opened, _ = session(redirect_to(echo), OK)
    async with opened:
        assert (await get(opened.pipeline(credentials=Badge()))).url == f"{API}{plain}"


@pytest.mark.parametrize(
    "target", ["https://evil.test/", "//evil.test/", "http://api.test/user", "https://a@api.test/"]
)
async def test_a_redirect_to_another_origin_is_not_followed(target: str) -> None:
    """It is refused before a byte is sent there."""
    opened, transport = session(redirect_to(target), OK)
    async with opened:
        with pytest.raises(UntrustedOriginError):
            await get(opened.pipeline(credentials=Badge()))
    assert len(transport.requests) == 1


async def test_a_redirect_out_of_tls_is_not_followed() -> None:
    """Not even to a trusted origin."""
    opened, transport = session(redirect_to("http://api.test/user"), OK, trusted=[API, "http://api.test"])
    async with opened:
        with pytest.raises(UntrustedOriginError):
            await get(opened.pipeline())
    assert len(transport.requests) == 1


async def test_redirects_are_bounded() -> None:
    opened, transport = session(
        redirect_to("/a"), redirect_to("/b"), redirect_to("/c"), redirect_to("/d"), max_redirects=3
    )
    async with opened:
        with pytest.raises(TooManyRedirectsError) as failure:
            await get(opened.pipeline())
    assert len(transport.requests) == 4
    assert str(failure.value) == f"GET {API}/user: more than 3 redirects, the next one to {API}/d"
    assert (failure.value.url, failure.value.sent, failure.value.is_transient) == (f"{API}/d", True, False)


WRITES = ["POST", "PUT", "PATCH", "DELETE"]


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize("status", [307, 308])
async def test_a_write_is_redirected_with_its_body(status: int, method: str) -> None:
    """Method, body and header fields stay; credentials are added anew at each hop."""
    opened, transport = session(redirect_to("/v2/orders", status), redirect_to("/v3/orders", status), OK)
    async with opened:
        request = Request(url=f"{API}/orders", method=method, headers={"Content-Type": "a/b", "X": "1"}, content=b"ab")
        response = await opened.pipeline(credentials=Badge())(request)
    assert response.url == f"{API}/v3/orders"
    assert [(sent.method, sent.url.path, sent.content) for sent in transport.requests] == [
        (method, path, b"ab") for path in ("/orders", "/v2/orders", "/v3/orders")
    ]
    for sent in transport.requests:
        assert (sent.headers["content-type"], sent.headers["x"]) == ("a/b", "1")
        assert sent.headers["authorization"] == "Bearer token-1"
        assert sent.url.query == b"client_id=app"


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize("status", [301, 302])
async def test_a_write_is_not_turned_into_a_get(status: int, method: str) -> None:
    opened, transport = session(redirect_to("/v2/orders", status), OK)
    async with opened:
        with pytest.raises(ApiError, match=rf"A {method} is not redirected by a {status}.* send it to {API}/v2/orders"):
            await get(opened.pipeline(), "/orders", method=method)
    assert len(transport.requests) == 1


@pytest.mark.parametrize(
    "target", ["https://evil.test/", "//evil.test/x", "http://api.test/user", "https://a@api.test/"]
)
async def test_a_write_is_not_redirected_to_another_origin(target: str) -> None:
    opened, transport = session(redirect_to(target, 307), OK)
    async with opened:
        with pytest.raises(UntrustedOriginError):
            await get(opened.pipeline(credentials=Badge()), method="POST", content=b"secret")
    assert len(transport.requests) == 1


async def test_redirects_of_writes_are_bounded() -> None:
    opened, transport = session(redirect_to("/orders", 307), max_redirects=3)
    async with opened:
        with pytest.raises(TooManyRedirectsError):
            await get(opened.pipeline(), "/orders", method="POST", content=b"")
    assert len(transport.requests) == 4


async def test_a_body_read_once_is_not_redirected() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"ab"

    async def read(request: httpx.Request) -> httpx.Response:
        await request.aread()
        return redirect_to("/v2", 307)

    opened, transport = session(read, OK)
    async with opened:
        with pytest.raises(ApiError, match="Its body was read once and cannot be read again"):
            await get(opened.pipeline(), method="POST", content=to_stream(chunks(), "content"))
    assert len(transport.requests) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("trusted", [(API,), (API, "http://api.test")])
async def test_a_redirect_out_of_tls_of_the_same_host_is_explained(method: str, trusted: tuple[str, ...]) -> None:
    """Frameworks behind a TLS proxy build such URLs for a slash that is missing."""
    opened, transport = session(redirect_to("http://api.test/items/", 307), OK, trusted=trusted)
    async with opened:
        with pytest.raises(UntrustedOriginError) as failure:
            await get(opened.pipeline(), "/items", method=method)
    text = str(failure.value)
    assert "it leads from https to http of the same host, as servers do that do not know of the TLS proxy" in text
    assert f"Send the request to {API}/items/, or have the server trust X-Forwarded-Proto" in text
    assert len(transport.requests) == 1


async def test_a_redirect_out_of_tls_of_another_host_is_not_explained() -> None:
    opened, _ = session(redirect_to("http://other.test/items/"), OK, trusted=[API, "http://other.test"])
    async with opened:
        with pytest.raises(UntrustedOriginError, match=r"it leads from https to http$"):
            await get(opened.pipeline())


async def test_a_303_after_a_write_is_returned() -> None:
    opened, transport = session(redirect_to("/status", 303))
    async with opened:
        response = await get(opened.pipeline(), method="POST")
    assert response.headers["location"] == "/status"
    assert len(transport.requests) == 1


@pytest.mark.unmeasured
@settings(max_examples=40)
@given(
    st.lists(
        st.sampled_from(["", "/a", "b?c=1", "//evil.test", "https://evil.test/", "http://api.test/", "https:api.test"])
        | st.sampled_from(["https://api.test@evil.test/", "https://api.test\\@evil.test", f"{API}:1/", "\t//evil.test"])
        | st.text(alphabet="htps:/\\.@#? evil\tapi", max_size=20),
        max_size=5,
    )
)
def test_no_redirects_take_credentials_to_a_foreign_origin(targets: list[str]) -> None:
    """Credentials never reach another origin, for any sequence of redirects."""

    async def main() -> None:
        moves = [httpx.Response(302, headers=[(b"Location", target.encode())]) for target in targets]
        opened, transport = session(*moves, OK)
        async with opened:
            with contextlib.suppress(StellantisError):
                await get(opened.pipeline(credentials=Badge()))
        for request in transport.requests:
            assert (request.url.scheme, request.url.host, request.url.port) == ("https", "api.test", None)

    anyio.run(main)


async def test_five_redirects_are_followed_by_default() -> None:
    opened, transport = session(redirect_to("/user"))
    async with opened:
        with pytest.raises(TooManyRedirectsError) as failure:
            await get(opened.pipeline())
    assert len(transport.requests) == 1 + 5
    assert failure.value.sent


async def test_a_location_of_a_200_is_not_followed() -> None:
    assert (await call(httpx.Response(200, headers={"Location": "/other"}))).url == f"{API}/user"


async def test_a_redirect_to_a_url_beyond_ascii_is_followed() -> None:
    abroad = httpx.Response(302, headers=[(b"Location", "/caf\u00e9".encode())])
    opened, transport = session(abroad, OK)
    async with opened:
        await get(opened.pipeline())
    assert str(transport.requests[1].url) == f"{API}/caf%C3%A9"


@pytest.mark.parametrize("status", [200, 201, 300, 304, 305, 306, 404])
async def test_the_location_of_another_status_is_not_followed(status: int) -> None:
    """Not before a redirect, and not at its end."""
    end = httpx.Response(status, headers={"Location": "/c"}, json={})
    for acts in ([end], [redirect_to("/b"), end]):
        opened, transport = session(*acts, OK)
        async with opened:
            with contextlib.suppress(ApiError):
                assert (await get(opened.pipeline())).status == status
        assert len(transport.requests) == len(acts)
