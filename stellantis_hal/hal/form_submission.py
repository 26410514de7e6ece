"""Submissions of forms: the values that are sent, checked against the fields, and their encodings."""

from __future__ import annotations

import datetime as dt
import enum
import math
import os
import uuid
from collections.abc import AsyncIterable, Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from graphlib import CycleError, TopologicalSorter
from typing import Any

import attrs

from stellantis_hal.errors import FormError, TemplateError
from stellantis_hal.hal.form_patterns import PatternChecker
from stellantis_hal.hal.forms import Choice, FieldTemplate, FormTemplate, to_number
from stellantis_hal.hal.json import encode
from stellantis_hal.hal.redaction import mask_repr, mask_url, redacted_repr, shortlist
from stellantis_hal.hal.uri import append_query, encode_query
from stellantis_hal.hal.uri_templates import expand, plain, variables

__all__ = [
    "MULTIPART",
    "URLENCODED",
    "FormValues",
    "expand_target",
    "fill",
    "has_body",
    "is_json",
    "to_pairs",
    "to_query",
]

MULTIPART = "multipart/form-data"
URLENCODED = "application/x-www-form-urlencoded"

_IN_QUERY = frozenset(("GET", "HEAD", "DELETE"))
_IN_BODY = frozenset(("POST", "PUT", "PATCH"))
# Media types whose name ends in +json, but whose body is no object of names and values.
_OTHER_JSON = frozenset(("application/json-patch+json", "application/json-seq", "application/geo+json-seq"))
_MAX_DEPTH = 32
_LONGEST_FAULTS = 400  # characters of the faults of one field in a message
_NUMBERS = frozenset(("number", "range"))
_TOO_EXACT = "has more digits, or another size, than a number in JSON keeps, about 17 digits: round it"
_DATES: Mapping[str, Callable[[str], Any]] = {
    "date": dt.date.fromisoformat,
    "datetime-local": dt.datetime.fromisoformat,
    "time": dt.time.fromisoformat,
}


@attrs.frozen
class FormValues:
    """What a form sends.

    Attributes:
        values: the values by name, in the fields' order.
        files: the files by name; a list for several files of one name.
        unchecked: why the value of a field could not be checked against its pattern, by name.
    """

    __repr__ = redacted_repr

    values: Mapping[str, Any]
    files: Mapping[str, Any]
    unchecked: Mapping[str, str]


def has_body(method: str) -> bool:
    """Return whether a form of this method is sent as a body; otherwise as the query of its target."""
    return method in _IN_BODY


def is_json(content_type: str) -> bool:
    """Return whether names and values can be sent as a JSON object of this media type."""
    return content_type.endswith(("/json", "+json")) and "*" not in content_type and content_type not in _OTHER_JSON


def fill(
    form: FormTemplate, values: Mapping[str, Any], files: Mapping[str, Any], extra: Mapping[str, Any], url: str
) -> FormValues:
    """Return what a form sends for these values.

    Args:
        form: the form.
        values: values by field.
        files: files by field.
        extra: members to send unchecked, also instead of a field's value.
        url: the URL of the document, for errors.

    Raises:
        TypeError: there is no such field.
        FormError: with the faults of all fields; nothing can be sent.
    """
    fields = {field.name: field for field in form.fields}
    unknown = [name for name in (*values, *files) if name not in fields]
    if unknown:
        raise TypeError(
            f"the form {mask_repr(form.key)} has no field {shortlist([*map(repr, unknown)])}; its fields are: "
            f"{shortlist([*fields]) or 'none'}. Members that it does not name are sent with extra={{}}"
        )
    work = _Work(form, values, files)
    faults = {name: tuple(found) for name, found in work.faults(extra) if found}
    if faults:
        raise FormError(_message(form, faults, url), errors=faults, url=url)
    return FormValues({**work.values, **extra}, work.files, work.unchecked)


def _message(form: FormTemplate, faults: Mapping[str, tuple[str, ...]], url: str) -> str:
    told = [f"{name}: {', '.join(found)}" if name else ", ".join(found) for name, found in faults.items()]
    shown = shortlist(told, longest=_LONGEST_FAULTS, between="; ")
    return f"nothing was sent for the form {mask_repr(form.key)} of {mask_url(url)}: {shown}"


class _Work:
    """One submission while it is checked."""

    def __init__(self, form: FormTemplate, values: Mapping[str, Any], files: Mapping[str, Any]) -> None:
        self._form = form
        self._given = values
        self._given_files = files
        self._has_texts = not has_body(form.method) or form.content_type in {URLENCODED, MULTIPART}
        self._patterns = PatternChecker()
        self.values: dict[str, Any] = {}
        self.files: dict[str, Any] = {}
        self.unchecked: dict[str, str] = {}

    def faults(self, extra: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
        """Yield the faults of the form and of each field, and collect its values."""
        yield "", [*_form_faults(self._form)]
        templated = [field for field in self._form.fields if field.templated and field.name not in self._given]
        waiting = {field.name for field in templated} - extra.keys()
        for field in self._form.fields:
            if field.name not in extra:
                yield field.name, [*(self._file(field) if field.control == "file" else self._value(field, waiting))]
        yield from _expand_templated([field for field in templated if field.name in waiting], self.values, extra)

    def _file(self, field: FieldTemplate) -> Iterator[str]:
        value = self._given_files.get(field.name, self._given.get(field.name))
        if value is None or value == []:
            if field.required and not field.read_only:
                yield "is required"
        elif self._form.content_type != MULTIPART or not has_body(self._form.method):
            yield f"is a file, and the form sends {_encoding(self._form)}"
        elif not all(map(_is_file, value if isinstance(value, list) else [value])):
            yield "must be a Path, bytes, or a file opened in binary mode"
        else:
            self.files[field.name] = value

    def _value(self, field: FieldTemplate, waiting: set[str]) -> Iterator[str]:
        if field.name in self._given_files:
            yield "is not a field for files"
            return
        if field.name in waiting:
            return
        value: Any = field.default
        if field.name in self._given:
            try:
                value = _to_json(self._given[field.name], self._has_texts)
            except (RecursionError, TypeError, ValueError) as error:
                yield str(error) if isinstance(error, TypeError) else "contains itself, or is nested too deeply"
                return
            if field.read_only:
                if not _is_same(value, field.default):
                    yield "is read-only: only the value that the form states can be sent"
                    return
            else:
                value, found = self._check(field, value)
                if found:
                    yield from found
                    return
        elif field.control in _NUMBERS and isinstance(value, str) and not field.read_only:
            number = _to_exact_number(value)
            value = value if number is None or isinstance(number, Decimal) else number
        if field.required and not field.read_only and _has_no_value(value):
            yield "is required"
        elif value is not None or (field.name in self._given and not field.read_only):
            self.values[field.name] = value

    def _check(self, field: FieldTemplate, value: Any) -> tuple[Any, list[str]]:
        """Return a value that the caller passed as it is sent, and its faults."""
        items = value if isinstance(value, list) else [value]
        faults = [*_count_faults(field, value)]
        checked: list[Any] = []
        for item in items:
            sent, found = (item, []) if _is_empty(item) else self._check_item(field, item)
            checked.append(sent)
            faults += found
        return (checked if isinstance(value, list) else checked[0]), [*dict.fromkeys(faults)]

    def _check_item(self, field: FieldTemplate, value: Any) -> tuple[Any, list[str]]:
        if field.control in _NUMBERS:
            value = _to_exact_number(value)
            if value is None:
                return value, ["must be a number"]
            if isinstance(value, Decimal) and not self._has_texts:
                return value, [_TOO_EXACT]
        options = field.options
        if options is not None and options.inline and options.is_complete:
            chosen = _choose(value, options.inline)
            if chosen is None:
                return value, [f"must be one of the {len(options.inline)} choices of the field"]
            value = chosen.value
        return value, [*_bound_faults(field, value), *self._pattern_faults(field, value)]

    def _pattern_faults(self, field: FieldTemplate, value: Any) -> Iterator[str]:
        if field.pattern is None or isinstance(value, dict | list):
            return
        outcome = self._patterns.check(field.pattern, str(plain(value)))
        if isinstance(outcome, str):
            self.unchecked[field.name] = outcome
        elif not outcome:
            yield f"must match the pattern {mask_repr(field.pattern)}"


# ------------------------------------------------------------------------------------------------- faults


def _form_faults(form: FormTemplate) -> Iterator[str]:
    if form.method not in _IN_BODY | _IN_QUERY:
        yield f"the method {mask_repr(form.method)} is not one that a form can be sent with"
    elif has_body(form.method):
        kind = form.content_type
        if not is_json(kind) and kind not in {URLENCODED, MULTIPART}:
            yield f"a body of the type {mask_repr(kind)} cannot be written"
        if form.target is not None and _is_template(form.target):
            yield "the target is a URI template: nothing is written to an address that is guessed"


def _encoding(form: FormTemplate) -> str:
    return form.content_type if has_body(form.method) else f"the query of a {form.method}"


def _count_faults(field: FieldTemplate, value: Any) -> Iterator[str]:
    options = field.options
    if options is None or _is_empty(value):
        return
    if isinstance(value, list) and options.max_items == 1:
        yield "must be one value, not a list"
        return
    count = len(value) if isinstance(value, list) else 1
    if count < options.min_items:
        yield f"must have at least {options.min_items} values, not {count}"
    if options.max_items is not None and count > options.max_items:
        yield f"must have at most {options.max_items} values, not {count}"


def _bound_faults(field: FieldTemplate, value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        return
    length = len(str(plain(value)))
    if field.min_length is not None and length < field.min_length:
        yield f"must have at least {field.min_length} characters, not {length}"
    if field.max_length is not None and length > field.max_length:
        yield f"must have at most {field.max_length} characters, not {length}"
    place = _place(field, value)
    low, high = _place(field, field.min), _place(field, field.max)
    try:
        if place is not None and low is not None and place < low:
            yield f"must be at least {field.min}"
        if place is not None and high is not None and place > high:
            yield f"must be at most {field.max}"
    except TypeError:
        return  # one instant has a time zone, the other has none
    if field.step is not None and isinstance(place, Decimal):
        start = low if isinstance(low, Decimal) else Decimal(0)
        try:
            if (place - start) % Decimal(str(field.step)):
                yield f"must be {start} or a whole number of steps of {field.step} from there"
        except ArithmeticError:  # more digits than can be divided
            return


def _place(field: FieldTemplate, value: Any) -> Any:
    """Return a value that can be compared with others of the same field; None where it cannot be."""
    read = _DATES.get(field.control)
    if value is None or isinstance(value, bool):
        return None
    if read is not None:
        try:
            return read(str(value))
        except ValueError:
            return None
    if field.control in {"month", "week"}:
        return str(value)  # 2026-01 and 2026-W01 are in the order of their texts
    number = _to_exact_number(value)
    return None if number is None else Decimal(str(number))


# ------------------------------------------------------------------------------------------------- values


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, list) and not value)


def _has_no_value(value: Any) -> bool:
    """Return whether a value is empty, or a list of such values."""
    return _is_empty(value) or (isinstance(value, list) and all(map(_has_no_value, value)))


def _is_file(value: Any) -> bool:
    if isinstance(value, tuple):
        return True  # a name, a value and a type, which the encoder checks
    if isinstance(value, os.PathLike | bytes | bytearray | memoryview | AsyncIterable):
        return True
    return hasattr(value, "read")


def _is_template(target: str) -> bool:
    try:
        return "{" in target and bool(variables(target))
    except TemplateError:
        return False


def _to_exact_number(value: Any) -> float | Decimal | None:
    """Return a number, also one written as text: a Decimal where a float would be another; None for no number."""
    if isinstance(value, Decimal):
        return value
    number = to_number(value)
    if isinstance(number, float) and isinstance(value, str):
        return number if (exact := Decimal(value.strip())) == Decimal(repr(number)) else exact
    return number


def _to_json(value: Any, has_texts: bool) -> Any:
    """Return a value as JSON has it; a file is refused, because only fields for files send those.

    A Decimal that no float is equal to stays one where texts are sent, and is refused in JSON.
    """
    if isinstance(value, enum.Enum):
        return _to_json(value.value, has_texts)
    if isinstance(value, float | Decimal) and not math.isfinite(value):
        raise TypeError("must be a finite number")
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, Decimal):
        if value == value.to_integral_value():
            return int(value)
        if Decimal(repr(number := float(value))) == value:
            return number
        if not has_texts:
            raise TypeError(_TOO_EXACT)
        return value
    if isinstance(value, Mapping):
        return {str(name): _to_json(member, has_texts) for name, member in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes | bytearray | memoryview):
        return [_to_json(item, has_texts) for item in value]
    raise TypeError(f"must be a value that JSON has, not {type(value).__name__}")


def _is_same(left: Any, right: Any) -> bool:
    """Return whether two values are the same in JSON, where true is not 1."""
    try:
        return encode(left) == encode(right)
    except (TypeError, ValueError):
        return False


def _choose(value: Any, choices: tuple[Choice, ...]) -> Choice | None:
    """Return the choice of a value: the same, else one with the same text ("5" for 5)."""
    if isinstance(value, dict | list):
        return next((choice for choice in choices if _is_same(choice.value, value)), None)
    scalars = [choice for choice in choices if not isinstance(choice.value, dict | list)]
    same = (choice for choice in scalars if choice.value == value and type(choice.value) is type(value))
    text = str(plain(value))
    return next(same, None) or next((choice for choice in scalars if str(plain(choice.value)) == text), None)


def _expand_templated(
    fields: Sequence[FieldTemplate], values: dict[str, Any], extra: Mapping[str, Any]
) -> Iterator[tuple[str, list[str]]]:
    """Expand templated values over the other values, those that others need first."""
    by_name = {field.name: field for field in fields}
    needs: dict[str, set[str]] = {}
    for field in fields:
        try:
            needs[field.name] = {*variables(field.value)}
        except TemplateError:
            yield field.name, ["has a template that cannot be read: pass a value"]
    graph = TopologicalSorter({name: [other for other in found if other in needs] for name, found in needs.items()})
    try:
        order = [*graph.static_order()]
    except CycleError as error:
        for name in dict.fromkeys(error.args[1]):
            yield name, ["has a template that needs its own value: pass a value"]
        return
    for name in order:
        known = {**values, **extra}
        try:
            values[name] = expand(by_name[name].value, {need: known[need] for need in needs[name] if need in known})
        except TemplateError:
            yield name, [f"has a template that cannot be expanded without {shortlist(sorted(needs[name]))}"]


# ------------------------------------------------------------------------------------------------- encodings


def expand_target(target: str) -> str:
    """Return a target; a URI template is expanded without values."""
    return expand(target, {}) if _is_template(target) else target


def to_pairs(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return values as pairs of texts, as forms of HTML are sent.

    A list of scalars repeats the name. Members of objects are named ``address.zip``, those of objects in lists
    ``lines[0].sku``. None is left out.

    Raises:
        ValueError: a value is nested more than 32 levels.
    """
    pairs: list[tuple[str, str]] = []
    pending: list[tuple[str, Any, int]] = [(name, value, 0) for name, value in reversed([*values.items()])]
    while pending:
        name, value, depth = pending.pop()
        if depth > _MAX_DEPTH:
            raise ValueError(f"it is nested more than {_MAX_DEPTH} levels")
        if isinstance(value, Mapping):
            pending += reversed([(f"{name}.{member}", item, depth + 1) for member, item in value.items()])
        elif isinstance(value, list):
            pending += reversed(
                [
                    (f"{name}[{index}]" if isinstance(item, Mapping | list) else name, item, depth + 1)
                    for index, item in enumerate(value)
                ]
            )
        elif value is not None:
            pairs.append((name, str(plain(value))))
    return pairs


def to_query(target: str, values: Mapping[str, Any], *, keep: bool) -> str:
    """Return a target with values as its query, which replaces the one that it has, or follows it where ``keep``."""
    url = target.partition("#")[0]
    return append_query(url if keep else url.partition("?")[0], encode_query(to_pairs(values)))
