"""Clients of a hostile server, which a transport imitates."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx

from stellantis_hal import Account, Application, Brand, HalClient, StellantisClient, Token, TokenStore
from tests.support.simulated import ONCE
from tests.support.transports import Act, ScriptedTransport

__all__ = ["ENTRY", "Stream", "account_of", "document", "hal_client", "raw", "vendor_client"]

ENTRY = "https://api.test/v4"
IDENTITY = "https://id.test/oauth2"


class Stream(httpx.AsyncByteStream):
    """A body in pieces, which counts the pieces that were read."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self.taken = 0
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._pieces:
            self.taken += 1
            yield piece

    async def aclose(self) -> None:
        self.closed = True


def raw(content: bytes, *, status: int = 200, **fields: str) -> httpx.Response:
    """Return a response with exactly these bytes."""
    named = {"content-type": "application/hal+json", **{name.replace("_", "-"): text for name, text in fields.items()}}
    return httpx.Response(status, headers=named, content=content)


def document(body: Mapping[str, Any] | None = None, **links: Any) -> httpx.Response:
    """Return a HAL document; a link that is a string is its href."""
    rels = {rel: {"href": link} if isinstance(link, str) else link for rel, link in links.items()}
    return httpx.Response(200, headers={"content-type": "application/hal+json"}, json={**(body or {}), "_links": rels})


def hal_client(respond: Act, **options: Any) -> tuple[HalClient, ScriptedTransport]:
    """Return a HAL client of such a server, with credentials."""
    server = ScriptedTransport(respond)
    settings: dict[str, Any] = {"auth": httpx.BasicAuth("me", "s3cret"), "retry": ONCE, **options}
    return HalClient(ENTRY, transport=server, **settings), server


def vendor_client(respond: Act, **options: Any) -> tuple[StellantisClient, ScriptedTransport]:
    """Return a Stellantis client of such a server, which is the identity server, too."""
    server = ScriptedTransport(respond)
    settings: dict[str, Any] = {"base_url": ENTRY, "identity_url": IDENTITY, "retry": ONCE, **options}
    return StellantisClient(Application("app-id", "app-s3cret"), transport=server, **settings), server


def account_of(client: StellantisClient, token: Token | TokenStore | None = None, **options: Any) -> Account:
    """Return an account with a token."""
    return client.account(token or Token("acc3ss", "r3fresh"), brand=Brand.DS, **options)
