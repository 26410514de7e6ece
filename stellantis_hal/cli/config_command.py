"""Command ``config``: each value of the configuration, and where it comes from."""

from __future__ import annotations

import os
from typing import Any, Final

import click
from click.core import ParameterSource

from stellantis_hal.cli.common_options import current
from stellantis_hal.cli.connection import connected
from stellantis_hal.cli.environment_options import SETTINGS
from stellantis_hal.cli.json_text import json_text
from stellantis_hal.cli.settings_folder import config_path
from stellantis_hal.hal.redaction import MASK, mask_text

__all__ = ["config"]

_ORIGINS: Final = {
    ParameterSource.COMMANDLINE: "option",
    ParameterSource.PROMPT: "option",
    ParameterSource.ENVIRONMENT: "variable",
    ParameterSource.DEFAULT_MAP: "profile",
    ParameterSource.DEFAULT: "default",
}
_SECRETS: Final = frozenset({"client_secret"})


@click.command(context_settings=SETTINGS)
@connected
@click.pass_context
def config(context: click.Context, /, **options: Any) -> None:
    """Show each value of the configuration and where it comes from; secrets are masked."""
    profile = current().profile
    rows: list[dict[str, str | None]] = []
    for name, value in options.items():
        origin = context.get_parameter_source(name)
        given, source = value, _ORIGINS.get(origin, "default") if origin is not None else "default"
        if name == "client_secret" and given is None and profile is not None and profile.secret is not None:
            given, source = profile.secret, "profile"
        rows.append({"name": name, "value": None if given is None else _shown(name, str(given)), "origin": source})
    if profile is not None:
        for name, value in (("car", profile.car), ("timezone", profile.timezone)):
            if value is not None:
                rows.append({"name": name, "value": value, "origin": "profile"})
    file = config_path(os.environ)
    if current().as_json:
        used = None if profile is None else profile.name
        click.echo(json_text({"file": None if file is None else str(file), "profile": used, "values": rows}))
        return
    click.echo(f"file      {file}{'' if file is not None and file.exists() else ' (not there)'}")
    click.echo(f"profile   {'none' if profile is None else profile.name}")
    for row in rows:
        click.echo(f"{row['name']:<16} {row['value'] or '-':<40} {row['origin']}".rstrip())


def _shown(name: str, value: str) -> str:
    """Return a value as it may be shown."""
    if name in _SECRETS:
        return MASK
    return mask_text(value) if name == "proxy" else value
