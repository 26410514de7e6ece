"""Settings of TLS: a context of the program, or one that is made of files."""

import ssl
from pathlib import Path
from typing import Any

import certifi
import pytest

from stellantis_hal import Application, StellantisClient, Tls
from stellantis_hal.errors import ConfigurationError
from stellantis_hal.transport.tls import with_certificate

FILES = ("client.pem", "client.key")


def test_a_given_context_is_used_unchanged() -> None:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    assert Tls(context=context).make_context() is context
    assert context.minimum_version == ssl.TLSVersion.TLSv1_3


@pytest.mark.parametrize(
    ("options", "method"),
    [({"certificate": FILES}, "load_cert_chain(…)"), ({"authorities": "ca.pem"}, "load_verify_locations(…)")],
)
def test_nothing_stands_beside_a_context(options: dict[str, Any], method: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        Tls(context=ssl.create_default_context(), **options)
    assert str(caught.value) == (
        f"{next(iter(options))}= has no effect beside context=, which is used unchanged: leave it out, and call "
        f"context.{method}"
    )


@pytest.mark.parametrize(
    ("tls", "message"),
    [
        (
            Tls(certificate=("missing.pem", "missing.key")),
            (
                "the client certificate cannot be used (No such file or directory): check both paths, that key and "
                "certificate belong together, and the key's password"
            ),
        ),
        (
            Tls(certificate=("miss\0ing.pem", "missing.key")),
            (
                "the client certificate cannot be used (ValueError): check both paths, that key and certificate belong "
                "together, and the key's password"
            ),
        ),
        (
            Tls(authorities="missing.pem"),
            "the CA bundle cannot be used (No such file or directory): it must be a file of PEM certificates",
        ),
    ],
    ids=["certificate", "path", "authorities"],
)
def test_files_that_cannot_be_used_are_said_without_their_paths(tls: Tls, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        tls.make_context()
    assert str(caught.value) == message


def test_a_context_for_servers_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^context is one for servers: pass ssl\.create_default_context\(\), for clients$"
    ):
        Tls(context=ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))


def test_other_values_are_no_context() -> None:
    value: Any = "cert.pem"
    with pytest.raises(
        TypeError, match=r"^context must be SSLContext or None, not str: ssl\.create_default_context\(\)$"
    ):
        Tls(context=value)
    certificate: Any = ssl.create_default_context()
    with pytest.raises(
        TypeError,
        match=r"^certificate must be the paths of a certificate and its key: a context is passed as context=$",
    ):
        Tls(certificate=certificate)


def test_the_certificate_of_an_application_joins_the_settings() -> None:
    context = ssl.create_default_context()
    assert with_certificate(None, None) == Tls()
    assert with_certificate(Tls(authorities="ca.pem"), None) == Tls(authorities="ca.pem")
    assert with_certificate(None, FILES) == with_certificate(Tls(certificate=FILES), FILES) == Tls(certificate=FILES)
    assert with_certificate(Tls(authorities="ca.pem"), FILES) == Tls(certificate=FILES, authorities="ca.pem")
    for tls in (None, Tls(), Tls(context=context)):
        assert with_certificate(tls, context) == Tls(context=context)


def test_settings_of_another_class_are_refused() -> None:
    settings: Any = "ca.pem"
    with pytest.raises(TypeError, match=r"^tls must be"):
        with_certificate(settings, None)


@pytest.mark.parametrize("certificate", ["files", "context"])
def test_two_client_certificates_are_refused(certificate: str, tmp_path: Path) -> None:
    """Also authorities beside the context of an application, which would not be trusted."""
    application = Application("id", certificate=FILES if certificate == "files" else ssl.create_default_context())
    others = [Tls(context=ssl.create_default_context()), Tls(certificate=("other.pem", "other.key"))]
    if certificate == "context":
        others.append(Tls(authorities=tmp_path))
    for tls in others:
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
            StellantisClient(application, tls=tls)
        assert str(caught.value) == (
            "tls= and the application's certificate= both say which client certificate is sent: pass its files in one "
            "of them, or one ssl.SSLContext with the certificate and the authorities loaded, as "
            "Application(…, certificate=context)"
        )


@pytest.fixture
def given_authorities(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return where the authorities of each new context come from; the environment names none."""
    found: list[dict[str, Any]] = []
    make = ssl.create_default_context

    def record(**sources: Any) -> ssl.SSLContext:
        found.append(sources)
        return make(**sources)

    monkeypatch.setattr(ssl, "create_default_context", record)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    return found


def test_the_authorities_of_the_environment_are_trusted(
    given_authorities: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file comes before a folder, and both before the ones that are installed with httpx."""
    file = certifi.where()
    contexts = [Tls().make_context()]
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    contexts.append(Tls().make_context())
    monkeypatch.setenv("SSL_CERT_FILE", file)
    contexts.append(Tls().make_context())
    assert given_authorities == [{"cafile": file}, {"capath": str(tmp_path)}, {"cafile": file}]
    assert [bool(context.get_ca_certs()) for context in contexts] == [True, False, True]
    assert {context.verify_mode for context in contexts} == {ssl.CERT_REQUIRED}
    assert {context.minimum_version for context in contexts} == {ssl.TLSVersion.TLSv1_2}
