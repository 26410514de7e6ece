"""Bearer tokens that the program supplies (RFC 6750)."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping

from stellantis_hal.errors import ConfigurationError
from stellantis_hal.hal.header_mapping import Headers, is_sendable
from stellantis_hal.navigation.cache.partition import Partition
from stellantis_hal.navigation.fetch_protocol import Response
from stellantis_hal.validation import require_type

__all__ = ["Bearer"]

TokenSource = Callable[[], str | Awaitable[str]]


class Bearer:
    """Send a bearer token with each request to a trusted origin: ``HalClient(url, auth=Bearer("…"))``.

    Args:
        token: the token, or a function that returns the present one, synchronous or not. The function is called before
            each attempt, in the task that sends, and again after a 401; it must not block the event loop.

    Raises:
        ConfigurationError: the token cannot be sent in a header: it is empty, or has blanks inside.
        TypeError: it is neither text nor a function.

    Example:
        >>> Bearer("a secret".replace(" ", "-"))
        Bearer(…)
    """

    query = ""

    def __init__(self, token: str | TokenSource) -> None:
        self._source: TokenSource | None = None
        self._headers = Headers()
        self._partition: Partition | None = None
        if callable(token):
            self._source = token
            return
        require_type("token", token, str, instead='Bearer("…"), or Bearer(function)')
        self._headers = _headers_of(token)

    @property
    def partition(self) -> Partition:
        """The part of a cache that belongs to the token; that of a function is its own, and does not last."""
        if self._partition is None:
            token = self._headers.get("authorization")
            self._partition = Partition.unnamed() if token is None else Partition.of_secret(token, "bearer")
        return self._partition

    async def headers(self) -> Mapping[str, str]:
        """Return the header field with the present token.

        Raises:
            ConfigurationError: the function returned what cannot be sent in a header.
        """
        if self._source is None:
            return self._headers
        token = self._source()
        return _headers_of(await token if inspect.isawaitable(token) else token)

    async def refused(self, response: Response, sent: Mapping[str, str], /) -> bool:
        """Return whether the function has another token now; False for a fixed token.

        Raises:
            ConfigurationError: the function returned what cannot be sent in a header.
        """
        if self._source is None or "insufficient_scope" in response.headers.get("WWW-Authenticate", ""):
            return False
        return Headers(sent).get("authorization") != (await self.headers())["authorization"]

    def __repr__(self) -> str:
        return "Bearer(…)"


def _headers_of(token: object) -> Headers:
    if not isinstance(token, str) or not is_sendable(token.strip()):
        found = "it is empty, or has blanks or line breaks" if isinstance(token, str) else f"a {type(token).__name__}"
        raise ConfigurationError(f"the bearer token cannot be sent in a header: {found}; copy it again")
    # Headers, not a dict: its repr shows names only.
    return Headers({"Authorization": f"Bearer {token.strip()}"})
