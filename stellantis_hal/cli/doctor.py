"""The command ``doctor``: checks of everything that a request needs, each with a verdict and what to do."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import anyio
import attrs
import click
import httpx

from stellantis_hal.auth.identity_provider import IdentityProvider
from stellantis_hal.cli.account_settings import AccountSettings, account_settings, refuse_beside_simulator
from stellantis_hal.cli.cars import show
from stellantis_hal.cli.common_options import current
from stellantis_hal.cli.connection import connected, run_in_time
from stellantis_hal.cli.environment_options import SETTINGS
from stellantis_hal.cli.failures import Failure
from stellantis_hal.cli.json_text import json_text
from stellantis_hal.cli.wording import amount
from stellantis_hal.credentials.token import Token
from stellantis_hal.errors import QuotaError, StellantisError
from stellantis_hal.hal.http_dates import parse_mail_date
from stellantis_hal.hal.redaction import mask_text, one_line
from stellantis_hal.transport.proxies import ProxySettings
from stellantis_hal.vendor.hosts import API_URL, CERTIFICATE_API_URL
from stellantis_hal.vendor.scopes import Scope

__all__ = ["Verdict", "doctor"]

_PATIENCE: Final = 10.0
_DRIFT: Final = 30.0
"""Seconds by which the clock may differ from the server's."""
_SOON: Final = 30
"""Days before the end of a certificate at which it is worth a warning."""


@attrs.frozen
class Verdict:
    """The result of a check.

    Attributes:
        name: what was checked.
        state: "ok"; "FAIL"; "warn", where it works and will not for long; "skip", where a failure hides it.
        text: what was found.
        advice: what to do; empty where all is well.
    """

    name: str
    state: Literal["ok", "FAIL", "warn", "skip"]
    text: str
    advice: str = ""


@click.command(context_settings=SETTINGS)
@connected
def doctor(**options: Any) -> None:
    """Check configuration, clock, network, certificate, token, scopes and quota.

    Exit status: 0 where no check failed, else 1.
    """
    invocation = current()
    if invocation.simulated:
        refuse_beside_simulator()
    verdicts: list[Verdict] = []

    async def act() -> None:
        async for verdict in _checks(options):
            verdicts.append(verdict)
            if not invocation.as_json:
                show(f"{verdict.state:<5} {verdict.name:<15} {one_line(verdict.text)}")
                if verdict.advice:
                    show(f"{'':<6}{one_line(verdict.advice)}")

    run_in_time(act)
    if invocation.as_json:
        click.echo(json_text([attrs.asdict(verdict) for verdict in verdicts]))
    sys.exit(1 if any(verdict.state == "FAIL" for verdict in verdicts) else 0)


async def _checks(options: dict[str, Any]) -> AsyncGenerator[Verdict, None]:
    """Yield the verdicts in the order in which a request meets what they check."""
    profile = current().profile
    source = f"profile {profile.name} of {profile.path}" if profile is not None else "options and variables"
    if current().simulated:
        yield Verdict("configuration", "ok", "the built-in simulator: there is no network to check")
        return
    try:
        settings = account_settings(options)
    except Failure as failure:
        yield Verdict("configuration", "FAIL", failure.message)
        yield Verdict("all others", "skip", "they need the configuration")
        return
    yield Verdict("configuration", "ok", source)
    if settings.certificate is not None:
        verdict = _certificate(settings.certificate, settings.certificate_key)
        yield verdict
        if verdict.state == "FAIL":
            yield Verdict("all others", "skip", "they need the certificate")
            return
    yield _proxy(settings)
    api = settings.base_url or (API_URL if settings.certificate is None else CERTIFICATE_API_URL)
    identity = IdentityProvider.of(settings.brand, realm=settings.realm, url=settings.identity_url)
    reached = False
    for name, url in (("API", api), ("identity", identity.token_url)):
        async for verdict in _server(name, url, settings):
            reached = reached or (verdict.name == "API server" and verdict.state == "ok")
            yield verdict
    async for verdict in _token(settings, is_reached=reached):
        yield verdict


def _certificate(certificate: str, key: str | None) -> Verdict:
    """Check that a client certificate can be loaded, belongs to its key, and is valid today."""
    try:
        ssl.create_default_context().load_cert_chain(certificate, key or certificate)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or error.strerror or error
        return Verdict("certificate", "FAIL", f"cannot be used: {reason}", "Check certificate= and certificate_key=.")
    if find_spec("cryptography") is None:
        return Verdict("certificate", "ok", "can be used; install cryptography to see until when")
    from cryptography import x509

    end = x509.load_pem_x509_certificate(Path(certificate).read_bytes()).not_valid_after_utc
    days = (end - datetime.now(UTC)).total_seconds() / 86_400
    if days < 0:
        return Verdict("certificate", "FAIL", f"expired {end:%Y-%m-%d}", "Ask for a new one; set certificate=.")
    state: Literal["ok", "warn"] = "ok" if days > _SOON else "warn"
    return Verdict("certificate", state, f"valid until {end:%Y-%m-%d}", "" if state == "ok" else "Ask for a new one.")


def _proxy(settings: AccountSettings) -> Verdict:
    used = settings.proxy or next(
        (os.environ[name] for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy") if os.environ.get(name)),
        None,
    )
    return Verdict("proxy", "ok", mask_text(used) if used else "none")


async def _server(name: str, url: str, settings: AccountSettings) -> AsyncGenerator[Verdict, None]:
    """Check the name, the connection and the clock of a server. Any answer will do."""
    host = urlsplit(url).hostname or ""
    if settings.proxy is None:
        try:
            with anyio.fail_after(_PATIENCE):
                found = await anyio.getaddrinfo(host, None)
            yield Verdict(f"{name} name", "ok", f"{host} is {found[0][4][0]}")
        except (OSError, TimeoutError) as error:
            reason = getattr(error, "strerror", None) or "no response"
            yield Verdict(f"{name} name", "FAIL", f"{host}: {reason}", "Check the connection and the DNS server.")
            return
    try:
        ProxySettings.of(settings.proxy, os.environ)
        context = ssl.create_default_context()
        if settings.certificate is not None:
            context.load_cert_chain(settings.certificate, settings.certificate_key or settings.certificate)
        proxy = None if settings.proxy == "direct" else settings.proxy
        async with httpx.AsyncClient(
            proxy=proxy, trust_env=settings.proxy is None, timeout=_PATIENCE, verify=context
        ) as client:
            response = await client.get(url)
    except (httpx.HTTPError, OSError, StellantisError) as error:
        reason = str(error) or type(error).__name__
        yield Verdict(
            f"{name} server", "FAIL", f"{host}: {reason}", "Check the network, the proxy and the certificate."
        )
        return
    yield Verdict(f"{name} server", "ok", f"{host} answers ({response.status_code})")
    if (date := response.headers.get("date")) is not None:
        yield _clock(name, date)


def _clock(name: str, date: str) -> Verdict:
    instant = parse_mail_date(date)
    if instant is None:
        return Verdict(f"{name} clock", "warn", "the server's date cannot be read")
    drift = (datetime.now(UTC) - instant).total_seconds()
    if abs(drift) > _DRIFT:
        ahead = "ahead of" if drift > 0 else "behind"
        text = f"this machine's clock is {abs(drift):,.0f} s {ahead} the server's"
        return Verdict(f"{name} clock", "FAIL", text, "Set the clock: tokens and trips depend on it.")
    return Verdict(f"{name} clock", "ok", f"{abs(drift):.1f} s off")


async def _token(settings: AccountSettings, *, is_reached: bool) -> AsyncGenerator[Verdict, None]:
    """Check the stored token, its scopes, a request with it, and what is left of the quota."""
    try:
        stored: Token | None = await settings.tokens().load(settings.account)
    except StellantisError as error:
        yield Verdict("token", "FAIL", str(error))
        return
    if stored is None:
        yield Verdict("token", "FAIL", f"no token of {settings.account!r}", "Run stellantis-hal login.")
        yield Verdict("scopes", "skip", "they need the token")
        yield Verdict("quota", "skip", "it needs the token")
        return
    expiry = "without an end" if stored.expires_at is None else f"until {stored.expires_at:%Y-%m-%d %H:%M} UTC"
    yield Verdict("token", "ok", f"{expiry}, {'renewable' if stored.refresh_token else 'not renewable'}")
    lacking = [str(scope) for scope in Scope if scope.startswith("data:") and str(scope) not in stored.scope]
    if not stored.scope:
        yield Verdict("scopes", "warn", "the token does not say its scopes")
    elif lacking:
        yield Verdict("scopes", "warn", f"without {', '.join(lacking)}", "Log in again with all scopes that you need.")
    else:
        yield Verdict("scopes", "ok", f"{len(stored.scope)} scopes")
    if not is_reached:
        yield Verdict("request", "skip", "it needs the servers")
        return
    try:
        async with settings.client() as client:
            with anyio.fail_after(3 * _PATIENCE):
                await settings.open_account(client).user()
            quota = client.quota
    except (StellantisError, TimeoutError) as error:
        advice = "Wait, or ask for a larger subscription." if isinstance(error, QuotaError) else ""
        yield Verdict("request", "FAIL", str(error) or "no response", advice)
        return
    yield Verdict("request", "ok", "the API knows the user")
    yield Verdict("quota", "ok", f"{amount(quota.day.remaining)} of {amount(quota.day.limit)} requests left today")
