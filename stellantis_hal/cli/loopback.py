"""Loopback listener for OAuth2 redirects (RFC 8252 section 7.3)."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import anyio
from anyio.abc import Listener, SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

__all__ = ["Loopback", "is_loopback", "listen"]

_MAX_HEAD_BYTES = 32_768
_HEAD_TIMEOUT = 10.0
"""Seconds; browsers open connections without sending a request."""

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>stellantis-hal</title>
<body style="font-family: sans-serif; margin: 4em"><h1>{title}</h1><p>{text}</p></body></html>"""


def is_loopback(redirect_uri: str) -> bool:
    """Return whether a redirect URI leads to this machine by plain HTTP."""
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
        redirect_uri: the redirect URI with the port in use.
    """

    def __init__(self, redirect_uri: str, listener: Listener[SocketStream]) -> None:
        self.redirect_uri = redirect_uri
        self._listener = listener
        self._path = urlsplit(redirect_uri).path or "/"
        self._address = ""
        self._is_expected: Callable[[str], bool] = bool
        self._arrived = anyio.Event()

    async def receive(self, *, within: float = math.inf, is_expected: Callable[[str], bool] = bool) -> str:
        """Wait for the browser's request, respond to it and return its complete URL.

        Args:
            within: timeout in seconds.
            is_expected: returns whether a URL is the expected redirect; other requests get a 404, because every page
                open in the browser can send requests to this port.

        Raises:
            TimeoutError: no redirect arrived in time.
        """
        self._is_expected = is_expected
        with anyio.fail_after(within):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._listener.serve, self._handle_connection)
                await self._arrived.wait()
                tasks.cancel_scope.cancel()
        return self._address

    async def _handle_connection(self, stream: SocketStream) -> None:
        async with stream:
            try:
                with anyio.fail_after(_HEAD_TIMEOUT):
                    head = await BufferedByteReceiveStream(stream).receive_until(b"\r\n\r\n", _MAX_HEAD_BYTES)
                    await self._respond(stream, head)
            except (TimeoutError, anyio.BrokenResourceError, anyio.IncompleteRead, anyio.DelimiterNotFound):
                return  # no request was sent, or no HTTP

    async def _respond(self, stream: SocketStream, head: bytes) -> None:
        method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        target = rest.partition(" ")[0]
        path, _, query = target.partition("?")
        address = f"{self.redirect_uri.partition('?')[0]}?{query}"
        is_redirect = method == "GET" and path == self._path and bool(query) and _is_for_this_machine(head)
        if not is_redirect or not self._is_expected(address):
            await stream.send(_response(404, "Not here", "Nothing to see."))
            return
        await stream.send(_response(200, "Thank you", "You can close this page and go back to the terminal."))
        self._address = address
        self._arrived.set()


@asynccontextmanager
async def listen(redirect_uri: str) -> AsyncGenerator[Loopback, None]:
    """Listen on the address of ``redirect_uri``; port 0 selects a free port.

    Raises:
        OSError: the port is in use.
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
    """Return whether the Host header is a loopback address; other names can resolve to this machine too."""
    headers = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    hosts = [value.strip().decode("latin-1") for name, _, value in headers if name.strip().lower() == b"host"]
    return all(is_loopback(f"http://{host}/") for host in hosts)


def _response(status: int, title: str, text: str) -> bytes:
    body = _PAGE.format(title=title, text=text).encode()
    head = (
        f"HTTP/1.1 {status} {title}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
