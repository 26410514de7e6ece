"""Services that a client hands to everything that controls vehicles."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import anyio

from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.validation import require_type

if TYPE_CHECKING:
    from stellantis_hal.resources.control.receiver_protocol import EventReceiver
    from stellantis_hal.resources.control.remote_policy import RemotePolicy
    from stellantis_hal.storage.key_value_store import StateStore

__all__ = ["ControlDependencies", "services_of"]


class ControlDependencies:
    """What a client hands to everything that controls vehicles, as ``services`` of its resources' context.

    Args:
        policy: what may be sent to a car, and when; None: the default policy, loaded when it is first read.
        state: keeps the policy's state; None: memory, likewise.
        feed: feeds operations with events; None: they are polled.
    """

    def __init__(
        self, *, policy: RemotePolicy | None = None, state: StateStore | None = None, feed: EventReceiver | None = None
    ) -> None:
        self._policy = policy
        self._state = state
        self._locks: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()
        self.feed = feed

    @classmethod
    def of(
        cls, policy: RemotePolicy | None, state: StateStore | None, receiver: EventReceiver | None
    ) -> ControlDependencies:
        """Return the services of a client's options.

        Raises:
            TypeError: an option has another type.
        """
        if policy is not None:
            from stellantis_hal.resources.control.remote_policy import RemotePolicy

            require_type("policy", policy, RemotePolicy, None, instead="RemotePolicy(cooldown=timedelta(seconds=5))")
        if state is not None:
            from stellantis_hal.storage.key_value_store import StateStore

            require_type("state", state, StateStore, None, instead="SQLiteState(path)")
        if receiver is not None:
            from stellantis_hal.resources.control.receiver_protocol import EventReceiver

            require_type("receiver", receiver, EventReceiver, None, instead="Receiver(…)")
        return cls(policy=policy, state=state, feed=receiver)

    @property
    def policy(self) -> RemotePolicy:
        """What may be sent to a car, and when."""
        if self._policy is None:
            from stellantis_hal.resources.control.remote_policy import RemotePolicy

            self._policy = RemotePolicy()
        return self._policy

    @property
    def state(self) -> StateStore:
        """What keeps the policy's state."""
        if self._state is None:
            from stellantis_hal.storage.key_value_store import MemoryState

            self._state = MemoryState()
        return self._state

    @asynccontextmanager
    async def exclusive(self, collection: str) -> AsyncGenerator[None]:
        """Keep other tasks away from a collection while one looks for a label in it, and makes what is missing.

        Waiting for it takes as long as their requests, each of which has a bound.
        """
        lock = self._locks.get(collection)
        if lock is None:
            lock = self._locks[collection] = anyio.Lock()
        async with lock:
            yield


def services_of(context: ResourceContext) -> ControlDependencies:
    """Return what the client hands to control; of a client that hands nothing, the defaults, for this object alone."""
    services = context.services
    return services if isinstance(services, ControlDependencies) else ControlDependencies()
