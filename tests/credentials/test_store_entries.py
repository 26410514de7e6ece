"""Keys and tokens that no store can keep: they are refused before anything is written or sent."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stellantis_hal import Brand, CallbackTokenStore, FileTokenStore, MemoryTokenStore, SQLiteTokenStore, Token
from stellantis_hal.credentials.stores.protocol import TokenStore
from stellantis_hal.simulator import Simulator
from tests.support.simulated import client_of, world

pytestmark = pytest.mark.anyio


def _over(tokens: dict[str, Token | None]) -> CallbackTokenStore:
    return CallbackTokenStore(tokens.get, tokens.__setitem__)


STORES: dict[str, Callable[[Path], TokenStore]] = {
    "file": lambda folder: FileTokenStore(folder / "tokens"),
    "sqlite": lambda folder: SQLiteTokenStore(folder / "tokens.db"),
    "memory": lambda folder: MemoryTokenStore(),
    "callbacks": lambda folder: _over({}),
}


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("key", [3, None, b"alice"], ids=["int", "none", "bytes"])
async def test_a_key_that_is_no_text_is_refused(kind: str, key: Any, tmp_path: Path) -> None:
    """A number among the keys of a token file ended each later save, and with it the renewals of all accounts."""
    store = STORES[kind](tmp_path)
    with pytest.raises(TypeError, match=r'^key must be str, not .*: key="alice", or key=str\(user.id\)$'):
        await store.save(key, Token("a", "b"))
    with pytest.raises(TypeError, match=r"^key must be str"):
        await store.load(key)
    await store.save("alice", Token("a", "b"))
    assert await store.load("alice") == Token("a", "b")


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("token", ["a", {"access_token": "a"}], ids=["text", "mapping"])
async def test_what_is_no_token_is_refused(kind: str, token: Any, tmp_path: Path) -> None:
    store = STORES[kind](tmp_path)
    with pytest.raises(TypeError, match=r"^token must be Token or None, not .*: Token.from_dict\(…\)$"):
        await store.save("alice", token)
    assert await store.load("alice") is None


async def test_an_account_with_a_number_as_key_is_refused() -> None:
    key: Any = 3
    async with client_of(Simulator(world())) as client:
        with pytest.raises(TypeError, match=r"^key must be str, not int"):
            client.account(MemoryTokenStore(), brand=Brand.PEUGEOT, key=key)


async def test_a_log_in_under_a_number_spends_no_code() -> None:
    key: Any = 3
    simulator = Simulator(world())
    async with client_of(simulator) as client:
        enrolment = client.enrolment(brand=Brand.PEUGEOT, store=MemoryTokenStore())
        request = enrolment.begin(redirect_uri="https://service.example/callback", scope="openid")
        with pytest.raises(TypeError, match=r"^key must be str, not int"):
            await enrolment.complete(request, code="code", state=request.state, key=key)
        with pytest.raises(TypeError, match=r"^key must be str, not int"):
            await enrolment.withdraw(key)
    assert simulator.statistics.requests == 0
