"""Circuit breaker over the renewals at one identity server."""

from __future__ import annotations

import copy
import math

import anyio

from stellantis_hal.errors import ApiError, AuthError, NetworkError, QuotaError, StellantisError

__all__ = ["RenewalBreaker"]

_FIRST_INTERVAL = 5.0
_LONGEST_INTERVAL = 30.0
"""Seconds: a server that works again is noticed at most so long after."""
_MAX_PROBES = 2
"""Accounts that probe at once: where one of them can never be renewed, the other shows that the server works."""
_MEMORY = 900.0
"""Seconds after which a failure is forgotten."""


class RenewalBreaker:
    """Remember that an identity server fails, for all of its accounts.

    After a renewal that failed for a reason that may pass, the renewals of all accounts raise that failure at once; two
    accounts at a time probe, after intervals that grow from 5 to 30 s. An account that fails although another one was
    renewed in between fails alone, and stops no other.
    """

    __slots__ = ("_failed_at", "_failure", "_interval", "_probing", "_worked_at")

    def __init__(self) -> None:
        self._failure: StellantisError | None = None
        self._failed_at = -math.inf
        self._worked_at = -math.inf
        self._interval = _FIRST_INTERVAL
        self._probing: set[object] = set()

    @property
    def is_open(self) -> bool:
        """Whether the last renewal failed, less than a quarter of an hour ago."""
        return self._failure is not None and 0 <= anyio.current_time() - self._failed_at < _MEMORY

    def admit(self, account: object) -> None:
        """Let an account renew its token; where the server failed, as a probe.

        Args:
            account: any object that stands for it.

        Raises:
            StellantisError: the server has failed, and no further account may probe now.
        """
        if self._failure is None or not self.is_open:
            return
        is_due = anyio.current_time() >= self._failed_at + self._interval
        if not is_due or len(self._probing) == _MAX_PROBES:
            raise copy.copy(self._failure)
        self._probing.add(account)

    def raise_failure_since(self, began: float) -> None:
        """Raise the failure of another account's renewal that ended after an instant of the backend's clock."""
        if self._failure is not None and began < self._failed_at <= anyio.current_time():
            raise copy.copy(self._failure)

    def failed(self, account: object, error: StellantisError, *, failing_since: float, is_early: bool) -> None:
        """Record that a renewal failed.

        Args:
            account: the one that was admitted.
            error: the failure; a refusal of the account or of the application shows that the server works.
            failing_since: instant of the first failure in a row of this account.
            is_early: whether its old token lives: then the interval does not grow, for it may expire at any moment.
        """
        if isinstance(error, AuthError):
            self.worked()
        elif isinstance(error, NetworkError | ApiError) and not isinstance(error, QuotaError):
            if self.is_open and account not in self._probing:
                return  # it began before the failure that is remembered
            if failing_since < self._worked_at <= anyio.current_time():
                return
            if not self.is_open or is_early:
                self._interval = _FIRST_INTERVAL
            else:
                self._interval = min(_LONGEST_INTERVAL, self._interval * 2)
            self._failure, self._failed_at = copy.copy(error), anyio.current_time()

    def worked(self) -> None:
        """Record that the server answered a renewal."""
        self._failure, self._worked_at = None, anyio.current_time()

    def leave(self, account: object) -> None:
        """End the renewal of an account, which may have been cancelled."""
        self._probing.discard(account)
