"""(c) One Trip, Status, Vehicle, Telemetry: structured from a decoded body of the simulator.

Compared with pydantic and msgspec models made from the same body, which use the body's keys.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.bodies import SimulatedApi
from benchmarks.measuring import Row, Scale, cpu, import_optional, is_installed, row, run_rounds
from benchmarks.peer_models import msgspec_type, pydantic_type
from stellantis_hal.hal.json import decode, encode
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.telemetry import Telemetry
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.structuring.converter import read
from stellantis_hal.structuring.model import Model

__all__ = ["run"]


def run(scale: Scale) -> list[Row]:
    """Measure."""
    api = SimulatedApi(trips=3)
    bodies: dict[type[Model], Any] = {
        Trip: api.item(f"{api.vehicle}/trips", "trips"),
        Status: decode(api.body(f"{api.vehicle}/status")),
        Vehicle: decode(api.body(api.vehicle)),
        Telemetry: api.item(f"{api.vehicle}/telemetry", "telemetries"),
    }
    rows: list[Row] = []
    for kind, body in bodies.items():
        rows += _measure(kind, body, scale)
    return rows


def _measure(kind: type[Model], body: dict[str, Any], scale: Scale) -> list[Row]:
    content = encode(body)
    functions: dict[str, Callable[[], Any]] = {"ours": lambda: read(body, kind)}
    if is_installed("pydantic"):
        model = pydantic_type(body)
        functions["pydantic"] = lambda: model.model_validate(body)
    if is_installed("msgspec"):
        msgspec, struct = import_optional("msgspec"), msgspec_type(body)
        functions["msgspec"] = lambda: msgspec.convert(body, struct)
    functions["decoding alone"] = lambda: decode(content)
    times = scale.pick(2, 200, 300, 1000)
    found = run_rounds({name: _timer(function, times) for name, function in functions.items()}, scale.pick(1, 5, 9, 21))
    reference = "pydantic" if "pydantic" in found else "decoding alone"
    return [
        row(
            "c",
            f"{kind.__name__}: {name}",
            "µs CPU",
            values,
            against=None if name == reference else (reference, found[reference]),
        )
        for name, values in found.items()
    ]


def _timer(function: Callable[[], Any], times: int) -> Callable[[], float]:
    return lambda: cpu(function, times)
