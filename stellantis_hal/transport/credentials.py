"""The seam between sending and whoever holds secrets.

Knows when credentials are asked for. Must not know what kinds there are: :mod:`stellantis_hal.auth` does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from stellantis_hal.hal.uri import append_query
from stellantis_hal.navigation.fetch import Response

__all__ = ["Anonymous", "Credentials", "add_client_id", "remove_client_id"]


class Credentials(Protocol):
    """What identifies a caller, on the API's own origins and nowhere else.

    The session asks after the limiter's wait and before each attempt, so that what it gets is fresh when it is sent.
    """

    @property
    def query(self) -> str:
        """Text for the query, encoded (``client_id=abc``); empty for none."""
        ...

    async def headers(self) -> Mapping[str, str]:
        """Give header fields that are fit to be sent now, renewing a token first where it is about to expire.

        Raises:
            AuthError: there are none to be had.
        """
        ...

    async def refused(self, response: Response, sent: Mapping[str, str], /) -> bool:
        """Tell whether a 401 can be mended: True when other header fields than ``sent`` are there for one more try.

        Not asked where the gateway's body says that the application itself is refused: that is a
        :class:`~stellantis_hal.errors.ConfigurationError` already.

        Raises:
            AuthError: a renewal was tried and refused.
        """
        ...


class Anonymous:
    """No credentials at all: the HAL client's default."""

    query = ""

    async def headers(self) -> Mapping[str, str]:
        """Give nothing."""
        return {}

    async def refused(self, response: Response, sent: Mapping[str, str], /) -> bool:
        """Know no better."""
        return False


def add_client_id(url: str, text: str) -> str:
    """Add what identifies the application, as text, unless the address names it already."""
    if not text:
        return url
    query = url.partition("#")[0].partition("?")[2]
    if query:
        names = {pair.partition("=")[0] for pair in query.split("&")}
        text = "&".join(pair for pair in text.split("&") if pair.partition("=")[0] not in names)
    return append_query(url, text)


def remove_client_id(url: str, text: str) -> str:
    """Take away what identifies the application, where a redirect has echoed it."""
    for pair in filter(None, text.split("&")):
        if pair in url:
            url = re.sub(rf"(\?|&){re.escape(pair)}(?=&|#|$)(&(?=.)|)", lambda match: match[1] if match[2] else "", url)
    return url
