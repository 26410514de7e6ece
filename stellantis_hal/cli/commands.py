"""What can be typed after ``stellantis-hal``.

Knows options and their checks. Must not know how anything is done.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from functools import partial
from importlib.util import find_spec

import anyio
import attrs
import click

from stellantis_hal import __version__
from stellantis_hal.cli.demo import BAD_DAY, DemoSettings, demonstrate
from stellantis_hal.cli.login import login, logout, token, whoami
from stellantis_hal.cli.loopback import is_loopback
from stellantis_hal.cli.screen import Screen, as_json
from stellantis_hal.simulator import Simulator, Subscription, World, server

__all__ = ["commands"]

_SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True}


@click.group(context_settings=_SETTINGS)
@click.version_option(__version__, prog_name="stellantis-hal")
def commands() -> None:
    """Connected-car data of Peugeot, Citroën, DS, Opel and Vauxhall, from the command line."""


for _command in (login, logout, whoami, token):
    commands.add_command(_command)


@commands.command(context_settings=_SETTINGS)
@click.option("--accounts", type=click.IntRange(1, 10_000), default=20, help="Account holders in the simulated world.")
@click.option("--vehicles", type=click.IntRange(1, 10_000), default=40, help="Their vehicles, all together.")
@click.option("--trips", type=click.IntRange(0, 1_000_000), default=2_000, help="The vehicles' trips, all together.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=25, help="Requests a second that the API allows.")
@click.option("--seed", type=int, default=7, help="Another number, another world; the same number, the same.")
@click.option("--backend", type=click.Choice(["asyncio", "trio"]), default="asyncio", help="The event loop to run on.")
@click.option("--bad-day", is_flag=True, help="Let the API fail now and then, in every way that it can.")
@click.option("--json", "as_json_", is_flag=True, help="Print nothing but the outcome, as JSON.")
def demo(
    *,
    accounts: int,
    vehicles: int,
    trips: int,
    limit: int,
    seed: int,
    backend: str,
    bad_day: bool,
    as_json_: bool,
) -> None:
    """Poll a simulated fleet, concurrently, under a tight rate limit.

    Starts the simulated API in this process: no network, no account, no car is needed. Every vehicle's status,
    position and whole trip history are read, page by page, as fast as the limit allows, and shown as a table at the
    end. Without a terminal, there is no progress to be seen. Every account has a vehicle at least.
    """
    plan = DemoSettings(accounts=min(accounts, vehicles), vehicles=vehicles, trips=trips, per_second=limit, seed=seed)
    if bad_day:
        plan = attrs.evolve(plan, faults=BAD_DAY)
    screen = Screen(silent=as_json_)
    if find_spec(backend) is None:
        raise click.ClickException(f"{backend} is not installed: pip install 'stellantis-hal[{backend}]'")
    with screen.following(plan):
        report = anyio.run(partial(demonstrate, plan, screen), backend=backend)
    if as_json_:
        click.echo(json.dumps(as_json(report), ensure_ascii=False, indent=2))
    else:
        screen.show(report)
    sys.exit(0 if not report.failures else 1)


@commands.command(context_settings=_SETTINGS)
@click.option("--host", default="127.0.0.1", help="Where to listen; anybody who can reach it can read the world.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8_000, help="Where to listen; 0 for any free port.")
@click.option("--accounts", type=click.IntRange(1, 10_000), default=3, help="Account holders.")
@click.option("--vehicles", type=click.IntRange(1, 10_000), default=6, help="Their vehicles, all together.")
@click.option("--trips", type=click.IntRange(0, 1_000_000), default=300, help="The vehicles' trips, all together.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, help="Requests a second.")
@click.option("--daily", type=click.IntRange(1, 10_000_000), default=100_000, help="Requests in 24 hours.")
@click.option("--seed", type=int, default=7, help="Another number, another world; the same number, the same.")
def simulate(
    *, host: str, port: int, accounts: int, vehicles: int, trips: int, limit: int, daily: int, seed: int
) -> None:
    """Serve the simulated API over a socket, until interrupted."""
    world = World(seed=seed, accounts=min(accounts, vehicles), vehicles=vehicles, trips=trips)
    simulator = Simulator(world, rate_limits=Subscription(per_second=limit, per_day=daily))
    try:
        running, listening = server(simulator, host, port)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    click.echo(_how_to_reach(simulator))
    if not is_loopback(simulator.url):
        click.echo(f"Warning: whoever can reach {host} can use this simulator and every token of it.", err=True)
    with listening, suppress(KeyboardInterrupt):
        running.run(sockets=[listening])


def _how_to_reach(simulator: Simulator) -> str:
    account = simulator.world.accounts[0]
    issued = simulator.token_for(account)
    lines = (
        f"API       {simulator.url}",
        f"identity  {simulator.identity_url}",
        f"client    {simulator.client_id} / {simulator.client_secret}",
        f"account   {account.key} ({account.brand}), realm {account.realm}",
        f"token     {issued.access_token}",
        "",
        "Try it:",
        f"  curl -H 'Authorization: Bearer {issued.access_token}' -H 'x-introspect-realm: {account.realm}' \\",
        f"       '{simulator.url}/user?client_id={simulator.client_id}'",
        "",
        "Press Ctrl+C to stop.",
    )
    return "\n".join(lines)
