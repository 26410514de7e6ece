"""The ledger of commands: the policy's state of each car, in a store that processes share."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final

from stellantis_hal.errors import RemoteRefusedError
from stellantis_hal.resources.control.control_dependencies import ControlDependencies
from stellantis_hal.resources.control.remote_actions import ActionKind
from stellantis_hal.resources.control.remote_policy import (
    CommandPolicyState,
    PendingCommandRecord,
    PolicyRefusal,
    PolicyRefusalReason,
)
from stellantis_hal.storage.errors import StorageError

__all__ = ["CommandLedger", "car_key", "refused"]

_logger = logging.getLogger("stellantis_hal")
_ATTEMPTS: Final = 100


def car_key(vin: str | None, vehicle_id: str) -> str:
    """Return the key of a car's state: a digest of its VIN, or else of its id."""
    digest = hashlib.sha256((vin or vehicle_id).encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"remote/{digest}"


def refused(refusal: PolicyRefusal, kind: ActionKind) -> RemoteRefusedError:
    """Return the error of a refusal."""
    text, again = _TEXTS[refusal.reason], refusal.again_at
    when = "" if again is None else f"; again at {again.isoformat(timespec='seconds')}"
    advice = "" if refusal.reason is PolicyRefusalReason.SAME_ACTION else ", or with force=True"
    return RemoteRefusedError(
        f"{kind.value}: nothing was sent: {text}{when}{advice}", reason=refusal.reason.value, again_at=again
    )


_TEXTS: Final = {
    PolicyRefusalReason.CAPABILITY: "the vehicle does not support it, by its capabilities",
    PolicyRefusalReason.SAME_ACTION: "a command of the same kind is under way",
    PolicyRefusalReason.COOLDOWN: "the last command of this kind was sent too shortly before",
    PolicyRefusalReason.WAKE_UP_SPACING: "the car was woken too shortly before",
    PolicyRefusalReason.WAKE_UP_BUDGET: "the policy's wake-ups of this month are used up",
    PolicyRefusalReason.WAKE_UPS_OVER: "the API has refused further wake-ups of the car this month",
}


class CommandLedger:
    """The commands to one car: begun before they are sent, finished when their end is known.

    Args:
        services: of the client.
        key: of the car, by :func:`car_key`.
        clock: the wall clock.
    """

    def __init__(self, services: ControlDependencies, key: str, clock: Callable[[], datetime]) -> None:
        self._policy = services.policy
        self._store = services.state
        self._key = key
        self._clock = clock

    @property
    def key(self) -> str:
        """The key of the car's state."""
        return self._key

    async def running(self, kind: ActionKind) -> PendingCommandRecord | None:
        """Return the command of a kind that is under way; None where there is none."""
        state = self._read(await self._store.load(self._key)).at(self._clock(), self._policy)
        return state.under_way.get(kind)

    async def begin(self, kind: ActionKind, label: str, *, force: bool) -> None:
        """Record a command that is about to be sent.

        Raises:
            RemoteRefusedError: the policy refuses it.
            StorageError: the store failed.
        """

        def begin(state: CommandPolicyState, now: datetime) -> CommandPolicyState:
            refusal = state.refusal(self._policy, kind, now, force=force)
            if refusal is not None:
                raise refused(refusal, kind)
            return state.begun(kind, label, now)

        await self._change(begin)

    async def withdraw(self, kind: ActionKind, label: str) -> None:
        """Record that a command was not sent, or that the server refused it; a failure is logged."""
        await self._change_or_log(lambda state, _: state.withdrawn(kind, label))

    async def record_sent(self, kind: ActionKind, label: str, url: str | None) -> None:
        """Record that the server has received a command, or may have; a failure is logged."""
        await self._change_or_log(lambda state, now: state.sent(kind, label, now, url))

    async def finish(self, kind: ActionKind, label: str, cause: str | None, *, sent_at: datetime | None) -> None:
        """Record the end of a command, and the cause of its failure where it failed; a failure to do so is logged."""
        await self._change_or_log(lambda state, now: state.finished(kind, label, now, cause, sent_at=sent_at))

    async def _change_or_log(self, change: Callable[[CommandPolicyState, datetime], CommandPolicyState]) -> None:
        try:
            await self._change(change)
        except Exception as error:  # noqa: BLE001 - of any store; the caller has to learn whether the command was sent
            _logger.warning("the state of commands to a car was not saved: %s", str(error) or type(error).__name__)

    async def _change(self, change: Callable[[CommandPolicyState, datetime], CommandPolicyState]) -> None:
        for _ in range(_ATTEMPTS):
            content = await self._store.load(self._key)
            now = self._clock()
            state = self._read(content)
            current = state.at(now, self._policy)
            try:
                changed = change(current, now)
            except RemoteRefusedError:
                # Where the clock was set back, waits begin now: unless that is saved, each attempt begins them anew.
                if current != state:
                    await self._store.replace(self._key, content, current.dump())
                raise
            if changed == state or await self._store.replace(self._key, content, changed.dump()):
                return
        raise StorageError(f"the state of a car was changed by others {_ATTEMPTS} times while it was to be changed")

    def _read(self, content: bytes | None) -> CommandPolicyState:
        try:
            return CommandPolicyState.load(content)
        except ValueError:
            _logger.warning("the state of commands to a car cannot be read: it starts anew")
            return CommandPolicyState()
