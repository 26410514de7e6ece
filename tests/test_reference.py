"""The documentation has each public name once, and names tests that exist."""

import re
from pathlib import Path

import stellantis_hal
from stellantis_hal import testing

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


def test_tests_named_by_the_threats_exist() -> None:
    page = (PAGES.parent / "explanation" / "security.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+\.py)`", page)
    tests = Path(__file__).parent
    assert [name for name in named if not any(tests.rglob(name))] == []
    assert len(named) > 30
