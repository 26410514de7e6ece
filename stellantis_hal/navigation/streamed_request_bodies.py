"""Request bodies that are read while they are sent."""

from __future__ import annotations

import inspect
import io
import os
import stat
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any, Protocol, TypeAlias

import anyio
from anyio import AsyncFile, to_thread

from stellantis_hal.storage.threads import run_to_end

__all__ = [
    "BodySource",
    "Content",
    "RequestBodyReader",
    "StreamedRequestBody",
    "UploadSource",
    "to_source",
    "to_stream",
]

BodySource: TypeAlias = bytes | os.PathLike[str] | IO[bytes] | AsyncFile[bytes] | AsyncIterable[bytes]
"""What a body may be read from: bytes, a path, a file opened in binary mode, or an asynchronous iterable of bytes."""

# Each read is a hop to a thread: large chunks make few of them.
_CHUNK = 256 * 1024


class _Handle(Protocol):
    """A source that is being read."""

    async def read(self) -> bytes:
        """Return the next bytes; none at the end."""
        ...

    def close(self) -> None:
        """Close what was opened for reading."""
        ...


class UploadSource(Protocol):
    """A part of a body that is read while it is sent."""

    @property
    def length(self) -> int | None:
        """Its number of bytes; None where it is unknown."""
        ...

    @property
    def is_spent(self) -> bool:
        """Whether it was read once and cannot be read again."""
        ...

    async def open(self) -> _Handle:
        """Start to read it from its beginning."""
        ...


class StreamedRequestBody:
    """A body that is read while it is sent: bytes and sources, one after the other.

    Args:
        parts: in their order.
    """

    __slots__ = ("_parts",)

    def __init__(self, parts: Sequence[bytes | UploadSource]) -> None:
        self._parts = tuple([part for part in parts if part != b""])  # an empty chunk would end a chunked body

    def __repr__(self) -> str:
        return f"<StreamedRequestBody of {'unknown length' if self.length is None else f'{self.length} bytes'}>"

    @property
    def length(self) -> int | None:
        """Its number of bytes; None where it is unknown, so that it is sent in chunks."""
        lengths = [len(part) if isinstance(part, bytes) else part.length for part in self._parts]
        known = [length for length in lengths if length is not None]
        return sum(known) if len(known) == len(lengths) else None

    @property
    def is_spent(self) -> bool:
        """Whether it was read once and cannot be read again: the request can be neither retried nor redirected."""
        return any(not isinstance(part, bytes) and part.is_spent for part in self._parts)

    def open(self) -> RequestBodyReader:
        """Start to read it from its beginning."""
        return RequestBodyReader(self._parts, self.length)


Content: TypeAlias = bytes | StreamedRequestBody
"""A request's body."""


class RequestBodyReader:
    """An asynchronous iterator over the bytes of a body, which checks their number.

    Attributes:
        failure: the error with which reading ended; None until then. Backends wrap errors of a body in their own.
    """

    def __init__(self, parts: Sequence[bytes | UploadSource], length: int | None) -> None:
        self._parts = iter(parts)
        self._length = length
        self._count = 0
        self._handle: _Handle | None = None
        self._closed = False
        self.failure: Exception | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await self._next()
        except Exception as error:
            self.failure = error
            raise
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    def close(self) -> None:
        """Close what was opened for reading; a task that still reads gets an error."""
        self._closed = True
        self._close_handle()

    def _close_handle(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()

    async def _next(self) -> bytes | None:
        while not self._closed:
            if self._handle is not None:
                if chunk := await self._handle.read():
                    return self._counted(chunk)
                self._close_handle()
                continue
            part = next(self._parts, None)
            if part is None:
                if self._length is not None and self._count < self._length:
                    raise ValueError(f"it ended after {self._count} of the {self._length} bytes announced")
                return None
            if not isinstance(part, bytes):
                self._handle = await part.open()
            else:
                return self._counted(part)
        self._close_handle()  # another task closed the reader in the meantime
        raise anyio.ClosedResourceError

    def _counted(self, chunk: object) -> bytes:
        if not isinstance(chunk, bytes | bytearray | memoryview):
            raise TypeError(f"its source must return bytes, not {type(chunk).__name__}: open files in binary mode")
        self._count += len(chunk)
        if self._length is not None and self._count > self._length:
            raise ValueError(f"it is longer than the {self._length} bytes announced")
        return bytes(chunk)


# ------------------------------------------------------------------------------------------------- sources


def to_stream(source: BodySource, option: str) -> Content:
    """Return the content of a request from what a caller passed as its body.

    Raises:
        TypeError: it cannot be read as bytes.
        ValueError: it is a path of something else than a file, or a file that stands at its end.
        OSError: there is no file at the path.
    """
    found = to_source(source, option)
    return found if isinstance(found, bytes) else StreamedRequestBody([found])


def to_source(source: object, option: str) -> bytes | UploadSource:
    """Return bytes, or a source to read them from; see :func:`to_stream`.

    Args:
        source: what the caller passed.
        option: its name, for errors.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if isinstance(source, os.PathLike):
        path: os.PathLike[str] = source
        return _PathSource(Path(path), option)
    if isinstance(source, io.TextIOBase):
        raise TypeError(f"{option} must be read as bytes, not as text: open the file in binary mode, open(path, 'rb')")
    if isinstance(source, AsyncFile):
        file: AsyncFile[bytes] = source
        return to_source(file.wrapped, option)
    read: Any = getattr(source, "read", None)
    if inspect.iscoroutinefunction(read):
        return _OnceSource(partial(read, _CHUNK))
    if callable(read):
        opened: Any = source
        return _FileSource(opened, option)
    if isinstance(source, AsyncIterable):
        chunks: AsyncIterable[bytes] = source
        return _OnceSource(_reading(aiter(chunks)))
    instead = ": Path(…) for a file, .encode() for text" if isinstance(source, str) else ""
    raise TypeError(
        f"{option} must be bytes, a Path, a file opened in binary mode, or an asynchronous iterable of bytes, not "
        f"{type(source).__name__}{instead}"
    )


class _FileHandle:
    """A file that is read in threads.

    Args:
        file: opened in binary mode.
        owned: whether it is closed at the end. A read of another's file, which may be a pipe, is abandoned when the
            task is cancelled.
    """

    def __init__(self, file: IO[bytes], *, owned: bool) -> None:
        self._file = file
        self._owned = owned

    async def read(self) -> bytes:
        return await to_thread.run_sync(self._file.read, _CHUNK, abandon_on_cancel=not self._owned)

    def close(self) -> None:
        if self._owned:
            self._file.close()


class _PathSource:
    """A file by its path, opened anew whenever it is sent."""

    is_spent = False

    def __init__(self, path: Path, option: str) -> None:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise ValueError(f"{option} is the path of something else than a file")
        self._path = path
        self.length: int | None = found.st_size

    async def open(self) -> _Handle:
        opened: list[IO[bytes]] = []

        def open_path() -> None:
            opened.append(self._path.open("rb"))

        try:
            await run_to_end(open_path)
        except BaseException:
            for file in opened:  # cancelled meanwhile
                file.close()
            raise
        return _FileHandle(opened[0], owned=True)


class _FileSource:
    """A file that the caller opened, read from where it stands; again if it is seekable."""

    def __init__(self, file: IO[bytes], option: str) -> None:
        self._file = file
        self.is_spent = False
        self.length: int | None = None
        seekable = getattr(file, "seekable", None)
        self._start: int | None = file.tell() if seekable is not None and seekable() else None
        if self._start is not None:
            self.length = file.seek(0, os.SEEK_END) - self._start
            file.seek(self._start)
            if self._start and not self.length:
                raise ValueError(f"{option} is a file that stands at its end: call seek(0) before")

    async def open(self) -> _Handle:
        if self._start is None:
            _spend(self)
        else:
            await to_thread.run_sync(self._file.seek, self._start)
        return _FileHandle(self._file, owned=False)


class _OnceSource:
    """A source that can be read once.

    Args:
        read: returns the next bytes; none at the end.
    """

    length: int | None = None

    def __init__(self, read: Callable[[], Awaitable[bytes]]) -> None:
        self._read = read
        self.is_spent = False

    async def open(self) -> _Handle:
        _spend(self)
        return self

    async def read(self) -> bytes:
        return await self._read()

    def close(self) -> None:
        """Leave it to the caller."""


def _spend(source: _FileSource | _OnceSource) -> None:
    if source.is_spent:
        raise ValueError("it was read before and cannot be read again; pass bytes, a Path or a seekable file")
    source.is_spent = True


def _reading(chunks: AsyncIterator[bytes]) -> Callable[[], Awaitable[bytes]]:
    async def read() -> bytes:
        async for chunk in chunks:
            if len(chunk):  # an empty chunk is not the end
                return chunk
        return b""

    return read
