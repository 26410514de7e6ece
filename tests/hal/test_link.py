"""Link objects."""

from typing import Any

import pytest

from stellantis_hal.hal.link import Link


def test_known_and_unknown_members_are_kept() -> None:
    members: dict[str, Any] = {
        "href": "/a",
        "templated": True,
        "name": "n",
        "title": "T",
        "type": "text/plain",
        "profile": "https://p",
        "deprecation": "https://d",
        "hreflang": "fr",
        "method": "post",
        "x": [1],
    }
    assert Link.parse("a", members) == Link(
        "/a",
        rel="a",
        templated=True,
        name="n",
        title="T",
        type="text/plain",
        profile="https://p",
        deprecation="https://d",
        hreflang="fr",
        extra={"method": "post", "x": [1]},
    )


@pytest.mark.parametrize("templated", [5, "true", 1, None, [], {}, False])
def test_only_true_makes_a_template(templated: Any) -> None:
    link = Link.parse("a", {"href": "/{x}", "templated": templated})
    assert link is not None
    assert not link.templated


@pytest.mark.parametrize("members", [{}, {"href": None}, {"href": 5}, {"href": ["/a"], "name": "x"}])
def test_a_link_without_an_href_is_readable(members: dict[str, Any]) -> None:
    link = Link.parse("a", members)
    assert link is not None
    assert link.href is None


@pytest.mark.parametrize("value", [None, 3, True, [], 1.5])
def test_only_objects_and_strings_are_links(value: Any) -> None:
    assert Link.parse("a", value) is None


def test_a_bare_string_is_an_href() -> None:
    assert Link.parse("a", "/x") == Link("/x", rel="a")


def test_members_that_are_not_strings_are_not_set() -> None:
    assert Link.parse("a", {"href": "/a", "name": 5, "title": [], "type": {}}) == Link("/a", rel="a")


@pytest.mark.parametrize(
    ("notice", "read"),
    [(None, None), (False, None), (True, "True"), ("soon", "soon"), ("", ""), (5, "5"), ({"a": 1}, "{'a': 1}")],
)
def test_any_deprecation_except_null_and_false_counts(notice: Any, read: str | None) -> None:
    link = Link.parse("a", {"href": "/a", "deprecation": notice})
    assert link is not None
    assert link.deprecation == read
