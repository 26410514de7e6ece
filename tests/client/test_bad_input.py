"""Invalid responses, met by the whole client: errors and their messages."""

from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from stellantis_hal import (
    BadRequestError,
    InvalidLinkError,
    LinkNotFoundError,
    NotFoundError,
    NotHalError,
    PaginationLoopError,
    ServerError,
    StellantisError,
    UntrustedOriginError,
)
from stellantis_hal.simulator import Delay, Faults, ScriptedFault, Simulator
from tests.support.simulated import ONCE, account_of, client_of, world
from tests.support.transports import RewritingTransport, edit_json, replace_content

pytestmark = pytest.mark.anyio

TRIPS = "/trips$"


async def error_of_walking(
    transport: RewritingTransport, simulator: Simulator, kind: type[StellantisError]
) -> StellantisError:
    """Walk the trips of the first vehicle, into an error."""
    async with client_of(simulator, transport=transport, retry=ONCE) as client:
        vehicle = await account_of(client, simulator).vehicles().first()
        assert vehicle is not None
        with pytest.raises(kind) as caught:
            await vehicle.trips().collect()
    return caught.value


@pytest.mark.parametrize(
    ("content", "content_type", "word"),
    [
        (b"{'not': json}", "application/hal+json", "invalid JSON ("),
        (b"[1, 2]", "application/hal+json", "JSON that is not an object (list)"),
        (b'"text"', "application/json", "JSON that is not an object (str)"),
        (b"<html>Welcome</html>", "text/html", "<html>Welcome"),
        (b"", "application/hal+json", "an empty body"),
        (b'{"a": 1}', "text/plain", "text/plain"),
    ],
)
async def test_a_body_that_is_no_document_is_described(content: bytes, content_type: str, word: str) -> None:
    """The error names its address, its type and its first bytes."""
    simulator = Simulator(world())
    transport = RewritingTransport(simulator.transport(), TRIPS, replace_content(content, content_type=content_type))
    error = await error_of_walking(transport, simulator, NotHalError)
    assert isinstance(error, NotHalError)
    assert word in str(error)
    assert error.url.endswith("/trips")
    assert error.content_type == content_type


async def test_an_html_error_page_is_an_error_with_its_status() -> None:
    simulator = Simulator(world())
    page = replace_content(b"<html><h1>Bad gateway</h1></html>", content_type="text/html", status=502)
    error = await error_of_walking(RewritingTransport(simulator.transport(), TRIPS, page), simulator, ServerError)
    assert isinstance(error, ServerError)
    assert error.status == 502
    assert error.is_transient


async def test_a_plain_404_on_trips_stays_an_error() -> None:
    simulator = Simulator(world())
    gone = replace_content(b'{"message": "no such page"}', content_type="application/json", status=404)
    error = await error_of_walking(RewritingTransport(simulator.transport(), TRIPS, gone), simulator, NotFoundError)
    assert isinstance(error, NotFoundError)
    assert error.code is None


async def test_a_404_with_an_api_code_on_trips_is_an_empty_walk() -> None:
    simulator = Simulator(world())
    empty = replace_content(b'{"code": "40400", "message": "none"}', content_type="application/json", status=404)
    transport = RewritingTransport(simulator.transport(), TRIPS, empty)
    async with client_of(simulator, transport=transport) as client:
        vehicle = await account_of(client, simulator).vehicles().first()
        assert vehicle is not None
        assert await vehicle.trips().collect() == []


def with_link(rel: str, link: Any) -> Callable[[Any], Any]:
    """Return an edit that puts a link into a body."""

    def edit(body: Any) -> Any:
        return {**body, "_links": {**body["_links"], rel: link}}

    return edit


async def test_a_link_without_href_cannot_be_followed() -> None:
    simulator = Simulator(world())
    transport = RewritingTransport(simulator.transport(), "/vehicles$", edit_json(without_hrefs))
    async with client_of(simulator, transport=transport) as client:
        vehicle = await account_of(client, simulator).vehicles().first()
        assert vehicle is not None
        with pytest.raises(InvalidLinkError, match="'trips'"):
            await vehicle.trips().collect()


def without_hrefs(body: Any) -> Any:
    """Take the hrefs of the vehicles' links to their trips."""
    for vehicle in body["_embedded"]["vehicles"]:
        vehicle["_links"]["trips"] = {"name": "no href here"}
    return body


@pytest.mark.unmeasured
async def test_a_page_without_embedded_does_not_end_pagination() -> None:
    simulator = Simulator(world(trips=130))
    seen = 0

    def first_page_empty(body: Any) -> Any:
        nonlocal seen
        seen += 1
        return {key: value for key, value in body.items() if key != "_embedded" or seen > 1}

    transport = RewritingTransport(simulator.transport(), TRIPS, edit_json(first_page_empty))
    async with client_of(simulator, transport=transport) as client:
        vehicle = await account_of(client, simulator).vehicles().first()
        assert vehicle is not None
        assert len(await vehicle.trips().collect()) == 70


async def test_a_link_to_a_foreign_host_sends_nothing() -> None:
    simulator = Simulator(world(trips=130))
    foreign = with_link("next", {"href": "https://evil.test/steal?pageToken=1"})
    transport = RewritingTransport(simulator.transport(), TRIPS, edit_json(foreign))
    error = await error_of_walking(transport, simulator, UntrustedOriginError)
    assert "evil.test" in str(error)
    assert all(url.host != "evil.test" for url in transport.urls)
    assert error.resume_token is not None


async def test_a_next_that_leads_to_its_own_page_is_a_loop() -> None:
    simulator = Simulator(world(trips=130))
    transport = RewritingTransport(
        simulator.transport(), TRIPS, edit_json(lambda body: with_link("next", body["_links"]["self"])(body))
    )
    error = await error_of_walking(transport, simulator, PaginationLoopError)
    assert "loop" in str(error)
    assert sum(url.path.endswith("/trips") for url in transport.urls) == 1


async def test_a_page_token_is_never_encoded_again() -> None:
    """The server refuses a page token that was encoded again."""
    simulator = Simulator(world(trips=130))

    def spoiled(body: Any) -> Any:
        if "_links" not in body:
            return body
        href = body["_links"].get("next", {}).get("href", "")
        return with_link("next", {"href": href.replace("==", "%3D%3D") + "x"})(body)

    transport = RewritingTransport(simulator.transport(), TRIPS, edit_json(spoiled))
    assert isinstance(await error_of_walking(transport, simulator, BadRequestError), BadRequestError)


async def test_a_missing_link_is_an_error_without_a_request() -> None:
    simulator = Simulator(world())

    def without_trips(body: Any) -> Any:
        for vehicle in body["_embedded"]["vehicles"]:
            del vehicle["_links"]["trips"]
        return body

    transport = RewritingTransport(simulator.transport(), "/vehicles$", edit_json(without_trips))
    async with client_of(simulator, transport=transport) as client:
        vehicle = await account_of(client, simulator).vehicles().first()
        assert vehicle is not None
        assert not vehicle.can("trips")
        before = len(transport.urls)
        with pytest.raises(LinkNotFoundError, match="available"):
            await vehicle.trips().collect()
        assert len(transport.urls) == before


async def test_cancelled_pagination_returns_connection_and_slot() -> None:
    late = ScriptedFault(fault=Delay(seconds=3_600), path="/trips", times=5)
    simulator = Simulator(world(trips=130), faults=Faults(script=[late]))
    async with client_of(simulator, retry=ONCE) as client:
        vehicle = await account_of(client, simulator).vehicles().first()
        assert vehicle is not None
        for _ in range(3):
            with anyio.move_on_after(1) as scope:
                await vehicle.trips().collect()
            assert scope.cancelled_caught
        statistics = client.limiter.statistics
        assert (statistics.in_flight, statistics.waiting) == (0, 0)
    async with client_of(Simulator(world(trips=130))) as client:
        assert client.limiter.statistics.in_flight == 0


async def test_a_walk_that_is_left_early_can_be_started_again() -> None:
    simulator = Simulator(world(trips=130))
    async with client_of(simulator) as client:
        vehicle = await account_of(client, simulator).vehicles().first()
        assert vehicle is not None
        trips = vehicle.trips()
        async for _ in trips:
            break
        assert len(await trips.collect()) == 130


async def test_a_missing_response_is_a_network_error() -> None:
    """The error names the address."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    simulator = Simulator(world())
    async with client_of(simulator, transport=httpx.MockTransport(refuse), retry=ONCE) as client:
        with pytest.raises(StellantisError, match=r"api\.simulator\.test"):
            await account_of(client, simulator).root()
