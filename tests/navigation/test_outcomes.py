"""What calls of navigation return, raise, log and send, word for word."""

import pytest

from tests.navigation.cases import CASES, FILE
from tests.support.outcomes import by_topic, outcome, read

pytestmark = pytest.mark.unmeasured  # other tests reach the same lines

EXPECTED = read(FILE)
TOPICS = by_topic(CASES)


@pytest.mark.parametrize("topic", TOPICS)
def test_the_outcomes_of_calls_are_as_before(topic: str) -> None:
    """What is meant to change is renewed by ``python -m tests.support.outcomes tests.navigation.cases``, and read."""
    for name in TOPICS[topic]:
        assert outcome(CASES[name]) == EXPECTED[name], name


def test_the_file_of_outcomes_has_no_other_calls() -> None:
    assert [*EXPECTED] == [*CASES]
