"""Texts that a spreadsheet would take for formulas."""

import csv
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal import trip_writer
from stellantis_hal.fleet.export.csv_rows import CSV_COLUMNS
from stellantis_hal.fleet.export.spreadsheet_formulas import neutralize, restore
from tests.fleet.export.test_trip_files import trip

pytestmark = pytest.mark.unmeasured

DANGEROUS = "=+-@\t\r\n＝＋－＠"
texts = st.text(alphabet=f"{DANGEROUS}';,\"5.eEa\u200b ", max_size=12) | st.text(max_size=12)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("=HYPERLINK(A1)", "'=HYPERLINK(A1)"),
        ("+1-1", "'+1-1"),
        ("-1+1", "'-1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        ("＝1", "'＝1"),
        ("＠x", "'＠x"),
        ("'=1", "''=1"),
        ("a;=1", "a;'=1"),
        ("a\n=1", "a\n'=1"),
        ("-5", "-5"),
        ("+5.25", "+5.25"),
        ("-1e-5", "-1e-5"),
        (" =1", "' =1"),
        ("\u00a0+1", "'\u00a0+1"),
        ("\ufeff@a", "'\ufeff@a"),
        ("\u200b\x00-a", "'\u200b\x00-a"),
        ("a; =1", "a;' =1"),
        ("﹦1", "'﹦1"),
        (" a=1", " a=1"),
        ("a=1", "a=1"),
        ("it's", "it's"),
        ("'quoted'", "'quoted'"),
        ("", ""),
    ],
)
def test_formulas_get_an_apostrophe_and_numbers_none(text: str, written: str) -> None:
    assert neutralize(text) == written
    assert restore(written) == text


@given(texts)
def test_no_part_of_a_cell_begins_a_formula(text: str) -> None:
    written = neutralize(text)
    for part in re.split(r"[;\t\r\n]", written):
        assert not part or part[0] not in DANGEROUS or re.fullmatch(r"[-+]?[0-9.eE+-]+", written)


@pytest.mark.parametrize("text", ["\n " * 50_000, " " * 100_000, "; '" * 30_000])
def test_long_cells_take_no_time(text: str) -> None:
    """A quadratic search would take half a minute."""
    assert restore(neutralize(text)) == text


@given(texts)
def test_a_neutralized_text_is_restored(text: str) -> None:
    assert restore(neutralize(text)) == text


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(path: Path, *ids: str, formulas: bool = False) -> int:
    with trip_writer(path, formulas=formulas) as writer:
        for id_ in ids:
            faults = [{"fault": "@A1"}, {"fault": "=cmd"}]
            writer.write(trip(-5, id=id_, faults=faults, startMileage=-3.5), account="+x", vehicle="=v")
        return writer.written


@pytest.mark.parametrize("formulas", [False, True])
def test_rows_of_formulas_are_written_and_found_again(tmp_path: Path, formulas: bool) -> None:
    path = tmp_path / "trips.csv"
    ids = ["=1+1", "-1+1", "-7", "\t@x", "'=1", "＋1", "plain", "a;=b", "\r\n=1"]
    assert write(path, *ids, formulas=formulas) == len(ids)
    assert write(path, *reversed(ids), formulas=formulas) == 0
    written = rows(path)
    assert [row["id"] if formulas else restore(row["id"]) for row in written] == ids
    assert {row["distance_km"] for row in written} == {"-5.0"}
    assert {row["start_mileage_km"] for row in written} == {"-3.5"}
    if not formulas:
        cells = [
            cell for row in written for name, cell in row.items() if name not in {"distance_km", "start_mileage_km"}
        ]
        assert all(cell[:1] not in set(DANGEROUS) for cell in cells if cell and cell != "-7")
        assert {row["faults"] for row in written} == {"'@A1;'=cmd"}
    assert tuple(written[0]) == CSV_COLUMNS


def test_rows_of_earlier_versions_are_known(tmp_path: Path) -> None:
    """They were written as they are."""
    path = tmp_path / "trips.csv"
    assert write(path, "=1+1", formulas=True) == 1
    assert write(path, "=1+1", "=2") == 1
    assert [row["id"] for row in rows(path)] == ["=1+1", "'=2"]


def test_an_open_file_has_no_formulas_either(tmp_path: Path) -> None:
    with (tmp_path / "trips.csv").open("w", newline="") as file, trip_writer(file) as writer:
        writer.write(trip(1, id="=1"), vehicle="v")
    assert rows(tmp_path / "trips.csv")[0]["id"] == "'=1"
