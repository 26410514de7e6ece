"""The loopback listener for redirects."""

import anyio
import pytest

from stellantis_hal.cli.loopback import is_loopback, listen

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("http://127.0.0.1:8912/", True),
        ("http://127.0.0.1/back", True),
        ("http://[::1]:80/", True),
        ("http://localhost:0/back", True),
        ("https://127.0.0.1/", False),
        ("http://10.0.0.1/", False),
        ("http://localhost.example.org/", False),
        ("http://127.0.0.1:99999/", False),
        ("mymap://oauth2redirect/fr", False),
        ("http://[oops", False),
        ("", False),
    ],
)
def test_only_plain_http_loopback_uris_are_accepted(uri: str, expected: bool) -> None:
    assert is_loopback(uri) is expected


async def send(uri: str, raw: bytes) -> bytes:
    host, _, port = uri.removeprefix("http://").partition("/")[0].rpartition(":")
    async with await anyio.connect_tcp(host.strip("[]"), int(port)) as stream:
        await stream.send(raw)
        received = b""
        async for part in stream:
            received += part
    return received


async def test_redirect_url_is_returned_and_the_browser_thanked() -> None:
    responses: list[bytes] = []
    address = ""
    async with listen("http://127.0.0.1:0/back") as loopback, anyio.create_task_group() as tasks:

        async def browse() -> None:
            responses.append(await send(loopback.redirect_uri, b"GET /favicon.ico HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"))
            responses.append(
                await send(loopback.redirect_uri, b"POST /back?code=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            )
            responses.append(await send(loopback.redirect_uri, b"GET /back HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"))
            responses.append(await send(loopback.redirect_uri, b"nonsense\r\n\r\n"))
            responses.append(
                await send(loopback.redirect_uri, b"GET /back?code=a%2Bb&state=s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            )

        tasks.start_soon(browse)
        address = await loopback.receive(within=10)
    assert not loopback.redirect_uri.startswith("http://127.0.0.1:0/")
    assert address == f"{loopback.redirect_uri}?code=a%2Bb&state=s"
    assert [response.split()[1] for response in responses] == [b"404", b"404", b"404", b"404", b"200"]
    assert b"close this page" in responses[-1]


async def test_connections_without_a_request_are_ignored() -> None:
    async with listen("http://127.0.0.1:0/") as loopback, anyio.create_task_group() as tasks:
        port = int(loopback.redirect_uri.rpartition(":")[2].rstrip("/"))

        async def browse() -> None:
            await (await anyio.connect_tcp("127.0.0.1", port)).aclose()
            await send(loopback.redirect_uri, b"x" * 40_000)
            await send(loopback.redirect_uri, b"GET /?code=1 HTTP/1.1\r\n\r\n")

        tasks.start_soon(browse)
        assert (await loopback.receive(within=10)).endswith("/?code=1")


async def test_missing_redirect_times_out() -> None:
    async with listen("http://localhost:0/") as loopback:
        with pytest.raises(TimeoutError):
            await loopback.receive(within=0.05)


async def test_registered_port_is_used() -> None:
    async with listen("http://127.0.0.1:0/") as free:
        registered = free.redirect_uri
    async with listen(registered) as loopback, anyio.create_task_group() as tasks:
        assert loopback.redirect_uri == registered
        tasks.start_soon(send, registered, b"GET /?code=1 HTTP/1.1\r\n\r\n")
        assert await loopback.receive(within=10) == f"{registered}?code=1"


async def test_ipv6_is_supported() -> None:
    try:
        async with listen("http://[::1]:0/") as loopback:
            assert loopback.redirect_uri.startswith("http://[::1]:")
    except OSError:
        pytest.skip("this machine has no IPv6")


@pytest.mark.parametrize(
    "host",
    ["evil.test", "127.0.0.1.evil.test", "127.0.0.1@evil.test", "127.0.0.1/\r\nHost: evil.test", "", "[", "10.0.0.1:1"],
)
async def test_request_for_another_host_is_refused(host: str) -> None:
    responses: list[bytes] = []
    async with listen("http://127.0.0.1:0/") as loopback, anyio.create_task_group() as tasks:

        async def browse() -> None:
            forged = f"GET /?code=forged HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
            responses.append(await send(loopback.redirect_uri, forged))
            await send(loopback.redirect_uri, b"GET /?code=1 HTTP/1.1\r\nHost: localhost:1\r\n\r\n")

        tasks.start_soon(browse)
        assert (await loopback.receive(within=10)).endswith("?code=1")
    assert responses[0].split()[1] == b"404"


async def test_request_of_another_page_is_refused() -> None:
    responses: list[bytes] = []
    async with listen("http://127.0.0.1:0/") as loopback, anyio.create_task_group() as tasks:

        async def browse() -> None:
            for state in (b"forged", b"ours"):
                request = b"GET /?code=1&state=%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % state
                responses.append(await send(loopback.redirect_uri, request))

        tasks.start_soon(browse)
        assert (await loopback.receive(within=10, is_expected=lambda it: it.endswith("=ours"))).endswith("state=ours")
    assert [response.split()[1] for response in responses] == [b"404", b"200"]
