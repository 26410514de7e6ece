"""The examples of docstrings run."""

import doctest
import pkgutil
from importlib import import_module
from pathlib import Path

import pytest

import stellantis_hal


def modules() -> list[str]:
    """Return the names of all modules of the package."""
    return [name for _, name, _ in pkgutil.walk_packages(stellantis_hal.__path__, "stellantis_hal.")]


@pytest.mark.parametrize("name", modules())
def test_examples_of_docstrings_are_true(name: str) -> None:
    module = import_module(name)
    if ">>>" in Path(str(module.__file__)).read_text("utf-8"):  # searching the docstrings of a module takes long
        assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0
