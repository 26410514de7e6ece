"""Certificates of a run: an authority, a server and a client."""

from __future__ import annotations

import ssl
from pathlib import Path

from benchmarks.harness.optional import import_optional

__all__ = ["client_context", "server_context", "write_certificates"]


def write_certificates(folder: Path) -> None:
    """Write the certificate of an authority, and certificates and keys of a server and a client."""
    authority = import_optional("trustme").CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    for name in ("localhost", "client@example.com"):
        issued = authority.issue_cert(name)
        stem = name.partition("@")[0]
        issued.private_key_and_cert_chain_pem.write_to_path(str(folder / f"{stem}.pem"))


def server_context(folder: Path, *, mutual: bool) -> ssl.SSLContext:
    """Return the context of a server; mutual: a client needs a certificate of the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "localhost.pem")
    if mutual:
        context.load_verify_locations(folder / "authority.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(folder: Path) -> ssl.SSLContext:
    """Return the context of a client that trusts the authority and has a certificate."""
    context = ssl.create_default_context(cafile=str(folder / "authority.pem"))
    context.load_cert_chain(folder / "client.pem")
    return context
