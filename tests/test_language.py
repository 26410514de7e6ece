"""Rules of language: names of tests, words of the package and the pages, first lines of docstrings."""

import ast
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import stellantis_hal

pytestmark = pytest.mark.unmeasured  # they read the package, and run nothing of it
ROOT = Path(__file__).parent.parent
PACKAGE = Path(stellantis_hal.__file__).parent
LONGEST_NAME = 60
WORDS = re.compile(r"\b(?:whoever|nobody|somebody|whatever)\b", re.IGNORECASE)
OPENINGS = re.compile(r"(?:Gives?|Tells?|Knows?)\b")
TEST = re.compile(r"^\s*(?:async\s+)?def\s+(test_\w*)", re.MULTILINE)
QUOTED = re.compile(r'``.*?``|`[^`\n]*`|"[^"\n]*"|“[^”\n]*”', re.DOTALL)
STRING_START = re.compile(r"""^[a-zA-Z]*(?:\"{3}|'{3}|"|')""")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def modules_with(words: re.Pattern[str]) -> list[Path]:
    """Return the modules of the package that have one of the words anywhere: only they are parsed."""
    return [path for path in modules(PACKAGE) if words.search(path.read_text(encoding="utf-8"))]


def place(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Return names, comments and strings of a module, each with its line."""
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            yield token.start[0], STRING_START.sub("", token.string)


def test_names_of_tests_are_short() -> None:
    assert [
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules(ROOT / "tests")
        for name in TEST.findall(path.read_text(encoding="utf-8"))
        if len(name) > LONGEST_NAME
    ] == []


def test_subjects_are_things() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    found = [
        place(path, line)
        for path in modules_with(WORDS)
        for line, text in texts(path)
        if WORDS.search(QUOTED.sub("", text))
    ]
    found += [
        place(page, line)
        for page in pages
        for line, text in enumerate(page.read_text(encoding="utf-8").splitlines(), 1)
        if WORDS.search(QUOTED.sub("", text))
    ]
    assert found == []


def test_docstrings_are_imperative() -> None:
    assert [
        f"{path.relative_to(ROOT)}: {docstring.splitlines()[0]}"
        for path in modules_with(OPENINGS)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Module | ast.ClassDef | Function)
        and (docstring := ast.get_docstring(node)) is not None
        and OPENINGS.match(docstring)
    ] == []
