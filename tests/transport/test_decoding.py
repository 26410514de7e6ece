"""Plain and compressed bodies within a limit."""

import contextlib
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.transport.decoding import BodyTooLarge, UnknownCoding, decode_error_body, read_body, read_error_body
from tests.support.profiles import few_examples

pytestmark = pytest.mark.anyio
WORDS = b"a walk through the links of a car " * 200


async def chunks(content: bytes, size: int = 7) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def read(content: bytes, coding: str = "", *, limit: int = 1_000_000, size: int = 7) -> bytes:
    return await read_body(chunks(content, size), coding, limit=limit)


def bare_deflate(content: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(content) + compressor.flush()


@pytest.mark.parametrize("coding", ["", "identity", " Identity , "])
async def test_a_plain_body_is_read_unchanged(coding: str) -> None:
    assert await read(WORDS, coding) == WORDS


async def test_a_body_in_one_piece_is_not_copied() -> None:
    assert await read(WORDS, size=len(WORDS)) == WORDS


@pytest.mark.parametrize(
    ("coding", "content"),
    [
        ("gzip", gzip.compress(WORDS, mtime=0)),
        ("x-gzip", gzip.compress(WORDS, mtime=0)),
        ("GZIP", gzip.compress(WORDS, mtime=0)),
        ("gzip", gzip.compress(WORDS[:100], mtime=0) + gzip.compress(WORDS[100:], mtime=0)),
        ("deflate", zlib.compress(WORDS)),
        ("deflate", bare_deflate(WORDS)),
        ("deflate", zlib.compress(WORDS) + b"\0\0\0\0"),
    ],
)
@pytest.mark.parametrize("size", [1, 100_000])
async def test_a_compressed_body_is_decompressed(coding: str, content: bytes, size: int) -> None:
    assert await read(content, coding, size=size) == WORDS


@pytest.mark.parametrize("padding", [0x00, 0x88, 0xF8])
async def test_raw_deflate_is_recognised_by_its_first_byte(padding: int) -> None:
    stored = (
        bytes([padding]) + b"\x02\x00\xfd\xff" + b"ok"
    )  # RFC 1951 section 3.2.4: what is before its length counts not
    assert await read(stored + b"\x03\x00", "deflate") == b"ok"


async def test_a_short_raw_deflate_stream_is_decompressed() -> None:
    assert await read(bare_deflate(b"a"), "deflate") == b"a"


@pytest.mark.parametrize("content", [zlib.compress(WORDS), gzip.compress(WORDS, mtime=0) + zlib.compress(WORDS)])
async def test_gzip_must_be_gzip(content: bytes) -> None:
    with pytest.raises(zlib.error):
        await read(content, "gzip", size=100_000)


@pytest.mark.parametrize("padding", [b"\r\n", b"\0" * 511, b" \n"])
@pytest.mark.parametrize("size", [1, 100_000])
async def test_padding_behind_a_gzip_body_is_left_out(padding: bytes, size: int) -> None:
    member = gzip.compress(WORDS, mtime=0)
    assert await read(member + padding, "gzip", size=size) == WORDS
    assert await read(member + padding + member, "gzip", size=size) == WORDS * 2
    with pytest.raises(zlib.error):
        await read(member + padding + b"x" * 20, "gzip", size=size)


@pytest.mark.parametrize(
    ("content", "coding", "expected"),
    [
        (gzip.compress(b"busy", mtime=0), "gzip", b"busy"),
        (b"plain", "gzip", b"plain"),
        (b"plain", "br", b"plain"),
        (b"plain", "", b"plain"),
        (gzip.compress(b"busy", mtime=0)[:-3], "gzip", b""),
        (b"\xff\xfe", "br", b""),
        (b"x" * 101, "", b""),
        (gzip.compress(b"x" * 101, mtime=0), "gzip", b""),
    ],
)
async def test_the_body_of_an_error_is_read_as_far_as_it_can_be(content: bytes, coding: str, expected: bytes) -> None:
    assert decode_error_body(content, coding, limit=100) == expected
    assert await read_error_body(chunks(content), coding, limit=100) == expected


@pytest.mark.parametrize("coding", ["", "gzip", "deflate"])
async def test_an_empty_body_is_empty_with_any_coding(coding: str) -> None:
    assert await read(b"", coding) == b""


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "compress"])
async def test_an_unrequested_coding_is_refused(coding: str) -> None:
    with pytest.raises(UnknownCoding, match=f"^{coding}$"):
        await read(WORDS, coding)


async def test_a_truncated_compressed_body_raises() -> None:
    with pytest.raises(EOFError, match="the compressed body is truncated"):
        await read(gzip.compress(WORDS, mtime=0)[:-9], "gzip")


async def test_a_corrupt_body_raises() -> None:
    with pytest.raises(zlib.error):
        await read(b"this was never compressed", "gzip")


@pytest.mark.parametrize(("coding", "content"), [("", WORDS), ("gzip", gzip.compress(WORDS, mtime=0))])
async def test_a_body_may_be_as_large_as_the_limit(coding: str, content: bytes) -> None:
    assert len(await read(content, coding, limit=len(WORDS))) == len(WORDS)
    with pytest.raises(BodyTooLarge):
        await read(content, coding, limit=len(WORDS) - 1)


class Twice:
    """A stream that is its own iterator, and no generator."""

    def __init__(self) -> None:
        self.left = 2

    def __aiter__(self) -> "Twice":
        return self

    async def __anext__(self) -> bytes:
        if self.left == 0:
            raise StopAsyncIteration
        self.left -= 1
        return b"again"


async def test_a_stream_need_not_be_a_generator() -> None:
    assert await read_body(Twice(), "", limit=10) == b"againagain"
    with pytest.raises(BodyTooLarge):
        await read_body(Twice(), "", limit=9)


@pytest.mark.long
@pytest.mark.unmeasured
@pytest.mark.parametrize("size", [50, 10_000_000])
async def test_a_bomb_is_refused_before_it_expands(size: int) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge):
            await read(bomb, "gzip", limit=100_000, size=size)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


async def test_a_bomb_of_small_parts_is_refused_before_it_expands() -> None:
    bomb = gzip.compress(bytes(50_000)) * 1_000
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge):
            await read(bomb, "gzip", limit=100_000, size=len(bomb))
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


async def test_no_part_beyond_the_limit_is_dropped() -> None:
    with pytest.raises(BodyTooLarge):
        await read(gzip.compress(WORDS, mtime=0) + gzip.compress(b"x"), "gzip", limit=len(WORDS), size=100_000)


@pytest.mark.unmeasured
@few_examples()
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.sampled_from(["gzip", "deflate", ""]))
def test_any_compressed_body_is_decompressed(parts: list[bytes], coding: str) -> None:
    whole = b"".join(parts)
    content = {
        "gzip": b"".join(gzip.compress(part) for part in parts),
        "deflate": zlib.compress(whole),
        "": whole,
    }[coding]

    async def main() -> None:
        assert await read(content, coding, size=5) == whole

    anyio.run(main)


@pytest.mark.unmeasured
@given(st.binary(max_size=200), st.text(max_size=10) | st.sampled_from(["gzip", "deflate"]))
def test_invalid_bodies_raise_known_errors(content: bytes, coding: str) -> None:
    async def main() -> None:
        with contextlib.suppress(BodyTooLarge, UnknownCoding, EOFError, zlib.error):
            assert len(await read(content, coding, limit=1000)) <= 1000

    anyio.run(main)


@pytest.mark.parametrize("size", [20, 10_000])
async def test_an_endless_body_that_expands_to_nothing_is_refused(size: int) -> None:
    nothing = gzip.compress(b"") * 1_000
    read_so_far = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read_so_far
        while True:
            for start in range(0, len(nothing), size):
                read_so_far += size
                yield nothing[start : start + size]

    with pytest.raises(BodyTooLarge):
        await read_body(endless(), "gzip", limit=100_000)
    assert read_so_far < 250_000


class Abandoned:
    """A stream that is left in mid-body, and takes a while to end."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.ended = False

    async def stream(self) -> AsyncIterator[bytes]:
        try:
            while True:
                await anyio.sleep(1)
                yield b"x"
        finally:
            with anyio.CancelScope(shield=False):
                await anyio.sleep(self.seconds)
            self.ended = True


async def test_a_stream_is_closed_after_an_error() -> None:
    abandoned = Abandoned(0.5)
    with pytest.raises(BodyTooLarge):
        await read_body(abandoned.stream(), "", limit=2)
    assert abandoned.ended


class Hanging:
    """A stream that says nothing more, and takes a while to end."""

    def __init__(self) -> None:
        self.ended = False

    def __aiter__(self) -> "Hanging":
        return self

    async def __anext__(self) -> bytes:
        await anyio.sleep(1000)
        return b""

    async def aclose(self) -> None:
        await anyio.sleep(0.5)
        self.ended = True


async def test_a_stream_is_closed_after_cancellation() -> None:
    hanging = Hanging()
    with anyio.move_on_after(1):
        await read_body(hanging, "", limit=2)
    assert hanging.ended


async def test_closing_a_stream_is_bounded() -> None:
    start = anyio.current_time()
    with pytest.raises(BodyTooLarge):
        await read_body(Abandoned(1000.0).stream(), "", limit=2)
    assert anyio.current_time() < start + 100


async def test_a_compressed_body_exactly_at_the_limit_is_read() -> None:
    assert await read(gzip.compress(WORDS, mtime=0), "gzip", limit=len(WORDS)) == WORDS


async def test_a_small_body_may_be_larger_compressed() -> None:
    assert await read(gzip.compress(b"x"), "gzip", limit=1) == b"x"


async def test_an_incompressible_body_is_read_up_to_the_limit() -> None:
    content = bytes(range(256)) * 20
    assert await read(gzip.compress(content, 0), "gzip", limit=len(content)) == content
