"""A server that means harm, as far as a transport can imitate one, and what it was sent."""

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
    """A body that comes piece by piece; counts those taken."""

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
    """An answer of these very bytes."""
    named = {"content-type": "application/hal+json", **{name.replace("_", "-"): text for name, text in fields.items()}}
    return httpx.Response(status, headers=named, content=content)


def document(body: Mapping[str, Any] | None = None, **links: Any) -> httpx.Response:
    """A document; a string is an href."""
    rels = {rel: {"href": link} if isinstance(link, str) else link for rel, link in links.items()}
    return httpx.Response(200, headers={"content-type": "application/hal+json"}, json={**(body or {}), "_links": rels})


def hal_client(respond: Act, **options: Any) -> tuple[HalClient, ScriptedTransport]:
    """A client for any API before such a server, with credentials worth stealing."""
    server = ScriptedTransport(respond)
    settings: dict[str, Any] = {"auth": httpx.BasicAuth("me", "s3cret"), "retry": ONCE, **options}
    return HalClient(ENTRY, transport=server, **settings), server


def vendor_client(respond: Act, **options: Any) -> tuple[StellantisClient, ScriptedTransport]:
    """A client for the vendor's API before such a server; it plays the identity server, too."""
    server = ScriptedTransport(respond)
    settings: dict[str, Any] = {"base_url": ENTRY, "identity_url": IDENTITY, "retry": ONCE, **options}
    return StellantisClient(Application("app-id", "app-s3cret"), transport=server, **settings), server


def account_of(client: StellantisClient, token: Token | TokenStore | None = None, **options: Any) -> Account:
    """Act for an account holder whose tokens are worth stealing."""
    return client.account(token or Token("acc3ss", "r3fresh"), brand=Brand.DS, **options)
