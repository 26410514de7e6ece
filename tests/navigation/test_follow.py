"""Lazy chains of links, and single flight."""

import gc
import math
import warnings
from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from stellantis_hal.errors import (
    BudgetExhaustedError,
    LinkNotFoundError,
    NetworkError,
    NotFoundError,
    ServerError,
    StellantisError,
)
from stellantis_hal.navigation.follow import Follow
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.navigation.single_flight import SingleFlight
from stellantis_hal.navigation.typed_rel import Rel
from tests.navigation.site import HOME, Site
from tests.support.responses import link, links

pytestmark = pytest.mark.anyio


def _chain(routes: Mapping[str, Any] | None = None, delay: float = 1.0) -> tuple[Site, HalResource]:
    site = Site(
        {
            "/vehicles": {"_links": links(trips=f"{HOME}/trips", self=f"{HOME}/vehicles")},
            "/trips": {"total": 3},
            **(routes or {}),
        },
        delay=delay,
    )
    return site, site.resource({"_links": links(vehicles=f"{HOME}/vehicles")})


async def test_a_chain_goes_from_link_to_link() -> None:
    site, root = _chain()
    trips = await root.follow("vehicles").follow("trips")
    assert trips["total"] == 3
    assert site.paths == ["/vehicles", "/trips"]


@pytest.mark.unmeasured
async def test_building_a_chain_does_no_io_and_leaves_no_coroutines() -> None:
    site, root = _chain()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chain = root.follow("vehicles").follow("trips").follow("nowhere")
        chain.items()
        chain.pages()
        assert repr(chain) == "<Follow vehicles → trips → nowhere>"
        del chain
        gc.collect()
    assert site.requests == []


async def test_awaiting_twice_costs_one_request() -> None:
    site, root = _chain()
    step = root.follow("vehicles")
    assert await step is await step
    assert site.paths == ["/vehicles"]


async def test_many_tasks_awaiting_one_chain_send_one_request_per_link() -> None:
    site, root = _chain()
    chain = root.follow("vehicles").follow("trips")
    resources: list[HalResource] = []

    async def wait() -> None:
        resources.append(await chain)

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(wait)
    assert len(resources) == 10
    assert len(set(map(id, resources))) == 1
    assert site.paths == ["/vehicles", "/trips"]


async def test_intermediate_links_stay_reachable() -> None:
    site, root = _chain()
    chain = root.follow("vehicles").follow("trips")
    await chain
    assert chain.previous is not None
    assert (await chain.previous).url == f"{HOME}/vehicles"
    assert chain.path == ("vehicles", "trips")
    assert len(site.requests) == 2


async def test_two_chains_from_one_link_share_it() -> None:
    site, root = _chain()
    vehicles = root.follow("vehicles")
    await vehicles.follow("trips")
    await vehicles.follow("self")
    assert site.paths == ["/vehicles", "/trips", "/vehicles"]


async def test_a_late_task_uses_the_result_of_the_link() -> None:
    site, root = _chain()
    waits = iter((0, 60))

    async def start() -> HalResource:
        await anyio.sleep(next(waits))
        return root

    step = Follow.from_rel(start, "vehicles", {})
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(step.resource)
    assert site.paths == ["/vehicles"]


async def test_a_cancelled_waiter_does_not_affect_the_others() -> None:
    site, root = _chain(delay=5)
    step = root.follow("vehicles")
    resources: list[HalResource] = []

    async def wait(patience: float) -> None:
        with anyio.move_on_after(patience):
            resources.append(await step)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait, 3)  # the first, whose task does the work
        await anyio.sleep(1)
        tasks.start_soon(wait, 1)
        tasks.start_soon(wait, 60)
        tasks.start_soon(wait, 60)
    assert len(resources) == 2
    assert resources[0] is resources[1]
    assert site.paths == ["/vehicles", "/vehicles"]


async def test_after_all_were_cancelled_the_next_await_starts_anew() -> None:
    site, root = _chain(delay=5)
    step = root.follow("vehicles")
    with anyio.move_on_after(1):
        await step
    assert (await step).url == f"{HOME}/vehicles"
    assert len(site.requests) == 2


async def test_a_failure_reaches_every_waiter_and_is_not_remembered() -> None:
    failure = ServerError("down", status=503)
    site, root = _chain({"/vehicles": failure})
    step = root.follow("vehicles")
    caught: list[ServerError] = []

    async def wait() -> None:
        with pytest.raises(ServerError) as info:
            await step
        caught.append(info.value)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(wait)
    assert len(set(map(id, caught))) == 3
    assert {error.status for error in caught} == {503}
    assert site.paths == ["/vehicles"]
    site.routes["/vehicles"] = {}
    assert (await step).status == 200


async def test_a_transient_failure_reaches_waiters_of_equal_deadlines() -> None:
    site, root = _chain({"/vehicles": ServerError("down", status=503, is_transient=True)})
    step = root.follow("vehicles")

    async def wait() -> None:
        with pytest.raises(ServerError):
            await step

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(wait)
    assert site.paths == ["/vehicles"]


async def test_an_error_names_the_link_of_the_chain() -> None:
    _, root = _chain({"/trips": NotFoundError("no", status=404)})
    with pytest.raises(NotFoundError) as caught:
        await root.follow("vehicles").follow("trips").follow("further")
    assert caught.value.__notes__ == ["while following vehicles → trips: step 2, 'trips'"]


async def test_a_missing_link_in_a_chain_names_its_alternatives() -> None:
    _, root = _chain()
    with pytest.raises(LinkNotFoundError, match="did you mean 'trips'") as caught:
        await root.follow("vehicles").follow("trip")
    assert caught.value.__notes__ == ["while following vehicles → trip: step 2, 'trip'"]
    assert caught.value.url == f"{HOME}/vehicles"


async def test_an_error_of_items_names_the_link_of_the_chain() -> None:
    _, root = _chain()
    with pytest.raises(LinkNotFoundError) as caught:
        await root.follow("vehicles").follow("trip").items().first()
    assert caught.value.__notes__ == ["while following vehicles → trip: step 2, 'trip'"]


async def test_variables_and_parameters_apply_to_their_own_link() -> None:
    site = Site(
        {
            "/vehicles/v1?a=1": {"_links": {"trips": link(f"{HOME}/trips{{?page}}", templated=True)}},
            "/trips?page=2&b=2": {},
        }
    )
    root = site.resource({"_links": {"vehicle": link(f"{HOME}/vehicles/{{id}}", templated=True)}})
    await root.follow("vehicle", variables={"id": "v1"}, params={"a": 1}).follow(
        "trips", variables={"page": 2}, params={"b": 2}
    )
    assert site.paths == ["/vehicles/v1?a=1", "/trips?page=2&b=2"]


async def test_the_url_of_a_link_is_resolved_without_fetching_it() -> None:
    site, root = _chain()
    chain = root.follow("vehicles").follow("trips", params={"a": 1})
    assert await chain.resolve_url({"b": 2}) == f"{HOME}/trips?a=1&b=2"
    assert site.paths == ["/vehicles"]


async def test_the_url_of_a_link_is_resolved_despite_a_copy() -> None:
    copy = {"_links": links(self=f"{HOME}/a")}
    resource = Site().resource({"_links": links(a=f"{HOME}/a"), "_embedded": {"a": copy}})
    assert await resource.follow("a").resolve_url({}) == f"{HOME}/a"


# --------------------------------------------------------------------------------------------- typed relations


class _Trip:
    def __init__(self, total: int) -> None:
        self.total = total


def _structure(resource: HalResource, kind: type[Any]) -> Any:
    return kind(resource["total"])


TRIPS = Rel("trips", _Trip)


async def test_a_typed_relation_returns_its_type() -> None:
    site, root = _chain()
    site.structure = _structure
    root = site.resource({"_links": links(vehicles=f"{HOME}/vehicles")})
    step = root.follow("vehicles").follow(TRIPS)
    trip = await step
    assert type(trip) is _Trip
    assert trip.total == 3
    assert await step is trip
    assert (await step.resource())["total"] == 3
    assert len(site.requests) == 2


async def test_a_typed_link_has_its_path() -> None:
    _, root = _chain()
    assert root.follow("vehicles").follow(TRIPS).path == ("vehicles", "trips")


async def test_a_link_after_a_typed_one_starts_from_its_resource() -> None:
    site, root = _chain({"/trips": {"total": 1, "_links": links(self=f"{HOME}/trips")}})
    assert (await root.follow("vehicles").follow(TRIPS).follow("self"))["total"] == 1
    assert len(site.requests) == 3


async def test_a_client_without_a_converter_rejects_types() -> None:
    _, root = _chain()
    with pytest.raises(TypeError, match="this client has no converter for _Trip: pass converter="):
        await root.follow("vehicles").follow(TRIPS)


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, "text/typed"), ({"accept": "text/said"}, "text/said"), ({"accept": None}, "text/typed")],
)
async def test_a_typed_relation_can_have_a_media_type(options: Any, expected: str) -> None:
    site, root = _chain()
    await root.follow(Rel("vehicles", HalResource, "text/typed"), **options).resource()
    assert site.requests[0].headers["Accept"].startswith(f"{expected}, ")


# --------------------------------------------------------------------------------------------- single flight


async def test_after_other_exceptions_a_waiter_executes() -> None:
    flight: SingleFlight[int] = SingleFlight()
    runs: list[int] = []
    results: list[Any] = []

    async def work() -> int:
        runs.append(1)
        await anyio.sleep(1)
        if len(runs) == 1:
            raise KeyError("a bug")
        return 5

    async def wait() -> None:
        try:
            results.append(await flight.run(work))
        except KeyError as error:
            results.append(str(error))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(wait)
    assert results == ["'a bug'", 5, 5]
    assert len(runs) == 2


async def test_single_flight_keeps_no_result() -> None:
    flight: SingleFlight[int] = SingleFlight()
    results = iter((1, 2))

    async def work() -> int:
        return next(results)

    assert [await flight.run(work), await flight.run(work)] == [1, 2]


async def test_a_result_of_none_is_shared_too() -> None:
    flight: SingleFlight[None] = SingleFlight()
    runs: list[int] = []

    async def work() -> None:
        runs.append(1)
        await anyio.sleep(1)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(flight.run, work)
    assert len(runs) == 1


@pytest.mark.parametrize(
    "failure", [NetworkError("slow"), BudgetExhaustedError("no"), ServerError("x", status=503, is_transient=True)]
)
async def test_a_waiter_with_a_later_deadline_executes_again(failure: StellantisError) -> None:
    flight: SingleFlight[int] = SingleFlight()
    results: list[object] = []

    async def execute() -> int:
        await anyio.sleep(1)
        if anyio.current_effective_deadline() < math.inf:
            raise failure
        return 7

    async def hurried() -> None:
        with anyio.fail_after(60):
            try:
                await flight.run(execute)
            except StellantisError as error:
                results.append(error)

    async def patient() -> None:
        results.append(await flight.run(execute))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hurried)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(patient)
        tasks.start_soon(patient)
    assert results == [failure, 7, 7]


async def test_a_permanent_failure_reaches_every_waiter() -> None:
    flight: SingleFlight[int] = SingleFlight()
    attempts = 0

    async def execute() -> int:
        nonlocal attempts
        attempts += 1
        await anyio.sleep(1)
        raise NotFoundError("gone", status=404)

    async def ask(patience: float) -> None:
        with anyio.fail_after(patience), pytest.raises(NotFoundError):
            await flight.run(execute)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, 60)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(ask, 600)
    assert attempts == 1


def test_a_relation_must_be_a_string_or_a_rel() -> None:
    number: Any = 5
    with pytest.raises(TypeError, match=r"^a relation must be str or Rel, not int$"):
        Site().resource({}).follow(number)
