"""A page read as a pagination does: response, embedded resources, typed values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.inputs.trip_bodies import VEHICLE
from benchmarks.measured import package
from stellantis_hal import Trip

__all__ = ["page_reader"]


def page_reader(*, keep_document: bool = True) -> Callable[[bytes], list[Any]]:
    """Return a function that makes typed trips of the bytes of a page."""
    read, url = package.make_reader(keep_document=keep_document), f"{VEHICLE}/trips"

    def read_page(content: bytes) -> list[Any]:
        page = package.make_resource(url, content)
        return [read(item, Trip) for item in page.embedded("trips")]

    return read_page
