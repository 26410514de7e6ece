"""What is new in a snapshot."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.fleet import changes as changes_module
from stellantis_hal.fleet.changes import Change, SnapshotState, differences, flatten
from stellantis_hal.hal.headers import Headers
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.fetch import Request, Response
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.resources.status import Status
from stellantis_hal.structuring.converter import TypedConverter, read

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = 24 * 60
judge = partial(changes_module.judge, now=START.timestamp())
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
bodies = st.dictionaries(st.sampled_from("abcd"), json_values, max_size=4)


def a_status(minute: int | None, level: float = 50.0, *, updated: int | None = None, **more: Any) -> Status:
    body: dict[str, Any] = {"energies": [{"type": "Electric", "level": level}], **more}
    for name, moment in (("createdAt", minute), ("updatedAt", updated)):
        if moment is not None:
            body[name] = (START + timedelta(minutes=moment)).isoformat()
    return read(body, Status)


def test_a_first_snapshot_is_news_as_a_whole() -> None:
    news = judge(None, a_status(0))
    assert news.verdict == "news"
    assert Change("energies[0].level", None, 50.0) in news.changes


def test_a_change_has_its_path_and_both_values() -> None:
    kept = judge(None, a_status(0)).kept
    news = judge(kept, a_status(0, 49.0))
    assert news.changes == (Change("energies[0].level", 50.0, 49.0),)
    assert news.kept.serial == 2


def test_what_is_gone_is_a_change() -> None:
    kept = judge(None, a_status(0, battery={"voltage": 91})).kept
    assert judge(kept, a_status(0)).changes == (Change("battery.voltage", 91.0, None),)


def test_an_identical_snapshot_is_no_news() -> None:
    kept = judge(None, a_status(0)).kept
    assert judge(kept, a_status(0)).verdict == "same"


def test_a_body_that_differs_in_nothing_known_to_matter_is_no_news() -> None:
    kept = judge(None, a_status(0, ignition={"type": None})).kept
    news = judge(kept, a_status(0))
    assert news.verdict == "same"
    assert judge(news.kept, a_status(0)).verdict == "same"


def test_an_older_snapshot_is_not_given_after_a_newer_one() -> None:
    kept = judge(None, a_status(10)).kept
    news = judge(kept, a_status(9, 20.0))
    assert news.verdict == "older"
    assert news.kept is kept


def test_of_two_made_at_the_same_time_the_one_changed_earlier_is_older() -> None:
    kept = judge(None, a_status(0, updated=10)).kept
    assert judge(kept, a_status(0, 20.0, updated=9)).verdict == "older"


def test_a_snapshot_without_any_instant_is_taken_for_newer() -> None:
    kept = judge(None, a_status(10)).kept
    news = judge(kept, a_status(None, 20.0))
    assert news.verdict == "news"
    assert judge(news.kept, a_status(9, 30.0)).verdict == "older"


def test_one_snapshot_from_the_future_does_not_silence_those_that_come_after_it() -> None:
    kept = judge(judge(None, a_status(0)).kept, a_status(3_650 * DAY, 20.0)).kept
    news = judge(kept, a_status(1, 30.0))
    assert news.verdict == "news"
    assert judge(news.kept, a_status(0, 40.0)).verdict == "older"


def test_one_changed_in_the_future_does_not_either() -> None:
    kept = judge(None, a_status(0, updated=3_650 * DAY)).kept
    assert judge(kept, a_status(0, 30.0, updated=1)).verdict == "news"


def test_clocks_may_differ_by_a_day() -> None:
    kept = judge(None, a_status(DAY)).kept
    assert judge(kept, a_status(0, 30.0)).verdict == "older"


def test_a_clock_that_is_behind_does_not_make_older_ones_news() -> None:
    kept = judge(None, a_status(50 * DAY)).kept
    assert judge(kept, a_status(49 * DAY, 30.0)).verdict == "older"


def test_snapshots_that_never_say_when_are_compared_by_what_they_say() -> None:
    kept = judge(None, a_status(None)).kept
    assert kept.taken is None
    assert judge(kept, a_status(None)).verdict == "same"
    assert judge(kept, a_status(None, 1.0)).verdict == "news"


@given(st.lists(st.tuples(st.none() | st.integers(0, 20), st.sampled_from([10.0, 20.0, 30.0])), max_size=20))
def test_what_is_given_is_never_older_than_what_was_and_never_twice_the_same(
    snapshots: list[tuple[int | None, float]],
) -> None:
    kept: SnapshotState | None = None
    newest, before = -1, None
    for minute, level in snapshots:
        snapshot = a_status(minute, level)
        news = judge(kept, snapshot)
        if news.verdict == "news":
            assert minute is None or minute >= newest
            assert (minute, level) != before
            assert news.changes
            newest, before = (newest if minute is None else minute), (minute, level)
        elif news.verdict == "older":
            assert minute is not None
            assert minute < newest
        else:
            assert (minute, level) == before
        kept = news.kept


@given(bodies, bodies)
def test_the_changes_turn_the_old_into_the_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    before, after = flatten(old), flatten(new)
    turned = dict(before)
    for change in differences(before, after):
        assert before.get(change.path) == change.old
        turned[change.path] = change.new
    assert {path: value for path, value in turned.items() if value is not None} == {
        path: value for path, value in after.items() if value is not None
    }


@given(bodies)
def test_nothing_differs_from_itself(body: dict[str, Any]) -> None:
    assert differences(flatten(body), flatten(body)) == ()


@pytest.mark.parametrize(("old", "new"), [(True, 1), (0, False)])
def test_a_truth_value_is_no_number(old: Any, new: Any) -> None:
    assert differences({"a": old}, {"a": new}) == (Change("a", old, new),)


def test_paths_name_objects_and_places() -> None:
    assert flatten({"a": {"b": [1, {"c": 2}]}, "d": [], "e": {}}) == {
        "a.b[0]": 1,
        "a.b[1].c": 2,
    }


class Body(bytes):
    """A body that counts how often it is decoded."""

    decoded = 0

    def removeprefix(self, prefix: Any, /) -> bytes:
        self.decoded += 1
        return bytes(self).removeprefix(prefix)


def a_status_of(body: Body, reader: TypedConverter) -> Status:
    answer = Response(url="https://api.example/status", status=200, headers=Headers(), content=body, received_at=START)
    return reader.structure(HalResource.of(answer, ResourceContext(fetch=never)), Status)


async def never(request: Request, /) -> Response:
    raise AssertionError(request.url)


def test_a_snapshot_in_the_same_bytes_is_decoded_once() -> None:
    content = b'{"createdAt":"2026-01-01T00:00:00Z","energies":[{"type":"Electric","level":50}]}'
    kept = judge(None, a_status_of(Body(content), TypedConverter())).kept
    again = Body(content)
    assert judge(kept, a_status_of(again, TypedConverter())).verdict == "same"
    assert again.decoded == 1


def test_the_same_in_other_bytes_is_no_news() -> None:
    kept = judge(None, a_status_of(Body(b'{"createdAt":"2026-01-01T00:00:00Z","odometer":{}}'), TypedConverter())).kept
    other = a_status_of(Body(b'{ "odometer": {}, "createdAt": "2026-01-01T00:00:00Z" }'), TypedConverter())
    assert judge(kept, other).verdict == "same"


@pytest.mark.parametrize("keep_document", [True, False])
def test_a_change_is_news_whether_documents_are_kept_or_not(keep_document: bool) -> None:
    reader = TypedConverter(keep_document=keep_document)
    links = b'"_links":{"self":{"href":"/status"}}'
    kept = judge(None, a_status_of(Body(b'{"odometer":{"mileage":1},%s}' % links), reader)).kept
    news = judge(kept, a_status_of(Body(b'{"odometer":{"mileage":2},%s}' % links), reader))
    assert news.changes == (Change("odometer.mileage", 1.0, 2.0),)
