"""The command ``record``: an anonymized recording of an account's responses, for tests and reports of bugs."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import attrs
import click
import httpx

from stellantis_hal.cli.account_settings import AccountSettings, account_settings, refuse_beside_simulator
from stellantis_hal.cli.common_options import current
from stellantis_hal.cli.connection import connected, run_in_time
from stellantis_hal.cli.environment_options import SETTINGS, option
from stellantis_hal.cli.failures import run_command
from stellantis_hal.cli.json_text import json_text
from stellantis_hal.client.account import Account
from stellantis_hal.client.stellantis_client import StellantisClient
from stellantis_hal.errors import ConsentRequiredError, StellantisError
from stellantis_hal.hal.redaction import one_line
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.simulator import Simulator, World
from stellantis_hal.testing import Recorder, simulated_account, simulated_client
from stellantis_hal.transport.proxies import parse_proxy
from stellantis_hal.transport.tls import with_certificate
from stellantis_hal.vendor.hosts import API_URL, CERTIFICATE_API_URL

__all__ = ["proxy_of", "record"]

_option = partial(option, command="record")

_ALERTS = 20


@click.command(context_settings=SETTINGS)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@connected
@_option("--trips", type=click.IntRange(0, 1_000), default=20, help="Latest trips to read of each car.")
@_option(
    "--follow",
    "rels",
    command="record",
    multiple=True,
    metavar="REL",
    help="Link of each car to read too; repeatable.",
)
@_option("--host", "hosts", multiple=True, help="Host that may stay readable in the file; repeatable.")
@_option(
    "--word",
    "words",
    command="record",
    multiple=True,
    help="Text or segment of a path that may stay readable; repeatable.",
)
@_option("--force", is_flag=True, help="Replace the file if it is there.")
def record(
    *,
    file: Path,
    trips: int,
    rels: tuple[str, ...],
    hosts: tuple[str, ...],
    words: tuple[str, ...],
    force: bool,
    **options: Any,
) -> None:
    """Record what the API answers for an account into FILE, without what is private.

    Reads the user, the vehicles, and of each its status, position, maintenance, alerts and latest trips. Requests that
    fail are recorded too. Tokens and secrets are removed; VINs, names, e-mail addresses and ids are replaced, places
    and times shifted. Read the file before it leaves your machine: its part "privacy" lists what was replaced.
    """
    if file.exists() and not force:
        raise click.UsageError(f"{file} exists: name another file, or pass --force")
    if file.exists() and not file.is_file():  # it is read again afterwards
        raise click.UsageError(f"{file} is no regular file: name one")
    if not file.absolute().parent.is_dir():
        raise click.UsageError(f"the folder of {file} does not exist")
    if current().simulated:
        refuse_beside_simulator()
    settings = None if current().simulated else account_settings(options)
    visit = _Visit(trips=trips, rels=rels)
    recorder = Recorder(hosts=hosts, words=words)

    async def act() -> None:
        try:
            async with _open(recorder, settings) as account:
                await visit.account(account)
        finally:
            if recorder.requests:  # a recording of nothing must not replace another one
                with anyio.CancelScope(shield=True):  # bounded by the disk
                    await anyio.to_thread.run_sync(recorder.save, file)

    run_in_time(act)
    if recorder.requests:
        _show(file, visit)
    run_command(visit.check)
    if not recorder.requests:
        raise click.ClickException(f"nothing was recorded, as no request was sent: {'; '.join(visit.failures)}")


@asynccontextmanager
async def _open(recorder: Recorder, settings: AccountSettings | None) -> AsyncGenerator[Account, None]:
    """Open an account whose exchanges are recorded; that of a simulated API without settings."""
    if settings is None:
        simulator = Simulator(World(seed=7, accounts=1, vehicles=2, trips=60))
        transport = recorder.transport(simulator.transport())
        async with simulated_client(simulator, transport=transport) as client:
            yield simulated_account(client, simulator)
        return
    application = settings.application()
    context = await anyio.to_thread.run_sync(with_certificate(None, application.certificate).make_context)
    async with (
        httpx.AsyncClient(verify=context, proxy=proxy_of(settings.proxy), trust_env=settings.proxy is None) as session,
        StellantisClient(
            attrs.evolve(application, certificate=None),  # the session has it
            base_url=settings.base_url or (API_URL if application.certificate is None else CERTIFICATE_API_URL),
            identity_url=settings.identity_url,
            transport=recorder.transport(session),
        ) as client,
    ):
        yield settings.open_account(client)


def proxy_of(option: str | None) -> httpx.Proxy | None:
    """Return the proxy of the option; None where there is none, or the environment names it."""
    if option is None or option == "direct":
        return None
    proxy = parse_proxy(option)
    return httpx.Proxy(proxy.url, auth=None if proxy.username is None else (proxy.username, proxy.password))


@attrs.define(kw_only=True)
class _Visit:
    """What is read, and what could not be.

    Attributes:
        trips: how many latest trips of each car.
        rels: further links of each car.
        failures: a line for each read that failed.
        refusal: the error of an account that has to log in again; it ends the visit.
    """

    trips: int
    rels: tuple[str, ...]
    failures: list[str] = attrs.field(factory=list)
    refusal: ConsentRequiredError | None = None

    def check(self) -> None:
        """Check that the account need not log in again.

        Raises:
            ConsentRequiredError: it has to.
        """
        if self.refusal is not None:
            raise self.refusal

    async def account(self, account: Account) -> None:
        """Read an account, and each of its cars; a failure ends no other read."""
        await self._read("user", account.user)
        vehicles = await self._read("vehicles", account.vehicles().collect)
        for number, vehicle in enumerate(vehicles or (), 1):
            for name, read in self._of_vehicle(vehicle):
                await self._read(f"vehicle {number}: {name}", read)

    def _of_vehicle(self, vehicle: Vehicle) -> list[tuple[str, Callable[[], Awaitable[Any]]]]:
        reads: list[tuple[str, Callable[[], Awaitable[Any]]]] = [
            ("status", vehicle.status),
            ("lastPosition", vehicle.last_position),
            ("maintenance", vehicle.maintenance),
            ("alerts", lambda: vehicle.alerts().take(_ALERTS).collect()),
            ("trips", lambda: vehicle.trips(newest_first=True).take(self.trips).collect()),
        ]
        found = [(name, read) for name, read in reads if vehicle.can(name) and (name != "trips" or self.trips)]

        def following(rel: str) -> Callable[[], Awaitable[Any]]:
            async def read() -> Any:
                return await vehicle.follow(rel)

            return read

        return found + [(rel, following(rel)) for rel in self.rels]

    async def _read(self, name: str, read: Callable[[], Awaitable[Any]]) -> Any:
        if self.refusal is not None:
            return None
        try:
            return await read()
        except ConsentRequiredError as error:
            self.refusal = error
        except StellantisError as error:
            self.failures.append(one_line(f"{name}: {error}"))
        return None


def _show(file: Path, visit: _Visit) -> None:
    """Print what the file has, and what was removed; failures go to standard error."""
    document = json.loads(file.read_bytes())
    privacy, exchanges = document["privacy"], document["exchanges"]
    facts: dict[str, Any] = {
        "file": str(file),
        "requests": len(exchanges),
        "without_response": sum("failure" in exchange for exchange in exchanges),
        "bodies_left_out": sum("left_out" in exchange.get("response", {}) for exchange in exchanges),
        "replaced": {kind: found["count"] for kind, found in privacy["replaced"].items()},
        "left_as_it_was": sum(privacy["left_as_it_was"].values()),
    }
    for failure in visit.failures:
        current().note(f"failed, and recorded: {failure}")
    if current().as_json:
        click.echo(json_text(facts))
        return
    click.echo(
        f"Recorded {facts['requests']} requests in {file}, {facts['without_response']} of them without a response."
    )
    click.echo("Removed or replaced:")
    for kind, count in facts["replaced"].items():
        click.echo(f"  {kind:<18}{count:>6}")
    click.echo(f"Left as they were: {facts['left_as_it_was']} values. Bodies left out: {facts['bodies_left_out']}.")
    click.echo('Read the file before it leaves your machine; its part "privacy" lists both by JSON path.')
