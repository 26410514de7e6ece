"""Pages of collections and their links."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.simulator import BackendVariant, Simulator, World
from stellantis_hal.simulator.api.http_messages import Request
from stellantis_hal.simulator.api.pages import BadPageError, page_body, reshape, select_page
from tests.simulator.api_client import ApiClient

SECRET = b"secret"
PLACE = "https://host/things"


def page_body_of(total: int, query: str, *, by_range: bool = False) -> dict[str, Any]:
    request = Request(method="GET", path="/things", query=query)
    page = select_page(request, total, SECRET)
    items = list(range(total))[page.first : page.end]
    return page_body(page, request, SECRET, address=PLACE, name="things", items=items, by_range=by_range)


def follow(total: int, query: str, *, rel: str = "next", by_range: bool = False) -> list[list[int]]:
    found: list[list[int]] = []
    while True:
        body = page_body_of(total, query, by_range=by_range)
        found.append(body["_embedded"]["things"])
        links: dict[str, dict[str, str]] = body["_links"]
        if rel not in links:
            return found
        query = links[rel]["href"].partition("?")[2]


totals, sizes = st.integers(0, 200), st.integers(1, 60)


@pytest.mark.unmeasured
@given(totals, sizes, st.booleans())
def test_next_links_reach_every_item_once(total: int, size: int, by_range: bool) -> None:
    pages = follow(total, f"pageSize={size}", by_range=by_range)
    assert [item for page in pages for item in page] == list(range(total))
    assert all(len(page) == size for page in pages[:-1])


@pytest.mark.unmeasured
@given(totals, sizes, st.booleans())
def test_prev_links_lead_back_to_the_first_page(total: int, size: int, by_range: bool) -> None:
    first = page_body_of(total, f"pageSize={size}", by_range=by_range)
    last = first["_links"]["last"]["href"].partition("?")[2]
    pages = follow(total, last, rel="prev", by_range=by_range)
    assert [item for page in reversed(pages) for item in page] == list(range(total))


@pytest.mark.unmeasured
@given(totals, sizes, st.integers(0, 100), st.integers(0, 100))
def test_links_stay_within_the_requested_range(total: int, size: int, begin: int, more: int) -> None:
    pages = follow(total, f"indexRange={begin}-{begin + more}&pageSize={size}")
    assert [item for page in pages for item in page] == list(range(total))[begin : begin + more + 1]


def test_variant_has_an_empty_page_between_two() -> None:
    found: list[list[int]] = []
    query = "pageSize=2&client_id=app"
    while True:
        request = Request(method="GET", path="/things", query=query)
        body = reshape(page_body_of(5, query), request, BackendVariant(empty_pages=True))
        found.append(body["_embedded"]["things"])
        if "next" not in body["_links"]:
            break
        query = body["_links"]["next"]["href"].partition("?")[2]
    assert found == [[0, 1], [], [2, 3], [], [4]]


@pytest.mark.unmeasured
@given(totals, st.integers(0, 100))
def test_open_range_goes_to_the_end(total: int, begin: int) -> None:
    pages = follow(total, f"indexRange={begin}-")
    assert [item for page in pages for item in page] == list(range(total))[begin:]


def test_pages_are_numbered_from_one() -> None:
    body = page_body_of(130, "pageSize=60")
    assert (body["total"], body["currentPage"], body["totalPage"]) == (130, 1, 3)


def test_links_keep_filters_and_drop_the_client_id() -> None:
    query = "states=Nominal&timestamps=2024-01-01T00:00:00%2B01:00/&client_id=me&pageSize=2"
    href = page_body_of(9, query)["_links"]["next"]["href"]
    kept = "states=Nominal&timestamps=2024-01-01T00:00:00%2B01:00/&pageSize=2"
    assert href.startswith(f"{PLACE}?{kept}&pageToken=")


def test_variant_pages_by_range_uses_index_ranges() -> None:
    links = page_body_of(9, "states=Nominal&pageSize=4", by_range=True)["_links"]
    assert links["next"]["href"] == f"{PLACE}?states=Nominal&pageSize=4&indexRange=4-7"


def test_page_by_range_needs_no_other_parameter() -> None:
    links = page_body_of(99, "", by_range=True)["_links"]
    assert links["next"]["href"] == f"{PLACE}?indexRange=60-119"


def token_query() -> str:
    href: str = page_body_of(9, "pageSize=2")["_links"]["next"]["href"]
    return href.partition("?")[2]


def test_token_is_changed_by_re_encoding() -> None:
    assert "==%7C" in token_query()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("==", "%3D%3D"),
        ("%7C", "|"),
        ("%7C", "%7c"),
        ("pageSize=2", "pageSize=3"),
        ("=A", "=B"),
        ("==", ""),
        ("%7C2", ""),
    ],
)
def test_altered_token_is_refused(old: str, new: str) -> None:
    with pytest.raises(BadPageError):
        page_body_of(9, token_query().replace(old, new, 1))


def test_token_is_valid_for_its_filters_only() -> None:
    with pytest.raises(BadPageError):
        page_body_of(9, f"states=Nominal&{token_query()}")


@pytest.mark.parametrize(("old", "new"), [("==", "%3D%3D"), ("%7C", "|"), ("%7C", "%7c"), ("x", "x")])
def test_lenient_variant_accepts_re_encoded_tokens(old: str, new: str) -> None:
    request = Request(method="GET", path="/things", query=token_query().replace(old, new))
    assert select_page(request, 9, SECRET, lenient=True).first == 2


@pytest.mark.anyio
async def test_variant_relative_links() -> None:
    api = ApiClient(Simulator(World(seed=1, vehicles=1, trips=5), variant=BackendVariant(relative_links=True)))
    body = await api.body("/user")
    assert body["_links"]["vehicles"]["href"] == "/connectedcar/v4/user/vehicles"


@pytest.mark.anyio
async def test_links_have_the_proxys_base() -> None:
    simulator = Simulator(World(seed=1, vehicles=1, trips=5))
    simulator.set_link_base("http://127.0.0.1:4010/")
    assert (await ApiClient(simulator).body("/user"))["_links"]["self"]["href"] == "http://127.0.0.1:4010/user"
