"""Servers on sockets for the tests of connections, and their certificates."""

import contextlib
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import trustme
from anyio.streams.tls import TLSListener
from cryptography.hazmat.primitives import serialization

__all__ = ["Server", "mutual", "reply", "serving", "simple", "write_certificates"]

Serve = Callable[[bytes, anyio.abc.ByteStream], Awaitable[None]]


def reply(body: bytes = b"{}", status: str = "200 OK", **fields: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Server:
    """A server that responds by a function and records the requests' heads."""

    def __init__(self, serve: Serve | bytes, tls: ssl.SSLContext | None) -> None:
        self.heads: list[bytes] = []
        self.connections = 0
        self._serve = serve
        self._tls = tls
        self.url = ""

    async def _connected(self, stream: anyio.abc.ByteStream) -> None:
        self.connections += 1
        errors = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, ssl.SSLError, OSError)
        with contextlib.suppress(*errors):
            async with stream:
                buffer = b""
                while True:
                    while b"\r\n\r\n" not in buffer:
                        buffer += await stream.receive()
                    head, _, buffer = buffer.partition(b"\r\n\r\n")
                    self.heads.append(head)
                    _, _, length = head.lower().partition(b"content-length: ")
                    size = int(length.split(b"\r\n")[0] or 0)
                    while len(buffer) < size:
                        buffer += await stream.receive()
                    if b"\r\ntransfer-encoding: chunked" in head.lower():
                        while not buffer.endswith(b"\r\n0\r\n\r\n"):
                            buffer += await stream.receive()
                        size = len(buffer)
                    body, buffer = buffer[:size], buffer[size:]
                    if isinstance(self._serve, bytes):
                        await stream.send(self._serve)
                    else:
                        await self._serve(head + b"\r\n\r\n" + body, stream)

    async def run(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        plain = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = plain.extra(anyio.abc.SocketAttribute.local_port)
        listener: Any = plain
        scheme = "http"
        if self._tls is not None:
            listener = _Tolerant(plain, self._tls, standard_compatible=False)
            scheme = "https"
        self.url = f"{scheme}://localhost:{port}" if self._tls else f"{scheme}://127.0.0.1:{port}"
        task_status.started()
        async with listener:
            await listener.serve(self._connected)


class _Tolerant(TLSListener):
    @staticmethod
    async def handle_handshake_error(exc: BaseException, stream: anyio.abc.AnyByteStream) -> None:
        await anyio.aclose_forcefully(stream)


@contextlib.asynccontextmanager
async def serving(serve: Serve | bytes, tls: ssl.SSLContext | None = None) -> AsyncGenerator[Server]:
    server = Server(serve, tls)
    async with anyio.create_task_group() as group:
        await group.start(server.run)
        try:
            with anyio.fail_after(20):
                yield server
        finally:
            group.cancel_scope.cancel()


def write_certificates(authority: trustme.CA, folder: Path) -> Path:
    """Write a CA bundle, a client certificate that it signed, and one of a stranger."""
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    (folder / "folder").mkdir()
    for name, issuer in (("client", authority), ("stranger", trustme.CA())):
        leaf = issuer.issue_cert(f"{name}@example.com")
        leaf.cert_chain_pems[0].write_to_path(str(folder / f"{name}.pem"))
        leaf.private_key_pem.write_to_path(str(folder / f"{name}.key"))
    loaded = serialization.load_pem_private_key((folder / "client.key").read_bytes(), None)
    locked = loaded.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"open"),
    )
    (folder / "locked.key").write_bytes(locked)
    return folder


def mutual(authority: trustme.CA, *, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = newest
    return context


def simple(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context
