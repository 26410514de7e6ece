"""The command ``simulate``."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import click

from stellantis_hal.cli.environment_options import SETTINGS, option
from stellantis_hal.cli.failures import Failure
from stellantis_hal.cli.finite_range import FiniteRange
from stellantis_hal.cli.loopback import is_loopback
from stellantis_hal.simulator import (
    FAULTS,
    Faults,
    Latency,
    RandomFault,
    Simulator,
    SubscriptionLimits,
    World,
    controlled,
    parse_duration,
    parse_fault,
    server,
)

__all__ = ["simulate"]

_option = partial(option, command="simulate")


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


@click.command(context_settings=SETTINGS)
@_option("--host", default="127.0.0.1", help="Address to listen on; clients that can reach it can read the world.")
@_option("--port", type=click.IntRange(0, 65_535), default=8_000, help="Port to listen on; 0 selects a free port.")
@_option("--accounts", type=click.IntRange(1, 10_000), default=3, help="Number of account holders.")
@_option("--vehicles", type=click.IntRange(1, 10_000), default=6, help="Total number of cars.")
@_option("--trips", type=click.IntRange(0, 1_000_000), default=300, help="Total number of trips.")
@_option("--limit", type=click.IntRange(1, 10_000), default=100, help="Requests per second that the API allows.")
@_option(
    "--daily", type=click.IntRange(1, 10_000_000), default=100_000, help="Requests per 24 hours that the API allows."
)
@_option("--seed", type=int, default=7, help="Seed of the simulated world.")
@_option("--still", is_flag=True, help="Let no car drive, park or charge of its own.")
@_option("--latency", type=_Duration(), default="0s", help="Latency of every response: 50ms, 1.5s.")
@_option(
    "--fault",
    "faults",
    type=_NamedFault(),
    multiple=True,
    help=f"Fault of a share of the requests (10 %), or NAME=rate with a rate of 0 to 1; may be repeated. Names: "
    f"{', '.join(FAULTS)}.",
)
@_option(
    "--speed",
    type=FiniteRange(0, 100_000, min_open=True),
    default=1.0,
    help="Seconds of the simulated world that pass per second.",
)
@_option(
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
        rate_limits=SubscriptionLimits(per_second=limit, per_day=daily),
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
        raise Failure(f"cannot listen on {ports}: {error.strerror or error}") from error
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
