"""Logging in and out at the command line: ``login``, ``logout``, ``whoami``, ``token``.

Knows options, the browser and the terminal. Must not know OAuth2, and never prints a secret.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import anyio
import attrs
import click

from stellantis_hal.auth import (
    IDENTITY_URL,
    Application,
    AuthorizationRequest,
    Brand,
    Enrolment,
    FileTokenStore,
    IdentityProvider,
    Scope,
    Token,
)
from stellantis_hal.cli.loopback import is_loopback, listening
from stellantis_hal.client import StellantisClient
from stellantis_hal.errors import ConsentRequiredError, StellantisError
from stellantis_hal.hal.redaction import one_line
from stellantis_hal.navigation.origins import origin_of

__all__ = ["login", "login_commands", "logout", "token", "whoami"]

T = TypeVar("T")

_SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True, "auto_envvar_prefix": "STELLANTIS_HAL"}
_STORE = Path(click.get_app_dir("stellantis-hal")) / "tokens"
_DATA_SCOPES = tuple(str(scope) for scope in Scope if scope.startswith("data:"))


@attrs.frozen(kw_only=True)
class _Settings:
    """Who asks, whom, for which account, and where tokens are kept."""

    client_id: str
    client_secret: str | None = attrs.field(repr=False)
    certificate: str | None
    certificate_key: str | None
    brand: str
    realm: str | None
    identity_url: str
    base_url: str | None
    store: Path
    account: str

    def application(self) -> Application:
        certificate = None
        if self.certificate is not None:
            certificate = (self.certificate, self.certificate_key or self.certificate)
        return Application(self.client_id, self.client_secret or None, certificate=certificate)

    def begin(self, **options: Any) -> AuthorizationRequest:
        identity = IdentityProvider.of(self.brand, realm=self.realm, url=self.identity_url)
        return AuthorizationRequest.begin(self.application(), identity, **options)

    def client(self) -> StellantisClient:
        return StellantisClient(self.application(), base_url=self.base_url, identity_url=self.identity_url)

    def tokens(self) -> FileTokenStore:
        self.store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return FileTokenStore(self.store)

    def enrolment(self, client: StellantisClient) -> Enrolment:
        return client.enrolment(brand=self.brand, store=self.tokens(), realm=self.realm)


_LOG_IN = "log in by: stellantis-hal login"


def _address(_: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Refuse what nothing can be sent to, before anything is asked."""
    if value is not None and origin_of(value.replace("{domain}", "brand.example")) is None:
        raise click.BadParameter("an address begins with https:// (or http://) and a host", param=option)
    return value


def _redirect(_: click.Context, option: click.Parameter, value: str) -> str:
    """Refuse an address whose port is none: nobody could come back to it."""
    try:
        urlsplit(value).port  # noqa: B018 - raises
    except ValueError as error:
        raise click.BadParameter(str(error), param=option) from None
    return value


_OF_THE_STORE = (
    click.option(
        "--store", type=click.Path(path_type=Path, dir_okay=False), default=_STORE, help="The file that keeps tokens."
    ),
    click.option("--account", default="default", help="The account's name in that file."),
)
_OF_THE_APPLICATION = (
    click.option("--client-id", required=True, help="The application's id."),
    click.option(
        "--client-secret",
        prompt="Client secret (empty for none)",
        prompt_required=False,
        hide_input=True,
        show_default=False,
        help="Its secret; by the environment, STELLANTIS_HAL_CLIENT_SECRET, nobody else can read it.",
    ),
    click.option(
        "--certificate", type=click.Path(exists=True, dir_okay=False), help="Its certificate, for mutual TLS."
    ),
    click.option("--certificate-key", type=click.Path(exists=True, dir_okay=False), help="The certificate's key."),
    click.option(
        "--brand",
        type=click.Choice([brand.value for brand in Brand], case_sensitive=False),
        required=True,
        help="The brand of the account's cars.",
    ),
    click.option("--realm", help="Another realm than the brand's usual."),
    click.option("--identity-url", default=IDENTITY_URL, callback=_address, help="Where to log in."),
    click.option("--base-url", callback=_address, help="Where the API is."),
)


def _with(*options: Callable[..., Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command several options, in this order."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def _settings(options: dict[str, Any]) -> _Settings:
    """Take the settings out of a command's options, and fill in what the environment has."""
    names = [field.name for field in attrs.fields(_Settings)]
    return _Settings(**{name: options.pop(name) for name in names})


def _run(act: Callable[..., T], *arguments: Any) -> T:
    """Run to the end; what goes wrong is told in a line."""
    try:
        return act(*arguments)
    except ConsentRequiredError as error:
        raise click.ClickException(f"{error} ({_LOG_IN})") from error
    except (StellantisError, OSError) as error:
        raise click.ClickException(str(error)) from error


# ------------------------------------------------------------------------------------------------- login


@click.command(context_settings=_SETTINGS)
@_with(*_OF_THE_APPLICATION, *_OF_THE_STORE)
@click.option("--scope", multiple=True, help="What to ask for; may be repeated.  [default: all data]")
@click.option(
    "--redirect-uri",
    default="http://127.0.0.1:8912/",
    callback=_redirect,
    help="As it was registered. On this machine it is listened on (port 0: any); else paste what the browser shows.",
)
@click.option("--paste", is_flag=True, help="Paste the redirect, whatever the redirect URI.")
@click.option("--browser/--no-browser", default=True, help="Open the page, or only print its address.")
@click.option("--pkce/--no-pkce", default=True, help="Prove that it is we who asked.")
@click.option("--local", help="The page's language, such as fr-FR.")
@click.option("--within", type=click.FloatRange(1, 3600), default=300, help="Seconds to wait for the browser.")
def login(
    *,
    scope: tuple[str, ...],
    redirect_uri: str,
    paste: bool,
    browser: bool,
    pkce: bool,
    local: str | None,
    within: float,
    **options: Any,
) -> None:
    """Log in and consent in the browser; the token is kept in a file that nobody else may read."""
    settings = _settings(options)

    def begin(address: str) -> AuthorizationRequest:
        asked = scope or _DATA_SCOPES
        authorization = settings.begin(redirect_uri=address, scope=asked, pkce=pkce, local=local)
        _show(authorization, browser=browser)
        return authorization

    async def receive() -> tuple[AuthorizationRequest, str]:
        async with listening(redirect_uri) as loopback:
            authorization = begin(loopback.redirect_uri)
            try:
                return authorization, await loopback.receive(within=within, is_awaited=authorization.is_answered_by)
            except TimeoutError:
                raise click.ClickException(f"the browser did not come back within {within:g} s") from None

    async def complete(authorization: AuthorizationRequest, response: str) -> Token:
        async with settings.client() as client:
            return await settings.enrolment(client).complete(authorization, response, key=settings.account)

    if paste or not is_loopback(redirect_uri):
        # No event loop runs meanwhile: it would keep the first Ctrl+C to itself.
        authorization, response = _run(begin, redirect_uri), _ask_for_the_redirect()
    else:
        authorization, response = _run(anyio.run, receive)
    kept = _run(anyio.run, complete, authorization, response)
    click.echo(f"Logged in as {settings.account!r}; the token is kept in {settings.store}.")
    _describe(kept)


def _show(authorization: AuthorizationRequest, *, browser: bool) -> None:
    click.echo("Log in and consent on this page:")
    click.echo(authorization.url)
    if browser and click.launch(authorization.url) != 0:
        click.echo("No browser could be opened: open the page yourself.", err=True)


def _ask_for_the_redirect() -> str:
    return str(
        click.prompt(
            "Then paste the address that the browser ends at (of an address that it cannot open, too)",
            prompt_suffix=":\n",
        )
    )


# ------------------------------------------------------------------------------------------------- logout, whoami


@click.command(context_settings=_SETTINGS)
@_with(*_OF_THE_APPLICATION, *_OF_THE_STORE)
def logout(**options: Any) -> None:
    """Revoke an account's token and forget it."""
    settings = _settings(options)

    async def act() -> None:
        async with settings.client() as client:
            was_there = await settings.enrolment(client).withdraw(settings.account)
        if not was_there:
            raise click.ClickException(await _nobody(settings.tokens(), settings.account))
        click.echo(f"{settings.account!r} is logged out.")

    _run(anyio.run, act)


@click.command(context_settings=_SETTINGS)
@_with(*_OF_THE_APPLICATION, *_OF_THE_STORE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def whoami(*, as_json: bool, **options: Any) -> None:
    """Ask the API who is logged in."""
    settings = _settings(options)

    async def act() -> None:
        brand = Brand(settings.brand)
        async with settings.client() as client:
            account = client.account(settings.tokens(), brand=brand, key=settings.account, realm=settings.realm)
            user = await account.user()
        name = " ".join(part for part in (user.first_name, user.last_name) if part) or None
        facts = {"account": settings.account, "brand": brand.value, "name": name, "email": user.email}
        _print(facts, as_json=as_json)

    _run(anyio.run, act)


# ------------------------------------------------------------------------------------------------- token


@click.command(context_settings=_SETTINGS)
@_with(*_OF_THE_STORE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def token(*, store: Path, account: str, as_json: bool) -> None:
    """Show a token's expiry and scopes, never the token itself."""

    async def act() -> None:
        tokens = FileTokenStore(store)
        kept = await tokens.load(account)
        if kept is None:
            raise click.ClickException(await _nobody(tokens, account))
        _describe(kept, account=account, as_json=as_json)

    _run(anyio.run, act)


async def _nobody(store: FileTokenStore, account: str) -> str:
    others = ", ".join(repr(key) for key in await store.keys())
    there = f"; there are {others}" if others else ""
    return f"nobody is logged in as {account!r}{there} ({_LOG_IN})"


def _describe(token: Token, *, account: str | None = None, as_json: bool = False) -> None:
    facts: dict[str, Any] = {} if account is None else {"account": account}
    expiry = None if token.expires_at is None else token.expires_at.isoformat(timespec="seconds")
    facts["expires_at"] = expiry
    if token.expires_at is not None and not as_json:
        facts["expires_at"] = f"{expiry} ({_distance((token.expires_at - datetime.now(UTC)).total_seconds())})"
    facts["renewable"] = token.refresh_token is not None
    facts["scope"] = list(token.scope)
    _print(facts, as_json=as_json)


def _distance(seconds: float) -> str:
    minutes = math.floor(abs(seconds) / 60)
    span = f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
    return f"in {span}" if seconds > 0 else f"{span} ago; it is renewed when it is needed"


def _print(facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    for name, value in facts.items():
        if isinstance(value, list):
            shown = " ".join(value)
        elif isinstance(value, bool):
            shown = "yes" if value else "no"
        else:
            shown = value
        click.echo(f"{name.replace('_', ' '):<11}{one_line(str(shown or 'unknown'))}")  # a server may have said it


login_commands: tuple[click.Command, ...] = (login, logout, whoami, token)
"""To be added to the group of all commands."""
