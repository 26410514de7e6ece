"""A small HTTP and SOCKS5 proxy on a socket, for the tests of connections."""

import contextlib
from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

import anyio
import anyio.abc
from anyio.streams.buffered import BufferedByteReceiveStream

__all__ = ["HttpProxy", "SocksProxy", "proxying"]

_GONE = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.IncompleteRead, OSError)


class HttpProxy:
    """Forwards http requests and makes tunnels.

    Args:
        authorization: the value of ``Proxy-Authorization`` that is required.
        refusal: the response to every request, instead of forwarding it.
    """

    def __init__(self, authorization: str | None = None, refusal: bytes | None = None) -> None:
        self.heads: list[bytes] = []
        self._authorization = authorization
        self._refusal = refusal

    async def serve(self, client: anyio.abc.SocketStream) -> None:
        """Serve one connection, of one request or tunnel."""
        buffered = BufferedByteReceiveStream(client)
        head = await buffered.receive_until(b"\r\n\r\n", 65_536)
        self.heads.append(head)
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        if self._authorization is not None and f"\r\nProxy-Authorization: {self._authorization}\r\n".lower() not in (
            head.decode().lower() + "\r\n"
        ):
            await client.send(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        elif self._refusal is not None:
            await client.send(self._refusal)
        elif method == "CONNECT":
            host, _, port = target.rpartition(":")
            async with await anyio.connect_tcp(host, int(port)) as server:
                await client.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await _join(client, server)
        else:
            parts = urlsplit(target)
            assert parts.hostname is not None
            async with await anyio.connect_tcp(parts.hostname, parts.port or 80) as server:
                await server.send(head.replace(f"{parts.scheme}://{parts.netloc}".encode(), b"", 1) + b"\r\n\r\n")
                await _join(client, server)


class SocksProxy:
    """Makes tunnels by SOCKS5 (RFC 1928, RFC 1929).

    Args:
        credentials: the user name and the password that are required.
        reply: the code of the response; 0 for success.
        greeting: sent at once, instead of all else.
    """

    def __init__(
        self, credentials: tuple[bytes, bytes] | None = None, reply: int = 0, greeting: bytes | None = None
    ) -> None:
        self._greeting = greeting
        self.targets: list[tuple[str, int]] = []
        self._credentials = credentials
        self._reply = reply

    async def serve(self, client: anyio.abc.SocketStream) -> None:
        """Serve one connection."""
        stream = BufferedByteReceiveStream(client)
        if self._greeting is not None:
            await client.send(self._greeting)
            await client.receive()
            return
        _, methods = await stream.receive_exactly(2)
        wanted = 0 if self._credentials is None else 2
        if wanted not in await stream.receive_exactly(methods):
            await client.send(b"\x05\xff")
            return
        await client.send(bytes([5, wanted]))
        if self._credentials is not None:
            await stream.receive_exactly(1)
            given = [await stream.receive_exactly((await stream.receive_exactly(1))[0]) for _ in range(2)]
            accepted = tuple(given) == self._credentials
            await client.send(bytes([1, 0 if accepted else 1]))
            if not accepted:
                return
        _, _, _, kind = await stream.receive_exactly(4)
        if kind == 1:
            host = ".".join(str(byte) for byte in await stream.receive_exactly(4))
        else:
            host = (await stream.receive_exactly((await stream.receive_exactly(1))[0])).decode()
        port = int.from_bytes(await stream.receive_exactly(2))
        self.targets.append((host, port))
        await client.send(bytes([5, self._reply, 0, 1, 0, 0, 0, 0, 0, 0]))
        if self._reply == 0:
            async with await anyio.connect_tcp(host, port) as server:
                await _join(client, server)


async def _join(one: anyio.abc.ByteStream, other: anyio.abc.ByteStream) -> None:
    async with anyio.create_task_group() as group:

        async def copy(source: anyio.abc.ByteStream, target: anyio.abc.ByteStream) -> None:
            with contextlib.suppress(*_GONE):
                while True:
                    await target.send(await source.receive())
            group.cancel_scope.cancel()

        group.start_soon(copy, one, other)
        group.start_soon(copy, other, one)


@contextlib.asynccontextmanager
async def proxying(proxy: HttpProxy | SocksProxy) -> AsyncGenerator[str]:
    """Run a proxy; yield its host and port."""

    async def serve(client: anyio.abc.SocketStream) -> None:
        with contextlib.suppress(*_GONE):
            async with client:
                await proxy.serve(client)

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        yield f"127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"
        group.cancel_scope.cancel()
