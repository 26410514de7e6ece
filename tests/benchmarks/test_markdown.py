"""Tables of Markdown, and the pages that have them."""

from pathlib import Path

import attrs
import pytest

from benchmarks.harness.in_tree import HERE
from benchmarks.harness.markdown import BEGIN, END, replace_between, short_table, whole_table, write_pages
from benchmarks.harness.rows import Figure, Row, plain

PAGE = Row(
    concern="pages",
    what="a page",
    unit="µs",
    values=(5.0,),
    ratios=(1.5,),
    against="pydantic",
    figure=Figure(most=0.9),
    floor=Figure(most=1.6),
)
COUNT = attrs.evolve(plain("429s", "", [0.0], figure=Figure(most=0)), concern="strict_limit")
PEER = attrs.evolve(plain("a peer", "µs", [1.0]), concern="pages")
ROWS = [PAGE, COUNT, PEER]
LINE = "| a page | pydantic | 1.50 | ≤ 0.9 (floor ≤ 1.6) | **floor reached** |"


def test_whole_table_has_the_judged_rows() -> None:
    table = whole_table(ROWS, "today:")
    assert table.startswith("today:\n\n| measured |")
    assert LINE in table
    assert "| 429s |  | 0 | ≤ 0 | reached |" in table
    assert "a peer" not in table


def test_short_table_has_a_choice_and_counts_all() -> None:
    table = short_table(ROWS, "today:")
    assert LINE in table
    assert "429s" not in table
    assert table.endswith("1 of 2 targets are reached.")


def test_table_beside_an_older_tree_has_the_change() -> None:
    older = attrs.evolve(PAGE, values=(10.0,), ratios=(3.0,))
    table = whole_table(ROWS, "today:", {("pages", "a page"): older})
    assert "| a page | pydantic | 3.00 | 1.50 | 0.50 | ≤ 0.9 (floor ≤ 1.6) | **floor reached** |" in table
    assert "| 429s |  | - | 0 | | ≤ 0 | reached |" in table


@pytest.mark.parametrize(("was", "verdict"), [(10.0, "reached"), (5.0, "**missed**")])
def test_change_is_judged_where_it_has_a_target(was: float, verdict: str) -> None:
    row = attrs.evolve(PAGE, change=Figure(most=0.77))
    before = {("pages", "a page"): attrs.evolve(row, values=(was,))}
    assert f"| ≤ 0.77 of before | {verdict} |" in whole_table([row], "today:", before)
    assert f"{int(verdict == 'reached')} of 1 targets are reached." in short_table([row], "today:", before)


def test_table_replaces_what_is_between_the_markers() -> None:
    page = f"above\n{BEGIN}\nold\n{END}\nbelow\n"
    assert replace_between(page, "new") == f"above\n{BEGIN}\nnew\n{END}\nbelow\n"


@pytest.mark.parametrize("page", ["", BEGIN, f"{END}\n{BEGIN}", f"{BEGIN}\n{BEGIN}\n{END}"])
def test_page_without_one_pair_of_markers_is_an_error(page: str) -> None:
    with pytest.raises(ValueError, match="the page needs one line"):
        replace_between(page, "new")


def test_pages_of_this_project_have_markers(tmp_path: Path) -> None:
    names = ("README.md", "docs/explanation/performance.md")
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((HERE / name).read_text(encoding="utf-8"), encoding="utf-8")
    write_pages(tmp_path, ROWS, "today:")
    assert all(LINE in (tmp_path / name).read_text(encoding="utf-8") for name in names)


def test_no_page_changes_if_one_has_no_markers(tmp_path: Path) -> None:
    page = f"{BEGIN}\nold\n{END}\n"
    (tmp_path / "docs" / "explanation").mkdir(parents=True)
    (tmp_path / "README.md").write_text(page)
    (tmp_path / "docs" / "explanation" / "performance.md").write_text("no markers")
    with pytest.raises(ValueError, match="needs one line"):
        write_pages(tmp_path, ROWS, "today:")
    assert (tmp_path / "README.md").read_text() == page
