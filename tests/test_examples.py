"""The examples of docstrings run."""

import doctest
import pkgutil
from importlib import import_module

import pytest

import stellantis_hal


def modules() -> list[str]:
    """Return the names of all modules of the package."""
    return [name for _, name, _ in pkgutil.walk_packages(stellantis_hal.__path__, "stellantis_hal.")]


@pytest.mark.parametrize("name", modules())
def test_examples_of_docstrings_are_true(name: str) -> None:
    outcome = doctest.testmod(import_module(name), optionflags=doctest.ELLIPSIS)
    assert outcome.failed == 0
