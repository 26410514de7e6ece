"""Vehicles by their VIN."""

from typing import Any

import httpx
import pytest

from stellantis_hal import Account, BadRequestError, NotFoundError, ServerError
from stellantis_hal.simulator import BackendVariant, ScriptedFault, ServerFault, Simulator
from stellantis_hal.testing import simulated_fleet_owner
from tests.support.simulated import ONCE, account_of, client_of, token_of, world

pytestmark = pytest.mark.anyio

WRONG_VIN = "VF3CUHMZ0FW000001"


class Requests(httpx.AsyncBaseTransport):
    """The simulator's transport, which records the requests to the list of vehicles."""

    def __init__(self, simulator: Simulator) -> None:
        self._transport = simulator.transport()
        self.queries: list[dict[str, str]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/user/vehicles"):
            self.queries.append({name: value for name, value in request.url.params.items() if name != "client_id"})
        return await self._transport.handle_async_request(request)


def simulated(vehicles: int = 3, **variant: Any) -> tuple[Simulator, Requests]:
    simulator = Simulator(world(vehicles=vehicles), variant=BackendVariant(**variant))
    return simulator, Requests(simulator)


async def test_a_vehicle_is_read_by_its_vin() -> None:
    simulator, requests = simulated()
    wanted = simulator.world.vehicles[1]
    async with client_of(simulator, transport=requests) as client:
        account = account_of(client, simulator)
        for vin in (wanted.vin, f" {wanted.vin.lower()}\n"):
            vehicle = await account.vehicle(vin=vin, extensions="branding", locale="fr-FR")
            assert (vehicle.id, vehicle.vin) == (wanted.id, wanted.vin)
            assert vehicle == await account.vehicle(wanted.id, extensions="branding", locale="fr-FR")
            assert await vehicle.status() is not None
    sent = {"vinPrefix": wanted.vin, "extension": "branding", "locale": "fr-FR"}
    assert requests.queries == [sent, sent]


@pytest.mark.long
@pytest.mark.unmeasured
@pytest.mark.parametrize(("vin_prefix", "pages"), [("ignored", 3), ("refused", 4)])
async def test_the_list_is_walked_without_a_filter(vin_prefix: str, pages: int) -> None:
    """Where a back end ignores the filter, one walk suffices; where it refuses it, a second one follows."""
    simulator, requests = simulated(vehicles=130, vin_prefix=vin_prefix)
    wanted = simulator.world.vehicles[129]
    async with client_of(simulator, transport=requests) as client:
        assert (await account_of(client, simulator).vehicle(vin=wanted.vin)).id == wanted.id
    assert len(requests.queries) == pages
    assert ["vinPrefix" in query for query in requests.queries] == [
        vin_prefix == "ignored" or number == 0 for number in range(pages)
    ]


@pytest.mark.unmeasured
@pytest.mark.parametrize(("vin_prefix", "pages"), [("filters", 3), ("ignored", 2), ("refused", 3)])
async def test_a_vin_that_no_vehicle_has_is_not_found(vin_prefix: str, pages: int) -> None:
    simulator, requests = simulated(vehicles=70, vin_prefix=vin_prefix)
    async with client_of(simulator, transport=requests) as client:
        with pytest.raises(NotFoundError) as caught:
            await account_of(client, simulator).vehicle(vin=WRONG_VIN)
    assert str(caught.value).startswith("the account has no vehicle with the VIN VF3***: 70 vehicles were read. ")
    assert WRONG_VIN[3:] not in repr(caught.value)
    assert caught.value.status == 404
    assert len(requests.queries) == pages


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((), {}, r"pass the id of a vehicle, as in vehicle\(.*\), or its VIN"),
        (("an-id",), {"vin": WRONG_VIN}, r"pass the id of a vehicle, as in vehicle\(.*\), or its VIN"),
        ((), {"vin": ""}, "vin must have 17 characters, not 0"),
        ((), {"vin": WRONG_VIN[:-1]}, "vin must have 17 characters, not 16"),
        ((), {"vin": "VF3CUHMZ0FW0000O1"}, r"without I, O and Q: the character 16 of VF3\*\*\* is neither"),
        ((), {"vin": "VI3CUHMZ0FW000001"}, "the character 2 of "),
        ((), {"vin": "VF3CUHMZ0FW0000-1"}, "the character 16 of "),
        ((), {"vin": "VF\u0663CUHMZ0FW000001"}, "the character 3 of "),
    ],
)
async def test_a_wrong_argument_is_refused_in_words(
    arguments: tuple[str, ...], options: dict[str, str], message: str
) -> None:
    simulator, _ = simulated()
    async with client_of(simulator) as client:
        account = account_of(client, simulator)
        with pytest.raises(ValueError, match=message) as caught:
            await account.vehicle(*arguments, **options)
    assert "CUHMZ" not in str(caught.value)
    assert simulator.statistics.requests == 0


async def test_a_vin_that_is_passed_as_an_id_is_told() -> None:
    simulator, requests = simulated()
    vin = simulator.world.vehicles[0].vin
    async with client_of(simulator, transport=requests) as client, simulated_fleet_owner(simulator) as owner:
        account = account_of(client, simulator)
        fleet = await owner.fleets().first()
        assert fleet is not None
        for place in (account, await account.user(), fleet):
            with pytest.raises(NotFoundError) as raised:
                await place.vehicle(vin)
            assert raised.value.__notes__[-1] == "the id has the form of a VIN: pass a VIN as vehicle(vin=…)"
            with pytest.raises(NotFoundError) as raised:
                await place.vehicle("f" * 24)
            assert "VIN" not in str(getattr(raised.value, "__notes__", ""))


async def test_a_vin_must_be_text() -> None:
    simulator, _ = simulated()
    vin: Any = 17
    async with client_of(simulator) as client:
        with pytest.raises(TypeError, match="vin must be str, not int"):
            await account_of(client, simulator).vehicle(vin=vin)


async def test_an_error_other_than_a_refused_filter_is_raised() -> None:
    simulator, _ = simulated()
    async with client_of(simulator, retry=ONCE) as client:
        account = account_of(client, simulator)
        await account.root()
        simulator.script(ScriptedFault(fault=ServerFault(503)))
        with pytest.raises(ServerError):
            await account.vehicle(vin=WRONG_VIN)


class Lists(httpx.AsyncBaseTransport):
    """An API whose list of vehicles answers as it is told, first with and then without the filter."""

    def __init__(self, *responses: httpx.Response) -> None:
        self.responses = list(responses)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/user"):
            return httpx.Response(
                200, json={"_links": {"vehicles": {"href": f"{request.url.copy_with(query=None)}/vehicles"}}}
            )
        return self.responses.pop(0)


def listed(*vehicles: dict[str, Any], **links: str) -> httpx.Response:
    hrefs = {name: {"href": href} for name, href in links.items()}
    return httpx.Response(200, json={"total": len(vehicles), "_links": hrefs, "_embedded": {"vehicles": vehicles}})


def refused(status: int) -> httpx.Response:
    return httpx.Response(status, json={"code": status, "message": "No."})


async def by_vin(*responses: httpx.Response) -> str | None:
    lists = Lists(*responses)
    simulator, _ = simulated()
    async with client_of(simulator, transport=lists, retry=ONCE) as client:
        account: Account = client.account(token_of(simulator), brand="peugeot")
        vehicle = await account.vehicle(vin=WRONG_VIN)
    assert not lists.responses
    return vehicle.id


CAR = {"id": "wanted", "vin": WRONG_VIN}
OTHERS = ({"id": "a"}, {"id": "b", "vin": "VF3CUHMZ0FW000002"})


@pytest.mark.parametrize("status", [400, 404])
async def test_a_refused_filter_is_left_out(status: int) -> None:
    assert await by_vin(refused(status), listed(*OTHERS, CAR)) == "wanted"


async def test_a_filter_that_finds_nothing_is_left_out() -> None:
    assert await by_vin(listed(), listed(*OTHERS, CAR)) == "wanted"


async def test_a_filter_that_is_refused_on_the_second_page_is_left_out() -> None:
    first = listed(*OTHERS, next="https://api.simulator.test/connectedcar/v4/user/vehicles?page=2")
    assert await by_vin(first, refused(400), listed(*OTHERS, CAR)) == "wanted"


async def test_a_vin_in_small_letters_is_the_same() -> None:
    assert await by_vin(listed(*OTHERS, {"id": "wanted", "vin": WRONG_VIN.lower()})) == "wanted"


async def test_vehicles_without_a_vin_are_told() -> None:
    with pytest.raises(NotFoundError, match="2 vehicles were read, 1 of them without a VIN"):
        await by_vin(listed(*OTHERS))


async def test_the_refusal_of_the_whole_list_is_raised() -> None:
    with pytest.raises(BadRequestError):
        await by_vin(refused(400), refused(400))


async def test_an_account_without_vehicles_has_none_with_a_vin() -> None:
    with pytest.raises(NotFoundError, match="0 vehicles were read"):
        await by_vin(refused_without_data(), refused_without_data())


def refused_without_data() -> httpx.Response:
    return httpx.Response(404, json={"code": 40400, "message": "No data available for such context."})
