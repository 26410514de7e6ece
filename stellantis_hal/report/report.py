"""A report of cars: one HTML file that needs no network."""

from __future__ import annotations

import os
from datetime import datetime, tzinfo

import attrs

from stellantis_hal.hal.redaction import redacted_repr
from stellantis_hal.report.car_history import CarHistory
from stellantis_hal.report.car_section import car_section
from stellantis_hal.report.page import ReportPage
from stellantis_hal.report.vega_runtime import runtime
from stellantis_hal.storage.replaced_file import replaced_file
from stellantis_hal.validation import require_flags

__all__ = ["Report"]


def _aware(_: object, attribute: attrs.Attribute[datetime], value: datetime) -> None:
    if value.tzinfo is None:
        raise ValueError(f"{attribute.name} must be aware, as in datetime.now(UTC): {value} has no zone")


def _count(cars: tuple[CarHistory, ...]) -> str:
    return f"<{len(cars)}>"


@attrs.frozen(kw_only=True)
class Report:
    """Figures, a map, charts and the trips of cars as one HTML file (extra ``report``).

    The file loads nothing: its scripts are in it, and its policy forbids the network. VINs are shown by their last
    four characters. The map shows where the cars were.

    Attributes:
        cars: what was read of each, by :func:`read_car_history`.
        made_at: when it is made, aware.
        zone: of times, days and months; None: that of the machine.
        show_vins: whether VINs are shown as a whole.
        show_places: whether there are maps; without them the file has no position.
        remarks: sentences that stand above everything, such as where the data are from.
    """

    __repr__ = redacted_repr

    cars: tuple[CarHistory, ...] = attrs.field(converter=tuple[CarHistory, ...], repr=_count)
    made_at: datetime = attrs.field(validator=_aware)
    zone: tzinfo | None = None
    show_vins: bool = False
    show_places: bool = True
    remarks: tuple[str, ...] = attrs.field(default=(), converter=tuple[str, ...])

    def __attrs_post_init__(self) -> None:
        require_flags(show_vins=self.show_vins, show_places=self.show_places)

    def html(self) -> str:
        """Return the file's text. It takes some 2 s the first time in a process: call it in a thread.

        Raises:
            ConfigurationError: the extra ``report`` is not installed.
        """
        page = ReportPage(
            sections=tuple(car_section(car, self.zone) for car in self.cars),
            made_at=self.made_at,
            zone=self.zone,
            show_vins=self.show_vins,
            show_places=self.show_places,
            remarks=self.remarks,
            runtime=runtime(),
        )
        return page.html()

    def write(self, path: str | os.PathLike[str]) -> int:
        """Write the file, and return its size in bytes; one that is there is replaced and keeps its permissions.

        Args:
            path: the file, in a folder that exists; a new one can be read by its owner only.

        Raises:
            ConfigurationError: the extra ``report`` is not installed.
            OSError: the file cannot be written; one that is there stays as it is.
        """
        content = self.html().encode()
        with replaced_file(path) as file:
            file.write(content)
        return len(content)
