"""Modules that an import loads, as the benchmark of the start finds them."""

import pytest

from benchmarks.concerns.start import HEAVY, probe


def modules_of(program: str) -> set[str]:
    return set(probe(program)["modules"])


@pytest.mark.wall_clock
def test_importing_the_package_loads_only_its_module() -> None:
    modules = modules_of("import stellantis_hal")
    assert {name for name in modules if name.startswith("stellantis_hal")} <= {
        "stellantis_hal",
        "stellantis_hal.__version__",
    }
    assert not modules & set(HEAVY)


@pytest.mark.wall_clock
def test_importing_the_client_loads_no_cli_simulator_or_extra() -> None:
    modules = modules_of("from stellantis_hal import StellantisClient")
    modules -= modules_of("import httpx")  # which loads click and rich if they are installed
    assert not {"stellantis_hal.cli", "stellantis_hal.simulator"} & modules
    assert not {"aiohttp", "click", "rich", "trio", "uvicorn"} & modules
