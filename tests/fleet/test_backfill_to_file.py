"""Backfills written to a file: run again, killed and run again."""

import csv
import io
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stellantis_hal.fleet import SQLiteCheckpoints, Update, backfill, trip_writer
from tests.fleet.export.test_writer import KINDS, Kind
from tests.fleet.fleets import Fleet, a_fleet

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]  # SQLite works in a thread


class KilledError(Exception):
    """The end of the process."""


async def run(fleet: Fleet, folder: Path, kind: Kind, *, kill_at: int = 0, kept: Path | None = None) -> int:
    """Run the example of docs/howto/history.md, and return how many trips it wrote.

    Args:
        fleet: what is read.
        folder: where the checkpoints and the file are.
        kind: the format.
        kill_at: end after so many updates, the last one written but not acknowledged; 0: do not.
        kept: gets the files as they are at that moment: nothing that happens afterwards is in them.
    """
    async with SQLiteCheckpoints(folder / "history.db") as checkpoints:
        with trip_writer(folder / f"trips.{kind}") as writer:
            async with backfill(fleet.accounts, checkpoints=checkpoints, clock=fleet.simulator.now) as updates:
                async for event in updates:
                    assert isinstance(event, Update)
                    writer.write(event)
                    if kill_at and writer.written + writer.skipped == kill_at:
                        if kept is not None:
                            shutil.copytree(folder, kept)
                        raise KilledError
    return writer.written


def rows(folder: Path, kind: Kind) -> list[tuple[Any, ...]]:
    """Return account, vehicle, VIN, label and trip of each row, read by other code than the package's."""
    names = ("account", "vehicle", "vin", "label")
    text = (folder / f"trips.{kind}").read_bytes().decode()
    if kind == "csv":
        return [(*map(row.get, names), row["id"]) for row in csv.DictReader(io.StringIO(text, newline=""))]
    if kind == "jsonl":
        lines = [json.loads(line) for line in text.splitlines()]
        return [(*map(line.get, names), line["trip"]["id"]) for line in lines]
    features = json.loads(text)["features"]
    return [(*map(feature["properties"].get, names), feature["id"]) for feature in features]


def expected(fleet: Fleet) -> list[tuple[Any, ...]]:
    """Return the same of each trip that the simulator has, in the order of vehicles."""
    return [
        (vehicle.account, vehicle.id, vehicle.vin, vehicle.label, trip)
        for vehicle in fleet.world.vehicles
        for trip in fleet.world.trip_ids(vehicle.id)
    ]


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", KINDS)
async def test_the_example_run_twice_loses_and_doubles_nothing(tmp_path: Path, kind: Kind) -> None:
    async with a_fleet(vehicles=3, accounts=2, trips=150) as fleet:
        assert await run(fleet, tmp_path, kind) == 150
        first = (tmp_path / f"trips.{kind}").read_bytes()
        assert await run(fleet, tmp_path, kind) == 0
        assert (tmp_path / f"trips.{kind}").read_bytes() == first
        assert sorted(rows(tmp_path, kind)) == sorted(expected(fleet))
        (tmp_path / "history.db").unlink()  # a history that is read again finds every trip in the file
        assert await run(fleet, tmp_path, kind) == 0
        assert (tmp_path / f"trips.{kind}").read_bytes() == first


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kill_at", [1, 37, 90])
async def test_a_run_that_is_killed_is_continued(tmp_path: Path, kind: Kind, kill_at: int) -> None:
    folder = tmp_path / "killed"
    (tmp_path / "running").mkdir()
    async with a_fleet(vehicles=3, accounts=2, trips=90) as fleet:
        with pytest.raises(KilledError):
            await run(fleet, tmp_path / "running", kind, kill_at=kill_at, kept=folder)
        assert len(rows(folder, kind)) == kill_at
        assert await run(fleet, folder, kind) == 90 - kill_at
        found = rows(folder, kind)
        assert sorted(found) == sorted(expected(fleet))
        for vehicle in fleet.vehicles:
            assert [row[4] for row in found if row[1] == vehicle] == fleet.world.trip_ids(vehicle)


CHILD = """
import os, signal, sys
from pathlib import Path

import anyio

from tests.fleet import test_backfill_to_file as tests
from tests.fleet.fleets import a_fleet


async def main() -> None:
    async with a_fleet(vehicles=3, accounts=2, trips=150) as fleet:
        await tests.run(fleet, Path(sys.argv[1]), sys.argv[2], kill_at=70)


class Kill(Exception):
    def __init__(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


tests.KilledError = Kill
anyio.run(main, backend=sys.argv[3])
"""


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.long
async def test_a_process_that_is_killed_loses_no_row(tmp_path: Path, kind: Kind, anyio_backend_name: str) -> None:
    child = subprocess.run(  # noqa: ASYNC221 - nothing else runs meanwhile
        [sys.executable, "-c", CHILD, str(tmp_path), kind, anyio_backend_name],
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert child.returncode == -signal.SIGKILL
    assert len(rows(tmp_path, kind)) == 70
    async with a_fleet(vehicles=3, accounts=2, trips=150) as fleet:
        assert await run(fleet, tmp_path, kind) == 80
        assert sorted(rows(tmp_path, kind)) == sorted(expected(fleet))


@pytest.mark.unmeasured
async def test_a_file_and_checkpoints_may_be_of_different_runs(tmp_path: Path) -> None:
    """Checkpoints of a backup are older than the file: what they do not know is in the file already."""
    async with a_fleet(vehicles=1, accounts=1, trips=30) as fleet:
        (tmp_path / "now").mkdir()
        with pytest.raises(KilledError):
            await run(fleet, tmp_path / "now", "geojson", kill_at=10, kept=tmp_path / "before")
        await run(fleet, tmp_path / "now", "geojson")
        shutil.copy(tmp_path / "before" / "history.db", tmp_path / "now" / "history.db")
        assert await run(fleet, tmp_path / "now", "geojson") == 0
        assert sorted(rows(tmp_path / "now", "geojson")) == sorted(expected(fleet))
