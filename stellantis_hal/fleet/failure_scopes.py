"""Failure scopes and exponential back-off."""

from __future__ import annotations

from typing import Literal

from stellantis_hal.errors import (
    AuthError,
    ClosedClientError,
    NetworkError,
    NotHalError,
    QuotaError,
    ServerError,
    StellantisError,
    UnauthorizedError,
    UntrustedOriginError,
    WrongLoopError,
)
from stellantis_hal.fleet.checkpoints.store import CheckpointError, DamagedCheckpointError

__all__ = ["FailureScope", "back_off", "is_fatal", "scope_of"]

FailureScope = Literal["account", "budget", "everything", "identity", "vehicle"]
"""What an error concerns: one account, the rate limit, perhaps everything, an identity server, or one vehicle."""

_MAX_DOUBLINGS = 32


def scope_of(error: StellantisError) -> FailureScope:
    """Return what an error concerns.

    "everything" means that it may: a network or server failure, or an HTML page instead of JSON, can have hit all
    requests or this one only. The results of other vehicles decide. "identity" means that a token was not renewed, for
    a reason that may pass.
    """
    if isinstance(error, AuthError):
        return "account"
    if error.identity_server is not None:
        return "identity"
    if isinstance(error, UnauthorizedError):
        return "account"
    if isinstance(error, QuotaError):
        return "budget"
    if isinstance(error, NetworkError | ServerError | NotHalError) and not isinstance(error, UntrustedOriginError):
        return "everything"
    return "vehicle"


def is_fatal(error: StellantisError) -> bool:
    """Return whether an error ends a stream: the store or the client cannot be used, whichever vehicle it was for."""
    if isinstance(error, DamagedCheckpointError):
        return False
    return isinstance(error, CheckpointError | ClosedClientError | WrongLoopError)


def back_off(failures: int, every: float, longest: float) -> float:
    """Return the seconds to wait after so many failures in a row: doubled each time.

    Args:
        failures: number of failures before the last one; 0: the wait is ``every``.
        every: shortest wait in seconds.
        longest: longest wait in seconds; ``every`` where that is longer.
    """
    return max(every, min(longest, every * 2.0 ** min(failures, _MAX_DOUBLINGS)))
