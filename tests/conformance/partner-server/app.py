"""A server for partners, as an ASGI application: it knows a login, and a client id that is another name.

hypercorn checks the client certificate before a request arrives here.
"""

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

LOGIN, PASSWORD, CLIENT_ID = "MZP123456", "p4ss:wörd", "my-client-id"
SIGNED = b"Basic " + base64.b64encode(f"{LOGIN}:{PASSWORD}".encode())


async def app(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    status, body = _respond(scope)
    headers = [(b"content-type", b"application/hal+json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def _respond(scope: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    query = parse_qs(scope["query_string"].decode())
    if query.get("client_id") != [CLIENT_ID]:
        return 401, _gateway("Invalid client id or secret.")
    if dict(scope["headers"]).get(b"authorization") != SIGNED:
        return 401, _gateway("The partner login or its password is wrong.")
    if scope["path"] != "/connectedcar/v3/fleets":
        return 404, {"code": 40400, "uuid": "u", "message": "No data.", "timestamp": "2026-01-01T00:00:00.000Z"}
    fleet = {"id": "f1", "name": "vans", "_links": {"self": {"href": "/connectedcar/v3/fleets/f1"}}}
    links = {"self": {"href": "/connectedcar/v3/fleets"}}
    return 200, {"total": 1, "totalPage": 1, "currentPage": 1, "_embedded": {"fleets": [fleet]}, "_links": links}


def _gateway(information: str) -> dict[str, Any]:
    return {"httpCode": "401", "httpMessage": "Unauthorized", "moreInformation": information}
