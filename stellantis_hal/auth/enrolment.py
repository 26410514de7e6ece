"""Enrolment: an account holder's consent, and its withdrawal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime

from stellantis_hal.auth.application import Application
from stellantis_hal.auth.identity_provider import IdentityProvider
from stellantis_hal.credentials.consent import AuthorizationCodeGrant
from stellantis_hal.credentials.oauth2_messages import AuthorizationRequest
from stellantis_hal.credentials.stores.protocol import TokenStore
from stellantis_hal.hal.clock import utc_now
from stellantis_hal.navigation.fetch_protocol import Fetch

__all__ = ["EnrolmentFlow", "locale_parameters"]


def locale_parameters(locale: str | None, local: str | None = None) -> dict[str, str]:
    """Return the parameters of the log-in page that name its language; the servers read ``locale`` or ``local``."""
    values = {"locale": local if locale is None else locale, "local": locale if local is None else local}
    return {name: value for name, value in values.items() if value is not None}


class EnrolmentFlow(AuthorizationCodeGrant):
    """Ask account holders of one brand for their consent, and withdraw it.

    Args:
        application: the application that the account holders enrol in.
        identity: the brand's identity server.
        fetch: sends requests to the identity server, without credentials of its own.
        store: where tokens are stored; None: the caller keeps them.
        clock: the wall clock.
        on_change: called with a key whose token now belongs to another consent, or to none.

    Example::

        authorization = enrolment.begin(redirect_uri="https://example.org/back", scope=[Scope.TRIP, Scope.POSITION])
        ...  # show authorization.url, get the redirect URL from the browser
        token = await enrolment.complete(authorization, redirect_url, key="alice")
    """

    def __init__(
        self,
        application: Application,
        identity: IdentityProvider,
        *,
        fetch: Fetch,
        store: TokenStore | None = None,
        clock: Callable[[], datetime] = utc_now,
        on_change: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(
            identity.oauth2_client(application),
            fetch=fetch,
            store=store,
            clock=clock,
            # The vendor's table calls the parameter "token", as RFC 7009 does; its example "refresh_token".
            revocation_parameters=("token", "refresh_token"),
            on_change=on_change,
        )

    def begin(
        self,
        *,
        redirect_uri: str,
        scope: str | Iterable[str],
        state: str | None = None,
        pkce: bool = True,
        locale: str | None = None,
        local: str | None = None,
        separator: str = " ",
        parameters: Mapping[str, str] | None = None,
    ) -> AuthorizationRequest:
        """Return the page to show, and what its redirect is checked against.

        Args:
            redirect_uri: one that the application registered; custom schemes too.
            scope: what to ask for (:class:`~stellantis_hal.Scope`).
            state: a secret of your own; None: a random one.
            pkce: whether to use PKCE (RFC 7636, S256).
            locale: the language of the page (``fr-FR``). It is sent as ``locale``, which the servers read, and as
                ``local``, which the vendor documents.
            local: the same, or another value for the parameter ``local`` alone.
            separator: between scopes: a blank (RFC 6749 section 3.3), or the comma of the vendor's example.
            parameters: more parameters of the page; they replace those of ``locale``.

        Raises:
            ValueError: a parameter has a name that another argument sets, such as ``state``.
            TypeError: a parameter is not text.
        """
        return AuthorizationRequest.begin(
            self._client,
            redirect_uri=redirect_uri,
            scope=scope,
            state=state,
            pkce=pkce,
            separator=separator,
            parameters={**locale_parameters(locale, local), **(parameters or {})},
        )
