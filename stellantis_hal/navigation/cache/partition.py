"""Partitions: whose responses a cache holds."""

from __future__ import annotations

import hashlib
import secrets

import attrs

from stellantis_hal.errors import ConfigurationError
from stellantis_hal.hal.utf8 import utf8
from stellantis_hal.validation import require_type

__all__ = ["Partition", "choose_partition"]

_ITERATIONS = 100_000
_LENGTH = 16


@attrs.frozen
class Partition:
    """The part of a cache store that belongs to one account: responses of one are never served to another.

    Attributes:
        prefix: of the keys.
        is_lasting: whether the same account has the same prefix in every process.
    """

    prefix: str = attrs.field(repr=False)
    is_lasting: bool

    @classmethod
    def of(cls, *names: str) -> Partition:
        """Return the partition of an account by what names it: no secrets."""
        digest = hashlib.sha256()
        for name in names:
            encoded = utf8(name)
            digest.update(len(encoded).to_bytes(8))
            digest.update(encoded)
        return cls(digest.hexdigest()[: 2 * _LENGTH], is_lasting=True)

    @classmethod
    def of_secret(cls, secret: str, *names: str) -> Partition:
        """Return the partition of an account that a secret is part of; it cannot be guessed from the keys in a file."""
        salt = cls.of(*names).prefix.encode()
        stretched = hashlib.pbkdf2_hmac("sha256", utf8(secret), salt, _ITERATIONS, _LENGTH)
        return cls(stretched.hex(), is_lasting=True)

    @classmethod
    def unnamed(cls) -> Partition:
        """Return a partition of its own, for an account that nothing names."""
        return cls(secrets.token_hex(_LENGTH), is_lasting=False)


def choose_partition(credentials: object, name: str | None, *, must_last: bool) -> Partition:
    """Return the partition of the account that credentials belong to.

    Args:
        credentials: they state it by an attribute ``partition``; None for a client without credentials.
        name: what names the account; None: as the credentials state, else a partition of its own.
        must_last: whether what is stored outlives the process.

    Raises:
        ConfigurationError: nothing names the account, although what is stored outlives the process.
        ValueError: the name is empty.
        TypeError: the name is not text.
    """
    require_type("partition", name, str, None)
    if name is not None:
        if not name:
            raise ValueError("partition must name the account, as in partition='alice', and is empty")
        return Partition.of("named", name)
    if credentials is None:
        return Partition.of("anonymous")
    stated = getattr(credentials, "partition", None)
    partition = stated if isinstance(stated, Partition) else Partition.unnamed()
    if must_last and not partition.is_lasting:
        raise ConfigurationError(
            f"the cache outlives the process, and nothing names the account of {type(credentials).__name__} in the "
            "next one: pass partition='alice', the same for the same account only, or use a MemoryCache"
        )
    return partition
