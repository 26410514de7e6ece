"""Tables of typed values: Arrow, pandas and Polars (extra ``dataframe``)."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from stellantis_hal.errors import ConfigurationError
from stellantis_hal.resources.position import Position
from stellantis_hal.resources.rows import POSITION_COLUMNS, STATUS_COLUMNS, TRIP_COLUMNS, Cell, Column
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.trip import Trip

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

__all__ = ["to_arrow", "to_pandas", "to_polars"]

_Table = TypeVar("_Table")
_Value = Trip | Status | Position
_COLUMNS: Final[Mapping[type, tuple[Column, ...]]] = {
    Trip: TRIP_COLUMNS,
    Status: STATUS_COLUMNS,
    Position: POSITION_COLUMNS,
}
_BATCH: Final = 10_000  # rows that are held as Python values before they become Arrow's


@overload
def to_arrow(values: Iterable[_Value | None], kind: type[_Value] | None = None) -> pa.Table: ...  # pyright: ignore[reportUnknownParameterType] - pyarrow has no types
@overload
def to_arrow(values: AsyncIterable[_Value | None], kind: type[_Value] | None = None) -> Awaitable[pa.Table]: ...  # pyright: ignore[reportUnknownParameterType] - likewise
def to_arrow(values: Any, kind: type[_Value] | None = None) -> Any:
    """Return an Arrow table with a row for each trip, status or position; of a walk: await it.

    The columns are those of ``row()``. Instants are ``timestamp[us, UTC]``. Each column of numbers has its unit in its
    field metadata (``table.field("distance_km").metadata``), which Parquet files keep. A None among the values is left
    out: ``vehicle.status()`` returns it where there is no data.

    Args:
        values: a list, or a walk such as ``vehicle.trips()``; all of one class.
        kind: the class; needed for columns of an empty list, which has no rows to tell it.

    Raises:
        TypeError: the values are of several classes, or of one that has no rows.
        ConfigurationError: the extra ``dataframe`` is not installed.
        StellantisError: reading the walk failed.

    Example::

        table = await to_arrow(vehicle.trips(since=monday))
        pyarrow.parquet.write_table(table, "trips.parquet")
    """
    return _of(values, kind, lambda table: table)


@overload
def to_pandas(values: Iterable[_Value | None], kind: type[_Value] | None = None) -> pd.DataFrame: ...
@overload
def to_pandas(values: AsyncIterable[_Value | None], kind: type[_Value] | None = None) -> Awaitable[pd.DataFrame]: ...
def to_pandas(values: Any, kind: type[_Value] | None = None) -> Any:
    """Return a pandas DataFrame with a row for each trip, status or position; of a walk: await it.

    As :func:`to_arrow`. Instants are zone-aware (UTC). Units by column are in ``frame.attrs["units"]``.

    Raises:
        TypeError: the values are of several classes, or of one that has no rows.
        ConfigurationError: the extra ``dataframe`` is not installed.
        StellantisError: reading the walk failed.
    """
    _require("pandas")

    def convert(table: Any) -> Any:
        frame = table.to_pandas()
        frame.attrs["units"] = _units(table)
        return frame

    return _of(values, kind, convert)


@overload
def to_polars(values: Iterable[_Value | None], kind: type[_Value] | None = None) -> pl.DataFrame: ...
@overload
def to_polars(values: AsyncIterable[_Value | None], kind: type[_Value] | None = None) -> Awaitable[pl.DataFrame]: ...
def to_polars(values: Any, kind: type[_Value] | None = None) -> Any:
    """Return a Polars DataFrame with a row for each trip, status or position; of a walk: await it.

    As :func:`to_arrow`, without the units, which Polars has no place for: they are in the columns' names. Instants are
    zone-aware (UTC).

    Raises:
        TypeError: the values are of several classes, or of one that has no rows.
        ConfigurationError: the extra ``dataframe`` is not installed.
        StellantisError: reading the walk failed.
    """
    library = _require("polars")
    return _of(values, kind, library.from_arrow)


def _of(values: Any, kind: type[Any] | None, convert: Callable[[Any], _Table]) -> _Table | Awaitable[_Table]:
    builder = _TableBuilder(_require("pyarrow"), kind)
    if isinstance(values, AsyncIterable):
        return _read(values, builder, convert)
    if not isinstance(values, Iterable):
        raise TypeError(f"values must be a list or a walk, not {type(values).__name__}: [trip] of one trip")
    for value in values:
        builder.add(value)
    return convert(builder.table())


async def _read(values: AsyncIterable[Any], builder: _TableBuilder, convert: Callable[[Any], _Table]) -> _Table:
    async for value in values:
        builder.add(value)
    return convert(builder.table())


class _TableBuilder:
    """Rows, gathered into Arrow batches of bounded size."""

    def __init__(self, arrow: Any, kind: type[Any] | None) -> None:
        if kind is not None and kind not in _COLUMNS:
            raise TypeError(_no_rows(kind))
        self._arrow = arrow
        self._kind = kind
        self._batches: list[Any] = []
        self._pending: list[Any] = []

    def add(self, value: Any) -> None:
        """Add a value; a None is left out."""
        if value is None:
            return
        kind = type(value)
        if self._kind is None:
            if kind not in _COLUMNS:
                raise TypeError(_no_rows(kind))
            self._kind = kind
        if kind is not self._kind:
            raise TypeError(
                f"a table has rows of one class: this one has {self._kind.__name__}, and a {kind.__name__} follows"
            )
        self._pending.append(value)
        if len(self._pending) == _BATCH:
            self._flush()

    def table(self) -> Any:
        """Return the table of all rows."""
        if self._kind is None:
            return self._arrow.table({})
        self._flush()
        return self._arrow.Table.from_batches(self._batches, schema=_schema(self._arrow, self._kind))

    def _flush(self) -> None:
        assert self._kind is not None  # noqa: S101 - a value was added
        schema = _schema(self._arrow, self._kind)
        pending, self._pending = self._pending, []
        arrays = [
            self._arrow.array([_to_arrow_value(column, column.read(value)) for value in pending], type=field.type)
            for column, field in zip(_COLUMNS[self._kind], schema, strict=True)
        ]
        self._batches.append(self._arrow.RecordBatch.from_arrays(arrays, schema=schema))


def _to_arrow_value(column: Column, cell: Cell) -> Cell:
    """Return a value as Arrow takes it: numbers as float, and no half of a surrogate pair in texts."""
    if cell is None:
        return None
    if column.type == "number":
        return float(cell)  # type: ignore[arg-type]  # a column of numbers
    return str(cell).encode("utf-8", "replace").decode() if column.type == "text" else cell


def _schema(arrow: Any, kind: type[Any]) -> Any:
    types = {
        "text": arrow.string(),
        "number": arrow.float64(),
        "flag": arrow.bool_(),
        "instant": arrow.timestamp("us", tz="UTC"),
    }
    return arrow.schema(
        arrow.field(column.name, types[column.type], metadata=None if column.unit is None else {"unit": column.unit})
        for column in _COLUMNS[kind]
    )


def _units(table: Any) -> dict[str, str]:
    return {field.name: field.metadata[b"unit"].decode() for field in table.schema if field.metadata is not None}


def _no_rows(kind: object) -> str:
    name = kind.__name__ if isinstance(kind, type) else f"kind must be a class, not {kind!r}: it"
    return f"{name} has no rows; those that have: {', '.join(each.__name__ for each in _COLUMNS)}"


def _require(name: str) -> Any:
    """Import a library of the extra.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigurationError(
            f"{name} is not installed: pip install 'stellantis-hal[dataframe]' brings pyarrow, pandas and polars"
        ) from error
