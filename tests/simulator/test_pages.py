"""How collections are cut into pages."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.simulator import BackendVariant, Simulator, World
from stellantis_hal.simulator.api.messages import Request
from stellantis_hal.simulator.api.pages import BadPageError, page_body, select_page
from tests.simulator.reader import Reader

SECRET = b"secret"
PLACE = "https://host/things"


def page_of(total: int, query: str, *, by_range: bool = False) -> dict[str, Any]:
    call = Request(method="GET", path="/things", query=query)
    page = select_page(call, total, SECRET)
    items = list(range(total))[page.first : page.end]
    return page_body(page, call, SECRET, address=PLACE, name="things", items=items, by_range=by_range)


def walk(total: int, query: str, *, rel: str = "next", by_range: bool = False) -> list[list[int]]:
    found: list[list[int]] = []
    while True:
        body = page_of(total, query, by_range=by_range)
        found.append(body["_embedded"]["things"])
        links: dict[str, dict[str, str]] = body["_links"]
        if rel not in links:
            return found
        query = links[rel]["href"].partition("?")[2]


totals, sizes = st.integers(0, 200), st.integers(1, 60)


@given(totals, sizes, st.booleans())
def test_next_leads_through_everything_once(total: int, size: int, by_range: bool) -> None:
    pages = walk(total, f"pageSize={size}", by_range=by_range)
    assert [item for page in pages for item in page] == list(range(total))
    assert all(len(page) == size for page in pages[:-1])


@given(totals, sizes, st.booleans())
def test_prev_leads_back_from_the_last_page_to_the_first(total: int, size: int, by_range: bool) -> None:
    first = page_of(total, f"pageSize={size}", by_range=by_range)
    last = first["_links"]["last"]["href"].partition("?")[2]
    pages = walk(total, last, rel="prev", by_range=by_range)
    assert [item for page in reversed(pages) for item in page] == list(range(total))


@given(totals, sizes, st.integers(0, 100), st.integers(0, 100))
def test_a_walk_stays_in_the_range_asked_for(total: int, size: int, begin: int, more: int) -> None:
    pages = walk(total, f"indexRange={begin}-{begin + more}&pageSize={size}")
    assert [item for page in pages for item in page] == list(range(total))[begin : begin + more + 1]


@given(totals, st.integers(0, 100))
def test_an_open_range_goes_to_the_end(total: int, begin: int) -> None:
    pages = walk(total, f"indexRange={begin}-")
    assert [item for page in pages for item in page] == list(range(total))[begin:]


def test_pages_are_counted_from_one() -> None:
    body = page_of(130, "pageSize=60")
    assert (body["total"], body["currentPage"], body["totalPage"]) == (130, 1, 3)


def test_links_keep_filters_as_they_were_sent_and_drop_the_client_id() -> None:
    query = "states=Nominal&timestamps=2024-01-01T00:00:00%2B01:00/&client_id=me&pageSize=2"
    href = page_of(9, query)["_links"]["next"]["href"]
    kept = "states=Nominal&timestamps=2024-01-01T00:00:00%2B01:00/&pageSize=2"
    assert href.startswith(f"{PLACE}?{kept}&pageToken=")


def test_older_back_ends_name_pages_by_range() -> None:
    links = page_of(9, "states=Nominal&pageSize=4", by_range=True)["_links"]
    assert links["next"]["href"] == f"{PLACE}?states=Nominal&pageSize=4&indexRange=4-7"


def test_a_page_named_by_range_alone_needs_no_other_query() -> None:
    links = page_of(99, "", by_range=True)["_links"]
    assert links["next"]["href"] == f"{PLACE}?indexRange=60-119"


def token_query() -> str:
    href: str = page_of(9, "pageSize=2")["_links"]["next"]["href"]
    return href.partition("?")[2]


def test_a_token_holds_what_does_not_survive_re_encoding() -> None:
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
def test_an_altered_token_is_refused(old: str, new: str) -> None:
    with pytest.raises(BadPageError):
        page_of(9, token_query().replace(old, new, 1))


def test_a_token_is_good_for_its_own_filters_only() -> None:
    with pytest.raises(BadPageError):
        page_of(9, f"states=Nominal&{token_query()}")


@pytest.mark.parametrize(("old", "new"), [("==", "%3D%3D"), ("%7C", "|"), ("%7C", "%7c"), ("x", "x")])
def test_a_lenient_back_end_takes_tokens_that_were_re_encoded(old: str, new: str) -> None:
    call = Request(method="GET", path="/things", query=token_query().replace(old, new))
    assert select_page(call, 9, SECRET, lenient=True).first == 2


@pytest.mark.anyio
async def test_links_are_relative_where_the_back_end_makes_them_so() -> None:
    reader = Reader(Simulator(World(seed=1, vehicles=1, trips=5), variant=BackendVariant(relative_links=True)))
    body = await reader.body("/user")
    assert body["_links"]["vehicles"]["href"] == "/connectedcar/v4/user/vehicles"


@pytest.mark.anyio
async def test_links_lead_through_a_proxy_where_one_stands_before() -> None:
    simulator = Simulator(World(seed=1, vehicles=1, trips=5))
    simulator.set_link_base("http://127.0.0.1:4010/")
    assert (await Reader(simulator).body("/user"))["_links"]["self"]["href"] == "http://127.0.0.1:4010/user"
