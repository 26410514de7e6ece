"""Failure scopes and back-off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.errors import (
    BudgetExhaustedError,
    ClosedClientError,
    ConsentRequiredError,
    ForbiddenError,
    LinkNotFoundError,
    NetworkError,
    NotFoundError,
    NotHalError,
    RateLimitedError,
    ServerError,
    StellantisError,
    UnauthorizedError,
    UntrustedOriginError,
    WrongLoopError,
)
from stellantis_hal.fleet.checkpoints.store import CheckpointError, DamagedCheckpointError
from stellantis_hal.fleet.failure_scopes import back_off, is_fatal, scope_of

pytestmark = pytest.mark.unmeasured


@pytest.mark.parametrize(
    ("error", "scope"),
    [
        (ConsentRequiredError("log in"), "account"),
        (UnauthorizedError("no", status=401), "account"),
        (RateLimitedError("slow", status=429), "budget"),
        (BudgetExhaustedError("slow"), "budget"),
        (NetworkError("gone"), "everything"),
        (ServerError("broken", status=503), "everything"),
        (NotHalError("<html>", content_type="text/html"), "everything"),
        (NotFoundError("none", status=404), "vehicle"),
        (ForbiddenError("no", status=403), "vehicle"),
        (LinkNotFoundError("none", rel="status"), "vehicle"),
        (UntrustedOriginError("elsewhere"), "vehicle"),
    ],
)
def test_an_error_has_a_scope(error: StellantisError, scope: str) -> None:
    assert scope_of(error) == scope


@given(st.integers(0, 10_000), st.floats(1, 1e5), st.floats(1, 1e6))
def test_back_off_doubles_up_to_a_bound(failures: int, every: float, longest: float) -> None:
    assert every <= back_off(failures, every, longest) <= max(every, longest)
    assert back_off(failures, every, longest) <= back_off(failures + 1, every, longest)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (CheckpointError("disk full"), True),
        (DamagedCheckpointError("one row"), False),
        (ClosedClientError("closed"), True),
        (WrongLoopError("another loop"), True),
        (ServerError("down", status=503), False),
    ],
)
def test_an_error_of_the_store_or_the_client_ends_a_stream(error: StellantisError, expected: bool) -> None:
    assert is_fatal(error) is expected
