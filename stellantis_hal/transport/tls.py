"""TLS settings."""

from __future__ import annotations

import os
import ssl
from typing import Any

import attrs

from stellantis_hal.errors import ConfigurationError
from stellantis_hal.hal.redaction import redacted_repr
from stellantis_hal.validation import require_type

__all__ = ["Certificate", "CertificateFiles", "Tls", "with_certificate"]

Path = str | os.PathLike[str]
CertificateFiles = tuple[Path, Path] | tuple[Path, Path, str]
"""Paths of a certificate and its key, and the key's password if it has one."""
Certificate = CertificateFiles | ssl.SSLContext
"""The files of a client certificate, or a context that has it loaded."""


def _check_context(_: Any, __: Any, context: ssl.SSLContext | None) -> None:
    require_type("context", context, ssl.SSLContext, None, instead="ssl.create_default_context()")
    if context is not None and context.protocol == ssl.PROTOCOL_TLS_SERVER:
        raise ValueError("context is one for servers: pass ssl.create_default_context(), for clients")


def _check_certificate(tls: Tls, _: Any, certificate: Certificate | None) -> None:
    if isinstance(certificate, ssl.SSLContext):
        raise TypeError("certificate must be the paths of a certificate and its key: a context is passed as context=")
    given: object = certificate
    if given is not None and not (isinstance(given, tuple | list) and len(given) in (2, 3)):
        raise TypeError('certificate must be a pair of paths, as ("cert.pem", "key.pem"), with a password at most')


@attrs.frozen(kw_only=True)
class Tls:
    """Settings for TLS 1.2 and newer, or a context that has them.

    Attributes:
        context: used unchanged, instead of one that the first request makes in a worker thread. Its own certificate,
            authorities and versions count, so nothing stands beside it.
        certificate: the paths of the client certificate and its key, for mutual TLS, and the key's password.
        authorities: a PEM file or a folder of certificate authorities, trusted instead of the default ones.

    Raises:
        TypeError: ``context`` is none, or ``certificate`` is one, or no pair of paths.
        ValueError: ``certificate`` or ``authorities`` stands beside ``context``, or that is one for servers.
    """

    __repr__ = redacted_repr

    context: ssl.SSLContext | None = attrs.field(default=None, repr=False, validator=_check_context)
    certificate: CertificateFiles | None = attrs.field(default=None, repr=False, validator=_check_certificate)
    authorities: Path | None = None

    def __attrs_post_init__(self) -> None:
        if self.context is None:
            return
        for name, value, method in (
            ("certificate", self.certificate, "load_cert_chain(…)"),
            ("authorities", self.authorities, "load_verify_locations(…)"),
        ):
            if value is not None:
                raise ValueError(
                    f"{name}= has no effect beside context=, which is used unchanged: leave it out, and call "
                    f"context.{method}"
                )

    def make_context(self) -> ssl.SSLContext:
        """Return ``context``, or a new one; that takes 40 to 200 ms of a thread, once per client.

        Raises:
            ConfigurationError: a file is missing, unreadable or of another kind, or the password is wrong.
        """
        if self.context is not None:
            return self.context
        context = self._default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate is not None:
            certificate, key, *password = self.certificate
            try:
                # Without a password OpenSSL would prompt for it on the terminal.
                context.load_cert_chain(certificate, key, password[0] if password else "")
            except (OSError, ValueError) as error:
                raise ConfigurationError(
                    f"the client certificate cannot be used ({_reason(error)}): check both paths, that key and "
                    "certificate belong together, and the key's password"
                ) from error
        return context

    def _default_context(self) -> ssl.SSLContext:
        if self.authorities is None:
            return _standard_context()
        place = os.fspath(self.authorities)
        try:
            if os.path.isdir(place):
                return ssl.create_default_context(capath=place)
            return ssl.create_default_context(cafile=place)
        except OSError as error:
            raise ConfigurationError(
                f"the CA bundle cannot be used ({_reason(error)}): it must be a file of PEM certificates"
            ) from error


def _standard_context() -> ssl.SSLContext:
    """Return a context with the authorities that httpx trusts: those of the environment, or else of certifi."""
    if file := os.environ.get("SSL_CERT_FILE"):
        return ssl.create_default_context(cafile=file)
    if folder := os.environ.get("SSL_CERT_DIR"):
        return ssl.create_default_context(capath=folder)
    import certifi

    return ssl.create_default_context(cafile=certifi.where())


def with_certificate(tls: Tls | None, certificate: Certificate | None) -> Tls:
    """Return TLS settings with the certificate of an application.

    Raises:
        TypeError: they are no settings.
        ValueError: they have another certificate, or a context of their own.
    """
    require_type("tls", tls, Tls, None)
    if certificate is None:
        return Tls() if tls is None else tls
    if isinstance(certificate, ssl.SSLContext):
        if tls is None or (tls.certificate is None and tls.authorities is None and tls.context in {None, certificate}):
            return Tls(context=certificate)
    elif tls is None or (tls.context is None and tls.certificate in {None, certificate}):
        return Tls(certificate=certificate, authorities=None if tls is None else tls.authorities)
    raise ValueError(
        "tls= and the application's certificate= both say which client certificate is sent: pass its files in one "
        "of them, or one ssl.SSLContext with the certificate and the authorities loaded, as "
        "Application(…, certificate=context)"
    )


def _reason(error: Exception) -> str:
    """Return the system's message without the path, which may contain a person's name."""
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None)
    return str(reason or type(error).__name__)
