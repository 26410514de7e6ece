"""A page of 60 full trips (about 150 kB), from its bytes to typed trips.

pydantic is measured twice: it drops unknown keys (which this package keeps, so this is the hard reference, and the one
that is judged) and it keeps them. A second page has a value in each trip that cannot be read: this package returns the
trip without the value and records a problem, where pydantic would refuse the page; it is compared with pydantic reading
the good page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.harness.optional import is_installed
from benchmarks.harness.rounds import cpu, run_rounds
from benchmarks.harness.rows import Figure, Row, absolute, relative
from benchmarks.harness.scale import Scale
from benchmarks.inputs.peer_models import pydantic_type
from benchmarks.inputs.trip_bodies import full_page
from benchmarks.inputs.trip_models import msgspec_page, pydantic_page
from benchmarks.measured import package
from benchmarks.measured.pages import page_reader
from benchmarks.servers.simulated_api import serve_api
from stellantis_hal import Trip

__all__ = ["run"]

_OURS, _BAD = "ours", "ours, one bad value in each trip"
_PEER, _KEEPING, _DECODING = "pydantic validate_json", "pydantic, keeping unknown keys", "decoding alone"


def run(scale: Scale) -> list[Row]:
    """Measure."""
    rows = _full_trips(scale)
    return rows if scale.is_brief else rows + _simulated_trips(scale)


def _full_trips(scale: Scale) -> list[Row]:
    content, bad = full_page(), full_page(spoiled=True)
    bound, unbound = page_reader(), page_reader(keep_document=False)
    functions: dict[str, Callable[[], Any]] = {
        _OURS: lambda: bound(content),
        _BAD: lambda: bound(bad),
        "ours, keep_document=False": lambda: unbound(content),
        "ours, plain mappings": lambda: [
            package.read(item, Trip) for item in package.decode(content)["_embedded"]["trips"]
        ],
        _DECODING: lambda: package.decode(content),
    }
    if is_installed("pydantic"):
        ignoring, keeping = pydantic_page(keeps_unknown=False), pydantic_page(keeps_unknown=True)
        functions[_PEER] = lambda: ignoring.model_validate_json(content)
        functions[_KEEPING] = lambda: keeping.model_validate_json(content)
    if is_installed("msgspec"):
        decoder = msgspec_page()
        functions["msgspec"] = lambda: decoder.decode(content)
    if scale.is_brief:
        functions = {name: function for name, function in functions.items() if name in {_OURS, _BAD, _PEER}}
    found = run_rounds(_timers(functions, scale.pick(1, 8, 10, 20)), scale.pick(1, 9, 15, 31))
    reference = _PEER if _PEER in found else _DECODING
    figures = {_OURS: Figure(most=0.9), _BAD: Figure(most=1.7)} if reference == _PEER else {}
    floor = Figure(most=1.6)
    rows = [
        relative(
            f"60 full trips: {name}",
            "µs CPU",
            found,
            name,
            reference,
            figure=figures.get(name),
            floor=floor if name == _OURS and figures else None,
        )
        for name in functions
        if name != reference
    ]
    if _KEEPING in found:
        rows.append(relative(f"60 full trips: {_OURS}, beside pydantic keeping", "µs CPU", found, _OURS, _KEEPING))
    return rows if scale.is_brief else [*rows, absolute(f"60 full trips: {_OURS}, calibrated", "µs CPU", found, _OURS)]


def _simulated_trips(scale: Scale) -> list[Row]:
    with serve_api(trips=60) as api:
        content = api.body(f"/user/vehicles/{api.vehicle}/trips?pageSize=60")
    read_page = page_reader()
    functions: dict[str, Callable[[], Any]] = {
        _OURS: lambda: read_page(content),
        _DECODING: lambda: package.decode(content),
    }
    if is_installed("pydantic"):
        model = pydantic_type(package.decode(content))
        functions[_PEER] = lambda: model.model_validate_json(content)
    found = run_rounds(_timers(functions, scale.pick(1, 5, 10, 20)), scale.pick(1, 7, 15, 31))
    reference = _PEER if _PEER in found else _DECODING
    return [relative(f"60 simulated trips: {_OURS}", "µs CPU", found, _OURS, reference)]


def _timers(functions: dict[str, Callable[[], Any]], times: int) -> dict[str, Callable[[], float]]:
    return {name: _timer(function, times) for name, function in functions.items()}


def _timer(function: Callable[[], Any], times: int) -> Callable[[], float]:
    return lambda: cpu(function, times)
