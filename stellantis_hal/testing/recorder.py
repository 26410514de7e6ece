"""Recorder: an httpx transport around another that keeps anonymized exchanges, for tests and reports of bugs."""

from __future__ import annotations

import json
import logging
import os
import re
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import httpx

from stellantis_hal.hal.clock import utc_now
from stellantis_hal.storage.replaced_file import replaced_file
from stellantis_hal.testing.anonymizing import Anonymizer
from stellantis_hal.testing.replay import FORMAT, VERSION, ReplayTransport
from stellantis_hal.transport.backends.borrowed import session_transport
from stellantis_hal.transport.backends.session_detection import HostSession, is_host_session
from stellantis_hal.transport.decoding import BodyTooLarge, UnknownCoding, decode_body
from stellantis_hal.validation import require_clock

__all__ = ["Recorder"]

_log = logging.getLogger("stellantis_hal")
_MAX_BODY = 8 * 1024 * 1024
_REL = re.compile(r'rel="([^"]*)"')
_CLOSE_TIMEOUT = 5.0


class Recorder:
    """Records what servers answer, without what is private in it, and replays it.

    ::

        recorder = Recorder()
        async with StellantisClient(application, transport=recorder.transport()) as client:
            ...
        recorder.save("recording.json")

    It is a transport, because one works for every client and on asyncio and trio, and sees each attempt, redirect,
    token request and error with its body. Hooks see no bodies; a wrapped ``Fetch`` sees only what the client made of
    them. For a program with its own session: ``transport=recorder.transport(session)`` in place of ``session=session``.

    Each exchange is anonymized as it ends. What was replaced stays in memory with the recorder, so that it is replaced
    alike again, and is never written. Request headers, request bodies and bodies that are not JSON are left out.

    Args:
        hosts: names of hosts that stay readable, besides the vendor's: those of another API.
        words: segments of paths, and values of texts, that stay readable, besides the vendor's.
        max_body: bytes of a body that are kept, as sent and decompressed; a longer one reaches the client whole, and is
            left out.
        clock: the wall clock, aware.

    Raises:
        TypeError: ``hosts`` or ``words`` is one text instead of a collection.
    """

    def __init__(
        self,
        *,
        hosts: Collection[str] = (),
        words: Collection[str] = (),
        max_body: int = _MAX_BODY,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        require_clock(clock)
        for name, value in (("hosts", hosts), ("words", words)):
            if isinstance(value, str):
                raise TypeError(f"{name} must be a collection of texts, not one text")
        self._anonymizer = Anonymizer(hosts=hosts, words=words)
        self._max_body = max_body
        self._clock = clock
        self._exchanges: list[dict[str, Any]] = []

    def __repr__(self) -> str:
        """Show how many exchanges were recorded."""
        return f"<Recorder: {self.requests} exchanges>"

    @property
    def requests(self) -> int:
        """The number of requests that were recorded so far."""
        return len(self._exchanges)

    def transport(self, inner: httpx.AsyncBaseTransport | HostSession | None = None) -> httpx.AsyncBaseTransport:
        """Return a transport that records what another one answers.

        Args:
            inner: sends the requests: a transport, which is closed with the returned one; or an
                ``aiohttp.ClientSession`` or ``httpx.AsyncClient``, which stays open, and whose connections, proxies and
                TLS settings are used as by ``session=``. None: ``httpx.AsyncHTTPTransport()``.

        Raises:
            TypeError: ``inner`` is nothing of these.
        """
        if inner is None:
            inner = httpx.AsyncHTTPTransport()
        elif is_host_session(inner):
            inner = session_transport(inner)
        if not isinstance(inner, httpx.AsyncBaseTransport):
            raise TypeError(
                "a recorder is put around a transport of httpx, an aiohttp.ClientSession or an httpx.AsyncClient, not "
                f"{type(inner).__name__}"
            )
        return _RecordingTransport(self, inner)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the recording so far to a file; one that is there is replaced, and keeps its permissions.

        The call blocks. A recording without a request is saved too, with a warning in the log.

        Args:
            path: the file, in a folder that exists; a new one can be read by its owner only.

        Raises:
            OSError: the file cannot be written; one that is there stays as it is.
        """
        exchanges = [self._public(exchange) for exchange in self._exchanges]
        document = {"format": FORMAT, "version": VERSION, "exchanges": exchanges, "privacy": self._anonymizer.report()}
        text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=True)
        with replaced_file(path) as file:
            file.write(f"{text}\n".encode("ascii"))
        if not exchanges:
            _log.warning("a recording without a request was saved: pass transport=recorder.transport() to the client")

    @staticmethod
    def replay(path: str | os.PathLike[str], *, repeat_last: bool = False) -> ReplayTransport:
        """Return a transport that answers as recorded in a file.

        Args:
            path: the file.
            repeat_last: whether the last response to a request is also that to its further repetitions, which otherwise
                are errors.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is no recording, or one of another version.
        """
        return ReplayTransport(Path(path).read_bytes(), repeat_last=repeat_last)

    def _public(self, exchange: dict[str, Any]) -> dict[str, Any]:
        response = exchange.get("response")
        if response is None:
            return exchange
        public_name = self._anonymizer.public_name
        headers = [
            [public_name(name), _REL.sub(lambda found: f'rel="{public_name(found[1])}"', value)]
            for name, value in response["headers"]
        ]
        shown = {**response, "headers": headers}
        if "json" in response:
            shown["json"] = self._anonymizer.with_public_names(response["json"])
        return {**exchange, "response": shown}

    def begin(self, request: httpx.Request) -> dict[str, Any]:
        """Return the record of a request, in the order of requests; its response is added to it."""
        at = self._anonymizer.pseudonyms.instant(self._clock())
        self._anonymizer.count("request headers", "$request.headers")
        url = self._anonymizer.url(_text_of(request), "$request.url")
        exchange = {
            "at": at.isoformat(),
            "request": {"method": request.method, "url": url},
            "failure": "Cancelled",
        }
        self._exchanges.append(exchange)
        return exchange

    def end(self, exchange: dict[str, Any], response: httpx.Response, body: bytes | None) -> None:
        """Add a response to the record of its request.

        Args:
            exchange: the record.
            response: its status and header fields are used.
            body: as it was sent, perhaps compressed; None: it was not read to its end, or is too long.
        """
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw]
        recorded: dict[str, Any] = {
            "status": response.status_code,
            "headers": self._anonymizer.headers(fields, "$response.headers"),
        }
        why = ""
        try:
            if body is None:
                raise BodyTooLarge
            coding = response.headers.get("content-encoding", "")
            content = decode_body(body, coding, limit=self._max_body) if body else b""
            if content:
                recorded["json"] = self._anonymizer.body(json.loads(content))
        except BodyTooLarge:
            why = f"not read to its end, or longer than {self._max_body} bytes"
        except (ValueError, ArithmeticError, RecursionError, EOFError, UnknownCoding, zlib.error):
            why = "not JSON"
        if why:
            self._anonymizer.count("body", "$response")
            recorded["left_out"] = why
        exchange["response"] = recorded
        del exchange["failure"]

    @property
    def max_body(self) -> int:
        """Bytes of a body that are kept."""
        return self._max_body


def _text_of(request: httpx.Request) -> str:
    url = request.url
    authority = url.netloc.decode("ascii")
    return f"{url.scheme}://{authority}{url.raw_path.decode('ascii')}"


class _RecordingTransport(httpx.AsyncBaseTransport):
    def __init__(self, recorder: Recorder, inner: httpx.AsyncBaseTransport) -> None:
        self._recorder = recorder
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        exchange = self._recorder.begin(request)
        try:
            response = await self._inner.handle_async_request(request)
        except Exception as error:
            exchange["failure"] = type(error).__name__ if isinstance(error, httpx.TransportError) else "NetworkError"
            raise
        stream = response.stream
        if not isinstance(stream, httpx.AsyncByteStream):
            raise TypeError(f"an asynchronous transport must return an asynchronous stream, not {stream!r}")
        return httpx.Response(
            response.status_code,
            headers=response.headers.raw,
            stream=_RecordedStream(self._recorder, exchange, response, stream),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        await self._inner.aclose()


class _RecordedStream(httpx.AsyncByteStream, AsyncIterator[bytes]):
    """Passes a body on, piece by piece, and keeps a copy up to the recorder's limit."""

    def __init__(
        self, recorder: Recorder, exchange: dict[str, Any], response: httpx.Response, stream: httpx.AsyncByteStream
    ) -> None:
        self._recorder = recorder
        self._exchange = exchange
        self._response = response
        self._stream = stream
        self._copy: bytearray | None = bytearray()
        self._chunks: AsyncIterator[bytes] | None = None
        self._is_recorded = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._chunks is None:
            self._chunks = aiter(self._stream)
        try:
            chunk = await anext(self._chunks)
        except StopAsyncIteration:
            self._record(None if self._copy is None else bytes(self._copy))
            raise
        if self._copy is not None:
            self._copy += chunk
            if len(self._copy) > self._recorder.max_body:
                self._copy = None
        return chunk

    def _record(self, body: bytes | None) -> None:
        if not self._is_recorded:
            self._is_recorded = True
            self._recorder.end(self._exchange, self._response, body)

    async def aclose(self) -> None:
        try:
            with anyio.CancelScope(shield=True, deadline=anyio.current_time() + _CLOSE_TIMEOUT):
                if isinstance(self._chunks, AsyncGenerator):
                    await self._chunks.aclose()
                await self._stream.aclose()
        finally:
            self._record(None)
