"""Hypothesis strategies for JSON, in the shapes of HAL documents."""

from typing import Any

from hypothesis import strategies as st

__all__ = ["JSON", "OBJECTS", "nested"]

_KEYS = st.text(max_size=5) | st.sampled_from(
    ["_links", "_embedded", "self", "next", "curies", "curie", "href", "templated", "name", "deprecation", "ex:a"]
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["/a", "/a{?x}", "{", "https://h/{rel}"])
)

JSON: st.SearchStrategy[Any] = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=5), max_leaves=25
)
OBJECTS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(_KEYS, JSON, max_size=6)


def nested(depth: int, key: str) -> dict[str, Any]:
    """Return objects nested to a depth, each under one key."""
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {key: {"a": value}}
    return value
