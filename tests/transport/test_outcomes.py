"""What calls of transport return, raise, log and send, word for word."""

from types import ModuleType

import pytest

from tests.support.outcomes import by_topic, outcome, read
from tests.transport import backend_cases, cases, session_cases

pytestmark = pytest.mark.unmeasured  # other tests reach the same lines

TOPICS = by_topic(cases.CASES)
SESSION_TOPICS = by_topic(session_cases.CASES)
EXPECTED = read(cases.FILE)
OF_SESSIONS = read(session_cases.FILE)
BACKEND_TOPICS = by_topic(backend_cases.CASES)
OF_BACKENDS = read(backend_cases.FILE)


@pytest.mark.parametrize("topic", TOPICS)
def test_the_outcomes_of_calls_are_as_before(topic: str) -> None:
    """What is meant to change is renewed by ``python -m tests.support.outcomes tests.transport.cases``, and read."""
    for name in TOPICS[topic]:
        assert outcome(cases.CASES[name]) == EXPECTED[name], name


@pytest.mark.parametrize("topic", SESSION_TOPICS)
def test_what_sessions_do_is_as_before(topic: str) -> None:
    """Likewise by ``python -m tests.support.outcomes tests.transport.session_cases``."""
    for name in SESSION_TOPICS[topic]:
        assert outcome(session_cases.CASES[name], session_cases.BACKEND) == OF_SESSIONS[name], name


@pytest.mark.parametrize("topic", BACKEND_TOPICS)
def test_what_backends_hand_on_is_as_before(topic: str) -> None:
    """Likewise by ``python -m tests.support.outcomes tests.transport.backend_cases``."""
    for name in BACKEND_TOPICS[topic]:
        assert outcome(backend_cases.CASES[name], backend_cases.BACKEND) == OF_BACKENDS[name], name


@pytest.mark.parametrize("module", [cases, session_cases, backend_cases], ids=["cases", "sessions", "backends"])
def test_the_file_of_outcomes_has_no_other_calls(module: ModuleType) -> None:
    assert [*read(module.FILE)] == [*module.CASES]
