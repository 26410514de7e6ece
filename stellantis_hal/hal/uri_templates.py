"""URI templates (RFC 6570), expanded strictly.

Knows which variables a template has and which of them it cannot do without. Must not guess whether a string is a
template: only ``templated: true`` makes it one. Nothing is parsed before its link is followed, since real servers send
templates that are none.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping, Sequence
from typing import Any

from uri_template import URITemplate
from uri_template.expansions import (
    Expansion,
    ExpansionFailedError,
    FormStyleQueryContinuation,
    FormStyleQueryExpansion,
    FragmentExpansion,
    PathStyleExpansion,
)
from uri_template.uritemplate import ExpansionInvalidError, ExpansionReservedError
from uri_template.variable import VariableInvalidError

from stellantis_hal.errors import TemplateError
from stellantis_hal.hal.redaction import mask_text, shortlist
from stellantis_hal.hal.uri import to_ascii

__all__ = ["expand", "plain", "variables"]

# The parser takes time by the square of a template that is nothing but braces: milliseconds for this many characters.
_LONGEST = 8_192
# Expressions that leave nothing behind when their variables are undefined: {?x}, {&x}, {#x} and {;x}.
_DISPENSABLE = (FormStyleQueryExpansion, FormStyleQueryContinuation, FragmentExpansion, PathStyleExpansion)


def variables(template: str) -> tuple[str, ...]:
    """Name the template's variables, in their order.

    Raises:
        TemplateError: it cannot be parsed.
    """
    return tuple(dict.fromkeys(variable.name for expression in _parse(template) for variable in expression.variables))


def expand(template: str, values: Mapping[str, Any]) -> str:
    """Expand a template; what is not ASCII in its literals is percent-encoded.

    Values: text, numbers, bools (``true``), enumeration members (their value), instants (RFC 3339), sequences and
    mappings of these; anything else by its ``str``. None, an empty sequence or mapping, and a missing value are the
    same: undefined (RFC 6570 section 2.3).

    Raises:
        TemplateError: it cannot be parsed, a value is given for a variable that it does not have, or one is missing
            that stands in the path or the host.
    """
    expressions = _parse(template)
    names = {variable.name for expression in expressions for variable in expression.variables}
    unknown = sorted(set(values) - names)
    if unknown:
        raise TemplateError(
            f"no variable {', '.join(map(repr, unknown))} in the template {_shown(template)}; it has: "
            f"{shortlist(sorted(names)) or 'none'}"
        )
    ready = {name: value for name, given in values.items() if (value := plain(given)) not in (None, [], {})}
    missing = sorted({name for expression in expressions for name in _needed(expression)} - set(ready))
    if missing:
        raise TemplateError(
            f"the template {_shown(template)} cannot be expanded without {shortlist([*map(repr, missing)])}: pass "
            "variables="
        )
    try:
        return to_ascii("".join(expression.expand(ready) or "" for expression in expressions))
    except (ExpansionFailedError, UnicodeError) as error:
        raise TemplateError(
            f"the template {_shown(template)} does not take such a value: {mask_text(str(error))}"
        ) from error


def _parse(template: str) -> list[Expansion]:
    if len(template) > _LONGEST:
        raise TemplateError(f"a template of {len(template)} characters, more than the {_LONGEST} that are read")
    try:
        return URITemplate(template).expansions
    except (ExpansionInvalidError, ExpansionReservedError, VariableInvalidError, IndexError, UnicodeError) as error:
        raise TemplateError(f"{_shown(template)} is no URI template (RFC 6570): {mask_text(str(error))}") from error


def _shown(template: str) -> str:
    return repr(mask_text(template))


def _needed(expression: Expansion) -> list[str]:
    """Name the variables without which the expression would leave a gap, such as ``//remotes``."""
    if isinstance(expression, _DISPENSABLE):
        return []
    return [variable.name for variable in expression.variables if variable.default is None]


def plain(value: Any) -> Any:
    """Make text of a value, or a list or dict of texts, for an address; None stays, and is left out of those."""
    if value is None:
        return None
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, Sequence):
        return [plain(item) for item in value if item is not None]
    return str(value)
