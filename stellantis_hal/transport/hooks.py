"""Places for a program to listen in.

Knows what is worth counting: retries, waits, answers. Must not hold secrets: addresses are masked already.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from stellantis_hal.errors import StellantisError
from stellantis_hal.transport.quota import Quota

__all__ = ["AnswerRecord", "Hooks", "RetryRecord", "WaitRecord"]


@attrs.frozen(kw_only=True)
class AnswerRecord:
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

    on_answer: Callable[[AnswerRecord], None] | None = None
    on_retry: Callable[[RetryRecord], None] | None = None
    on_wait: Callable[[WaitRecord], None] | None = None
