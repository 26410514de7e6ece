"""Reading of pydantic models, where a program has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stellantis_hal.errors import StructureError
from stellantis_hal.structuring.problems import Problem, json_type

__all__ = ["is_pydantic", "read_pydantic"]

_VALIDATOR = "__pydantic_validator__"
_RESERVED = frozenset({"_links", "_embedded"})


def is_pydantic(kind: Any) -> bool:
    """Return whether a class is a pydantic model or a pydantic dataclass; pydantic is not imported for this."""
    return isinstance(kind, type) and _VALIDATOR in vars(kind)


def read_pydantic(value: Any, kind: type[Any]) -> Any:
    """Read a JSON value as a pydantic model; ``_links`` and ``_embedded`` may be there where extra keys are forbidden.

    Raises:
        StructureError: the model does not accept the value; the problems have paths and no values.
    """
    validator: Any = getattr(kind, _VALIDATOR)
    try:
        return validator.validate_python(value)
    except ValueError as error:
        problems = _problems_of(error)
        extra = {problem.path.removeprefix("$.") for problem in problems}
        if extra and extra <= _RESERVED and isinstance(value, Mapping):
            return read_pydantic({key: one for key, one in value.items() if key not in extra}, kind)
        paths = "; ".join(f"{problem.path}: {problem.reason}" for problem in problems)
        raise StructureError(f"{kind.__name__} does not accept the value: {paths}", problems=problems) from None


def _problems_of(error: ValueError) -> list[Problem]:
    """Return the records of a pydantic error: types of errors, because its messages may quote values."""
    details: Any = error  # a ValidationError of pydantic, which is a ValueError
    return [
        Problem(path=_path(one["loc"]), value_type=json_type(one["input"]), reason=f"pydantic: {one['type']}")
        for one in details.errors(include_url=False, include_context=False)
    ]


def _path(steps: tuple[str | int, ...]) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
