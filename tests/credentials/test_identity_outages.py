"""Outages of the identity server: the old token serves while it lives, and no account is blamed."""

from datetime import timedelta
from typing import Any

import anyio
import attrs
import pytest

from stellantis_hal import AuthError, MemoryTokenStore, Token
from stellantis_hal.credentials.oauth2_messages import read_renewed_token
from stellantis_hal.errors import (
    ApiError,
    BudgetExhaustedError,
    ConfigurationError,
    ConsentRequiredError,
    NetworkError,
    QuotaError,
    RateLimitedError,
    ServerError,
    StellantisError,
    TokenStoreError,
)
from stellantis_hal.simulator import Fault, Faults, FaultWindow, HtmlError, OAuthFault, Simulator
from stellantis_hal.transport.credentials import RenewableCredentials
from tests.credentials.doubles import NOON, Clock, IdentityServer, authorization, bearer, oauth_refusal, token
from tests.support.clocks import jump
from tests.support.identity_faults import IDENTITY_FAULTS
from tests.support.profiles import deep
from tests.support.responses import REFUSED, make_response
from tests.support.simulated import account_of, client_of, token_of, world

pytestmark = pytest.mark.anyio
HOUR = 3_600.0
SERVER = "idpcvs.peugeot.com"


def simulator_with(fault: Fault, *, since: float, until: float) -> Simulator:
    window = FaultWindow(fault=fault, since=since, until=until, path="access_token")
    return Simulator(world(), faults=Faults(windows=[window]))


@pytest.mark.parametrize("hours", [0.4, deep(10.0)])
@pytest.mark.parametrize("name", IDENTITY_FAULTS)
@pytest.mark.long
@pytest.mark.unmeasured
async def test_an_identity_outage_fails_no_call_while_the_token_lives(name: str, hours: float) -> None:
    """After that it is an error of the server, never one of the account, until the server works again."""
    ended = HOUR + hours * HOUR
    simulator = simulator_with(IDENTITY_FAULTS[name], since=1_000.0, until=ended)
    async with client_of(simulator) as client:
        account = account_of(client, simulator)
        start = anyio.current_time()
        await account.user()
        await anyio.sleep(3_599 - 59)
        while anyio.current_time() - start < 3_590:
            await account.user()
            await anyio.sleep(4)
        await anyio.sleep(60)
        calls = 0
        while anyio.current_time() - start < ended - 300:
            calls += 1
            with pytest.raises((NetworkError, ApiError, QuotaError)) as caught:
                await account.user()
            assert not isinstance(caught.value, AuthError)
            assert caught.value.identity_server == "idpcvs.peugeot.com.simulator.test"
            await anyio.sleep(60)
        renewals = simulator.statistics.requests - simulator.statistics.by_kind["user"]
        assert renewals <= calls + 20
        await anyio.sleep(ended - (anyio.current_time() - start) + 1)
        await account.user()
        assert simulator.statistics.renewals == 1


async def test_a_silent_identity_server_does_not_outlast_the_old_token() -> None:
    """A renewal 59 s before the expiry is given up in time."""

    async def silent(request: Any, /) -> Any:
        await anyio.sleep_forever()

    credentials = bearer(MemoryTokenStore(token(expires_in=59)), silent)
    started = anyio.current_time()
    waits = list[float]()
    while anyio.current_time() - started < 58:
        began = anyio.current_time()
        assert authorization(await credentials.headers()) == "Bearer access-0"
        waits.append(round(anyio.current_time() - began))
        await anyio.sleep(1)
    assert (waits[0], set(waits[1:])) == (30, {0})
    assert len(waits) >= 26


async def test_a_token_with_time_to_spare_is_renewed_by_four_attempts() -> None:
    server = IdentityServer()
    server.faults = [NetworkError("gone")] * 3
    assert authorization(await bearer(MemoryTokenStore(token(expires_in=59)), server).headers()) == "Bearer access-1"


async def test_a_repeated_renewal_makes_one_attempt() -> None:
    server = IdentityServer(expires_in=100)
    server.faults = [NetworkError("gone")] * 6
    credentials = bearer(MemoryTokenStore(token(expires_in=-1)), server)
    for requests in (4, 5, 6):
        with pytest.raises(NetworkError):
            await credentials.headers()
        assert len(server.requests) == requests
        await anyio.sleep(60)
    assert authorization(await credentials.headers()) == "Bearer access-1"
    await anyio.sleep(100)
    server.faults = [NetworkError("gone")] * 3
    assert authorization(await credentials.headers()) == "Bearer access-2"


async def test_a_renewal_long_after_a_failed_one_makes_four_attempts() -> None:
    server = IdentityServer()
    server.faults = [NetworkError("gone")] * 4
    credentials = bearer(MemoryTokenStore(token(expires_in=-1)), server)
    with pytest.raises(NetworkError):
        await credentials.headers()
    await anyio.sleep(1_000)
    server.faults = [NetworkError("gone")] * 3
    assert authorization(await credentials.headers()) == "Bearer access-1"


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (NetworkError("gone"), NetworkError),
        (oauth_refusal("server_error"), ApiError),
        (BudgetExhaustedError("spent"), QuotaError),
        (oauth_refusal("invalid_grant"), ConsentRequiredError),
        (oauth_refusal("invalid_client", 401), ConfigurationError),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_an_error_of_a_renewal_names_the_identity_server(
    fault: StellantisError, kind: type[StellantisError]
) -> None:
    server = IdentityServer()
    server.faults = [fault] * 5
    credentials = bearer(MemoryTokenStore(token(expires_in=-1)), server)
    for _ in range(2):  # the remembered error does too
        with pytest.raises(kind) as caught:
            await credentials.headers()
        assert caught.value.identity_server == credentials.identity_server == SERVER
    with pytest.raises(kind) as caught:
        await credentials.refused(REFUSED, {"Authorization": "Bearer access-0"})
    assert caught.value.identity_server == SERVER


async def test_errors_without_a_renewal_name_no_identity_server() -> None:
    with pytest.raises(ConsentRequiredError) as caught:
        await bearer(MemoryTokenStore(), IdentityServer()).headers()
    assert caught.value.identity_server is None


async def test_the_api_request_is_not_retried_where_the_renewal_failed() -> None:
    """The renewal has attempts of its own."""
    simulator = simulator_with(HtmlError(200), since=0.0, until=1e9)
    expired = attrs.evolve(token_of(simulator), expires_at=simulator.now() - timedelta(days=1))
    async with client_of(simulator) as client:
        account = account_of(client, simulator, tokens=expired)
        began = anyio.current_time()
        with pytest.raises(NetworkError):
            await account.user()
        assert simulator.statistics.requests == 4
        assert anyio.current_time() - began <= 15


# ------------------------------------------------------------------------------------------------- responses


def renewed(body: Any) -> Token:
    response = make_response(body, url="https://idp.example/token")
    return read_renewed_token(response, now=NOON, previous=token(), key="alice")


def test_a_success_without_a_token_is_no_response_of_the_server() -> None:
    for body in (b"", b"<html>", b"null", b"[]", {}, {"access_token": None}, {"access_token": " "}, {"error": ""}):
        with pytest.raises(NetworkError, match=r"the response 200 at .* has no token") as caught:
            renewed(body)
        assert caught.value.is_transient


@pytest.mark.parametrize(("name", "is_transient"), [("server_error", True), ("invalid_grant", False)])
def test_an_error_in_a_success_is_an_error(name: str, is_transient: bool) -> None:
    with pytest.raises(ApiError, match=f"is an error: {name}") as caught:
        renewed({"error": name})
    assert (caught.value.oauth_error, caught.value.is_transient) == (name, is_transient)


async def test_a_definite_refusal_in_a_success_asks_for_consent() -> None:
    async def server(request: Any, /) -> Any:
        return make_response({"error": "invalid_grant"})

    with pytest.raises(ConsentRequiredError):
        await bearer(MemoryTokenStore(token(expires_in=-1)), server).headers()


@pytest.mark.parametrize("body_error", ["invalid_grant", "invalid_client"])
@pytest.mark.parametrize("status", [408, 429, 500, 501, 503])
async def test_a_server_that_fails_takes_no_consent_away(status: int, body_error: str) -> None:
    kind = RateLimitedError if status == 429 else ServerError if status >= 500 else ApiError

    async def server(request: Any, /) -> Any:
        transient = status not in {429, 501}
        raise kind(f"{status}", status=status, oauth_error=body_error, is_transient=transient)

    with pytest.raises(kind) as caught:
        await bearer(MemoryTokenStore(token(expires_in=-1)), server).headers()
    assert not isinstance(caught.value, AuthError)


async def test_a_server_that_fails_for_a_while_costs_no_log_in() -> None:
    """The whole way: the simulated identity server says so, and works again."""
    simulator = simulator_with(OAuthFault("invalid_grant", 500), since=0.0, until=5.0)
    expired = attrs.evolve(token_of(simulator), expires_at=simulator.now() - timedelta(days=1))
    async with client_of(simulator) as client:
        account = account_of(client, simulator, tokens=expired)
        await account.user()
    assert simulator.statistics.renewals == 1


# ------------------------------------------------------------------------------------------------- state for a watch


def test_bearer_credentials_are_renewable() -> None:
    assert isinstance(bearer(MemoryTokenStore(), IdentityServer()), RenewableCredentials)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (None, False),
        (token(), False),
        (token(expires_in=None), False),
        (token(expires_in=30), False),
        (token(expires_in=-1), True),
        (token(expires_in=-1, refresh=None), False),
        (Token("", "refresh-0"), True),
    ],
)
async def test_needs_renewal_tells_an_expired_token(stored: Token | None, expected: bool) -> None:
    server = IdentityServer()
    assert await bearer(MemoryTokenStore(stored), server).needs_renewal() is expected
    assert server.requests == []


async def test_needs_renewal_looks_for_a_new_token_in_the_store() -> None:
    store = MemoryTokenStore(token(expires_in=60))
    credentials = bearer(store, IdentityServer())
    await credentials.headers()
    assert not await credentials.needs_renewal()
    jump(10_000)
    assert await credentials.needs_renewal()
    await store.save("alice", token(expires_in=20_000))
    assert not await credentials.needs_renewal()


async def test_an_unsaved_token_needs_no_renewal() -> None:
    class Full(MemoryTokenStore):
        async def save(self, key: str, token: Token | None) -> None:
            raise TokenStoreError("disk full", key=key)

    credentials = bearer(Full(token(expires_in=-1)), IdentityServer())
    with pytest.raises(TokenStoreError):
        await credentials.headers()
    assert not await credentials.needs_renewal()


@pytest.mark.parametrize(
    ("stored", "expected"),
    [(None, False), (token(), False), (token(expires_in=30), True), (token(expires_in=-1), True)],
)
async def test_a_renewal_is_due_before_the_token_expires(stored: Token | None, expected: bool) -> None:
    server = IdentityServer()
    assert await bearer(MemoryTokenStore(stored), server).is_renewal_due() is expected
    assert server.requests == []


async def test_credentials_say_whether_they_are_being_renewed() -> None:
    seen = list[bool]()

    class Watching(MemoryTokenStore):
        async def save(self, key: str, token: Token | None) -> None:
            seen.append(credentials.is_renewing)
            await super().save(key, token)

    credentials = bearer(Watching(token(expires_in=-1)), IdentityServer())
    assert not credentials.is_renewing
    await credentials.headers()
    assert seen == [True]
    assert not credentials.is_renewing


@pytest.mark.parametrize("replace", [None, token(access="access-theirs", refresh="refresh-theirs")])
async def test_replaced_at_is_the_instant_of_the_present_token(replace: Token | None) -> None:
    store = MemoryTokenStore(token())
    credentials = bearer(store, IdentityServer(), clock=Clock())
    assert credentials.replaced_at == float("-inf")
    sent = await credentials.headers()
    assert credentials.replaced_at == float("-inf")
    await anyio.sleep(100)
    if replace is not None:
        await store.save("alice", replace)
    assert await credentials.refused(REFUSED, sent)
    assert credentials.replaced_at == pytest.approx(anyio.current_time(), abs=1)
