"""Collections that change between two responses are read as before."""

import pytest

from tests.navigation.pagination.changes import FORMS, WAYS, described, read

pytestmark = pytest.mark.unmeasured  # other tests reach the same lines

EXPECTED = read()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("form", FORMS)
def test_changing_collections_are_read_as_before(form: str, way: str) -> None:
    """Requests, items, errors and what is logged, word for word."""
    assert described(form, way) == EXPECTED[form, way]


def test_the_file_has_no_other_readings() -> None:
    assert [*EXPECTED] == [(form, way) for form in FORMS for way in WAYS]
