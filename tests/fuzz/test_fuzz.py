"""The corpus of fuzzing, and a short search by each engine."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.corpus import FOLDER, inputs_of
from tests.fuzz.engines import has_atheris, run_hypothesis
from tests.fuzz.targets import TARGETS

INPUTS = [(name, path) for name in TARGETS for path in inputs_of(name)]


@pytest.mark.parametrize(("name", "path"), INPUTS, ids=[f"{name}-{path.name}" for name, path in INPUTS])
def test_an_input_of_the_corpus_breaks_no_law(name: str, path: Path) -> None:
    TARGETS[name](path.read_bytes())


def test_every_folder_of_the_corpus_has_a_target() -> None:
    assert {path.name for path in FOLDER.iterdir()} <= TARGETS.keys()
    assert all(inputs_of(name) for name in TARGETS)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.unmeasured
def test_no_bytes_break_a_law(name: str) -> None:
    given(st.binary(max_size=200))(TARGETS[name])()


@pytest.mark.unmeasured
def test_hypothesis_finds_what_a_law_forbids() -> None:
    def forbids_three(content: bytes) -> None:
        assert b"c" not in content

    with pytest.raises(AssertionError):
        run_hypothesis("document", forbids_three, 20.0)


@pytest.mark.deep
@pytest.mark.parametrize("engine", ["hypothesis", *(["atheris"] if has_atheris() else [])])
def test_the_command_runs_by_each_engine(engine: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--minutes", "0.02", "--target", "link", "--engine", engine]
    ran = subprocess.run(
        [*command, "--findings", str(tmp_path)], capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "laws broken: none" in ran.stdout
