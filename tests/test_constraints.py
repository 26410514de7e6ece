"""The versions of the test environment that CI installs."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent


def test_pinned_versions_are_those_that_the_project_accepts() -> None:
    lines = (ROOT / ".ci/constraints.txt").read_text().splitlines()
    pinned = {}
    for line in lines[1:]:
        name, equals, version = line.partition("==")
        assert equals, line
        pinned[canonicalize_name(name)] = version
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [
        Requirement(text) for text in (*project["dependencies"], *(each for extra in extras.values() for each in extra))
    ]
    refused = {
        str(each): pinned[canonicalize_name(each.name)]
        for each in wanted
        if canonicalize_name(each.name) in pinned
        and not each.specifier.contains(pinned[canonicalize_name(each.name)], prereleases=True)
    }
    assert refused == {}
    assert {"anyio", "httpx", "pytest", "mypy", "ruff"} <= pinned.keys()
