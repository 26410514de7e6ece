"""Circuit breaker over the renewals at one identity server."""

import anyio
import pytest

from stellantis_hal import MemoryTokenStore, RenewingBearerCredentials, Token
from stellantis_hal.credentials.renewal_breaker import RenewalBreaker
from stellantis_hal.errors import BudgetExhaustedError, ConsentRequiredError, NetworkError, StellantisError
from tests.credentials.doubles import CLIENT, Clock, IdentityServer, authorization, token

pytestmark = pytest.mark.anyio
DOWN = NetworkError("no answer")


def is_admitted(breaker: RenewalBreaker, account: object) -> bool:
    try:
        breaker.admit(account)
    except NetworkError:
        return False
    return True


def fail(breaker: RenewalBreaker, account: object, error: StellantisError = DOWN, *, is_early: bool = False) -> None:
    breaker.failed(account, error, failing_since=anyio.current_time(), is_early=is_early)
    breaker.leave(account)


async def test_a_failure_is_raised_for_all_accounts() -> None:
    breaker = RenewalBreaker()
    assert all(is_admitted(breaker, account) for account in "abc")
    fail(breaker, "a")
    assert breaker.is_open
    assert not any(is_admitted(breaker, account) for account in "abc")


async def test_probes_are_few_and_their_intervals_grow() -> None:
    breaker = RenewalBreaker()
    fail(breaker, "a")
    intervals = list[int]()
    for _ in range(5):
        intervals.append(0)
        for _ in range(40):
            if is_admitted(breaker, "a"):
                break
            await anyio.sleep(1)
            intervals[-1] += 1
        assert [is_admitted(breaker, account) for account in "bc"] == [True, False]
        breaker.leave("b")  # cancelled
        fail(breaker, "a")
    assert intervals == [5, 10, 20, 30, 30]


async def test_early_renewals_do_not_lengthen_the_interval() -> None:
    """The old token may expire at any moment: then the server is asked again soon."""
    breaker = RenewalBreaker()
    for _ in range(3):
        fail(breaker, "a", is_early=True)
        await anyio.sleep(5)
        assert is_admitted(breaker, "a")


async def test_renewals_begun_before_a_failure_do_not_prolong_it() -> None:
    breaker = RenewalBreaker()
    fail(breaker, "a")
    await anyio.sleep(4)
    fail(breaker, "b")
    await anyio.sleep(1)
    assert is_admitted(breaker, "c")


@pytest.mark.parametrize("error", [ConsentRequiredError("log in"), None])
async def test_an_answer_ends_the_memory(error: StellantisError | None) -> None:
    """A refusal of one account shows that the server works."""
    breaker = RenewalBreaker()
    fail(breaker, "a")
    await anyio.sleep(5)
    breaker.admit("b")
    if error is None:
        breaker.worked()
    else:
        fail(breaker, "b", error)
    assert is_admitted(breaker, "c")
    assert not breaker.is_open


async def test_a_failure_is_forgotten_after_a_quarter_of_an_hour() -> None:
    breaker = RenewalBreaker()
    fail(breaker, "a")
    await anyio.sleep(900)
    assert all(is_admitted(breaker, account) for account in "abc")


async def test_a_spent_quota_is_no_failure_of_the_server() -> None:
    breaker = RenewalBreaker()
    fail(breaker, "a", BudgetExhaustedError("later"))
    assert is_admitted(breaker, "b")


async def test_an_account_that_fails_alone_stops_no_other() -> None:
    breaker = RenewalBreaker()
    failing_since = anyio.current_time()
    await anyio.sleep(1)
    breaker.worked()
    await anyio.sleep(1)
    breaker.failed("a", DOWN, failing_since=failing_since, is_early=False)
    assert is_admitted(breaker, "b")


async def test_a_failure_since_an_instant_is_raised() -> None:
    breaker = RenewalBreaker()
    breaker.raise_failure_since(anyio.current_time())
    began = anyio.current_time()
    await anyio.sleep(1)
    fail(breaker, "a")
    breaker.raise_failure_since(anyio.current_time())
    with pytest.raises(NetworkError):
        breaker.raise_failure_since(began)


# ------------------------------------------------------------------------------------------- credentials


def credentials_of(server: IdentityServer, present: Token, breaker: RenewalBreaker) -> RenewingBearerCredentials:
    return RenewingBearerCredentials(CLIENT, MemoryTokenStore(present), fetch=server, clock=Clock(), breaker=breaker)


async def test_an_old_token_is_sent_while_the_breaker_is_open() -> None:
    breaker, server = RenewalBreaker(), IdentityServer()
    fail(breaker, "another account")
    credentials = credentials_of(server, token(expires_in=30), breaker)
    assert authorization(await credentials.headers()) == "Bearer access-0"
    assert server.requests == []
    await anyio.sleep(5)
    assert authorization(await credentials.headers()) == "Bearer access-1"
    assert not breaker.is_open


async def test_present_headers_are_known_without_waiting() -> None:
    """None: they have to be loaded, or renewed."""
    server = IdentityServer()
    credentials = credentials_of(server, token(expires_in=100), RenewalBreaker())
    assert credentials.current_headers() is None
    await credentials.headers()
    present = credentials.current_headers()
    assert present is not None
    assert authorization(present) == "Bearer access-0"
    await anyio.sleep(90)
    assert credentials.current_headers() == present  # due, but not expired
    await anyio.sleep(11)
    assert credentials.current_headers() is None
    assert len(server.requests) == 0


async def test_an_expired_token_that_cannot_be_renewed_is_sent() -> None:
    credentials = credentials_of(IdentityServer(), token(expires_in=-1, refresh=None), RenewalBreaker())
    await credentials.headers()
    assert credentials.current_headers() is not None
