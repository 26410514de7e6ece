"""The page of threats: each line is answered by tests that exist, and nothing that is read is executed."""

import ast
import re
from pathlib import Path

import pytest

import stellantis_hal

TESTS = Path(__file__).parent
PACKAGE = Path(stellantis_hal.__file__).parent
PAGE = TESTS.parent / "docs" / "explanation" / "security.md"
ROWS = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ") and "| test |" not in line]
EXECUTING = frozenset({"pickle", "marshal", "shelve", "dill", "yaml", "jsonpickle"})
CALLS = frozenset({"eval", "exec"})


@pytest.mark.unmeasured
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[2:50])
def test_each_threat_is_answered_by_tests(row: str) -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", row.rstrip("| ").rpartition("|")[2])
    assert named
    for path, name in named:
        assert re.search(rf"^(?:async )?def {name}\(", (TESTS / path).read_text("utf-8"), re.MULTILINE), (path, name)


@pytest.mark.unmeasured
def test_nothing_that_is_read_is_executed() -> None:
    """The generators of readers execute code that they wrote themselves, of classes and not of data."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {(place, name.name) for name in node.names if name.name.partition(".")[0] in EXECUTING}
            elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in EXECUTING:
                found.add((place, node.module or ""))
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
                found.add((place, node.func.id))
    generators = {"structuring/compiler.py", "structuring/values_by_path.py", "structuring/struct_to_model_codegen.py"}
    assert found == {(place, "exec") for place in generators}
