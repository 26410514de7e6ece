"""Commands to a vehicle: one POST each, never repeated once the server may have received it."""

from __future__ import annotations

import logging
import math
import secrets
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import anyio
import anyio.lowlevel
import attrs

from stellantis_hal.errors import (
    ApiError,
    AuthError,
    BudgetExhaustedError,
    ClosedClientError,
    HalError,
    LimiterSlotExpiredError,
    NetworkError,
    OutcomeUnknownError,
    QuotaError,
    RemoteRefusedError,
    StellantisError,
    UntrustedOriginError,
    WrongLoopError,
)
from stellantis_hal.hal.redaction import mask_url
from stellantis_hal.hal.uri import join_segment, split
from stellantis_hal.navigation.context import ResourceContext
from stellantis_hal.navigation.fetch_protocol import Response
from stellantis_hal.navigation.pagination.paginator import Paginator
from stellantis_hal.navigation.resource import HalResource
from stellantis_hal.navigation.response_snapshot import ResponseSnapshot
from stellantis_hal.navigation.writes import read_outcome, write_request
from stellantis_hal.resources.blocks.capabilities import Capabilities
from stellantis_hal.resources.control import remote_actions as actions
from stellantis_hal.resources.control.command_ledger import CommandLedger, car_key, refused
from stellantis_hal.resources.control.control_dependencies import services_of
from stellantis_hal.resources.control.control_page_source import url_below_callback
from stellantis_hal.resources.control.json_writes import LOST_RESPONSES
from stellantis_hal.resources.control.operation import Operation, interactive, may_pass, server_time
from stellantis_hal.resources.control.operation_record import OperationRecord
from stellantis_hal.resources.control.remote_actions import ActionKind, RemoteActionRequest
from stellantis_hal.resources.control.remote_command_groups import (
    RemoteCharging,
    RemoteClimate,
    RemoteDoors,
    RemoteStolen,
)
from stellantis_hal.resources.control.remote_policy import PolicyRefusal, PolicyRefusalReason
from stellantis_hal.resources.control.step_history import read_step
from stellantis_hal.resources.typed_requests import UrlPageSource, index_ranges, is_absent
from stellantis_hal.storage.run_to_completion import run_to_completion
from stellantis_hal.validation import require_type

__all__ = ["Remote"]

_logger = logging.getLogger("stellantis_hal")

_LETTERS: Final = 8
_OPERATIONS: Final = "remoteActions"
_SAVE_TIMEOUT: Final = 12.0
_YOUNG: Final = timedelta(seconds=10)
_FIRST_PAUSE: Final = 2.0
_GROWTH: Final = 1.6
_LONGEST_PAUSE: Final = 10.0


class Remote:
    """The commands to one vehicle. Made by :meth:`Vehicle.remote`.

    Every command takes ``label`` (eight random letters are added to it; by default the kind of the action) and
    ``force``: pass every limit of the client's policy but that of the same action under way. Every command raises:

    - ``ValueError`` or ``TypeError``: an argument is out of its bounds; nothing was sent;
    - ``RemoteRefusedError``: the policy, or the vehicle's capabilities, refuse it; nothing was sent;
    - ``OutcomeUnknownError``: the response was lost; the server may have taken the command or not;
    - any other ``StellantisError``: the server did not take it.
    """

    def __init__(
        self,
        vehicle: HalResource,
        callback_id: str,
        *,
        vehicle_id: str,
        vin: str | None,
        capabilities: Capabilities | None,
    ) -> None:
        context = vehicle.require_context()
        services = services_of(context)
        self._context = attrs.evolve(interactive(context), services=services)
        self._feed = services.feed
        self._vehicle_id = vehicle_id
        self._vin = vin
        self._capabilities = capabilities
        self._vehicle_url = _vehicle_url(vehicle)
        self._collection = url_below_callback(vehicle, callback_id, "remotes")
        self._is_of_fleet = "/fleets/" in self._collection
        self._ledger = CommandLedger(services, car_key(vin, vehicle_id), context.clock)
        self._doors = RemoteDoors(self._send)
        self._charging = RemoteCharging(self._send, context.clock, has_slots=self._is_of_fleet)
        self._climate = RemoteClimate(self._send)
        self._stolen = RemoteStolen(self._send, self._check_confirmation)

    def __repr__(self) -> str:
        return f"<Remote {mask_url(self._collection)}>"

    # --------------------------------------------------------------------------------------------- commands

    @property
    def doors(self) -> RemoteDoors:
        """The doors: lock and unlock."""
        return self._doors

    @property
    def charging(self) -> RemoteCharging:
        """Charging: start, stop, hours, programs and preferences."""
        return self._charging

    @property
    def climate(self) -> RemoteClimate:
        """The air conditioning: start, stop and programs."""
        return self._climate

    @property
    def stolen(self) -> RemoteStolen:
        """Commands to a stolen vehicle of a fleet."""
        return self._stolen

    async def horn(self, *, on: bool = True, label: str | None = None, force: bool = False) -> Operation:
        """Sound the horn; with ``on=False`` stop it."""
        return await self._send(actions.horn(on=on), label, force=force)

    async def lights(self, *, on: bool = True, label: str | None = None, force: bool = False) -> Operation:
        """Turn the lights on, or off."""
        return await self._send(actions.lights(on=on), label, force=force)

    async def wake_up(self, *, label: str | None = None, force: bool = False) -> Operation:
        """Wake the car, so that it reports its state. Wake-ups of a month are limited, and use the 12 V battery."""
        return await self._send(actions.wake_up(), label, force=force)

    async def navigate(
        self, positions: Iterable[Sequence[float]], *, label: str | None = None, force: bool = False
    ) -> Operation:
        """Send a route to the navigation system.

        Args:
            positions: 1 to 10 pairs of latitude and longitude in degrees; the last is the destination.
            label: see the class.
            force: see the class.
        """
        return await self._send(actions.navigate(positions), label, force=force)

    async def immobilize(
        self, *, active: bool = True, confirm: str, label: str | None = None, force: bool = False
    ) -> Operation:
        """Keep the engine of a fleet's vehicle from starting; with ``active=False`` allow it again.

        Args:
            active: whether it is to be immobilized.
            confirm: the VIN of the vehicle, typed again.
            label: see the class.
            force: see the class.
        """
        action = actions.immobilize(active=active)
        self._check_confirmation(confirm)
        return await self._send(action, label, force=force)

    # --------------------------------------------------------------------------------------------- operations

    def operations(self) -> Paginator[Operation]:
        """Paginate the operations of this vehicle and callback that the server lists; it states no order."""
        return self._listed().map(self._operation_of)

    def _listed(self) -> Paginator[HalResource]:
        pages = UrlPageSource(self._fetch_url, self._collection)
        return Paginator.over(pages, _OPERATIONS, absent=is_absent, ranges=index_ranges(None, None), typed=True)

    async def _fetch_url(self, url: str) -> HalResource:
        return await HalResource.from_url(url, self._context)

    async def find(self, label: str, *, within: float = 30.0) -> Operation | None:
        """Look for an operation by the label that it was sent with, as after an unknown outcome.

        Args:
            label: the whole label, with its random letters: ``error.label``.
            within: seconds to look for it, at least once.

        Returns:
            The operation; None where it is not listed yet: the outcome is still unknown.

        Raises:
            StellantisError: the server could not be asked within this time.
            ValueError: ``within`` is NaN.
        """
        require_type("label", label, str)
        require_type("within", within, int, float)
        if math.isnan(within):
            raise ValueError("within must be a number of seconds, not NaN")
        deadline, pause = anyio.current_time() + within, _FIRST_PAUSE
        while True:
            failure: StellantisError | None = None
            try:
                async for resource in self._listed():
                    operation = self._operation_of(resource)
                    if operation.label == label:
                        sent_at = await self._sent_at(operation.kind, label, resource)
                        await self._record_sent(operation.kind, label, operation.url)
                        return self._operation_of(resource, sent_at)
            except (NetworkError, ApiError, QuotaError, HalError) as error:
                if not may_pass(error):
                    raise
                failure = error
            left = deadline - anyio.current_time()
            if left <= 0:
                if failure is not None:
                    raise failure
                return None
            await anyio.sleep(min(pause, left))
            pause = min(_LONGEST_PAUSE, pause * _GROWTH)

    async def _send(self, action: RemoteActionRequest, label: str | None = None, *, force: bool = False) -> Operation:
        """Send one command, once."""
        require_type("force", force, bool)
        kind = action.kind
        full_label = f"{actions.check_label(label, kind)}-{_random_letters()}"
        if kind.is_for_fleets and not self._is_of_fleet:
            raise RemoteRefusedError(
                f"{kind.value}: nothing was sent: only fleet owners have this action",
                reason=PolicyRefusalReason.CAPABILITY.value,
            )
        if not force and self._capabilities is not None and _is_unsupported(self._capabilities, action):
            raise refused(PolicyRefusal(PolicyRefusalReason.CAPABILITY, None), kind)
        try:
            await self._begin(kind, full_label, force=force)
        except StellantisError:
            raise  # it is not recorded
        except BaseException:  # cancelled, perhaps once the store had recorded it
            await self._record_end(kind, full_label, is_unknown=False)
            raise
        is_sending = False

        def note_sending() -> None:
            nonlocal is_sending
            is_sending = True

        request = write_request("POST", self._collection, {"json": action.body(full_label)}, self._context)
        request = attrs.evolve(request, on_sending=note_sending, repeatable=False)
        try:
            await anyio.lowlevel.checkpoint_if_cancelled()
            response = await self._context.fetch(request)
            resource, id_ = _read_answer(response, self._context)
        except BaseException as error:
            is_unknown = is_sending and _may_be_done(error)
            await self._record_end(kind, full_label, is_unknown=is_unknown)
            if is_unknown and isinstance(error, Exception):
                raise self._unknown(kind, full_label, _describe(error)) from error
            raise
        if id_ is None:
            await self._record_end(kind, full_label, is_unknown=True)
            raise self._unknown(kind, full_label, f"the response {response.status} names no operation")
        url = _operation_url(resource, self._collection, id_)
        operation = self._operation(id_, url, kind, full_label, server_time(resource, self._context.clock), is_new=True)
        await self._save(partial(self._ledger.record_sent, kind, full_label, url))
        return operation

    # --------------------------------------------------------------------------------------------- policy

    async def _begin(self, kind: ActionKind, label: str, *, force: bool) -> None:
        """Record the command, after a look at one of the same kind that may have ended meanwhile."""
        try:
            await self._ledger.begin(kind, label, force=force)
        except RemoteRefusedError as error:
            if error.reason != PolicyRefusalReason.SAME_ACTION or not await self._has_ended(kind):
                raise
            await self._ledger.begin(kind, label, force=force)

    async def _has_ended(self, kind: ActionKind) -> bool:
        """Ask the server whether the command under way has ended, and record that."""
        running = await self._ledger.running(kind)
        if running is None:
            return True
        if self._context.clock() - running.since < _YOUNG and running.url is None:
            return False  # it is being sent just now
        try:
            if running.url is None:
                operation = await self.find(running.label, within=0.0)
                return operation is not None and await operation.read_once()
            id_ = running.url.rpartition("/")[2]
            return await self._operation(id_, running.url, kind, running.label, None).read_once()
        except StellantisError:
            return False

    async def _record_end(self, kind: ActionKind, label: str, *, is_unknown: bool) -> None:
        if is_unknown:
            await self._save(partial(self._ledger.record_sent, kind, label, None))
        else:
            await self._save(partial(self._ledger.withdraw, kind, label))

    async def _sent_at(self, kind: ActionKind | None, label: str, resource: HalResource) -> datetime | None:
        """Return when a command under way was begun, by the server's clock; None where it is not under way."""
        running = None if kind is None else await self._ledger.running(kind)
        if running is None or running.label != label:
            return None
        clock = self._context.clock
        return running.since + (server_time(resource, clock) - clock())

    async def _record_sent(self, kind: ActionKind | None, label: str, url: str) -> None:
        running = None if kind is None else await self._ledger.running(kind)
        if kind is not None and running is not None and running.label == label:
            await self._save(partial(self._ledger.record_sent, kind, label, url))

    async def _save(self, save: Callable[[], Any]) -> None:
        """Save the policy's state even if the task is cancelled, natively too: what was sent must be counted."""

        async def save_in_time() -> None:
            with anyio.move_on_after(_SAVE_TIMEOUT) as scope:
                await save()
            if scope.cancelled_caught:
                _logger.warning("the state of commands to a car was not saved within %g s", _SAVE_TIMEOUT)

        with anyio.CancelScope(shield=True):  # bounded by the time-out
            await run_to_completion(save_in_time)

    def _unknown(self, kind: ActionKind, label: str, why: str) -> OutcomeUnknownError:
        error = OutcomeUnknownError(
            f"{kind.value}: whether the server has taken the command is unknown: {why}; look for it with "
            f"await error.find(within=30) before sending it again",
            label=label,
            kind=kind.value,
            url=self._collection,
        )
        error.search_with(lambda within: self.find(label, within=within))
        return error

    def _check_confirmation(self, confirm: str) -> None:
        require_type("confirm", confirm, str, instead="confirm=vehicle.vin")
        if self._vin is None:
            raise ValueError("the VIN of the vehicle is not known, so the command cannot be confirmed; read it again")
        if confirm.strip().upper() != self._vin.upper():
            raise ValueError("confirm must be the VIN of this vehicle, typed again; nothing was sent")

    # --------------------------------------------------------------------------------------------- operations

    def _operation_of(self, resource: HalResource, sent_at: datetime | None = None) -> Operation:
        """Return the operation of an item of the collection."""
        state = resource.state
        id_: object = state.get("remoteActionId")
        remote = state.get("remote")
        label = remote.get("label") if isinstance(remote, Mapping) else None
        url = resource.self_url
        if url is None or not _is_same_origin(url, self._collection):
            url = join_segment(self._collection, str(id_))
        name = state.get("type")
        if isinstance(name, Sequence) and not isinstance(name, str):
            name = next(iter(name), None)
        kind = ActionKind.of_type(name) if isinstance(name, str) else None
        if kind is None and isinstance(remote, Mapping):
            kind = next((each for each in ActionKind if each.value in remote), None)
        id_ = url.rpartition("/")[2] if id_ is None else str(id_)
        operation = self._operation(id_, url, kind, label if isinstance(label, str) else None, sent_at)
        step = read_step(state, source="poll", at=self._context.clock())
        if step is not None:
            operation.offer(step)
        return operation

    def _operation(
        self,
        id_: str,
        url: str,
        kind: ActionKind | None,
        label: str | None,
        sent_at: datetime | None,
        *,
        is_new: bool = False,
    ) -> Operation:
        record = OperationRecord(
            id=id_,
            url=url,
            kind=kind,
            label=label,
            vehicle_url=self._vehicle_url,
            car=self._ledger.key,
            sent_at=sent_at,
        )
        if is_new and self._feed is not None:
            self._feed.register(id_, vin=self._vin, vehicle_id=self._vehicle_id)
        return Operation(record, self._context, is_new=is_new)


def _vehicle_url(vehicle: HalResource) -> str:
    """Return the address of a vehicle.

    Raises:
        ValueError: it is embedded, and does not state one.
    """
    url = vehicle.self_url
    if url is None and vehicle.is_embedded:
        raise ValueError("this vehicle is embedded without a self link, so no command can be sent to it: read it alone")
    return (url or vehicle.url).partition("?")[0]


def _is_unsupported(capabilities: Capabilities, action: RemoteActionRequest) -> bool:
    """Return whether the capabilities of a vehicle exclude an action; what they do not say excludes nothing."""
    name, remote = action.kind.capability, capabilities.remote
    if name is None or remote is None:
        return False
    offered = getattr(remote, name, None)
    scope = action.kind.scope
    if offered is None and remote.operations and scope is not None and not capabilities.has(scope):
        return True
    if offered is not None and offered.supported is False:
        return True
    value: Any = getattr(offered, "parameters", None) or getattr(remote.details, name, None)
    for part in action.needs:
        value = getattr(value, part, None)
    if value is False or getattr(value, "supported", None) is False:
        return True
    size = getattr(value, "size", None)
    return isinstance(size, int) and any(slot > size for slot in action.slots)


def _may_be_done(error: BaseException) -> bool:
    """Return whether the server may have executed a request that it may have received."""
    if isinstance(error, StellantisError) and error.identity_server is not None:
        return False
    if isinstance(error, NetworkError):  # a ValueError of a transport does not say when it was raised
        return error.sent or isinstance(error.__cause__, ValueError)
    if isinstance(error, ApiError):
        return error.status in LOST_RESPONSES
    return not isinstance(error, _NOT_DONE)


_NOT_DONE: Final = (
    AuthError,
    BudgetExhaustedError,
    ClosedClientError,
    LimiterSlotExpiredError,
    UntrustedOriginError,
    WrongLoopError,
)


def _describe(error: Exception) -> str:
    return str(error) if isinstance(error, StellantisError) else f"{type(error).__name__} while it was sent"


def _read_answer(response: Response, context: ResourceContext) -> tuple[HalResource, str | None]:
    """Return the response of a command, and the id of its operation; None where it names none."""
    response, document = read_outcome(response)
    resource = HalResource(ResponseSnapshot.of(response, document), document, context)
    value = document.value
    id_ = value.get("remoteActionId") if isinstance(value, Mapping) else None
    if isinstance(id_, int) and not isinstance(id_, bool):
        id_ = str(id_)
    return resource, id_ if isinstance(id_, str) and id_.strip(" .") else None


def _operation_url(resource: HalResource, collection: str, id_: str) -> str:
    """Return the address of an operation: where its link leads, on the origin of the collection; else below it."""
    if resource.can("remote"):
        try:
            url = resource.expand("remote", index=0, variables={"rid": id_})
        except StellantisError:
            url = ""
        if _is_same_origin(url, collection):
            return url
    return join_segment(collection, id_)


def _is_same_origin(url: str, other: str) -> bool:
    mine, others = split(url), split(other)
    return (mine.scheme, mine.authority) == (others.scheme, others.authority)


def _random_letters() -> str:
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(_LETTERS))
