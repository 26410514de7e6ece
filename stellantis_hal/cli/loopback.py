"""Where a browser comes back to on the same machine (RFC 8252 section 7.3).

Knows one HTTP request, and only as far as its address. Must not know what the address means.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import anyio
from anyio.abc import Listener, SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

__all__ = ["Loopback", "is_loopback", "listening"]

_LONGEST_HEAD = 32_768
_PATIENCE = 10.0
"""Seconds that a connection has for its request: browsers open some for nothing."""

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>stellantis-hal</title>
<body style="font-family: sans-serif; margin: 4em"><h1>{title}</h1><p>{text}</p></body></html>"""


def is_loopback(redirect_uri: str) -> bool:
    """Tell whether a redirect URI leads to this very machine, by plain HTTP."""
    try:
        parts = urlsplit(redirect_uri)
        _ = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    try:
        return parts.scheme == "http" and (host == "localhost" or ipaddress.ip_address(host).is_loopback)
    except ValueError:
        return False


class Loopback:
    """A listener for one redirect.

    Attributes:
        redirect_uri: what to register and to send along, with the port that is listened on.
    """

    def __init__(self, redirect_uri: str, listener: Listener[SocketStream]) -> None:
        self.redirect_uri = redirect_uri
        self._listener = listener
        self._path = urlsplit(redirect_uri).path or "/"
        self._address = ""
        self._is_awaited: Callable[[str], bool] = bool
        self._arrived = anyio.Event()

    async def receive(self, *, within: float = math.inf, is_awaited: Callable[[str], bool] = bool) -> str:
        """Wait for the browser, answer it, and give the whole address that it asked for.

        Args:
            within: seconds.
            is_awaited: tells by the address whether it is the redirect that is waited for; others are turned away, for
                every page that is open in a browser can send it here.

        Raises:
            TimeoutError: it did not come.
        """
        self._is_awaited = is_awaited
        with anyio.fail_after(within):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._listener.serve, self._serve)
                await self._arrived.wait()
                tasks.cancel_scope.cancel()
        return self._address

    async def _serve(self, stream: SocketStream) -> None:
        async with stream:
            try:
                with anyio.fail_after(_PATIENCE):
                    head = await BufferedByteReceiveStream(stream).receive_until(b"\r\n\r\n", _LONGEST_HEAD)
                    await self._answer(stream, head)
            except (TimeoutError, anyio.BrokenResourceError, anyio.IncompleteRead, anyio.DelimiterNotFound):
                return  # a connection opened for nothing, or by something that speaks no HTTP

    async def _answer(self, stream: SocketStream, head: bytes) -> None:
        method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        target = rest.partition(" ")[0]
        path, _, query = target.partition("?")
        address = f"{self.redirect_uri.partition('?')[0]}?{query}"
        is_here = method == "GET" and path == self._path and bool(query) and _is_for_this_machine(head)
        if not is_here or not self._is_awaited(address):
            await stream.send(_response(404, "Not here", "Nothing to see."))
            return
        await stream.send(_response(200, "Thank you", "You can close this page and go back to the terminal."))
        self._address = address
        self._arrived.set()


@asynccontextmanager
async def listening(redirect_uri: str) -> AsyncGenerator[Loopback, None]:
    """Listen where ``redirect_uri`` leads; its port 0 stands for any free one.

    Raises:
        OSError: the port is taken.
    """
    parts = urlsplit(redirect_uri)
    host = parts.hostname or "127.0.0.1"
    port = 80 if parts.port is None else parts.port
    async with await anyio.create_tcp_listener(local_host=host, local_port=port) as listener:
        if parts.port == 0:
            shown = f"[{host}]" if ":" in host else host
            port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - a socket's port; there is no Django
            redirect_uri = parts._replace(netloc=f"{shown}:{port}").geturl()
        yield Loopback(redirect_uri, listener)


def _is_for_this_machine(head: bytes) -> bool:
    """Tell whether the request was meant for a loopback address: another name may be made to lead here, too."""
    named = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    hosts = [value.strip().decode("latin-1") for name, _, value in named if name.strip().lower() == b"host"]
    return all(is_loopback(f"http://{host}/") for host in hosts)


def _response(status: int, title: str, text: str) -> bytes:
    body = _PAGE.format(title=title, text=text).encode()
    head = (
        f"HTTP/1.1 {status} {title}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
