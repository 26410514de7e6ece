"""Command ``login``: consent in the browser; no secret is printed."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import click

from stellantis_hal.cli.account_commands import describe_token, refuse_simulator
from stellantis_hal.cli.account_settings import AccountSettings, account_options, account_settings
from stellantis_hal.cli.common_options import current, refuse_typed
from stellantis_hal.cli.environment_options import SETTINGS, add_options, option
from stellantis_hal.cli.failures import run_command
from stellantis_hal.cli.finite_range import FiniteRange
from stellantis_hal.cli.loopback import Loopback, is_loopback, listen
from stellantis_hal.cli.pasted_lines import read_pasted
from stellantis_hal.cli.profiles import add_profile
from stellantis_hal.cli.settings_folder import config_path
from stellantis_hal.credentials.oauth2_messages import AuthorizationRequest, read_refusal
from stellantis_hal.credentials.token import Token
from stellantis_hal.errors import ConfigurationError, LoginRedirectError
from stellantis_hal.transport.proxies import parse_proxy
from stellantis_hal.vendor.hosts import IDENTITY_URL
from stellantis_hal.vendor.scopes import Scope

__all__ = ["login"]

_REPEATS = 3
"""How often the redirect URL is asked for again."""
_MAX_REFUSALS = 5
_DATA_SCOPES = tuple(str(scope) for scope in Scope if scope.startswith("data:"))


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
    names = [name for name, _, _ in pairs]
    if len(set(names)) < len(names):
        raise click.BadParameter("a parameter may be given once only", param=option)
    return {name: value for name, _, value in pairs}


@click.command(context_settings=SETTINGS)
@add_options(*account_options(required=True))
@option("--scope", multiple=True, help="Scope to request; may be repeated.  [default: all data scopes]")
@option(
    "--redirect-uri",
    default="http://127.0.0.1:8912/",
    callback=_check_redirect_uri,
    help="Registered redirect URI. On a loopback URI the command listens (port 0: any free port); "
    "with any other, paste the redirect URL.",
)
@option("--paste", is_flag=True, help="Paste the redirect URL, also of a loopback URI.")
@option("--browser/--no-browser", default=True, help="Open the log-in page, or only print its URL.")
@option("--pkce/--no-pkce", default=True, help="Use PKCE (RFC 7636).")
@option("--locale", "--local", "locale", help="Language of the log-in page, e.g. fr-FR.")
@option(
    "--param",
    "parameters",
    multiple=True,
    callback=_parse_parameters,
    metavar="NAME=VALUE",
    help="Further parameter of the log-in page; may be repeated.",
)
@option("--within", type=FiniteRange(1, 3600), default=300, help="Seconds to wait for the browser.")
@option(
    "--save",
    "saved_profile",
    metavar="NAME",
    default="default",
    help="Keep these options as this profile of the configuration file, the secret in a file of its own.",
)
@option("--no-save", is_flag=True, help="Keep no profile.")
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
    refuse_simulator("login")
    is_pasted = paste or not is_loopback(redirect_uri)
    if no_save:
        refuse_typed(("saved_profile",), "--no-save keeps no profile")
    if is_pasted:
        refuse_typed(("within",), "the redirect URL is pasted, without a bound in time")
        if current().no_input:
            raise click.UsageError("--no-input asks for nothing, but the redirect URL has to be pasted")
    settings = account_settings(options)

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
    if is_pasted:
        # No event loop runs during the prompt: it would swallow the first Ctrl+C.
        authorization = run_command(begin, redirect_uri)
        response = run_command(_ask_for_redirect, authorization)
    else:
        authorization, response = run_command(anyio.run, receive)
    stored = run_command(anyio.run, complete, authorization, response)
    _say(f"Logged in as {settings.account!r}; the token is stored in {settings.store}.")
    if not no_save:
        run_command(_save_profile, saved_profile, settings)
    describe_token(stored, account=settings.account if current().as_json else None)


_SAVED = (
    "client_id",
    "brand",
    "certificate",
    "certificate_key",
    "realm",
    "identity_url",
    "base_url",
    "proxy",
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
    has_password = settings.proxy not in {None, "direct"} and parse_proxy(str(settings.proxy)).password
    if has_password:
        del values["proxy"]
    add_profile(path, name, values, secret=settings.client_secret, environment=os.environ)
    _say(f"The profile {name!r} is saved in {path}.")
    if has_password:
        current().warn("the proxy has a password, so the profile does not keep it: set STELLANTIS_HAL_PROXY")


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


def _say(text: str) -> None:
    """Print what happens: to standard error where the answer is JSON."""
    click.echo(text, err=current().as_json)


def _show(authorization: AuthorizationRequest, *, browser: bool) -> None:
    _say("Open this page, log in and consent:")
    _say(authorization.url)
    if browser and click.launch(authorization.url) != 0:
        click.echo("No browser could be opened: open the URL yourself.", err=True)


def _ask_for_redirect(authorization: AuthorizationRequest) -> str:
    """Return the pasted text with the redirect of this log-in; for others, show the reason and ask again."""
    prompt = "Then paste the complete URL that the browser shows at the end, even if it cannot open it"
    pasted: list[str] = []
    failure: LoginRedirectError | None = None
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


def _find_failure(authorization: AuthorizationRequest, text: str) -> LoginRedirectError | None:
    """Return why a text has no redirect of this log-in; None where it has one. Raises the error that one reports."""
    try:
        authorization.read(text)
    except LoginRedirectError as error:
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
