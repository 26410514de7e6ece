"""Advice for failures of files and databases, as an operator meets them at the start."""

import logging
import os
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from stellantis_hal import (
    Application,
    FileTokenStore,
    SQLiteCheckpoints,
    SQLiteInbox,
    SQLiteTokenStore,
    StellantisClient,
    Token,
)
from stellantis_hal.errors import StellantisError, TokenStoreError
from stellantis_hal.simulator import Simulator
from stellantis_hal.storage.advice import with_advice
from stellantis_hal.testing import simulated_account, simulated_client, small_world

pytestmark = pytest.mark.anyio


async def enter(store: Any) -> None:
    async with store:
        pass


@pytest.mark.parametrize(
    ("said", "advised"),
    [
        ("HELLO must be called with the client already authenticated, otherwise", "give the password in its URL"),
        ("invalid username-password pair or user is disabled.", "or user is disabled: correct the user"),
        ("User x has no permissions to run the 'evalsha' command", "ACL SETUSER"),
        ("The user executing the script can't run this command or subcommand script: 42", "ACL SETUSER"),
        ("unknown command 'EVALSHA'", "use a server that has this command"),
        ("Unable to establish a connection to 127.0.0.1:9", "check that it runs, and its host and port"),
        ("connection to server at 127.0.0.1, port 9 failed: Connection refused", "check that it runs"),
        ('FATAL:  password authentication failed for user "x"', "correct the user and the password of the dsn"),
        ('FATAL:  database "x" does not exist', "create it, or correct the dsn"),
        ("permission denied for schema public", "grant it to the role of the dsn"),
        ("FATAL:  sorry, too many clients already", "max_connections"),
        ("No space left on device", "free some space there"),
        ("Permission denied", "let the user of this process read and write it"),
    ],
)
def test_known_failures_say_what_to_do(said: str, advised: str) -> None:
    assert advised in with_advice(said)


def test_other_failures_are_as_they_were_said() -> None:
    assert with_advice("the moon is full.") == "the moon is full."


@pytest.mark.parametrize("store", [SQLiteCheckpoints, SQLiteTokenStore, SQLiteInbox])
async def test_a_missing_folder_is_told_at_the_start(store: Callable[[Path], Any], tmp_path: Path) -> None:
    """Not at the first event or the first renewal, hours later."""
    with pytest.raises(StellantisError, match=r"missing/x\.db: unable to open database file: it has to be a file in a"):
        await enter(store(tmp_path / "missing" / "x.db"))


@pytest.mark.parametrize("store", [SQLiteCheckpoints, SQLiteTokenStore, SQLiteInbox])
async def test_another_file_is_told_at_the_start(store: Callable[[Path], Any], tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_text("a text, and no database" * 100)
    path.chmod(0o600)
    with pytest.raises(StellantisError, match=r"x\.db: file is not a database: correct the path"):
        await enter(store(path))


@pytest.mark.parametrize("store", [SQLiteCheckpoints, SQLiteTokenStore, SQLiteInbox])
async def test_a_file_that_cannot_be_written_is_told_at_the_start(
    store: Callable[[Path], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may write any file: so the connection is made one that only reads."""
    path = tmp_path / "x.db"
    await enter(store(path))
    connect: Any = sqlite3.connect

    def read_only(database: str, *arguments: Any, **options: Any) -> Any:
        return connect(f"file:{path}?mode=ro", *arguments, **(options | {"uri": True}))

    monkeypatch.setattr(sqlite3, "connect", read_only)
    with pytest.raises(StellantisError, match="readonly database: let the user of this process read and write it"):
        await enter(store(path))


async def _load(store: FileTokenStore) -> object:
    return await store.load("alice")


@pytest.mark.parametrize("call", [FileTokenStore.keys, _load], ids=["keys", "load"])
async def test_a_missing_folder_of_tokens_is_no_missing_token(
    call: Callable[[FileTokenStore], Awaitable[object]], tmp_path: Path
) -> None:
    """The account holder would be asked for a consent that is there."""
    with pytest.raises(TokenStoreError, match="missing is not a folder that exists: create it, or correct the path"):
        await call(FileTokenStore(tmp_path / "missing" / "tokens.json"))


async def test_a_folder_of_tokens_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(TokenStoreError, match="is not a file: pass the path of a file"):
        await FileTokenStore(tmp_path).load("alice")


async def test_tokens_that_cannot_be_renewed_are_told_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, by the first read of the store; the token may live for another hour."""
    store = FileTokenStore(tmp_path / "tokens.json")
    await store.save("alice", Token("access", "refresh"))
    store = FileTokenStore(tmp_path / "tokens.json")

    def refuses(path: object, mode: int) -> bool:
        return False

    monkeypatch.setattr(os, "access", refuses)
    with caplog.at_level(logging.WARNING):
        assert await store.load("alice") is not None
        assert await store.load("bob") is None
    [record] = caplog.records
    assert "cannot be written by this user" in record.getMessage()
    assert "none of them can be renewed" in record.getMessage()


async def test_a_missing_token_names_the_store(tmp_path: Path) -> None:
    simulator, path = Simulator(small_world()), tmp_path / "other.json"
    async with simulated_client(simulator) as client:
        account = simulated_account(client, simulator, tokens=FileTokenStore(path))
        with pytest.raises(StellantisError, match=r"no token for account .* \(file:.*other\.json\): check the key and"):
            await account.user()


@pytest.mark.parametrize("url", ["api.groupe-psa.com", "ftp://api.groupe-psa.com", "", "https://"])
def test_a_wrong_base_url_is_named(url: str) -> None:
    with pytest.raises(ValueError, match="base_url must be an http or https URL with a host, such as 'https://"):
        StellantisClient(Application("id", "secret"), base_url=url)
