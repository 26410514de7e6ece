"""HAL-FORMS templates of a document, read tolerantly and lazily."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from stellantis_hal.hal.deep_pickle import picklable, reduce_fields, unwrap
from stellantis_hal.hal.document import Diagnostic
from stellantis_hal.hal.link import Link
from stellantis_hal.hal.redaction import hide, redacted_repr, shortlist

__all__ = ["Choice", "FieldOptions", "FieldTemplate", "FormTemplate", "FormTemplates", "make_choices", "to_number"]

_DEFAULT = "default"
_JSON = "application/json"
_TEXT = "text"
_CONTROLS = frozenset((
    "hidden", "text", "textarea", "search", "tel", "url", "email", "password", "date", "month", "week", "time",
    "datetime-local", "number", "range", "color", "checkbox", "radio", "file",
))  # fmt: skip
_MAX_FIELDS = 1_000
_MAX_CHOICES = 10_000
_MAX_NAME = 1_000
_MAX_DIGITS = 400
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_MAX_BITS = 4_096  # Python refuses to write integers of more than 4,300 digits


@attrs.frozen
class Choice:
    """A value that may be chosen in a field.

    Attributes:
        prompt: a label for humans.
        value: what is sent, of any JSON type.
    """

    __repr__ = redacted_repr

    prompt: str = attrs.field(repr=hide)
    value: Any = attrs.field(repr=hide, hash=False)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return reduce_fields(self)


@attrs.frozen(kw_only=True)
class FieldOptions:
    """The choices of a field: stated in the document, or behind a link.

    Attributes:
        inline: those stated; None where the document has a link instead.
        link: the link to them; None where they are stated.
        prompt_field: the member of each item that is its prompt.
        value_field: the member of each item that is its value.
        min_items: how many must be chosen, where any are.
        max_items: how many may be chosen; None for any number.
        selected: the values that are chosen at first.
        is_complete: whether ``inline`` holds all of those stated; at most 10,000 of a field are read.
    """

    __repr__ = redacted_repr

    inline: tuple[Choice, ...] | None = None
    link: Link | None = None
    prompt_field: str = "prompt"
    value_field: str = "value"
    min_items: int = 0
    max_items: int | None = None
    selected: tuple[Any, ...] = attrs.field(default=(), repr=hide, hash=False)
    is_complete: bool = True

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return reduce_fields(self)


@attrs.frozen(kw_only=True)
class FieldTemplate:
    """A field of a form.

    Attributes:
        name: its key in what is sent.
        prompt: a label for humans; the name where the document has none.
        type: the type as stated, in lower case ("text" where the document has none).
        control: the type where HAL-FORMS defines it, else "text".
        value: the value that the document states; None where it states none.
        required: whether a value must be sent.
        read_only: whether only the stated value may be sent.
        templated: whether the value is a URI template over the other fields.
        pattern: the regular expression that the whole value has to match, as HTML's ``pattern``.
        placeholder: a hint for humans at what to enter.
        min: the smallest number, or the first date or time as text.
        max: the largest number, or the last date or time as text.
        step: the step of numbers from ``min`` on.
        min_length: characters at least.
        max_length: characters at most.
        cols: the width of a text area.
        rows: its height.
        options: the choices; None where any value may be entered.
    """

    __repr__ = redacted_repr

    name: str
    prompt: str
    type: str = _TEXT
    control: str = _TEXT
    value: Any = attrs.field(default=None, repr=hide, hash=False)
    required: bool = False
    read_only: bool = False
    templated: bool = False
    pattern: str | None = None
    placeholder: str | None = None
    min: float | str | None = None
    max: float | str | None = None
    step: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    cols: int = 40
    rows: int = 5
    options: FieldOptions | None = None

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return reduce_fields(self)

    @property
    def hidden(self) -> bool:
        """Whether it is not meant to be shown."""
        return self.control == "hidden"

    @property
    def default(self) -> Any:
        """What is sent unless the caller passes a value: the stated value, else the selected choices; None for none."""
        options = self.options
        if self.control == "file":
            return None  # a path stated by a server would send any file of this machine
        if self.value is not None or options is None or not options.selected:
            return self.value
        return options.selected[0] if options.max_items == 1 else [*options.selected]


@attrs.frozen(kw_only=True)
class FormTemplate:
    """A form as a document states it.

    Attributes:
        key: its key in ``_templates``.
        title: a label for humans; the key where the document has none.
        method: the HTTP method, in upper case; "GET" where the document has none.
        target: the URI reference to send to; None for the resource itself.
        content_type: the media type of the body, without parameters.
        fields: the fields in their order.
        diagnostics: what deviates from HAL-FORMS, and how it is read.
    """

    __repr__ = redacted_repr

    key: str
    title: str
    method: str = "GET"
    target: str | None = None
    content_type: str = _JSON
    fields: tuple[FieldTemplate, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = attrs.field(default=(), repr=False)


class FormTemplates(Mapping[str, FormTemplate]):
    """The forms of a document by their keys; each is read when it is accessed.

    Deviations never raise an exception: they are read tolerantly and listed in :attr:`diagnostics`.

    Args:
        body: a decoded JSON object.
    """

    __slots__ = ("_raw",)

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._raw = body.get("_templates")

    def __reduce__(self) -> tuple[Callable[..., FormTemplates], tuple[Any]]:
        return _restore_templates, (picklable(self._raw),)

    def __getitem__(self, key: str) -> FormTemplate:
        raw = self._raw.get(key) if isinstance(self._raw, dict) else None
        if not isinstance(raw, dict):
            raise KeyError(key)
        return _Reader(f"$._templates.{key[:_MAX_NAME]}").template(key, raw)

    def __iter__(self) -> Iterator[str]:
        items = self._raw.items() if isinstance(self._raw, dict) else ()
        return (key for key, raw in items if isinstance(raw, dict))

    def __contains__(self, key: object) -> bool:
        return isinstance(self._raw, dict) and isinstance(self._raw.get(key), dict)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"FormTemplates({shortlist([*self])})"

    @property
    def default_key(self) -> str | None:
        """The key of the default form: ``default``, else the first; None where there is no form."""
        return _DEFAULT if _DEFAULT in self else next(iter(self), None)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """The deviations of all forms, computed at each access."""
        if self._raw is None:
            return ()
        if not isinstance(self._raw, dict):
            return (_deviation("$._templates", self._raw, "an object", "there are no forms"),)
        found: list[Diagnostic] = []
        for key, raw in self._raw.items():
            if isinstance(raw, dict):
                found += self[key].diagnostics
            else:
                found.append(_deviation(f"$._templates.{key[:_MAX_NAME]}", raw, "an object", "left out"))
        return tuple(found)


def make_choices(items: list[Any], prompt_field: str, value_field: str) -> tuple[Choice, ...]:
    """Return the choices in a list of scalars or objects, at most 10,000; items without a value are left out."""
    choices: list[Choice] = []
    for item in items[:_MAX_CHOICES]:
        if isinstance(item, dict):
            value = item.get(value_field)
            prompt = item.get(prompt_field)
            if value is not None:
                choices.append(Choice(_label(value if prompt is None else prompt), value))
        elif item is not None and not isinstance(item, list):
            choices.append(Choice(_label(item), item))
    return tuple(choices)


def _label(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value) if value.bit_length() < _MAX_BITS else "…"
    return repr(value) if isinstance(value, float) else "…"


# ------------------------------------------------------------------------------------------------- reading


def _restore_templates(raw: Any) -> FormTemplates:
    return FormTemplates({"_templates": unwrap(raw)})


class _Reader:
    """Reads one template and notes its deviations."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._found: list[Diagnostic] = []
        self._choices_left = _MAX_CHOICES

    def template(self, key: str, raw: Mapping[str, Any]) -> FormTemplate:
        method = self._text(raw, "method", "read as GET") or "GET"
        content_type = self._text(raw, "contentType", "read as JSON") or _JSON
        essence = content_type.partition(";")[0].strip().lower()
        return FormTemplate(
            key=key,
            title=self._text(raw, "title", "the key is used") or key,
            method=method.upper(),
            target=self._text(raw, "target", "the resource itself is used"),
            content_type=essence if _is_media_type(essence) else _JSON,
            fields=tuple(self._fields(raw.get("properties"))),
            diagnostics=tuple(self._found),
        )

    def _fields(self, raw: Any) -> Iterator[FieldTemplate]:
        if not isinstance(raw, list):
            if raw is not None:
                self._note("properties", raw, "a list", "there are no fields")
            return
        names = set[str]()
        for index, item in enumerate(raw):
            place = f"properties[{index}]"
            if len(names) == _MAX_FIELDS:
                self._say("properties", f"{len(raw)} fields: those after {_MAX_FIELDS} are left out")
                return
            name = item.get("name") if isinstance(item, dict) else None
            if not isinstance(item, dict):
                self._note(place, item, "an object", "left out")
            elif not isinstance(name, str) or not name.strip():
                self._note(f"{place}.name", name, "a name", "the field is left out")
            elif name in names:
                self._say(f"{place}.name", "the name of a field before it: the field is left out")
            else:
                names.add(name)
                yield self._field(place, name, item)

    def _field(self, place: str, name: str, raw: Mapping[str, Any]) -> FieldTemplate:
        outer, self._path = self._path, f"{self._path}.{place}"
        kind = (self._text(raw, "type", 'read as "text"') or _TEXT).lower()
        control = kind if kind in _CONTROLS else _TEXT
        if control != kind:
            self._say("type", 'a type that HAL-FORMS does not define: read as "text"')
        found = FieldTemplate(
            name=name,
            prompt=self._text(raw, "prompt", "the name is used") or name,
            type=kind,
            control=control,
            value=raw.get("value"),
            required=self._flag(raw, "required"),
            read_only=self._flag(raw, "readOnly"),
            templated=self._flag(raw, "templated") and isinstance(raw.get("value"), str),
            pattern=self._text(raw, "regex", "ignored", strip=False),
            placeholder=self._text(raw, "placeholder", "ignored"),
            min=self._bound(raw, "min"),
            max=self._bound(raw, "max"),
            step=self._step(raw),
            min_length=self._count(raw, "minLength"),
            max_length=self._count(raw, "maxLength"),
            cols=self._count(raw, "cols") or 40,
            rows=self._count(raw, "rows") or 5,
            options=self._options(raw.get("options")),
        )
        self._path = outer
        return found

    def _options(self, raw: Any) -> FieldOptions | None:
        if not isinstance(raw, dict):
            if raw is not None:
                self._note("options", raw, "an object", "any value may be entered")
            return None
        prompt_field = self._text(raw, "promptField", '"prompt" is used') or "prompt"
        value_field = self._text(raw, "valueField", '"value" is used') or "value"
        items, link = raw.get("inline"), Link.parse("options", raw.get("link"))
        inline: tuple[Choice, ...] | None = None
        is_complete = True
        if isinstance(items, list):
            room = min(len(items), self._choices_left)
            inline = make_choices(items[:room], prompt_field, value_field)
            self._choices_left -= room
            is_complete = room == len(items)
            if not is_complete:
                self._say("options.inline", f"{len(items)} choices: those after {room} are left out, none is refused")
            elif len(inline) < len(items):
                self._say("options.inline", f"{len(items) - len(inline)} items without a value are left out")
            if items and not inline and is_complete:
                return None
        elif link is None or link.href is None:
            self._say("options", "neither a list of choices nor a link: any value may be entered")
            return None
        return FieldOptions(
            inline=inline,
            link=link if inline is None else None,
            prompt_field=prompt_field,
            value_field=value_field,
            min_items=self._count(raw, "minItems") or 0,
            max_items=self._count(raw, "maxItems") or None,
            selected=self._selected(raw.get("selectedValues"), value_field),
            is_complete=is_complete,
        )

    def _selected(self, raw: Any, value_field: str) -> tuple[Any, ...]:
        items = raw if isinstance(raw, list) else [raw]
        return tuple(choice.value for choice in make_choices(items, value_field, value_field))

    def _text(self, raw: Mapping[str, Any], member: str, effect: str, *, strip: bool = True) -> str | None:
        value = raw.get(member)
        if isinstance(value, str):
            return (value.strip() if strip else value) or None
        if value is not None:
            self._note(member, value, "text", effect)
        return None

    def _flag(self, raw: Mapping[str, Any], member: str) -> bool:
        value = raw.get(member)
        if isinstance(value, str) and value.strip().lower() in {"true", "false", ""}:
            return value.strip().lower() == "true"
        if value is not None and not isinstance(value, bool):
            self._note(member, value, "true or false", "read as false")
        return value is True

    def _bound(self, raw: Mapping[str, Any], member: str) -> float | str | None:
        value = raw.get(member)
        number = to_number(value)
        if number is None and isinstance(value, str):
            return value.strip() or None  # a date or a time
        if number is None and value is not None:
            self._note(member, value, "a number", "ignored")
        return number

    def _step(self, raw: Mapping[str, Any]) -> float | None:
        value = raw.get("step")
        number = to_number(value)
        if number is not None and number > 0:
            return number
        if value not in (None, "", "any"):
            self._note("step", value, "a number above 0", "ignored")
        return None

    def _count(self, raw: Mapping[str, Any], member: str) -> int | None:
        value = raw.get(member)
        number = to_number(value)
        if number is not None and number >= 0 and number == int(number):
            return int(number)
        if value not in (None, ""):
            self._note(member, value, "a whole number", "ignored")
        return None

    def _note(self, member: str, value: Any, expected: str, effect: str) -> None:
        self._found.append(_deviation(f"{self._path}.{member}", value, expected, effect))

    def _say(self, member: str, reason: str) -> None:
        self._found.append(Diagnostic(f"{self._path}.{member}", reason))


def _deviation(path: str, value: Any, expected: str, effect: str) -> Diagnostic:
    kind = "null" if value is None else type(value).__name__
    return Diagnostic(path, f"{kind} instead of {expected}: {effect}")


def _is_media_type(essence: str) -> bool:
    kind, slash, subtype = essence.partition("/")
    return bool(kind and slash and subtype) and essence.isascii() and essence.isprintable() and " " not in essence


def to_number(value: Any) -> float | None:
    """Return a finite number, also one written as text, as an int where it is one; None where it is not a number."""
    if isinstance(value, str):
        text = value.strip()
        if len(text) > _MAX_DIGITS or not _NUMBER.fullmatch(text):
            return None
        value = float(text) if "." in text or "e" in text.lower() else int(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:  # an integer too large for a float
        return None
