"""Capabilities: the shape of the specification, and that of the portal's page."""

from typing import Any

import pytest

from stellantis_hal import Capabilities, VehicleCapabilities
from stellantis_hal.structuring.converter import read


def capabilities(remote: Any) -> Capabilities:
    return read({"data": ["data:trip"], "remote": remote}, Capabilities)


@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        ({"door": {"supported": True, "scopeName": "remote:door:write"}}, True),
        ({"door": {"supported": False}}, False),
        ({"door": {}}, False),
        ({"operation": ["remote:door:write", "remote:wakeup:write"]}, True),
        ({"operation": ["Remote:Door"]}, True),
        ({"operation": "remote:door:write"}, False),  # not a list: a problem
        ({"door": {"supported": False}, "operation": ["remote:door:write"]}, False),
        ({}, False),
        (None, False),
    ],
)
@pytest.mark.parametrize("name", ["remote:door", "remote:door:write", "remote:DOOR"])
def test_both_shapes_say_what_is_supported(remote: Any, expected: bool, name: str) -> None:
    assert capabilities(remote).has(name) is expected


def test_names_are_those_of_operations_alone() -> None:
    found = capabilities({"operation": ["remote:wakeup:write"], "details": {"charging": {"immediate": {"stop": True}}}})
    assert found.has("remote:wakeUp")
    assert not found.has("remote:operations")
    assert not found.has("remote:details")
    assert not found.has("door")
    assert found.has("data:trip")
    assert found.remote is not None
    assert found.remote.details is not None
    assert found.remote.details.charging is not None
    assert found.remote.details.charging.immediate is not None
    assert found.remote.details.charging.immediate.stop is True
    assert dict(found.extra) == {}


def test_a_vehicle_without_the_extension_has_none() -> None:
    assert not read({"vin": "VF3ABCDE0FG123456"}, VehicleCapabilities).has("data:trip")
