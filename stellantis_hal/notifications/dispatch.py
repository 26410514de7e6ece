"""Verified events passed on to listeners within the process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from stellantis_hal.notifications.events import Notification, RemoteEvent
from stellantis_hal.notifications.inbox import StoredEvent
from stellantis_hal.notifications.inbox_format import read_entry
from stellantis_hal.resources.control.receiver_protocol import OperationStep

__all__ = ["Dispatch"]

T = TypeVar("T")

_logger = logging.getLogger(__name__)


class Dispatch:
    """Calls listeners with each event, and with the steps of operations."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Notification], None]] = []
        self._operations: dict[str | None, list[Callable[[OperationStep], None]]] = {}

    def listen(self, listener: Callable[[Notification], None]) -> Callable[[], None]:
        """Call a function with each event from now on; return what ends this."""
        return _added(self._listeners, listener)

    def subscribe(self, operation_id: str, listener: Callable[[OperationStep], None]) -> Callable[[], None]:
        """Call a function with each step of an operation from now on; return what ends this."""
        remove = _added(self._operations.setdefault(operation_id, []), listener)

        def end() -> None:
            remove()
            if not self._operations.get(operation_id, True):
                del self._operations[operation_id]

        return end

    def __call__(self, entry: StoredEvent) -> None:
        """Pass an event on, where anything listens."""
        operation = self._operations.get(entry.entry.source_id) if entry.entry.kind == "remote" else None
        if not operation and not self._listeners:
            return
        event = read_entry(entry)
        for listener in list(self._listeners):
            _call(listener, event)
        if operation and isinstance(event, RemoteEvent) and (step := event.step) is not None:
            for each in list(operation):
                _call(each, step)


def _call(listener: Callable[[T], None], value: T) -> None:
    try:
        listener(value)
    except Exception:
        _logger.exception("a listener to notifications failed; the event is stored, and others get it")


def _added(functions: list[Callable[[T], None]], function: Callable[[T], None]) -> Callable[[], None]:
    functions.append(function)

    def remove() -> None:
        if function in functions:
            functions.remove(function)

    return remove
