"""Each way of reading a collection sends the requests of its trace, and no others."""

import pytest

from tests.navigation.pagination.traces import COLLECTIONS, WAYS, trace, traces

pytestmark = pytest.mark.unmeasured  # other tests reach the same lines

EXPECTED = traces()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", COLLECTIONS)
def test_requests_and_pages_are_those_of_the_trace(name: str, way: str) -> None:
    """Requests, items, numbers, totals and tokens of pages, errors and what is logged, word for word."""
    assert trace(name, way) == EXPECTED[name, way]


def test_the_file_has_no_other_traces() -> None:
    assert [*EXPECTED] == [(name, way) for name in COLLECTIONS for way in WAYS]
