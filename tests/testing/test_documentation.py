"""The examples of ``docs/howto/testing_your_service.md`` are suites that pass."""

from pathlib import Path

from tests.support.examples import python_blocks
from tests.testing.test_plugin import run_suite

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "testing_your_service.md"
BACKEND = """
@pytest.fixture
def anyio_backend():
    from stellantis_hal.testing import jumping
    return jumping("asyncio")
"""


def examples() -> list[str]:
    """Return the examples of the page; those without a fixture ``anyio_backend`` get that of the first one."""
    found = [source for _, source in python_blocks(PAGE)]
    return [source if "anyio_backend" in source else source + BACKEND for source in found]


def test_examples_of_the_page_pass(tmp_path: Path) -> None:
    sources = examples()
    assert len(sources) == 4
    assert "4 passed" in run_suite(tmp_path, *sources)


def test_the_page_names_each_fixture_and_tool() -> None:
    import pytest_stellantis_hal
    from stellantis_hal import testing

    text = PAGE.read_text(encoding="utf-8")
    left_out = {"ReplayTransport", "UnrecordedRequestError", "small_world"}
    assert [name for name in (*pytest_stellantis_hal.__all__, *testing.__all__) if name not in text] == sorted(left_out)
