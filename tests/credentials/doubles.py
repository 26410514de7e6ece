"""An identity server as a ``Fetch``, for tests of credentials."""

import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import anyio

from stellantis_hal import Application, Brand, RenewingBearerCredentials, Token, TokenStore
from stellantis_hal.auth.identity_provider import IdentityProvider
from stellantis_hal.errors import BadRequestError
from stellantis_hal.navigation.fetch_protocol import Request, Response
from tests.support.responses import make_response

APPLICATION = Application("my-app", "s3cret")
IDENTITY = IdentityProvider.of(Brand.PEUGEOT)
CLIENT = IDENTITY.oauth2_client(APPLICATION)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def form_of(request: Request) -> dict[str, str]:
    assert isinstance(request.content, bytes)
    return {name: values[0] for name, values in parse_qs(request.content.decode(), keep_blank_values=True).items()}


def oauth_refusal(error: str, status: int = 400) -> BadRequestError:
    return BadRequestError(f"{status} from the identity server", status=status, oauth_error=error)


class IdentityServer:
    """A server that rotates refresh tokens: one that is used twice revokes the grant, as certified servers do."""

    def __init__(self, refresh_token: str = "refresh-0", *, expires_in: Any = 3600, delay: float = 0.1) -> None:
        self.current: str | None = refresh_token
        self.expires_in = expires_in
        self.delay = delay
        self.requests: list[Request] = []
        self.renewals = 0
        self.faults: list[Exception | Callable[[], Exception]] = []
        self.rotates = True
        self.busy = 0

    async def __call__(self, request: Request, /) -> Response:
        self.requests.append(request)
        self.busy += 1
        assert self.busy == 1, "two renewals at once"
        try:
            await anyio.sleep(self.delay)
        finally:
            self.busy -= 1
        if self.faults:
            fault = self.faults.pop(0)
            raise fault if isinstance(fault, Exception) else fault()
        form = form_of(request)
        if form["grant_type"] != "refresh_token" or self.current is None or form["refresh_token"] != self.current:
            self.current = None
            raise oauth_refusal("invalid_grant")
        self.renewals += 1
        body = {"access_token": f"access-{self.renewals}", "token_type": "Bearer", "expires_in": self.expires_in}
        if self.rotates:
            self.current = body["refresh_token"] = f"refresh-{self.renewals}-{secrets.token_hex(4)}"
        return make_response(body)


class Clock:
    """A wall clock that runs with the backend's clock, and can be wrong."""

    def __init__(self, start: datetime = NOON) -> None:
        self.start = start
        self.origin: float | None = None
        self.wrong_by = 0.0

    def __call__(self) -> datetime:
        now = anyio.current_time()
        if self.origin is None:
            self.origin = now
        return datetime.fromtimestamp(self.start.timestamp() + now - self.origin + self.wrong_by, UTC)


def bearer(
    store: TokenStore, server: Any, *, clock: Callable[[], datetime] | None = None, key: str = "alice"
) -> RenewingBearerCredentials:
    """Return credentials as a Stellantis client makes them."""
    return RenewingBearerCredentials(
        CLIENT,
        store,
        fetch=server,
        key=key,
        headers=IDENTITY.headers,
        query=APPLICATION.query,
        clock=clock or Clock(),
    )


def token(*, expires_in: float | None = 3600, access: str = "access-0", refresh: str | None = "refresh-0") -> Token:
    expiry = None if expires_in is None else datetime.fromtimestamp(NOON.timestamp() + expires_in, UTC)
    return Token(access, refresh, expiry, ("data:trip",))


def authorization(fields: Mapping[str, str]) -> str:
    return fields["Authorization"]
