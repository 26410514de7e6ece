"""The header fields Deprecation and Sunset."""

import pytest

from stellantis_hal.hal.deprecation_headers import deprecation_notice


@pytest.mark.parametrize(
    ("headers", "notice"),
    [
        ({}, None),
        ({"deprecation": "@1688169599"}, "deprecated as of 2023-06-30T23:59:59Z"),
        ({"deprecation": " @0;x=1 "}, "deprecated as of 1970-01-01T00:00:00Z"),
        ({"deprecation": "true"}, "deprecated"),
        ({"deprecation": "?1"}, "deprecated"),
        ({"deprecation": "FALSE"}, None),
        ({"deprecation": "?0"}, None),
        ({"deprecation": "Sun, 30 Jun 2024 23:59:59 GMT"}, "deprecated as of 2024-06-30T23:59:59Z"),
        ({"deprecation": "Sun, 30 Jun 2024 23:59:59 +0200"}, "deprecated as of 2024-06-30T21:59:59Z"),
        ({"deprecation": "Fri, 31 Dec 9999 23:59:59 -2359"}, "deprecated as of 'Fri, 31 Dec 9999 23:59:59 -2359'"),
        ({"deprecation": "soon"}, "deprecated as of 'soon'"),
        ({"deprecation": "@999999999999999"}, "deprecated as of '@999999999999999'"),
        ({"sunset": "Sun, 30 Jun 2024 23:59:59 GMT"}, "stops responding at 2024-06-30T23:59:59Z"),
        (
            {"deprecation": "@0", "sunset": "later"},
            "deprecated as of 1970-01-01T00:00:00Z, and stops responding at 'later'",
        ),
    ],
)
def test_a_notice_says_since_and_until_when(headers: dict[str, str], notice: str | None) -> None:
    assert deprecation_notice(headers) == notice


@pytest.mark.usefixtures("in_new_york")
@pytest.mark.parametrize("text", ["@1719791999", "Sun, 30 Jun 2024 23:59:59 -0000", "Sun, 30 Jun 2024 23:59:59"])
def test_a_notice_is_in_utc_wherever_the_machine_is(text: str) -> None:
    assert deprecation_notice({"sunset": text}) == "stops responding at 2024-06-30T23:59:59Z"


def test_a_value_that_cannot_be_read_is_cut() -> None:
    assert len(deprecation_notice({"deprecation": "x" * 100_000}) or "") < 150
