"""A vendor of callbacks and monitors in memory, whose answers to writes can be lost."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import httpx

from stellantis_hal import Account, Application, Brand, StellantisClient, Token

__all__ = ["Vendor", "connected"]

BASE = "https://api.test/v4"


@attrs.define
class Vendor:
    """An API with an account and its callbacks.

    Attributes:
        lost: what happens to the answers of the next POSTs: ``"cut"``, ``"dropped"`` (never arrived), ``"no id"``,
            ``"nothing"`` (an empty answer), or a status.
        keeps: whether a POST with such an answer is carried out.
        path: where the callbacks are; "" for no link to them.
        is_absent: whether there is no such account.
        success: the status of a POST that succeeds.
        id_prefix: what ids of callbacks begin with.
        monitors: the vehicle's link to monitors; "" for none.
        fails_lists: whether lists of callbacks answer 500.
        strays: items of lists that are no objects.
        is_deleted_meanwhile: whether a callback that is listed is gone when its monitors are read.
        created: monitors that were posted, by id.
        callbacks: what was posted, by id.
        requests: method, path and body of each request.
    """

    lost: Sequence[Any] = ()
    keeps: bool = True
    path: str = ""
    is_absent: bool = False
    success: int = 200
    id_prefix: str = "cb"
    monitors: str = ""
    fails_lists: bool = False
    strays: Sequence[Any] = ()
    is_deleted_meanwhile: bool = False
    created: dict[str, Any] = attrs.field(factory=dict)
    callbacks: dict[str, Any] = attrs.field(factory=dict)
    requests: list[tuple[str, str, Any]] = attrs.field(factory=list)

    @property
    def posts(self) -> int:
        """The number of POSTs."""
        return sum(method == "POST" for method, _, _ in self.requests)

    def respond(self, request: httpx.Request) -> httpx.Response:
        """Return the response to a request."""
        body = json.loads(request.content) if request.content else None
        path = request.url.path.removeprefix("/v4")
        self.requests.append((request.method, path, body))
        if path == "/user":
            links = {"self": {"href": f"{BASE}/user"}, "vehicles": {"href": f"{BASE}/user/vehicles"}}
            if self.path:
                links["callbacks"] = {"href": f"{BASE}{self.path}"}
            return _missing() if self.is_absent else _json(200, {"_links": links})
        if path == "/user/vehicles/v1":
            links = {"self": {"href": f"{BASE}{path}"}, "user": {"href": f"{BASE}/user"}}
            if self.monitors:
                links["monitors"] = {"href": f"{BASE}{self.monitors}", "templated": True}  # type: ignore[dict-item]
            return _json(200, {"id": "v1", "vin": "VR3UHZKXZMT012345", "_links": links})
        if "/monitors" in path:
            return self._respond_to_monitors(request.method, body)
        if request.method == "GET":
            if self.fails_lists:
                return _json(500, {"code": 50000, "message": "failed"})
            found = [
                {"id": key, "label": value["label"], "subscribe": value, "status": "Running"}
                for key, value in self.callbacks.items()
            ]
            items = [*found, *self.strays]
            return _json(200, {"total": len(items), "_embedded": {"callbacks": items}}) if items else _missing()
        lost = self.lost[self.posts - 1] if 0 < self.posts <= len(self.lost) else None
        if lost == "dropped":
            raise httpx.ReadError("the connection was reset", request=request)
        id_ = f"{self.id_prefix}{len(self.callbacks) + 1}"
        if self.keeps:
            self.callbacks[id_] = body
        if lost == "cut":
            raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")
        if lost == "nothing":
            return httpx.Response(200)
        if isinstance(lost, int):
            return _json(lost, {"code": lost * 100, "message": "lost"})
        return _json(
            self.success, {"status": "Running"} if lost == "no id" else {"callbackId": id_, "status": "Running"}
        )

    def _respond_to_monitors(self, method: str, body: Any) -> httpx.Response:
        if method == "GET" and self.is_deleted_meanwhile:
            return _json(404, {"message": "Callback not found."})
        if method == "GET":
            found = [{"monitorId": key, "monitor": value, "status": "Running"} for key, value in self.created.items()]
            items = [*found, *self.strays]
            return _json(200, {"total": len(items), "_embedded": {"monitors": items}}) if items else _missing()
        lost = self.lost[self.posts - 1] if 0 < self.posts <= len(self.lost) else None
        id_ = f"m{len(self.created) + 1}"
        if self.keeps and lost != "dropped":
            self.created[id_] = body
        if lost in {"cut", "dropped"}:
            raise httpx.ReadError("the connection was reset")
        if isinstance(lost, int):
            return _json(lost, {"code": lost * 100, "message": "lost"})
        return _json(202, {"status": "Running"} if lost == "no id" else {"monitorId": id_, "status": "Running"})


def _json(status: int, body: Mapping[str, Any]) -> httpx.Response:
    return httpx.Response(status, json=body)


def _missing() -> httpx.Response:
    return _json(404, {"code": 40400, "message": "No data available for such context."})


@asynccontextmanager
async def connected(vendor: Vendor) -> AsyncGenerator[Account]:
    """Open a client of a vendor, with an account."""
    transport = httpx.MockTransport(vendor.respond)
    async with StellantisClient(Application("my-app"), base_url=BASE, transport=transport) as client:
        yield client.account(Token("token"), brand=Brand.PEUGEOT)
