"""Hooks of a client: which account a record is of, and renewed tokens."""

from typing import Any

import pytest

from stellantis_hal import Brand, Hooks, MemoryTokenStore, Token, TokenRecord
from stellantis_hal.simulator import Simulator
from tests.support.simulated import client_of, token_of, world

pytestmark = pytest.mark.anyio


async def test_records_name_the_account_and_its_renewed_token() -> None:
    simulator = Simulator(world())
    issued = token_of(simulator)
    heard: list[Any] = []
    tokens: list[TokenRecord] = []
    hooks = Hooks(on_request=heard.append, on_response=heard.append, on_token_renewed=tokens.append)
    async with client_of(simulator, hooks=hooks) as client:
        store = MemoryTokenStore(Token("", issued.refresh_token))
        await client.account(store, brand=Brand.PEUGEOT, key="alice@example.test").user()
        renewed = await store.load("alice@example.test")
    assert renewed is not None
    assert [(each.account, each.expires_at) for each in tokens] == [("alice@example.test", renewed.expires_at)]
    assert tokens[0].server in simulator.identity_url.format(domain="peugeot.com")
    assert "alice" not in repr(tokens)
    api = [each for each in heard if each.route.endswith("/user")]
    assert {each.account for each in api} == {"alice@example.test"}
    assert {each.account for each in heard if each not in api} == {None}  # requests to the identity server


async def test_a_token_hook_that_raises_costs_no_request(caplog: pytest.LogCaptureFixture) -> None:
    def fail(record: TokenRecord) -> None:
        raise RuntimeError("no metrics")

    simulator = Simulator(world())
    async with client_of(simulator, hooks=Hooks(on_token_renewed=fail)) as client:
        store = MemoryTokenStore(Token("", token_of(simulator).refresh_token))
        await client.account(store, brand=Brand.PEUGEOT).user()
    assert caplog.text.count("the hook on_token_renewed raised") == 1
