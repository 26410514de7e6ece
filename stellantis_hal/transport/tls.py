"""TLS settings."""

from __future__ import annotations

import os
import ssl

import attrs
import httpx

from stellantis_hal.errors import ConfigurationError
from stellantis_hal.hal.redaction import redacted_repr

__all__ = ["Certificate", "Tls"]

Path = str | os.PathLike[str]
Certificate = tuple[Path, Path] | tuple[Path, Path, str] | ssl.SSLContext
"""Paths of a certificate and its key, and the key's password if it has one; or a context that has them loaded."""


@attrs.frozen(kw_only=True)
class Tls:
    """Settings for TLS 1.2 and newer.

    Attributes:
        certificate: the client certificate, for mutual TLS; an ``ssl.SSLContext`` is used unchanged.
        authorities: a PEM file or a folder of certificate authorities, trusted instead of the default ones.
    """

    __repr__ = redacted_repr

    certificate: Certificate | None = attrs.field(default=None, repr=False)
    authorities: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return a context; this takes about 40 ms, so it is done once per session.

        Raises:
            ConfigurationError: a file is missing, unreadable or of another kind, or the password is wrong.
        """
        if isinstance(self.certificate, ssl.SSLContext):
            return self.certificate
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
            return httpx.create_ssl_context()
        place = os.fspath(self.authorities)
        try:
            if os.path.isdir(place):
                return ssl.create_default_context(capath=place)
            return ssl.create_default_context(cafile=place)
        except OSError as error:
            raise ConfigurationError(
                f"the CA bundle cannot be used ({_reason(error)}): it must be a file of PEM certificates"
            ) from error


def _reason(error: Exception) -> str:
    """Return the system's message without the path, which may contain a person's name."""
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None)
    return str(reason or type(error).__name__)
