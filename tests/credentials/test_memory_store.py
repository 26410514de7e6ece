"""The token store in memory."""

import anyio
import pytest

from stellantis_hal import MemoryTokenStore, Token
from stellantis_hal.errors import TokenStoreError

pytestmark = pytest.mark.anyio


async def test_each_key_has_a_token_of_its_own() -> None:
    store = MemoryTokenStore()
    await store.save("alice", Token("a"))
    await store.save("bob", Token("b"))
    assert await store.load("alice") == Token("a")
    assert await store.load("bob") == Token("b")
    assert await store.load("carol") is None
    assert await store.keys() == ("alice", "bob")


async def test_a_default_token_is_returned_for_any_key() -> None:
    store = MemoryTokenStore(Token("given"))
    assert await store.load("alice") == await store.load("bob") == Token("given")
    assert await store.keys() == ()


async def test_a_saved_token_hides_the_default_under_its_key_only() -> None:
    store = MemoryTokenStore(Token("given"))
    await store.save("alice", Token("a"))
    assert await store.load("alice") == Token("a")
    assert await store.load("bob") == Token("given")


async def test_saving_none_removes_the_token() -> None:
    store = MemoryTokenStore()
    await store.save("alice", Token("a"))
    await store.save("alice", None)
    await store.save("nobody", None)
    assert await store.load("alice") is None
    assert await store.keys() == ()


async def test_saving_none_hides_the_default_token_under_its_key() -> None:
    store = MemoryTokenStore(Token("given"))
    await store.save("alice", None)
    assert await store.load("alice") is None
    assert await store.load("bob") == Token("given")
    assert await store.keys() == ()


async def test_a_lock_excludes_other_tasks_from_the_same_key() -> None:
    store = MemoryTokenStore()
    inside: list[str] = []

    async def visit(name: str) -> None:
        async with store.lock("alice"):
            inside.append(f"{name} in")
            await anyio.sleep(1)
            inside.append(f"{name} out")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(visit, "first")
        tasks.start_soon(visit, "second")
    assert [word.split()[1] for word in inside] == ["in", "out", "in", "out"]


async def test_locks_of_different_keys_do_not_meet() -> None:
    store = MemoryTokenStore()
    async with store.lock("alice"), store.lock("bob"):
        pass


async def test_the_wait_for_a_lock_is_bounded() -> None:
    store = MemoryTokenStore(lock_timeout=5)
    began = anyio.current_time()
    async with store.lock("alice"):
        with pytest.raises(TokenStoreError, match="alice") as caught:
            async with store.lock("alice"):
                pass
    assert caught.value.key == "alice"
    assert anyio.current_time() - began == pytest.approx(5, abs=0.5)


async def test_a_cancelled_wait_leaves_nothing_locked() -> None:
    store = MemoryTokenStore()
    async with store.lock("alice"):
        with anyio.move_on_after(1):
            async with store.lock("alice"):
                pytest.fail("two tasks had one lock")
    async with store.lock("alice"):
        pass
    assert not store._locks._locks


async def test_an_error_inside_leaves_nothing_locked() -> None:
    store = MemoryTokenStore()
    with pytest.raises(KeyError):
        async with store.lock("alice"):
            raise KeyError
    async with store.lock("alice"):
        pass


async def test_repr_shows_no_token() -> None:
    store = MemoryTokenStore(Token("given-secret"))
    await store.save("alice", Token("secret"))
    assert repr(store) == "MemoryTokenStore(1 accounts)"
