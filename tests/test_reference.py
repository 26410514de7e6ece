"""The documentation has each public name once, and names tests that exist."""

import re
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import FunctionType

import click
import pytest

import stellantis_hal
from stellantis_hal import errors, simulator, testing
from stellantis_hal.cli.profiles import KEYS
from stellantis_hal.cli.root_group import commands

pytestmark = pytest.mark.unmeasured

PAGES = Path(__file__).parent.parent / "docs" / "reference"
ENTRIES = re.compile(r"^\.\. public-names::\n((?:[ ]+:\w+:.*\n)*)\n((?:[ ]{3}.*\n)+)", re.MULTILINE)


def documented(module: str) -> list[str]:
    """Return the names that the pages list for a module."""
    found: list[str] = []
    for page in sorted(PAGES.glob("*.rst")):
        for options, names in ENTRIES.findall(page.read_text(encoding="utf-8")):
            if f":module: {module}\n" in options or (not options and module == "stellantis_hal"):
                found += names.split()
    return sorted(found)


def test_each_public_name_has_one_entry() -> None:
    assert documented("stellantis_hal") == sorted(stellantis_hal.__all__)
    assert documented("stellantis_hal.testing") == sorted(testing.__all__)
    simulated = {name for name in simulator.__all__ if isinstance(getattr(simulator, name), FunctionType | type)}
    values = {
        "Account",
        "Alarm",
        "Alert",
        "ChargeProgram",
        "Collision",
        "Energy",
        "Request",
        "Response",
        "Trip",
        "Vehicle",
    }
    values |= {"HasRateLimits"}  # a world makes all of these
    assert documented("stellantis_hal.simulator") == sorted(simulated - values)


def test_members_of_private_bases_have_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of public classes are found by Sphinx; a base without an entry would hide what users call."""
    monkeypatch.syspath_prepend(str(PAGES.parent / "_ext"))
    inherited_members = import_module("public_reference").inherited_members
    assert {"state", "value", "links", "embedded", "dump"} <= set(inherited_members(stellantis_hal.HalResource))
    assert inherited_members(stellantis_hal.StellantisClient) == ["quota", "limiter", "aclose"]
    assert "statistics" in inherited_members(stellantis_hal.SQLiteLimiter)
    assert inherited_members(stellantis_hal.Trip) == []


def test_each_field_has_a_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is that of its class, or of the class of its values; a field without one would show its name again."""
    monkeypatch.syspath_prepend(str(PAGES.parent / "_ext"))
    meaningless = import_module("public_reference").fields_without_meaning
    kinds = [getattr(stellantis_hal, name) for name in stellantis_hal.__all__]
    models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, stellantis_hal.Model)]
    assert len(models) > 50
    assert {kind.__name__: found for kind in models if (found := meaningless(kind))} == {}


def test_signatures_have_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """A constructor that attrs made names the place from which it takes a default: ``attr_dict['days'].default``."""
    monkeypatch.syspath_prepend(str(PAGES.parent / "_ext"))
    show_defaults = import_module("public_reference").show_defaults
    found = "(*, slot, days=attr_dict['days'].default, daily=attr_dict['daily'].default)"
    shown = "(*, slot, days=('Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'), daily=True)"
    assert show_defaults(None, "class", "", stellantis_hal.Program, None, found, None) == (shown, None)
    found = "(transient_errors=attr_dict['transient_errors'].default, advice=attr_dict['advice'].default)"
    shown = "(transient_errors=frozenset(['server_error', 'temporarily_unavailable']), advice=…)"
    assert show_defaults(None, "class", "", stellantis_hal.ApiConventions, None, found, None) == (shown, None)
    found, shown = "(cooldowns=NOTHING)", "(cooldowns={})"
    assert show_defaults(None, "class", "", stellantis_hal.RemotePolicy, None, found, None) == (shown, None)
    assert show_defaults(None, "function", "", stellantis_hal.watch, None, "()", None) is None


def error_classes() -> dict[str, type[stellantis_hal.StellantisError]]:
    return {
        name: kind
        for name in stellantis_hal.__all__
        if isinstance(kind := getattr(stellantis_hal, name), type) and issubclass(kind, stellantis_hal.StellantisError)
    }


def test_the_tree_of_errors_is_that_of_the_classes() -> None:
    tree = re.findall(r"^    ([│├└─ ]*)(\w+Error)\b", errors.__doc__ or "", re.MULTILINE)
    classes = error_classes()
    assert {name for _, name in tree} == set(classes)
    path: list[str] = []
    for indent, name in tree:
        path[len(indent) // 4 :] = [name]
        assert classes[path[-2]] in classes[name].__bases__ if path[1:] else name == "StellantisError"


def test_each_error_is_explained() -> None:
    """The exit status of each is taken from the command line when the page is built."""
    table = re.search(
        r"^\.\. error-table::\n\n((?:[ ]{3}.*\n)+)", (PAGES / "errors.rst").read_text("utf-8"), re.MULTILINE
    )
    assert table is not None
    rows = [[part.strip() for part in line.split("|")] for line in table[1].splitlines()]
    assert all(len(row) == 3 and all(row) for row in rows)
    assert sorted(row[0] for row in rows) == sorted(error_classes())


def test_each_key_of_a_profile_is_explained() -> None:
    page = (PAGES / "configuration.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE)
    assert rows == sorted(KEYS)


def test_variables_of_the_page_are_read() -> None:
    page = (PAGES / "configuration.md").read_text("utf-8")
    named = set(re.findall(r"STELLANTIS_HAL_[A-Z_]*[A-Z]", page)) - {"STELLANTIS_HAL_CONFIG"}
    options = [option for command in every_command(commands) for option in command.params]
    known = {f"STELLANTIS_HAL_{option.name}".upper() for option in options}
    known |= {variable for option in options for variable in envvars_of(option)}
    assert named - known == set()


def envvars_of(option: click.Parameter) -> tuple[str, ...]:
    """Return the variables that are named for an option."""
    if option.envvar is None:
        return ()
    return (option.envvar,) if isinstance(option.envvar, str) else tuple(option.envvar)


def test_each_command_is_in_the_guide() -> None:
    page = (PAGES.parent / "howto" / "command_line.md").read_text("utf-8")
    table = page.split("\n## All commands\n")[1].split("\n## ")[0]
    assert [name for name in commands.commands if not re.search(rf"`{name}[` ]", table)] == []


def test_each_extra_is_explained() -> None:
    project = tomllib.loads((PAGES.parent.parent / "pyproject.toml").read_text("utf-8"))["project"]
    page = (PAGES / "extras.md").read_text("utf-8")
    assert [extra for extra in project["optional-dependencies"] if f"`{extra}`" not in page] == []
    assert [each for each in project["dependencies"] if re.split(r"\W", each)[0] not in page.replace("-", "_")] == []


def test_realms_of_the_page_are_those_of_the_brands() -> None:
    page = (PAGES.parent / "start" / "your_car.md").read_text("utf-8")
    rows = re.findall(r'^\| "(\w+)" \| idpcvs\.([\w.]+) \| (\w+) \|$', page, re.MULTILINE)
    assert rows == [(brand.value, brand.domain, brand.realm) for brand in stellantis_hal.Brand]


def test_the_glossary_is_short_and_in_order() -> None:
    terms = re.findall(r"^(\w[\w ]*)\n  ", (PAGES / "glossary.md").read_text("utf-8"), re.MULTILINE)
    assert len(terms) <= 40
    assert terms == sorted(terms, key=str.lower)


def every_command(group: click.Group) -> Iterator[click.Command]:
    """Yield a group and each command below it."""
    yield group
    for command in group.commands.values():
        if isinstance(command, click.Group):
            yield from every_command(command)
        else:
            yield command


def test_the_picture_has_the_layers_of_the_contract() -> None:
    """The order is that of the contract; layers of one line stand side by side."""
    root = PAGES.parent.parent
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    contract = next(each for each in project["tool"]["importlinter"]["contracts"] if each["type"] == "layers")
    names = [name.strip().removeprefix("stellantis_hal.") for line in contract["layers"] for name in line.split("|")]
    picture = (root / "docs" / "_static" / "architecture.svg").read_text("utf-8")
    drawn = re.findall(r'y="(\d+)" class="n">(\w+)<', picture)
    assert sorted(name for _, name in drawn if name not in {"simulator", "Servers"}) == sorted(names)
    heights = {name: int(height) for height, name in drawn}
    assert [heights[name] for name in names] == sorted(heights[name] for name in names)
