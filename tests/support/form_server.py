"""A HAL-FORMS API in process, with the documents of Spring HATEOAS and of Ketting's servers in our own words."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from email import message_from_bytes
from typing import Any
from urllib.parse import parse_qsl

import attrs

__all__ = ["FormServer"]

Scope = MutableMapping[str, Any]
HAL_FORMS = "application/prs.hal-forms+json"


def link(href: str, **members: Any) -> dict[str, Any]:
    return {"href": href, **members}


@attrs.define
class FormServer:
    """An ASGI application with people who can be added, changed, searched and removed through forms.

    Attributes:
        people: by id.
        requests: method, path with query, and the decoded body of each request.
    """

    people: dict[str, dict[str, Any]] = attrs.field(factory=lambda: {"1": {"name": "Ann", "role": "cook"}})
    requests: list[tuple[str, str, Any]] = attrs.field(factory=list)

    async def __call__(
        self,
        scope: Scope,
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Respond to one request."""
        if scope["type"] != "http":
            return
        content, more = b"", True
        while more:
            message = await receive()
            content += message.get("body", b"")
            more = message.get("more_body", False)
        fields = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = scope["query_string"].decode()
        body = _decode(content, fields.get("content-type", ""))
        path = scope["path"]
        self.requests.append((scope["method"], f"{path}?{query}" if query else path, body))
        status, headers, document = self._respond(scope["method"], path, dict(parse_qsl(query)), body, fields)
        kind = headers.pop("content-type", HAL_FORMS)
        reply = b"" if document is None else document if isinstance(document, bytes) else json.dumps(document).encode()
        sent = {"content-type": kind, "content-length": str(len(reply)), **headers}
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
            }
        )
        await send({"type": "http.response.body", "body": reply})

    def _respond(
        self, method: str, path: str, query: dict[str, str], body: Any, fields: dict[str, str]
    ) -> tuple[int, dict[str, str], Any]:
        if path == "/roles":
            return 200, {"content-type": "text/csv"}, b"prompt,value\r\nCook,cook\r\nGuest,guest\r\n"
        if path == "/login":
            if body == {"user": "ann", "password": "secret"}:
                return 200, {}, {"welcome": "ann", "_links": {"self": link("/")}}
            return 401, {}, {"title": "Please log in", "_templates": {"default": _LOGIN}}
        if path == "/scans" and method == "POST":
            return 201, {"location": "/scans/1"}, {"received": sorted(body), "_links": {"self": link("/scans/1")}}
        if path == "/people" and method == "POST":
            if not isinstance(body, dict) or not body.get("name"):
                return 400, {"content-type": "application/json"}, {"errors": {"name": ["must not be empty"]}}
            identity = str(len(self.people) + 1)
            self.people[identity] = body
            return 201, {"location": f"/people/{identity}"}, self._person(identity)
        if path == "/people":
            found = [key for key, person in self.people.items() if query.get("q", "").lower() in person["name"].lower()]
            return 200, {}, self._page(found, query)
        identity = path.removeprefix("/people/")
        if path.startswith("/people/") and identity in self.people:
            if method == "DELETE":
                del self.people[identity]
                return 204, {}, None
            if method == "PATCH":
                self.people[identity] |= body
            elif method == "PUT":
                self.people[identity] = body
            return 200, {}, self._person(identity)
        if path == "/":
            return 200, {}, self._root()
        return 404, {"content-type": "application/problem+json"}, {"title": "Not found", "status": 404}

    def _root(self) -> dict[str, Any]:
        return {
            "_links": {"self": link("/"), "people": link("/people", title="All people")},
            "title": "People",
            "_templates": {
                # As Ketting's servers write them: no default, texts for everything, a foreign type.
                "add": {
                    "title": "Add a person",
                    "method": "post",
                    "target": "/people",
                    "properties": [
                        {"name": "name", "prompt": "Full name", "required": "true", "regex": r"\p{L}[\p{L} ]*"},
                        {"name": "age", "type": "number", "min": "0", "max": "150", "value": "18"},
                        {"name": "role", "options": {"link": link("/roles", type="text/csv")}},
                        {"name": "token", "type": "hidden", "value": "t0"},
                        {"name": "mood", "type": "mood"},
                    ],
                },
                "search": {"target": "/people?page=7", "properties": [{"name": "q", "prompt": "Contains"}]},
                "scan": {
                    "method": "POST",
                    "target": "/scans",
                    "contentType": "multipart/form-data",
                    "properties": [{"name": "title"}, {"name": "scan", "type": "file", "value": "/etc/passwd"}],
                },
                "login": _LOGIN,
                "away": {"method": "POST", "target": "https://elsewhere.test/collect", "properties": [{"name": "a"}]},
            },
        }

    def _page(self, found: list[str], query: dict[str, str]) -> dict[str, Any]:
        return {
            "_links": {"self": link("/people")},
            "_embedded": {"people": [self._person(identity) for identity in found]},
            "total": len(found),
            "query": query,
        }

    def _person(self, identity: str) -> dict[str, Any]:
        person = self.people[identity]
        return {
            "_links": {"self": link(f"/people/{identity}"), "people": link("/people")},
            **person,
            # As Spring HATEOAS writes them: neither target nor content type, the selected option as value.
            "_templates": {
                "default": {
                    "method": "PUT",
                    "properties": [
                        {"name": "name", "required": True, "type": "text", "value": person["name"]},
                        {
                            "name": "role",
                            "value": person.get("role"),
                            "options": {"inline": ["cook", "guest"], "maxItems": 1},
                        },
                    ],
                },
                "remove": {"method": "DELETE", "properties": []},
            },
        }


_LOGIN = {
    "method": "POST",
    "target": "/login",
    "contentType": "application/x-www-form-urlencoded",
    "properties": [{"name": "user", "required": True}, {"name": "password", "type": "password", "required": True}],
}


def _decode(content: bytes, content_type: str) -> Any:
    if not content:
        return None
    if content_type.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(content.decode(), keep_blank_values=True))
    if content_type.startswith("multipart/form-data"):
        message: Any = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + content)
        return {
            part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
            for part in message.get_payload()
        }
    return json.loads(content)
