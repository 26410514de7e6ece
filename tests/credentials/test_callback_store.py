"""The token store over a host program's own functions."""

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from stellantis_hal import Brand, CallbackTokenStore, Token, TokenStore
from stellantis_hal.errors import TokenStoreError
from stellantis_hal.simulator import Simulator
from tests.credentials.doubles import NOON
from tests.support.simulated import client_of, token_of, world

pytestmark = pytest.mark.anyio


class Host:
    """A program that keeps JSON text by key."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def load(self, key: str) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = json.loads(self.kept.get(key, "null"))
        return found

    def save(self, key: str, token: Token | None) -> None:
        self.kept[key] = json.dumps(token and token.to_dict())

    async def load_later(self, key: str) -> Mapping[str, Any] | None:
        await anyio.lowlevel.checkpoint()
        return self.load(key)

    async def save_later(self, key: str, token: Token | None) -> None:
        await anyio.lowlevel.checkpoint()
        self.save(key, token)


@pytest.mark.parametrize("later", [False, True], ids=["plain", "async"])
async def test_tokens_go_through_the_hosts_functions(later: bool) -> None:
    host = Host()
    store: TokenStore = (
        CallbackTokenStore(host.load_later, host.save_later) if later else CallbackTokenStore(host.load, host.save)
    )
    token = Token("a", "r", NOON, ("data:trip",))
    assert await store.load("alice") is None
    async with store.lock("alice"):
        await store.save("alice", token)
    assert await store.load("alice") == token
    assert await store.keys() == ("alice",)
    await store.save("alice", None)
    assert await store.load("alice") is None
    assert await store.keys() == ()


async def test_keys_may_come_from_the_host() -> None:
    host = Host()
    host.save("bob", Token("b"))
    host.save("alice", Token("a"))
    store = CallbackTokenStore(host.load, host.save, keys=lambda: host.kept)
    assert await store.keys() == ("alice", "bob")
    assert repr(store) == "CallbackTokenStore(0 accounts seen)"


@pytest.mark.parametrize(
    "stored",
    [
        Token("a", "r"),
        {"access_token": "a", "refresh_token": "r", "token_type": "Bearer", "expires_in": 900},
        SimpleNamespace(access_token="a", refresh_token="r", expires_at=None, scope=""),
    ],
    ids=["token", "mapping", "object"],
)
async def test_load_may_return_any_form_of_a_token(stored: Any) -> None:
    store = CallbackTokenStore(lambda _: stored, print)
    assert await store.load("alice") == Token("a", "r")


@pytest.mark.parametrize("stored", ["secret-text", 1, {}, {"access_token": 1}, {"access_token": "s", "scope": 1}])
async def test_what_is_no_token_is_refused_without_secrets(stored: Any) -> None:
    store = CallbackTokenStore(lambda _: stored, print)
    with pytest.raises(TokenStoreError, match="load returned no token for account") as caught:
        await store.load("alice@example.test")
    assert "secret" not in str(caught.value)
    assert "alice" not in str(caught.value)


@pytest.mark.parametrize("name", ["load", "save", "keys"])
async def test_an_error_of_the_host_becomes_a_store_error(name: str) -> None:
    def fail(*_: object) -> Any:
        raise RuntimeError("the database is locked")

    functions: dict[str, Any] = {"load": print, "save": print, "keys": None, name: fail}
    store = CallbackTokenStore(functions["load"], functions["save"], keys=functions["keys"])
    calls = {"load": lambda: store.load("alice"), "save": lambda: store.save("alice", None), "keys": store.keys}
    with pytest.raises(TokenStoreError, match=f"{name}.* raised RuntimeError") as caught:
        await calls[name]()
    assert isinstance(caught.value.__cause__, RuntimeError)


async def test_a_failed_save_leaves_the_keys_as_they_were() -> None:
    def fail(*_: object) -> None:
        raise OSError

    store = CallbackTokenStore(lambda _: Token("a"), fail)
    await store.load("alice")
    with pytest.raises(TokenStoreError):
        await store.save("alice", None)
    assert await store.keys() == ("alice",)


async def test_a_lock_excludes_tasks_from_the_same_key_only() -> None:
    store = CallbackTokenStore(lambda _: None, print, lock_timeout=1)
    async with store.lock("alice"), store.lock("bob"):
        with pytest.raises(TokenStoreError, match="not available within 1 s"):
            async with store.lock("alice"):
                pytest.fail("the lock of a key was given twice")
    async with store.lock("alice"):
        pass


@pytest.mark.parametrize("functions", [(None, print), (print, None)])
async def test_what_is_no_function_is_refused(functions: tuple[Any, Any]) -> None:
    with pytest.raises(TypeError, match="must be a function, not NoneType"):
        CallbackTokenStore(*functions)


async def test_keys_that_are_no_function_are_refused() -> None:
    keys: Any = ["alice"]
    with pytest.raises(TypeError, match="keys must be a function, not list"):
        CallbackTokenStore(print, print, keys=keys)


async def test_a_renewed_token_reaches_the_host() -> None:
    """An expired token of the host is renewed, and the new pair is handed to ``save`` before it is used."""
    simulator = Simulator(world())
    issued = token_of(simulator)
    host = Host()
    host.save("alice", Token("expired", issued.refresh_token, NOON, issued.scope))
    store = CallbackTokenStore(host.load, host.save)
    async with client_of(simulator) as client:
        user = await client.account(store, brand=Brand.PEUGEOT, key="alice").user()
    assert user.document
    assert Token.from_dict(host.load("alice") or {}).access_token not in {"expired", issued.access_token}
