"""Memory of 10,000 typed trips, as tracemalloc counts it, with the bytes of their pages."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

from benchmarks.harness.optional import is_installed
from benchmarks.harness.rounds import one_round
from benchmarks.harness.rows import Figure, Row, plain
from benchmarks.harness.scale import Scale
from benchmarks.inputs.trip_bodies import full_page
from benchmarks.inputs.trip_models import msgspec_page, pydantic_page
from benchmarks.measured import package
from benchmarks.measured.pages import page_reader

__all__ = ["run"]

_FIGURES = {
    "documents reachable": (Figure(most=36.0), Figure(most=90.0)),
    "keep_document=False": (Figure(most=60.0), None),
}
Read = Callable[[bytes], Any]


def run(scale: Scale) -> list[Row]:
    """Measure."""
    count = scale.pick(120, 10_000, 10_000, 10_000)
    pages = [full_page(first, min(60, count - first)) for first in range(0, count, 60)]
    ways: dict[str, Read] = {
        "documents reachable": page_reader(),
        "keep_document=False": page_reader(keep_document=False),
    }
    if not scale.is_brief:
        ways["raw dictionaries"] = package.decode
        if is_installed("pydantic"):
            ways["pydantic"] = pydantic_page(keeps_unknown=False).model_validate_json
        if is_installed("msgspec"):
            ways["msgspec"] = msgspec_page().decode
    rows: list[Row] = []
    for name, read in ways.items():
        read(pages[0])  # caches are filled here and not counted
        with one_round():
            scaled = _allocated_mib(read, pages) * 10_000 / count
        figure, floor = _FIGURES.get(name, (None, None))
        rows.append(plain(f"10,000 trips held: {name}", "MiB", [scaled], figure=figure, floor=floor))
    return rows


def _allocated_mib(read: Read, pages: list[bytes]) -> float:
    gc.collect()
    tracemalloc.start()
    held = [read(bytes(bytearray(content))) for content in pages]  # typed trips may keep the bytes of their page
    gc.collect()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del held
    return size / 2**20
