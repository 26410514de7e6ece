"""Reference entries of public names: classes with tables of their fields, enumerations, functions."""

from __future__ import annotations

import builtins
import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from functools import cache
from importlib import import_module
from types import FunctionType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import attrs
import click
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

import stellantis_hal
from stellantis_hal.cli.failures import exit_status
from stellantis_hal.cli.root_group import commands
from stellantis_hal.structuring.field_mapping import OWN_FIELDS, FieldSchema, schema_of
from stellantis_hal.structuring.model import Model
from stellantis_hal.structuring.open_enum import OpenEnum

_FACE: Final = "stellantis_hal"
_COLON: Final = "\N{RATIO}"
_COMMON_MODULES: Final = ("collections.abc", "datetime", "os", "pathlib", "ssl", "typing")  # named without their module
_TYPE_VARIABLES: Final = frozenset({"T", "T_co", "P", "R"})
_ATTRIBUTES: Final = re.compile(r"\n[ ]*Attributes:\n((?:(?:[ ]{4,}.*)?\n)*)", re.MULTILINE)
_DEFAULT: Final = re.compile(r"(\w+)=(?:attr_dict\['\w+'\]\.default|NOTHING)")
_LONGEST_DEFAULT: Final = 60
_ENTRY: Final = re.compile(r"^(\w+)(?: \([^)]*\))?: (.*(?:\n[ ]+.*)*)", re.MULTILINE)
INTERNAL: Final = frozenset(
    {
        *("snapshot", "steps", "context", "require_context", "rebind", "require_object"),  # of a resource
        *("known_root", "root_with", "reread", "adopt"),  # of an entry point
        *("fenced", "share", "refuse", "is_away"),  # of stores
    }
)
"""Members of public classes for other modules of the package: they are not public, and have no entry."""


class PublicNames(SphinxDirective):
    """Documents each public name of its content; ``:module:`` names another module than the package."""

    has_content = True
    option_spec = {"module": str}  # noqa: RUF012 - docutils reads it so

    def run(self) -> list[nodes.Node]:
        """Return the entries, in the order of the names."""
        module = self.options.get("module", _FACE)
        lines = [line for name in " ".join(self.content).split() for line in entry(module, name)]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


class ErrorTable(SphinxDirective):
    """A table of errors; each line of its content: name, meaning and cause, and what to do, between bars."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the table, with the exit status of the command line for each error."""
        lines = [".. list-table::", "   :class: wide", "   :widths: 28 38 34", "   :header-rows: 1", ""]
        lines += ["   * - error, exit status", "     - meaning, usual cause", "     - what to do"]
        for name, meaning, advice in error_rows(self.content):
            kind: type[BaseException] = getattr(stellantis_hal, name)
            lines += [f"   * - | :py:exc:`~stellantis_hal.{name}`", f"       | exit {exit_status(kind.__new__(kind))}"]
            lines += [f"     - {meaning}", f"     - {advice}"]
        return self.parse_text_to_nodes("\n".join(lines))


class CommandTable(SphinxDirective):
    """A table of the commands of the command line, those below others included."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        lines = [".. list-table::", "   :class: wide", "   :widths: 30 70", "   :header-rows: 1", ""]
        lines += ["   * - command", "     - what it does"]
        for path, command in command_paths(commands):
            lines += [f"   * - ``{path}``", f"     - {(command.help or '').strip().splitlines()[0]}"]
        return self.parse_text_to_nodes("\n".join(lines))


def error_rows(lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield name, meaning and advice of each line of a table of errors."""
    for line in lines:
        if line.strip():
            name, meaning, advice = (part.strip() for part in line.split("|"))
            yield name, meaning, advice


def command_paths(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield each command with its whole name, those that only hold others left out."""
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from command_paths(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def entry(module: str, name: str) -> list[str]:
    """Return the reStructuredText of one public name."""
    value = getattr(__import__(module, fromlist=[name]), name)
    target = f"{module}.{name}"
    if isinstance(value, type) and issubclass(value, OpenEnum | Enum):
        return [f".. autoclass:: {target}", "   :no-members:", "", *_indented(_values(value)), ""]
    if isinstance(value, type) and issubclass(value, Model) and value is not Model:
        lines = [f".. autoclass:: {target}", "   :no-members:", ""]
        lines += _indented(_fields(value))
        for member in _own_members(value):
            lines += _indented([f".. {_kind(value, member)}:: {target}.{member}", ""])
        return [*lines, ""]
    if isinstance(value, type) and issubclass(value, BaseException):
        return [f".. autoexception:: {target}", "   :show-inheritance:", "   :members:", ""]
    if isinstance(value, type):
        lines = [f".. autoclass:: {target}", "   :members:", ""]
        for member in inherited_members(value):
            lines += _indented([f".. {_kind(value, member)}:: {target}.{member}", ""])
        return lines
    if isinstance(value, FunctionType):
        return [f".. autofunction:: {target}", ""]
    return [f".. py:data:: {target}", f"   :type: {_shown_type(value)}", "", *_indented(_alias_lines(name)), ""]


def _indented(lines: list[str]) -> list[str]:
    return [f"   {line}" if line else "" for line in lines]


def inherited_members(owner: type) -> list[str]:
    """Return the public members that a class has from bases of the package that have no entry of their own."""
    with_entries = {getattr(stellantis_hal, name) for name in stellantis_hal.__all__ if name[0].isupper()}
    return [
        name
        for base in owner.__mro__[1:]
        if base.__module__.partition(".")[0] == _FACE and base not in with_entries
        for name, member in vars(base).items()
        if not name.startswith("_")
        and name not in vars(owner)
        and name not in INTERNAL
        and isinstance(member, property | FunctionType | classmethod | staticmethod)
        and inspect.getdoc(getattr(owner, name))
    ]


def _kind(owner: type, member: str) -> str:
    return "autoproperty" if isinstance(inspect.getattr_static(owner, member), property) else "automethod"


def _own_members(owner: type[Model]) -> list[str]:
    """Return the public methods and properties that a model adds to its bases."""
    fields = {field.name for field in attrs.fields(owner)}
    return [
        name
        for name, value in vars(owner).items()
        if not name.startswith("_")
        and name not in fields
        and isinstance(value, property | FunctionType | classmethod | staticmethod)
        and inspect.getdoc(value)
    ]


def _values(enumeration: type[Enum]) -> list[str]:
    """Return the list of the values that an enumeration has names for."""
    return [f"- ``{member.name}``: ``{member.value}``" for member in enumeration]


def _fields(model: type[Model]) -> list[str]:
    """Return the table of a model's fields: those of the class before inherited ones."""
    schema = {field.name: field for field in schema_of(model).fields}
    meanings, types = _meanings(model), get_type_hints(model)
    fields = [each for each in attrs.fields(model) if each.name not in OWN_FIELDS and not each.name.startswith("_")]
    fields.sort(key=lambda field: field.inherited)
    if not fields:
        return []
    lines = [".. list-table::", "   :class: fields", "   :widths: 35 65", "   :header-rows: 1", ""]
    lines += ["   * - field, type, unit", "     - meaning; key, older generations"]
    flat = {path: key for key, path in schema_of(model).flat.items()}
    for field in fields:
        read = schema.get(field.name)
        unit = field.metadata.get("stellantis_hal.unit")
        lines += [
            f"   * - | ``{field.name}``",
            f"       | {_type_text(types[field.name])}{f', {unit}' if unit else ''}",
        ]
        lines += [
            f"     - | {_sentence(meaning_of(field.name, meanings, types[field.name]))}",
            *_sources(read, flat),
        ]
    return [*lines, ""]


def fields_without_meaning(model: type[Model]) -> list[str]:
    """Return the public fields of which neither their class nor the class of their values says anything."""
    meanings, types = _meanings(model), get_type_hints(model)
    names = [each.name for each in attrs.fields(model) if each.name not in OWN_FIELDS and not each.name.startswith("_")]
    return [name for name in names if not meanings.get(name) and not _first_sentence(types[name])]


def meaning_of(name: str, meanings: Mapping[str, str], type_: Any) -> str:
    """Return what the class says of a field, else what the class of its values says of itself, else its name."""
    return meanings.get(name) or _first_sentence(type_) or name.replace("_", " ")


def _first_sentence(type_: Any) -> str:
    for kind in (type_, *get_args(type_)):
        if isinstance(kind, type) and issubclass(kind, OpenEnum | Model):
            return (inspect.getdoc(kind) or "").split("\n\n")[0].replace("\n", " ")
    return ""


def _sentence(text: str) -> str:
    """Return a meaning as a sentence on one line; a field without a meaning has its name there."""
    words = " ".join(text.split()).rstrip(".")
    return f"{words[:1].upper()}{words[1:]}."


def _sources(field: FieldSchema | None, flat: Mapping[tuple[str, ...], str]) -> list[str]:
    """Return the keys of a field: of the newest generation of the API, then of older ones."""
    if field is None:
        return ["       | not in a body"]
    keys = [".".join(path) for path in field.paths]
    newest, *older = keys if (field.name,) not in flat else [*keys, flat[field.name,]]
    formerly = f", formerly {', '.join(f'``{key}``' for key in older)}" if older else ""
    return [f"       | ``{newest}``{formerly}"]


def _type_text(annotation: Any) -> str:
    """Return a type as users write it, without None."""
    if annotation is Ellipsis:
        return "…"
    parts = [_type_text(part) for part in get_args(annotation) if part is not type(None)]
    if get_origin(annotation) in (Union, UnionType):
        return " | ".join(parts)
    name = getattr(annotation, "__name__", str(annotation))
    return f"{name}[{', '.join(parts)}]" if parts else name


def _meanings(model: type[Model]) -> dict[str, str]:
    """Return the meanings of fields that the docstrings of a class and its bases give."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        section = _ATTRIBUTES.search(inspect.cleandoc(vars(owner).get("__doc__") or "") + "\n")
        if section:
            found.update((name, text) for name, text in _ENTRY.findall(inspect.cleandoc("\n" + section[1])))
    return found


def _shown_type(value: object) -> str:
    if isinstance(value, str):
        return "str"
    return re.sub(r"(?:\w+\.)+(\w+)", r"\1", str(value)).replace("\n", " ")


def _alias_lines(name: str) -> list[str]:
    return [_ALIASES[name]]


_ALIASES: Final = {
    "BackfillSource": "What ``backfill`` reads: an account, a vehicle, or an iterable of them.",
    "Priority": "The priority of requests: background calls leave a share of the limits to interactive ones.",
    "WatchEvent": "What a watch emits.",
    "WatchSource": "What ``watch`` polls: an account, a vehicle, or an iterable of them, also an async one.",
    "__version__": "The version of the package.",
}


def shorten_docstring(_app: Sphinx, what: str, _name: str, value: Any, _options: Any, lines: list[str]) -> None:
    """Cut the section "Attributes" of a model's docstring: its table shows the same."""
    if what == "class" and isinstance(value, type) and issubclass(value, Model):
        lines[:] = _ATTRIBUTES.sub("\n", "\n".join(lines) + "\n").splitlines()


def hide_colon(_app: Sphinx, what: str, _name: str, _value: Any, _options: Any, lines: list[str]) -> None:
    """Replace colons of a property's text, which napoleon would take for the end of a type."""
    if what == "property":
        lines[:] = [line.replace(":", _COLON) for line in lines]


def restore_colon(_app: Sphinx, what: str, _name: str, _value: Any, _options: Any, lines: list[str]) -> None:
    """Restore the colons of a property's text."""
    if what == "property":
        lines[:] = [line.replace(_COLON, ":") for line in lines]


def hide_signature(_app: Sphinx, what: str, _name: str, value: Any, *_rest: Any) -> tuple[str, None] | None:
    """Hide the constructors of models and enumerations: users do not call them."""
    if what == "class" and isinstance(value, type) and issubclass(value, Model | Enum):
        return "", None
    return None


def show_defaults(
    _app: Sphinx, _what: str, _name: str, value: Any, _options: Any, signature: str | None, returned: str | None
) -> tuple[str, str | None] | None:
    """Show the defaults of a class of attrs; its constructor names the place from which it takes them."""
    if signature is None or not isinstance(value, type) or not attrs.has(value):
        return None
    defaults = {field.alias: field.default for field in attrs.fields(value)}
    return _DEFAULT.sub(lambda found: f"{found[1]}={_default_text(defaults[found[1]])}", signature), returned


def _default_text(default: Any) -> str:
    value = default.factory() if isinstance(default, attrs.Factory) else default  # type: ignore[arg-type]
    if isinstance(value, tuple):
        value = tuple(each.value if isinstance(each, Enum) else each for each in value)
    text = f"frozenset({sorted(value)})" if isinstance(value, frozenset) and value else repr(value)
    return text if len(text) <= _LONGEST_DEFAULT else "…"


def public_name(target: str) -> str | None:
    """Return the public name of a target that stands with its module, as in annotations."""
    name = target.rpartition(".")[2]
    return name if name in stellantis_hal.__all__ else None


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, shown: nodes.TextElement) -> nodes.Node | None:
    """Point references at the entries of the public names; what has none is shown as text."""
    if node.get("refdomain") != "py":
        return None
    target: str = node["reftarget"]
    domain = env.domains.python_domain
    owner, _, member = target.rpartition(".")
    names = [target, f"{_FACE}.{target}", f"{_FACE}.{public_name(target)}", f"{_FACE}.{public_name(owner)}.{member}"]
    inside = getattr(stellantis_hal, public_name(node.get("py:class") or "") or "", None)
    if isinstance(inside, type):  # a member is documented at the class that defines it
        names += [f"{_FACE}.{base.__name__}.{target}" for base in inside.__mro__]
    for full in names:
        if full in domain.objects:
            return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", full, node, shown)
    is_known = exists(target) or exists(f"{_FACE}.{target}") or hasattr(inside, target)
    return shown if is_known else None


@cache
def exists(target: str) -> bool:
    """Return whether a name exists in Python: a type of another library, or a private one."""
    if hasattr(builtins, target.partition(".")[0]) or target in _TYPE_VARIABLES:
        return True
    parts = target.split(".")
    for count in range(len(parts), 0, -1):
        try:
            value: Any = import_module(".".join(parts[:count]))
        except ImportError:
            continue
        for part in parts[count:]:
            value = getattr(value, part, None)
        return value is not None
    ours = [name for name in sys.modules if name.startswith(f"{_FACE}.")]
    return any(hasattr(import_module(module), target) for module in (*_COMMON_MODULES, *ours))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive and the hooks."""
    app.add_directive("public-names", PublicNames)
    app.add_directive("error-table", ErrorTable)
    app.add_directive("command-table", CommandTable)
    app.connect("autodoc-process-docstring", shorten_docstring, priority=100)
    app.connect("autodoc-process-docstring", hide_colon, priority=100)
    app.connect("autodoc-process-docstring", restore_colon, priority=900)
    app.connect("autodoc-process-signature", hide_signature)
    app.connect("autodoc-process-signature", show_defaults)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
