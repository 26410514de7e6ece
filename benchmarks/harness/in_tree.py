"""A module run with the package of any tree: ``python -m benchmarks.harness.in_tree TREE MODULE [ARGUMENT]…``.

Benchmarks, servers and the harness are those of this tree; ``stellantis_hal`` is that of ``TREE``.
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys
from pathlib import Path

__all__ = ["HERE", "command", "current_tree", "environment"]

HERE = Path(__file__).parent.parent.parent
"""The tree of the benchmarks."""


def current_tree() -> Path:
    """Return the tree of the package that is loaded."""
    found = importlib.import_module("stellantis_hal").__file__
    assert found is not None
    return Path(found).parent.parent


def command(tree: Path, module: str, *arguments: object) -> list[str]:
    """Return the command that runs a module with the package of a tree; its working directory must be `HERE`."""
    return [sys.executable, "-m", "benchmarks.harness.in_tree", str(tree), module, *map(str, arguments)]


def environment(tree: Path) -> dict[str, str]:
    """Return the environment of a program that imports the package of a tree and no benchmarks.

    It may write compiled sources: otherwise each start would compile all of them again.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": str(tree)}


def main(tree: str, module: str, *arguments: str) -> None:
    """Run a module with the package of a tree."""
    sys.path.insert(0, tree)
    importlib.import_module("stellantis_hal")  # its modules are found by its own path from now on
    sys.path.remove(tree)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
