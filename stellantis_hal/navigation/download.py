"""Downloads: bytes and text of any media type, read piece by piece within a bound."""

from __future__ import annotations

import codecs
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from stellantis_hal.errors import HalError
from stellantis_hal.hal.header_mapping import Headers, fits_field
from stellantis_hal.hal.redaction import excerpt, mask_url, quoted
from stellantis_hal.navigation.cache.fetch import uncached
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.fetch_protocol import Request, StreamedResponse, StreamingFetch
from stellantis_hal.navigation.media_types import media_type
from stellantis_hal.navigation.partial_responses import PARTIAL, require_whole
from stellantis_hal.validation import require_flags, require_type

__all__ = ["MAX_DOWNLOAD", "Download", "download"]

MAX_DOWNLOAD = 64 * 1024 * 1024
"""Bytes, decompressed, that a download may have by default."""

# Python also names transformations such as "zip" and "unicode_escape" as encodings.
_CHARSET = re.compile(
    r"utf[-_]?(?:8|16|32)(?:[-_]?[bl]e)?|(?:us-)?ascii|latin-?1|(?:iso-?)?8859-\d{1,2}|iso-8859-\d{1,2}"
    r"|(?:windows-|cp)\d{3,5}|koi8-[rtu]|shift[-_]jis|euc[-_](?:jp|kr)|gb(?:2312|k|18030)|big5|iso-2022-jp|mac-?roman",
    re.IGNORECASE,
)


class Download(AsyncIterator[bytes]):
    """The body of a response, as an asynchronous iterator over its bytes, decompressed.

    ::

        async with resource.download("avatar", limit=10_000_000) as chunks:
            async for chunk in chunks:
                file.write(chunk)

    It can be read once, by one task, until the ``async with`` ends. What fails after the headers is not tried again.
    """

    def __init__(self, response: StreamedResponse) -> None:
        self._response = response

    def __repr__(self) -> str:
        kind = excerpt(self.media_type, 80) or "of no media type"
        return f"<Download {mask_url(self.url)} {self.status} {kind}>"

    async def __anext__(self) -> bytes:
        return await anext(self._response.chunks)

    @property
    def url(self) -> str:
        """The URL of the response, after redirects."""
        return self._response.url

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._response.status

    @property
    def headers(self) -> Headers:
        """The header fields of the response."""
        return self._response.headers

    @property
    def received_at(self) -> datetime:
        """The time of receipt of the headers by the wall clock, aware, UTC."""
        return self._response.received_at

    @property
    def media_type(self) -> str:
        """The media type in lower case, without parameters; empty where the response has none."""
        return media_type(self.headers.content_type)[0]

    @property
    def charset(self) -> str:
        """The encoding of its text: that of the media type where Python knows it, else "utf-8"."""
        stated = media_type(self.headers.content_type)[1].get("charset", "")
        if _CHARSET.fullmatch(stated):
            try:
                return codecs.lookup(stated).name
            except LookupError:
                return "utf-8"
        return "utf-8"

    async def read(self) -> bytes:
        """Return all the bytes that are left.

        Raises:
            BodyTooLargeError: there are more than the limit.
            NetworkError: the body is incomplete.
        """
        return b"".join([chunk async for chunk in self])

    async def read_text(self) -> str:
        """Return all the text that is left; bytes that are not of its encoding become U+FFFD.

        Raises:
            BodyTooLargeError: there are more bytes than the limit.
            NetworkError: the body is incomplete.
        """
        return "".join([text async for text in self.texts()])

    async def texts(self) -> AsyncGenerator[str]:
        """Yield the text piece by piece; bytes that are not of its encoding become U+FFFD.

        Raises:
            BodyTooLargeError: there are more bytes than the limit.
            NetworkError: the body is incomplete.
        """
        name = self.charset
        decoder = codecs.getincrementaldecoder("utf-8-sig" if name == "utf-8" else name)("replace")
        async for chunk in self:
            if text := decoder.decode(chunk):
                yield text
        if text := decoder.decode(b"", final=True):
            yield text


@asynccontextmanager
async def download(
    context: ResourceContext, url: str, *, accept: str | None, limit: int, credentials: bool
) -> AsyncGenerator[Download]:
    """Request a URL, and return its body to be read; leaving the context closes the connection if any is left.

    Args:
        context: of the client.
        url: absolute.
        accept: the media type to ask for; None: any.
        limit: bytes, decompressed, at most.
        credentials: False: nothing that identifies the caller is sent, and any origin may be asked.

    Raises:
        HalError: the client cannot stream.
        StellantisError: the request failed.
    """
    require_flags(credentials=credentials)
    require_type("limit", limit, int)
    if limit < 0:
        raise ValueError(f"limit must be a number of bytes, at least 0, not {limit}")
    if accept is not None and not fits_field(accept):
        raise ValueError(f"accept must be visible ASCII of at most 1,024 characters, not {quoted(accept)}")
    fetch = uncached(context.fetch)  # a stream is not stored
    if not isinstance(fetch, StreamingFetch):
        raise HalError(f"the fetch of {mask_url(url)} cannot stream: it has no method stream()", url=url)
    # The client's own fields may identify the caller, too.
    fields = {**(context.headers if credentials else {}), "Accept": accept or "*/*"}
    request = Request(url=url, headers=fields)
    async with fetch.stream(request, limit=limit, credentials=credentials) as response:
        if response.status == PARTIAL:
            require_whole(response.url, response.headers, is_document=False)
        yield Download(response)
