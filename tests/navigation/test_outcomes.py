"""What calls of navigation return, raise, log and send, word for word."""

import pytest

from tests.navigation.cases import CASES, FILE
from tests.support.outcomes import outcome, read

EXPECTED = read(FILE)


@pytest.mark.parametrize("name", CASES)
def test_the_outcome_of_a_call_is_as_before(name: str) -> None:
    """A change of it is renewed by ``python -m tests.navigation.cases``, and read."""
    assert outcome(CASES[name]) == EXPECTED[name]


def test_the_file_of_outcomes_has_no_other_calls() -> None:
    assert [*EXPECTED] == [*CASES]
