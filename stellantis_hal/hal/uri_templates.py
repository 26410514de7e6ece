"""URI templates (RFC 6570), expanded strictly."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping, Sequence
from typing import Any

from uri_template import URITemplate
from uri_template.expansions import (
    Expansion,
    ExpansionFailedError,
    ReservedExpansion,
    SimpleExpansion,
)
from uri_template.uritemplate import ExpansionInvalidError, ExpansionReservedError
from uri_template.variable import VariableInvalidError

from stellantis_hal.errors import TemplateError
from stellantis_hal.hal.redaction import mask_text, shortlist
from stellantis_hal.hal.uri import to_ascii

__all__ = ["expand", "plain", "variables"]

# The parser takes quadratic time for a template of braces alone: milliseconds for this many characters.
_MAX_LENGTH = 8_192
_MAX_QUOTED = 500  # characters of a template in an error
# Expressions without a character of their own in front: where they expand to nothing, a separator may be left.
_BARE = (SimpleExpansion, ReservedExpansion)


def variables(template: str) -> tuple[str, ...]:
    """Return the names of a template's variables, in their order.

    Raises:
        TemplateError: the template cannot be parsed.
    """
    return tuple(dict.fromkeys(variable.name for expression in _parse(template) for variable in expression.variables))


def expand(template: str, values: Mapping[str, Any]) -> str:
    """Expand a template; non-ASCII characters in its literals are percent-encoded.

    Only links with ``templated: true`` are templates; servers also send URLs that contain braces.

    Args:
        template: the template.
        values: strings, numbers, bools (``true``), enumeration members (their value), instants (RFC 3339), sequences
            and mappings of these; any other object by its ``str``. None, an empty sequence or mapping, and a missing
            value mean undefined: they expand to nothing (RFC 6570 section 2.3).

    Raises:
        TemplateError: the template cannot be parsed, a value is given for a variable that it does not have, or a
            whole segment of the path, or the host, would be missing, as in ``//remotes``.
    """
    expressions = _parse(template)
    names = {variable.name for expression in expressions for variable in expression.variables}
    unknown = sorted(set(values) - names)
    if unknown:
        raise TemplateError(
            f"no variable {shortlist([*map(repr, unknown)])} in the template {_quote(template)}; it has: "
            f"{shortlist(sorted(names)) or 'none'}"
        )
    texts = {name: text for name, value in values.items() if (text := plain(value)) not in (None, [], {})}
    try:
        parts = [expression.expand(texts) or "" for expression in expressions]
    except (ExpansionFailedError, UnicodeError) as error:
        raise TemplateError(
            f"the template {_quote(template)} does not accept a value of this type: {_shorten(str(error))}"
        ) from None
    missing = _missing_segments(expressions, parts) if "" in parts else []
    if missing:
        raise TemplateError(
            f"the template {_quote(template)} cannot be expanded without {shortlist([*map(repr, missing)])}: pass "
            "variables="
        )
    return to_ascii("".join(parts))


def _parse(template: str) -> list[Expansion]:
    if len(template) > _MAX_LENGTH:
        raise TemplateError(f"a template of {len(template)} characters cannot be read: the limit is {_MAX_LENGTH}")
    try:
        return URITemplate(template).expansions
    except (ExpansionInvalidError, ExpansionReservedError, VariableInvalidError, IndexError, UnicodeError) as error:
        raise TemplateError(f"{_quote(template)} is not a URI template (RFC 6570): {_shorten(str(error))}") from None


def _quote(template: str) -> str:
    return repr(_shorten(template))


def _shorten(text: str) -> str:
    """Return a text masked, and cut where it would fill a log."""
    masked = mask_text(text)
    return masked if len(masked) <= _MAX_QUOTED else f"{masked[:_MAX_QUOTED]}…"


def _missing_segments(expressions: Sequence[Expansion], parts: Sequence[str]) -> list[str]:
    """Return the variables that alone make up a segment of the path, or the host, and have no value."""
    missing: set[str] = set()
    before, run = "", list[Expansion]()  # the last character, and the expressions without a value after it
    for expression, part in zip([*expressions, None], [*parts, "/"], strict=True):
        if expression is not None and not part:
            run.append(expression)
            continue
        if before in {"", "/"} and part[0] in "/?#":
            missing.update(variable.name for one in run if type(one) in _BARE for variable in one.variables)
        if "?" in part or "#" in part:
            break
        before, run = part[-1], []
    return sorted(missing)


_NO_TEXT: Any = object.__str__  # returns the repr


def plain(value: Any) -> Any:
    """Return a value as text, or as a list or dict of texts, for a URL; None stays None, and is left out of lists.

    Raises:
        TypeError: it has no text, as bytes, sets and objects of most classes have none.
    """
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
    if isinstance(value, bytes | bytearray | memoryview) or not (
        isinstance(value, int | float | Sequence) or type(value).__str__ is not _NO_TEXT
    ):
        raise TypeError(
            f"a value of a URL or form must be text, a number, a bool, a date, or a list or mapping of these, not "
            f"{type(value).__name__}"
        )
    if isinstance(value, Sequence):
        return [plain(item) for item in value if item is not None]
    return str(value)
