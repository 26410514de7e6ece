"""The file of a run."""

import json
from pathlib import Path

import attrs
import pytest

from benchmarks.harness.results import FORMAT, load, save, to_json
from benchmarks.harness.rows import Figure, plain
from benchmarks.harness.worker import to_rows

ROW = attrs.evolve(plain("held", "MiB", [4.0, 5.0, 7.0], figure=Figure(most=6.0)), concern="memory")


def test_saved_run_is_loaded_by_concern_and_row(tmp_path: Path) -> None:
    run = to_json([(tmp_path, [ROW])], size="tiny", seconds=1.26, load=0.5)
    assert (run["format"], run["seconds"], run["trees"][0]["commit"]) == (FORMAT, 1.3, None)
    path = save(run, tmp_path / "results")
    assert path.suffix == ".json"
    assert load(path) == {("memory", "held"): 5.0}


def test_run_of_another_format_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(json.dumps({"rows": []}))
    with pytest.raises(ValueError, match="has format 1, not 2"):
        load(path)


def test_every_key_of_the_format_is_described() -> None:
    text = (Path(__file__).parents[2] / "benchmarks" / "results" / "README.md").read_text(encoding="utf-8")
    run = to_json([(Path("/"), [ROW])], size="tiny", seconds=1.0, load=0.0)
    keys = {*run, *run["trees"][0], *run["trees"][0]["rows"][0]}
    assert {key for key in keys if f"`{key}`" not in text} == set()


def test_rows_of_a_worker_are_rows_again() -> None:
    assert to_rows([json.loads(json.dumps(attrs.asdict(ROW)))]) == [ROW]
