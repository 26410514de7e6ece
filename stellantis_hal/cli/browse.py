"""The command ``browse``."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from importlib import import_module

import anyio
import attrs
import click
import httpx

from stellantis_hal import Account, Application, Brand, HalClient, HalResource, StellantisClient, StellantisError, Token
from stellantis_hal.cli.output import escape_json
from stellantis_hal.cli.trail import Trail
from stellantis_hal.cli.visible import mask_secrets, to_json, visible
from stellantis_hal.navigation.entry_point import EntryPoint
from stellantis_hal.simulator import Simulator, World

__all__ = ["browse"]


class _Bearer(httpx.Auth):
    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.argument("url", required=False)
@click.option("--follow", "rels", multiple=True, metavar="REL", help="Follow this relation first; may be repeated.")
@click.option("--bearer-env", metavar="NAME", help="Environment variable with a bearer token.")
@click.option("--basic-env", metavar="NAME", help="Environment variable with user:password.")
@click.option("--trust", "trusted", multiple=True, metavar="URL", help="Another origin of the same API; repeatable.")
@click.option("--simulate", "simulated", is_flag=True, help="Browse a simulated car API in this process; without URL.")
@click.option("--mask", "masked", is_flag=True, help="Mask personal data too, as logs do; credentials always are.")
@click.option("--json", "as_json", is_flag=True, help="Print the resource as JSON, complete, and exit.")
def browse(
    *,
    url: str | None,
    rels: tuple[str, ...],
    bearer_env: str | None,
    basic_env: str | None,
    trusted: tuple[str, ...],
    simulated: bool,
    masked: bool,
    as_json: bool,
) -> None:
    """Browse any HAL API in the terminal, from its entry URL.

    Shows the state, the links, the embedded resources and the forms (HAL-FORMS) of a resource. Enter follows or fills
    in; writes are confirmed first. Press c to copy the way to a resource as Python.
    """
    if (url is None) != simulated:
        raise click.UsageError("name a URL, or --simulate, not both")
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
    settings = _Settings(url=url, auth=auth, trusted=trusted, rels=rels, masked=masked, as_json=as_json)
    try:
        anyio.run(_run, settings)
    except (StellantisError, ValueError) as error:
        raise click.ClickException(mask_secrets(str(error))) from error


def _variable(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise click.UsageError(f"the environment variable {name} is not set")
    return value


def _require_textual() -> None:
    try:
        import_module("textual")
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"the browser needs the extra `browse`: pip install 'stellantis-hal[browse]' ({error}); --json does not"
        ) from error


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
        trail = Trail.at(name)
        resource = await client.root()
        for rel in settings.rels:
            resource, trail = await resource.follow(rel), trail.follow(rel)
        if settings.as_json:
            _print(resource, masked=settings.masked)
            return
        from stellantis_hal.cli.browser import Browser, Page

        await Browser(client, name=name, page=Page(resource, trail), masked=settings.masked).run_async()


@asynccontextmanager
async def _client(settings: _Settings) -> AsyncGenerator[tuple[EntryPoint, str]]:
    if settings.url is not None:
        async with HalClient(settings.url, auth=settings.auth, trusted_origins=settings.trusted) as client:
            yield client, "hal"
        return
    async with simulated_account() as account:
        yield account, "account"


@asynccontextmanager
async def simulated_account(*, vehicles: int = 3) -> AsyncGenerator[Account]:
    """Open an account of a simulated API."""
    simulator = Simulator(World(seed=7, accounts=1, vehicles=vehicles, trips=60))
    holder = simulator.world.accounts[0]
    issued = simulator.token_for(holder)
    async with StellantisClient(
        Application(simulator.client_id, simulator.client_secret),
        base_url=simulator.url,
        identity_url=simulator.identity_url,
        transport=simulator.transport(),
        clock=simulator.now,
    ) as client:
        token = Token(issued.access_token, issued.refresh_token, expires_at=issued.expires_at)
        yield client.account(token, brand=Brand[holder.brand.upper().replace("Ë", "E")], key=holder.key)


def _print(resource: HalResource, *, masked: bool) -> None:
    document = resource.document.body
    click.echo(escape_json(to_json(visible(document, masked=True) if masked else document)))
