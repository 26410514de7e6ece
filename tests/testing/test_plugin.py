"""The pytest plugin in test suites of its users, each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_stellantis_hal

ROOT = Path(pytest_stellantis_hal.__file__).parent

SUITE = """
from datetime import timedelta

import anyio
import pytest

from stellantis_hal import watch
from stellantis_hal.testing import jumping

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return jumping(request.param)


async def test_a_status(stellantis_account):
    vehicle = await stellantis_account.vehicles().first()
    assert (await vehicle.status()).energies[0].level == 79.6


async def test_a_watch_in_jumped_time(stellantis_account, stellantis_simulator):
    world = stellantis_simulator.world
    async with watch([stellantis_account], every=timedelta(minutes=5), what="status") as updates:
        first = await anext(updates)
        world.plug_in(first.vehicle)
        update = await anext(updates)
        assert update.status.energies[0].extension.electric.charging.plugged


async def test_the_client_may_be_closed(stellantis_client):
    async with stellantis_client:
        pass


def test_worlds_are_equal(stellantis_world, stellantis_simulator):
    assert stellantis_simulator.world is stellantis_world
    assert stellantis_simulator.now() == stellantis_world.epoch
"""

OTHER_WORLD = """
import pytest

from stellantis_hal.simulator import World


@pytest.fixture
def stellantis_world():
    return World(seed=3, vehicles=4)


def test_it_is_used(stellantis_simulator):
    assert len(stellantis_simulator.world.vehicles) == 4
"""


def run(code: str) -> str:
    """Return what a program prints in a fresh process."""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    return done.stdout


def run_suite(folder: Path, *sources: str, options: tuple[str, ...] = ()) -> str:
    """Return what pytest prints for modules of a user, with this plugin and anyio's; warnings are errors."""
    for number, source in enumerate(sources):
        (folder / f"test_mine_{number}.py").write_text(source, encoding="utf-8")
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import pytest; sys.exit(pytest.main(sys.argv[1:]))"
    own = [
        "-p",
        "anyio",
        "-p",
        "pytest_stellantis_hal",
        "-p",
        "no:cacheprovider",
        "-W",
        "error",
        "--strict-markers",
        "--strict-config",
    ]
    command = [sys.executable, "-c", code, *own, *options, str(folder)]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # the plugins of this environment take a second
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, env=alone)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_plugin_imports_nothing_until_a_fixture_is_used() -> None:
    packages = {"stellantis_hal", "anyio", "httpx", "attrs", "trio", "uvicorn", "asyncio"}
    code = (
        "import sys, pytest\n"
        "before = set(sys.modules)\n"
        "import pytest_stellantis_hal\n"
        f"print(sorted(name for name in set(sys.modules) - before if name.partition('.')[0] in {packages!r}))\n"
        "print('stellantis_hal' in sys.modules)"
    )
    assert run(code).splitlines() == ["[]", "False"]


def test_fixtures_work_in_a_suite_of_a_user(tmp_path: Path) -> None:
    assert "7 passed" in run_suite(tmp_path, SUITE)


def test_a_suite_may_replace_the_world(tmp_path: Path) -> None:
    assert "1 passed" in run_suite(tmp_path, OTHER_WORLD)


def test_names_of_fixtures_are_prefixed() -> None:
    assert all(name.startswith("stellantis_") for name in pytest_stellantis_hal.__all__)
    public = {
        name for name in vars(pytest_stellantis_hal) if not name.startswith(("_", "@"))
    }  # pytest adds names with @
    assert public - set(pytest_stellantis_hal.__all__) == {"TYPE_CHECKING", "annotations", "pytest"}


def test_a_suite_without_it_is_not_disturbed(tmp_path: Path) -> None:
    """No hook, marker, option or import comes with the plugin."""
    suite = "import sys\n\n\ndef test_it():\n    assert 'stellantis_hal' not in sys.modules\n"
    assert "1 passed" in run_suite(tmp_path, suite, options=("-p", "no:anyio"))
    assert not [name for name in vars(pytest_stellantis_hal) if name.startswith("pytest_")]


def test_loading_it_twice_is_no_error(pytestconfig: pytest.Config) -> None:
    """The entry point has the module's name: pytest loads the plugin once, by either."""
    manager = pytest.PytestPluginManager()
    manager.import_plugin("pytest_stellantis_hal")
    manager.import_plugin("pytest_stellantis_hal", consider_entry_points=True)
    text = (Path(str(pytestconfig.rootpath)) / "pyproject.toml").read_text(encoding="utf-8")
    assert 'pytest_stellantis_hal = "pytest_stellantis_hal"' in text
