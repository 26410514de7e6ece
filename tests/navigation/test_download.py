"""Downloads of resources, chains and clients: targets, media types, text."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest

from stellantis_hal import HalClient, HalDeprecationWarning, MemoryCache
from stellantis_hal.errors import (
    AmbiguousLinkError,
    HalError,
    InvalidLinkError,
    LinkNotFoundError,
    NetworkError,
    NotFoundError,
)
from stellantis_hal.navigation.download import Download
from stellantis_hal.navigation.typed_rel import Rel
from tests.navigation.site import HOME, Site
from tests.support.responses import link, links

pytestmark = pytest.mark.anyio
URL = "https://api.example/"
ROOT = {
    "_links": {
        "self": link("/"),
        "avatar": link("/a.png{?s}", type="image/png", templated=True),
        "pages": [link("/p/1", name="one"), link("/p/2", name="two")],
        "old": link("/old", deprecation="https://docs.example/old"),
        "next": link("/next"),
    },
    "_embedded": {"copy": {"x": 1}},
    "picture": "https://pictures.test/1.png",
}


class Server:
    """Responds to each URL with its path, and records requests."""

    def __init__(self, content: bytes | None = None, content_type: str = "text/plain") -> None:
        self.requests: list[httpx.Request] = []
        self.content = content
        self.content_type = content_type

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path = request.url.raw_path.decode()
        if path in {"/", "/next"}:
            return httpx.Response(200, json=ROOT)
        if path == "/lost":
            return httpx.Response(404)
        content = f"{request.url}".encode() if self.content is None else self.content
        return httpx.Response(200, content=content, headers={"content-type": self.content_type})


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def hal(server: Server) -> AsyncIterator[HalClient]:
    async with HalClient(URL, transport=httpx.MockTransport(server), auth=httpx.BasicAuth("u", "p")) as client:
        yield client


async def text(opened: AbstractAsyncContextManager[Download]) -> str:
    async with opened as chunks:
        return await chunks.read_text()


@pytest.mark.parametrize(
    ("options", "url", "accept"),
    [
        ({"rel": "avatar"}, f"{URL}a.png", "image/png"),
        ({"rel": Rel("avatar", dict), "variables": {"s": 9}, "params": {"b": 1}}, f"{URL}a.png?s=9&b=1", "image/png"),
        ({"rel": "avatar", "accept": "image/webp"}, f"{URL}a.png", "image/webp"),
        ({"rel": "pages", "name": "two"}, f"{URL}p/2", "*/*"),
        ({"rel": "pages", "index": 0}, f"{URL}p/1", "*/*"),
        ({"url": "/x?y#z"}, f"{URL}x?y", "*/*"),
        ({"url": "x", "params": {"a": 1}}, f"{URL}x?a=1", "*/*"),
    ],
)
async def test_what_is_downloaded(hal: HalClient, server: Server, options: Any, url: str, accept: str) -> None:
    """B7: the type asked for beats the hint of the link."""
    assert await text((await hal.root()).download(**options)) == url
    request = server.requests[-1]
    assert (request.headers["accept"], "authorization" in request.headers) == (accept, True)


async def test_a_resource_itself_is_downloaded(hal: HalClient) -> None:
    async with (await hal.root()).download() as chunks:
        assert (await chunks.read())[:10] == b'{"_links":'
        assert repr(chunks) == f"<Download {URL} 200 application/json>"
        assert (chunks.url, chunks.status, chunks.media_type) == (URL, 200, "application/json")
        assert chunks.headers["content-type"] == "application/json"
        assert chunks.received_at.tzinfo is not None


async def test_a_body_in_pieces_is_joined() -> None:
    class Pieces(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for piece in (b"\xc3", b"\xa9t", b"", b"\xc3\xa9"):
                yield piece

    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Pieces()))
    async with HalClient(URL, transport=transport) as hal:
        async with hal.download("/a") as whole:
            assert repr(whole) == f"<Download {URL}a 200 of no media type>"
            assert await whole.read() == "été".encode()
            assert await whole.read() == b""
        async with hal.download("/a") as rest:
            assert await anext(rest) == b"\xc3"
            assert await rest.read() == "été".encode()[1:]
        assert await text(hal.download("/a")) == "été"


async def test_pictures_on_foreign_hosts(hal: HalClient, server: Server) -> None:
    root = await hal.root()
    for opened in (
        root.download(url=root["picture"], credentials=False, limit=100),
        hal.download(root["picture"], credentials=False, limit=100),
    ):
        assert await text(opened) == root["picture"]
        assert set(server.requests[-1].headers) <= {"host", "accept", "accept-encoding", "user-agent"}
    count = len(server.requests)
    with pytest.raises(HalError, match="not trusted"):
        await text(root.download(url=root["picture"]))
    assert len(server.requests) == count


@pytest.mark.parametrize("credentials", [True, False])
async def test_fields_of_the_client_are_for_its_own_hosts(server: Server, credentials: bool) -> None:
    """They may identify the caller; a cache is passed by."""
    transport = httpx.MockTransport(server)
    fields = {"X-Key": "secret"}
    async with HalClient(URL, transport=transport, headers=fields, cache=MemoryCache(1_000_000)) as hal:
        for _ in range(2):
            assert await text(hal.download("/t", credentials=credentials)) == f"{URL}t"
        await text(hal.download("/t", credentials=credentials, accept="text/y"))
    assert [request.headers["accept"] for request in server.requests] == ["*/*", "*/*", "text/y"]
    assert {request.headers.get("x-key") for request in server.requests} == {"secret" if credentials else None}


async def test_a_chain_is_downloaded(hal: HalClient, server: Server) -> None:
    step = hal.follow("next").follow("pages", name="one", params={"a": 1})
    assert await text(step.download()) == f"{URL}p/1?a=1"
    assert await text(hal.follow("avatar", accept="image/gif").download(credentials=False, limit=99)) == f"{URL}a.png"
    assert server.requests[-1].headers["accept"] == "image/gif"
    assert "authorization" not in server.requests[-1].headers


async def test_errors_of_a_chain_name_the_link(hal: HalClient) -> None:
    with pytest.raises(LinkNotFoundError) as caught:
        await text(hal.follow("next").follow("nope").download())
    assert any("step 2" in note for note in caught.value.__notes__)
    with pytest.raises(HalError, match="of the caller") as raised:
        async with hal.follow("avatar").download():
            raise HalError("of the caller")
    assert not hasattr(raised.value, "__notes__")


async def test_a_client_downloads_relative_urls(hal: HalClient) -> None:
    assert await text(hal.download("files/1#x")) == f"{URL}files/1"
    with pytest.raises(NotFoundError):
        await text(hal.download("/lost"))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"rel": "nope"}, LinkNotFoundError),
        ({"rel": "copy"}, LinkNotFoundError),
        ({"rel": "pages"}, AmbiguousLinkError),
        ({"rel": "avatar", "url": "/x"}, TypeError),
        ({"rel": "avatar", "limit": -1}, ValueError),
        ({"rel": "avatar", "limit": "1"}, TypeError),
        ({"rel": "avatar", "accept": "a\r\nb"}, ValueError),
    ],
)
async def test_mistakes_send_nothing(hal: HalClient, server: Server, options: Any, error: type[Exception]) -> None:
    root = await hal.root()
    with pytest.raises(error):
        await text(root.download(**options))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("content_range", "fault"),
    [
        ("bytes 0-2/3", None),
        ("Bytes 0-2/3", None),
        ("bytes 0-2/100", r"\(bytes 0-2/100\)"),
        ("bytes 1-3/4", r"\(bytes 1-3/4\)"),
        ("bytes 0-2/*", r"\(bytes 0-2/\*\)"),
        (None, "a part of the body, although"),
    ],
)
async def test_a_part_is_not_taken_for_the_whole(content_range: str | None, fault: str | None) -> None:
    """The bytes that are missing were missing without a word."""
    headers = {} if content_range is None else {"Content-Range": content_range}
    transport = httpx.MockTransport(lambda _: httpx.Response(206, content=b"abc", headers=headers))
    async with HalClient(URL, transport=transport) as client:
        if fault is None:
            assert await text(client.download("/a")) == "abc"
            return
        with pytest.raises(NetworkError, match=fault) as failure:
            await text(client.download("/a"))
    assert not failure.value.is_transient


async def test_a_deprecated_link_is_told(hal: HalClient) -> None:
    root = await hal.root()
    with pytest.warns(HalDeprecationWarning):
        await text(root.download("old"))


async def test_a_copy_without_self_cannot_be_downloaded(hal: HalClient) -> None:
    (copy,) = (await hal.root()).embedded("copy")
    with pytest.raises(InvalidLinkError):
        await text(copy.download())


async def test_a_fetch_that_cannot_stream_is_told() -> None:
    with pytest.raises(HalError, match="has no method stream"):
        await text(Site().resource({"_links": links(a=HOME)}).download("a"))


@pytest.mark.parametrize(
    ("content_type", "content", "charset", "expected"),
    [
        ("text/plain; charset=ISO-8859-1", "é".encode("latin-1"), "iso8859-1", "é"),
        ('text/plain; charset="utf-16"', "é".encode("utf-16"), "utf-16", "é"),
        ("text/plain", "\ufeffé".encode(), "utf-8", "é"),
        ("text/plain", b"a\xffb\xc3", "utf-8", "a\ufffdb\ufffd"),
        ("text/plain; charset=windows-1252", b"\x80", "cp1252", "€"),
        ("text/plain; charset=zip", b"a", "utf-8", "a"),
        ("text/plain; charset=unicode_escape", b"\\n", "utf-8", "\\n"),
        ("text/plain; charset=cp99999", b"a", "utf-8", "a"),
        ("", b"", "utf-8", ""),
    ],
)
async def test_text_has_the_stated_charset(content_type: str, content: bytes, charset: str, expected: str) -> None:
    """B8."""
    transport = httpx.MockTransport(Server(content, content_type))
    async with HalClient(URL, transport=transport) as hal, hal.download("/t") as chunks:
        assert (chunks.charset, await chunks.read_text()) == (charset, expected)


async def test_characters_are_joined_across_chunks() -> None:
    async def halves() -> AsyncGenerator[bytes]:
        for byte in "é€".encode():
            yield bytes([byte])

    respond: Callable[[httpx.Request], httpx.Response] = lambda _: httpx.Response(200, content=halves())  # noqa: E731
    async with HalClient(URL, transport=httpx.MockTransport(respond)) as hal, hal.download("/t") as chunks:
        assert [piece async for piece in chunks.texts()] == ["é", "€"]
