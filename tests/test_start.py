"""Modules that a start loads, each in an interpreter of its own."""

import json
import subprocess
import sys

import pytest

_REPORT = """
import json, sys
known = set(sys.modules)
{code}
print(json.dumps(sorted(set(sys.modules) - known)))
"""
_HELP = """
from stellantis_hal.cli import main
sys.argv = ["stellantis-hal", "--help"]
sys.stdout, shown = open(__import__("os").devnull, "w", encoding="utf-8"), sys.stdout
try:
    main()
except SystemExit as ended:
    assert not ended.code
sys.stdout = shown
"""
_CLIENT = "from stellantis_hal import StellantisClient"
_MADE = "from stellantis_hal import Application, StellantisClient; StellantisClient(Application('id'))"
_ACCOUNT = """
from stellantis_hal import Application, Brand, StellantisClient, Token
StellantisClient(Application("id")).account(Token("t"), brand=Brand.DS)
"""
_TRIP = """
from stellantis_hal import Trip
from stellantis_hal.resources.vehicle import Vehicle
from stellantis_hal.structuring.converter import read
assert read({"id": "v"}, Vehicle).id == "v"
assert read({"distance": 3}, Trip).distance == 3
"""
_LIGHT = {"anyio", "attr", "attrs", "cattrs", "idna", "orjson", "sniffio", "typing_extensions", "uri_template"}
_FAMILIES = ("alert", "collision", "control.monitors", "control.operation", "control.remote", "maintenance", "status")


def modules_loaded(code: str) -> set[str]:
    """Return the modules that code loads in a fresh interpreter."""
    command = [sys.executable, "-c", _REPORT.format(code=code)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def libraries(modules: set[str]) -> set[str]:
    """Return the libraries among modules, without the standard one and without this package."""
    names = {name.partition(".")[0] for name in modules} - {"stellantis_hal"}
    return {name for name in names if name not in sys.stdlib_module_names and not name.startswith("_")}


def own(modules: set[str]) -> set[str]:
    """Return the modules of the package, by their names in it."""
    return {name.removeprefix("stellantis_hal.") for name in modules if name.startswith("stellantis_hal.")}


def test_the_package_loads_no_library() -> None:
    loaded = modules_loaded("import stellantis_hal")
    assert libraries(loaded) == set()
    assert own(loaded) == {"__version__"}


def test_the_help_of_the_group_imports_no_command() -> None:
    loaded = modules_loaded(_HELP)
    assert libraries(loaded) == {"click"}
    assert {name for name in own(loaded) if name.startswith("cli.")} == {
        "cli.root_group",
        "cli.failures",
        "cli.json_text",
        "cli.common_options",
        "cli.lazy_group",
        "cli.environment_options",
        "cli.finite_range",
        "cli.standard_streams",
        "cli.settings_folder",
    }


@pytest.mark.parametrize("code", [_CLIENT, _MADE, _ACCOUNT], ids=["imported", "made", "with an account"])
def test_a_client_loads_no_http_library_and_no_family(code: str) -> None:
    loaded = modules_loaded(code)
    assert libraries(loaded) <= _LIGHT
    assert {name for name in own(loaded) if name.startswith("resources.")} <= {
        "resources.control",
        "resources.control.control_dependencies",
        "resources.filters",
        "resources.typed_requests",
        "resources.time_range",
        "resources.vin_checks",
    }


def test_importing_a_client_loads_no_converter() -> None:
    loaded = modules_loaded(_CLIENT)
    assert "cattrs" not in libraries(loaded)
    assert [name for name in own(loaded) if name.startswith(("navigation.pagination", "structuring"))] == []


def test_reading_a_trip_loads_no_other_family() -> None:
    loaded = own(modules_loaded(_TRIP))
    assert [name for name in _FAMILIES if f"resources.{name}" in loaded] == []


def test_a_client_compiles_no_class_before_it_is_read() -> None:
    code = f"""
from stellantis_hal.structuring import compiler
def refused(*arguments, **options):
    raise AssertionError(arguments)
compiler.CompiledReader.compile = refused
{_ACCOUNT}
"""
    assert "stellantis_hal.structuring.compiler" in modules_loaded(code)
