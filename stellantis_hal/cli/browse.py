"""The command ``browse``."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from functools import partial
from importlib import import_module

import attrs
import click
import httpx

from stellantis_hal import HalClient, HalResource
from stellantis_hal.cli.common_options import SIMULATED, current, refuse_typed
from stellantis_hal.cli.connection import run_in_time, simulated_connection
from stellantis_hal.cli.environment_options import SETTINGS, option
from stellantis_hal.cli.failures import Failure
from stellantis_hal.cli.json_text import json_text
from stellantis_hal.cli.python_snippet import PythonSnippet
from stellantis_hal.cli.visible import mask_secrets, visible
from stellantis_hal.navigation.entry_point import EntryPoint

__all__ = ["browse"]


class _Bearer(httpx.Auth):
    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


@click.command(context_settings=SETTINGS)
@click.argument("url", required=False)
@option("--follow", "rels", multiple=True, metavar="REL", help="Follow this relation first; may be repeated.")
@option("--bearer-env", metavar="NAME", help="Environment variable with a bearer token.")
@option("--basic-env", metavar="NAME", help="Environment variable with user:password.")
@option("--trust", "trusted", multiple=True, metavar="URL", help="Another origin of the same API; repeatable.")
@option("--mask", "masked", is_flag=True, help="Mask personal data too, as logs do; credentials always are.")
def browse(
    *,
    url: str | None,
    rels: tuple[str, ...],
    bearer_env: str | None,
    basic_env: str | None,
    trusted: tuple[str, ...],
    masked: bool,
) -> None:
    """Browse any HAL API in the terminal, from its entry URL.

    Shows the state, the links, the embedded resources and the forms (HAL-FORMS) of a resource. Enter follows or fills
    in; writes are confirmed first. Press c to copy the way to a resource as Python. With --json the resource is printed
    whole, and the command ends.
    """
    as_json, simulated = current().as_json, current().simulated
    if url is None and not simulated:
        raise click.UsageError("no URL: name the address at which the API begins, or pass --simulate")
    if url is not None and simulated:
        raise click.UsageError("the simulator has an entry of its own: leave out the URL, or --simulate")
    if simulated:
        refuse_typed(("bearer_env", "basic_env", "trusted"), SIMULATED)
    if bearer_env and basic_env:
        raise click.UsageError("--bearer-env and --basic-env exclude each other")
    auth: httpx.Auth | None = None
    if bearer_env:
        auth = _Bearer(_variable(bearer_env))
    elif basic_env:
        user, _, password = _variable(basic_env).partition(":")
        auth = httpx.BasicAuth(user, password)
    if not as_json:
        _require_textual()
        _require_terminal()
    settings = _Settings(url=url, auth=auth, trusted=trusted, rels=rels, masked=masked, as_json=as_json)
    try:
        run_in_time(partial(_run, settings))
    except Failure as failure:
        raise Failure(mask_secrets(failure.message), failure.exit_code, **failure.facts) from failure
    except ValueError as error:
        raise click.UsageError(mask_secrets(str(error))) from error


def _variable(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise click.UsageError(f"the environment variable {name} is not set")
    return value


def _require_textual() -> None:
    try:
        import_module("textual")
    except ModuleNotFoundError as error:
        raise Failure(
            f"the browser needs the extra `browse`: pip install 'stellantis-hal[browse]' ({error}); --json does not", 8
        ) from error


def _require_terminal() -> None:
    for name, stream in (("standard input", sys.stdin), ("standard error", sys.stderr)):
        if not stream.isatty():
            raise click.UsageError(f"the browser draws on a terminal, and {name} is not one; --json needs none")


@attrs.frozen(kw_only=True)
class _Settings:
    """What to browse, and how to show it."""

    url: str | None
    auth: httpx.Auth | None = attrs.field(repr=False)
    trusted: tuple[str, ...]
    rels: tuple[str, ...]
    masked: bool
    as_json: bool


async def _run(settings: _Settings) -> None:
    async with _client(settings) as (client, name):
        trail = PythonSnippet.at(name)
        resource = await client.root()
        for rel in settings.rels:
            resource, trail = await resource.follow(rel), trail.follow(rel)
        if settings.as_json:
            _print(resource, masked=settings.masked)
            return
        from stellantis_hal.cli.hal_browser import HalBrowser, VisitedResource

        await HalBrowser(client, name=name, page=VisitedResource(resource, trail), masked=settings.masked).run_async()


@asynccontextmanager
async def _client(settings: _Settings) -> AsyncGenerator[tuple[EntryPoint, str]]:
    if settings.url is not None:
        async with HalClient(settings.url, auth=settings.auth, trusted_origins=settings.trusted) as client:
            yield client, "hal"
        return
    async with simulated_connection(current()) as connection:
        yield connection.account, "account"


def _print(resource: HalResource, *, masked: bool) -> None:
    document = resource.document.body
    click.echo(json_text(visible(document, masked=True) if masked else document))
