"""Settings of an account: application, servers and token file, as options of commands."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import attrs
import click

from stellantis_hal.auth.application import Application
from stellantis_hal.auth.enrolment import EnrolmentFlow, locale_parameters
from stellantis_hal.auth.identity_provider import IdentityProvider
from stellantis_hal.cli.common_options import SIMULATED, current, refuse_typed
from stellantis_hal.cli.environment_options import option
from stellantis_hal.cli.failures import Failure
from stellantis_hal.cli.settings_folder import default_store
from stellantis_hal.client.account import Account
from stellantis_hal.client.stellantis_client import StellantisClient
from stellantis_hal.credentials.oauth2_messages import AuthorizationRequest
from stellantis_hal.credentials.stores.opening import token_file
from stellantis_hal.credentials.stores.protocol import TokenStore
from stellantis_hal.errors import ConfigurationError
from stellantis_hal.navigation.origins import origin_of
from stellantis_hal.storage.key_value_store import StateStore
from stellantis_hal.transport.proxies import ProxySettings
from stellantis_hal.vendor.brands import Brand
from stellantis_hal.vendor.hosts import IDENTITY_URL

__all__ = [
    "STORE_OPTIONS",
    "AccountSettings",
    "account_options",
    "account_settings",
    "check_proxy",
    "check_url",
    "refuse_beside_simulator",
]

_STORE: Final = default_store()


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
        """Return the application."""
        certificate = None
        if self.certificate is not None:
            certificate = (self.certificate, self.certificate_key or self.certificate)
        return Application(self.client_id, self.client_secret or None, certificate=certificate)

    def begin(self, *, locale: str | None = None, parameters: dict[str, str], **options: Any) -> AuthorizationRequest:
        """Begin a log-in.

        Raises:
            BadParameter: a parameter is one that the log-in sets itself.
        """
        identity = IdentityProvider.of(self.brand, realm=self.realm, url=self.identity_url)
        parameters = {**locale_parameters(locale), **parameters}
        try:
            return AuthorizationRequest.begin(
                identity.oauth2_client(self.application()), parameters=parameters, **options
            )
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="'--param'") from None

    def client(self, *, state: StateStore | None = None) -> StellantisClient:
        """Return a client of the application, which keeps what was sent to cars in ``state``."""
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
        """Return the token file; its folder is made where it is missing."""
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

    def enrolment(self, client: StellantisClient) -> EnrolmentFlow:
        """Return the enrolment of account holders."""
        return client.enrolment(brand=self.brand, store=self.tokens(), realm=self.realm)


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


STORE_OPTIONS = (
    option(
        "--store",
        type=click.Path(path_type=Path, dir_okay=False),
        default=_STORE,
        required=_STORE is None,
        help="Token file.",
    ),
    option("--account", default="default", help="Name of the account in the token file."),
)
_APPLICATION_OPTIONS = (
    option(
        "--client-secret",
        prompt="Client secret (empty for none)",
        prompt_required=False,
        hide_input=True,
        show_default=False,
        help="Client secret; without a value it is asked for. STELLANTIS_HAL_CLIENT_SECRET sets it too.",
    ),
    option(
        "--certificate", type=click.Path(exists=True, dir_okay=False), help="Client certificate for mutual TLS (PEM)."
    ),
    option(
        "--certificate-key", type=click.Path(exists=True, dir_okay=False), help="Private key of the certificate (PEM)."
    ),
    option("--realm", help="Realm, if it is not the brand's default."),
    option("--identity-url", default=IDENTITY_URL, callback=check_url, help="Base URL of the identity server."),
    option("--base-url", callback=check_url, help="Base URL of the API."),
    option(
        "--proxy",
        callback=check_proxy,
        metavar="URL",
        help="Proxy, e.g. http://proxy.example:3128 (https, socks5 with the extra socks), or direct; set "
        "STELLANTIS_HAL_PROXY instead to keep a password out of process lists.  [default: by HTTPS_PROXY, HTTP_PROXY, "
        "ALL_PROXY and NO_PROXY]",
    ),
)


def account_options(*, required: bool = False) -> tuple[Callable[..., Any], ...]:
    """Return the options of a command that uses an account: application, servers, token file.

    Args:
        required: whether the client id and the brand must be given to the command itself, as to a log-in.
    """
    id_ = option("--client-id", required=required, help="Client id of the application.")
    brand = option(
        "--brand",
        required=required,
        type=click.Choice([brand.value for brand in Brand], case_sensitive=False),
        help="Brand of the account's cars.",
    )
    return (id_, *_APPLICATION_OPTIONS[:3], brand, *_APPLICATION_OPTIONS[3:], *STORE_OPTIONS)


def refuse_beside_simulator() -> None:
    """Check that no option of an account is typed beside ``--simulate``, which has an account of its own.

    Raises:
        UsageError: one is.
    """
    refuse_typed((field.name for field in attrs.fields(AccountSettings)), SIMULATED)


def account_settings(options: Mapping[str, Any]) -> AccountSettings:
    """Return the settings of a command with :func:`account_options`, with the profile's secret.

    Raises:
        Failure: one that is needed is missing (status 8).
    """
    given = {field.name: options[field.name] for field in attrs.fields(AccountSettings)}
    if given["client_secret"] is None and (profile := current().profile) is not None:
        given["client_secret"] = profile.secret
    missing = [name for name in ("client_id", "brand") if given[name] is None]
    if missing:
        name = f"--{missing[0].replace('_', '-')}"
        raise Failure(
            f"no {missing[0].replace('_', ' ')}: run `stellantis-hal login` once, pass {name}, or set "
            f"STELLANTIS_HAL_{missing[0].upper()}; --simulate needs none",
            8,
        )
    if given["certificate_key"] and not given["certificate"]:
        raise Failure("a certificate key without its certificate: pass --certificate too", 8)
    return AccountSettings(**given)
