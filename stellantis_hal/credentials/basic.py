"""HTTP Basic credentials."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import cached_property

from stellantis_hal.errors import ConfigurationError
from stellantis_hal.hal.header_mapping import Headers
from stellantis_hal.navigation.cache.partition import Partition
from stellantis_hal.navigation.fetch_protocol import Response
from stellantis_hal.validation import require_type

__all__ = ["Basic", "encode_basic"]


def encode_basic(username: str, password: str) -> str:
    """Return the value of an ``Authorization`` header (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")


class Basic:
    """Send a user name and a password with each request (HTTP Basic, RFC 7617).

    Args:
        username: without a colon.
        password: sent as it is, in UTF-8.
        query: text for the query of each request, encoded; empty for none.

    Raises:
        TypeError: an argument has another type.
        ConfigurationError: the user name has a colon in it.
    """

    def __init__(self, username: str, password: str, *, query: str = "") -> None:
        require_type("username", username, str)
        require_type("password", password, str)
        if ":" in username:
            raise ConfigurationError("HTTP Basic cannot carry a user name with a colon in it")
        self._query = query
        self._names = username, password
        self._headers = Headers({"Authorization": encode_basic(username, password)})

    @property
    def query(self) -> str:
        """The text that is added to the query of each request."""
        return self._query

    @cached_property
    def partition(self) -> Partition:
        """The part of a cache that belongs to the user: of another password it is another one."""
        username, password = self._names
        return Partition.of_secret(password, "basic", username, self._query)

    async def headers(self) -> Mapping[str, str]:
        """Return the Basic header."""
        return self._headers

    async def refused(self, response: Response, sent: Mapping[str, str], /) -> bool:
        """Return False: there are no other credentials to try."""
        return False

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"
