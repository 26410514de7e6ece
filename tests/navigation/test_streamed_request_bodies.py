"""Request bodies that are read while they are sent."""

import asyncio
import io
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import IO, Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from stellantis_hal.navigation.streamed_request_bodies import (
    RequestBodyReader,
    StreamedRequestBody,
    to_source,
    to_stream,
)

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]


async def _bytes(body: Any) -> bytes:
    assert isinstance(body, StreamedRequestBody)
    reader = body.open()
    try:
        return b"".join([chunk async for chunk in reader])
    finally:
        reader.close()


async def _chunks(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


@pytest.mark.parametrize("content", [b"ab", bytearray(b"ab"), memoryview(b"ab")])
def test_bytes_are_sent_as_they_are(content: Any) -> None:
    assert to_stream(content, "content") == b"ab"


async def test_a_path_is_read_as_often_as_it_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"x" * 300_000)
    body = to_stream(path, "content")
    assert isinstance(body, StreamedRequestBody)
    assert (body.length, body.is_spent) == (300_000, False)
    assert repr(body) == "<StreamedRequestBody of 300000 bytes>"
    assert await _bytes(body) == await _bytes(body) == b"x" * 300_000
    assert not body.is_spent


async def test_a_seekable_file_is_read_from_where_it_stands() -> None:
    file = io.BytesIO(b"0123456789")
    file.seek(4)
    body = to_stream(file, "content")
    assert isinstance(body, StreamedRequestBody)
    assert (body.length, file.tell()) == (6, 4)
    assert await _bytes(body) == await _bytes(body) == b"456789"
    assert not file.closed


def test_a_file_that_stands_at_its_end_is_refused() -> None:
    """Else nothing would be sent, without a word."""
    file = io.BytesIO(b"0123")
    file.read()
    with pytest.raises(ValueError, match=r"^content is a file that stands at its end: call seek\(0\) before$"):
        to_stream(file, "content")
    assert to_stream(io.BytesIO(), "content") is not None


async def test_a_file_that_cannot_be_sought_is_read_once() -> None:
    receiving, sending = os.pipe()
    os.write(sending, b"piped")
    os.close(sending)
    with os.fdopen(receiving, "rb") as file:
        body = to_stream(file, "content")
        assert isinstance(body, StreamedRequestBody)
        assert (body.length, body.is_spent) == (None, False)
        assert await _bytes(body) == b"piped"
        assert body.is_spent
        assert repr(body) == "<StreamedRequestBody of unknown length>"
        with pytest.raises(ValueError, match="it was read before and cannot be read again"):
            await _bytes(body)


async def test_an_async_file_ends(tmp_path: Path) -> None:
    """An HTTP library that calls its ``read`` without awaiting it never sees its end."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    async with await anyio.open_file(path, "rb") as file:
        body = to_stream(file, "content")
        assert isinstance(body, StreamedRequestBody)
        assert body.length == 3
        assert await _bytes(body) == await _bytes(body) == b"abc"


class _AsyncFile:
    """A file of another asynchronous library."""

    def __init__(self) -> None:
        self.left = [b"ab", b"c"]

    async def read(self, size: int) -> bytes:
        return self.left.pop(0) if self.left else b""


async def test_another_librarys_async_file_is_read_once() -> None:
    body = to_stream(_AsyncFile(), "content")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert isinstance(body, StreamedRequestBody)
    assert (body.length, await _bytes(body), body.is_spent) == (None, b"abc", True)


async def test_a_file_is_read_in_pieces() -> None:
    """Of 256 KiB, so that a body may be larger than the memory."""
    asked: list[int] = []

    class File(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(-1 if size is None else size)
            return super().read(size)

    assert await _bytes(to_stream(File(bytes(300_000)), "content")) == bytes(300_000)
    assert set(asked) == {256 * 1024}


async def test_an_async_iterable_is_read_once() -> None:
    body = to_stream(_chunks(b"ab", b"", b"c"), "content")
    assert isinstance(body, StreamedRequestBody)
    assert (body.length, await _bytes(body), body.is_spent) == (None, b"abc", True)


@pytest.mark.parametrize("text", [io.StringIO("a"), io.TextIOWrapper(io.BytesIO(b"a"))])
def test_files_opened_as_text_are_refused(text: Any) -> None:
    with pytest.raises(TypeError, match=r"^content must be read as bytes, not as text: open the file in binary mode"):
        to_stream(text, "content")


@pytest.mark.parametrize("wrong", ["text", 7, None, {"a": 1}, ["a"], object()])
def test_other_types_are_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=rf"^content must be bytes, a Path, .*, not {type(wrong).__name__}"):
        to_stream(wrong, "content")


def test_only_paths_of_files_are_taken(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="content is the path of something else than a file"):
        to_stream(tmp_path, "content")
    with pytest.raises(FileNotFoundError):
        to_stream(tmp_path / "missing", "content")


async def test_a_source_of_something_else_than_bytes_fails() -> None:
    async def words() -> AsyncGenerator[Any]:
        yield "word"

    async with aclosing(words()) as source:
        reader = StreamedRequestBody([to_source(source, "content")]).open()
        with pytest.raises(TypeError, match="its source must return bytes, not str"):
            await anext(reader)
    assert isinstance(reader.failure, TypeError)


@pytest.mark.parametrize(("size", "message"), [(2, "it ended after 2 of the 5 bytes"), (9, "it is longer than the 5")])
async def test_a_file_that_changed_its_size_fails(tmp_path: Path, size: int, message: str) -> None:
    """Else a server would wait for the rest, or read it as another request."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"12345")
    body = to_stream(path, "content")
    path.write_bytes(b"x" * size)
    with pytest.raises(ValueError, match=message):
        await _bytes(body)


async def test_a_reader_closed_while_it_is_read_raises_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"x" * 600_000)
    body = to_stream(path, "content")
    assert isinstance(body, StreamedRequestBody)
    reader = body.open()
    await anext(reader)
    reader.close()
    reader.close()
    with pytest.raises(anyio.ClosedResourceError):
        await anext(reader)


async def test_no_chunk_of_a_body_is_empty() -> None:
    reader = StreamedRequestBody([b"", b"a", b"", to_source(_chunks(b"", b"b"), "content")]).open()
    assert [chunk async for chunk in reader] == [b"a", b"b"]


class _SlowSource:
    """A source whose opening takes until it is allowed to."""

    length: int | None = None
    is_spent = False

    def __init__(self) -> None:
        self.opening, self.may_open = anyio.Event(), anyio.Event()
        self.closed = False

    async def open(self) -> Any:
        self.opening.set()
        await self.may_open.wait()
        return self

    def close(self) -> None:
        self.closed = True


async def test_a_source_opened_after_the_close_is_closed() -> None:
    source = _SlowSource()
    reader = RequestBodyReader([source], None)

    async def read() -> None:
        with pytest.raises(anyio.ClosedResourceError):
            await anext(reader)

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        await source.opening.wait()
        reader.close()
        source.may_open.set()
    assert source.closed


async def test_a_reader_closed_in_its_last_read_stays_closed() -> None:
    class Source(_SlowSource):
        async def read(self) -> bytes:
            reader.close()
            return b""

    source = Source()
    source.may_open.set()
    reader = RequestBodyReader([source], None)
    with pytest.raises(anyio.ClosedResourceError):
        await anext(reader)
    assert source.closed


async def test_only_reads_of_the_callers_files_are_abandoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the library is closed after its read has ended; the caller's may be a pipe, whose read never ends."""
    told: list[tuple[str, bool]] = []
    run = anyio.to_thread.run_sync

    async def record(function: Any, *args: Any, abandon_on_cancel: bool = False) -> Any:
        told.append((function.__name__, abandon_on_cancel))
        return await run(function, *args, abandon_on_cancel=abandon_on_cancel)

    monkeypatch.setattr(anyio.to_thread, "run_sync", record)
    path = tmp_path / "a"
    path.write_bytes(b"x")
    assert await _bytes(to_stream(path, "content")) == b"x"
    assert await _bytes(to_stream(io.BytesIO(b"y"), "content")) == b"y"
    own, others = [("read", False)] * 2, [("seek", False), *[("read", True)] * 2]
    assert told == [("open_path", False), *own, *others]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_file_that_is_opened_for_a_cancelled_request_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Natively cancelled, while the thread opens it."""
    path = tmp_path / "a"
    path.write_bytes(b"x")
    began, goes_on = threading.Event(), threading.Event()
    opened: list[IO[bytes]] = []
    open_path = Path.open

    def open_slowly(self: Path, mode: str) -> Any:
        began.set()
        goes_on.wait(10)
        opened.append(open_path(self, mode))
        return opened[0]

    monkeypatch.setattr(Path, "open", open_slowly)
    content = to_stream(path, "content")
    assert isinstance(content, StreamedRequestBody)
    reader = content.open()
    task = asyncio.ensure_future(anext(reader))
    await anyio.to_thread.run_sync(began.wait, 10)
    task.cancel()
    await anyio.lowlevel.checkpoint()
    goes_on.set()
    await asyncio.wait([task])
    assert task.cancelled()
    reader.close()
    assert [file.closed for file in opened] == [True]
