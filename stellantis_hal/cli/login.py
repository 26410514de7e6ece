"""Commands ``login``, ``logout``, ``whoami`` and ``token``; no command prints a secret."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import anyio
import attrs
import click

from stellantis_hal.auth.application import Application
from stellantis_hal.auth.enrolment import Enrolment, locale_parameters
from stellantis_hal.auth.identity import IdentityProvider
from stellantis_hal.cli.failures import Failure, run_command
from stellantis_hal.cli.invocation import current
from stellantis_hal.cli.loopback import Loopback, is_loopback, listen
from stellantis_hal.cli.output import json_text
from stellantis_hal.cli.paste import read_pasted
from stellantis_hal.cli.profiles import add_profile, config_path
from stellantis_hal.client.account import Account
from stellantis_hal.client.stellantis_client import StellantisClient
from stellantis_hal.credentials.oauth2 import AuthorizationRequest, read_refusal
from stellantis_hal.credentials.stores.opening import token_file
from stellantis_hal.credentials.stores.protocol import TokenStore
from stellantis_hal.credentials.token import Token
from stellantis_hal.errors import ConfigurationError, RedirectError
from stellantis_hal.hal.redaction import one_line
from stellantis_hal.navigation.origins import origin_of
from stellantis_hal.storage.state import StateStore
from stellantis_hal.transport.proxies import ProxySettings
from stellantis_hal.vendor.brands import Brand
from stellantis_hal.vendor.hosts import IDENTITY_URL
from stellantis_hal.vendor.scopes import Scope

__all__ = [
    "AccountSettings",
    "account_options",
    "account_settings",
    "check_proxy",
    "check_url",
    "default_store",
    "login",
    "login_commands",
    "logout",
    "run_command",
    "token",
    "whoami",
]

T = TypeVar("T")

_SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True, "auto_envvar_prefix": "STELLANTIS_HAL"}


def default_store() -> Path | None:
    """Return the token file in the user's folder of settings; None where the user has no home.

    A file that an earlier version has made, ``tokens``, is used where it is; a new one is an SQLite file.
    """
    for folder in (click.get_app_dir("stellantis-hal"), os.path.expanduser("~/.config/stellantis-hal")):
        if os.path.isabs(folder):  # an empty or relative XDG_CONFIG_HOME is ignored
            earlier = Path(folder) / "tokens"
            return earlier if earlier.exists() else Path(folder) / "tokens.db"
    return None


_STORE = default_store()
_REPEATS = 3
"""How often the redirect URL is asked for again."""
_MAX_REFUSALS = 5
_DATA_SCOPES = tuple(str(scope) for scope in Scope if scope.startswith("data:"))


@attrs.frozen(kw_only=True)
class AccountSettings:
    """Settings of a command: application, servers, account and token file."""

    client_id: str
    client_secret: str | None = attrs.field(repr=False)
    certificate: str | None
    certificate_key: str | None
    brand: str
    realm: str | None
    identity_url: str
    base_url: str | None
    proxy: str | None = attrs.field(repr=False)
    store: Path
    account: str

    def application(self) -> Application:
        certificate = None
        if self.certificate is not None:
            certificate = (self.certificate, self.certificate_key or self.certificate)
        return Application(self.client_id, self.client_secret or None, certificate=certificate)

    def begin(self, *, locale: str | None = None, parameters: dict[str, str], **options: Any) -> AuthorizationRequest:
        identity = IdentityProvider.of(self.brand, realm=self.realm, url=self.identity_url)
        parameters = {**locale_parameters(locale), **parameters}
        try:
            return AuthorizationRequest.begin(
                identity.oauth2_client(self.application()), parameters=parameters, **options
            )
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="'--param'") from None

    def client(self, *, state: StateStore | None = None) -> StellantisClient:
        return StellantisClient(
            self.application(), base_url=self.base_url, identity_url=self.identity_url, proxy=self.proxy, state=state
        )

    def open_account(self, client: StellantisClient) -> Account:
        """Return the account of a client."""
        return client.account(self.tokens(), brand=Brand(self.brand), key=self.account, realm=self.realm)

    def state_file(self) -> Path:
        """Return the file beside the tokens that keeps what was sent to cars."""
        return self.store.with_name(f"{self.store.name}-commands.db")

    def tokens(self) -> TokenStore:
        with suppress(OSError):  # the store reports a folder that is missing
            self.store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return token_file(self.store)

    async def check_store(self) -> None:
        """Write the token file as it is, so that an error is seen before the holder is asked for consent."""
        try:
            self.store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Failure(
                f"the folder of the token file {self.store} cannot be made: {error.strerror or error}; pass --store", 8
            ) from error
        tokens = self.tokens()
        async with tokens.lock(self.account):
            await tokens.save(self.account, await tokens.load(self.account))

    def enrolment(self, client: StellantisClient) -> Enrolment:
        return client.enrolment(brand=self.brand, store=self.tokens(), realm=self.realm)


_LOGIN_HINT = "log in with: stellantis-hal login"


def check_url(_: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Return a valid URL, or raise before the first request."""
    if value is not None and origin_of(value.replace("{domain}", "brand.example")) is None:
        raise click.BadParameter(
            "the URL must start with https:// (or http://) and a host, e.g. https://api.example", param=option
        )
    return value


def check_proxy(_: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Return the URL of a proxy, or raise before the log-in page is opened."""
    try:
        ProxySettings.of(value, os.environ)
    except (ValueError, ConfigurationError) as error:
        raise click.BadParameter(str(error), param=option) from None
    return value


def _check_redirect_uri(_: click.Context, option: click.Parameter, value: str) -> str:
    """Return a redirect URI with a valid port, or raise."""
    try:
        urlsplit(value).port  # noqa: B018 - raises
    except ValueError as error:
        raise click.BadParameter(str(error), param=option) from None
    return value


def _parse_parameters(_: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Return the parameters of the log-in page, or raise."""
    pairs = [value.partition("=") for value in values]
    if any(not name or not equals for name, equals, _ in pairs):
        raise click.BadParameter("a parameter must look like name=value, e.g. prompt=login", param=option)
    return {name: value for name, _, value in pairs}


_STORE_OPTIONS = (
    click.option(
        "--store",
        type=click.Path(path_type=Path, dir_okay=False),
        default=_STORE,
        required=_STORE is None,
        help="Token file.",
    ),
    click.option("--account", default="default", help="Name of the account in the token file."),
)
_APPLICATION_OPTIONS = (
    click.option(
        "--client-secret",
        prompt="Client secret (empty for none)",
        prompt_required=False,
        hide_input=True,
        show_default=False,
        help="Client secret; without a value it is asked for. STELLANTIS_HAL_CLIENT_SECRET sets it too.",
    ),
    click.option(
        "--certificate", type=click.Path(exists=True, dir_okay=False), help="Client certificate for mutual TLS (PEM)."
    ),
    click.option(
        "--certificate-key", type=click.Path(exists=True, dir_okay=False), help="Private key of the certificate (PEM)."
    ),
    click.option("--realm", help="Realm, if it is not the brand's default."),
    click.option("--identity-url", default=IDENTITY_URL, callback=check_url, help="Base URL of the identity server."),
    click.option("--base-url", callback=check_url, help="Base URL of the API."),
    click.option(
        "--proxy",
        callback=check_proxy,
        metavar="URL",
        help="Proxy, e.g. http://proxy.example:3128 (https, socks5 with the extra socks), or direct; set "
        "STELLANTIS_HAL_PROXY instead to keep a password out of process lists.  [default: by HTTPS_PROXY, HTTP_PROXY, "
        "ALL_PROXY and NO_PROXY]",
    ),
)


def _add_options(*options: Callable[..., Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds options to a command, in this order."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def account_options(*, required: bool = True) -> tuple[Callable[..., Any], ...]:
    """Return the options of a command that uses an account: application, servers, token file.

    Args:
        required: False: a command that can do without an account, such as one with ``--simulate``.
    """
    id_ = click.option("--client-id", required=required, help="Client id of the application.")
    brand = click.option(
        "--brand",
        required=required,
        type=click.Choice([brand.value for brand in Brand], case_sensitive=False),
        help="Brand of the account's vehicles.",
    )
    return (id_, *_APPLICATION_OPTIONS[:3], brand, *_APPLICATION_OPTIONS[3:], *_STORE_OPTIONS)


def account_settings(options: dict[str, Any]) -> AccountSettings:
    """Remove the settings from a command's options and return them.

    Raises:
        UsageError: the client id or the brand is missing.
    """
    names = [field.name for field in attrs.fields(AccountSettings)]
    found = {name: options.pop(name) for name in names}
    for name in ("client_id", "brand"):
        if found[name] is None:
            raise click.UsageError(f"Missing option '--{name.replace('_', '-')}'.")
    return AccountSettings(**found)


# ------------------------------------------------------------------------------------------------- login


@click.command(context_settings=_SETTINGS)
@_add_options(*account_options())
@click.option("--scope", multiple=True, help="Scope to request; may be repeated.  [default: all data scopes]")
@click.option(
    "--redirect-uri",
    default="http://127.0.0.1:8912/",
    callback=_check_redirect_uri,
    help="Registered redirect URI. On a loopback URI the command listens (port 0: any free port); "
    "with any other, paste the redirect URL.",
)
@click.option("--paste", is_flag=True, help="Paste the redirect URL, also of a loopback URI.")
@click.option("--browser/--no-browser", default=True, help="Open the log-in page, or only print its URL.")
@click.option("--pkce/--no-pkce", default=True, help="Use PKCE (RFC 7636).")
@click.option("--locale", "--local", "locale", help="Language of the log-in page, e.g. fr-FR.")
@click.option(
    "--param",
    "parameters",
    multiple=True,
    callback=_parse_parameters,
    metavar="NAME=VALUE",
    help="Further parameter of the log-in page; may be repeated.",
)
@click.option("--within", type=click.FloatRange(1, 3600), default=300, help="Seconds to wait for the browser.")
@click.option(
    "--save",
    "saved_profile",
    metavar="NAME",
    default="default",
    help="Keep these options as this profile of the configuration file, the secret in a file of its own.",
)
@click.option("--no-save", is_flag=True, help="Keep no profile.")
def login(
    *,
    scope: tuple[str, ...],
    redirect_uri: str,
    paste: bool,
    browser: bool,
    pkce: bool,
    locale: str | None,
    parameters: dict[str, str],
    within: float,
    saved_profile: str,
    no_save: bool,
    **options: Any,
) -> None:
    """Log in and consent in the browser; the token is stored in a file of mode 0600."""
    settings = account_settings(options)
    profile = current().profile
    if settings.client_secret is None and profile is not None:
        settings = attrs.evolve(settings, client_secret=profile.secret)

    def begin(address: str) -> AuthorizationRequest:
        scopes = scope or _DATA_SCOPES
        authorization = settings.begin(
            redirect_uri=address, scope=scopes, pkce=pkce, locale=locale, parameters=parameters
        )
        _show(authorization, browser=browser)
        return authorization

    async def receive() -> tuple[AuthorizationRequest, str]:
        async with _listen(redirect_uri) as loopback:
            authorization = begin(loopback.redirect_uri)
            refusals = _Refusals(authorization)
            try:
                return authorization, await loopback.receive(within=within, is_expected=refusals.is_expected)
            except TimeoutError:
                raise click.ClickException(
                    f"no redirect arrived within {within:g} s{refusals.summary()}: log in again, or use --paste"
                ) from None

    async def complete(authorization: AuthorizationRequest, response: str) -> Token:
        async with settings.client() as client:
            return await settings.enrolment(client).complete(authorization, response, key=settings.account)

    run_command(anyio.run, settings.check_store)
    if paste or not is_loopback(redirect_uri):
        # No event loop runs during the prompt: it would swallow the first Ctrl+C.
        authorization = run_command(begin, redirect_uri)
        response = run_command(_ask_for_redirect, authorization)
    else:
        authorization, response = run_command(anyio.run, receive)
    stored = run_command(anyio.run, complete, authorization, response)
    click.echo(f"Logged in as {settings.account!r}; the token is stored in {settings.store}.")
    if not no_save:
        run_command(_save_profile, saved_profile, settings)
    _describe(stored)


_SAVED = (
    "client_id",
    "brand",
    "certificate",
    "certificate_key",
    "realm",
    "identity_url",
    "base_url",
    "store",
    "account",
)
"""Options that a profile keeps where they have a value of their own."""


def _save_profile(name: str, settings: AccountSettings) -> None:
    """Write the settings of a log-in as a profile."""
    path = config_path(os.environ)
    if path is None:
        raise ConfigurationError("the user has no home: set STELLANTIS_HAL_CONFIG to a file to save a profile")
    values = {
        field: str(Path(value).absolute()) if field in {"certificate", "certificate_key", "store"} else str(value)
        for field in _SAVED
        if (value := getattr(settings, field)) not in {None, IDENTITY_URL}
    }
    add_profile(path, name, values, secret=settings.client_secret)
    click.echo(f"The profile {name!r} is saved in {path}.")


@asynccontextmanager
async def _listen(redirect_uri: str) -> AsyncGenerator[Loopback, None]:
    async with AsyncExitStack() as stack:
        try:
            loopback = await stack.enter_async_context(listen(redirect_uri))
        except OSError as error:
            raise click.ClickException(
                f"cannot listen on {urlsplit(redirect_uri).netloc} for the redirect: {error.strerror or error}; "
                "end the program that uses this port, pass --redirect-uri with another registered port, or --paste"
            ) from error
        yield loopback


def _show(authorization: AuthorizationRequest, *, browser: bool) -> None:
    click.echo("Open this page, log in and consent:")
    click.echo(authorization.url)
    if browser and click.launch(authorization.url) != 0:
        click.echo("No browser could be opened: open the URL yourself.", err=True)


def _ask_for_redirect(authorization: AuthorizationRequest) -> str:
    """Return the pasted text with the redirect of this log-in; for others, show the reason and ask again."""
    prompt = "Then paste the complete URL that the browser shows at the end, even if it cannot open it"
    pasted: list[str] = []
    failure: RedirectError | None = None
    for repeat in range(1, _REPEATS + 2):
        try:
            pasted.append(read_pasted(prompt))
        except click.Abort:
            if failure is None:
                raise
            break
        failure = _find_failure(authorization, pasted[-1])
        if failure is None:
            return pasted[-1]
        if _find_failure(authorization, "".join(pasted)) is None:  # it was wrapped, and read line by line
            return "".join(pasted)
        if repeat <= _REPEATS:
            click.echo(f"{failure}.", err=True)
            prompt = f"Paste it again ({repeat} of {_REPEATS})"
    raise click.ClickException(str(failure)) from failure


def _find_failure(authorization: AuthorizationRequest, text: str) -> RedirectError | None:
    """Return why a text has no redirect of this log-in; None where it has one. Raises the error that one reports."""
    try:
        authorization.read(text)
    except RedirectError as error:
        return error
    return None


class _Refusals:
    """Errors that arrive at the loopback without the state of the log-in.

    Servers leave the state out of some errors, and any page can send one: they are shown, and do not end the log-in.
    """

    def __init__(self, authorization: AuthorizationRequest) -> None:
        self._authorization = authorization
        self._reasons: list[str] = []

    def is_expected(self, url: str) -> bool:
        """Return whether a URL is the redirect of the log-in."""
        if self._authorization.is_answered_by(url):
            return True
        reason = read_refusal(url)
        if reason and reason not in self._reasons and len(self._reasons) < _MAX_REFUSALS:
            self._reasons.append(reason)
            click.echo(f"The browser was sent here with an error, and without a state: {reason}", err=True)
        return False

    def summary(self) -> str:
        """Return the errors for a message; empty where none arrived."""
        return f" (errors without a state: {'; '.join(self._reasons)})" if self._reasons else ""


# ------------------------------------------------------------------------------------------------- logout, whoami


@click.command(context_settings=_SETTINGS)
@_add_options(*account_options())
def logout(**options: Any) -> None:
    """Revoke an account's token and delete it."""
    settings = account_settings(options)

    async def act() -> None:
        async with settings.client() as client:
            removed = await settings.enrolment(client).withdraw(settings.account)
        if not removed:
            raise click.ClickException(await _not_logged_in(settings.tokens(), settings.account))
        click.echo(f"{settings.account!r} is logged out.")

    run_command(anyio.run, act)


@click.command(context_settings=_SETTINGS)
@_add_options(*account_options())
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def whoami(*, as_json: bool, **options: Any) -> None:
    """Show the logged-in user, as the API returns it."""
    settings = account_settings(options)

    async def act() -> None:
        brand = Brand(settings.brand)
        async with settings.client() as client:
            user = await settings.open_account(client).user()
        name = " ".join(part for part in (user.first_name, user.last_name) if part) or None
        facts = {"account": settings.account, "brand": brand.value, "name": name, "email": user.email}
        _print(facts, as_json=as_json)

    run_command(anyio.run, act)


# ------------------------------------------------------------------------------------------------- token


@click.command(context_settings=_SETTINGS)
@_add_options(*_STORE_OPTIONS)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def token(*, store: Path, account: str, as_json: bool) -> None:
    """Show a token's expiry and scopes, not the token."""

    async def act() -> None:
        tokens = token_file(store)
        stored = await tokens.load(account)
        if stored is None:
            raise click.ClickException(await _not_logged_in(tokens, account))
        _describe(stored, account=account, as_json=as_json)

    run_command(anyio.run, act)


async def _not_logged_in(store: TokenStore, account: str) -> str:
    others = ", ".join(repr(key) for key in await store.keys())
    known = f"; the token file has {others}" if others else ""
    return f"not logged in as {account!r}{known} ({_LOGIN_HINT})"


def _describe(token: Token, *, account: str | None = None, as_json: bool = False) -> None:
    facts: dict[str, Any] = {} if account is None else {"account": account}
    expiry = None if token.expires_at is None else token.expires_at.isoformat(timespec="seconds")
    facts["expires_at"] = expiry
    if token.expires_at is not None and not as_json:
        facts["expires_at"] = f"{expiry} ({_relative_time((token.expires_at - datetime.now(UTC)).total_seconds())})"
    facts["renewable"] = token.refresh_token is not None
    facts["scope"] = list(token.scope)
    _print(facts, as_json=as_json)


def _relative_time(seconds: float) -> str:
    minutes = math.floor(abs(seconds) / 60)
    span = f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
    return f"in {span}" if seconds > 0 else f"{span} ago; it is refreshed on next use"


def _print(facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json_text(facts))
        return
    for name, value in facts.items():
        if isinstance(value, list):
            shown = " ".join(value)
        elif isinstance(value, bool):
            shown = "yes" if value else "no"
        else:
            shown = value
        click.echo(f"{name.replace('_', ' '):<11}{one_line(str(shown or 'unknown'))}")  # may be a server's text


login_commands: tuple[click.Command, ...] = (login, logout, whoami, token)
"""Commands to add to the group."""
