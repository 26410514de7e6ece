"""The limiter's state machines do what their traces say, step by step."""

import pytest

from tests.transport.rate_limit.traces import TRACES, blocks, read

pytestmark = pytest.mark.unmeasured  # other tests reach the same lines

EXPECTED = read()


@pytest.mark.parametrize("name", TRACES)
def test_calls_return_what_the_trace_says(name: str) -> None:
    """``python -m tests.transport.rate_limit.traces NAME`` prints each step, on any commit.

    What is meant to change is renewed by the same command without a name.
    """
    assert [*blocks(TRACES[name])] == EXPECTED[name]


def test_the_file_of_traces_has_no_others() -> None:
    assert [*EXPECTED] == [*TRACES]
