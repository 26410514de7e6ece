"""Every benchmark runs at its smallest size, in a process of its own, as the command does."""

from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path

import pytest

import benchmarks.concerns
from benchmarks.__main__ import main
from benchmarks.harness.in_tree import HERE
from benchmarks.harness.optional import is_installed
from benchmarks.harness.registry import CONCERNS, JUDGED
from benchmarks.harness.runner import WorkerError, run_trees

pytestmark = pytest.mark.unmeasured

MODULES = {path.stem for path in Path(benchmarks.concerns.__file__).parent.glob("[a-z]*.py")}


def test_every_concern_has_a_module_and_every_module_a_concern() -> None:
    assert set(CONCERNS) == MODULES
    assert set(JUDGED) < set(CONCERNS)


@pytest.mark.parametrize("name", sorted(set(CONCERNS) - {"without_speed"}))
def test_modules_of_concerns_have_a_run(name: str) -> None:
    module = importlib.import_module(f"benchmarks.concerns.{name}")
    assert list(inspect.signature(module.run).parameters) == ["scale"]


@pytest.mark.bench_smoke
@pytest.mark.wall_clock
@pytest.mark.parametrize("name", CONCERNS)
def test_benchmark_returns_rows_of_its_concern(name: str) -> None:
    [rows] = run_trees(name, "tiny", [HERE])
    assert {row.concern for row in rows} == {name}
    assert len({row.what for row in rows}) == len(rows)
    assert all(row.values for row in rows)
    assert all(len(row.ratios) in {0, len(row.values)} for row in rows)
    assert all(len(row.calibrated) in {0, len(row.values)} for row in rows)
    assert any(row.figure is not None for row in rows) or name not in JUDGED


@pytest.mark.bench_smoke
@pytest.mark.wall_clock
def test_two_trees_have_the_same_rows_and_rounds() -> None:
    ours, others = run_trees("values", "tiny", [HERE, HERE])
    assert [(row.what, len(row.values)) for row in ours] == [(row.what, len(row.values)) for row in others]


@pytest.mark.wall_clock
@pytest.mark.skipif(not (HERE / "stellantis_hal").is_dir(), reason="a tree without the package has no concern to fail")
def test_a_concern_that_fails_is_an_error() -> None:
    with pytest.raises(WorkerError):
        run_trees("missing", "tiny", [HERE])


def test_a_failed_concern_is_told_and_leaves_the_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(name: str, size: str, trees: object) -> None:
        raise WorkerError(f"{name} at {size}")

    def refuse(*values: object) -> None:
        raise AssertionError("the pages were written")

    monkeypatch.setattr("benchmarks.__main__.run_trees", fail)
    monkeypatch.setattr("benchmarks.__main__.write_pages", refuse)
    assert main(["--brief", "--write", "--results", str(tmp_path)]) == 1
    assert capsys.readouterr().out.count("failed: ") == len(JUDGED)


def test_missing_reference_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert not is_installed("json", "no_such_library")
    assert not is_installed("no_such_library")
    assert capsys.readouterr().err.count("no_such_library is not installed") == 1
    assert is_installed("json")


@pytest.mark.bench_smoke
@pytest.mark.wall_clock
def test_command_compares_with_another_tree_and_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--tiny", "--only", "memory", "--results", str(tmp_path)]
    assert main([*words, "--against", str(HERE)]) == 0
    printed = capsys.readouterr().out
    assert "documents reachable" in printed
    assert "change" in printed
    [file] = tmp_path.glob("*.json")
    run = json.loads(file.read_text(encoding="utf-8"))
    assert [{row["concern"] for row in tree["rows"]} for tree in run["trees"]] == [{"memory"}] * 2
    assert "Python" in run["machine"]
    assert main([*words, "--compare", str(file)]) == 0
    assert "was" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "pages,nothing"], "nothing: --only must be names of"),
        (["--against", "."], "must be a checkout"),
        (["--write", "--only", "pages"], "leave out --only"),
        (["--brief", "--full"], "not allowed with"),
    ],
)
def test_command_refuses_what_it_cannot_do(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert message in capsys.readouterr().err
