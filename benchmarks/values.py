"""(c) One Trip, Status, Vehicle, Telemetry: structured from a decoded body of the simulated vendor.

Beside ours: pydantic and msgspec with models made from the same body, which take the keys as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.bodies import Vendor
from benchmarks.measuring import Row, Scale, cpu, in_turn, installed, optional, row
from benchmarks.peers import msgspec_type, pydantic_type
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
    vendor = Vendor(trips=3)
    bodies: dict[type[Model], Any] = {
        Trip: vendor.item(f"{vendor.vehicle}/trips", "trips"),
        Status: decode(vendor.body(f"{vendor.vehicle}/status")),
        Vehicle: decode(vendor.body(vendor.vehicle)),
        Telemetry: vendor.item(f"{vendor.vehicle}/telemetry", "telemetries"),
    }
    rows: list[Row] = []
    for kind, body in bodies.items():
        rows += _measured(kind, body, scale)
    return rows


def _measured(kind: type[Model], body: dict[str, Any], scale: Scale) -> list[Row]:
    content = encode(body)
    acts: dict[str, Callable[[], Any]] = {"ours": lambda: read(body, kind)}
    if installed("pydantic"):
        model = pydantic_type(body)
        acts["pydantic"] = lambda: model.model_validate(body)
    if installed("msgspec"):
        msgspec, struct = optional("msgspec"), msgspec_type(body)
        acts["msgspec"] = lambda: msgspec.convert(body, struct)
    acts["decoding alone"] = lambda: decode(content)
    times = scale.pick(2, 200, 300, 1000)
    found = in_turn({name: _timed(act, times) for name, act in acts.items()}, scale.pick(1, 5, 9, 21))
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


def _timed(act: Callable[[], Any], times: int) -> Callable[[], float]:
    return lambda: cpu(act, times)
