"""The bearer token: sent, renewed in time, once, by one, for all."""

import anyio
import pytest

from stellantis_hal.auth import MemoryTokenStore, Token
from stellantis_hal.errors import (
    BudgetExhaustedError,
    ConfigurationError,
    ConsentRequiredError,
    NetworkError,
    ServerError,
    TokenStoreError,
    UnauthorizedError,
)
from tests.auth.doubles import (
    REFUSED,
    Clock,
    IdentityServer,
    answer,
    authorization,
    bearer,
    form_of,
    oauth_refusal,
    token,
)

pytestmark = pytest.mark.anyio


async def test_a_valid_token_is_sent_as_it_is_with_its_realm():
    server = IdentityServer()
    credentials = bearer(MemoryTokenStore(token()), server)
    assert await credentials.headers() == {
        "Authorization": "Bearer access-0",
        "x-introspect-realm": "clientsB2CPeugeot",
    }
    assert credentials.query == "client_id=my-app"
    assert server.requests == []


async def test_a_token_about_to_expire_is_renewed_before_it_is_sent():
    server = IdentityServer()
    store = MemoryTokenStore(token(expires_in=30))
    assert authorization(await bearer(store, server).headers()) == "Bearer access-1"


async def test_the_new_pair_is_in_the_store_before_anybody_uses_it():
    server = IdentityServer()
    store = MemoryTokenStore(token(expires_in=30))
    await bearer(store, server).headers()
    kept = await store.load("alice")
    assert kept is not None
    assert (kept.access_token, kept.refresh_token, kept.scope) == ("access-1", server.current, ("data:trip",))


async def test_an_answer_without_a_new_refresh_token_keeps_the_old_one():
    server = IdentityServer()
    server.rotates = False
    store = MemoryTokenStore(token(expires_in=30))
    await bearer(store, server).headers()
    kept = await store.load("alice")
    assert kept is not None
    assert kept.refresh_token == "refresh-0"


async def test_a_lone_refresh_token_is_renewed_first():
    assert (
        authorization(await bearer(MemoryTokenStore(Token("", "refresh-0")), IdentityServer()).headers())
        == "Bearer access-1"
    )


async def test_a_refused_token_is_renewed_once():
    server = IdentityServer()
    credentials = bearer(MemoryTokenStore(token()), server)
    sent = await credentials.headers()
    assert await credentials.refused(REFUSED, sent)
    assert authorization(await credentials.headers()) == "Bearer access-1"
    assert server.renewals == 1


async def test_a_thousand_tasks_that_meet_a_refusal_at_once_make_one_renewal():
    server = IdentityServer()
    credentials = bearer(MemoryTokenStore(token()), server)
    mended: list[bool] = []

    async def request() -> None:
        sent = await credentials.headers()
        await anyio.sleep(1)
        mended.append(await credentials.refused(REFUSED, sent))

    async with anyio.create_task_group() as tasks:
        for _ in range(1000):
            tasks.start_soon(request)
    assert mended == [True] * 1000
    assert server.renewals == 1


async def test_a_refusal_of_a_token_that_was_replaced_meanwhile_asks_nobody():
    server = IdentityServer()
    credentials = bearer(MemoryTokenStore(token()), server)
    sent = await credentials.headers()
    await credentials.refused(REFUSED, sent)
    assert await credentials.refused(REFUSED, sent)
    assert server.renewals == 1


async def test_a_token_that_cannot_be_renewed_stays_refused():
    credentials = bearer(MemoryTokenStore(token(refresh=None)), IdentityServer())
    assert not await credentials.refused(REFUSED, await credentials.headers())


async def test_invalid_grant_asks_for_consent_and_names_the_account():
    credentials = bearer(MemoryTokenStore(token(expires_in=30, refresh="old")), IdentityServer())
    with pytest.raises(ConsentRequiredError) as caught:
        await credentials.headers()
    assert caught.value.key == "alice"


async def test_an_account_that_never_logged_in_asks_for_consent():
    with pytest.raises(ConsentRequiredError, match="alice"):
        await bearer(MemoryTokenStore(), IdentityServer()).headers()
