"""Events that wait in the simulator to be delivered."""

from __future__ import annotations

from datetime import UTC, datetime

from stellantis_hal.simulator.notifications.outbox import Outbox, PendingEvent

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_events_wait_in_order_by_callback() -> None:
    outbox = Outbox()
    for number, callback in enumerate("aba"):
        outbox.add(callback, {"number": number}, vin=None, raised_at=NOW)
    assert [event.number for event in outbox.pending["a"]] == [0, 2]
    assert (len(outbox), outbox.raised) == (3, 3)


def test_removed_events_wait_no_longer() -> None:
    outbox = Outbox()
    for callback in "aab":
        outbox.add(callback, {}, vin=None, raised_at=NOW)
    outbox.remove([outbox.pending["a"][0], outbox.pending["b"][0]])
    assert list(outbox.pending) == ["a"]
    assert len(outbox) == 1


def test_listeners_get_each_event_until_they_are_removed() -> None:
    outbox, heard = Outbox(), list[PendingEvent]()
    stop = outbox.listen(heard.append)
    outbox.add("a", {}, vin="VF3", raised_at=NOW)
    stop()
    outbox.add("a", {}, vin="VF3", raised_at=NOW)
    assert [(event.callback_id, event.vin) for event in heard] == [("a", "VF3")]
