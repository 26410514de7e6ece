"""Writer of trips to a file."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import PurePath
from types import TracebackType
from typing import Final, Literal, Self

from stellantis_hal.fleet.events import Update
from stellantis_hal.fleet.export.csv_rows import CsvFormat
from stellantis_hal.fleet.export.destination import TripDestination
from stellantis_hal.fleet.export.formats import FORMATS
from stellantis_hal.fleet.export.resumable_trip_file import FileMode, TripFile
from stellantis_hal.fleet.export.text_file import SupportsWrite, TextDestination
from stellantis_hal.fleet.export.trip_format import TripFormat
from stellantis_hal.fleet.export.trip_row import TripRow
from stellantis_hal.hal.redaction import mask_text, mask_vin
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.resources.vehicle_identity import VehicleIdentity
from stellantis_hal.validation import require_flags, require_type

__all__ = ["FormatName", "TripWriter", "VinForm", "trip_writer"]

FormatName = Literal["jsonl", "csv", "geojson"]
"""A file format of trips."""

VinForm = Literal["whole", "masked", "none"]
"""How a VIN is written: whole, only the manufacturer's three characters, or not at all."""

_SUFFIXES: Final = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".geojson": "geojson"}
_MODES: Final = ("append", "new", "replace")
_VIN_FORMS: Final = ("whole", "masked", "none")

_log = logging.getLogger("stellantis_hal")


class TripWriter:
    """Writes trips one by one, each with its account, vehicle, VIN and label. Made by :func:`trip_writer`.

    Each trip is written by one call and handed to the operating system, so that a process that ends loses none and
    leaves no partial trip. Several threads may write.

    Attributes:
        found: trips that the file had when it was opened; 0 for an open text file.
        written: trips written.
        skipped: trips not written because the file has them.
    """

    def __init__(self, destination: TripDestination, *, name: str, vin: VinForm) -> None:
        self._destination = destination
        self._name = name
        self._vin: VinForm = vin
        self._is_closed = False
        self._lock = threading.Lock()
        self._warned = False
        self.found: int = destination.found
        self.written: int = 0
        self.skipped: int = 0

    def write(self, trip: Update | Trip, *, account: str | None = None, vehicle: Vehicle | str | None = None) -> bool:
        """Write a trip. One of ``vehicle.trips()`` or of an update knows its vehicle and account.

        Args:
            trip: the trip, or an update with one.
            account: key of its account. Default None: as the update or the trip knows it.
            vehicle: its vehicle, or the id of it. Default None: as the update or the trip knows it.

        Returns:
            Whether it was written: False where the file has it already, as after a crash or a second run.

        Raises:
            ValueError: the update has no trip, or the writer is closed.
            OSError: the file cannot be written; it has no part of the trip.
        """
        require_type("a trip", trip, Update, Trip)
        identity = VehicleIdentity()
        if isinstance(trip, Update):
            if trip.trip is None:
                raise ValueError(f"an update of {trip.what} has no trip: check `update.trip is not None` first")
            account, identity, trip = account or trip.account, trip.vehicle.identity, trip.trip
        else:
            identity = trip.vehicle_identity or identity
        if isinstance(vehicle, Vehicle):
            identity = vehicle.identity
        row = TripRow(
            account=account or identity.account,
            vehicle=vehicle if isinstance(vehicle, str) else identity.id,
            vin=self._written_vin(identity.vin),
            label=identity.label,
            trip=trip,
        )
        with self._lock:
            if self._is_closed:
                raise ValueError("the writer is closed: write every trip before close()")
            if row.vehicle is None and row.vin is None:
                self._warn()
            if not self._destination.append(row):
                self.skipped += 1
                return False
            self.written += 1
            return True

    def _written_vin(self, vin: str | None) -> str | None:
        if vin is None or self._vin == "none":
            return None
        return vin if self._vin == "whole" else mask_vin(vin)

    def _warn(self) -> None:
        """Warn, once, that a trip cannot be told from those of other vehicles."""
        if not self._warned:
            self._warned = True
            _log.warning(
                "a trip was written to %s without its vehicle, which it does not know: "
                "pass vehicle= to write(), or write trips of vehicle.trips()",
                self._name,
            )

    def close(self) -> None:
        """Complete the file. One that was opened by its path is closed; an open text file stays open."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            if self.skipped:
                _log.info("%d trips were in %s already and were not written again", self.skipped, self._name)
            self._destination.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def trip_writer(
    file: str | os.PathLike[str] | SupportsWrite,
    format_: FormatName | None = None,
    *,
    mode: FileMode = "append",
    vin: VinForm = "whole",
    formulas: bool = False,
) -> TripWriter:
    """Return a writer of trips to a file, best given by its path.

    ::

        with trip_writer("trips.csv") as writer:
            async for trip in vehicle.trips():
                writer.write(trip)

    A file given by its path is continued, and complete after each trip. A trip that it has is not written again: it is
    known by its vehicle's id, its own id and whether it had finished; one without ids is always written. A trip that
    had not finished is written again when it has, and then the later record counts. A record that was cut off, by a
    crash or a full disk, is removed when the file is opened again, and a warning is logged. A power cut may take the
    trips of the last seconds. No second writer can open the file (on POSIX systems). Its trips are read when it is
    opened, and about 100 bytes of memory are kept for each.

    A file has personal data: times, places and the VIN of people's journeys. ``repr`` and logs of this library mask
    them; an export does not, because people export their own data. ``vin=`` masks the VIN or leaves it out.

    Args:
        file: a path, or an open text file, which stays open. An open file that has content is continued at its end
            without the names of the columns; GeoJSON is continued by path only, and trips are not compared. No default.
        format_: ``"jsonl"``: JSON Lines, one object for each trip, with ``account``, ``vehicle``, ``vin``, ``label``
            and ``trip``. ``"csv"``: the columns of ``CSV_COLUMNS``, units in their names. ``"geojson"``: a
            FeatureCollection. JSON has the API's names and units. Default None: by the suffix of the path,
            ``.jsonl`` or ``.ndjson``, ``.csv``, ``.geojson``.
        mode: what happens to a file that has content. ``"append"``: it is continued. ``"new"``: it is refused.
            ``"replace"``: it is overwritten. Default "append". Of an open file, only "append".
        vin: ``"whole"``; ``"masked"``: its first three characters, the manufacturer; ``"none"``. Default "whole".
        formulas: whether texts of a CSV that a spreadsheet takes for formulas, because they begin with ``=``, ``+``,
            ``-`` or ``@``, are written as they are. Default False: an apostrophe is put in front of them, which the
            next writer takes for no part of the text; numbers are written as they are.

    Raises:
        ValueError: the format is unknown or cannot be told from the name, or an option is unknown.
        TypeError: the file is neither a path nor a text file.
        TripFileError: the file has something else than trips in this format, or content in mode "new", or is open in
            another writer.
        OSError: the file cannot be opened.
    """
    _require_choice("mode", mode, _MODES)
    _require_choice("vin", vin, _VIN_FORMS)
    require_flags(formulas=formulas)
    if isinstance(file, str | os.PathLike):
        path = os.fspath(file)
        return TripWriter(
            TripFile(path, _format_of(path, format_, formulas=formulas), mode), name=mask_text(path), vin=vin
        )
    if not callable(getattr(file, "write", None)):
        raise TypeError(f"the file must be a path or an open text file, not {type(file).__name__}")
    if mode != "append":
        raise ValueError(f'mode="{mode}" needs a path, as in trip_writer("trips.csv", mode="{mode}")')
    name = getattr(file, "name", "")
    name = name if isinstance(name, str) else ""
    format_used = _format_of(name, format_, formulas=formulas)
    return TripWriter(TextDestination(file, format_used), name=mask_text(name) or "an open file", vin=vin)


def _require_choice(option: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{option} must be one of {', '.join(choices)}, not {value!r}")


def _format_of(path: str, name: str | None, *, formulas: bool) -> TripFormat:
    if name is None:
        suffix = PurePath(path).suffix
        name = _SUFFIXES.get(suffix.lower())
        if name is None:
            raise ValueError(
                f"the suffix {suffix!r} tells no format: name the file with one of {', '.join(_SUFFIXES)}, "
                f"or pass one of {', '.join(FORMATS)} as the format"
            )
    if name not in FORMATS:
        raise ValueError(f"the format must be one of {', '.join(FORMATS)}, not {name!r}")
    return CsvFormat(formulas=True) if name == "csv" and formulas else FORMATS[name]
