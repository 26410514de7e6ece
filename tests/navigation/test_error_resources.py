"""Answers of errors as resources: their links, forms and embedded resources."""

import pickle
from typing import Any

import httpx
import pytest

from stellantis_hal import HalClient
from stellantis_hal.errors import ApiError, InvalidLinkError, NotFoundError, UnauthorizedError
from tests.navigation.site import HOME, Site
from tests.support.responses import links
from tests.support.transports import ScriptedTransport
from tests.transport.doubles import API, OK

pytestmark = pytest.mark.anyio

LOGIN = {
    "message": "log in",
    "_links": {"login": {"href": "/login"}, "self": {"href": "/orders"}},
    "_templates": {"default": {"method": "POST", "target": "/login", "properties": [{"name": "user"}]}},
    "_embedded": {"help": [{"text": "call us"}]},
}


def _client(*acts: Any) -> tuple[HalClient, ScriptedTransport]:
    transport = ScriptedTransport(*acts)
    return HalClient(f"{API}/orders", transport=transport), transport


async def test_a_login_form_in_a_401_can_be_sent() -> None:
    client, transport = _client(httpx.Response(401, json=LOGIN), OK)
    async with client:
        with pytest.raises(UnauthorizedError) as caught:
            await client.root()
        answer = caught.value.resource
        assert (answer["message"], answer.status) == ("log in", 401)
        assert answer.embedded("help")[0]["text"] == "call us"
        await answer.forms.default.submit(user="Ann")
        await answer.follow("login")
    assert [(request.method, request.url.path) for request in transport.requests] == [
        ("GET", "/orders"),
        ("POST", "/login"),
        ("GET", "/login"),
    ]
    assert transport.requests[1].content == b'{"user":"Ann"}'


async def test_an_error_is_not_the_resource_it_is_about() -> None:
    """A write to it, or a read, would be one of the resource, which the caller has already."""
    client, transport = _client(httpx.Response(404, json=LOGIN), OK)
    async with client:
        with pytest.raises(NotFoundError) as caught:
            await client.get("/orders")
        for call in (caught.value.resource.delete, caught.value.resource.fetch):
            with pytest.raises(InvalidLinkError):
                await call()
    assert len(transport.requests) == 1


@pytest.mark.parametrize("verb", ["get", "put", "delete", "refresh"])
async def test_every_call_adds_the_answer_to_its_error(verb: str) -> None:
    client, _ = _client(httpx.Response(200, json={"id": 1}), httpx.Response(404, json={"detail": "gone"}))
    async with client:
        root = await client.root()
        with pytest.raises(NotFoundError) as caught:
            await (client.get("/x") if verb == "get" else getattr(root, verb)())
    assert caught.value.resource["detail"] == "gone"


async def test_links_of_the_header_of_an_error_work() -> None:
    refusal = httpx.Response(403, headers={"Link": '</terms>; rel="terms-of-service"'}, text="no")
    client, transport = _client(refusal, OK)
    async with client:
        with pytest.raises(ApiError) as caught:
            await client.root()
        await caught.value.resource.follow("terms-of-service")
    assert str(transport.requests[1].url) == f"{API}/terms"


async def test_an_error_without_json_has_no_resource() -> None:
    client, _ = _client(httpx.Response(404, text="no"))
    async with client:
        with pytest.raises(ApiError) as caught:
            await client.root()
    assert caught.value.resource is None


async def test_an_error_is_pickled_without_its_client() -> None:
    client, _ = _client(httpx.Response(401, json=LOGIN))
    async with client:
        with pytest.raises(ApiError) as caught:
            await client.root()
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.resource["message"] == "log in"
    assert again.resource.context is None


async def test_a_fetch_of_another_program_may_raise_bare_errors() -> None:
    site = Site()
    with pytest.raises(NotFoundError) as caught:
        await site.resource({"_links": links(a=f"{HOME}/a")}).follow("a")
    assert (caught.value.resource, caught.value.document) == (None, None)
