"""Threats to callbacks, monitors and commands: an API whose links lead elsewhere, and texts of others in logs."""

import logging
from typing import Any

import httpx
import pytest

from stellantis_hal import Application, Brand, StellantisClient, StellantisError, Token, Webhook
from stellantis_hal.resources.control.zone_triggers import zone

pytestmark = pytest.mark.anyio

BASE = "https://api.test/v4"
HOOK = Webhook("https://hooks.example.org/st/k3Jx0v", token="s3cr3t")
ELSEWHERE = [
    "https://evil.test/x",
    "//evil.test/x",
    "http://169.254.169.254/latest/meta-data",
    "https://api.test@evil.test/x",
    "https://api.test:8443/x",
    "http://api.test/v4/x",
    "file:///etc/passwd",
    "https:\\\\evil.test\\x",
]
FORGED = 'x"\r\nERROR forged\x1b[2J\u202e\u2028'


class HostileVendor:
    """An API of which each link leads elsewhere, or of one place only.

    Args:
        href: where the links lead.
        only: the relation that leads there; the others are as they should be.
        label: of the callbacks and monitors that it lists.
    """

    def __init__(self, href: str, *, only: str = "", label: str = "garage") -> None:
        self.href = href
        self.only = only
        self.label = label
        self.requests: list[httpx.Request] = []

    def _links(self, /, **own: str) -> dict[str, Any]:
        return {rel: {"href": self.href if rel == self.only else url} for rel, url in own.items()}

    def respond(self, request: httpx.Request) -> httpx.Response:
        """Return the response to a request."""
        self.requests.append(request)
        path = request.url.path.removeprefix("/v4")
        if path == "/user":
            links = self._links(
                self=f"{BASE}/user", vehicles=f"{BASE}/user/vehicles", callbacks=f"{BASE}/user/callbacks"
            )
            return httpx.Response(200, json={"_links": links})
        if path == "/user/vehicles/v1":
            below = f"{BASE}/user/vehicles/v1/callbacks/{{cbid}}"
            links = self._links(
                self=f"{BASE}{path}", user=f"{BASE}/user", monitors=f"{below}/monitors", remotes=f"{below}/remotes"
            )
            for rel in ("monitors", "remotes"):
                links[rel]["templated"] = True
            return httpx.Response(200, json={"id": "v1", "vin": "VR3UHZKXZMT012345", "_links": links})
        if request.method == "POST":
            ids = {"callbackId": "c1", "monitorId": "m1", "remoteActionId": "r1", "status": "Running"}
            links = self._links(callback=f"{BASE}/user/callbacks/c1", monitor=f"{BASE}/m1", remote=f"{BASE}/r1")
            return httpx.Response(202, json={**ids, "_links": links})
        if path.endswith(("/callbacks", "/monitors", "/remotes")):
            item = {"id": "c1", "label": self.label, "monitor": {"label": self.label}, "status": "Paused"}
            item |= {"_links": self._links(self=f"{request.url.copy_with(query=None)}/c1")}
            page: dict[str, Any] = {
                "total": 70,
                "_links": self._links(self=str(request.url), next=f"{request.url}&page=2"),
            }
            if "page=2" in str(request.url):
                del page["_links"]["next"]
            names = ("callbacks", "monitors", "remoteActions")
            return httpx.Response(200, json={**page, "_embedded": {name: [item] for name in names}})
        return httpx.Response(200, json={"id": "c1", "status": "Running"})


async def use_everything(vendor: HostileVendor) -> None:
    """Call what sends requests of control, and go on after each error of the package."""
    async with StellantisClient(
        Application("id", "secret"), base_url=BASE, transport=httpx.MockTransport(vendor.respond)
    ) as client:
        account = client.account(Token(access_token="top-secret", expires_at=None), brand=Brand.PEUGEOT)
        where = zone("home", 48.0, 2.0).exits

        async def callbacks() -> None:
            async for each in account.callbacks():
                await each.resume()
                await each.delete(with_monitors=True)

        async def ensure() -> None:
            await (await account.callbacks.ensure(HOOK, label="garage")).pause()

        async def create() -> None:
            await (await account.callbacks.create(HOOK, label="other")).pause()

        async def monitors() -> None:
            vehicle = await account.vehicle("v1")
            async for each in vehicle.monitors():
                await each.resume()
            monitor = await vehicle.monitors("c1").ensure("garage", when=where)
            await monitor.delete()

        async def commands() -> None:
            vehicle = await account.vehicle("v1")
            operation = await vehicle.remote("c1").doors.unlock(force=True)
            await operation.read_once()
            async for _ in vehicle.remote("c1").operations():
                pass

        for use in (callbacks, ensure, create, monitors, commands):
            try:
                await use()
            except StellantisError:
                continue


@pytest.mark.unmeasured
@pytest.mark.parametrize("href", ELSEWHERE)
@pytest.mark.parametrize(
    "only", ["callbacks", "callback", "monitor", "monitors", "remotes", "remote", "self", "next", "user"]
)
@pytest.mark.long
async def test_links_of_control_lead_nowhere_else(href: str, only: str) -> None:
    vendor = HostileVendor(href, only=only)
    await use_everything(vendor)
    assert vendor.requests
    assert {(each.url.scheme, each.url.host, each.url.port) for each in vendor.requests} == {
        ("https", "api.test", None)
    }


async def test_labels_of_others_forge_no_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    vendor = HostileVendor("", label=FORGED)
    await use_everything(vendor)
    assert vendor.requests
    for record in caplog.records:
        text = record.getMessage()
        assert text.isprintable(), text
        assert "top-secret" not in text
