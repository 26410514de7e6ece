"""The token store in an SQLite file."""

import os
import sqlite3
from pathlib import Path
from typing import cast

import anyio
import pytest

from stellantis_hal import FileTokenStore, SQLiteTokenStore, Token, TokenStoreError
from stellantis_hal.credentials.stores.sealing import Seal, Transform

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]

TOKEN = Token("access", "refresh", scope=("data:trip",))


def flip(content: bytes) -> bytes:
    return bytes(byte ^ 0x5A for byte in content)


def contents_of(path: Path) -> bytes:
    return path.read_bytes()


def fill(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)


def fail(content: bytes) -> bytes:
    raise LookupError(content)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.db"


async def test_tokens_are_kept(path: Path, tmp_path: Path) -> None:
    async with SQLiteTokenStore(path) as store:
        assert await store.load("alice") is None
        await store.save("bob", Token("b"))
        async with store.lock("alice"):
            await store.save("alice", TOKEN)
        assert store.identity == f"sqlite:{path}"
        assert repr(store) == f"SQLiteTokenStore('{path}')"
    assert os.stat(path).st_mode & 0o777 == 0o600
    store = SQLiteTokenStore(path)
    assert await store.load("alice") == TOKEN
    await store.save("bob", None)
    assert await store.keys() == ("alice",)
    await store.aclose()
    assert os.listdir(tmp_path) == ["tokens.db"]


async def test_a_lock_excludes_other_stores_of_the_file(path: Path) -> None:
    async with SQLiteTokenStore(path) as one, SQLiteTokenStore(path, lock_timeout=0.1) as two:
        async with one.lock("alice"), two.lock("bob"):
            with pytest.raises(TokenStoreError, match=r"was not available within 0\.1 s: another process holds it"):
                async with two.lock("alice"):
                    pass
        with anyio.CancelScope() as scope:
            async with one.lock("alice"):
                scope.cancel()
                await anyio.sleep_forever()
        async with two.lock("alice"):
            pass


def text(content: bytes) -> object:
    return content.hex()


def changeable(content: bytes) -> object:
    return bytearray(flip(content))


async def test_functions_that_return_no_bytes_are_refused(path: Path) -> None:
    """SQLite would keep text, which the reverse function does not read."""
    async with SQLiteTokenStore(path, encrypt=cast("Transform", text), decrypt=flip) as store:
        with pytest.raises(TokenStoreError, match="encrypt raised TypeError for account 'alice'") as caught:
            await store.save("alice", TOKEN)
        assert str(caught.value.__cause__).startswith("it returned str, not bytes")
        assert await store.load("alice") is None
    async with SQLiteTokenStore(path, encrypt=cast("Transform", changeable), decrypt=cast("Transform", text)) as store:
        await store.save("alice", TOKEN)
        with pytest.raises(TokenStoreError, match=r"cannot be decrypted \(TypeError"):
            await store.load("alice")


async def test_encrypted_rows_need_their_secret(path: Path) -> None:
    async with SQLiteTokenStore(path, encrypt=flip, decrypt=flip) as store:
        await store.save("alice", TOKEN)
        assert await store.load("alice") == TOKEN
    assert b"refresh" not in contents_of(path)
    async with SQLiteTokenStore(path) as plain:
        with pytest.raises(TokenStoreError, match=r"the row of account 'alice' in .* is not a token file") as caught:
            await plain.load("alice")
        assert caught.value.key == "alice"
    async with SQLiteTokenStore(path, encrypt=fail, decrypt=fail) as store:
        with pytest.raises(TokenStoreError, match=r"cannot be decrypted \(LookupError; see __cause__\)"):
            await store.load("alice")
        with pytest.raises(TokenStoreError, match="encrypt raised LookupError for account 'alice'"):
            await store.save("alice", TOKEN)
    with pytest.raises(ValueError, match="pass both encrypt and decrypt"):
        Seal(flip, None)


@pytest.mark.parametrize("content", [b"", b"\x00", b"x" * 100, 7, "text", None])
async def test_damaged_rows_concern_their_account(path: Path, content: object) -> None:
    async with SQLiteTokenStore(path) as store:
        await store.save("alice", TOKEN)
        await store.save("bob", TOKEN)
        connection = sqlite3.connect(path)
        if content is None:  # a row of another account
            connection.execute("UPDATE tokens SET content = (SELECT content FROM tokens WHERE key = 'bob')")
        else:
            connection.execute("UPDATE tokens SET content = ? WHERE key = 'alice'", (content,))
        connection.commit()
        connection.close()
        with pytest.raises(TokenStoreError, match="'alice'"):
            await store.load("alice")
        assert await store.load("bob") == TOKEN
        await store.save("alice", TOKEN)
        assert await store.load("alice") == TOKEN


@pytest.mark.parametrize("key", ["CAST(X'ff41' AS TEXT)", "X'ff00'"])
async def test_keys_that_are_no_text_are_told(path: Path, key: str) -> None:
    async with SQLiteTokenStore(path) as store:
        await store.save("alice", TOKEN)
        await store.save("bob", TOKEN)
        with sqlite3.connect(path) as connection:
            connection.execute(f"UPDATE tokens SET key = {key} WHERE key = 'bob'")
        connection.close()
        with pytest.raises(TokenStoreError) as caught:
            await store.keys()
        assert str(caught.value) == (
            f"{path} has keys that are no text in UTF-8 (1 of 2): another program wrote them. Remove these rows, or "
            "restore the file from a backup; single accounts can be read"
        )
        assert await store.load("alice") == TOKEN
        await store.save("carol", TOKEN)
        assert await store.load("bob") is None


async def test_files_that_others_may_read_are_refused(path: Path, tmp_path: Path) -> None:
    async with SQLiteTokenStore(path) as store:
        await store.save("alice", TOKEN)
    os.chmod(path, 0o644)
    with pytest.raises(TokenStoreError, match=r"may be used by other users \(mode 0644\): chmod 600 it"):
        await SQLiteTokenStore(path).load("alice")
    async with SQLiteTokenStore(path, allow_others=True) as store:
        assert await store.load("alice") == TOKEN
    (tmp_path / "link.db").symlink_to(path)
    for wrong in (tmp_path / "link.db", tmp_path):
        with pytest.raises(TokenStoreError, match="is not a file"):
            await SQLiteTokenStore(wrong).load("alice")
    with pytest.raises(TokenStoreError, match="the tokens cannot be kept"):
        await SQLiteTokenStore(tmp_path / "missing" / "tokens.db").load("alice")
    with pytest.raises(TokenStoreError, match="No such file"):
        async with SQLiteTokenStore(tmp_path / "missing" / "tokens.db").lock("alice"):
            pass


async def test_files_of_another_user_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(path, b"")
    monkeypatch.setattr("os.geteuid", lambda: 4711)
    with pytest.raises(TokenStoreError, match="belongs to another user"):
        await SQLiteTokenStore(path).load("alice")


async def test_a_file_that_is_no_database_is_an_error(path: Path) -> None:
    fill(path, b"no database" * 100)
    with pytest.raises(TokenStoreError, match="file is not a database"):
        await SQLiteTokenStore(path).load("alice")


async def test_a_store_of_files_says_which_store_opens_it(path: Path) -> None:
    """It advised to remove the file, and with it the tokens."""
    async with SQLiteTokenStore(path) as store:
        await store.save("alice", TOKEN)
    with pytest.raises(TokenStoreError, match=r"is an SQLite file, no token file: open it by SQLiteTokenStore$"):
        await FileTokenStore(path).load("alice")


async def test_a_path_that_is_no_file_is_refused() -> None:
    """It was a file of that name in the working directory."""
    with pytest.raises(ValueError, match=r'^path must be a file, not ":memory:": MemoryTokenStore\(\) keeps tokens'):
        SQLiteTokenStore(":memory:")
