"""What a call tells of itself: lines in the log, and records for a program that listens in.

Knows what is worth counting: retries, waits, answers. Must not let secrets through: addresses are masked here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import attrs

from stellantis_hal.errors import StellantisError
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.transport.rate_limit.quota import Quota

__all__ = ["CallObserver", "Hooks", "ResponseRecord", "RetryRecord", "WaitRecord"]

_logger = logging.getLogger("stellantis_hal")


@attrs.frozen(kw_only=True)
class ResponseRecord:
    """An answer arrived, whatever its status.

    Attributes:
        request_id: counts the calls of a session; attempts and redirects of one call share it.
        method: of the request.
        url: masked.
        status: of the answer.
        seconds: from sending to the end of the body.
        attempt: 1 for the first.
        quota: what this answer's headers said; None where they said nothing.
    """

    request_id: int
    method: str
    url: str
    status: int
    seconds: float
    attempt: int
    quota: Quota | None


@attrs.frozen(kw_only=True)
class WaitRecord:
    """A request had to wait for its turn.

    Attributes:
        request_id: counts the calls of a session.
        method: of the request.
        url: masked.
        seconds: the wait.
        priority: "interactive" or "background".
    """

    request_id: int
    method: str
    url: str
    seconds: float
    priority: str


@attrs.frozen(kw_only=True)
class RetryRecord:
    """An attempt failed, and another will be made.

    Attributes:
        request_id: counts the calls of a session.
        method: of the request.
        url: masked.
        attempt: the one that failed.
        wait: seconds until the next.
        error: why.
    """

    request_id: int
    method: str
    url: str
    attempt: int
    wait: float
    error: StellantisError


@attrs.frozen(kw_only=True)
class Hooks:
    """Functions that are called in the requesting task; they have to be quick, and what they raise ends the call."""

    on_response: Callable[[ResponseRecord], None] | None = None
    on_retry: Callable[[RetryRecord], None] | None = None
    on_wait: Callable[[WaitRecord], None] | None = None


class CallObserver:
    """Tells what happens to one call.

    Args:
        hooks: who listens.
        number: the call's, among those of its session.
        method: of its request.
    """

    __slots__ = ("_hooks", "_method", "_number")

    def __init__(self, hooks: Hooks, number: int, method: str) -> None:
        self._hooks = hooks
        self._number = number
        self._method = method

    @property
    def is_heard(self) -> bool:
        """Whether anybody would hear of an answer: writing it up for nobody would cost."""
        return self._hooks.on_response is not None or _logger.isEnabledFor(logging.DEBUG)

    def answered(self, url: str, status: int, seconds: float, *, attempt: int, quota: Quota | None) -> None:
        """Tell of an answer."""
        masked = mask_url(url)
        _logger.debug(
            "#%d %s %s: %d in %.3f s, attempt %d, quota left %s today, %s this second",
            self._number,
            self._method,
            masked,
            status,
            seconds,
            attempt,
            None if quota is None else quota.day.remaining,
            None if quota is None else quota.burst.remaining,
        )
        tell = self._hooks.on_response
        if tell is not None:
            tell(
                ResponseRecord(
                    request_id=self._number,
                    method=self._method,
                    url=masked,
                    status=status,
                    seconds=seconds,
                    attempt=attempt,
                    quota=quota,
                )
            )

    def retrying(self, url: str, error: StellantisError, *, wait: float, attempt: int) -> None:
        """Tell that a failed attempt will be followed by another."""
        masked, name = mask_url(url), type(error).__name__
        _logger.info(
            "#%d %s %s: attempt %d failed (%s), next in %.2f s", self._number, self._method, masked, attempt, name, wait
        )
        tell = self._hooks.on_retry
        if tell is not None:
            tell(
                RetryRecord(
                    request_id=self._number, method=self._method, url=masked, attempt=attempt, wait=wait, error=error
                )
            )

    def paused(self, seconds: float) -> None:
        """Tell of a 429."""
        _logger.warning("#%d 429: everybody pauses for %.2f s", self._number, seconds)

    def waited(self, url: str, seconds: float, priority: str) -> None:
        """Tell of a wait for the limits."""
        tell = self._hooks.on_wait
        if tell is not None:
            tell(
                WaitRecord(
                    request_id=self._number,
                    method=self._method,
                    url=mask_url(url),
                    seconds=seconds,
                    priority=priority,
                )
            )
