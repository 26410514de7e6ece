"""Extra: the keys of a body that no field has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from stellantis_hal.hal.deep_pickle import picklable, unwrap
from stellantis_hal.hal.redaction import shortlist

__all__ = ["NO_EXTRA", "Extra"]


class Extra(Mapping[str, Any]):
    """Keys that no field has, with their values as received. Immutable, equal by content."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Extra({shortlist(self._values)})"

    def __reduce__(self) -> tuple[Callable[..., Extra], tuple[Mapping[str, Any]]]:
        return _restore_extra, (picklable(self._values),)


def _restore_extra(values: Mapping[str, Any]) -> Extra:
    return Extra(unwrap(values))


NO_EXTRA: Final = Extra({})
