"""How a connection is secured.

Knows certificates, their keys and who vouches for servers. Must not know hosts or connect to anything.
"""

from __future__ import annotations

import os
import ssl

import attrs
import httpx

from stellantis_hal.errors import ConfigurationError

__all__ = ["Certificate", "Tls"]

Path = str | os.PathLike[str]
Certificate = tuple[Path, Path] | tuple[Path, Path, str] | ssl.SSLContext
"""Paths of a certificate and its key, and the key's password where it has one; or a context that holds all of it."""


@attrs.frozen(kw_only=True)
class Tls:
    """Settings for TLS; 1.2 is the oldest version spoken.

    Attributes:
        certificate: the client's own, for mutual TLS; an ``ssl.SSLContext`` is used as it is.
        authorities: a file or folder of the authorities trusted instead of the usual ones.
    """

    certificate: Certificate | None = attrs.field(default=None, repr=False)
    authorities: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Make the context; this takes some 40 ms, so once per session.

        Raises:
            ConfigurationError: a file is missing, unreadable or does not fit, or the password is wrong.
        """
        if isinstance(self.certificate, ssl.SSLContext):
            return self.certificate
        context = self._trusting()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate is not None:
            certificate, key, *password = self.certificate
            try:
                # Without a password OpenSSL would ask for it on the terminal, and wait.
                context.load_cert_chain(certificate, key, password[0] if password else "")
            except (OSError, ValueError) as error:
                raise ConfigurationError(
                    f"the client certificate cannot be used ({_reason(error)}): check both paths, that key and "
                    "certificate belong together, and the key's password"
                ) from error
        return context

    def _trusting(self) -> ssl.SSLContext:
        if self.authorities is None:
            return httpx.create_ssl_context()
        place = os.fspath(self.authorities)
        try:
            if os.path.isdir(place):
                return ssl.create_default_context(capath=place)
            return ssl.create_default_context(cafile=place)
        except OSError as error:
            raise ConfigurationError(
                f"the CA bundle cannot be used ({_reason(error)}): it has to be a file of PEM certificates"
            ) from error


def _reason(error: Exception) -> str:
    """Give the system's words without the path, which may name a person."""
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None)
    return str(reason or type(error).__name__)
