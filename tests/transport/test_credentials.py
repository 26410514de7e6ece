"""Query parameters that identify the application."""

import pytest

from stellantis_hal.transport.credentials import add_client_id, remove_client_id

URL = "https://api.test/user"


@pytest.mark.parametrize(
    ("url", "text", "whole"),
    [
        (URL, "", URL),
        (URL, "a=1&b=2", f"{URL}?a=1&b=2"),
        (f"{URL}?", "a=1&b=2", f"{URL}?a=1&b=2"),
        (f"{URL}#c=8", "a=1", f"{URL}?a=1#c=8"),
        (f"{URL}?b=9", "a=1&b=2", f"{URL}?b=9&a=1"),
        (f"{URL}?b=9=9", "b=2&c=3=3&d=4", f"{URL}?b=9=9&c=3=3&d=4"),
        (f"{URL}?x=?&c=3", "c=3=3&d=4&e=5", f"{URL}?x=?&c=3&d=4&e=5"),
        (f"{URL}?b=9#c=8", "b=2", f"{URL}?b=9#c=8"),
        (f"{URL}?b=9#x&c=8", "c=3", f"{URL}?b=9&c=3#x&c=8"),
        (f"{URL}?x=?&c=3", "x=1&d=4", f"{URL}?x=?&c=3&d=4"),
    ],
)
def test_only_missing_parameters_are_added(url: str, text: str, whole: str) -> None:
    assert add_client_id(url, text) == whole


@pytest.mark.parametrize(
    ("url", "text", "rest"),
    [
        (f"{URL}?a=1&x=2&b=3", "a=1&b=3", f"{URL}?x=2"),
        (f"{URL}?a=1", "a=1", URL),
        (f"{URL}?a=1#part", "a=1", f"{URL}#part"),
        (f"{URL}?x=2&a=1#part", "a=1", f"{URL}?x=2#part"),
        (f"{URL}?a=1&x=2", "a=1&", f"{URL}?x=2"),
        (f"{URL}?a=11&aa=1", "a=1", f"{URL}?a=11&aa=1"),
        (f"{URL}?x=2&a=1&y=3", "a=1", f"{URL}?x=2&y=3"),
        (f"{URL}&a=1", "a=1", URL),
        (f"{URL}/a=1", "a=1", f"{URL}/a=1"),
    ],
)
def test_identifying_parameters_are_removed(url: str, text: str, rest: str) -> None:
    assert remove_client_id(url, text) == rest
