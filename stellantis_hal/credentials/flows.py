"""OAuth2 credentials of any server: client credentials, and a user's consent by authorization code."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Literal
from weakref import WeakSet

from stellantis_hal.credentials.account_partition import account_partition
from stellantis_hal.credentials.consent import AuthorizationCodeGrant
from stellantis_hal.credentials.grants import ClientCredentialsGrant
from stellantis_hal.credentials.oauth2_messages import AuthorizationRequest, OAuth2Registration
from stellantis_hal.credentials.renewing_bearer import RenewingBearerCredentials
from stellantis_hal.credentials.stores.memory import MemoryTokenStore, as_token_store
from stellantis_hal.credentials.stores.protocol import TokenStore
from stellantis_hal.credentials.token import Token, TokenLike, parse_scope
from stellantis_hal.errors import ConfigurationError, LoginRedirectError
from stellantis_hal.hal.redaction import mask_repr
from stellantis_hal.navigation.cache.partition import Partition
from stellantis_hal.transport.credentials import CredentialsContext
from stellantis_hal.validation import require_flags, require_type

__all__ = ["OAuth2AuthorizationCode", "OAuth2ClientCredentials"]

AuthMethod = Literal["basic", "post"]
_MAX_PENDING = 16
_RENEWALS_WAIT = 0.0
"""Seconds for a paused identity server: renewals wait on their own, where they can be cancelled."""
_CONSENT_WAIT = 60.0


class OAuth2ClientCredentials:
    """Send a token that the program gets by its own id and secret (RFC 6749 section 4.4), renewed before it expires.

    Any number of tasks share one renewal. The token is sent to trusted origins only, id and secret to the origin of
    ``token_url`` only.

    Args:
        token_url: the address that issues tokens.
        client_id: the public id.
        client_secret: the secret.
        scope: the scopes to ask for; default: the server's.
        parameters: more fields of the form, as the server documents them (``audience``, ``resource``).
        auth_method: how the secret is sent to the server: "basic" (HTTP Basic, the default) or "post" (in the form).
        store: where the token is kept; None: in memory, for this object.
        key: the key in the store.

    Raises:
        ValueError: ``auth_method`` is neither "basic" nor "post".

    Example::

        auth = OAuth2ClientCredentials("https://login.example.com/token", "my-id", "my-secret", scope="read")
        async with HalClient("https://api.example.com/", auth=auth) as client:
            ...
    """

    def __init__(
        self,
        token_url: str,
        client_id: str,
        client_secret: str,
        *,
        scope: str | Iterable[str] = (),
        parameters: Mapping[str, str] | None = None,
        auth_method: AuthMethod = "basic",
        store: TokenStore | None = None,
        key: str = "default",
    ) -> None:
        require_type("client_secret", client_secret, str)
        self._client = OAuth2Registration(
            client_id=client_id, client_secret=client_secret, token_url=token_url, auth_method=auth_method
        )
        self._secret = client_secret
        self._scope = parse_scope(scope)
        require_type("parameters", parameters, Mapping, None, instead="{'audience': 'cars'}")
        self._parameters = dict(parameters or {})
        self._store: TokenStore = MemoryTokenStore() if store is None else store
        self._key = key

    def connect(self, access: CredentialsContext) -> RenewingBearerCredentials:
        """Return the credentials of one client. Called by the client."""
        client = self._client
        return RenewingBearerCredentials(
            client,
            self._store,
            fetch=access.identity_fetch((client.token_url,), _RENEWALS_WAIT),
            key=self._key,
            clock=access.clock,
            grant=ClientCredentialsGrant(client, self._scope, self._parameters),
            partition=Partition.of_secret(
                self._secret, "client", client.token_url, client.client_id, *self._scope, repr(self._parameters)
            ),
        )

    def __repr__(self) -> str:
        return f"OAuth2ClientCredentials({self._client!r}, key={mask_repr(self._key)})"


class OAuth2AuthorizationCode:
    """Send the token of a user who consents in a browser (RFC 6749 section 4.1, with PKCE), renewed before it expires.

    Pass it to a client first, then ask for consent where :meth:`is_authorized` is False. Any number of tasks, and
    processes that share the store, share one renewal. The token is sent to trusted origins only.

    Args:
        client_id: the public id.
        client_secret: None for a public client.
        authorize_url: the page where users log in and consent.
        token_url: the address that exchanges codes and renews tokens.
        redirect_uri: one that is registered for the client; custom schemes too.
        scope: the scopes to ask for.
        revocation_url: the address that revokes tokens (RFC 7009); empty: :meth:`withdraw` only removes the token.
        pkce: whether to use PKCE (RFC 7636, S256).
        parameters: more parameters of the page, as the server documents them (``prompt``, ``login_hint``).
        auth_method: how the secret is sent to the server: "basic" (HTTP Basic, the default) or "post" (in the form).
        store: where the token is kept, or a token to start with; None: in memory, for this object.
        key: the user's key in the store.

    Raises:
        ValueError: ``auth_method`` is neither "basic" nor "post".

    Example::

        login = OAuth2AuthorizationCode(
            "my-id",
            authorize_url="https://login.example.com/authorize",
            token_url="https://login.example.com/token",
            redirect_uri="http://127.0.0.1:8000/back",
            scope="read",
            store=FileTokenStore("tokens.json"),
        )
        async with HalClient("https://api.example.com/", auth=login) as client:
            if not await login.is_authorized():
                print(login.authorization_url())
                await login.complete(input("the address that the browser shows: "))
    """

    def __init__(
        self,
        client_id: str,
        client_secret: str | None = None,
        *,
        authorize_url: str,
        token_url: str,
        redirect_uri: str,
        scope: str | Iterable[str] = (),
        revocation_url: str = "",
        pkce: bool = True,
        parameters: Mapping[str, str] | None = None,
        auth_method: AuthMethod = "basic",
        store: Token | TokenLike | TokenStore | None = None,
        key: str = "default",
    ) -> None:
        require_flags(pkce=pkce)
        self._client = OAuth2Registration(
            client_id=client_id,
            client_secret=client_secret,
            authorize_url=authorize_url,
            token_url=token_url,
            revocation_url=revocation_url,
            auth_method=auth_method,
        )
        self._redirect_uri = redirect_uri
        self._scope = parse_scope(scope)
        self._pkce = pkce
        require_type("parameters", parameters, Mapping, None, instead="{'prompt': 'login'}")
        self._parameters = dict(parameters or {})
        self._store: TokenStore = MemoryTokenStore() if store is None else as_token_store(store)
        self._key = key
        self._pending: OrderedDict[str, AuthorizationRequest] = OrderedDict()
        self._access: CredentialsContext | None = None
        self._accesses: WeakSet[CredentialsContext] = WeakSet()

    def connect(self, access: CredentialsContext) -> RenewingBearerCredentials:
        """Return the credentials of one client. Called by the client."""
        self._access = access
        self._accesses.add(access)
        return RenewingBearerCredentials(
            self._client,
            self._store,
            fetch=access.identity_fetch((self._client.token_url,), _RENEWALS_WAIT),
            key=self._key,
            clock=access.clock,
        )

    async def is_authorized(self) -> bool:
        """Return whether there is a token; it may have been revoked since.

        Raises:
            TokenStoreError: the store failed.
        """
        return await self._store.load(self._key) is not None

    def begin(self, *, state: str | None = None) -> AuthorizationRequest:
        """Return the page to show, and what its redirect is checked against: it pickles, and outlives the process.

        Args:
            state: a secret of your own; None: a random one.
        """
        request = AuthorizationRequest.begin(
            self._client,
            redirect_uri=self._redirect_uri,
            scope=self._scope,
            state=state,
            pkce=self._pkce,
            parameters=self._parameters,
        )
        self._pending[request.state] = request
        while len(self._pending) > _MAX_PENDING:
            self._pending.popitem(last=False)
        return request

    def authorization_url(self, *, state: str | None = None) -> str:
        """Return the address of the page where the user logs in and consents; :meth:`complete` knows the last 16."""
        return self.begin(state=state).url

    async def complete(
        self,
        redirect_url: str | None = None,
        *,
        code: str | None = None,
        state: str | None = None,
        authorization: AuthorizationRequest | None = None,
    ) -> Token:
        """Check the redirect, exchange its code, and store the token, which is sent from now on.

        Args:
            redirect_url: the URL that the browser was sent to, alone or in any text that it was pasted with.
            code: the code, where the program has parsed the redirect itself; with ``state``.
            state: the state of that redirect.
            authorization: what :meth:`begin` returned; None: the one of this object that the redirect belongs to.

        Raises:
            ConfigurationError: no client has this as its ``auth``, or the server refuses the application.
            ValueError: neither the redirect URL nor both its code and its state were passed; nothing was sent.
            ConsentRequiredError: the user refused, or the code has been used or has expired: begin again.
            LoginRedirectError: the text has no redirect of a log-in that was begun here.
            AuthError: the redirect reports an error, or the response has no token.
            TokenStoreError: the token could not be stored.
            NetworkError: the server could not be reached.
            ApiError: it failed, or refused for another reason.
        """
        consent = self._consent()
        request = self._pending_for(redirect_url, state) if authorization is None else authorization
        token = await consent.complete(request, redirect_url, code=code, state=state, key=self._key)
        self._pending.pop(request.state, None)
        return token

    async def withdraw(self) -> bool:
        """Revoke the token and remove it from the store; False where there is none.

        Raises:
            ConfigurationError: no client has this as its ``auth``, or the server refuses the application.
            TokenStoreError: the store failed.
            NetworkError: the server could not be reached.
            ApiError: it failed, or refused for another reason.
        """
        return await self._consent().withdraw(self._key)

    def _pending_for(self, redirect_url: str | None, state: str | None) -> AuthorizationRequest:
        if not self._pending:
            raise LoginRedirectError("no log-in was begun: call authorization_url() first, or pass authorization=")
        latest = next(reversed(self._pending.values()))
        if state is not None:
            return self._pending.get(state, latest)
        text = redirect_url or ""
        return next((request for request in self._pending.values() if request.state in text), latest)

    def _consent(self) -> AuthorizationCodeGrant:
        if self._access is None:
            raise ConfigurationError("pass it to a client first, which sends its requests: HalClient(url, auth=…)")
        urls = tuple(filter(None, (self._client.token_url, self._client.revocation_url)))
        fetch = self._access.identity_fetch(urls, _CONSENT_WAIT)
        return AuthorizationCodeGrant(
            self._client, fetch=fetch, store=self._store, clock=self._access.clock, on_change=self._clear_caches
        )

    async def _clear_caches(self, key: str) -> None:
        """Remove what the clients stored for the user before: the next one may be another."""
        partition = account_partition(
            self._store, key, client_id=self._client.client_id, token_url=self._client.token_url
        )
        for access in tuple(self._accesses):
            await access.clear_cache(partition)

    def __repr__(self) -> str:
        return f"OAuth2AuthorizationCode({self._client!r}, key={mask_repr(self._key)})"
