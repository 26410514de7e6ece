"""Hooks and log lines of a call; URLs are masked."""

from __future__ import annotations

import logging
from collections.abc import Callable

import attrs

from stellantis_hal.errors import StellantisError
from stellantis_hal.hal.redaction import mask_url, redacted_repr
from stellantis_hal.transport.rate_limit.quota import Quota

__all__ = ["CallObserver", "Hooks", "ResponseRecord", "RetryRecord", "WaitRecord"]

_logger = logging.getLogger("stellantis_hal")


@attrs.frozen(kw_only=True)
class ResponseRecord:
    """A response of any status.

    Attributes:
        request_id: number of the call in its session; its attempts and redirects share it.
        method: of the request.
        url: masked.
        status: of the response.
        seconds: from sending to the end of the body.
        attempt: 1 for the first.
        quota: as stated by the response's headers; None where they state none.
    """

    __repr__ = redacted_repr

    request_id: int
    method: str
    url: str
    status: int
    seconds: float
    attempt: int
    quota: Quota | None


@attrs.frozen(kw_only=True)
class WaitRecord:
    """A request that waited for the limiter.

    Attributes:
        request_id: number of the call in its session.
        method: of the request.
        url: masked.
        seconds: the wait.
        priority: "interactive" or "background".
    """

    __repr__ = redacted_repr

    request_id: int
    method: str
    url: str
    seconds: float
    priority: str


@attrs.frozen(kw_only=True)
class RetryRecord:
    """A failed attempt that another one will follow.

    Attributes:
        request_id: number of the call in its session.
        method: of the request.
        url: masked.
        attempt: the one that failed.
        wait: seconds until the next.
        error: of the failed attempt.
    """

    __repr__ = redacted_repr

    request_id: int
    method: str
    url: str
    attempt: int
    wait: float
    error: StellantisError


@attrs.frozen(kw_only=True)
class Hooks:
    """Functions called in the requesting task; they must be quick, and an exception from one ends the call."""

    on_response: Callable[[ResponseRecord], None] | None = None
    on_retry: Callable[[RetryRecord], None] | None = None
    on_wait: Callable[[WaitRecord], None] | None = None


class CallObserver:
    """Logs one call and calls its hooks.

    Args:
        hooks: to call.
        request_id: number of the call in its session.
        method: of its request.
    """

    __slots__ = ("_hooks", "_method", "_request_id")

    def __init__(self, hooks: Hooks, request_id: int, method: str) -> None:
        self._hooks = hooks
        self._request_id = request_id
        self._method = method

    @property
    def is_enabled(self) -> bool:
        """Whether a hook or the log takes responses; otherwise the cost of a record is saved."""
        return self._hooks.on_response is not None or _logger.isEnabledFor(logging.DEBUG)

    def on_response(self, url: str, status: int, seconds: float, *, attempt: int, quota: Quota | None) -> None:
        """Log a response and call its hook."""
        masked = mask_url(url)
        _logger.debug(
            "#%d %s %s: %d in %.3f s, attempt %d, quota left %s today, %s this second",
            self._request_id,
            self._method,
            masked,
            status,
            seconds,
            attempt,
            None if quota is None else quota.day.remaining,
            None if quota is None else quota.burst.remaining,
        )
        hook = self._hooks.on_response
        if hook is not None:
            hook(
                ResponseRecord(
                    request_id=self._request_id,
                    method=self._method,
                    url=masked,
                    status=status,
                    seconds=seconds,
                    attempt=attempt,
                    quota=quota,
                )
            )

    def on_retry(self, url: str, error: StellantisError, *, wait: float, attempt: int) -> None:
        """Log a failed attempt that another one will follow, and call its hook."""
        masked = mask_url(url)
        _logger.info(
            "#%d %s %s: attempt %d failed (%s), next in %.2f s",
            self._request_id,
            self._method,
            masked,
            attempt,
            type(error).__name__,
            wait,
        )
        hook = self._hooks.on_retry
        if hook is not None:
            hook(
                RetryRecord(
                    request_id=self._request_id,
                    method=self._method,
                    url=masked,
                    attempt=attempt,
                    wait=wait,
                    error=error,
                )
            )

    def on_pause(self, seconds: float) -> None:
        """Log a 429."""
        _logger.warning("#%d 429: all requests pause for %.2f s", self._request_id, seconds)

    def on_wait(self, url: str, seconds: float, priority: str) -> None:
        """Call the hook of a wait for the limiter."""
        hook = self._hooks.on_wait
        if hook is not None:
            hook(
                WaitRecord(
                    request_id=self._request_id,
                    method=self._method,
                    url=mask_url(url),
                    seconds=seconds,
                    priority=priority,
                )
            )
