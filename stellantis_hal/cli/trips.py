"""Commands that show and export trips: ``trips``, ``trip``, ``export``."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import AsyncIterable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TextIO

import anyio
import click

from stellantis_hal.cli.cars import columns
from stellantis_hal.cli.common_options import refuse_typed, typed
from stellantis_hal.cli.connection import CommandContext, car_argument, car_option, connected, find_car, run_connected
from stellantis_hal.cli.environment_options import SETTINGS, F, add_options, option
from stellantis_hal.cli.failures import SOME_FAILED, Failure
from stellantis_hal.cli.finite_range import FiniteRange
from stellantis_hal.cli.json_rows import to_json
from stellantis_hal.cli.json_text import json_text
from stellantis_hal.cli.period import period_of
from stellantis_hal.cli.standard_streams import SafeTerminalWriter
from stellantis_hal.cli.trip_view import TAB_COLUMNS, tab_line, trip_lines
from stellantis_hal.cli.wording import bar, remaining
from stellantis_hal.fleet.backfilling import Progress, backfill
from stellantis_hal.fleet.checkpoints.sqlite import SQLiteCheckpoints
from stellantis_hal.fleet.events import AccountLost, Update, VehicleUnavailable
from stellantis_hal.fleet.export.writer import trip_writer
from stellantis_hal.hal.redaction import one_line
from stellantis_hal.resources.trip import Trip
from stellantis_hal.storage.replaced_file import replaced_file

__all__ = ["export", "trip", "trips"]

_LIMIT: Final = 20
_FORMATS: Final = ("csv", "geojson", "jsonl", "parquet")
_SUFFIXES: Final = (".csv", ".geojson", ".jsonl", ".ndjson")


def _filters(function: F) -> F:
    options = (
        option("--since", metavar="WHEN", help="Trips from then on: 30d, 2025-12, 2025-12-31."),
        option("--until", metavar="WHEN", help="Trips until then."),
        option("--min-km", type=FiniteRange(0), help="Trips of at least so many kilometres."),
    )
    return add_options(*options)(function)


@click.command(context_settings=SETTINGS)
@car_argument
@_filters
@option("--limit", type=click.IntRange(1), default=_LIMIT, help="Show so many trips, the latest.")
@option("--all", "is_complete", is_flag=True, help="Show all trips.")
@option("--csv", is_flag=True, help="Write CSV; units are in the names of the columns.")
@option("--geojson", is_flag=True, help="Write GeoJSON.")
@option("--jsonl", is_flag=True, help="Write a JSON object a line.")
@option("--parquet", is_flag=True, help="Write Parquet (extra dataframe); needs -o.")
@option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this file; one that is there is replaced.",
)
@connected
def trips(
    *,
    car: str | None,
    since: str | None,
    until: str | None,
    min_km: float | None,
    limit: int,
    is_complete: bool,
    output: Path | None,
    **options: Any,
) -> None:
    """List the trips of a car, the latest first."""
    format_ = _format_of(options)
    if output is not None and format_ is None:
        format_ = output.suffix.lstrip(".").lower()
        if format_ not in _FORMATS:
            raise click.UsageError(f"the format of {output} is not known: pass --csv, --geojson, --jsonl or --parquet")
    if format_ == "parquet" and output is None:
        raise click.UsageError("--parquet needs a file: pass -o trips.parquet")
    if format_ is not None:
        refuse_typed(("as_json",), f"trips are written as {format_}: leave it out, or pass --jsonl")
    if is_complete and typed("limit"):
        raise click.UsageError("--all and --limit contradict each other: pass one of them")

    async def act(connection: CommandContext) -> None:
        vehicle = await find_car(connection, car)
        distance = None if min_km is None else (min_km, None)
        start, end = period_of(connection, since, until)
        walk = vehicle.trips(
            newest_first=True,
            distance=distance,
            since=start,
            until=end,
        )
        wanted = walk if is_complete else walk.take(limit)
        if format_ is not None:
            await _write(wanted, format_, output)
            return
        found = [each.row() async for each in wanted]
        if connection.options.as_json:
            click.echo(json_text([to_json(row) for row in found]))
            return
        if not sys.stdout.isatty():
            click.echo("\t".join(TAB_COLUMNS))
            for row in found:
                click.echo(tab_line(row))
        else:
            for line in trip_lines(found, zone=connection.options.zone, width=columns()):
                click.echo(line)
        if not connection.options.quiet:
            total = await walk.total()
            rest = "" if is_complete or total is None or total <= len(found) else "; --all for the rest"
            click.echo(f"{len(found)} of {'an unknown number' if total is None else f'{total:,}'}{rest}", err=True)

    run_connected(act, options)


def _format_of(options: dict[str, Any]) -> str | None:
    """Return the format that is asked for; what is typed counts before variables."""
    named = [name for name in _FORMATS if options[name]]
    found = [name.removeprefix("--") for name in typed(*named)] or ([] if typed("as_json") else named)
    if len(found) > 1:
        raise click.UsageError(f"{' and '.join(f'--{name}' for name in found)} exclude each other: pass one of them")
    return found[0] if found else None


async def _write(walk: AsyncIterable[Trip], format_: str, output: Path | None) -> None:
    """Write trips in a format, to a file or to standard output."""
    if format_ == "parquet":
        await _write_parquet(walk, output)
        return
    if output is None:
        await _write_each(walk, format_, sys.stdout)
        return
    with replaced_file(output) as file:  # the server may fail before the end
        text = io.TextIOWrapper(file, "utf-8", newline="")
        await _write_each(walk, format_, text)
        text.detach()  # or it would close the file


async def _write_each(walk: AsyncIterable[Trip], format_: str, file: TextIO) -> None:
    target = SafeTerminalWriter(file) if file.isatty() else file
    with trip_writer(target, format_) as writer:  # type: ignore[arg-type]  # of _FORMATS
        async for each in walk:
            await anyio.to_thread.run_sync(writer.write, each)


async def _write_parquet(walk: AsyncIterable[Trip], output: Path | None) -> None:
    from stellantis_hal.integrations.dataframe import to_arrow

    try:
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise Failure("Parquet needs the extra `dataframe`: pip install 'stellantis-hal[dataframe]'", 8) from None
    table = await to_arrow(walk, Trip)
    assert output is not None  # noqa: S101 - the command said so
    with replaced_file(output) as file:
        await anyio.to_thread.run_sync(parquet.write_table, table, file)


@click.command(context_settings=SETTINGS)
@click.argument("trip_id", metavar="ID")
@car_option
@connected
def trip(*, trip_id: str, car: str | None, **options: Any) -> None:
    """Show one trip, by its id: each column of its row that has a value."""

    async def act(connection: CommandContext) -> None:
        vehicle = await find_car(connection, car, is_option=True)
        row = to_json((await vehicle.trip(trip_id)).row())
        if connection.options.as_json:
            click.echo(json_text(row))
            return
        for name, value in row.items():
            if value is not None:
                click.echo(f"{name:<26} {value}")

    run_connected(act, options)


def _progress_line(progress: Progress, seconds: float, width: int) -> str:
    """Return a line that covers the one before: a bar, cars, trips, their rate, and the time left by the cars."""
    rate = progress.trips / seconds if seconds else 0.0
    parts = [f"{progress.done} of {progress.vehicles} cars", f"{progress.trips:,} trips", f"{rate:,.0f}/s"]
    if 0 < progress.done < progress.vehicles:
        left = timedelta(seconds=seconds / progress.done * (progress.vehicles - progress.done))
        parts.append(f"{remaining(left)} left")
    text, size = ", ".join(parts), min(30, width - 50)
    if size > 0 and progress.vehicles:
        text = f"{bar(100 * progress.done / progress.vehicles, size)}  {text}"
    return text[: width - 1].ljust(width - 1)


@click.command(context_settings=SETTINGS)
@option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("trips.geojson"),
    help="The file: .geojson, .csv or .jsonl; one that is there is continued.",
)
@option(
    "--vin",
    type=click.Choice(["whole", "masked", "none"]),
    default="whole",
    help="How VINs of added trips are written.",
)
@connected
def export(*, output: Path, vin: Any, **options: Any) -> None:
    """Write all trips of the account to a file. Run it again after an interruption: it goes on there."""
    if output.suffix.lower() not in _SUFFIXES:
        raise click.UsageError(f"the format of {output} is not known: name it .geojson, .csv or .jsonl")
    checkpoints_file = output.with_name(f"{output.name}.checkpoints.db")
    if checkpoints_file.exists() and not output.exists():
        raise Failure(
            f"{output} is gone, and {checkpoints_file} knows which trips it had: delete that file too to write all "
            "trips again"
        )

    async def act(connection: CommandContext) -> int:
        failed = 0

        begin = time.monotonic()

        def show(progress: Progress) -> None:
            if connection.options.quiet or not sys.stderr.isatty():
                return
            line = _progress_line(progress, time.monotonic() - begin, columns())
            click.echo(f"\r{line}", nl=progress.is_complete, err=True)

        writer = await anyio.to_thread.run_sync(lambda: trip_writer(output, vin=vin))
        with writer:  # opened first: what cannot be written is named by the file that the user named
            async with SQLiteCheckpoints(checkpoints_file) as checkpoints:
                async with backfill(connection.account, checkpoints=checkpoints, newer=True, progress=show) as updates:
                    async for event in updates:
                        if isinstance(event, Update):
                            await anyio.to_thread.run_sync(writer.write, event)
                        else:
                            failed += isinstance(event, AccountLost | VehicleUnavailable)
                            reason = one_line(str(getattr(event, "error", event)))
                            connection.options.note(f"{type(event).__name__}: {reason}")
                total = writer.found + writer.written
        facts = {"file": str(output), "written": writer.written, "trips": total, "failed": failed}
        if connection.options.as_json:
            click.echo(json_text(facts))
        else:
            click.echo(f"{writer.written:,} trips written, {total:,} in {output}")
        return SOME_FAILED if failed else 0

    sys.exit(run_connected(act, options))
