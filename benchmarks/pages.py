"""(b) A page of 60 trips, from its bytes to typed trips.

The bodies are full trips of ``benchmarks/full_trips.py`` (about 150 kB), with pydantic and msgspec models of the same
fields, and a page of the simulator, with models made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from benchmarks.bodies import SimulatedApi, make_resource
from benchmarks.measuring import Figure, Row, Scale, cpu, import_optional, is_installed, row, run_rounds
from benchmarks.peer_models import msgspec_type, pydantic_type
from stellantis_hal.hal.json import decode
from stellantis_hal.resources.trip import Trip
from stellantis_hal.structuring.converter import TypedConverter, read

__all__ = ["run"]

_PEER = "pydantic validate_json"


def run(scale: Scale) -> list[Row]:
    """Measure."""
    api = SimulatedApi(trips=60)
    simulated = api.body(f"{api.vehicle}/trips?pageSize=60")
    rows: list[Row] = []
    if is_installed("pydantic", "msgspec"):
        full = import_optional("benchmarks.full_trips")
        content: bytes = full.page()
        rows += _measure("60 full trips", content, full.references(content), scale, Figure(most=1.6))
    return rows + _measure("60 simulated trips", simulated, _peers(simulated), scale, None)


def _peers(content: bytes) -> dict[str, Callable[[], Any]]:
    body = decode(content)
    context: dict[str, Callable[[], Any]] = {"decoding alone": lambda: decode(content)}
    if is_installed("pydantic"):
        model = pydantic_type(body)
        context = {_PEER: lambda: model.model_validate_json(content)} | context
    if is_installed("msgspec"):
        decoder = import_optional("msgspec").json.Decoder(msgspec_type(body))
        context["msgspec"] = lambda: decoder.decode(content)
    return context


def _measure(
    what: str, content: bytes, peers: Mapping[str, Callable[[], Any]], scale: Scale, figure: Figure | None
) -> list[Row]:
    url = "https://api.example/user/vehicles/1/trips"
    keeping, dropping = TypedConverter(clock=lambda: datetime.now(UTC)), TypedConverter(keep_document=False)
    ours: dict[str, Callable[[], Any]] = {
        "ours, bound": lambda: _read(url, content, keeping),
        "ours, keep_document=False": lambda: _read(url, content, dropping),
        "ours, plain mappings": lambda: [read(item, Trip) for item in decode(content)["_embedded"]["trips"]],
    }
    assert len(ours["ours, bound"]()) == 60
    times = scale.pick(1, 5, 10, 20)
    context = {name: _timer(function, times) for name, function in (ours | dict(peers)).items()}
    found = run_rounds(context, scale.pick(1, 7, 15, 31))
    reference = _PEER if _PEER in found else "decoding alone"
    rows: list[Row] = []
    for name, values in found.items():
        against = None if name == reference else (reference, found[reference])
        judged = figure if name == "ours, bound" else None
        rows.append(row("b", f"{what}: {name.strip()}", "µs CPU", values, against=against, figure=judged))
    return rows


def _read(url: str, content: bytes, converter: TypedConverter) -> list[Trip]:
    """Read a page as a pagination does, which holds it while its items are read."""
    page = make_resource(url, content)
    return [converter.structure(copy, Trip) for copy in page.embedded("trips")]


def _timer(function: Callable[[], Any], times: int) -> Callable[[], float]:
    return lambda: cpu(function, times)
