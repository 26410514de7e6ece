"""The guide for Home Assistant shows the integration that the conformance tests run, file by file."""

import json
from pathlib import Path

from tests.support.examples import python_blocks

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "howto" / "home_assistant.md"
INTEGRATION = ROOT / "tests" / "peers" / "home_assistant" / "custom_components" / "stellantis_cars"


def test_the_guide_has_each_module_of_the_integration() -> None:
    shown = sorted(source.strip() for _, source in python_blocks(GUIDE))
    assert shown == sorted(path.read_text("utf-8").strip() for path in INTEGRATION.glob("*.py"))


def test_the_translation_is_that_of_the_strings() -> None:
    strings = json.loads((INTEGRATION / "strings.json").read_text("utf-8"))
    assert json.loads((INTEGRATION / "translations" / "en.json").read_text("utf-8")) == strings
