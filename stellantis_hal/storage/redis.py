"""Redis server as several stores of one process use it, on both event loops."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias
from urllib.parse import parse_qs, urlsplit

import anyio
import attrs

from stellantis_hal.errors import ConfigurationError
from stellantis_hal.storage.advice import with_advice
from stellantis_hal.storage.entering_task import EnteringTask
from stellantis_hal.storage.errors import StorageError
from stellantis_hal.storage.own_task import held_in_own_task
from stellantis_hal.storage.redis_pool import pool_like, pool_of
from stellantis_hal.validation import require_type

__all__ = [
    "Argument",
    "RedisAddress",
    "RedisClient",
    "RedisConnection",
    "RedisScript",
    "is_of_replica",
    "is_refusal",
    "key_prefix",
]


class RedisClient(Protocol):
    """A client of coredis, ``coredis.Redis`` or ``coredis.RedisCluster``."""

    connection_pool: Any


RedisAddress: TypeAlias = str | RedisClient
"""A URL (``redis://``, ``rediss://``, ``unix://``), or a coredis client that its owner has entered."""

Argument: TypeAlias = "bytes | str | int | float"

_TIMEOUT = 1.0
_CONNECTIONS = 16
_MISSING = "needs the extra `redis`: pip install 'stellantis-hal[redis]'"
_SCHEMES = ("redis", "rediss", "unix")


def key_prefix(kind: str, name: str) -> str:
    """Return the beginning of the keys of one thing, with a hash tag: a cluster keeps all of them in one slot.

    The name is hashed, because keys stand in logs and in the output of ``MONITOR``.

    Args:
        kind: of what the keys hold (``"limiter"``).
        name: of the thing, such as a client id.
    """
    digest = hashlib.sha256(name.encode()).hexdigest()[:24]
    return f"stellantis_hal:{kind}:{{{digest}}}"


def _digest_of(script: RedisScript) -> str:
    return hashlib.sha1(script.text.encode(), usedforsecurity=False).hexdigest()


@attrs.frozen
class RedisScript:
    """A Lua script, run as one command.

    Attributes:
        text: its source.
        digest: by which the server knows it once it has run.
    """

    text: str
    digest: str = attrs.field(init=False, default=attrs.Factory(_digest_of, takes_self=True))


class RedisConnection:
    """Connections to a Redis server, entered around its use by the task that leaves it.

    A cancellation of that task leaves the connections to it: what it has yet to write, as the release of a lock, is
    written. Those of a client of the caller's other than ``coredis.Redis`` end with the scope that it was entered in.

    Each call is bounded in time. A call that was cancelled or timed out closes its connection, so that its late reply
    is not taken for that of another; the server may still have executed it.

    Args:
        server: a URL, or a coredis client of the caller's, which must be entered already and is never closed.
        timeout: seconds that a call may take, connecting included.
    """

    def __init__(self, server: RedisAddress, *, timeout: float = _TIMEOUT) -> None:
        if isinstance(server, str) and urlsplit(server).scheme not in _SCHEMES:
            raise ValueError("server must be a URL such as redis://127.0.0.1:6379/0, rediss://… or unix://…")
        if isinstance(server, str):
            _require_readable(server)
        elif not (hasattr(server, "connection_pool") and hasattr(server, "decoding")):
            raise TypeError(
                "server must be a URL such as redis://127.0.0.1:6379/0, or a client of coredis (coredis.Redis, "
                f"coredis.RedisCluster), not {type(server).__module__}.{type(server).__qualname__}"
            )
        require_type("timeout", timeout, int, float)
        if not timeout > 0:
            raise ValueError(f"timeout must be positive, for example {_TIMEOUT:g}, not {timeout}")
        self._server = server
        self._timeout = timeout
        self._unknown: set[str] = set()
        self.executed: set[str] = set()
        """Digests of scripts that the server has executed, none of which it has refused for seconds since."""
        self._client: Any = None
        self._exit: AsyncExitStack | None = None
        self._task = EnteringTask(f"the connection to Redis {self.place}")

    def __repr__(self) -> str:
        return f"<RedisConnection {self.place}>"

    @property
    def place(self) -> str:
        """Host, port and database other than 0, for messages, without user and password."""
        if not isinstance(self._server, str):
            return "of a given client"
        parts = urlsplit(self._server)
        is_file = parts.scheme == "unix"
        place = parts.path if is_file else f"{parts.hostname}:{parts.port or 6379}"
        database = parse_qs(parts.query).get("db", ["" if is_file else parts.path.strip("/")])[0]
        return place if database in {"", "0"} else f"{place}/{database}"

    async def __aenter__(self) -> Self:
        """Make the pool; the first call connects.

        Raises:
            ConfigurationError: coredis is not installed, or the client of the caller's was not entered.
            RuntimeError: it is entered already.
        """
        if self._client is not None:
            raise RuntimeError(f"the connection to Redis {self.place} is entered already: enter it once")
        if isinstance(self._server, str):
            try:
                pool = self._make_pool(self._server)
            except ImportError as error:
                raise ConfigurationError(f"Redis {_MISSING} ({error})") from error
        else:
            pool = pool_like(self._server.connection_pool)
        if pool is None:
            if not _is_entered(self._server):
                raise ConfigurationError(
                    f"the {type(self._server).__name__} of coredis that was passed as server is not entered: write "
                    "`async with` around its use"
                )
            self._client = self._server
            return self
        from coredis import Redis  # an extra

        self._task.enter()
        async with AsyncExitStack() as stack:
            client = Redis(connection_pool=pool, verify_version=False)
            self._client = await stack.enter_async_context(held_in_own_task(client))
            self._exit = stack.pop_all()
        return self

    def _make_pool(self, url: str) -> Any:
        options: Any = {"max_connections": _CONNECTIONS, "connect_timeout": self._timeout}
        if urlsplit(url).scheme != "unix":
            options["socket_keepalive"] = True
        return pool_of(url, options)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        exit_stack, self._exit, self._client = self._exit, None, None
        if exit_stack is not None:
            with self._task.leaving():
                await exit_stack.aclose()  # without the error of the block, which its task group would wrap in a group

    async def call(self, name: str, *arguments: Argument, timeout: float | None = None) -> Any:
        """Execute a command (``call("HGET", key, field)``); return its reply, text as bytes.

        Args:
            name: of the command, in upper case.
            arguments: its arguments.
            timeout: seconds that it may take; None for those of the connection.

        Raises:
            StorageError: the server is not reachable, does not respond in time, or refuses the command.
            ConfigurationError: the connection was not entered.
        """
        return await self._bounded(name, arguments, self._timeout if timeout is None else timeout)

    async def run(
        self,
        script: RedisScript,
        keys: Sequence[str],
        arguments: Sequence[Argument] = (),
        *,
        timeout: float | None = None,
    ) -> Any:
        """Run a script; return its reply, text as bytes. A server that does not know it is sent its source.

        Raises:
            StorageError: as :meth:`call`.
        """
        seconds = self._timeout if timeout is None else timeout
        if script.digest not in self._unknown:
            try:
                return await self._bounded("EVALSHA", (script.digest, len(keys), *keys, *arguments), seconds)
            except StorageError as error:
                if not _is_unknown_script(error.__cause__):
                    raise
            self._unknown.add(script.digest)  # until its source has arrived
        reply = await self._bounded("EVAL", (script.text, len(keys), *keys, *arguments), seconds)
        self._unknown.discard(script.digest)
        return reply

    async def _bounded(self, name: str, arguments: tuple[Argument, ...], seconds: float) -> Any:
        if self._client is None:
            raise ConfigurationError(
                f"the connection to Redis {self.place} is not entered: write `async with` around its use"
            )
        if not _is_entered(self._client):
            raise ConfigurationError(
                f"the connection to Redis {self.place} has ended with the task or the event loop in which it was "
                "entered: write `async with` around its use in each event loop"
            )
        started = anyio.current_time()
        try:
            with anyio.fail_after(seconds):
                return await self._execute(name, arguments)
        except TimeoutError as error:
            waited = anyio.current_time() - started
            raise StorageError(
                f"Redis {self.place}: {name} was not answered within {waited:.3g} s", path=self.place, waited=waited
            ) from error
        except Exception as error:
            if not _is_of_redis(error):
                raise
            raise StorageError(
                f"Redis {self.place}: {_reason(error)}", path=self.place, waited=anyio.current_time() - started
            ) from error

    async def _execute(self, name: str, arguments: tuple[Argument, ...]) -> Any:
        command = name.encode()
        acquire = getattr(self._client.connection_pool, "acquire", None)
        if acquire is None or _is_cluster(self._client):
            return await self._in_cluster(command, arguments)
        async with acquire() as connection:
            try:
                return await connection.create_request(
                    command, *arguments, decode=False, disconnect_on_cancellation=True
                )
            except Exception as error:
                if is_of_replica(error):  # after a failover, the address leads to another server
                    connection.invalidate()
                raise

    async def _in_cluster(self, command: bytes, arguments: tuple[Argument, ...]) -> Any:
        """Execute a command by the client, which finds the node that has the keys."""
        client = self._client
        with client.decoding(False):
            if command in {b"EVALSHA", b"EVAL"}:
                count = int(arguments[1])
                call = client.evalsha if command == b"EVALSHA" else client.eval
                return await call(arguments[0], arguments[2 : 2 + count], arguments[2 + count :])
            return await client.execute_command(client.create_request(command, *arguments, callback=_as_it_is))

    async def setting(self, name: str) -> str | None:
        """Return a setting of the server (``CONFIG GET``); None where it does not tell it.

        Of a cluster, those of all primaries, where they differ as ``always/everysec``; None where one does not tell it.
        """
        if not _is_cluster(self._client):
            with suppress(StorageError):
                return _value_of(name, await self.call("CONFIG", "GET", name))
            return None
        values = [await self._setting_of(node, name) for node in self._client.primaries]
        told = {value for value in values if value is not None}
        return "/".join(sorted(told)) if told and None not in values else None

    async def _setting_of(self, node: Any, name: str) -> str | None:
        """Return a setting of one node of a cluster, over a connection of its own."""
        with anyio.move_on_after(self._timeout):
            async with node:
                try:
                    return _value_of(name, await node.config_get([name]))
                except Exception as error:
                    if not _is_of_redis(error):
                        raise
        return None


def _require_readable(url: str) -> None:
    """Raise for a URL whose password was taken for other parts of it, which would be shown.

    Raises:
        ValueError: it has no port that is a number, or an "@" or "#" behind the host.
    """
    parts = urlsplit(url)
    try:
        is_readable = parts.port is None or parts.port > 0
    except ValueError:
        is_readable = False
    if not is_readable or parts.fragment or (parts.scheme != "unix" and "@" in f"{parts.path}{parts.query}"):
        raise ValueError(
            "server cannot be read: write the characters # / ? @ of a password as %23 %2F %3F %40, and a number as port"
        )


def _is_entered(client: Any) -> bool:
    """Return whether the pool of a client of coredis was entered, and not left."""
    try:
        return client.connection_pool.task_group is not None
    except RuntimeError:
        return False


def _is_cluster(client: Any) -> bool:
    from coredis import RedisCluster  # an extra

    return isinstance(client, RedisCluster)


def _is_of_redis(error: Exception) -> bool:
    from coredis.exceptions import RedisError  # an extra

    return isinstance(error, RedisError | OSError | EOFError | anyio.BrokenResourceError | anyio.ClosedResourceError)


def _is_unknown_script(error: BaseException | None) -> bool:
    from coredis.exceptions import NoScriptError  # an extra

    return isinstance(error, NoScriptError)


def is_of_replica(error: BaseException | None) -> bool:
    """Return whether an error of coredis is that of a replica, which writes nothing."""
    from coredis.exceptions import ReadOnlyError  # an extra

    return isinstance(error, ReadOnlyError) or _quotes(error, "READONLY")


def is_refusal(error: BaseException | None) -> bool:
    """Return whether an error of coredis is a response that any server would repeat in a moment."""
    from coredis.exceptions import AskError, AuthenticationError, AuthorizationError, WrongTypeError  # an extra

    return isinstance(error, AskError | AuthenticationError | AuthorizationError | WrongTypeError) or _quotes(
        error, "NOAUTH", "WRONGPASS", "NOPERM", "OOM", "WRONGTYPE", "can't run this command"
    )


def _quotes(error: BaseException | None, *codes: str) -> bool:
    """Return whether a reply has one of some texts.

    coredis removes the codes that it has classes for. Before Redis 7, the error of a script only quotes that of its
    command.
    """
    from coredis.exceptions import ResponseError  # an extra

    return isinstance(error, ResponseError) and any(code in str(error) for code in codes)


def _reason(error: Exception) -> str:
    """Return the first line of what an error says, without the arguments of a command, which may be secret."""
    from coredis.exceptions import AskError  # an extra

    if isinstance(error, AskError):  # MOVED, too
        return (
            "it is one node of a cluster, and another has these keys: pass a coredis.RedisCluster that you have entered"
        )
    text = str(error).splitlines()
    return with_advice(text[0].partition(", with args")[0]) if text else type(error).__name__


def _as_it_is(reply: Any, **_: Any) -> Any:
    return reply


def _value_of(name: str, reply: Any) -> str | None:
    """Return a value of a reply to ``CONFIG GET``."""
    pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2], strict=False)
    return next((_text(value) for key, value in pairs if _text(key) == name), None)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
