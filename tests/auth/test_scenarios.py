"""The credentials in a client, before the simulated vendor."""

import anyio
import httpx
import pytest

from stellantis_hal.auth import Application, Brand, MemoryTokenStore, Token
from stellantis_hal.client import Account, StellantisClient
from stellantis_hal.errors import ConfigurationError, ConsentRequiredError, UnauthorizedError
from stellantis_hal.simulator import Simulator, World

pytestmark = pytest.mark.anyio


def world() -> Simulator:
    return Simulator(World(seed=3, accounts=1, vehicles=1, trips=5))


def client_of(simulator: Simulator, secret: str | None = None) -> StellantisClient:
    return StellantisClient(
        Application(simulator.client_id, simulator.client_secret if secret is None else secret),
        base_url=simulator.url,
        identity_url=simulator.identity_url,
        transport=simulator.transport(),
        clock=simulator.now,
    )


def issued(simulator: Simulator) -> Token:
    token = simulator.token_for(simulator.world.accounts[0])
    return Token(token.access_token, token.refresh_token, token.expires_at, token.scope)


def account_of(client: StellantisClient, simulator: Simulator, store: Token | MemoryTokenStore) -> Account:
    realm = simulator.world.accounts[0].realm
    return client.account(store, brand=Brand.PEUGEOT, realm=realm, key="alice")


async def test_a_thousand_requests_that_meet_an_expired_token_make_one_renewal() -> None:
    simulator = world()
    async with client_of(simulator) as client:
        account = account_of(client, simulator, issued(simulator))
        await account.root()
        simulator.expire_tokens()
        mails: list[str] = []

        async def ask() -> None:
            mails.append((await account.get(f"{simulator.url}/user"))["email"])

        async with anyio.create_task_group() as tasks:
            for _ in range(1000):
                tasks.start_soon(ask)
    assert len(mails) == 1000
    assert simulator.statistics.renewals == 1


async def test_a_token_is_renewed_for_days_without_a_refusal() -> None:
    simulator = world()
    async with client_of(simulator) as client:
        account = account_of(client, simulator, issued(simulator))
        for _ in range(3 * 48):
            await account.get(f"{simulator.url}/user")
            await anyio.sleep(1800)
    assert simulator.statistics.by_status.get(401, 0) == 0
    assert simulator.statistics.renewals >= 70


async def test_a_dead_refresh_token_asks_for_consent_by_the_account_s_key() -> None:
    simulator = world()
    async with client_of(simulator) as client:
        account = account_of(client, simulator, Token("", "forged"))
        with pytest.raises(ConsentRequiredError) as caught:
            await account.root()
    assert caught.value.key == "alice"


async def test_a_wrong_secret_shows_at_the_first_renewal() -> None:
    simulator = world()
    token = issued(simulator)
    async with client_of(simulator, "wrong") as client:
        with pytest.raises(ConfigurationError):
            await account_of(client, simulator, Token("", token.refresh_token)).root()


async def test_a_token_without_a_refresh_token_ends_in_a_refusal() -> None:
    simulator = world()
    token = issued(simulator)
    async with client_of(simulator) as client:
        account = account_of(client, simulator, Token(token.access_token))
        simulator.expire_tokens()
        with pytest.raises(UnauthorizedError):
            await account.root()
    assert simulator.statistics.requests == 1


async def test_enrolment_renewal_and_withdrawal_go_through_one_client() -> None:
    simulator = world()
    store = MemoryTokenStore()
    realm = simulator.world.accounts[0].realm
    async with client_of(simulator) as client:
        enrolment = client.enrolment(brand=Brand.PEUGEOT, store=store, realm=realm)
        authorization = enrolment.begin(redirect_uri="https://example.org/back", scope="data:trip,data:position")
        async with simulator.transport() as browser:
            page = await browser.handle_async_request(httpx.Request("GET", authorization.url))
        token = await enrolment.complete(authorization, page.headers["location"], key="alice")
        assert token.refresh_token
        account = account_of(client, simulator, store)
        simulator.expire_tokens()
        await account.root()
        assert await enrolment.withdraw("alice")
        with pytest.raises(ConsentRequiredError):
            await account.get(f"{simulator.url}/user")
