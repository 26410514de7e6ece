"""An identity server that accepts requests and answers none: only its own accounts wait."""

from datetime import timedelta

import anyio
import httpx
import pytest

from stellantis_hal import (
    Account,
    Brand,
    ConsentRequiredError,
    NetworkError,
    RateLimits,
    ServerError,
    StellantisClient,
    Token,
)
from stellantis_hal.simulator import Simulator
from tests.support.simulated import account_of, client_of, world

pytestmark = [pytest.mark.anyio, pytest.mark.unmeasured]
SILENT = "idpcvs.opel.com"


class SilentHost(httpx.AsyncBaseTransport):
    """Passes requests on, except those to one host, which it answers never, or with a status.

    Attributes:
        times: the times of the requests to that host.
        recovered: whether these are passed on, too.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, status: int | None = None) -> None:
        self._inner = inner
        self._status = status
        self.times: list[float] = []
        self.recovered = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host.startswith(SILENT) and not self.recovered:
            self.times.append(anyio.current_time())
            if self._status is not None:
                return httpx.Response(self._status)
            await anyio.sleep_forever()
        return await self._inner.handle_async_request(request)


def expired_accounts(client: StellantisClient, simulator: Simulator, number: int = 10) -> list[Account]:
    """Return accounts of the silent server whose tokens have expired."""
    stale = Token("old", "refresh", expires_at=simulator.now() - timedelta(hours=1))
    return [client.account(stale, brand=Brand.OPEL, key=f"opel-{number}") for number in range(number)]


async def read(account: Account) -> None:
    with pytest.raises((NetworkError, ServerError)) as caught:
        await account.user()
    assert str(caught.value.identity_server).startswith(SILENT)


@pytest.mark.parametrize("per_second", [1, 2, 10])
async def test_an_account_of_another_brand_is_not_slowed(per_second: int) -> None:
    """Neither the limiter nor the connections are taken by renewals that wait for an answer."""
    simulator = Simulator(world())
    silent = SilentHost(simulator.transport())
    limits = RateLimits(per_second=per_second, per_day=10_000)
    async with client_of(simulator, transport=silent, rate_limits=limits) as client, anyio.create_task_group() as tasks:
        healthy = account_of(client, simulator)
        for account in expired_accounts(client, simulator):
            tasks.start_soon(read, account)
        await anyio.wait_all_tasks_blocked()
        assert client.limiter.statistics.in_flight == client.limiter.statistics.granted == 0
        started = anyio.current_time()
        for _ in range(5 * per_second):
            await healthy.user()
        assert anyio.current_time() - started <= 6
        assert client.limiter.statistics.granted == 5 * per_second


async def test_one_account_waits_for_a_silent_identity_server() -> None:
    """The others get its failure at once; later two at a time try again."""
    simulator = Simulator(world())
    silent = SilentHost(simulator.transport())
    async with client_of(simulator, transport=silent) as client:
        accounts = expired_accounts(client, simulator)
        waits = list[float]()
        for account in accounts:
            started = anyio.current_time()
            await read(account)
            waits.append(anyio.current_time() - started)
        assert waits[0] > 30
        assert waits[1:] == [0] * 9
        await anyio.sleep(5)
        async with anyio.create_task_group() as tasks:
            for account in accounts:
                tasks.start_soon(read, account)
        assert len(silent.times) == 2 + 2
        assert client.limiter.statistics.granted == 0


async def test_a_renewal_begun_before_a_failure_ends_with_it() -> None:
    """Accounts that renew at once make no further attempts when one of them has failed for good."""
    simulator = Simulator(world())
    failing = SilentHost(simulator.transport(), 503)
    async with client_of(simulator, transport=failing) as client, anyio.create_task_group() as tasks:
        for account in expired_accounts(client, simulator):
            tasks.start_soon(read, account)
            await anyio.sleep(1.5)
    assert len(failing.times) < 4 * 10


async def test_a_server_that_works_again_serves_all_its_accounts() -> None:
    simulator = Simulator(world())
    failing = SilentHost(simulator.transport(), 503)
    async with client_of(simulator, transport=failing) as client:
        accounts = expired_accounts(client, simulator, 3)
        for account in accounts:
            await read(account)
        failing.recovered = True
        await anyio.sleep(30)
        for account in accounts:
            with pytest.raises(ConsentRequiredError):  # the server answers: it does not know the refresh token
                await account.user()
