"""One small run of the measurement of stalls."""

import pytest

from benchmarks.stalls import HERE, PHASES, main, measure

pytestmark = [pytest.mark.bench_smoke, pytest.mark.wall_clock]


def test_each_phase_is_measured() -> None:
    assert list(measure(HERE, 1)) == list(PHASES)


def test_the_table_has_a_column_for_each_tree(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--rounds", "1", "--tree", str(HERE)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(PHASES)
    assert {line.count("|") for line in lines} == {4}
