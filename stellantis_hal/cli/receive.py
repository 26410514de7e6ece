"""The command ``receive``: a receiver of notifications under uvicorn, whose events are printed."""

from __future__ import annotations

import json
import socket
import sys
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import click

from stellantis_hal.cli.common_options import current
from stellantis_hal.cli.connection import run_in_time
from stellantis_hal.cli.environment_options import SETTINGS, option
from stellantis_hal.cli.failures import Failure
from stellantis_hal.cli.json_text import escape_json
from stellantis_hal.hal.redaction import mask_text, mask_vin, one_line
from stellantis_hal.notifications.events import MonitorEvent, Notification, RemoteEvent, UnreadableEvent
from stellantis_hal.notifications.receiver import Receiver
from stellantis_hal.notifications.sqlite_inbox import SQLiteInbox

__all__ = ["describe_event", "event_to_json", "receive"]

_option = partial(option, command="receive")


@attrs.frozen(kw_only=True)
class _Options:
    path: str = attrs.field(repr=False)
    token: str | None = attrs.field(repr=False)
    inbox: str
    host: str
    port: int
    certificate: str | None
    key: str | None
    count: int | None


@click.command(context_settings=SETTINGS)
@_option(
    "--path",
    envvar="STELLANTIS_HAL_WEBHOOK_PATH",
    required=True,
    show_envvar=True,
    help="The path of the webhook, such as /st/k3Jx0v. It is a secret: set the variable rather than the option.",
)
@_option(
    "--token",
    envvar="STELLANTIS_HAL_WEBHOOK_TOKEN",
    show_envvar=True,
    help="The body attribute `token` of the callback; events without it are marked.",
)
@_option("--inbox", default="inbox.db", help="The SQLite file that keeps events until they are printed.")
@_option("--host", default="127.0.0.1", help="The address to listen on.")
@_option("--port", type=click.IntRange(0, 65_535), default=8080, help="The port; 0: a free one.")
@_option("--certificate", type=click.Path(exists=True), help="A TLS certificate; without one, use a proxy.")
@_option("--key", type=click.Path(exists=True), help="The key of the certificate.")
@_option("--count", type=click.IntRange(1), help="End after so many events.")
def receive(**options: Any) -> None:
    """Receive the vendor's notifications and print them.

    Events are stored before they are acknowledged to the vendor, and printed once; those that arrive while this
    command does not run come when it runs again, for three days. Nothing is logged about requests, because the path is
    a secret. With --json each event is printed whole, as an object on a line.
    """
    chosen = _Options(**options)
    if current().simulated:
        raise click.UsageError("receive takes what the vendor sends; the simulator sends nothing: leave --simulate out")
    if chosen.key and not chosen.certificate:
        raise click.UsageError("--key needs the --certificate that it belongs to")
    try:
        run_in_time(partial(_receive, chosen))
    except ValueError as error:
        raise click.UsageError(mask_text(str(error))) from error


async def _receive(options: _Options) -> None:
    try:
        import uvicorn
    except ImportError as error:
        raise Failure("uvicorn is needed: pip install 'stellantis-hal[receiver]'", 8) from error
    inbox = SQLiteInbox(options.inbox)
    receiver = Receiver(inbox, path=options.path, token=options.token)
    config = uvicorn.Config(
        receiver,
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
        lifespan="off",  # the inbox is opened and closed here
        timeout_graceful_shutdown=5,
        ssl_certfile=options.certificate,
        ssl_keyfile=options.key,
    )
    try:
        config.load()
    except OSError as error:  # of ssl, too
        raise Failure(f"the certificate {options.certificate} cannot be used: {error}", 8) from error
    server = uvicorn.Server(config)
    scheme = "https" if options.certificate else "http"
    async with inbox:
        await inbox.statistics()  # raises where the file cannot be used
        with _listen(options.host, options.port) as listening:
            current().note(f"listening on {scheme}://{options.host}:{listening.getsockname()[1]}/***")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_print_events, receiver, options, server)
                with anyio.CancelScope(shield=True):  # where printing fails the server ends in order, within 5 s
                    await server.serve(sockets=[listening])
                tasks.cancel_scope.cancel()
    await anyio.lowlevel.checkpoint_if_cancelled()  # by --timeout


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise Failure(f"cannot listen on {host}:{port}: {error.strerror or error}") from error


async def _print_events(receiver: Receiver, options: _Options, server: Any) -> None:
    printed = 0
    try:
        async with receiver.events() as events:
            async for event in events:  # pragma: no branch - they end by cancellation
                line = escape_json(json.dumps(event_to_json(event))) if current().as_json else describe_event(event)
                sys.stdout.write(f"{line}\n")
                sys.stdout.flush()
                printed += 1
                if printed == options.count:
                    break
    finally:
        server.should_exit = True


def describe_event(event: Notification) -> str:
    """Return an event as one line, without places and whole VINs."""
    at = (event.at or event.received_at) if not isinstance(event, UnreadableEvent) else event.received_at
    parts = ["-" if at is None else at.isoformat(timespec="seconds"), _kind_of(event)]
    parts.append("-" if event.vin is None else mask_vin(event.vin))
    if isinstance(event, MonitorEvent):
        parts += [f"{value.data}={','.join(value.texts)}" for value in event.values]
        parts += ["(reminder)"] * event.is_reminder
    elif isinstance(event, RemoteEvent):
        parts += [str(part) for part in (event.kind, event.status, event.cause) if part is not None]
    elif isinstance(event, UnreadableEvent):
        parts += [f"{event.size} bytes", event.reason]
    if not event.is_verified:
        parts.append("(not verified)")
    return mask_text(one_line(" ".join(parts)))


def event_to_json(event: Notification) -> dict[str, Any]:
    """Return an event as plain JSON: what it is, and the document as received."""
    shown: dict[str, Any] = {
        "id": event.id,
        "kind": _kind_of(event),
        "at": None if event.at is None else event.at.isoformat(),
        "vin": event.vin,
        "verified": event.is_verified,
        "attributes": dict(event.attributes),
        "document": dict(event.document),
    }
    if isinstance(event, UnreadableEvent):
        shown |= {"reason": event.reason, "size": event.size, "content": event.content.decode(errors="replace")}
    return shown


def _kind_of(event: Notification) -> str:
    kinds: dict[type[Notification], str] = {MonitorEvent: "monitor", RemoteEvent: "remote"}
    return kinds.get(type(event), "unreadable")
