"""Requests, responses and quotas made in a fraction of the time of their own ``__init__``."""

from datetime import UTC, datetime

import attrs
import pytest

from stellantis_hal import ReportedQuota, ReportedWindow, Request, Response
from stellantis_hal.hal.document import parse_root
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.navigation.fetch_protocol import make_get, make_response
from stellantis_hal.navigation.response_snapshot import ResponseSnapshot
from stellantis_hal.transport.rate_limit.quota_headers import QuotaHeaderNames

URL = "https://api.example.com/things"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
RESPONSE = make_response(URL, 200, Headers({"etag": '"a"'}), b"{}", received_at=NOW, delay=0.5)


def fields_of(value: attrs.AttrsInstance) -> dict[str, object]:
    return {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}


def test_a_request_is_that_of_its_class() -> None:
    made = make_get(URL, {"accept": "a/b"})
    assert type(made) is Request
    assert fields_of(made) == fields_of(Request(url=URL, headers={"accept": "a/b"}))


def test_a_response_is_that_of_its_class() -> None:
    expected = Response(url=URL, status=200, headers=RESPONSE.headers, content=b"{}", received_at=NOW, delay=0.5)
    assert type(RESPONSE) is Response
    assert fields_of(RESPONSE) == fields_of(expected)
    assert expected == RESPONSE


def test_a_snapshot_has_each_field() -> None:
    document = parse_root({}, base=URL)
    made = ResponseSnapshot.of(RESPONSE, document)
    expected = ResponseSnapshot(url=URL, status=200, headers=RESPONSE.headers, fetched_at=NOW, content=made.content)
    assert type(made) is ResponseSnapshot
    assert fields_of(made) == fields_of(expected)


def test_a_quota_is_that_of_its_class() -> None:
    names = QuotaHeaderNames(day_limit="limit", day_remaining="left")
    made = ReportedQuota.from_headers({"limit": "10", "left": "3"}, names)
    assert made == ReportedQuota(day=ReportedWindow(10, 3))
    assert made is not None
    assert fields_of(made) == fields_of(ReportedQuota(day=ReportedWindow(10, 3)))


@pytest.mark.parametrize("value", [make_get(URL, {}), RESPONSE, ReportedWindow(1, 2)])
def test_made_values_are_frozen(value: attrs.AttrsInstance) -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        value.status = 1  # type: ignore[attr-defined]
