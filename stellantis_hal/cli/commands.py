"""Command group, and the commands ``demo`` and ``simulate``."""

from __future__ import annotations

import sys
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from typing import Any, NoReturn

import anyio
import attrs
import click

from stellantis_hal.__version__ import __version__
from stellantis_hal.cli.browse import browse
from stellantis_hal.cli.demo import BAD_DAY, DemoSettings, demonstrate
from stellantis_hal.cli.fleet import fleet
from stellantis_hal.cli.login import login, logout, token, whoami
from stellantis_hal.cli.loopback import is_loopback
from stellantis_hal.cli.monitoring import callbacks, monitors
from stellantis_hal.cli.output import Commands, json_text
from stellantis_hal.cli.processes_demo import ProcessesSettings, find_redis, show_processes
from stellantis_hal.cli.processes_screen import ProcessesScreen
from stellantis_hal.cli.receive import receive
from stellantis_hal.cli.record import record
from stellantis_hal.cli.remote import remote
from stellantis_hal.cli.screen import Screen, to_json
from stellantis_hal.simulator import (
    FAULTS,
    Faults,
    Latency,
    RandomFault,
    Simulator,
    Subscription,
    World,
    controlled,
    parse_duration,
    parse_fault,
    server,
)

__all__ = ["commands"]

_SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True}


class _Duration(click.ParamType[float]):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return value if isinstance(value, float) else parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _NamedFault(click.ParamType[RandomFault]):
    name = "name[=rate]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> RandomFault:
        try:
            return value if isinstance(value, RandomFault) else parse_fault(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.group(cls=Commands, context_settings=_SETTINGS)
@click.version_option(__version__, prog_name="stellantis-hal")
def commands() -> None:
    """Connected-car data of Peugeot, Citroën, DS, Opel and Vauxhall, from the command line."""


for _command in (browse, login, logout, whoami, token, receive, record, remote, callbacks, monitors, fleet):
    commands.add_command(_command)


@commands.command(context_settings=_SETTINGS)
@click.option("--accounts", type=click.IntRange(1, 10_000), default=20, help="Number of account holders.")
@click.option("--vehicles", type=click.IntRange(1, 10_000), default=40, help="Total number of vehicles.")
@click.option("--trips", type=click.IntRange(0, 1_000_000), default=2_000, help="Total number of trips.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=25, help="Requests per second that the API allows.")
@click.option("--seed", type=int, default=7, help="Seed of the simulated world.")
@click.option("--backend", type=click.Choice(["asyncio", "trio"]), default="asyncio", help="Event loop.")
@click.option("--bad-day", is_flag=True, help="Inject errors, broken connections and expired tokens.")
@click.option("--json", "as_json", is_flag=True, help="Print only the result, as JSON.")
@click.option(
    "--processes",
    type=click.IntRange(2, 16),
    help="Let so many processes share the limit, by Redis where it is installed, and kill one; no fleet is read.",
)
@click.option("--seconds", type=click.FloatRange(1, 3_600), default=15, help="With --processes: how long they send.")
@click.option("--store", type=click.Choice(["redis", "sqlite"]), help="With --processes: where they meet.")
def demo(
    *,
    accounts: int,
    vehicles: int,
    trips: int,
    limit: int,
    seed: int,
    backend: str,
    bad_day: bool,
    as_json: bool,
    processes: int | None,
    seconds: float,
    store: str | None,
) -> None:
    """Poll a simulated fleet concurrently under a tight rate limit.

    The simulated API runs in this process: no network, account or car is needed. Reads the status, the position and
    all trips of every vehicle as fast as the rate limit allows, and prints a table. Progress is shown live on a
    terminal only. The number of accounts is at most the number of vehicles.
    """
    if find_spec(backend) is None:
        raise click.ClickException(f"{backend} is not installed: pip install 'stellantis-hal[{backend}]'")
    if processes is not None:
        redis = None if store == "sqlite" else find_redis()
        if store == "redis" and redis is None:
            raise click.ClickException(
                "redis-server, or the extra `redis`, is not installed: --store sqlite needs neither"
            )
        _demo_processes(
            ProcessesSettings(
                processes=processes, per_second=limit, seconds=seconds, seed=seed, backend=backend, redis=redis
            ),
            as_json=as_json,
        )
    settings = DemoSettings(
        accounts=min(accounts, vehicles), vehicles=vehicles, trips=trips, per_second=limit, seed=seed
    )
    if bad_day:
        settings = attrs.evolve(settings, faults=BAD_DAY)
    screen = Screen(silent=as_json)
    with screen.show_progress(settings):
        result = anyio.run(partial(demonstrate, settings, screen), backend=backend)
    if as_json:
        click.echo(json_text(to_json(result)))
    else:
        screen.show(result)
    sys.exit(0 if not result.failures else 1)


def _demo_processes(settings: ProcessesSettings, *, as_json: bool) -> NoReturn:
    """Run the demo of several processes; exit with 0 where none of them was refused a request."""
    screen = ProcessesScreen(silent=as_json)
    with screen.show_progress(settings):
        result = show_processes(settings, screen.on_second, screen.on_kill)
    if as_json:
        click.echo(json_text(attrs.asdict(result)))
    else:
        screen.show(settings, result)
    sys.exit(0 if result.responses and not result.refused else 1)


@commands.command(context_settings=_SETTINGS)
@click.option("--host", default="127.0.0.1", help="Address to listen on; clients that can reach it can read the world.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8_000, help="Port to listen on; 0 selects a free port.")
@click.option("--accounts", type=click.IntRange(1, 10_000), default=3, help="Number of account holders.")
@click.option("--vehicles", type=click.IntRange(1, 10_000), default=6, help="Total number of vehicles.")
@click.option("--trips", type=click.IntRange(0, 1_000_000), default=300, help="Total number of trips.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, help="Requests per second that the API allows.")
@click.option(
    "--daily", type=click.IntRange(1, 10_000_000), default=100_000, help="Requests per 24 hours that the API allows."
)
@click.option("--seed", type=int, default=7, help="Seed of the simulated world.")
@click.option("--still", is_flag=True, help="Let no car drive, park or charge of its own.")
@click.option("--latency", type=_Duration(), default="0s", help="Latency of every response: 50ms, 1.5s.")
@click.option(
    "--fault",
    "faults",
    type=_NamedFault(),
    multiple=True,
    help=f"Fault of a share of the requests (10 %), or NAME=rate with a rate of 0 to 1; may be repeated. Names: "
    f"{', '.join(FAULTS)}.",
)
@click.option(
    "--speed",
    type=click.FloatRange(0, 100_000, min_open=True),
    default=1.0,
    help="Seconds of the simulated world that pass per second.",
)
@click.option(
    "--control",
    type=click.IntRange(0, 65_535),
    default=None,
    help="Port of the control address, which shows and changes the simulator; 0 selects a free port.",
)
def simulate(
    *,
    host: str,
    port: int,
    accounts: int,
    vehicles: int,
    trips: int,
    limit: int,
    daily: int,
    seed: int,
    still: bool,
    latency: float,
    faults: tuple[RandomFault, ...],
    speed: float,
    control: int | None,
) -> None:
    """Serve the simulated API over a socket until interrupted.

    Its cars drive, park and charge as time passes. The past ends when the command starts.
    """
    now = datetime.now(UTC)
    world = World(
        seed=seed, accounts=min(accounts, vehicles), vehicles=vehicles, trips=trips, epoch=now, moving=not still
    )
    simulator = Simulator(
        world,
        rate_limits=Subscription(per_second=limit, per_day=daily),
        faults=Faults(latency=Latency(latency), random=faults, seed=seed),
        epoch=now,
        speed=speed,
    )
    try:
        if control is None:
            running, *sockets = server(simulator, host, port)
        else:
            running, sockets = controlled(simulator, host, port, control)
    except OSError as error:
        ports = f"{host}:{port}" if control is None else f"{host}:{port} or {host}:{control}"
        raise click.ClickException(f"cannot listen on {ports}: {error.strerror or error}") from error
    click.echo(_connection_details(simulator))
    if not is_loopback(simulator.url):
        click.echo(f"Warning: every client that can reach {host} can use this simulator and all its tokens.", err=True)
    with ExitStack() as open_sockets, suppress(KeyboardInterrupt):
        for each in sockets:
            open_sockets.enter_context(each)
        running.run(sockets=sockets)


def _connection_details(simulator: Simulator) -> str:
    account = simulator.world.accounts[0]
    issued = simulator.token_for(account)
    lines = (
        f"API       {simulator.url}",
        f"identity  {simulator.identity_url}",
        f"client    {simulator.client_id} / {simulator.client_secret}",
        *((f"control   {simulator.control_url}",) if simulator.control_url else ()),
        f"account   {account.key} ({account.brand}), realm {account.realm}",
        f"token     {issued.access_token}",
        f"fleets    {simulator.partner_url}",
        f"partner   {simulator.partner_login} / {simulator.partner_password}",
        "",
        "Try it:",
        f"  curl -H 'Authorization: Bearer {issued.access_token}' -H 'x-introspect-realm: {account.realm}' \\",
        f"       '{simulator.url}/user?client_id={simulator.client_id}'",
        "",
        "Press Ctrl+C to stop.",
    )
    return "\n".join(lines)
