"""Order and number of rounds, and turns of several processes."""

import pytest

from benchmarks.harness import rounds
from benchmarks.harness.calibration import CALIBRATION
from benchmarks.harness.rounds import interleaved, one_round, run_rounds, take_turns
from benchmarks.harness.scale import SIZES, Scale

pytestmark = pytest.mark.unmeasured


def test_candidates_alternate_and_the_first_round_is_a_warm_up() -> None:
    order: list[str] = []

    def candidate(name: str) -> float:
        order.append(name)
        return float(len(order))

    found = run_rounds({name: lambda name=name: candidate(name) for name in "ab"}, 2)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    assert "".join(order) == "baabba"
    assert (found["a"], found["b"], len(found[CALIBRATION])) == ([3.0, 6.0], [4.0, 5.0], 2)


@pytest.mark.anyio
@pytest.mark.parametrize(("warm_up", "calls"), [(True, 3), (False, 2)])
async def test_rounds_in_an_event_loop(warm_up: bool, calls: int) -> None:
    called = 0

    async def candidate() -> float:
        nonlocal called
        called += 1
        return 1.0

    found = await interleaved({"a": candidate}, 2, warm_up=warm_up)
    assert (called, found["a"], len(found[CALIBRATION])) == (calls, [1.0, 1.0], 2)


def test_each_round_waits_for_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "_wait_for_turn", [])
    turns: list[int] = []
    take_turns(lambda: turns.append(1))
    run_rounds({"a": lambda: 1.0}, 3)
    with one_round():
        assert len(turns) == 5


def test_sizes_pick_their_number() -> None:
    assert [Scale(size).pick(1, 2, 3, 4) for size in SIZES] == [1, 2, 3, 4]
    assert [Scale(size).is_brief for size in SIZES] == [False, True, False, False]
