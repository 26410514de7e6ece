"""Bearer credentials: sending, renewal in time, and one renewal for all tasks."""

import logging
import traceback
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from stellantis_hal import MemoryTokenStore, Token
from stellantis_hal.errors import (
    ApiError,
    BadRequestError,
    BudgetExhaustedError,
    ConfigurationError,
    ConsentRequiredError,
    ForbiddenError,
    NetworkError,
    NotFoundError,
    RateLimitedError,
    ServerError,
    TokenStoreError,
    UnauthorizedError,
)
from stellantis_hal.navigation.fetch_protocol import Request, Response
from tests.credentials.doubles import (
    NOON,
    Clock,
    IdentityServer,
    authorization,
    bearer,
    oauth_refusal,
    token,
)
from tests.support.clocks import JumpingEventLoop
from tests.support.profiles import deep
from tests.support.responses import REFUSED, make_response

pytestmark = pytest.mark.anyio

YEAR = 365 * 86_400.0
TOKEN_URL = "https://idpcvs.peugeot.com/am/oauth2/access_token"


async def test_a_valid_token_is_sent_as_it_is_with_its_realm() -> None:
    server = IdentityServer()
    credentials = bearer(MemoryTokenStore(token()), server)
    fields = await credentials.headers()
    assert (fields["Authorization"], fields["x-introspect-realm"]) == ("Bearer access-0", "clientsB2CPeugeot")
    assert credentials.query == "client_id=my-app"
    assert server.requests == []


async def test_header_fields_are_made_once_for_each_token() -> None:
    credentials = bearer(MemoryTokenStore(token()), IdentityServer())
    assert await credentials.headers() is await credentials.headers()


async def test_a_token_about_to_expire_is_renewed_before_it_is_sent() -> None:
    server = IdentityServer()
    store = MemoryTokenStore(token(expires_in=30))
    assert authorization(await bearer(store, server).headers()) == "Bearer access-1"


async def test_a_new_token_is_stored_before_it_is_used() -> None:
    server = IdentityServer()
    store = MemoryTokenStore(token(expires_in=30))
    await bearer(store, server).headers()
    stored = await store.load("alice")
    assert stored is not None
    assert (stored.access_token, stored.refresh_token, stored.scope) == ("access-1", server.current, ("data:trip",))


async def test_a_renewal_without_a_refresh_token_keeps_the_old_one() -> None:
    server = IdentityServer()
    server.rotates = False
    store = MemoryTokenStore(token(expires_in=30))
    await bearer(store, server).headers()
    stored = await store.load("alice")
    assert stored is not None
    assert stored.refresh_token == "refresh-0"


async def test_a_lone_refresh_token_is_renewed_first() -> None:
    assert (
        authorization(await bearer(MemoryTokenStore(Token("", "refresh-0")), IdentityServer()).headers())
        == "Bearer access-1"
    )


async def test_a_refused_token_is_renewed_once() -> None:
    server = IdentityServer()
    credentials = bearer(MemoryTokenStore(token()), server)
    sent = await credentials.headers()
    assert await credentials.refused(REFUSED, sent)
    assert authorization(await credentials.headers()) == "Bearer access-1"
    assert server.renewals == 1


@pytest.mark.unmeasured
async def test_a_thousand_refused_tasks_make_one_renewal() -> None:
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


async def test_a_refused_token_that_was_replaced_renews_nothing() -> None:
    server = IdentityServer()
    credentials = bearer(MemoryTokenStore(token()), server)
    sent = await credentials.headers()
    await credentials.refused(REFUSED, sent)
    assert await credentials.refused(REFUSED, sent)
    assert server.renewals == 1


async def test_a_token_that_cannot_be_renewed_stays_refused() -> None:
    credentials = bearer(MemoryTokenStore(token(refresh=None)), IdentityServer())
    assert not await credentials.refused(REFUSED, await credentials.headers())


async def test_invalid_grant_asks_for_consent_and_names_the_account() -> None:
    credentials = bearer(MemoryTokenStore(token(expires_in=30, refresh="old")), IdentityServer())
    with pytest.raises(ConsentRequiredError) as caught:
        await credentials.headers()
    assert caught.value.key == "alice"


async def test_an_account_that_never_logged_in_asks_for_consent() -> None:
    with pytest.raises(ConsentRequiredError, match="alice"):
        await bearer(MemoryTokenStore(), IdentityServer()).headers()


# ------------------------------------------------------------------------------------------------- when it is due


async def test_a_token_of_unknown_life_is_used_until_it_is_refused() -> None:
    server = IdentityServer()
    credentials = bearer(MemoryTokenStore(token(expires_in=None)), server)
    sent = await credentials.headers()
    assert authorization(sent) == "Bearer access-0"
    assert await credentials.refused(REFUSED, sent)


async def test_an_expired_token_without_refresh_token_is_sent() -> None:
    """The clock may be wrong."""
    server = IdentityServer()
    credentials = bearer(MemoryTokenStore(token(expires_in=-5, refresh=None)), server)
    assert authorization(await credentials.headers()) == "Bearer access-0"
    assert server.requests == []


@pytest.mark.parametrize("expires_in", [None, 0, "0", -1, "soon", "1e300", 10**30, 1, 5, 30])
async def test_no_lifetime_makes_a_renewal_for_each_request(expires_in: Any) -> None:
    server = IdentityServer(expires_in=expires_in)
    credentials = bearer(MemoryTokenStore(token(expires_in=1)), server)
    for _ in range(100):
        await credentials.headers()
    assert server.renewals == 1


async def test_a_token_that_lives_a_minute_is_used_for_most_of_it() -> None:
    server = IdentityServer(expires_in=60)
    credentials = bearer(MemoryTokenStore(token(expires_in=1)), server)
    for _ in range(10):
        await credentials.headers()
        await anyio.sleep(60)
    assert server.renewals == 10
    await anyio.sleep(50)
    await credentials.headers()
    assert server.renewals == 11


@pytest.mark.parametrize("wrong_by", [-10 * YEAR, -86_400, 86_400, 10 * YEAR])
async def test_a_wrong_clock_costs_one_renewal_at_most(wrong_by: float) -> None:
    server = IdentityServer()
    clock = Clock()
    credentials = bearer(MemoryTokenStore(token()), server, clock=clock)
    await credentials.headers()
    clock.wrong_by = wrong_by
    for _ in range(100):
        await credentials.headers()
    assert server.renewals == (1 if wrong_by > 0 else 0)


async def test_renewals_with_a_jumping_clock_are_bounded() -> None:
    server = IdentityServer()
    clock = Clock()
    credentials = bearer(MemoryTokenStore(token()), server, clock=clock)
    for _ in range(500):
        clock.wrong_by += 86_400
        await credentials.headers()
    assert server.renewals == 8


@pytest.mark.unmeasured
@pytest.mark.parametrize("lives", [1, 5, 7])
async def test_tokens_of_a_few_seconds_are_renewed_in_time(lives: int) -> None:
    """Renewals of tokens that have lived as long as the server said are not among the eight of a minute."""
    server, clock = IdentityServer(expires_in=lives, delay=0.0), Clock()
    store = MemoryTokenStore(token(expires_in=lives))
    credentials = bearer(store, server, clock=clock)
    for _ in range(200):
        sent = authorization(await credentials.headers())
        present = await store.load("alice")
        assert present is not None
        assert present.expires_at is not None
        assert sent == f"Bearer {present.access_token}"
        assert present.expires_at > clock()
        assert credentials.current_headers() is not None
        await anyio.sleep(1)
    assert server.renewals == pytest.approx(200 / lives, rel=0.35)


async def test_an_api_that_refuses_every_token_is_bounded() -> None:
    server = IdentityServer()
    credentials = bearer(MemoryTokenStore(token()), server)
    mended = [await credentials.refused(REFUSED, await credentials.headers()) for _ in range(100)]
    assert mended == [True] * 8 + [False] * 92
    assert server.renewals == 8


async def test_a_refusal_for_a_missing_scope_renews_nothing() -> None:
    server = IdentityServer()
    credentials = bearer(MemoryTokenStore(token()), server)
    refusal = make_response({}, status=401, www_authenticate='Bearer error="insufficient_scope"')
    assert not await credentials.refused(refusal, await credentials.headers())
    assert server.requests == []


async def test_blanks_around_an_access_token_are_not_sent() -> None:
    credentials = bearer(MemoryTokenStore(Token(" access-0\n")), IdentityServer())
    assert authorization(await credentials.headers()) == "Bearer access-0"


@pytest.mark.parametrize("access", ["two words", "a\r\nX-Evil: 1", "é", "a\x00b", "", " "])
async def test_an_access_token_that_no_header_can_carry_is_not_sent(access: str) -> None:
    with pytest.raises(ConfigurationError, match="alice") as caught:
        await bearer(MemoryTokenStore(Token(access)), IdentityServer()).headers()
    assert caught.value.key == "alice"


async def test_a_refresh_token_with_blanks_is_sent_as_it_is() -> None:
    server = IdentityServer(" re fresh ")
    await bearer(MemoryTokenStore(token(expires_in=1, refresh=" re fresh ")), server).headers()
    assert server.renewals == 1


# ------------------------------------------------------------------------------------------------- other processes


async def test_a_token_renewed_by_another_process_is_used() -> None:
    server = IdentityServer()
    store = MemoryTokenStore()
    await store.save("alice", token())
    clock = Clock()
    ours, theirs = bearer(store, server, clock=clock), bearer(store, server, clock=clock)
    for credentials in (ours, theirs):
        await credentials.headers()
    await anyio.sleep(3590)
    assert authorization(await theirs.headers()) == "Bearer access-1"
    assert authorization(await ours.headers()) == "Bearer access-1"
    assert server.renewals == 1


async def test_two_processes_that_renew_at_once_renew_once() -> None:
    server = IdentityServer()
    store = MemoryTokenStore()
    await store.save("alice", token(expires_in=1))
    clock = Clock()
    seen: list[str] = []

    async def process() -> None:
        seen.append(authorization(await bearer(store, server, clock=clock).headers()))

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(process)
    assert seen == ["Bearer access-1"] * 10
    assert server.renewals == 1


async def test_a_token_that_another_process_left_to_expire_is_renewed() -> None:
    server = IdentityServer("refresh-new")
    store = MemoryTokenStore(token())
    clock = Clock()
    credentials = bearer(store, server, clock=clock)
    await credentials.headers()
    await store.save("alice", token(expires_in=3500, access="access-theirs", refresh="refresh-new"))
    await anyio.sleep(3590)
    assert authorization(await credentials.headers()) == "Bearer access-1"


async def test_a_log_out_by_another_process_shows_at_a_refusal() -> None:
    store = MemoryTokenStore(token())
    credentials = bearer(store, IdentityServer())
    sent = await credentials.headers()
    await store.save("alice", None)
    with pytest.raises(ConsentRequiredError, match="alice"):
        await credentials.refused(REFUSED, sent)
    with pytest.raises(ConsentRequiredError):
        await credentials.headers()
    await store.save("alice", token(access="access-new"))
    assert authorization(await credentials.headers()) == "Bearer access-new"


async def test_a_refusal_after_a_new_log_in_finds_the_new_token() -> None:
    store = MemoryTokenStore(token())
    credentials = bearer(store, IdentityServer())
    sent = await credentials.headers()
    await store.save("alice", None)
    with pytest.raises(ConsentRequiredError):
        await credentials.refused(REFUSED, sent)
    await store.save("alice", token(access="access-new"))
    assert await credentials.refused(REFUSED, sent)


class Unlocked(MemoryTokenStore):
    """A store whose lock excludes no other process, and which another process changes during a renewal."""

    meanwhile: Token | None = None

    @asynccontextmanager
    async def lock(self, key: str) -> AsyncGenerator[None, None]:
        yield

    async def load(self, key: str) -> Token | None:
        return self.meanwhile or await super().load(key)


async def test_a_store_without_a_lock_loses_no_session() -> None:
    store = Unlocked(token(expires_in=1))
    server = IdentityServer("refresh-theirs")

    def faster() -> Exception:
        store.meanwhile = token(access="access-theirs", refresh="refresh-theirs")
        return oauth_refusal("invalid_grant")

    server.faults = [faster]
    assert authorization(await bearer(store, server).headers()) == "Bearer access-theirs"


# ------------------------------------------------------------------------------------------------- failures


async def test_server_error_is_retried() -> None:
    server = IdentityServer()
    server.faults = [oauth_refusal("server_error"), oauth_refusal("temporarily_unavailable", 503)]
    store = MemoryTokenStore(token(expires_in=1))
    assert authorization(await bearer(store, server).headers()) == "Bearer access-1"
    assert len(server.requests) == 3


@pytest.mark.parametrize("fault", [NetworkError("gone"), ServerError("503", status=503, is_transient=True)])
async def test_a_transient_fault_of_a_renewal_is_retried_with_backoff(fault: Exception) -> None:
    server = IdentityServer(delay=0)
    server.faults = [fault] * 3
    store = MemoryTokenStore(token(expires_in=-1))
    began = anyio.current_time()
    assert authorization(await bearer(store, server).headers()) == "Bearer access-1"
    assert 1 + 2 + 4 <= anyio.current_time() - began <= 2 * (1 + 2 + 4) + 1


async def test_a_renewal_respects_retry_after() -> None:
    server = IdentityServer()
    server.faults = [RateLimitedError("429", status=429, is_transient=True, retry_after=60.0)]
    with pytest.raises(RateLimitedError):
        await bearer(MemoryTokenStore(token(expires_in=-1)), server).headers()
    assert len(server.requests) == 1


async def test_server_error_never_costs_the_refresh_token() -> None:
    server = IdentityServer()
    server.faults = [oauth_refusal("server_error") for _ in range(4)]
    store = MemoryTokenStore(token(expires_in=-1))
    credentials = bearer(store, server)
    with pytest.raises(BadRequestError) as caught:
        await credentials.headers()
    assert caught.value.oauth_error == "server_error"
    assert len(server.requests) == 4
    await anyio.sleep(10)
    assert authorization(await credentials.headers()) == "Bearer access-1"


@pytest.mark.parametrize("name", ["invalid_client", "invalid_request", "unauthorized_client", "unsupported_grant_type"])
async def test_a_refused_application_is_a_configuration_error(name: str) -> None:
    server = IdentityServer()
    server.faults = [oauth_refusal(name, 401)]
    with pytest.raises(ConfigurationError, match=name) as caught:
        await bearer(MemoryTokenStore(token(expires_in=1)), server).headers()
    assert caught.value.key == "alice"
    assert caught.value.more_information


@pytest.mark.parametrize("words", ["", "<html>Please log in", "Unauthorized"])
async def test_a_401_without_an_oauth_error_may_pass(words: str) -> None:
    """A proxy or a maintenance page said it: an OAuth2 server names its error (RFC 6749 section 5.2)."""
    server = IdentityServer()
    server.faults = [UnauthorizedError("401", status=401, description=words)]
    with pytest.raises(NetworkError, match=r"401 .* is not from an OAuth2 server") as caught:
        await bearer(MemoryTokenStore(token(expires_in=-1)), server).headers()
    assert caught.value.identity_server


async def test_a_401_that_names_the_client_is_the_applications() -> None:
    server = IdentityServer()
    server.faults = [UnauthorizedError("401", status=401, oauth_error="invalid_client")]
    with pytest.raises(ConfigurationError, match="invalid_client"):
        await bearer(MemoryTokenStore(token(expires_in=-1)), server).headers()


async def test_the_gateways_configuration_error_is_not_retried() -> None:
    server = IdentityServer()
    server.faults = [ConfigurationError("gateway", more_information="Not registered to plan")]
    credentials = bearer(MemoryTokenStore(token(expires_in=1)), server)
    for _ in range(5):
        with pytest.raises(ConfigurationError) as caught:
            await credentials.headers()
        assert caught.value.more_information == "Not registered to plan"
        assert caught.value.key == "alice"
    assert len(server.requests) == 1


PASSING = [
    NetworkError("gone"),
    ServerError("503", status=503),
    BudgetExhaustedError("spent"),
    NotFoundError("404", status=404),
]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
async def test_the_old_token_is_used_where_an_early_renewal_fails(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    server = IdentityServer()
    server.faults = [error] * 4
    credentials = bearer(MemoryTokenStore(token(expires_in=30)), server)
    assert authorization(await credentials.headers()) == "Bearer access-0"
    assert "the token was not renewed; the old one is used until it expires" in caplog.text
    server.faults.clear()
    await anyio.sleep(6)
    assert authorization(await credentials.headers()) == "Bearer access-1"


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
async def test_a_late_renewal_that_fails_is_an_error(error: Exception) -> None:
    server = IdentityServer()
    server.faults = [error] * 4
    with pytest.raises(NetworkError if isinstance(error, NotFoundError) else type(error)):
        await bearer(MemoryTokenStore(token(expires_in=-30)), server).headers()


@pytest.mark.parametrize(
    "error",
    [NotFoundError("404", status=404, url=TOKEN_URL), ForbiddenError("403", status=403, url=TOKEN_URL)],
    ids=lambda error: type(error).__name__,
)
async def test_a_page_in_place_of_the_identity_server_is_no_api_error(
    error: ApiError,
) -> None:
    """A 404 or 403 there does not say that a vehicle is missing."""
    server = IdentityServer()
    server.faults = [error]
    with pytest.raises(
        NetworkError, match=rf"the response {error.status} at .* is not from an OAuth2 server"
    ) as caught:
        await bearer(MemoryTokenStore(token(expires_in=-30)), server).headers()
    assert (caught.value.url, caught.value.sent, caught.value.is_transient) == (TOKEN_URL, True, True)
    assert caught.value.__cause__ is error


async def test_a_lone_refresh_token_whose_renewal_fails_is_an_error() -> None:
    server = IdentityServer()
    server.faults = [NetworkError("gone")] * 4
    with pytest.raises(NetworkError):
        await bearer(MemoryTokenStore(Token("", "refresh-0")), server).headers()


async def test_a_failed_renewal_reaches_every_waiter() -> None:
    """Each gets the error once, and the renewal is not tried again at once."""
    server = IdentityServer()
    server.faults = [NetworkError("gone")] * 4
    credentials = bearer(MemoryTokenStore(token(expires_in=-30)), server)
    errors: list[NetworkError] = []

    async def request() -> None:
        with pytest.raises(NetworkError) as caught:
            await credentials.headers()
        errors.append(caught.value)

    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(request)
    await request()
    await request()
    assert len(errors) == 102
    assert len({id(error) for error in errors}) == 102
    assert len(server.requests) == 4
    await anyio.sleep(6)
    assert authorization(await credentials.headers()) == "Bearer access-1"


async def test_an_invalid_refresh_token_is_not_sent_for_a_minute() -> None:
    server = IdentityServer("another")
    credentials = bearer(MemoryTokenStore(token(expires_in=1)), server)
    for _ in range(50):
        with pytest.raises(ConsentRequiredError):
            await credentials.headers()
        await anyio.sleep(1)
    assert len(server.requests) == 1
    await anyio.sleep(20)
    with pytest.raises(ConsentRequiredError):
        await credentials.headers()
    assert len(server.requests) == 2


async def test_a_new_log_in_ends_the_memory_of_a_failure() -> None:
    server = IdentityServer("refresh-new")
    store = MemoryTokenStore(token(expires_in=1))
    credentials = bearer(store, server)
    with pytest.raises(ConsentRequiredError):
        await credentials.headers()
    server.current = "refresh-new"
    await store.save("alice", token(expires_in=-1, access="access-new", refresh="refresh-new"))
    assert authorization(await credentials.headers()) == "Bearer access-1"


async def test_a_response_without_a_token_keeps_the_stored_one() -> None:
    class Portal(IdentityServer):
        async def __call__(self, request: Request, /) -> Response:
            return make_response(b"<html>please log in to the hotel's network</html>")

    store = MemoryTokenStore(token(expires_in=1))
    with pytest.raises(NetworkError, match=r"the response 200 at .* has no token"):
        await bearer(store, Portal()).headers()
    assert await store.load("alice") == token(expires_in=1)


# ------------------------------------------------------------------------------------------------- cancellation


async def test_a_cancelled_task_does_not_lose_the_new_token() -> None:
    server = IdentityServer(delay=5)
    store = MemoryTokenStore(token(expires_in=1))
    credentials = bearer(store, server)
    with anyio.move_on_after(1) as scope:
        await credentials.headers()
    assert scope.cancelled_caught
    stored = await store.load("alice")
    assert stored is not None
    assert stored.refresh_token == server.current
    assert authorization(await credentials.headers()) == "Bearer access-1"


async def test_waiters_go_on_where_the_renewing_task_is_cancelled() -> None:
    server = IdentityServer(delay=5)
    credentials = bearer(MemoryTokenStore(token(expires_in=1)), server)
    seen: list[str] = []

    async def request() -> None:
        seen.append(authorization(await credentials.headers()))

    async def impatient() -> None:
        with anyio.move_on_after(1):
            await credentials.headers()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(impatient)
        await anyio.wait_all_tasks_blocked()
        for _ in range(5):
            tasks.start_soon(request)
    assert seen == ["Bearer access-1"] * 5
    assert server.renewals == 1


async def test_a_silent_identity_server_times_out() -> None:
    async def silent(request: Request, /) -> Response:
        await anyio.sleep_forever()
        raise AssertionError

    store = MemoryTokenStore(token(expires_in=-1))
    began = anyio.current_time()
    with pytest.raises(NetworkError):
        await bearer(store, silent).headers()
    assert anyio.current_time() - began < 80
    async with store.lock("alice"):
        pass


class Failing(MemoryTokenStore):
    """A store that cannot save while its disk is full."""

    full = False

    async def save(self, key: str, token: Token | None) -> None:
        if self.full:
            raise TokenStoreError("disk full", key=key)
        await super().save(key, token)


async def test_an_unsaved_token_is_saved_before_it_is_used() -> None:
    server = IdentityServer()
    store = Failing(token(expires_in=1))
    credentials = bearer(store, server)
    store.full = True
    for _ in range(3):
        with pytest.raises(TokenStoreError):
            await credentials.headers()
    store.full = False
    assert authorization(await credentials.headers()) == "Bearer access-1"
    stored = await store.load("alice")
    assert stored is not None
    assert stored.refresh_token == server.current
    assert server.renewals == 1


async def test_an_unsaved_token_does_not_overwrite_a_new_log_in() -> None:
    server = IdentityServer()
    store = Failing(token(expires_in=1))
    credentials = bearer(store, server)
    store.full = True
    with pytest.raises(TokenStoreError):
        await credentials.headers()
    store.full = False
    await store.save("alice", token(access="access-new", refresh="refresh-new"))
    assert authorization(await credentials.headers()) == "Bearer access-new"


async def test_an_unsaved_token_does_not_undo_a_log_out() -> None:
    server = IdentityServer()
    store = Failing(token(expires_in=1))
    credentials = bearer(store, server)
    store.full = True
    with pytest.raises(TokenStoreError):
        await credentials.headers()
    store.full = False
    await store.save("alice", None)
    with pytest.raises(ConsentRequiredError):
        await credentials.headers()
    assert await store.load("alice") is None


async def test_a_store_of_others_may_raise_its_own_errors() -> None:
    class Database(MemoryTokenStore):
        async def save(self, key: str, token: Token | None) -> None:
            raise KeyError("no such table")

    with pytest.raises(KeyError, match="no such table"):
        await bearer(Database(token(expires_in=1)), IdentityServer()).headers()


# ------------------------------------------------------------------------------------------------- years


@pytest.mark.unmeasured
@pytest.mark.parametrize("days", [30, deep(365)])
async def test_a_year_of_rotation_in_two_processes_loses_no_session(days: int) -> None:
    server = IdentityServer(expires_in=3599, delay=0.3)
    store = MemoryTokenStore()
    await store.save("alice", token(expires_in=3599))
    clock = Clock()
    requests = 0

    async def process(every: float) -> None:
        nonlocal requests
        credentials = bearer(store, server, clock=clock)
        until = anyio.current_time() + days * 86_400
        while anyio.current_time() < until:
            fields = await credentials.headers()
            await anyio.sleep(0.2)
            issued = f"Bearer access-{server.renewals}"
            if authorization(fields) != issued and requests % 2 == 0:  # the server may revoke replaced tokens at once
                assert await credentials.refused(REFUSED, fields)
                assert authorization(await credentials.headers()) == f"Bearer access-{server.renewals}"
            requests += 1
            await anyio.sleep(every)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(process, 3500.0)
        tasks.start_soon(process, 20_000.0)
    assert server.current is not None
    assert days * 24 * 0.5 < server.renewals <= days * 25
    assert requests > days * 27


# ------------------------------------------------------------------------------------------------- secrets


@pytest.mark.parametrize(
    "fault",
    [oauth_refusal("invalid_grant"), oauth_refusal("invalid_client", 401), NetworkError("gone"), KeyError("bug")],
    ids=lambda fault: type(fault).__name__,
)
async def test_no_secret_shows_in_errors_tracebacks_or_logs(fault: Exception, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server = IdentityServer()
    server.faults = [fault] * 4
    credentials = bearer(MemoryTokenStore(token(expires_in=-1, access="TOPSECRET-a", refresh="TOPSECRET-r")), server)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each of the faults is one
        await credentials.headers()
    trace = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = "".join(line for line in trace.format() if "stellantis_hal/credentials" in line or "TOPSECRET" in line)
    assert "stellantis_hal/credentials" in ours
    assert "TOPSECRET" not in ours
    assert "s3cret" not in ours
    assert "TOPSECRET" not in caplog.text
    assert "TOPSECRET" not in repr(caught.value)


async def test_no_secret_shows_in_repr() -> None:
    store = MemoryTokenStore(token(access="TOPSECRET-a", refresh="TOPSECRET-r"))
    credentials = bearer(store, IdentityServer())
    fields = await credentials.headers()
    assert "TOPSECRET" not in repr(credentials) + repr(fields)
    assert "s3cret" not in repr(credentials)
    assert "alice" in repr(credentials)


def test_credentials_outlive_an_event_loop() -> None:
    server = IdentityServer(delay=0)
    store = MemoryTokenStore(token())
    credentials = bearer(store, server, clock=lambda: NOON)

    async def refuse_often() -> None:
        for _ in range(8):
            assert await credentials.refused(REFUSED, await credentials.headers())

    async def refuse() -> bool:
        return await credentials.refused(REFUSED, await credentials.headers())

    anyio.run(refuse_often, backend_options={"loop_factory": Later})
    assert anyio.run(refuse)
    assert server.renewals == 9


class Later(JumpingEventLoop):
    """A loop whose clock is far ahead of the next one's."""

    def time(self) -> float:
        return super().time() + 1_000_000
