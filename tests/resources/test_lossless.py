"""Nothing of a body vanishes: each scalar is in an attribute, among the extras, or in a problem."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.resources.position import Position
from stellantis_hal.resources.status import Status
from stellantis_hal.resources.trip import Trip
from stellantis_hal.resources.user import User
from stellantis_hal.structuring.model import Model
from tests.resources import bodies
from tests.resources.lossless import audit
from tests.support.profiles import few_examples

OLD_ENERGY = {
    "type": "Electric",
    "level": 93,
    "battery": {"capacity": 50000, "load": {"residual": 46500, "createdAt": bodies.AT}},
    "charging": {"plugged": True, "status": "InProgress", "new": 1},
    "x": {"y": [1, 2]},
}
BODIES: list[tuple[type[Model], dict[str, Any]]] = [
    (Trip, bodies.trip()),
    (Status, bodies.status()),
    (Position, bodies.position()),
    (Position, {"type": "Point", "coordinates": [2.5, 48.5, 35, 7]}),
    (Position, {"type": "Polygon", "geometry": {"type": "x", "coordinates": ["a", 1]}, "coordinates": [1, 2]}),
    (Position, {"geometry": {"coordinates": [0, 0, 5], "x": 1}, "properties": {"updatedAt": bodies.AT, "y": 2}}),
    (Status, {"energy": [OLD_ENERGY], "energies": [OLD_ENERGY | {"level": 50}]}),
    (Status, {"energy": OLD_ENERGY, "energies": []}),
    (Status, {"energy": [OLD_ENERGY]}),
    (Status, {"timed": {"odometer": {"mileage": 5, "z": 1}}, "odometer": {"mileage": 6, "createdAt": bodies.AT}}),
    (Status, {"timed.odometer": {"mileage": 1539}, "x.y": {"z": 1}}),
    (
        Status,
        {"_embedded": {"extension": {"odometer": {"mileage": 5}, "kinetic": {"speed": 3}, "x": 1}, "y": {"z": 2}}},
    ),
    (Status, {"doorsState": {"lockedState": "Locked", "lockedStates": ["Unlocked"], "updatedAt": bodies.AT}}),
    (Status, {"energies": 5, "energy": "x", "odometer": [], "ignition": [1, 2], "kinetic": {"_links": {"a": "b"}}}),
    (Trip, {"_embedded": [1], "_links": 7, "faults": [1, {"fault": 2}], "duration": "x", "distance": 10**400}),
    (User, {"_embedded": {"Vehicles": [{"id": "1"}], "x": [{"y": 1}]}, "email": 5}),
]


@pytest.mark.parametrize(("kind", "body"), BODIES, ids=[str(number) for number in range(len(BODIES))])
def test_every_scalar_of_a_body_has_a_place(kind: type[Model], body: dict[str, Any]) -> None:
    counts, lost = audit(body, kind)
    assert lost == []
    assert counts["scalars"] > 0


def test_the_places_are_counted() -> None:
    total = Counter[str]()
    for kind, body in BODIES:
        total += audit(body, kind)[0]
    print(dict(total))
    assert total["typed"] > 150
    assert total["extra"] > 20
    assert total["problems"] > 10


SCALARS = (
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=5) | st.just("2023-01-01T00:00:00Z")
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.unmeasured
@few_examples()
@given(st.sampled_from(BODIES), st.data())
def test_no_scalar_vanishes_from_spoilt_bodies(case: tuple[type[Model], dict[str, Any]], data: st.DataObject) -> None:
    kind, body = case
    key = data.draw(st.sampled_from(sorted(body)))
    spoilt = body | {key: data.draw(JSON), data.draw(st.text(max_size=3)): data.draw(JSON)}
    assert audit(spoilt, kind)[1] == []
