"""A partner's sign-in: hypercorn requires a client certificate, and its application knows login and client id.

Needs hypercorn and trustme.
"""

import sys
from collections.abc import Generator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from stellantis_hal import (
    ConfigurationError,
    FleetOwnerClient,
    NetworkError,
    NotFoundError,
    Partner,
    RetryPolicy,
    UnauthorizedError,
)
from tests.conformance.processes import free_port, running

pytestmark = [pytest.mark.anyio, pytest.mark.wall_clock]
SERVER = Path(__file__).parent / "partner-server"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the certificates: of the vendor's authority, of its server, of the partner, of a stranger."""
    trustme = pytest.importorskip("trustme")
    folder = tmp_path_factory.mktemp("certificates")
    vendor = trustme.CA()
    vendor.cert_pem.write_to_path(folder / "ca.pem")
    for name, authority in (("server", vendor), ("partner", vendor), ("stranger", trustme.CA())):
        issued = authority.issue_cert("127.0.0.1", "localhost")
        issued.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
    return folder


@pytest.fixture(scope="module")
def server(files: Path) -> Generator[str]:
    if find_spec("hypercorn") is None:
        pytest.skip("hypercorn is not installed: pip install hypercorn")
    port = free_port()
    options = {
        "--certfile": files / "server.pem",
        "--keyfile": files / "server.key",
        "--ca-certs": files / "ca.pem",
        "--verify-mode": "CERT_REQUIRED",
        "--bind": f"127.0.0.1:{port}",
    }
    arguments = [str(text) for pair in options.items() for text in pair]
    command = [sys.executable, "-m", "hypercorn", *arguments, "app:app"]
    with running(command, port, folder=SERVER) as address:
        yield address.replace("http://", "https://") + "/connectedcar/v3"


def client_of(server: str, files: Path, **changes: Any) -> FleetOwnerClient:
    values: dict[str, Any] = {
        "client_id": "my-client-id",
        "login": "MZP123456",
        "password": "p4ss:wörd",
        "certificate": (files / "partner.pem", files / "partner.key"),
        "authority": files / "ca.pem",
    }
    return FleetOwnerClient(Partner(**(values | changes)), base_url=server, retry=RetryPolicy(attempts=1))


async def test_a_partner_signs_in(server: str, files: Path) -> None:
    async with client_of(server, files) as client:
        assert [fleet.name async for fleet in client.fleets()] == ["vans"]
        with pytest.raises(NotFoundError):
            await client.fleet("f2")


@pytest.mark.parametrize("login", ["my-client-id", "MZP999999"])
async def test_the_login_is_not_the_client_id(server: str, files: Path, login: str) -> None:
    async with client_of(server, files, login=login) as client:
        with pytest.raises(UnauthorizedError):
            await client.fleet("f1")


async def test_the_client_id_is_not_the_login(server: str, files: Path) -> None:
    async with client_of(server, files, client_id="MZP123456") as client:
        with pytest.raises(ConfigurationError):
            await client.fleet("f1")


async def test_a_server_of_another_authority_is_refused(server: str, files: Path) -> None:
    async with client_of(server, files, authority=None) as client:
        with pytest.raises((NetworkError, ConfigurationError)):
            await client.fleet("f1")


@pytest.mark.parametrize("certificate", [None, "stranger"])
async def test_the_client_certificate_is_required(server: str, files: Path, certificate: str | None) -> None:
    pair = None if certificate is None else (files / f"{certificate}.pem", files / f"{certificate}.key")
    async with client_of(server, files, certificate=pair) as client:
        with pytest.raises((NetworkError, ConfigurationError)):
            await client.fleet("f1")
