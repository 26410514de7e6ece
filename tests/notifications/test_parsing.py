"""Bodies of deliveries read as events."""

from __future__ import annotations

import base64
import copy
import json
import pickle
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellantis_hal.notifications import (
    MonitorEvent,
    Notification,
    RemoteEvent,
    StoredEvent,
    UnreadableEvent,
    parse_notification,
    parse_push,
    splitting,
)
from stellantis_hal.notifications.identity import identify_document
from stellantis_hal.notifications.inbox_format import read_entry, write_entry
from tests.notifications.bodies import VIN, body, fleet_envelope, fleet_event, monitor_message, remote_message
from tests.support.profiles import few_examples

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            [
                "attributes", "body", "callbackId", "data", "date", "eventStatus", "events", "extensions", "key",
                "literalValue", "monitorEvent", "monitorId", "objectValues", "previous", "refresh", "remoteActionId",
                "remoteEvent", "status", "type", "value", "values", "vin",
            ]
        )
        | st.text(max_size=4),
        inner,
        max_size=5,
    ),
    max_leaves=30,
)  # fmt: skip


def only(document: Any) -> Any:
    [event] = parse_notification(body(document))
    return event


def extended(*extensions: Any) -> MonitorEvent:
    message = monitor_message()
    message["monitorEvent"]["extensions"] = list(extensions)
    event = only(message)
    assert isinstance(event, MonitorEvent)
    return event


def test_message_of_a_monitor_is_read() -> None:
    event = only(monitor_message())
    assert isinstance(event, MonitorEvent)
    assert (event.callback_id, event.monitor_id, event.vin) == ("callback-1", "monitor-1", VIN)
    assert event.at == datetime(2026, 3, 1, tzinfo=UTC)
    assert not event.is_reminder
    [value] = event.values
    assert (value.data, value.text, value.number, value.previous) == ("vehicle.energy.electric.level", "19", 19.0, "21")
    assert event.problems == ()


def test_message_of_a_remote_is_read() -> None:
    event = only(remote_message())
    assert isinstance(event, RemoteEvent)
    assert (event.remote_id, event.kind, event.phase, event.status) == ("remote-1", "Doors", "Done", "Success")
    assert event.cause is None


def test_array_has_one_event_for_each_message() -> None:
    events = parse_notification(body([monitor_message(1), remote_message(), monitor_message(2)]))
    assert [type(event) for event in events] == [MonitorEvent, RemoteEvent, MonitorEvent]


def test_envelope_of_a_fleet_has_one_event_for_each_item() -> None:
    events = parse_notification(body(fleet_envelope(fleet_event(1), fleet_event(2))))
    assert [(event.vin, event.fleet_id) for event in events] == [(VIN, "fleet-1")] * 2
    assert all(isinstance(event, MonitorEvent) and event.monitor_id == "monitor-1" for event in events)
    assert len({event.id for event in events}) == 2


def test_each_event_of_an_envelope_keeps_the_vin_that_it_states() -> None:
    """The attribute of the envelope, which ``callbacks.ensure()`` asks for, is that of one of the cars."""
    other = "VF7OTHER000000000"
    attributes = [{"key": "Vin", "value": VIN}, {"key": "token", "value": "s3cr3t"}, {"key": "env", "value": "test"}]
    items = (fleet_event(1), fleet_event(2, vin=other), fleet_event(3, vin=None))
    events = parse_notification(body(fleet_envelope(*items, attributes=attributes)), token="s3cr3t")
    assert [event.vin for event in events] == [VIN, other, VIN]
    assert [dict(event.attributes) for event in events] == [
        {"Vin": VIN, "env": "test"},
        {"env": "test"},
        {"Vin": VIN, "env": "test"},
    ]
    assert all(event.is_verified for event in events)


def test_envelope_of_remotes_is_read() -> None:
    step = {"type": "Done", "status": "Failed", "failureCause": "DoorsOpen", "feedbackDetail": "CIDBlacklisted"}
    item = {"remoteActionId": "r1", "vin": VIN, "eventDate": "2026-03-01T12:00:00Z", "remoteType": "Doors"}
    event = only({"callbackId": "c1", "events": [{**item, "eventStatus": step}]})
    assert isinstance(event, RemoteEvent)
    assert (event.callback_id, event.cause, event.detail) == ("c1", "DoorsOpen", "CIDBlacklisted")


def test_empty_batch_has_no_events() -> None:
    assert parse_notification(b"[]") == ()
    assert parse_notification(body(fleet_envelope())) == ()


def test_good_items_of_a_batch_are_kept() -> None:
    events = parse_notification(body([monitor_message(), 5, {"hello": 1}, fleet_envelope(None, fleet_event())]))
    assert [type(event) for event in events] == [
        MonitorEvent, UnreadableEvent, UnreadableEvent, UnreadableEvent, MonitorEvent,
    ]  # fmt: skip
    unreadable = events[2]
    assert isinstance(unreadable, UnreadableEvent)
    assert "neither" in unreadable.reason
    assert json.loads(unreadable.content) == {"hello": 1}


@pytest.mark.parametrize(
    "content",
    [b"", b"  \n", b"{", b"\xff\xfe", b"null", b"5", b"{}", b"[" * 100_000, b'{"a":' * 1010 + b"1" + b"}" * 1010],
)
def test_what_is_no_event_is_unreadable(content: bytes) -> None:
    [event] = parse_notification(content)
    assert isinstance(event, UnreadableEvent)
    assert event.reason
    assert event.size == len(content) or content.startswith(b'{"a"')


@pytest.mark.unmeasured
def test_body_of_too_many_events_is_unreadable() -> None:
    [event] = parse_notification(b"[" + b"1," * 10_000 + b"1]")
    assert isinstance(event, UnreadableEvent)
    assert event.reason == "more than 10000 events in one body"
    assert len(parse_notification(b"[" + b"1," * 9_999 + b"1]")) == 10_000


@pytest.mark.parametrize(
    ("events", "reason"),
    [(2, "envelopes of more than 1 bytes in all, counted for each event"), (3, "more than 2 events in one body")],
)
def test_no_more_is_read_than_the_events_of_a_body(monkeypatch: pytest.MonkeyPatch, events: int, reason: str) -> None:
    """What comes after the last event that is allowed is not looked at."""
    monkeypatch.setattr(splitting, "_MAX_EVENTS", 2)
    monkeypatch.setattr(splitting, "_MAX_REPEATED", 1)
    assert only([*range(events), {"callbackId": "c", "events": [{}, {}]}]).reason == reason


@pytest.mark.unmeasured
@few_examples()
@given(JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_from_an_inbox_as_before(content: bytes) -> None:
    for number, message in enumerate(splitting.split(content)):
        stored = write_entry(message, is_verified=True, received_at=NOW)
        event = read_entry(StoredEvent(number=number, entry=stored, owner=None, attempts=1))
        assert (event.id, event.received_at, event.vin) == (stored.id, NOW, stored.vin)
        assert attrs.evolve(event, received_at=None, is_verified=False) == parse_notification(content)[number]


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", ["pad", "callbackId", "attributes"])
def test_a_large_envelope_is_not_repeated_for_each_event(name: str) -> None:
    """A megabyte with a thousand events in it would be a gigabyte."""
    pad: Any = [{"key": "a", "value": "x" * 100_000}] if name == "attributes" else "x" * 100_000
    events = [{"monitorId": f"m{index}"} for index in range(150)]
    assert len(parse_notification(json.dumps({name: pad, "events": events}).encode())) == 150
    twice = [{name: pad, "events": events}] * 2
    [event] = parse_notification(json.dumps(twice).encode())
    assert isinstance(event, UnreadableEvent)
    assert event.reason == "envelopes of more than 16777216 bytes in all, counted for each event"
    assert len(parse_notification(json.dumps([{name: pad * 9, "events": events[:1]}] * 2).encode())) == 2


@pytest.mark.parametrize(("room", "count"), [(0, 4), (-1, 1)])
def test_envelopes_may_fill_their_bound(monkeypatch: pytest.MonkeyPatch, room: int, count: int) -> None:
    envelope = {"callbackId": "c", "attributes": []}
    events = [{"monitorId": "m1"}, {"monitorId": "m2"}]
    bound = 2 * 2 * len(json.dumps(envelope, separators=(",", ":")))
    monkeypatch.setattr(splitting, "_MAX_REPEATED", bound + room)
    assert len(parse_notification(json.dumps([{**envelope, "events": events}] * 2).encode())) == count
    assert len(parse_notification(json.dumps([{**envelope, "events": events[:1]}] * 9).encode())) == 9


def test_large_unreadable_body_is_truncated() -> None:
    [event] = parse_notification(b"x" * 100_000)
    assert isinstance(event, UnreadableEvent)
    assert (event.is_truncated, event.size) == (True, 100_000)
    assert len(event.content) == 65_536


@pytest.mark.unmeasured
@few_examples()
@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_become_events(content: bytes) -> None:
    for event in parse_notification(content, token="s3cr3t"):
        assert isinstance(event, Notification)
        assert event.id
        repr(event)


@pytest.mark.unmeasured
@few_examples()
@given(JSON, JSON, JSON)
def test_any_contents_become_an_event(values: Any, extensions: Any, status: Any) -> None:
    monitor = monitor_message()
    monitor["monitorEvent"] |= {"values": values, "extensions": extensions}
    remote = remote_message()
    remote["remoteEvent"]["eventStatus"] = status
    assert isinstance(only(monitor), MonitorEvent)
    assert isinstance(only(remote), RemoteEvent)


@pytest.mark.unmeasured
@given(JSON)
def test_any_push_data_become_events(document: Any) -> None:
    encoded = base64.b64encode(body(document)).decode()
    for data in ({"mph_message": encoded}, {"data": {"mph_message": encoded}}, {"message": document}):
        assert all(event.id for event in parse_push(data))


# ------------------------------------------------------------------------------------------------ identity


def test_identity_is_the_same_alone_and_in_a_batch() -> None:
    message = monitor_message(3)
    bare = {key: value for key, value in message.items() if key != "attributes"}
    ids = {event.id for document in (message, [message], bare) for event in parse_notification(body(document))}
    assert len(ids) == 1
    envelopes = (fleet_envelope(fleet_event(1)), fleet_envelope(fleet_event(1), fleet_event(2)))
    assert len({parse_notification(body(envelope))[0].id for envelope in envelopes}) == 1


@pytest.mark.parametrize(
    ("content", "identity"),
    [
        (body({"type": "Monitor", "monitorEvent": {"monitorId": "m"}}), "c3fbc3d3afe85edaeeefd575135f55f6"),
        (body({"callbackId": "c", "monitorId": "m", "events": [{"vin": VIN}]}), "bb08d81bac222cab0d5c7d4215506457"),
        (body(remote_message()), "9ddca680eb0ed5054d7b1c1c8dfa62c3"),
        (b"{", "d839590985278e8fd9ebaf6eb1048c17"),
        (b"[" * 70_000, "a6c0742cf9478f646fee23a008f84d28"),
    ],
    ids=["monitor", "fleet", "remote", "unreadable", "large"],
)
def test_identities_are_those_of_earlier_versions(content: bytes, identity: str) -> None:
    """An inbox remembers them for four days, and is read by the next version of this library."""
    [event] = parse_notification(content)
    assert event.id == identity


def test_identity_does_not_depend_on_spaces_and_order() -> None:
    message = monitor_message()
    turned = json.dumps(dict(reversed(message.items())), indent=2).encode()
    assert parse_notification(turned)[0].id == only(message).id


def test_identity_of_a_step_is_that_of_its_contents() -> None:
    first, later = remote_message(), remote_message(date="2026-03-01T12:00:30Z", callbackId="other")
    assert only(first).id == only(later).id
    others = [remote_message("AlreadyDone"), remote_message("Accepted", "Pending")]
    assert len({only(message).id for message in [first, *others]}) == 3


@pytest.mark.parametrize("name", ["callbackId", "monitorId"])
def test_identity_in_an_envelope_depends_on_its_sender(name: str) -> None:
    ids = {only(fleet_envelope(fleet_event(), **{name: sender})).id for sender in ("a", "b")}
    assert len(ids) == 2
    assert only(fleet_envelope(fleet_event(), other="a")).id == only(fleet_envelope(fleet_event(), other="b")).id


@pytest.mark.parametrize(
    ("document", "reason", "content"),
    [
        (7, "no JSON object", b"7"),
        ({"events": [7]}, "an item of events is no JSON object", b"7"),
        ({"events": [{}]}, "neither an event of a monitor nor one of a remote", b'{"events":[{}]}'),
        ({}, "neither an event of a monitor nor one of a remote", b"{}"),
    ],
)
def test_unreadable_item_says_why(document: Any, reason: str, content: bytes) -> None:
    event = only(document)
    assert isinstance(event, UnreadableEvent)
    assert (event.reason, event.content, event.size) == (reason, content, len(content))


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"type": "Monitor"}, MonitorEvent),
        ({"type": "Monitor", "remoteEvent": {}}, RemoteEvent),
        ({"type": "Remote"}, RemoteEvent),
        ({"type": "Remote", "monitorEvent": {}}, MonitorEvent),
        ({"type": "Other", "monitorId": "m"}, MonitorEvent),
        ({"type": "Other", "remoteActionId": "r"}, RemoteEvent),
        ({"monitorId": "m", "events": [{}]}, MonitorEvent),
        ({"type": "monitor"}, UnreadableEvent),
        ({"type": "remote"}, UnreadableEvent),
    ],
)
def test_kind_of_an_event_is_told_by_any_of_its_members(document: Any, kind: type[Notification]) -> None:
    assert isinstance(only(document), kind)


def test_document_nested_too_deeply_has_no_identity() -> None:
    document: list[Any] = []
    for _ in range(100_000):
        document = [document]
    with pytest.raises(ValueError, match=r"^nested too deeply$"):
        identify_document(document)


def test_steps_without_an_operation_differ_by_date() -> None:
    messages = [remote_message(date=f"2026-03-01T12:00:0{number}Z") for number in range(2)]
    for message in messages:
        del message["remoteEvent"]["remoteActionId"]
    assert len({only(message).id for message in messages}) == 2


@pytest.mark.parametrize("kind", ["monitor", "remote", "envelope"])
def test_equal_events_of_two_cars_differ_without_a_source(kind: str) -> None:
    """An account's event says whose car it is by an attribute alone."""
    ids = set()
    for vin in ("VF3ABCDE0FG123456", "VF3ABCDE0FG123457"):
        attributes = [{"key": "VIN", "value": vin}]
        if kind == "envelope":
            message = fleet_envelope(fleet_event(), attributes=attributes)
            del message["monitorId"], message["events"][0]["vin"]
        else:
            message = (monitor_message if kind == "monitor" else remote_message)(attributes=attributes)
            message[f"{kind}Event"].pop("monitorId", None)
            message[f"{kind}Event"].pop("remoteActionId", None)
        ids |= {event.id for _ in range(2) for event in parse_notification(body(message))}
    assert len(ids) == 2


# ------------------------------------------------------------------------------------------------ tolerance


@pytest.mark.parametrize(
    ("status", "read"),
    [
        ({"type": "Failed", "failureCause": "DoorsOpen"}, ("Done", "Failed", "DoorsOpen")),
        ({"type": "Done", "status": {"RemoteDoneEventStatus": "Success"}}, ("Done", "Success", None)),
        ({"type": "Failed", "status": "DoorsOpen"}, ("Done", "Failed", "DoorsOpen")),
        ({"type": "Failed", "status": "Failed"}, ("Done", "Failed", None)),
        ({"type": "Failed", "status": "VehicleError", "failureCause": "DoorsOpen"}, ("Done", "Failed", "DoorsOpen")),
        ("Success", (None, "Success", None)),
        (None, (None, None, None)),
        ({"type": 1, "status": {"a": 1, "b": 2}}, (None, None, None)),
    ],
)
def test_spellings_of_a_step_are_read(status: Any, read: tuple[str | None, ...]) -> None:
    message = remote_message()
    message["remoteEvent"]["eventStatus"] = status
    event = only(message)
    assert (event.phase, event.status, event.cause) == read
    assert bool(event.problems) == (read[1] is None)


def test_literals_of_other_types_are_read_as_text() -> None:
    message = monitor_message()
    message["monitorEvent"]["values"] = [
        {"data": "a", "value": {"body": {"literalValue": True}}},
        {"data": "a", "value": {"body": {"literalValue": False}}},
        {"data": "b", "value": 19.5, "previous": 20},
        {"data": "c", "value": {"body": {"literalValue": ["x", "y"]}}},
        {"data": "d", "value": {"type": "string", "body": "z"}},
        {"data": ["e"], "value": {"type": "obj.new", "body": {"objectValues": [{"n": 1}, 2]}}},
        {"data": "f", "value": {"body": {"literalValue": "inf"}}},
        {"data": "g", "value": {"literalValue": "without a body"}},
    ]
    values = only(message).values
    texts = [("true",), ("false",), ("19.5",), ("x", "y"), ("z",), (), ("inf",), ("without a body",)]
    assert [value.texts for value in values] == texts
    assert [value.number for value in values] == [None, None, 19.5, None, None, None, None, None]
    assert [value.is_true for value in values] == [True, False, None, None, None, None, None, None]
    assert values[2].previous == "20"
    assert values[5].objects == ({"n": 1},)


def test_objects_of_values_are_typed() -> None:
    message = monitor_message()
    message["monitorEvent"]["values"] = [
        {"data": "vehicle.alert", "value": {"type": "obj.alert", "body": {"objectValues": [{"id": "a1"}]}}},
        {"data": "vehicle.collision.side", "value": {"type": "obj.collision", "body": {"objectValues": {"id": "c1"}}}},
        {"data": "vehicle.alert", "value": {"type": "obj.alert", "body": {}}},
        {"data": "vehicle.alert", "value": {"type": "obj.collision", "body": {}}},
        "none",
    ]
    event = only(message)
    assert event.values[0].alerts[0].id == "a1"
    assert event.values[1].collisions[0].id == "c1"
    assert event.values[2].alerts == event.values[3].collisions == ()
    assert [problem.path for problem in event.problems] == ["$.monitorEvent.values[4]"]


@pytest.mark.parametrize(
    "extension",
    [
        {"type": "vehicle.status", "body": [{"status": {"odometer": {"mileage": 12}}}]},
        {"type": "vehicle.status", "body": {"status": {"odometer": {"mileage": 12}}}},
        {"type": "vehicle.status", "body": {"odometer": {"mileage": 12}}},
        {"body": {"status": {"odometer": {"mileage": 12}}}},
    ],
)
def test_extension_is_read_in_each_form(extension: Any) -> None:
    event = extended(extension)
    assert event.status is not None
    assert event.status.mileage == 12.0


def test_kind_of_contents_is_the_first_part_of_their_type() -> None:
    event = extended({"type": "vehicle.alerts.Moved", "body": {"id": "a1"}}, {"type": "alarm.On", "body": {"id": "a2"}})
    assert [alert.id for alert in event.alerts] == ["a1"]
    assert event.alarm is not None
    assert (event.alarm.id, event.problems) == ("a2", ())


def test_extensions_of_every_kind_are_read() -> None:
    event = extended(
        {"type": "vehicle.doorsState", "body": [{"doorState": {"lockedState": ["Locked"]}}]},
        {"type": "vehicle.maintenance", "body": [{"maintenance": {"daysBeforeMaintenance": 9}}]},
        {"type": "vehicle.position", "body": [{"position": {"type": "Point", "coordinates": [2.25, 48.75]}}]},
        {"type": "vehicle.telemetry.Kinetic", "body": [{"telemetry": {"createdAt": "2026-03-01T12:00:00Z"}}]},
        {"type": "vehicle.telemetry.Energy", "body": [{"telemetry": [{"createdAt": "2026-03-01T12:00:01Z"}]}]},
        {"type": "vehicle.alerts", "body": [{"alerts": [{"id": "a1"}, {"id": "a2"}]}]},
        {"type": "vehicle.alarm", "body": [{"alarm": {"id": "alarm-1"}}]},
        {"type": "vehicle.trip", "body": [{"trip": {"id": "trip-1"}}]},
        {"type": "vehicle.collisions", "body": {"collisions": {"id": "c1"}}},
        {"type": "vehicle.stolen", "body": {"stolen": {"state": True}}},
    )
    assert event.doors is not None
    assert event.maintenance is not None
    assert event.maintenance.days == 9
    assert event.position is not None
    assert event.position.latitude == 48.75
    assert len(event.telemetry) == 2
    assert [alert.id for alert in event.alerts] == ["a1", "a2"]
    assert event.alarm is not None
    assert event.alarm.id == "alarm-1"
    assert event.trip is not None
    assert event.trip.id == "trip-1"
    assert event.collisions[0].id == "c1"
    assert event.stolen == {"state": True}
    assert event.problems == ()


def test_unreadable_extensions_are_problems() -> None:
    event = extended(
        "status",
        {"type": "vehicle.status", "body": None},
        {"type": "vehicle.moods", "body": {"moods": {}}},
        {"type": "vehicle.status", "body": {"status": {"odometer": {"mileage": "far"}}}},
        {"type": "vehicle.trip", "body": {"trip": 5}},
    )
    assert [problem.path for problem in event.problems] == [
        "$.monitorEvent.extensions[0].body",
        "$.monitorEvent.extensions[1].body",
        "$.monitorEvent.extensions[2].body",
        "$.monitorEvent.extensions[3].body.status.odometer.mileage",
        "$.monitorEvent.extensions[4].body.trip",
    ]


def test_each_part_of_an_extension_is_read() -> None:
    event = extended({"type": "vehicle.alerts", "body": [5, {"id": "a1"}, {"id": "a2"}, {"alerts": {"id": "a3"}}]})
    assert [alert.id for alert in event.alerts] == ["a1", "a2", "a3"]
    assert [problem.path for problem in event.problems] == ["$.monitorEvent.extensions[0].body[0]"]


def test_kind_that_is_repeated_has_all_its_objects() -> None:
    event = extended(*[{"body": [{"alerts": {"id": f"{n}"}}]} for n in range(1_000)])
    assert [alert.id for alert in event.alerts] == [f"{n}" for n in range(1_000)]


def test_first_of_two_statuses_counts() -> None:
    extensions = [{"type": "vehicle.status", "body": {"status": {"odometer": {"mileage": n}}}} for n in (1, 2)]
    status = extended(*extensions).status
    assert status is not None
    assert status.mileage == 1.0


def test_unreadable_members_are_problems() -> None:
    event = only({"callbackId": {}, "type": "Monitor", "date": "soon", "monitorEvent": {"monitorId": 7, "refresh": 1}})
    assert (event.callback_id, event.at, event.monitor_id, event.is_reminder) == (None, None, "7", False)
    assert [problem.path for problem in event.problems] == ["$.callbackId", "$.date", "$.monitorEvent.refresh"]
    event = only({"type": "Monitor", "monitorEvent": 5, "date": 5, "eventDate": "2026-03-01T12:00:00Z"})
    assert [problem.path for problem in event.problems] == ["$.date", "$.monitorEvent"]
    assert event.at is not None


def test_reminder_may_be_a_text() -> None:
    assert only({"type": "Monitor", "monitorEvent": {"refresh": "TRUE"}}).is_reminder


def test_event_of_a_remote_without_its_part_is_read() -> None:
    event = only({"type": "Remote", "remoteEvent": None})
    assert isinstance(event, RemoteEvent)
    assert isinstance(only({"remoteActionId": "r1"}), RemoteEvent)
    assert isinstance(only({"type": "Remote", "monitorEvent": {}}), MonitorEvent)
    assert isinstance(only({"type": "Remote", "remoteType": ["Doors"]}), RemoteEvent)


def problems_of(event: Any) -> list[tuple[str, str, str]]:
    return [(problem.path, problem.value_type, problem.reason) for problem in event.problems]


def test_problems_of_a_monitor_say_where_what_and_why() -> None:
    event = only(
        {
            "callbackId": ["c"],
            "date": {},
            "monitorEvent": {
                "monitorId": 1.5,
                "refresh": "perhaps",
                "values": [
                    5,
                    {"data": "a", "value": {"type": "obj.alert", "body": {"objectValues": [7]}}},
                    {"data": "b", "value": {"type": "obj.collision", "body": {"objectValues": "x"}}},
                ],
                "extensions": [
                    {"type": "vehicle.alerts", "body": [None, {"alerts": ["x"]}, {"alerts": 7}]},
                    {"body": {"z": 1}},
                ],
            },
        }
    )
    inner = "$.monitorEvent"
    extension = f"{inner}.extensions[0].body"
    assert problems_of(event) == [
        ("$.callbackId", "array", "not a text"),
        ("$.date", "object", "not an instant"),
        (f"{extension}[0]", "null", "no object with an extension"),
        (f"{extension}[1].alerts[0]", "string", "not an object"),
        (f"{extension}[2].alerts", "number", "not an object"),
        (f"{inner}.extensions[1].body", "object", "an extension of an unknown type"),
        (f"{inner}.monitorId", "number", "not a text"),
        (f"{inner}.refresh", "string", "not a boolean"),
        (f"{inner}.values[0]", "number", "not an object"),
        (f"{inner}.values[1].value.body.objectValues[0]", "number", "not an object"),
        (f"{inner}.values[2].value.body.objectValues", "string", "not an object"),
    ]


def test_problems_of_a_remote_say_where_what_and_why() -> None:
    event = only({"remoteEvent": {"remoteActionId": [], "eventStatus": {"type": "Done"}}, "remoteActionId": "r1"})
    assert event.remote_id == "r1"
    assert problems_of(event) == [
        ("$.remoteEvent.eventStatus", "object", "no status in it"),
        ("$.remoteEvent.remoteActionId", "array", "not a text"),
    ]
    event = only({"type": "Remote", "remoteEvent": 7, "callbackId": 5})
    assert (event.callback_id, problems_of(event)) == (
        "5",
        [("$.remoteEvent", "number", "not an object"), ("$.eventStatus", "null", "no status in it")],
    )


def test_ids_may_stand_around_the_event_or_in_it() -> None:
    event = only({"monitorId": "m1", "monitorEvent": {"fleetId": "f1", "monitorId": None, "values": {"data": "a"}}})
    assert (event.monitor_id, event.fleet_id, [value.data for value in event.values]) == ("m1", "f1", ["a"])
    event = only({"monitorId": "m1", "fleetId": "f1", "monitorEvent": {"fleetId": "f2", "monitorId": "m2"}})
    assert (event.monitor_id, event.fleet_id) == ("m2", "f1")


def test_steps_have_all_their_members() -> None:
    status = {"type": "Done", "status": "Failed", "failureCause": "Unknown", "feedbackDetail": ["late"]}
    event = only({"remoteEvent": {"remoteActionId": "r1", "remoteType": ["Doors"], "eventStatus": status}})
    assert (event.kind, event.phase, event.status, event.cause, event.detail) == (
        "Doors",
        "Done",
        "Failed",
        "Unknown",
        "late",
    )


# ------------------------------------------------------------------------------------------------ car and token


@pytest.mark.parametrize(
    ("attribute", "vin", "read"),
    [("$vin", None, None), ("$Vin", "VF3", "VF3"), (VIN, "VF3", VIN), ("", None, None)],
)
def test_vehicle_is_that_of_the_attribute(attribute: str, vin: str | None, read: str | None) -> None:
    message = monitor_message(attributes=[{"key": "Vin", "value": attribute}], vin=vin)
    assert only(message).vin == read


@pytest.mark.parametrize(
    "attributes", [{"vin": VIN, "n": 1}, [{"key": "vin", "value": VIN}, {"key": "n"}, 5, {"key": "m", "value": 5}]]
)
def test_attributes_are_read_in_each_form(attributes: Any) -> None:
    assert only(monitor_message(attributes=attributes)).attributes == {"vin": VIN}


def test_token_verifies_each_event_and_is_not_kept() -> None:
    bodies = body([monitor_message(1), monitor_message(2, attributes=[{"key": "token", "value": "wrong"}])])
    events = parse_notification(bodies, token="s3cr3t")
    assert [event.is_verified for event in events] == [True, False]
    assert [event.attributes for event in events] == [{"vin": VIN}, {}]
    assert [event.is_verified for event in parse_notification(bodies)] == [False, False]


@pytest.mark.parametrize("token", ["XXXX", "\ud800", "s3cr3t ", "S3CR3T", "s3cr3", "None"])
def test_another_token_verifies_no_event(token: str) -> None:
    for attributes in ([], [{"key": "token", "value": "s3cr3t"}], {"token": None}, {"Token": token}):
        [event] = parse_notification(body(monitor_message(attributes=attributes)), token=token)
        assert not event.is_verified
    [event] = parse_notification(body(monitor_message(attributes={"token": token})), token=token)
    assert event.is_verified


def test_attributes_of_an_item_add_to_those_of_its_envelope() -> None:
    item = fleet_event(attributes=[{"key": "colour", "value": "blue"}])
    event = only(fleet_envelope(item))
    assert event.attributes == {"colour": "blue"}
    assert event.id == only(fleet_envelope(fleet_event())).id


def test_events_show_no_personal_data() -> None:
    events = parse_notification(body([monitor_message(), remote_message(), 5]))
    for event in events:
        assert VIN not in repr(event)
        assert "callback-1" not in repr(event)


def test_events_pickle_and_copy() -> None:
    message = monitor_message()
    message["monitorEvent"]["extensions"] = [{"type": "vehicle.trip", "body": [{"trip": {"id": "trip-1"}}]}]
    for event in parse_notification(body([message, remote_message(), 5])):
        assert pickle.loads(pickle.dumps(event)) == event
        assert copy.deepcopy(event) == event


# ------------------------------------------------------------------------------------------------ push messages


def test_push_message_is_read() -> None:
    message = monitor_message(attributes=[])
    data = {"mph_message": base64.b64encode(body(message)).decode(), "vin": VIN, "token": "s3cr3t", "n": 5}
    [event] = parse_push(data)
    assert isinstance(event, MonitorEvent)
    assert (event.vin, event.attributes) == (VIN, {"vin": VIN})
    assert parse_push({"name": "garage", "data": data}) == (event,)


@pytest.mark.parametrize(
    ("data", "reason", "content"),
    [
        ({}, "no mph_message in a push message", b""),
        ({"mph_message": 5}, "no mph_message in a push message", b""),
        ({"mph_message": "not base64!"}, "no base64", b"not base64!"),
        ({"message": b"\xff"}, "no base64", b"\xff"),
    ],
)
def test_push_message_without_an_event_is_unreadable(data: dict[str, Any], reason: str, content: bytes) -> None:
    [event] = parse_push(data)
    assert isinstance(event, UnreadableEvent)
    assert (event.reason, event.content, event.size) == (reason, content, len(content))


@pytest.mark.parametrize("content", [3, "{}", {"callbackId": "c"}, None], ids=["int", "text", "parsed", "none"])
def test_a_body_that_is_no_bytes_is_refused(content: Any) -> None:
    """A number was read as so many bytes of zero, and a body that a framework had parsed raised about integers."""
    with pytest.raises(TypeError, match=r"^body must be bytes or .*, not .*: the body of the request, as it was "):
        parse_notification(content)


@pytest.mark.parametrize("content", [b"{}", "{}", None], ids=["bytes", "text", "none"])
def test_push_data_that_are_no_mapping_are_refused(content: Any) -> None:
    with pytest.raises(TypeError, match=r"^data must be Mapping, not "):
        parse_push(content)
