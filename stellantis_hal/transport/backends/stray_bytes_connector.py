"""Connector of aiohttp that never reuses a connection on which bytes arrived outside a response.

aiohttp takes what arrives on an idle connection for the response to the next request, which may be another account's.
A stray response that arrives after the next request was sent cannot be told from its response: HTTP/1.1 has no numbers.
"""

from __future__ import annotations

import math
import re
import select
from collections.abc import Callable
from functools import partial
from typing import Any

import aiohttp
import anyio.lowlevel
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader
from aiohttp.tracing import Trace

__all__ = ["StrayBytesConnector", "StrayBytesError", "StrayBytesProtocol"]

_REQUEST_TIMEOUT = 408
_SWITCHING_PROTOCOLS = 101
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*\r\n", re.IGNORECASE)
_CYCLES = 10  # of the event loop: one finds that there is something, the next one reads it


class StrayBytesError(aiohttp.ClientConnectionError):
    """The connection had bytes that belong to no request; the request was not processed."""


class StrayBytesProtocol(ResponseHandler):
    """Reads one response for each request, and closes the connection at the first byte outside one."""

    def __init__(self, loop: Any) -> None:
        super().__init__(loop=loop)
        self.requests: int = 0
        self._strayed = False
        self._is_waiting = False  # for a response, or its end
        self._has_begun = False  # some of what was waited for has arrived
        self._body: StreamReader | None = None
        self._is_readable: Callable[[], object] | None = None
        self._read_until = math.inf
        self._read_timer: Any = None  # asyncio.TimerHandle, of a module that is not imported here

    # aiohttp has no public option for the next two: it makes and cancels a timer for each request and each piece that
    # arrives. One timer looks at its time when the latest instant was moved.

    def _reschedule_timeout(self) -> None:
        """Note until when the next bytes must arrive."""
        timeout = self._read_timeout
        if not timeout:
            self._read_until = math.inf
            return
        until = self._read_until = self._loop.time() + timeout
        timer = self._read_timer
        if timer is not None:
            if timer.when() <= until:
                return
            timer.cancel()  # an earlier request was given more time
        self._read_timer = self._loop.call_at(until, self._check_timeout)

    def _drop_timeout(self) -> None:
        """Wait for no bytes; the timer stays for the next request, unless the connection is closed."""
        self._read_until = math.inf
        if self.transport is None:
            self._cancel_timer()

    def _cancel_timer(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _check_timeout(self) -> None:
        self._read_timer, until = None, self._read_until
        if until == math.inf:
            return
        if self._loop.time() < until:
            self._read_timer = self._loop.call_at(until, self._check_timeout)
        else:
            self._read_until = math.inf
            self._on_read_timeout()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._cancel_timer()
        super().connection_lost(exc)

    def set_response_params(self, **options: Any) -> None:
        self.requests += 1
        self._is_waiting, self._has_begun, self._body = True, False, None
        super().set_response_params(**options)

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        message, body = data
        if self._body is not None:
            self._stray()  # a second response
            return
        if message.code >= 200 or message.code == _SWITCHING_PROTOCOLS:
            if message.code == _REQUEST_TIMEOUT and self.requests > 1:
                # The server was tired of waiting for a request; this one crossed it on the way.
                self.set_exception(StrayBytesError("408 on a connection that was idle"))
                return
            self._body = body
        super().feed_data(data, size)

    def data_received(self, data: bytes) -> None:
        if not data:  # aiohttp goes on with what it has
            super().data_received(data)
        elif not self._is_waiting:
            self._stray()
            if self.requests:
                self.close()
            else:  # maybe the response to CONNECT, which aiohttp sends before it sets the parameters
                super().data_received(data)
        elif not self._has_begun and (length := body_length(data)) is not None:
            super().data_received(data)
            self._is_waiting = not self._is_complete()
            if self._is_waiting or self._body is None or self._body.total_bytes != length:
                self._stray()  # aiohttp has read other bytes as the body
        else:
            self._has_begun = True
            # Without its last byte the response must not be complete: that byte would be none of its own.
            if len(data) > 1:
                super().data_received(data[:-1])
            if self._is_complete():
                self._stray()
            elif self.exception() is None:
                super().data_received(data[-1:])
            self._is_waiting = not self._is_complete()

    def is_clean(self) -> bool:
        """Return whether the connection is open and nothing has arrived on it."""
        transport = self.transport
        if self._strayed or transport is None or transport.is_closing():
            return False
        is_readable = self._is_readable
        if is_readable is None:
            socket = transport.get_extra_info("socket")
            if socket is None:
                return True
            is_readable = self._is_readable = _readable(socket.fileno())
        return not is_readable()

    async def read_tls_messages(self) -> None:
        """Let the event loop read what has arrived over TLS, which sends session tickets after the handshake.

        They are no bytes of a response; what is one, ends in :meth:`data_received`.
        """
        transport = self.transport
        if transport is None or transport.get_extra_info("ssl_object") is None:
            return
        socket = transport.get_extra_info("socket")
        for _ in range(_CYCLES):
            if transport.is_closing() or socket is None or not _readable(socket.fileno())():
                return
            await anyio.lowlevel.checkpoint()

    def _is_complete(self) -> bool:
        return self._body is not None and self._body.is_eof()

    def _stray(self) -> None:
        self._strayed = True
        self.force_close()


class StrayBytesConnector(aiohttp.TCPConnector):
    """Hands out connections on which nothing has arrived."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        factory: Any = partial(StrayBytesProtocol, loop=self._loop)
        self._factory = factory  # there is no public option for it

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> aiohttp.connector.Connection:
        """Return a connection that is idle, or a new one.

        Raises:
            StrayBytesError: bytes arrived on a new connection before a request was sent.
        """
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol: Any = connection.protocol  # a StrayBytesProtocol: the factory makes no other
            is_new = not protocol.requests
            if is_new:
                try:
                    await protocol.read_tls_messages()
                except BaseException:
                    connection.close()
                    raise
            if protocol.is_clean():
                return connection
            connection.close()
            if is_new:
                raise StrayBytesError("the server sent something before it was asked")


def body_length(data: bytes) -> int | None:
    """Return the length of the body where bytes are one response that states it, and no more; else None.

    Then the response can be parsed at once, if the parser finds a body of this length. Lines end in CRLF, as RFC 9112
    requires: parsers disagree about others.
    """
    end = data.find(b"\r\n\r\n")
    head = data[: end + 2]  # where it has not ended, a single byte, which states no length
    match = _LENGTH.search(head)
    if match is None or end + 4 + int(match[1]) != len(data):
        return None
    lines = head.count(b"\r\n")
    return int(match[1]) if head.count(b"\n") == lines == head.count(b"\r") else None


def _readable(descriptor: int) -> Callable[[], object]:
    """Return what looks whether a descriptor can be read, without waiting; its result is true or false."""
    if hasattr(select, "poll"):  # any descriptor, by one system call
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return partial(poll.poll, 0)
    return lambda: select.select([descriptor], [], [], 0)[0]  # on Windows, where any descriptor will do
