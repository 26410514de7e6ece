"""Where a browser comes back to on the same machine."""

import anyio
import pytest

from stellantis_hal.cli.loopback import is_loopback, listening

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]


@pytest.mark.parametrize(
    ("uri", "is_one"),
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
def test_only_plain_http_to_this_machine_is_listened_for(uri: str, is_one: bool) -> None:
    assert is_loopback(uri) is is_one


async def send(uri: str, raw: bytes) -> bytes:
    host, _, port = uri.removeprefix("http://").partition("/")[0].rpartition(":")
    async with await anyio.connect_tcp(host.strip("[]"), int(port)) as stream:
        await stream.send(raw)
        received = b""
        async for part in stream:
            received += part
    return received


async def test_the_browser_is_thanked_and_its_address_handed_over() -> None:
    answers: list[bytes] = []
    address = ""
    async with listening("http://127.0.0.1:0/back") as loopback, anyio.create_task_group() as tasks:

        async def browse() -> None:
            answers.append(await send(loopback.redirect_uri, b"GET /favicon.ico HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"))
            answers.append(await send(loopback.redirect_uri, b"POST /back?code=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"))
            answers.append(await send(loopback.redirect_uri, b"GET /back HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"))
            answers.append(await send(loopback.redirect_uri, b"nonsense\r\n\r\n"))
            answers.append(
                await send(loopback.redirect_uri, b"GET /back?code=a%2Bb&state=s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            )

        tasks.start_soon(browse)
        address = await loopback.receive(within=10)
    assert not loopback.redirect_uri.startswith("http://127.0.0.1:0/")
    assert address == f"{loopback.redirect_uri}?code=a%2Bb&state=s"
    assert [answer.split()[1] for answer in answers] == [b"404", b"404", b"404", b"404", b"200"]
    assert b"close this page" in answers[-1]


async def test_connections_that_say_nothing_are_survived() -> None:
    async with listening("http://127.0.0.1:0/") as loopback, anyio.create_task_group() as tasks:
        port = int(loopback.redirect_uri.rpartition(":")[2].rstrip("/"))

        async def browse() -> None:
            await (await anyio.connect_tcp("127.0.0.1", port)).aclose()
            await send(loopback.redirect_uri, b"x" * 40_000)
            await send(loopback.redirect_uri, b"GET /?code=1 HTTP/1.1\r\n\r\n")

        tasks.start_soon(browse)
        assert (await loopback.receive(within=10)).endswith("/?code=1")


async def test_a_browser_that_never_comes_is_given_up() -> None:
    async with listening("http://localhost:0/") as loopback:
        with pytest.raises(TimeoutError):
            await loopback.receive(within=0.05)


async def test_a_registered_port_is_listened_on_as_it_is() -> None:
    async with listening("http://127.0.0.1:0/") as free:
        registered = free.redirect_uri
    async with listening(registered) as loopback, anyio.create_task_group() as tasks:
        assert loopback.redirect_uri == registered
        tasks.start_soon(send, registered, b"GET /?code=1 HTTP/1.1\r\n\r\n")
        assert await loopback.receive(within=10) == f"{registered}?code=1"


async def test_another_ip_version_is_spoken_where_it_is_there() -> None:
    try:
        async with listening("http://[::1]:0/") as loopback:
            assert loopback.redirect_uri.startswith("http://[::1]:")
    except OSError:
        pytest.skip("this machine has no IPv6")


@pytest.mark.parametrize(
    "host",
    ["evil.test", "127.0.0.1.evil.test", "127.0.0.1@evil.test", "127.0.0.1/\r\nHost: evil.test", "", "[", "10.0.0.1:1"],
)
async def test_a_request_for_another_name_is_turned_away(host: str) -> None:
    answers: list[bytes] = []
    async with listening("http://127.0.0.1:0/") as loopback, anyio.create_task_group() as tasks:

        async def browse() -> None:
            forged = f"GET /?code=forged HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
            answers.append(await send(loopback.redirect_uri, forged))
            await send(loopback.redirect_uri, b"GET /?code=1 HTTP/1.1\r\nHost: localhost:1\r\n\r\n")

        tasks.start_soon(browse)
        assert (await loopback.receive(within=10)).endswith("?code=1")
    assert answers[0].split()[1] == b"404"


async def test_what_another_page_sends_is_turned_away_and_the_redirect_waited_for() -> None:
    answers: list[bytes] = []
    async with listening("http://127.0.0.1:0/") as loopback, anyio.create_task_group() as tasks:

        async def browse() -> None:
            for state in (b"forged", b"ours"):
                request = b"GET /?code=1&state=%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % state
                answers.append(await send(loopback.redirect_uri, request))

        tasks.start_soon(browse)
        assert (await loopback.receive(within=10, is_awaited=lambda it: it.endswith("=ours"))).endswith("state=ours")
    assert [answer.split()[1] for answer in answers] == [b"404", b"200"]
