"""The command ``tokens``."""

import json
from pathlib import Path
from typing import Self

import anyio
import pytest
from click import ClickException
from click.testing import CliRunner, Result

from stellantis_hal import FileTokenStore, MemoryTokenStore, SQLiteTokenStore, Token
from stellantis_hal.cli.root_group import commands
from stellantis_hal.cli.settings_folder import default_store
from stellantis_hal.cli.token_copy import copy_tokens
from stellantis_hal.credentials.stores.opening import token_store
from stellantis_hal.credentials.stores.postgres import PostgresTokenStore
from stellantis_hal.credentials.stores.protocol import TokenStore

pytestmark = pytest.mark.wall_clock


@pytest.fixture
def source(tmp_path: Path) -> Path:
    async def fill() -> None:
        store = FileTokenStore(tmp_path / "tokens")
        for key in ("alice", "bob"):
            await store.save(key, Token(f"access of {key}", f"refresh of {key}"))

    anyio.run(fill)
    return tmp_path / "tokens"


def copy(*arguments: object) -> Result:
    return CliRunner().invoke(commands, ["tokens", "copy", *map(str, arguments)])


async def load(path: Path, key: str) -> Token | None:
    async with SQLiteTokenStore(path) as store:
        return await store.load(key)


def test_tokens_are_copied(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "tokens.db"
    result = copy(source, target)
    assert result.exit_code == 0
    assert result.output == f"Copied 2 tokens. Remove {source} once the programs use {target}.\n"
    assert anyio.run(load, target, "bob") == Token("access of bob", "refresh of bob")
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tokens", "tokens.db"]


def test_a_copy_prints_json(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "tokens.db"
    assert json.loads(copy(source, target, "--json").stdout) == {"copied": 2, "from": str(source), "to": str(target)}
    assert anyio.run(load, target, "alice") == Token("access of alice", "refresh of alice")


def test_tokens_of_the_target_are_not_replaced(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "tokens.db"
    assert copy(source, target).exit_code == 0
    again = copy(source, target)
    assert again.exit_code == 1
    assert "2 of 2 accounts have a token in the target already" in again.output
    assert copy(source, target, "--replace").exit_code == 0


def test_a_copy_that_differs_is_an_error(source: Path) -> None:
    class Forgetful(MemoryTokenStore):
        async def load(self, key: str) -> Token | None:
            return None

    async def act() -> int:
        return await copy_tokens(FileTokenStore(source), Forgetful(), replace=False)

    with pytest.raises(ClickException, match="differs from the one that was copied"):
        anyio.run(act)


def test_a_database_gets_its_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []

    class Database(PostgresTokenStore):
        async def __aenter__(self) -> Self:
            steps.append("open")
            return self

        async def __aexit__(self, *_: object) -> None:
            steps.append("close")

        async def create_schema(self) -> None:
            steps.append("create")

        async def keys(self) -> tuple[str, ...]:
            steps.append("keys")
            return ()

    def place(place: str) -> TokenStore:
        return Database(place) if "://" in place else token_store(place)

    monkeypatch.setattr("stellantis_hal.cli.token_copy.token_store", place)
    target = tmp_path / "tokens.db"
    result = copy("postgresql://u:secret@db.test/x", target)
    assert result.output == f"Copied 0 tokens. Remove postgresql://db.test/x once the programs use {target}.\n"
    assert steps == ["open", "create", "keys", "close"]


def test_unknown_places_are_refused(source: Path) -> None:
    result = copy(source, "mysql://user:secret@db/x")
    assert result.exit_code == 2
    assert "no token store has URLs that begin with mysql://" in result.output
    assert "secret" not in result.output


@pytest.mark.parametrize("name", ["tokns", "tokns.db"])
def test_a_source_that_is_not_there_is_refused(tmp_path: Path, name: str) -> None:
    result = copy(tmp_path / name, tmp_path / "new.db")
    assert result.exit_code == 2
    assert f"there is no file {tmp_path / name}: nothing was copied" in result.output
    assert list(tmp_path.iterdir()) == []


def test_places_are_found_by_suffix_and_scheme() -> None:
    assert repr(token_store("/a/tokens")) == "FileTokenStore('/a/tokens')"
    assert repr(token_store("/a/tokens.DB")) == "SQLiteTokenStore('/a/tokens.DB')"
    assert repr(token_store("postgresql://u:secret@db.test/x")) == "PostgresTokenStore(PostgreSQL db.test/x)"
    assert repr(token_store("redis://:secret@redis.test/0")) == "RedisTokenStore(Redis redis.test:6379)"


def test_a_new_profile_has_an_sqlite_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert default_store() == tmp_path / "stellantis-hal" / "tokens.db"
    (tmp_path / "stellantis-hal").mkdir()
    (tmp_path / "stellantis-hal" / "tokens").touch()
    assert default_store() == tmp_path / "stellantis-hal" / "tokens"
