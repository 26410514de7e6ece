"""Grants: how a new access token is asked for (RFC 6749 sections 4.4 and 6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import attrs

from stellantis_hal.credentials.oauth2_messages import OAuth2Registration, client_credentials_request, renewal_request
from stellantis_hal.credentials.token import Token
from stellantis_hal.navigation.fetch_protocol import Request

__all__ = ["ClientCredentialsGrant", "Grant", "RefreshTokenGrant"]


class Grant(Protocol):
    """The way to a new access token."""

    @property
    def first(self) -> Token | None:
        """What to start with where the store has no token; None where a user has to consent first."""
        ...

    def can_renew(self, token: Token) -> bool:
        """Return whether a new access token can be asked for without a user."""
        ...

    def request(self, token: Token) -> Request:
        """Return the request for a new access token; it may be sent again where no response arrived."""
        ...


@attrs.frozen
class RefreshTokenGrant:
    """New access tokens for the refresh token that a user's consent gave."""

    client: OAuth2Registration
    first: Token | None = None

    def can_renew(self, token: Token) -> bool:
        """Return whether there is a refresh token."""
        return token.refresh_token is not None

    def request(self, token: Token) -> Request:
        """Return the request that renews a token."""
        return renewal_request(self.client, token)


@attrs.frozen
class ClientCredentialsGrant:
    """New access tokens for the client's own id and secret."""

    client: OAuth2Registration
    scope: tuple[str, ...] = ()
    parameters: Mapping[str, str] = attrs.field(factory=dict, repr=False)

    @property
    def first(self) -> Token:
        """An empty token, which is renewed before the first request."""
        return Token("", scope=self.scope)

    def can_renew(self, token: Token) -> bool:
        """Return True."""
        return True

    def request(self, token: Token) -> Request:
        """Return the request for a token."""
        return client_credentials_request(self.client, self.scope, self.parameters)
