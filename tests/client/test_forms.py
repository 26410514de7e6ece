"""Forms of a HAL client on a server in process: requests as they arrive there."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from stellantis_hal import ApiError, FormError, HalClient, InvalidLinkError, UnauthorizedError, UntrustedOriginError
from tests.support.form_server import FormServer

pytestmark = pytest.mark.anyio
URL = "https://people.test/"


@pytest.fixture
def server() -> FormServer:
    return FormServer()


@pytest.fixture
async def hal(server: FormServer) -> AsyncIterator[HalClient]:
    async with HalClient(URL, transport=httpx.ASGITransport(server)) as client:
        yield client


async def test_a_form_makes_a_resource(hal: HalClient, server: FormServer) -> None:
    form = (await hal.root()).forms["add"]
    assert [(field.prompt, field.type, field.control) for field in form.fields] == [
        ("Full name", "text", "text"), ("age", "number", "number"), ("role", "text", "text"),
        ("token", "hidden", "hidden"), ("mood", "mood", "text"),
    ]  # fmt: skip
    assert [(choice.prompt, choice.value) for choice in await form["role"].choices()] == [
        ("Cook", "cook"),
        ("Guest", "guest"),
    ]
    made = await form.submit(name="Bea", role="guest")
    assert server.requests[-1] == ("POST", "/people", {"name": "Bea", "age": 18, "role": "guest", "token": "t0"})
    assert (made.status, made.self_url, made["name"]) == (201, f"{URL}people/2", "Bea")
    await made.forms.default.submit(name="Bee")
    assert server.people["2"] == {"name": "Bee", "role": "guest"}
    await made.forms["remove"].submit()
    assert [*server.people] == ["1"]


async def test_faults_send_nothing(hal: HalClient, server: FormServer) -> None:
    form = (await hal.root()).forms["add"]
    with pytest.raises(FormError) as caught:
        await form.submit(name="4nn", age=200)
    assert caught.value.errors == {
        "name": (r"must match the pattern '\\p{L}[\\p{L} ]*'",), "age": ("must be at most 150",),
    }  # fmt: skip
    with pytest.raises(TypeError, match="its fields are: name, age, role, token, mood"):
        await form.submit(nme="Ann")
    assert [request[:2] for request in server.requests] == [("GET", "/")]


async def test_a_search_form_is_a_query(hal: HalClient, server: FormServer) -> None:
    page = await (await hal.root()).forms["search"].submit(q="an")
    assert server.requests[1:] == [("GET", "/people?q=an", None)]
    (ann,) = page.embedded("people")
    changed = await ann.forms.default.submit(role="guest")
    assert changed["role"] == "guest"
    assert [*server.requests[2:]] == [("PUT", "/people/1", {"name": "Ann", "role": "guest"})]


@pytest.mark.wall_clock  # files are read in threads
async def test_files_arrive(hal: HalClient, server: FormServer, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"content")
    form = (await hal.root()).forms["scan"]
    for file in (tmp_path / "a.txt", b"content", io.BytesIO(b"content")):
        made = await form.submit(title="t", files={"scan": file})
        assert server.requests[-1][2] == {"title": b"t", "scan": b"content"}
        assert made["received"] == ["scan", "title"]
    await form.submit(title="t")
    assert server.requests[-1][2] == {"title": b"t"}


async def test_a_foreign_target_gets_nothing(hal: HalClient, server: FormServer) -> None:
    """F7."""
    form = (await hal.root()).forms["away"]
    assert form.url == "https://elsewhere.test/collect"
    with pytest.raises(UntrustedOriginError):
        await form.submit(a=1)
    assert len(server.requests) == 1


async def test_urlencoded_forms_arrive(hal: HalClient, server: FormServer) -> None:
    form = (await hal.root()).forms["login"]
    with pytest.raises(UnauthorizedError):
        await form.submit(user="ann", password="wrong")
    assert (await form.submit(user="ann", password="secret"))["welcome"] == "ann"
    assert server.requests[-1] == ("POST", "/login", {"user": "ann", "password": "secret"})


async def test_the_forms_of_an_error_work(hal: HalClient, server: FormServer) -> None:
    form = (await hal.root()).forms["login"]
    with pytest.raises(UnauthorizedError) as caught:
        await form.submit(user="ann", password="wrong")
    resource = caught.value.resource
    assert resource is not None
    assert (await resource.forms.default.submit(user="ann", password="secret"))["welcome"] == "ann"
    assert len(server.requests) == 3


DELETE = {"_templates": {"default": {"method": "DELETE"}, "go": {"method": "POST", "target": "go"}}}


async def test_forms_without_a_target_of_answers_and_errors() -> None:
    """An error's form is sent to the URL of the error; the answer of a write without an identity has no URL."""
    requests: list[tuple[str, str]] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append((request.method, request.url.path))
        status = {"/gone": 410, "/all": 200, "/list": 200}.get(request.url.path, 204)
        return httpx.Response(status, json=[DELETE, {**DELETE, "_links": {"self": {"href": "/list/2"}}}]
                              if request.url.path == "/list" else DELETE)  # fmt: skip

    async with HalClient(URL, transport=httpx.MockTransport(respond)) as hal:
        with pytest.raises(ApiError) as caught:
            await hal.get("/gone")
        resource = caught.value.resource
        assert resource is not None
        assert resource.forms.default.url == f"{URL}gone"
        answer = await hal.request("POST", "/all", json={})
        assert answer.forms.default.url is None
        with pytest.raises(InvalidLinkError, match=r"has no target, and the answer of https://people.test/all that"):
            await answer.forms.default.submit()
        assert answer.forms["go"].url == f"{URL}go"
        array = await hal.get("/list")
        assert [array.at(index).forms.default.url for index in (0, 1)] == [None, f"{URL}list/2"]
        assert len(array.forms) == 0
    assert requests == [("GET", "/gone"), ("POST", "/all"), ("GET", "/list")]


async def test_choices_are_asked_for_as_the_client_asks() -> None:
    """With its header fields, and for its media type where the link hints at none."""
    requests: list[httpx.Request] = []
    names = [("a", {}), ("b", {"type": "application/vnd.y+json"})]
    properties = [{"name": name, "options": {"link": {"href": "/all", **hint}}} for name, hint in names]

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        body = ["x"] if request.url.path == "/all" else {"_templates": {"default": {"properties": properties}}}
        return httpx.Response(200, json=body)

    fields = {"X-Tenant-Id": "1", "Accept-Language": "fr"}
    async with HalClient(
        URL, transport=httpx.MockTransport(respond), headers=fields, accept="application/vnd.x+json"
    ) as hal:
        root = await hal.root()
        for field in root.forms.default.fields:
            assert [choice.value for choice in await field.choices()] == ["x"]
    assert [found.headers["x-tenant-id"] for found in requests] == ["1"] * 3
    assert [found.headers["accept-language"] for found in requests] == ["fr"] * 3
    accepted = [found.headers["accept"].split(", ") for found in requests[1:]]
    assert [found[0] for found in accepted] == ["application/vnd.x+json", "application/vnd.y+json"]
    assert [found[-1] for found in accepted] == ["text/csv;q=0.5"] * 2


async def test_writes_of_forms_are_conditional() -> None:
    """As other writes are, by default; options of the request are passed."""
    fields: list[httpx.Headers] = []
    body = {"_templates": {"default": {"method": "PUT", "properties": [{"name": "a"}]}, "post": {"method": "POST"}}}

    def respond(request: httpx.Request) -> httpx.Response:
        fields.append(request.headers)
        return httpx.Response(200, json=body, headers={"ETag": '"1"'})

    async with HalClient(URL, transport=httpx.MockTransport(respond), headers={"X-One": "1"}) as hal:
        root = await hal.root()
        form = root.forms.default
        await form.submit(a=1)
        await form.submit(a=1, options={"if_match": False, "headers": {"X-Two": "2"}, "accept": "text/x"})
        await root.forms["post"].submit(options={"idempotency_key": "k"})
        assert [found.get("if-match") for found in fields] == [None, '"1"', None, None]
        assert [found["x-one"] for found in fields] == ["1"] * 4
        assert (fields[2]["x-two"], fields[2]["accept"].split(",")[0]) == ("2", "text/x")
        assert fields[3]["idempotency-key"] == "k"
        assert form.preview(a=1).headers["If-Match"] == '"1"'
        wrong: tuple[Any, ...] = ({"json": {}}, {"if_mtach": False}, {"params": {}})
        for options in wrong:
            with pytest.raises(TypeError, match="has no option"):
                await form.submit(a=1, options=options)
    assert len(fields) == 4
