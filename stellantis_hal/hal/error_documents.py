"""Bodies of errors, read by their shape: what is wrong, and with which field.

Half of all families of error bodies come as plain JSON, so that the media type tells nothing. Known are RFC 9457
(problem+json), vnd.error, JSON:API, Spring (Boot, Data REST, Zalando's problems), API Platform, WordPress, Eve, Django
REST framework, FastAPI, ASP.NET, Rails, Laravel, NestJS, Mollie, OpenProject, PayPal, Foxy, AWS, OAuth2 (RFC 6749) and
Google.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from stellantis_hal.hal.redaction import redacted_repr

__all__ = ["ErrorDocument", "is_deep", "read_error_document"]

_MAX_MESSAGES = 1_000
_MAX_NODES = 20_000
_MAX_DEPTH = 32
_MAX_TEXT = 1_000
_MAX_NAME = 300
_DEEPEST = 100
# Keys of embedded errors: as they are, or as the last part of a compact or full URI.
_ERRORS: Final = re.compile(r"(?:^|[:/#])errors$")
# Members with the words of an error, the best first.
_WORDS = ("detail", "message", "error_description", "userMessage", "title", "error", "description", "Message")
_MESSAGES = (
    "detail",
    "message",
    "defaultMessage",
    "msg",
    "reason",
    "title",
    "userMessage",
    "error",
    "description",
    "issue",
    "Message",
)
# Members with one entry for each error: an object by field, or a list.
_LISTS = (
    "errors",
    "violations",
    "invalid_params",
    "invalid-params",
    "fieldErrors",
    "field_errors",
    "validationErrors",
    "validation_errors",
    "_issues",
    "issues",
    "detail",
    "details",
    "message",
    "messages",
    "ModelState",
)
# Of these, objects are something else than messages by field.
_TEXTS = frozenset({"details", "message"})
# Members of one entry with all of its messages: a list, or an object by kind (class-validator).
_MESSAGE_LISTS = ("errors", "messages", "constraints")
_FIELDS = ("field", "property", "propertyPath", "name", "parameter", "param", "attribute", "target", "location")
# Where FastAPI found the value, in front of the path to it.
_PLACES = frozenset({"body", "query", "path", "header", "cookie"})
# What families call the whole, as opposed to a field.
_WHOLE = frozenset({"", "non_field_errors", "__all__", "base", "*", "_schema"})
_NO_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {}


@attrs.frozen(kw_only=True)
class ErrorDocument:
    """What an error body says.

    Attributes:
        detail: what is wrong, in the server's words; None where it has none.
        errors: messages by field (``address.zip``, ``items[0].price``); ``""`` is the whole.
        problem_type: the URI of the kind of problem (RFC 9457); None where it is no problem document.
    """

    __repr__ = redacted_repr

    detail: str | None = None
    errors: Mapping[str, tuple[str, ...]] = _NO_FIELDS
    problem_type: str | None = None


def read_error_document(body: Any, media_type: str) -> ErrorDocument:
    """Return what a decoded error body says; of an unknown shape little or nothing, but never an exception.

    At most 1,000 messages are read.

    Args:
        body: any JSON value.
        media_type: of the response, without parameters.
    """
    if isinstance(body, str):
        return ErrorDocument(detail=_text(body))
    found = _Messages()
    if isinstance(body, list):
        found.read_list(body)
        found.read_rows(body)
    elif isinstance(body, dict):
        found.read_object(body)
    errors = {field: tuple(messages) for field, messages in found.by_field.items()}
    detail = _detail(body) if isinstance(body, dict) else None
    if detail is None and errors:
        texts = [f"{field}: {text}" if field else text for field, messages in errors.items() for text in messages]
        detail = "; ".join(texts[:3])
    return ErrorDocument(detail=detail, errors=errors, problem_type=_problem_type(body, media_type))


def is_deep(value: Any) -> bool:
    """Return whether a JSON value is nested so deeply that recursive code, such as pickle's, may fail."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def _detail(body: Mapping[str, Any]) -> str | None:
    nested = [part for key in ("error", "_error", "detail") if isinstance(part := body.get(key), dict)]
    own = [_text(body.get(key)) for key in _WORDS[:3]]
    inner = [_text(part.get(key)) for part in nested for key in _WORDS]
    if isinstance(messages := body.get("message"), list):
        inner += [_text("; ".join(filter(None, map(_text, messages[:3]))))]
    return next((text for text in (*own, *inner, *(_text(body.get(key)) for key in _WORDS[3:])) if text), None)


def _problem_type(body: Any, media_type: str) -> str | None:
    if not isinstance(body, dict):
        return None
    is_problem = media_type == "application/problem+json"
    kind = body.get("type")
    if isinstance(kind, str) and kind and (is_problem or any(key in body for key in ("title", "detail", "status"))):
        return kind[:_MAX_TEXT]
    return "about:blank" if is_problem else None


class _Messages:
    """Messages by field, bounded in their number and in the values looked at."""

    def __init__(self) -> None:
        self.by_field: dict[str, list[str]] = {}
        self._left = _MAX_MESSAGES
        self._nodes = _MAX_NODES

    def read_object(self, body: Mapping[str, Any]) -> None:
        """Read an object of any family."""
        holders = [body, *(part for key in ("error", "_error") if isinstance(part := body.get(key), dict))]
        for key in _LISTS:
            for holder in holders:
                value = holder.get(key)
                if isinstance(value, list):
                    self.read_list(value)
                elif isinstance(value, dict) and key not in _TEXTS and not (key == "detail" and _message(value)):
                    self.add_members("", value)
        self._read_parameters(body)
        self._read_embedded(body)
        if not self.by_field:
            self._read_single(body)
        if not self.by_field and body and all(self._is_leaf(value) for value in body.values()):
            self.add_members("", body)

    def read_list(self, entries: Sequence[Any]) -> None:
        """Read a list of errors, each with its field and its message."""
        for entry in self._bounded(entries):
            if isinstance(entry, str):
                self.add("", entry)
            elif isinstance(entry, dict) and isinstance(inner := entry.get("fieldViolations"), list):
                self.read_list(inner)
            elif isinstance(entry, dict) and (message := _message(entry)) is not None:
                self.add(_field(entry), message)
            elif isinstance(entry, dict):
                for key in _MESSAGE_LISTS:
                    values = entry.get(key)
                    self.add(_field(entry), [*values.values()] if isinstance(values, dict) else values)

    def read_rows(self, rows: Sequence[Any]) -> None:
        """Read a list of objects of messages by field, one for each item that was sent."""
        for index, row in enumerate(self._bounded(rows)):
            if isinstance(row, dict) and row and all(self._is_leaf(value) for value in row.values()):
                self.add_members(f"[{index}]", row)

    def add_members(self, path: str, members: Mapping[str, Any], depth: int = 0) -> None:
        """Add the messages of an object by field."""
        for name, value in members.items():
            if self._nodes <= 0:
                return
            self.add(path if name in _WHOLE else _join(path, name), value, depth + 1)

    def add(self, field: str, value: Any, depth: int = 0) -> None:
        """Add a message, a list of them, or an object of them by field."""
        self._nodes -= 1
        if depth > _MAX_DEPTH or self._nodes <= 0 or self._left <= 0:
            return
        if isinstance(value, list):
            for index, item in enumerate(value):
                if self._nodes <= 0:
                    return
                is_row = isinstance(item, dict) and _message(item) is None  # the messages of one of several values
                self.add(_join(field, str(index)) if is_row else field, item, depth + 1)
            return
        message = _message(value) if isinstance(value, dict) else value
        if isinstance(value, dict) and message is None:
            self.add_members(field, value, depth)
        else:
            text = _text(message)
            if text is not None:
                self._left -= 1
                self.by_field.setdefault(field[:_MAX_NAME], []).append(text)

    def _read_parameters(self, body: Mapping[str, Any]) -> None:
        """Read ``data.params`` of WordPress: messages by parameter, or names of missing ones."""
        data = body.get("data")
        parameters = data.get("params") if isinstance(data, dict) else None
        if isinstance(parameters, dict):
            self.add_members("", parameters)
        elif isinstance(parameters, list):
            for name in self._bounded(parameters):
                if isinstance(name, str):
                    self.add(name, _text(body.get("message")) or "missing")

    def _read_embedded(self, body: Mapping[str, Any]) -> None:
        """Read embedded errors, of vnd.error, of OpenProject, and of Foxy, whose key is a compact URI."""
        embedded = body.get("_embedded")
        for key, errors in embedded.items() if isinstance(embedded, dict) else ():
            if _ERRORS.search(key) and isinstance(errors, list | dict):
                self.read_list(errors if isinstance(errors, list) else [errors])

    def _read_single(self, body: Mapping[str, Any]) -> None:
        """Read an object that is one error, with its field."""
        field = _text(body.get("field")) or _attribute(body)
        if field is None and "logref" in body:
            field = _slashed(body.get("path"))
        message = _detail(body)
        if field and message:
            self.add(field, message)

    def _is_leaf(self, value: Any, depth: int = 0) -> bool:
        """Return whether every leaf of a value is a list of texts: messages by field of any name.

        A list may have one object for each of several values instead, empty for those without messages (Django REST
        framework), or messages that are objects (Django).
        """
        self._nodes -= 1
        if depth > _MAX_DEPTH or self._nodes <= 0:
            return False
        if isinstance(value, list):
            return any(value) and all(
                isinstance(part, str)
                or (
                    isinstance(part, dict)
                    and (not part or _message(part) is not None or self._is_leaf(part, depth + 1))
                )
                for part in value[:_MAX_MESSAGES]
            )
        return (
            isinstance(value, dict) and bool(value) and all(self._is_leaf(part, depth + 1) for part in value.values())
        )

    def _bounded(self, entries: Sequence[Any]) -> Iterator[Any]:
        for entry in entries:
            self._nodes -= 1
            if self._nodes <= 0:
                return
            yield entry


# ------------------------------------------------------------------------------------------------- fields


def _field(entry: Mapping[str, Any]) -> str:
    """Return the field of an error; empty for the whole."""
    location = entry.get("loc")
    if isinstance(location, list):
        if entry.get("type") == "json_invalid":  # its location is a position in the text
            return ""
        return _path(location[1:] if location and _text(location[0]) in _PLACES else location)
    source = entry.get("source")
    source = source if isinstance(source, dict) else {}
    for pointer in (entry.get("pointer"), source.get("pointer"), entry.get("instancePath")):
        if isinstance(pointer, str):
            return _pointed(pointer)
    place = entry.get("path")
    if isinstance(place, list):
        return _path(place)
    named = [source.get("parameter"), source.get("header"), *(entry.get(name) for name in _FIELDS)]
    if _text(entry.get("location")) in _PLACES and entry.get("path"):  # as express-validator has it
        named.pop()
    field = next((text for text in map(_text, named) if text), None) or _attribute(entry) or _slashed(place) or ""
    return "" if field in _WHOLE else _slashed(field) or "" if field.startswith("/") else field


def _attribute(entry: Mapping[str, Any]) -> str | None:
    """Return the field of an error of OpenProject."""
    embedded = entry.get("_embedded")
    details = embedded.get("details") if isinstance(embedded, dict) else None
    return _text(details.get("attribute")) if isinstance(details, dict) else None


def _slashed(path: Any) -> str | None:
    """Return the field of a path such as ``/user/age``."""
    text = _text(path)
    return None if text is None else _path([part for part in text.split("/") if part])


def _pointed(pointer: str) -> str:
    """Return the field of a JSON pointer (RFC 6901), also of one in a URI fragment."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.lstrip("#").split("/") if part]
    if parts[:1] == ["data"] and parts[1:2] in (["attributes"], ["relationships"]):
        parts = parts[2:]
    return _path(parts)


def _path(parts: Sequence[Any]) -> str:
    path = ""
    for part in parts[:_MAX_DEPTH]:
        is_index = isinstance(part, int) and not isinstance(part, bool)
        path = f"{path}[{part}]" if is_index else _join(path, str(part)[:_MAX_NAME])
    return path


def _join(path: str, name: str) -> str:
    if name.isdecimal():
        return f"{path}[{name}]"
    return f"{path}.{name}" if path else name


# ------------------------------------------------------------------------------------------------- texts


def _message(entry: Mapping[str, Any]) -> str | None:
    """Return the words of one error; None where it has none."""
    found = next((text for name in _MESSAGES if (text := _text(entry.get(name)))), None)
    return found or _text(entry.get("code"))


def _text(value: Any) -> str | None:
    """Return a text without blanks around it, cut; None for anything else, and for an empty one."""
    return value[: 2 * _MAX_TEXT].strip()[:_MAX_TEXT] or None if isinstance(value, str) else None
