"""The command ``demo``."""

from __future__ import annotations

import sys
from functools import partial
from importlib.util import find_spec
from typing import NoReturn

import anyio
import attrs
import click

from stellantis_hal.cli.common_options import current, refuse_typed
from stellantis_hal.cli.demo import BAD_DAY, DemoSettings, demonstrate
from stellantis_hal.cli.demo_screen import DemoOutput, to_json
from stellantis_hal.cli.environment_options import SETTINGS, option
from stellantis_hal.cli.failures import Failure
from stellantis_hal.cli.finite_range import FiniteRange
from stellantis_hal.cli.json_text import json_text
from stellantis_hal.cli.processes_demo import ProcessesDemoSettings, find_redis, show_processes
from stellantis_hal.cli.processes_screen import ProcessesScreen

__all__ = ["demo"]

_option = partial(option, command="demo")


@click.command(context_settings=SETTINGS)
@_option("--accounts", type=click.IntRange(1, 10_000), default=20, help="Number of account holders.")
@_option("--vehicles", type=click.IntRange(1, 10_000), default=40, help="Total number of cars.")
@_option("--trips", type=click.IntRange(0, 1_000_000), default=2_000, help="Total number of trips.")
@_option("--limit", type=click.IntRange(1, 1_000), default=25, help="Requests per second that the API allows.")
@_option("--seed", type=int, default=7, help="Seed of the simulated world.")
@_option("--backend", type=click.Choice(["asyncio", "trio"]), default="asyncio", help="Event loop.")
@_option("--bad-day", is_flag=True, help="Inject errors, broken connections and expired tokens.")
@_option(
    "--processes",
    type=click.IntRange(2, 16),
    help="Let so many processes share the limit, by Redis where it is installed, and kill one; no fleet is read.",
)
@_option("--seconds", type=FiniteRange(1, 3_600), default=15, help="With --processes: how long they send.")
@_option("--store", type=click.Choice(["redis", "sqlite"]), help="With --processes: where they meet.")
def demo(
    *,
    accounts: int,
    vehicles: int,
    trips: int,
    limit: int,
    seed: int,
    backend: str,
    bad_day: bool,
    processes: int | None,
    seconds: float,
    store: str | None,
) -> None:
    """Poll a simulated fleet concurrently under a tight rate limit.

    The simulated API runs in this process: no network, account or car is needed. Reads the status, the position and
    all trips of every vehicle as fast as the rate limit allows, and prints a table. Progress is shown live on a
    terminal only. The number of accounts is at most the number of vehicles.
    """
    as_json = current().as_json
    if processes is None:
        refuse_typed(("seconds", "store"), "they belong to --processes")
    else:
        refuse_typed(("accounts", "vehicles", "trips", "bad_day"), "with --processes no fleet is read")
    if find_spec(backend) is None:
        raise Failure(f"{backend} is not installed: pip install 'stellantis-hal[{backend}]'", 8)
    if processes is not None:
        redis = None if store == "sqlite" else find_redis()
        if store == "redis" and redis is None:
            raise Failure("redis-server, or the extra `redis`, is not installed: --store sqlite needs neither", 8)
        _demo_processes(
            ProcessesDemoSettings(
                processes=processes, per_second=limit, seconds=seconds, seed=seed, backend=backend, redis=redis
            ),
            as_json=as_json,
        )
    settings = DemoSettings(
        accounts=min(accounts, vehicles), vehicles=vehicles, trips=trips, per_second=limit, seed=seed
    )
    if bad_day:
        settings = attrs.evolve(settings, faults=BAD_DAY)
    screen = DemoOutput(silent=as_json)
    with screen.show_progress(settings):
        result = anyio.run(partial(demonstrate, settings, screen), backend=backend)
    if as_json:
        click.echo(json_text(to_json(result)))
    else:
        screen.show(result)
    sys.exit(0 if not result.failures else 1)


def _demo_processes(settings: ProcessesDemoSettings, *, as_json: bool) -> NoReturn:
    """Run the demo of several processes; exit with 0 where none of them was refused a request."""
    screen = ProcessesScreen(silent=as_json)
    with screen.show_progress(settings):
        result = show_processes(settings, screen.on_second, screen.on_kill)
    if as_json:
        click.echo(json_text(attrs.asdict(result)))
    else:
        screen.show(settings, result)
    sys.exit(0 if result.responses and not result.refused else 1)
