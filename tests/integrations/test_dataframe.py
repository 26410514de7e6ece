"""Tables of trips, statuses and positions: Arrow, pandas, Polars."""

import io
import sys
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stellantis_hal import Maintenance, Position, Status, Trip, to_arrow, to_pandas, to_polars
from stellantis_hal.errors import ConfigurationError
from stellantis_hal.integrations import dataframe
from stellantis_hal.resources.rows import TRIP_COLUMNS
from stellantis_hal.simulator import Simulator
from stellantis_hal.structuring.converter import read
from tests.resources import bodies
from tests.support.simulated import account_of, client_of, world

TRIP = read(bodies.trip(), Trip)
STATUS = read(bodies.status(), Status)
WAYS: list[Any] = [to_arrow, to_pandas, to_polars]


def rows_of(table: Any) -> list[dict[str, Any]]:
    """Return the rows of a table of any of the libraries, with None for what is missing."""
    if isinstance(table, pd.DataFrame):
        table = pa.Table.from_pandas(table, preserve_index=False)
    rows: list[dict[str, Any]] = table.to_dicts() if isinstance(table, pl.DataFrame) else table.to_pylist()
    return rows


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", [TRIP, STATUS, STATUS.last_position], ids=lambda value: type(value).__name__)
def test_a_table_has_the_rows_of_the_values(way: Any, value: Any) -> None:
    assert rows_of(way([value, None, value])) == [value.row(), value.row()]


@pytest.mark.unmeasured
@pytest.mark.anyio
@pytest.mark.parametrize("way", WAYS)
async def test_a_walk_becomes_a_table(way: Any) -> None:
    simulator = Simulator(world(trips=130))
    async with client_of(simulator) as client:
        vehicle = await account_of(client, simulator).vehicles().first()
        assert vehicle is not None
        trips = await vehicle.trips().collect()
        table = await way(vehicle.trips())
    assert rows_of(table) == [trip.row() for trip in trips]
    assert len(trips) == 130


def test_instants_are_zone_aware() -> None:
    moment = datetime(2023, 9, 12, 8, tzinfo=UTC)
    frame = to_pandas([TRIP])
    assert list(frame["started_at"]) == [moment]
    assert str(frame["started_at"].dtype) == "datetime64[us, UTC]"
    assert to_polars([TRIP])["started_at"][0] == moment


def test_units_survive_parquet() -> None:
    file = io.BytesIO()
    pq.write_table(to_arrow([TRIP]), file)
    schema = pq.read_schema(file)
    assert {name: schema.field(name).metadata for name in ("distance_km", "id")} == {
        "distance_km": {b"unit": b"km"},
        "id": None,
    }
    assert to_pandas([TRIP]).attrs["units"]["electricity_wh"] == "Wh"


@pytest.mark.parametrize("way", WAYS)
def test_an_empty_list_of_a_class_has_its_columns(way: Any) -> None:
    columns = [column.name for column in TRIP_COLUMNS]
    table = way([], Trip)
    assert list(table.column_names if isinstance(table, pa.Table) else table.columns) == columns
    assert rows_of(table) == []
    assert rows_of(way([])) == []


@pytest.mark.parametrize("way", WAYS)
def test_values_of_two_classes_are_refused(way: Any) -> None:
    with pytest.raises(TypeError, match="one class: this one has Trip, and a Status follows"):
        way([TRIP, STATUS])
    with pytest.raises(TypeError, match="Maintenance has no rows; those that have: Trip, Status, Position"):
        way([Maintenance()])
    with pytest.raises(TypeError, match="Maintenance has no rows"):
        way([], Maintenance)
    with pytest.raises(TypeError, match="kind must be a class, not 'Trip': it has no rows"):
        way([], "Trip")


def test_many_rows_are_gathered_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataframe, "_BATCH", 7)
    for count in (6, 7, 8, 21):
        table = to_arrow([TRIP] * count)
        assert table.num_rows == count
        assert table.to_pylist() == [TRIP.row()] * count


def test_values_that_arrow_refuses_become_ones_it_takes() -> None:
    """Half of a surrogate pair, and an integer of more than 64 bits, cost no table."""
    trip = Trip(id="half \ud800", distance=10**30)
    table = to_arrow([trip])
    assert table["id"][0].as_py() == "half ?"
    assert table["distance_km"][0].as_py() == 1e30


@pytest.mark.parametrize(("way", "library"), list(zip(WAYS, ["pyarrow", "pandas", "polars"], strict=True)))
def test_a_missing_library_says_what_to_install(way: Any, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(
        ConfigurationError, match=rf"{library} is not installed: pip install 'stellantis-hal\[dataframe\]'"
    ):
        way([TRIP])


def test_positions_of_a_trip_become_a_table() -> None:
    points = [Position(coordinates=(2.0, 48.0, 35.0)), Position()]
    assert rows_of(to_arrow(points))[0]["altitude_m"] == 35.0


@pytest.mark.parametrize("make", [to_arrow, to_pandas, to_polars])
@pytest.mark.parametrize("value", [Trip(), None], ids=["trip", "none"])
def test_one_value_is_no_table(make: Any, value: Any) -> None:
    with pytest.raises(TypeError, match=r"^values must be a list or a walk, not .*: \[trip\] of one trip$"):
        make(value)
