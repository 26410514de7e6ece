"""The stores of a cache: in memory and in an SQLite file."""

import os
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.errors import StellantisError
from stellantis_hal.navigation.cache.memory import MemoryCache
from stellantis_hal.navigation.cache.row_format import pack, unpack
from stellantis_hal.navigation.cache.sqlite import SQLiteCache
from stellantis_hal.navigation.cache.store import CacheStore
from stellantis_hal.navigation.cache.stored_response import StoredResponse
from stellantis_hal.storage.errors import StorageError
from tests.navigation.cache.origin_server import URL, OriginServer, answer_of, get

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]


def stored(content: bytes = b"one", **fields: Any) -> StoredResponse:
    """Return a stored response."""
    found = StoredResponse.of(answer_of(content, etag='"1"', **fields), {"accept": "a/b", "x": "1"}, delay=0)
    assert found is not None
    return found


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[CacheStore]:
    if request.param == "memory":
        yield MemoryCache(100_000)
    else:
        async with SQLiteCache(tmp_path / "responses.db", 100_000) as cache:
            yield cache


async def put(store: CacheStore, key: str, *variants: StoredResponse) -> None:
    await store.save(key, variants, (await store.load(key)).version)


async def test_what_is_saved_is_loaded(store: CacheStore) -> None:
    variants = (stored(b"one", vary="x, y", cache_control="max-age=60"), stored(b"\x00\xff", x="\udcff"))
    await put(store, "a", *variants)
    assert (await store.load("a")).variants == variants
    assert (await store.load("b")).variants == ()
    await put(store, "a", stored(b"two"))
    assert [variant.content for variant in (await store.load("a")).variants] == [b"two"]


async def test_a_save_of_an_old_version_has_no_effect(store: CacheStore) -> None:
    absent = (await store.load("a")).version
    await put(store, "a", stored(b"new"))
    await store.save("a", (stored(b"old"),), absent)
    assert [variant.content for variant in (await store.load("a")).variants] == [b"new"]


@pytest.mark.parametrize("clears", [False, True])
async def test_nothing_is_saved_that_was_loaded_before_a_removal(store: CacheStore, clears: bool) -> None:
    for present in (False, True):
        if present:
            await put(store, "a", stored())
        version = (await store.load("a")).version
        await (store.clear("a") if clears else store.forget("a"))
        await store.save("a", (stored(b"old"),), version)
        assert (await store.load("a")).variants == ()


async def test_a_removal_is_remembered_beyond_the_bound(store: CacheStore) -> None:
    """The marks of removals take room too, and make way as everything else."""
    version = (await store.load("a")).version
    await store.forget("a")
    for number in range(150):
        await store.forget(f"b{number}")
    await store.save("a", (stored(b"old"),), version)
    assert (await store.load("a")).variants == ()
    await put(store, "a", stored(b"new"))
    assert (await store.load("a")).variants


async def test_clearing_removes_one_prefix(store: CacheStore) -> None:
    for key in ("ab", "ac", "b", "a%", "a_"):
        await put(store, key, stored())
    await store.clear("a")
    assert [bool((await store.load(key)).variants) for key in ("ab", "ac", "b", "a%", "a_")] == [False, False, True] + [
        False
    ] * 2
    await store.clear()
    assert (await store.load("b")).variants == ()


async def test_the_bytes_are_bounded(store: CacheStore) -> None:
    for number in range(30):
        await put(store, f"k{number}", stored(bytes(10_000)))
    found = [number for number in range(30) if (await store.load(f"k{number}")).variants]
    assert 5 < len(found) < 10
    assert found[-1] == 29


async def test_a_large_body_is_not_stored(store: CacheStore) -> None:
    await put(store, "a", stored(bytes(12_500)), stored(bytes(12_501)))
    assert [len(variant.content) for variant in (await store.load("a")).variants] == [12_500]


async def test_eight_variants_are_stored(store: CacheStore) -> None:
    await put(store, "a", *(stored(b"%d" % number) for number in range(10)))
    assert [variant.content for variant in (await store.load("a")).variants] == [b"%d" % n for n in range(2, 10)]


async def test_memory_keeps_what_is_used() -> None:
    cache = MemoryCache(100_000)
    for number in range(30):
        await put(cache, f"k{number}", stored(bytes(10_000)))
        await cache.load("k0")
    assert (await cache.load("k0")).variants
    assert 10_000 < cache.size <= 100_000
    assert "of 100000 bytes" in repr(cache)


def test_bounds_that_hold_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 10,000 bytes, not 5"):
        MemoryCache(5)
    with pytest.raises(ValueError, match="at least 10,000 bytes, not 5"):
        SQLiteCache(tmp_path / "x", 5)


async def test_tasks_of_one_key_leave_one_of_their_values(store: CacheStore) -> None:
    async def save(content: bytes) -> None:
        await put(store, "a", stored(content))

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(save, b"%d" % number)
    assert len((await store.load("a")).variants) == 1


# ------------------------------------------------------------------------------------------------- the file


async def test_a_file_serves_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "responses.db"
    server = OriginServer()
    server.answer("one", cache_control="max-age=60", vary="x")
    async with SQLiteCache(path) as first:
        await get(server.cached(first), x="1")
    async with SQLiteCache(path) as second, SQLiteCache(path) as third:
        hit = await get(server.cached(second), x="1")
        assert (hit.content, hit.from_cache, server.sent) == (b"one", True, 1)
        await third.forget("alice https://api.example:443/orders")
        assert not (await get(server.cached(second), x="1")).from_cache
    assert (await second.load("a")).variants == ()
    await second.aclose()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert repr(second) == f"SQLiteCache({str(path)!r}, 256000000)"


@pytest.mark.parametrize("value", ["CAST(X'ff41' AS TEXT)", "'text'", "1e300", "9223372036854775807"])
async def test_damaged_counters_cost_requests(tmp_path: Path, value: str, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "responses.db"
    server = OriginServer()
    server.answer("one", cache_control="max-age=60")
    async with SQLiteCache(path) as cache:
        fetch = server.cached(cache)
        server.answer("one", url=f"{URL}/new", cache_control="max-age=60")
        await get(fetch)
        with sqlite3.connect(path) as connection:
            connection.execute(f"UPDATE counters SET value = {value}")
        connection.close()
        assert (await get(fetch, f"{URL}/new")).content == b"one"
        with pytest.raises(StorageError, match=r"delete it|another program wrote it"):
            await cache.forget("a")
    assert "the cache could not be" in caplog.text
    assert "\ufffd" not in caplog.text  # what stands there is not quoted


async def test_a_size_that_was_counted_wrongly_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "responses.db"
    server = OriginServer()
    server.answer("one", cache_control="max-age=60")
    async with SQLiteCache(path) as cache:
        fetch = server.cached(cache)
        await get(fetch)
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE counters SET value = 1000000000000 WHERE name = 'size'")
            connection.execute("UPDATE responses SET version = 'x'")
        connection.close()
        assert [(await get(fetch)).from_cache for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "format", "text", "no text", "empty"])
async def test_a_damaged_row_is_logged_and_asked_again(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "responses.db"
    server = OriginServer()
    server.answer("one", cache_control="max-age=60")
    async with SQLiteCache(path) as cache:
        fetch = server.cached(cache)
        await get(fetch)
        with sqlite3.connect(path) as connection:
            (row,) = connection.execute("SELECT content FROM responses").fetchone()
            broken: object = {
                "truncated": row[:-1],
                "flipped": row[:-1] + bytes([row[-1] ^ 1]),
                "format": b"9" + row[1:],
                "text": "a text",
                "no text": b"\xff",
                "empty": b"",
            }[damage]
            kind = "TEXT" if "text" in damage else "BLOB"
            connection.execute(f"UPDATE responses SET content = CAST(? AS {kind})", (broken,))
        connection.close()
        assert not (await get(fetch)).from_cache
        assert (await get(fetch)).from_cache
    assert "a stored response was left out" in caplog.text


@pytest.mark.unmeasured
@pytest.mark.parametrize("column", ["key", "version", "size", "content"])
@pytest.mark.parametrize("value", ["CAST(X'ff41' AS TEXT)", "X'ff'", "1e300", "9223372036854775807"])
async def test_a_row_of_another_program_costs_no_other_one(tmp_path: Path, column: str, value: str) -> None:
    path = tmp_path / "responses.db"
    server = OriginServer()
    for number in range(20):
        server.answer("one", url=f"{URL}/{number}", cache_control="max-age=60")
    async with SQLiteCache(path, 10_000, max_body=4_000) as cache:
        fetch = server.cached(cache)
        for number in range(2):
            await get(fetch, f"{URL}/{number}")
        with sqlite3.connect(path) as connection:
            connection.execute(
                f"UPDATE responses SET {column} = {value} WHERE rowid = (SELECT MIN(rowid) FROM responses)"
            )
        connection.close()
        assert (await get(fetch, f"{URL}/1")).from_cache
        for number in range(2, 20):  # more than there is room for
            assert not (await get(fetch, f"{URL}/{number}")).from_cache
            assert (await get(fetch, f"{URL}/{number}")).from_cache
        await cache.clear()
        assert not (await get(fetch, f"{URL}/19")).from_cache
        await cache.clear()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT COUNT(*) FROM responses").fetchone() == (0,)
    connection.close()


async def test_a_file_that_is_no_database_costs_requests(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "responses.db"
    path.write_bytes(b"something else" * 1_000)
    server = OriginServer()
    server.answer("one", cache_control="max-age=60")
    async with SQLiteCache(path) as cache:
        fetch = server.cached(cache)
        for _ in range(2):
            assert (await get(fetch)).content == b"one"
        with pytest.raises(StellantisError):
            await cache.load("a")
    assert server.sent == 2
    assert "the cache could not be read" in caplog.text


async def test_a_file_without_counters_costs_requests(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "responses.db"
    server = OriginServer()
    server.answer("one", cache_control="max-age=60")
    async with SQLiteCache(path) as cache:
        fetch = server.cached(cache)
        await get(fetch)
        with sqlite3.connect(path) as connection:
            connection.execute("DELETE FROM counters")
            connection.execute("DELETE FROM responses")
        connection.close()
        assert not (await get(fetch)).from_cache
    assert "is damaged, or another program's: delete it" in caplog.text


def test_rows_of_other_shapes_are_refused() -> None:
    for row in (b"", b"1", b"1" * 8, b"1" * 9, pack(())[:-1]):
        with pytest.raises(ValueError, match=r"it has another format|its checksum is wrong"):
            unpack(row)


def test_metadata_of_other_shapes_are_refused() -> None:
    import zlib

    for metadata in (b"[{}]", b"{", b"[1]", b"5", b'[{"length": "x"}]'):
        rest = len(metadata).to_bytes(4) + metadata
        with pytest.raises(ValueError, match="its metadata are unreadable"):
            unpack(b"1" + zlib.crc32(rest).to_bytes(4) + rest)


@pytest.mark.unmeasured
@given(st.lists(st.binary(max_size=20), max_size=4), st.text(max_size=10))
def test_what_is_packed_is_unpacked(contents: list[bytes], field: str) -> None:
    variants = tuple(stored(content, x=field) for content in contents)
    assert unpack(pack(variants)) == variants
