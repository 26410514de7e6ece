"""Functions that stand in for others."""

from collections.abc import Callable
from typing import TypeVar

__all__ = ["returns"]

T = TypeVar("T")


def returns(value: T) -> Callable[..., T]:
    """Return a function of any arguments, which returns the value."""

    def function(*_: object, **__: object) -> T:
        return value

    return function
