"""Due queue: order, replacement, lateness."""

from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.fleet.watching.due_queue import DueQueue
from stellantis_hal.fleet.watching.intervals import next_due


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["put", "drop", "take"]), st.integers(0, 9))))
def test_queue_agrees_with_the_sorting_rule(acts: list[tuple[str, str, int]]) -> None:
    queue, entries = DueQueue[str](), dict[str, float]()
    for key, act, due in acts:
        if act == "put":
            entries.pop(key, None)
            queue.put(key, float(due))
            entries[key] = float(due)
        elif act == "drop":
            queue.drop(key)
            entries.pop(key, None)
        else:
            first = queue.first()
            assert (first and first.key) == min(entries, key=lambda key: entries[key], default=None)
            if first:
                queue.drop(first.key)
                assert entries.pop(first.key) == first.due
        assert len(queue) == len(entries)
        assert all(key in queue for key in entries)


def test_replaced_entries_do_not_accumulate() -> None:
    queue = DueQueue[str]()
    for due in range(10_000):
        queue.put("a", float(due))
    assert len(queue._heap) < 200
    first = queue.first()
    assert first is not None
    assert first.due == 9_999.0


def test_overdue_entries_are_counted_with_the_largest_delay() -> None:
    queue = DueQueue[str]()
    for key, due in (("a", 1.0), ("b", 4.0), ("c", 9.0)):
        queue.put(key, due)
    assert queue.overdue(5.0) == (2, 4.0)
    assert queue.overdue(0.0) == (0, 0.0)


@given(
    st.lists(st.floats(1, 1_000), min_size=2, max_size=12),
    st.floats(0.1, 50),
    st.integers(50, 300),
)
def test_no_entry_starves(intervals: list[float], service: float, polls: int) -> None:
    """Each waits at most its own interval plus one poll of every entry, however short the others' intervals are."""
    queue, now = DueQueue[int](), 0.0
    last = [0.0] * len(intervals)
    for key, interval in enumerate(intervals):
        queue.put(key, interval)
    for _ in range(polls):
        entry = queue.first()
        assert entry is not None
        now = max(now, entry.due)
        waited = now - last[entry.key]
        assert waited <= intervals[entry.key] + service * len(intervals) + 1e-6
        last[entry.key] = now
        now += service
        queue.put(entry.key, next_due(entry.due, now, intervals[entry.key]))
