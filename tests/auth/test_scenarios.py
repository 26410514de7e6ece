"""Credentials in a client of the simulated vendor."""

import anyio
import httpx
import pytest

from stellantis_hal import Application, Brand, MemoryTokenStore, Token
from stellantis_hal.errors import ConfigurationError, ConsentRequiredError, UnauthorizedError
from stellantis_hal.simulator import Simulator
from tests.support.profiles import deep
from tests.support.simulated import account_of, client_of, token_of, world

pytestmark = pytest.mark.anyio


KEY = "alice"


def simulate() -> Simulator:
    return Simulator(world(seed=3, trips=5))


@pytest.mark.parametrize("requests", [200, deep(1_000)])
async def test_many_requests_renew_an_expired_token_once(requests: int) -> None:
    simulator = simulate()
    async with client_of(simulator) as client:
        account = account_of(client, simulator, key=KEY)
        await account.root()
        simulator.expire_tokens()
        mails: list[str] = []

        async def ask() -> None:
            mails.append((await account.get(f"{simulator.url}/user"))["email"])

        async with anyio.create_task_group() as tasks:
            for _ in range(requests):
                tasks.start_soon(ask)
    assert len(mails) == requests
    assert simulator.statistics.renewals == 1


@pytest.mark.long
async def test_a_token_is_renewed_for_days_without_a_refusal() -> None:
    simulator = simulate()
    async with client_of(simulator) as client:
        account = account_of(client, simulator, key=KEY)
        for _ in range(3 * 48):
            await account.get(f"{simulator.url}/user")
            await anyio.sleep(1800)
    assert simulator.statistics.by_status.get(401, 0) == 0
    assert simulator.statistics.renewals >= 70


async def test_an_invalid_refresh_token_asks_for_consent() -> None:
    """The error names the account's key."""
    simulator = simulate()
    async with client_of(simulator) as client:
        account = account_of(client, simulator, tokens=Token("", "forged"), key=KEY)
        with pytest.raises(ConsentRequiredError) as caught:
            await account.root()
    assert caught.value.key == "alice"


async def test_a_wrong_secret_shows_at_the_first_renewal() -> None:
    simulator = simulate()
    token = token_of(simulator)
    async with client_of(simulator, Application(simulator.client_id, "wrong")) as client:
        with pytest.raises(ConfigurationError):
            await account_of(client, simulator, tokens=Token("", token.refresh_token), key=KEY).root()


async def test_a_token_without_a_refresh_token_ends_in_a_refusal() -> None:
    simulator = simulate()
    token = token_of(simulator)
    async with client_of(simulator) as client:
        account = account_of(client, simulator, tokens=Token(token.access_token), key=KEY)
        simulator.expire_tokens()
        with pytest.raises(UnauthorizedError):
            await account.root()
    assert simulator.statistics.requests == 1


async def test_enrolment_renewal_and_withdrawal_go_through_one_client() -> None:
    simulator = simulate()
    store = MemoryTokenStore()
    realm = simulator.world.accounts[0].realm
    async with client_of(simulator) as client:
        enrolment = client.enrolment(brand=Brand.PEUGEOT, store=store, realm=realm)
        authorization = enrolment.begin(redirect_uri="https://example.org/back", scope="data:trip,data:position")
        async with simulator.transport() as browser:
            page = await browser.handle_async_request(httpx.Request("GET", authorization.url))
        token = await enrolment.complete(authorization, page.headers["location"], key="alice")
        assert token.refresh_token
        account = account_of(client, simulator, tokens=store, key=KEY)
        simulator.expire_tokens()
        await account.root()
        assert await enrolment.withdraw("alice")
        with pytest.raises(ConsentRequiredError):
            await account.get(f"{simulator.url}/user")
