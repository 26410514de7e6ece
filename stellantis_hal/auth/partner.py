"""Partners (B2B): their credentials, and what a partner reads without an account holder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from stellantis_hal.auth.application import Application
from stellantis_hal.credentials.basic import Basic
from stellantis_hal.errors import ConfigurationError, NotHalError
from stellantis_hal.hal.json import decode_received
from stellantis_hal.navigation.fetch import Fetch, Request
from stellantis_hal.vendor.hosts import PARTNER_URL

__all__ = ["PartnerCredentials", "capabilities"]


class PartnerCredentials(Basic):
    """Sign in as the application itself, with its id and secret and no token.

    Args:
        application: needs a ``client_secret``; its ``certificate`` has to be given to the session.

    Raises:
        ConfigurationError: the application has no secret, or an id that HTTP Basic cannot carry.
    """

    def __init__(self, application: Application) -> None:
        if application.client_secret is None:
            raise ConfigurationError("a partner signs in with HTTP Basic: Application needs a client_secret")
        super().__init__(application.client_id, application.client_secret, query=application.query)
        self._application = application

    def __repr__(self) -> str:
        return f"PartnerCredentials({self._application!r})"


async def capabilities(fetch: Fetch, vin: str, *, url: str = PARTNER_URL) -> Mapping[str, Any]:
    """Read what a car can do, before its owner is asked for consent.

    Args:
        fetch: sends requests with a partner's credentials.
        vin: the car's VIN.
        url: the API for partners.

    Returns:
        The body: ``vin``, ``motorization``, and the abilities of the car under ``_embedded.extension``.

    Raises:
        NotHalError: the response is no JSON object.
        NotFoundError: the vendor does not know the car.
        StellantisError: any other error of ``fetch``.
    """
    address = f"{url.rstrip('/')}/vehicles/{quote(vin.strip(), safe='')}?extension=onboardCapabilities"
    response = await fetch(Request(url=address, headers={"Accept": "application/hal+json"}))
    try:
        body = decode_received(response.content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise NotHalError(
            "the response with a car's abilities is no JSON object",
            url=response.url,
            content_type=response.headers.get("Content-Type", ""),
        )
    return body
