"""Scopes, and the scopes documented for an address."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal import Scope
from stellantis_hal.vendor.scopes import required_scopes

BASE = "https://api.groupe-psa.com/connectedcar/v4/user"


@pytest.mark.parametrize(
    ("path", "scopes"),
    [
        ("", ()),
        ("/", ()),
        ("/vehicles", ("data:vehicle:devices:pnc",)),
        ("/vehicles/v1?client_id=x", ("data:vehicle:devices:pnc",)),
        ("/vehicles/v1/telemetry", ("data:telemetry", "data:position")),
        ("/vehicles/v1/lastPosition", ("data:position",)),
        ("/vehicles/v1/collisions/c1", ("data:collision",)),
        ("/vehicles/v1/maintenance", ("data:telemetry",)),
        ("/vehicles/v1/status/", ("data:telemetry", "data:position")),
        ("/vehicles/v1/alerts/a1", ("data:alert", "data:position")),
        ("/vehicles/v1/alarms", ("data:telemetry",)),
        ("/vehicles/v1/trips?pageToken=x==", ("data:trip", "data:position")),
        ("/vehicles/v1/trips/t1/alerts", ("data:trip", "data:alert", "data:position")),
        ("/vehicles/v1/trips/t1/collisions", ("data:trip", "data:collision")),
        ("/vehicles/v1/trips/t1/wayPoints", ("data:trip", "data:position")),
        ("/vehicles/v1/trips/t1/waypoints", ("data:trip", "data:position")),
        ("/vehicles/v1/trips/t1/telemetry", ("data:trip", "data:telemetry", "data:position")),
        ("/vehicles/v1/elsewhere", ()),
    ],
)
def test_documented_scopes_of_an_address(path: str, scopes: tuple[str, ...]) -> None:
    assert required_scopes(BASE + path) == scopes


def test_monitors_list_data_scopes_and_remotes_remote_scopes() -> None:
    assert set(required_scopes(BASE + "/vehicles/v1/callbacks/c1/monitors")) == {
        scope for scope in Scope if scope.startswith("data:") and scope != Scope.VEHICLE
    }
    assert set(required_scopes(BASE + "/vehicles/v1/callbacks/c1/remotes/r1")) == {
        scope for scope in Scope if scope.startswith("remote:")
    }
    assert set(required_scopes(BASE + "/callbacks/c1/status")) == set(Scope) - {Scope.VEHICLE}


def test_partners_need_none() -> None:
    assert required_scopes("https://api-cert.groupe-psa.com/connectedcar/v3/fleets/f1/vehicles/v1/status") == ()


@given(st.text())
def test_any_text_is_accepted(url: str) -> None:
    assert isinstance(required_scopes(url), tuple)
    assert isinstance(required_scopes("http://[" + url), tuple)
