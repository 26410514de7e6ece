"""Collections that change between two responses are read as before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.navigation.pagination.head_shift import HeadShift
from tests.navigation.pagination.changes import FORMS, WAYS, described, read, read_changing, sequences
from tests.support.profiles import few_examples, scenario

pytestmark = pytest.mark.unmeasured  # other tests reach the same lines

EXPECTED = read()


SLICES = [slice(start, start + 7) for start in range(0, len(sequences()), 7)]
PARTS = [part if index % 4 == 0 else scenario(part) for index, part in enumerate(SLICES)]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: str(part.start))
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("form", FORMS)
def test_changing_collections_are_read_as_before(form: str, way: str, part: slice) -> None:
    """Requests, items, errors and what is logged, word for word."""
    assert described(form, way, part) == EXPECTED[form, way][part]


def test_the_file_has_no_other_readings() -> None:
    assert [*EXPECTED] == [(form, way) for form in FORMS for way in WAYS]
    assert {len(lines) for lines in EXPECTED.values()} == {len(sequences())}


TOLD = ("linked", "by ranges", "by ranges of two", "redirected")
BACKWARDS = st.sampled_from([way for way in WAYS if way.startswith("backwards")])
HEAD = (b"a", b"b", b"c")


@few_examples()
@given(
    form=st.sampled_from(TOLD),
    way=BACKWARDS,
    first=st.sampled_from(".+25rm="),
    changes=st.lists(st.sampled_from("+25arm="), max_size=4),
    length=st.integers(1, 24),
)
def test_backwards_nothing_is_lost_without_a_word(
    form: str, way: str, first: str, changes: list[str], length: int
) -> None:
    """Items that stay are returned, or a log line says that some may be missing.

    However many are added at the head, or at the tail once the last page is read, or removed anywhere but at the head:
    as long as nothing is added while items that have moved are read.
    """
    found = read_changing(FORMS[form], way, ".....".join([first, *changes]), length=length)
    assert found.told or {*found.stayed} <= {*found.ids}


@few_examples()
@given(way=BACKWARDS, changes=st.text(".+25a", max_size=5), length=st.integers(1, 12))
def test_backwards_arrivals_lose_nothing_and_warn_of_nothing(way: str, changes: str, length: int) -> None:
    found = read_changing(FORMS["linked"], way, changes, length=length)
    assert (found.told, {*found.stayed} - {*found.ids}) == ([], set())


@pytest.mark.parametrize(
    ("pages", "moved", "added"),
    [
        ([b"abc"], 0, 0),
        ([b"xab"], 0, 1),
        ([b"bcd"], 0, -1),
        ([b"xcd"], 0, -1),
        ([b"xya", b"vw"], 0, 4),
        ([b"def", b"xyz"], 3, None),
        ([b"", b"xya"], 2, 2),
        ([b"bcd", b"xya"], 2, 2),
        ([b"bcd", b"xyz"], 3, None),
    ],
)
def test_the_head_shows_what_was_added_before_it(pages: list[bytes], moved: int, added: int | None) -> None:
    """Without totals, only the first item of the head shows it exactly."""
    shift = HeadShift.of([b"a", b"b", b"c", b"d"])
    read_items: list[bytes] = []
    for number, page in enumerate(pages):
        read_items = [bytes([one]) for one in page]
        shift = shift.after(read_items, (), 0 if number else moved)
    assert shift.head == HEAD
    assert shift.moved == moved
    assert shift.is_explained(read_items, has_totals=True) is (added is not None and added <= moved)
    is_exact = added == moved and b"a" in b"".join(pages)
    assert shift.is_explained(read_items, has_totals=False) is is_exact


def test_an_unknown_head_explains_anything() -> None:
    assert HeadShift().after([b"a"], (), 1) == HeadShift((), 1)
    assert HeadShift(moved=5).is_explained([b"a"], has_totals=False)


def test_items_behind_a_page_are_searched_for_the_head_too() -> None:
    shift = HeadShift.of([b"a", b"b"]).after([b"x", b"y"], [b"z", b"a"], 1)
    assert shift == HeadShift((b"a", b"b"), moved=1, before=3)
    assert shift.after([b"v", b"w"], [b"x", b"y"], 2) == HeadShift((b"a", b"b"), moved=3, before=7)
    assert shift.after([b"v", b"a"], [], 0) == HeadShift((b"a", b"b"), moved=1, before=1)
