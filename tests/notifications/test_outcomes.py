"""What calls of the layer of notifications return, raise and log, word for word."""

import pytest

from tests.notifications.cases import CASES, FILE
from tests.support.outcomes import by_topic, outcome, read

for _name in ("msgspec", "orjson"):  # without them, some texts are others
    pytest.importorskip(_name)

pytestmark = pytest.mark.unmeasured  # other tests reach the same lines

EXPECTED = read(FILE)
TOPICS = by_topic(CASES)


@pytest.mark.parametrize("topic", TOPICS)
def test_the_outcomes_of_calls_are_as_before(topic: str) -> None:
    """What is meant to change is renewed by ``python -m tests.support.outcomes tests.notifications.cases``."""
    for name in TOPICS[topic]:
        assert outcome(CASES[name]) == EXPECTED[name], name


def test_the_file_of_outcomes_has_no_other_calls() -> None:
    assert [*EXPECTED] == [*CASES]
