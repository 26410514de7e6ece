"""The simulated API within a block: its addresses, its account holders and its bodies."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from benchmarks.servers.process import serve

__all__ = ["AccountHolder", "SimulatedApi", "serve_api"]


@attrs.frozen(kw_only=True)
class AccountHolder:
    """An account holder, with what a client needs."""

    key: str
    brand: str
    realm: str
    token: str
    expires: float


@attrs.frozen(kw_only=True)
class SimulatedApi:
    """URLs of a running server, its account holders, and the first account's first vehicle."""

    url: str
    identity: str
    client_id: str
    vehicle: str
    accounts: tuple[AccountHolder, ...]

    @property
    def fields(self) -> dict[str, str]:
        """Header fields of a request by the first account, beside those of the library that sends it."""
        holder = self.accounts[0]
        return {
            "accept": "application/hal+json, application/json;q=0.9",
            "authorization": f"Bearer {holder.token}",
            "x-introspect-realm": holder.realm,
            "user-agent": "benchmark",
        }

    def full(self, path: str) -> str:
        """Return the URL of a path of the API, with the application's query."""
        return f"{self.url}{path}{'&' if '?' in path else '?'}client_id={self.client_id}"

    def body(self, path: str) -> bytes:
        """Return the body of a path of the API, requested by the first account."""
        with urllib.request.urlopen(
            urllib.request.Request(self.full(path), headers=self.fields), timeout=60
        ) as response:
            content: bytes = response.read()
        return content

    def item(self, path: str, rel: str) -> Any:
        """Return the first item of a collection, decoded."""
        return json.loads(self.body(path))["_embedded"][rel][0]

    def set_news(self, has_news: bool) -> None:
        """Let the values of each status change from now on, or stay."""
        origin = "/".join(self.url.split("/")[:3])
        urllib.request.urlopen(f"{origin}/news/{int(has_news)}", timeout=60).close()

    def set_latency(self, seconds: float) -> None:
        """Let each response take some seconds from now on."""
        origin = "/".join(self.url.split("/")[:3])
        urllib.request.urlopen(f"{origin}/wait/{seconds}", timeout=60).close()


@contextmanager
def serve_api(
    *,
    accounts: int = 1,
    vehicles: int = 1,
    trips: int = 0,
    gzip: bool = False,
    tls: Path | None = None,
    mutual: bool = False,
) -> Generator[SimulatedApi]:
    """Run the simulated API in its own process within the block."""
    with serve(
        "benchmarks.servers.simulated",
        accounts=accounts,
        vehicles=vehicles,
        trips=trips,
        seed=7,
        gzip=gzip,
        tls=tls,
        mutual=mutual,
    ) as line:
        address = json.loads(line)
        holders = tuple(AccountHolder(**holder) for holder in address.pop("accounts"))
        yield SimulatedApi(**address, accounts=holders)
